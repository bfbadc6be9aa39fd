# shim_watch.py - watch --log: records as they are made, without a broker.
#
# SPDX-License-Identifier: Apache-2.0
import signal
import subprocess
import unittest

from shim_support import HANGS_S, HostTest, clean_environment


class WatchLog(HostTest):
    def start(self, *arguments):
        """A follower that has begun: what was there before is not shown."""
        follower = subprocess.Popen(self.host_command("watch", "--log", *arguments), cwd=self.project, text=True,
                                    env=clean_environment(self.home), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(follower.stdout.close)
        self.addCleanup(follower.stderr.close)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        self.assertIn("waiting for records", follower.stderr.readline())
        return follower

    def test_watch_follows_the_logs_without_a_broker(self):
        self.expect(0, "record", "coach", "--success")
        followers = [self.start(*more) for more in (("-n", "3"), ("-n", "3", "-o", "json"), ("coach", "-n", "2"))]
        self.expect(0, "record", "coach", "--failure", "-m", "error_type=timeout", "--time", "4", "--quality", "0.5")
        self.expect(0, "record", "mentor", "--success")
        self.expect(0, "record", "coach", "--success", "-m", "cost_usd=0.25")
        plain, lines, one = [follower.communicate(timeout=HANGS_S)[0].splitlines() for follower in followers]
        self.assertEqual([follower.returncode for follower in followers], [0, 0, 0])
        self.assertEqual(sorted(line.split("  ", 1)[1] for line in plain),
                         ["coach  failure  4.0 s  quality 0.50  timeout", "coach  success  $0.25", "mentor  success"])
        self.assertEqual(sorted(lines), sorted(self.lines("coach")[1:] + self.lines("mentor")))
        self.assertEqual([line.split("  ")[1:3] for line in one], [["coach", "failure"], ["coach", "success"]])
        self.assertIn("only with --log", self.messages(2, "watch", "coach"))

    def test_what_another_program_wrote_does_not_drive_the_terminal_and_is_json(self):
        self.expect(0, "record", "coach", "--success")
        followers = [self.start("-n", "1"), self.start("-n", "1", "-o", "json")]
        with self.log("coach").open("a") as log:
            log.write('{"timestamp":"\\u001b[31m","agent":"\\u009b2J","success":false,"quality_score":-0.5,'
                      '"metadata":{"cost_usd":0.004,"error_type":"\\u001b]0;x","x":NaN}}\n')
        plain, lines = [follower.communicate(timeout=HANGS_S)[0] for follower in followers]
        self.assertEqual(plain, "?[31m  ?2J  failure  quality -0.50  $0.0040  ?]0;x\n")
        self.assertIn('"x":null', lines)

    def test_watch_of_a_log_that_is_rewritten_says_so_and_shows_nothing_twice(self):
        self.expect(0, "record", "coach", "--success")
        follower = self.start("-n", "1")
        text = self.log("coach").read_text()
        self.log("coach").with_name("new").write_text(text.replace("true", "false") * 3)
        self.log("coach").with_name("new").replace(self.log("coach"))
        self.assertIn("the log of coach was rewritten", follower.stderr.readline())
        self.expect(0, "record", "coach", "--success", "--session-id", "later")
        self.assertIn("coach  success", follower.communicate(timeout=HANGS_S)[0])

    def test_it_ends_after_the_time_without_a_record_and_on_a_signal(self):
        self.assertEqual(self.start("--timeout", "0.1").communicate(timeout=HANGS_S)[0], "")
        follower = self.start()
        follower.send_signal(signal.SIGINT)
        self.assertEqual((follower.communicate(timeout=HANGS_S)[0], follower.returncode), ("", 0))


if __name__ == "__main__":
    unittest.main()

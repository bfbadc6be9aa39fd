# shim_exec.py - exec: the command keeps its status, its signals and its streams, and is recorded.
#
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pty
import signal
import subprocess
import sys
import unittest

from shim_support import HostTest, clean_environment


class Exec(HostTest):
    def record(self):
        return json.loads(self.lines("coach")[-1])

    def test_the_status_is_passed_through_and_decides_the_outcome(self):
        for status, success, outcome in ((0, True, "completed"), (1, False, "failed"), (77, False, "failed")):
            self.expect(status, "exec", "coach", "--", "sh", "-c", f"exit {status}")
            record = self.record()
            self.assertEqual((record["success"], record["metadata"]), (success, {"outcome": outcome, "exit_status": status}))
            self.assertGreaterEqual(record["execution_time_s"], 0)

    def test_the_streams_are_the_commands_alone(self):
        result = self.run_host("exec", "coach", "--", "sh", "-c", "cat; echo err >&2", stdin="in")
        self.assertEqual((result.stdout, result.stderr), (b"in", b"err\n"))

    def test_with_json_the_result_goes_to_standard_error(self):
        result = self.run_host("exec", "coach", "-o", "json", "--quality", "0.5", "-k", "k1", "--", "echo", "-n", "out")
        self.assertEqual(result.stdout, b"out")
        self.assertEqual(json.loads(result.stderr)["summary"]["avg_quality_score"], 0.5)
        self.assertEqual(self.record()["idempotency_key"], "k1")

    def test_a_command_ended_by_a_signal_is_a_failure_named_after_it(self):
        self.expect(128 + signal.SIGKILL, "exec", "coach", "--", "sh", "-c", "kill -KILL $$")
        self.assertEqual((self.record()["success"], self.record()["metadata"]["error_type"]), (False, "SIGKILL"))

    def test_an_aborted_command_is_skipped_unless_asked_for(self):
        for name in ("INT", "TERM"):
            status = 128 + getattr(signal, "SIG" + name)
            self.expect(status, "exec", "coach", "--", "sh", "-c", f"kill -{name} $$")
        self.assertFalse(self.log("coach").exists())
        self.expect(143, "exec", "coach", "--aborted", "failure", "--", "sh", "-c", "kill -TERM $$")
        self.assertEqual((self.record()["success"], self.record()["metadata"]["outcome"]), (False, "aborted"))

    def start(self, script, **options):
        """Starts exec with a command that says when it is ready."""
        process = subprocess.Popen(
            self.host_command("exec", "coach", "--aborted", "failure", "--", "sh", "-c", script), cwd=self.project,
            env=clean_environment(self.home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def test_signals_are_handed_on_to_the_command(self):
        for name, status in (("TERM", 7), ("HUP", 7), ("USR1", 7), ("INT", 7)):
            process = self.start(f'trap "exit 7" {name}; echo ready; while :; do sleep 0.02; done', start_new_session=True)
            process.send_signal(getattr(signal, "SIG" + name))
            process.communicate(timeout=30)
            self.assertEqual(process.returncode, status, name)
            self.assertEqual(self.record()["metadata"]["outcome"], "failed" if name == "USR1" else "aborted")

    def test_ctrl_c_is_left_to_the_terminal_that_tells_the_command_itself(self):
        # A command in a session of its own gets nothing from the terminal: what arrives, exec has handed on.
        script = ("import os, signal, select\n"
                  "os.setsid()\n"
                  "r, w = os.pipe()\n"
                  "os.set_blocking(w, False)\n"
                  "signal.set_wakeup_fd(w)\n"
                  "signal.signal(signal.SIGINT, lambda *_: None)\n"
                  "print('ready', flush=True)\n"
                  "handed_on = bool(select.select([r], [], [], 0.5)[0])\n"
                  "raise SystemExit(41 if handed_on else 40)\n")
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.project)
            command = self.host_command("exec", "coach", "--aborted", "failure", "--", sys.executable, "-c", script)
            os.execve(command[0], command, clean_environment(self.home))
        output = b""
        while b"ready" not in output:
            output += os.read(terminal, 100)
        os.write(terminal, b"\x03")
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(status), 40)
        self.assertEqual(self.record()["metadata"]["exit_status"], 40)

    def test_a_recording_that_fails_changes_nothing_but_says_so(self):
        for status in (0, 3):
            message = self.messages(status, "exec", "coach", "--quality", "2", "--", "sh", "-c", f"exit {status}")
            self.assertIn("not recorded", message)
        self.assertIn("not recorded", self.messages(0, "--plugin", "nope.so", "exec", "coach", "--", "true"))

    def test_require_record_is_a_gate(self):
        self.expect(125, "exec", "coach", "--quality", "2", "--require-record", "--", "true")
        self.expect(3, "exec", "coach", "--quality", "2", "--require-record", "--", "sh", "-c", "exit 3")
        self.assertEqual(self.expect(125, "--plugin", "nope.so", "exec", "coach", "--require-record", "--", "echo", "ran"), "")


if __name__ == "__main__":
    unittest.main()

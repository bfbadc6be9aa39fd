# shim_replay.py - replay: many records, counted, interrupted and gone on with.
#
# SPDX-License-Identifier: Apache-2.0
import fcntl
import json
import os
import re
import signal
import subprocess
import time
import unittest

from broker_support import wait_for
from shim_support import HANGS_S, HostTest, clean_environment, slowed


def line(i, **members):
    return json.dumps({"timestamp": f"2026-11-01T00:{i // 60 % 60:02}:{i % 60:02}Z", "agent": "coach", "success": i % 3 != 0, **members}) + "\n"


class Replay(HostTest):
    def replay(self, status, text, *arguments):
        return json.loads(self.expect(status, "replay", "-o", "json", *arguments, stdin=text))

    def test_counts_and_first_reasons(self):
        text = line(1, idempotency_key="a") + "\n" + line(2, idempotency_key="a") + '{"agent":"coach"}\n' + "garbage\n" + line(3)
        result = self.replay(4, text)
        self.assertEqual((result["lines"], result["recorded"], result["duplicates"], result["rejected"]), (5, 2, 1, 2))
        self.assertEqual([refusal["line"] for refusal in result["first_refusals"]], [4, 5])
        self.assertIn("success", result["first_refusals"][0]["reason"])
        self.assertEqual(len(self.lines("coach")), 2)

    def test_the_last_line_may_lack_its_newline(self):
        self.assertEqual(self.replay(0, line(1) + line(2).rstrip("\n"))["recorded"], 2)

    def test_nothing_is_nothing(self):
        self.assertEqual(self.replay(0, "")["lines"], 0)
        self.assertEqual(self.replay(0, "\n\n")["lines"], 0)

    def test_derived_keys_record_a_line_once(self):
        text = line(1) + line(2)
        self.assertEqual(self.replay(0, text, "--derive-keys")["recorded"], 2)
        self.assertEqual(self.replay(0, text + line(3), "--derive-keys")["duplicates"], 2)
        self.assertEqual(len(self.lines("coach")), 3)

    def test_skip_leaves_out_lines_as_they_stand_in_the_file(self):
        result = self.replay(0, line(1) + "\n" + line(2) + line(3), "--skip", "3")
        self.assertEqual((result["recorded"], result["next_skip"]), (1, 4))
        self.assertEqual(self.replay(0, line(1), "--skip", "7")["recorded"], 0)

    def test_lines_older_than_the_retention_are_counted_apart_and_no_failure(self):
        old = json.dumps({"timestamp": "1999-01-01T00:00:00Z", "agent": "coach", "success": True}) + "\n"
        result = self.replay(0, old + line(1))
        self.assertEqual((result["recorded"], result["older_than_retention"]), (1, 1))

    def test_nothing_is_published_unless_asked_for(self):
        self.replay(0, line(1), "--set", "emit_event=true")
        self.assertNotIn("event_id", self.lines("coach")[0])
        self.replay(0, line(2), "--emit-event")
        self.assertIn("event_id", self.lines("coach")[1])

    def test_what_others_wrote_comes_back_too(self):
        foreign = [line(1, reviewer="python-cli"), line(2, primary_metric={"name": "t", "value": 1, "unit": "s"}),
                   line(3, quality_score=85.0), line(4, tokens=12.0), line(5, quality_score=None, x_ticket="A-1"),
                   line(6, quality_score="0.9"), line(7).replace("2026-11-01T00:00:07Z", "last week"),
                   line(8)[:-2] + ', "quality_score": NaN}\n']
        self.log("coach").parent.mkdir(parents=True)
        self.log("coach").write_text("".join(foreign))
        exported = self.expect(0, "export", "--all")
        self.assertEqual(len(exported.splitlines()), len(foreign))
        before = json.loads(self.expect(0, "show", "coach", "-n", "0", "-o", "json"))
        self.log("coach").unlink()
        result = self.replay(0, exported)
        self.assertEqual((result["recorded"], result["rejected"]), (len(foreign), 0), result["first_refusals"])
        after = json.loads(self.expect(0, "show", "coach", "-n", "0", "-o", "json"))
        self.assertEqual(after, before)
        for was, now in zip(map(json.loads, foreign), map(json.loads, self.lines("coach"))):
            self.assertEqual(now, {key: value for key, value in was.items() if value is not None and value == value})
        again = self.expect(0, "export", "--all")
        self.log("coach").unlink()
        self.replay(0, again)
        self.assertEqual(self.expect(0, "export", "--all"), again, "to the byte, once it was ours")

    def test_an_export_comes_back_as_it_was(self):
        self.expect(0, "record", "coach", "--success", "-m", "cost_usd=1.50", "-k", "x")
        self.expect(0, "record", "mentor", "--failure", "--time", "0.1")
        exported = self.expect(0, "export", "--all")
        copy = self.scratch / "copy"
        copy.mkdir()
        self.expect(0, "-C", copy, "replay", "-", stdin=exported)
        self.assertEqual(self.expect(0, "-C", copy, "export", "--all"), exported)

    def test_a_line_is_recorded_while_its_writer_is_still_at_work(self):
        process = subprocess.Popen(self.host_command("replay", "-"), cwd=self.project, env=clean_environment(self.home),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.kill)
        process.stdin.write((line(1) + line(2)[:30]).encode())
        process.stdin.flush()
        wait_for(lambda: self.log("coach").exists() and len(self.lines("coach")) == 1, "the first record")
        process.stdin.write((line(2)[30:] + line(3)).encode())
        process.stdin.flush()
        wait_for(lambda: len(self.lines("coach")) == 3, "the other two")
        self.assertIn(b"3 lines: 3 recorded", process.communicate(timeout=HANGS_S)[0])

    def test_ctrl_c_ends_between_lines_and_skip_goes_on_exactly(self):
        total = 30000
        text = "".join(line(i, session_id=f"s{i}", metadata={"pad": "x" * 80}) for i in range(total)).encode()
        reader, writer = os.pipe()
        process = subprocess.Popen(self.host_command("replay", "-"), cwd=self.project, env=clean_environment(self.home),
                                   stdin=reader, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.close(reader)
        # More than one batch goes in, and the rest is held back: the program waits for it when the signal comes.
        for at in range(0, 1500000, 4096):
            os.write(writer, text[at:at + 4096])
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=HANGS_S)
        os.close(writer)
        self.assertEqual(process.returncode, 128 + signal.SIGINT)
        skip = re.search(rb"--skip (\d+)", message).group(1).decode()
        self.assertGreater(int(skip), 0)
        self.assertEqual(len(self.lines("coach")), int(skip))
        self.expect(0, "replay", "--skip", skip, stdin=text)
        sessions = [json.loads(record)["session_id"] for record in self.lines("coach")]
        self.assertEqual(sessions, [f"s{i}" for i in range(total)])

    def test_ctrl_c_is_heard_soon_also_when_every_line_costs_a_sync(self):
        total = 3000
        text = self.scratch / "lines.jsonl"
        # Every line is of another agent, so that each is a commit of its own.
        text.write_text("".join(line(i, agent=f"agent{i}") for i in range(total)))
        process = subprocess.Popen(slowed(self.host_command("replay", "--set", "fsync=always", text), "fdatasync", 20),
                                   cwd=self.project, env=clean_environment(self.home),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for(lambda: self.log("agent1").exists() and self.lines("agent1"), "the second record")
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=HANGS_S)
        self.assertEqual(process.returncode, 128 + signal.SIGINT, message)
        done = sum(len(self.lines(log.parent.name)) for log in self.log("agent1").parents[1].glob("*/executions.jsonl"))
        self.assertIn(f"--skip {done}\n", message.decode())
        self.assertLess(done, total // 3)

    def locked(self, agent):
        """The agent's lock, held until the file is closed."""
        lock = open(self.log(agent).parent / ".lock", "r+b")
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.addCleanup(lock.close)
        return lock

    def test_an_agent_that_is_locked_for_a_while_gets_its_lines_in_order_when_it_is_free(self):
        agents = ["alpha", "beta", "gamma"]
        self.replay(0, "".join(line(0, agent=agent) for agent in agents))
        text = "".join(line(i, agent=agents[i % 3], session_id=f"s{i}") for i in range(1, 301))
        lock = self.locked("beta")
        process = subprocess.Popen(self.host_command("replay", "--set", "lock_timeout_ms=50"), cwd=self.project,
                                   env=clean_environment(self.home), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.write(text.encode())
        wait_for(lambda: len(self.lines("gamma")) > 1, "the first lines of another agent")
        lock.close()
        self.assertIn(b"300 lines: 300 recorded, 0 duplicates", process.communicate(timeout=HANGS_S)[0])
        for remainder, agent in enumerate(agents):
            sessions = [json.loads(record).get("session_id") for record in self.lines(agent)[1:]]
            self.assertEqual(sessions, [f"s{i}" for i in range(1, 301) if i % 3 == remainder])

    def test_lines_of_an_agent_that_stays_locked_are_saved_and_the_way_to_go_on_is_exact(self):
        agents = ["alpha", "beta", "gamma"]
        self.replay(0, "".join(line(0, agent=agent) for agent in agents))
        text = "".join(line(i, agent=agents[i % 3], session_id=f"s{i}") for i in range(1, 31))
        lock = self.locked("beta")
        message = self.messages(1, "replay", "--set", "lock_timeout_ms=10", stdin=text)
        lock.close()
        saved = re.search(r"10 of them, from line 1 on, .* saved as (\S+);.* --skip (\d+)", message.replace("\n    ", " "))
        self.assertTrue(saved, message)
        self.assertEqual((len(self.lines("alpha")), len(self.lines("beta")), len(self.lines("gamma"))), (11, 1, 11))
        self.assertEqual(saved.group(2), "30")
        self.expect(0, "replay", self.project / saved.group(1))
        self.expect(0, "replay", "--skip", saved.group(2), stdin=text)
        for remainder, agent in enumerate(agents):
            sessions = [json.loads(record).get("session_id") for record in self.lines(agent)[1:]]
            self.assertEqual(sessions, [f"s{i}" for i in range(1, 31) if i % 3 == remainder])

    def test_where_only_the_last_lines_are_missing_skip_alone_goes_on(self):
        self.replay(0, line(0, agent="alpha") + line(0, agent="beta"))
        lock = self.locked("beta")
        text = line(1, agent="alpha") + line(2, agent="beta") + line(3, agent="beta")
        message = self.messages(1, "replay", "--set", "lock_timeout_ms=10", stdin=text)
        lock.close()
        self.assertIn("1 line done", message)
        self.assertIn("--skip 1\n", message)
        self.assertEqual(list(self.project.glob("*.jsonl")), [])


if __name__ == "__main__":
    unittest.main()

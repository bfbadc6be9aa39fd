# shim_replay.py - replay: many records, counted, interrupted and gone on with.
#
# SPDX-License-Identifier: Apache-2.0
import json
import os
import re
import signal
import subprocess
import time
import unittest

from broker_support import wait_for
from shim_support import HostTest, clean_environment, slowed


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

    def test_an_export_comes_back_as_it_was(self):
        self.expect(0, "record", "coach", "--success", "-m", "cost_usd=1.50", "-k", "x")
        self.expect(0, "record", "mentor", "--failure", "-t", "0.1")
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
        self.assertIn(b"3 lines: 3 recorded", process.communicate(timeout=60)[0])

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
        _, message = process.communicate(timeout=60)
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
        # Neighbours of different agents without keys: each line is a commit of its own.
        text.write_text("".join(line(i, agent=f"agent{i % 2}") for i in range(total)))
        process = subprocess.Popen(slowed(self.host_command("replay", "--set", "fsync=always", text), "fdatasync", 20),
                                   cwd=self.project, env=clean_environment(self.home),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while not self.log("agent1").exists() or not self.lines("agent1"):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 128 + signal.SIGINT, message)
        done = sum(len(self.lines(f"agent{i}")) for i in range(2))
        self.assertIn(f"--skip {done}\n", message.decode())
        self.assertLess(done, total // 3)


if __name__ == "__main__":
    unittest.main()

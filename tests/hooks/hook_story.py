# hook_story.py - ten minutes with Claude Code: hooks installed, a session of 20 turns with two subagents, a crash in the
# middle, a resume that repeats 8 turns; what is left is exactly one record and one event for each thing that was done.
#
# SPDX-License-Identifier: Apache-2.0
import json
import os
import subprocess
import unittest

from hook_agents import Subscriber
from hook_stubs import ClaudeCode
from hook_support import HookTest
from shim_support import BROKER_INIT, PLUGIN, Broker, clean_environment

TURNS = range(1, 21)
FAILED = 7             # ends by an error of the provider
SUBAGENTS = {5: "Explore", 11: "code-reviewer"}
OPEN_AT_CRASH = 15     # was begun, never ended
REPEATED = range(7, 15)


class Story(HookTest):
    def setUp(self):
        super().setUp()
        os.environ["PATH"] += ":/usr/sbin"
        self.broker = Broker(self.scratch).start()
        self.env = {"NATS_URL": self.broker.url}
        (self.project / ".git").mkdir()
        self.expect(0, *BROKER_INIT, env=self.env)
        self.agent = ClaudeCode(self.home, self.project)

    def tearDown(self):
        self.broker.stop()
        super().tearDown()

    def event(self, name, **members):
        return {"session_id": "session-of-twenty", "transcript_path": "/CANARY.jsonl", "cwd": str(self.project),
                "permission_mode": "default", "hook_event_name": name, **members}

    def begin(self, number):
        self.agent.fire(self.event("UserPromptSubmit", prompt=f"CANARY question {number}"))

    def subagent(self, number):
        if number in SUBAGENTS:
            who = {"agent_id": f"agent-{number}", "agent_type": SUBAGENTS[number]}
            self.agent.fire(self.event("SubagentStart", **who))
            self.agent.fire(self.event("SubagentStop", stop_hook_active=False, last_assistant_message="CANARY found it", **who))

    def last_event(self, number):
        if number == FAILED:
            return self.event("StopFailure", error="overloaded", last_assistant_message=None)
        # Several turns end with the same words, as they do.
        return self.event("Stop", stop_hook_active=False, last_assistant_message=f"CANARY answer {number % 3}")

    def turn(self, number):
        self.begin(number)
        self.subagent(number)
        self.agent.fire(self.last_event(number))

    def killed_turn(self, number):
        """The agent dies while the hook of this turn's end runs, and takes it along."""
        self.begin(number)
        command = next(iter(self.agent.commands("Stop")))
        process = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, cwd=self.project,
                                   env=clean_environment(self.home, self.env), start_new_session=True)
        process.stdin.write(json.dumps(self.last_event(number)).encode()[:50])
        process.stdin.flush()
        os.killpg(process.pid, 9)
        process.wait()
        process.stdin.close()

    def test_ten_minutes_with_claude_code(self):
        self.expect(0, "--plugin", PLUGIN, "--set", f"nats_url={self.broker.url}", "install-hooks", "claude-code", "--emit-event")
        executions = len(TURNS) + len(SUBAGENTS)
        subscriber = Subscriber(self.broker.url, executions)

        self.agent.fire(self.event("SessionStart", source="startup"))
        for number in TURNS[:13]:
            self.turn(number)
        self.killed_turn(14)
        self.begin(OPEN_AT_CRASH)  # and there the process is gone: no end of the turn, none of the session

        self.agent.fire(self.event("SessionStart", source="resume"))
        for number in REPEATED:
            self.turn(number)
        for number in range(OPEN_AT_CRASH, 21):
            self.turn(number)
        self.agent.fire(self.event("SessionEnd", reason="prompt_input_exit"))

        self.check_records()
        self.check_summary()
        self.check_events(subscriber, executions)
        self.expect(0, "uninstall-hooks", "claude-code")
        self.assertFalse((self.home / ".claude").exists())

    def check_records(self):
        records = self.records()
        main = [record for record in records if record["agent"] == "claude-code"]
        self.assertEqual(len(main), 20, self.hook_log())
        self.assertEqual([record["success"] for record in main].count(False), 1)
        self.assertEqual(sorted(record["agent"] for record in records if record not in main), sorted(SUBAGENTS.values()))
        self.assertEqual(len({record["idempotency_key"] for record in records}), 22)
        for record in records:
            self.assertGreater(record["execution_time_s"], 0)
            self.assertEqual(record["session_id"], "session-of-twenty")
        for folder in (self.project, self.state):
            for path in folder.rglob("*"):
                self.assertNotIn(b"CANARY", path.read_bytes() if path.is_file() else b"", path)

    def check_summary(self):
        shown = json.loads(self.expect(0, "show", "claude-code", "-o", "json"))
        summary = shown["agents"][0]["summary"]
        self.assertEqual((summary["execution_count"], summary["success_rate"]), (20, 0.95))
        self.assertEqual(json.loads(self.expect(0, "verify", "-o", "json"))["consistent"], True)

    def check_events(self, subscriber, executions):
        self.expect(0, "drain", "--timeout", "120", env=self.env)
        events = subscriber.events()
        self.assertEqual(len(events), executions)
        counts = [event["attributes"]["summary"]["execution_count"] for _, event in events
                  if event["attributes"]["agent"] == "claude-code"]
        self.assertEqual(counts, list(TURNS))
        last = [event for _, event in events if event["attributes"]["agent"] == "claude-code"][-1]
        self.assertEqual(last["attributes"]["summary"]["success_rate"], 0.95)


if __name__ == "__main__":
    unittest.main()

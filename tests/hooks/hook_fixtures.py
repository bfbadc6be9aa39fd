# hook_fixtures.py - every payload of tests/hooks/fixtures/ becomes what its host's page in docs/hosts/ says, and nothing
# of what people wrote is kept.
#
# SPDX-License-Identifier: Apache-2.0
import json
import unittest

from hook_support import FIXTURES, HookTest, host_of

NOTHING = None  # no record


def record(agent, success=True, **expected):
    """What the record has to hold; `metadata` members by their names, `time` the duration, `key` its end."""
    return {"agent": agent, "success": success, **expected}


EXPECTED = {
    "claude-code/stop.json": record("claude-code", outcome="completed", event="Stop"),
    "claude-code/stop-continued.json": record("claude-code", outcome="completed"),
    "claude-code/stop-old.json": record("claude-code", outcome="completed"),
    "claude-code/stop-named-agent.json": record("release-manager", outcome="completed"),
    "claude-code/stop-nulls.json": record("claude-code", outcome="completed"),
    "claude-code/stop-bom.json": record("claude-code", outcome="completed"),
    "claude-code/stop-unknown-fields.json": record("claude-code", outcome="completed"),
    "claude-code/stop-failure.json": record("claude-code", False, outcome="failed", error_type="rate_limit"),
    "claude-code/stop-failure-prose.json": record("claude-code", False, outcome="failed", error_type="unknown"),
    "claude-code/stop-failure-object.json": record("claude-code", False, outcome="failed", error_type="unknown"),
    "claude-code/subagent-stop.json": record("Explore", outcome="completed", key=":a4c1e7f2"),
    "claude-code/subagent-stop-plugin.json": record("*", outcome="completed", key=":b5d2",
                                                    agent_name="pr-review-toolkit:code-reviewer"),
    "claude-code/subagent-stop-no-id.json": NOTHING,
    "codex/stop.json": record("codex", outcome="completed", model="gpt-5.2-codex", key=":0199a6c2-40b4-7f80-9a60-6d3ff4a1b001"),
    "codex/stop-nulls.json": record("codex", outcome="completed"),
    "codex/stop-continued.json": record("codex", outcome="completed"),
    "codex/stop-failure.json": record("codex", False, outcome="failed", error_type="server_error"),
    "codex/subagent-stop.json": record("explorer", outcome="completed", model="gpt-5.2-codex"),
    "codex-notify/agent-turn-complete.json": record("codex", outcome="completed",
                                                    key=":0199a6c2-40b4-7f80-9a60-6d3ff4a1b001"),
    "codex-notify/agent-turn-complete-no-thread.json": record("codex", outcome="completed"),
    "codex-notify/agent-turn-complete-nulls.json": record("codex", outcome="completed"),
    "codex-notify/agent-turn-complete-unknown-fields.json": record("codex", outcome="completed"),
    "gemini/after-agent.json": record("gemini", outcome=None, key=":2026-03-02T10:00:31.007Z"),
    "gemini/after-agent-retry.json": record("gemini", outcome=None),
    "gemini/after-agent-nulls.json": record("gemini", outcome=None),
    "cursor/stop-completed.json": record("cursor", outcome="completed", model="claude-4.5-sonnet", host_version="2.4.1",
                                         stop_reason="completed", key=":26b45fb6-bdea-439c-b2dc-5e97ee00ecea"),
    "cursor/stop-completed-loops.json": record("cursor", outcome="completed", loops=3),
    "cursor/stop-aborted.json": NOTHING,
    "cursor/stop-error.json": record("cursor", False, outcome="failed", error_type="unknown", stop_reason="error"),
    "cursor/stop-new-status.json": record("cursor", outcome=None, stop_reason="paused"),
    "cursor/stop-nulls.json": record("cursor", outcome="completed", model=None, loops=None),
    "cursor/stop-bom.json": record("cursor", outcome="completed"),
    "cursor/stop-claude-name.json": record("cursor", outcome="completed"),
    "cursor/subagent-stop.json": record("explore", outcome="completed", time=45.21),
    "cursor/subagent-stop-error.json": record("explore", False, outcome="failed", time=1.2),
    "cursor/subagent-stop-aborted.json": NOTHING,
    "copilot/agent-stop.json": record("copilot", outcome="completed", stop_reason="end_turn", key=":1772445640000"),
    "copilot/agent-stop-snake.json": record("copilot", outcome="completed", stop_reason="end_turn"),
    "copilot/subagent-stop.json": record("code-review", outcome="completed"),
    "copilot/subagent-stop-snake.json": record("code-review", outcome="completed"),
    "copilot/error-occurred.json": record("copilot", False, outcome="failed", error_type="TimeoutError"),
    "copilot/error-occurred-old.json": record("copilot", False, outcome="failed", error_type="TimeoutError"),
    "goose/stop.json": record("goose", outcome=None),
    "goose/stop-no-message.json": record("goose", outcome=None),
    "goose/stop-nulls.json": record("goose", outcome=None),
    "openhands/stop.json": record("openhands", outcome=None),
    "openhands/stop-unknown-fields.json": record("openhands", outcome=None),
    "opencode/session-idle.json": record("build", outcome="completed", time=8.125, cost_usd=0.0214, input_tokens=5120,
                                         output_tokens=733, tokens=5853, model="anthropic/claude-sonnet-4-5",
                                         key=":ses_5f3a91c2d4e6b8a0:msg_01"),
    "opencode/session-idle-bare.json": record("opencode", outcome="completed", time=None),
    "opencode/session-error.json": record("build", False, outcome="failed", error_type="ProviderAuthError",
                                            time=0.912),
    "opencode/session-error-aborted.json": NOTHING,
    "openclaw/agent-end.json": record("main", outcome="completed", time=15.5, key=":8d1f:run-0042"),
    "openclaw/agent-end-failed.json": record("main", False, outcome="failed", time=0.8, error_type="unknown"),
    "openclaw/agent-end-zero-duration.json": record("main", outcome="completed", time=None),
    "openclaw/agent-end-no-duration.json": record("main", outcome="completed", time=None),
    "openclaw/agent-end-flat.json": record("main", outcome="completed", time=0.012, key=":8d1f:7"),
}

# From their sources and documentation.
EXPECTED |= {
    "droid/stop.json": record("droid", outcome=None),
    "droid/subagent-stop.json": NOTHING,  # its payload names nobody
    "kimi/stop.json": record("kimi", outcome="completed"),
    "kimi/stop-failure.json": record("kimi", False, outcome="failed", error_type="rate_limit"),
    "kimi/subagent-stop.json": record("coder", outcome="completed"),
    "windsurf/post-cascade-response.json": record("windsurf", outcome=None, model="Claude Sonnet 4.5", key=":exec-1"),
}
WITHOUT_A_SIGN = {"kimi"}  # too little is in its payloads to tell whose they are

# What the programs sent when they ran, texts and ids replaced; the file's name tells the version.
EXPECTED |= {
    "claude-code/2.1.332-stop.json": record("claude-code", outcome="completed", key=":1cae7167-a643-49b6-8cc2-2ad2abc817b5"),
    "claude-code/2.1.332-stop-failure.json": record("claude-code", False, outcome="failed", error_type="server_error"),
    "claude-code/2.1.332-subagent-stop.json": record("general-purpose", outcome="completed"),
    "codex/0.171.0-stop.json": record("codex", outcome="completed", model="stub-1"),
    "codex/0.171.0-subagent-stop.json": record("default", outcome="completed"),
    "codex-notify/0.171.0-agent-turn-complete.json": record("codex", outcome="completed"),
    "copilot/1.0.102-agent-stop.json": record("copilot", outcome="completed", stop_reason="end_turn", key=":1795735023709"),
    "copilot/1.0.102-agent-stop-subagent.json": record("explore", outcome="completed"),
    "copilot/1.0.102-subagent-stop.json": record("explore", outcome="completed"),
    "gemini/0.61.0-after-agent.json": record("gemini", outcome=None),
    "openclaw/2026.9.6-agent-end.json": record("main", outcome="completed", time=0.791),
    "opencode/1.18-session-idle.json": record("build", outcome="completed", time=6.615, tokens=1234, model="stub/stub-1"),
    "opencode/1.18-session-error.json": NOTHING,
    "qwen/0.24-stop.json": record("qwen", outcome=None),
    "qwen/0.24-subagent-stop.json": record("general-purpose", outcome=None),
    "cline/3.0.65-task-complete.json": record("cline", outcome="completed"),
    "cline/3.0.65-task-error.json": record("cline", False, outcome="failed", error_type="Error"),
}

# Told under the other family's name by payloads that look the same.
SAME_UNDER_AUTO = set(EXPECTED) - {"codex/stop-nulls.json"} | {"codex/stop-nulls.json"}


def all_fixtures(*folders):
    names = sorted(str(path.relative_to(FIXTURES)) for path in FIXTURES.rglob("*.json"))
    return [name for name in names if not folders or host_of(name) in folders]


def of_hosts():
    return [name for name in all_fixtures() if host_of(name) != "hostile"]


class Fixtures(HookTest):
    def fresh(self):
        """As if the test began again: nothing recorded, nothing remembered."""
        self.tearDown()
        self.setUp()

    def check(self, fixture, expected):
        records = self.records()
        if expected is NOTHING:
            self.assertEqual(records, [], fixture)
            return
        self.assertEqual(len(records), 1, (fixture, records, self.hook_log()))
        found, metadata = records[0], records[0]["metadata"]
        expected = dict(expected)
        agent, key = expected.pop("agent"), expected.pop("key", None)
        if agent != "*":
            self.assertEqual(found["agent"], agent, fixture)
        self.assertEqual(found["success"], expected.pop("success"), fixture)
        self.assertEqual(found.get("execution_time_s"), expected.pop("time", None), fixture)
        self.assertNotIn("quality_score", found, fixture)
        if "tokens" in expected:
            self.assertEqual(found["tokens"], expected.pop("tokens"), fixture)
        if key:
            self.assertTrue(found["idempotency_key"].endswith(key), (fixture, found))
        for name, value in expected.items():
            self.assertEqual(metadata.get(name), value, (fixture, name, metadata))

    def test_there_are_payloads_for_every_host_and_event(self):
        hosts = {host_of(name) for name in of_hosts()}
        self.assertEqual(hosts, {host_of(name) for name in EXPECTED})
        self.assertGreaterEqual(len(all_fixtures()), 60)
        self.assertEqual(set(EXPECTED) - set(all_fixtures()), set())

    def test_each_payload_becomes_the_record_its_host_means(self):
        for fixture in of_hosts():
            with self.subTest(fixture):
                self.fresh()
                self.fire_fixture(fixture)
                self.check(fixture, EXPECTED.get(fixture))

    def test_auto_tells_the_host_by_the_payload(self):
        for fixture in of_hosts():
            if fixture not in EXPECTED:
                continue
            with self.subTest(fixture):
                self.fresh()
                self.fire("auto", self.payload(fixture))
                if host_of(fixture) in WITHOUT_A_SIGN:
                    self.assertEqual(self.record()["metadata"]["host"], "unknown-host")
                else:
                    self.check(fixture, EXPECTED[fixture])

    def test_a_payload_is_taken_as_an_argument_for_any_host(self):
        self.assertEqual(self.run_host("hook", "claude-code", self.payload("claude-code/stop.json")).returncode, 0)
        self.assertEqual(self.record()["agent"], "claude-code")

    def test_aborted_turns_are_failures_when_asked_for(self):
        for fixture in ("cursor/stop-aborted.json", "cursor/subagent-stop-aborted.json", "claude-code/interrupt.json",
                        "codex/interrupt.json", "opencode/session-error-aborted.json"):
            with self.subTest(fixture):
                self.fresh()
                self.fire_fixture(fixture, "--aborted", "failure")
                found = self.record()
                self.assertEqual((found["success"], found["metadata"]["outcome"]), (False, "aborted"))

    def test_nothing_people_wrote_is_stored_anywhere(self):
        for fixture in all_fixtures():
            hosts = [host_of(fixture)] if host_of(fixture) != "hostile" else ["claude-code", "cursor", "goose", "auto"]
            for host in hosts:
                with self.subTest(fixture, host=host):
                    self.fresh()
                    self.fire(host, self.payload(fixture), "--aborted", "failure")
                    stored = self.stored()
                    for canary in (b"CANARY", b"example.com", b"sk-ant", b"ghp_", b"AKIA"):
                        self.assertNotIn(canary, stored)

    def test_a_field_is_stored_when_it_is_named(self):
        self.fire("claude-code", "claude-code/stop-unknown-fields.json", "--metadata-allow", "permission_mode",
                  "--metadata-allow", "stop_hook_active", "--metadata-allow", "effort", "--metadata-allow", "notes",
                  "--metadata", "team=web")
        metadata = self.record()["metadata"]
        self.assertEqual((metadata["permission_mode"], metadata["stop_hook_active"], metadata["team"]),
                         ("default", False, "web"))
        self.assertNotIn("effort", metadata)
        self.assertEqual(metadata["notes"], "[redacted]")

    def test_secrets_in_allowed_fields_are_redacted_and_other_texts_cut(self):
        cases = {
            "a token": ("use ghp_0123456789abcdefghij", "[redacted]"),
            "a password": ("password=hunter2", "[redacted]"),
            "a header": ("Authorization: Basic abc", "[redacted]"),
            "a bearer": ("bearer 0123456789abcdef", "[redacted]"),
            "a URL with a password": ("nats://user:pass@host:4222", "[redacted]"),
            "a private key": ("-----BEGIN PRIVATE KEY-----", "[redacted]"),
            "an address": ("ask jo.doe+x@mail.example.org", "[redacted]"),
            "a random string": ("Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1u0P", "[redacted]"),
            "a JWT": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.abc", "[redacted]"),
            "a UUID": ("7d3c1f02-5f5e-4b63-9a41-0c2b7f1e8a55", "7d3c1f02-5f5e-4b63-9a41-0c2b7f1e8a55"),
            "a commit": ("9c1e7f2a4b5d60718293a4b5c6d7e8f901234567", "9c1e7f2a4b5d60718293a4b5c6d7e8f901234567"),
            "a sentence": ("the build is green, 12 of 12", "the build is green, 12 of 12"),
            "a model": ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5@20250929"),
            "a long text": ("ä" * 300, "ä" * 100),
        }
        for name, (given, stored) in cases.items():
            with self.subTest(name):
                self.fresh()
                self.fire("claude-code", self.payload("claude-code/stop.json", note=given), "--metadata-allow", "note")
                self.assertEqual(self.record()["metadata"]["note"], stored)

    def test_the_name_given_wins_over_the_payloads(self):
        self.fire("claude-code", "claude-code/subagent-stop.json", "--agent", "My Reviewer")
        found = self.record()
        self.assertRegex(found["agent"], r"^my-reviewer-[0-9a-f]+$")
        self.assertEqual(found["metadata"]["agent_name"], "My Reviewer")

    def test_every_line_loads_and_is_the_log_of_the_session(self):
        self.fire_fixture("claude-code/stop.json")
        self.assertEqual(self.record()["session_id"], "7d3c1f02-5f5e-4b63-9a41-0c2b7f1e8a55")
        summary = json.loads((self.project / ".kaizen/metrics/claude-code/summary.json").read_text())
        self.assertEqual(summary["execution_count"], 1)


if __name__ == "__main__":
    unittest.main()

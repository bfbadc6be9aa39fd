# hook_support.py - what the tests of hooks share: payloads made from the field lists, and one call as a host makes it.
#
# SPDX-License-Identifier: Apache-2.0
import json
import pathlib
import re
import subprocess
import unittest

from shim_support import HANGS_S, PLUGIN, HostTest, clean_environment

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
HOSTS = ("claude-code", "codex", "codex-notify", "gemini", "cursor", "copilot", "goose", "openhands", "opencode",
         "openclaw", "qwen", "cline", "droid", "kimi", "windsurf")

# One turn with its start where the host has one, and how the same turn fails where it tells.
STARTS = {
    "claude-code": "claude-code/user-prompt-submit.json",
    "codex": "codex/user-prompt-submit.json",
    "gemini": "gemini/before-agent.json",
    "cursor": "cursor/before-submit-prompt.json",
    "copilot": "copilot/user-prompt-submitted.json",
    "goose": "goose/user-prompt-submit.json",
    "openhands": "openhands/user-prompt-submit.json",
    "opencode": "opencode/chat-message.json",
    "qwen": "qwen/0.24-user-prompt-submit.json",
    "cline": "cline/3.0.65-task-start.json",
    "droid": "droid/user-prompt-submit.json",
    "kimi": "kimi/user-prompt-submit.json",
    "windsurf": "windsurf/pre-user-prompt.json",
}
ENDS = {
    "claude-code": "claude-code/stop.json",
    "codex": "codex/stop.json",
    "codex-notify": "codex-notify/agent-turn-complete.json",
    "gemini": "gemini/after-agent.json",
    "cursor": "cursor/stop-completed.json",
    "copilot": "copilot/agent-stop.json",
    "goose": "goose/stop.json",
    "openhands": "openhands/stop.json",
    "opencode": "opencode/session-idle.json",
    "openclaw": "openclaw/agent-end.json",
    "qwen": "qwen/0.24-stop.json",
    "cline": "cline/3.0.65-task-complete.json",
    "droid": "droid/stop.json",
    "kimi": "kimi/stop.json",
    "windsurf": "windsurf/post-cascade-response.json",
}
FAILURES = {
    "claude-code": "claude-code/stop-failure.json",
    "codex": "codex/stop-failure.json",
    "cursor": "cursor/stop-error.json",
    "copilot": "copilot/error-occurred.json",
    "opencode": "opencode/session-error.json",
    "openclaw": "openclaw/agent-end-failed.json",
    "cline": "cline/3.0.65-task-error.json",
    "kimi": "kimi/stop-failure.json",
}


# What the hook's log says when the machine did not give it the time it takes.
LATE_TEXTS = ("stopped after 900 ms", "not closed in time", "not complete in time", "cannot store the start",
              "cannot read the session's turns", "its lock was not free")
LATE = re.compile("|".join(LATE_TEXTS).encode())
ATTEMPTS = 5


def host_of(fixture):
    return fixture.split("/")[0]


class HookTest(HostTest):
    """self.fire() calls the hook as its host does, and holds it to its manners.

    A hook is over in 900 ms, with its record or without.  Where its log says that the machine was too slow for that, a
    failure shows nothing about the hook: the test begins again."""

    def run(self, result=None):
        result = result or self.defaultTestResult()
        for _ in range(ATTEMPTS):
            self.was_late = False
            tried = unittest.TestResult()
            super().run(tried)
            if tried.wasSuccessful() or not self.was_late:
                break
        for kind in ("failures", "errors", "skipped"):
            getattr(result, kind).extend(getattr(tried, kind))
        result.testsRun += 1
        return result

    def tearDown(self):
        self.was_late |= any(LATE.search(log.read_bytes()) for log in self.scratch.rglob("hook.log*") if log.is_file())
        super().tearDown()

    def payload(self, fixture, **changes):
        """The fixture's bytes with this test's project in them; with changes, the object with these members."""
        data = (FIXTURES / fixture).read_bytes().replace(b"@PROJECT@", str(self.project).encode())
        if changes:
            document = json.loads(data.decode("utf-8-sig"))
            document.update(changes)
            data = json.dumps(document).encode()
        return data

    def hook_call(self, host, payload, *options, **more):
        """Arguments and keywords for a process that gets the payload the way the host hands it over."""
        arguments = ["hook", host, *options]
        stdin = payload
        if host == "codex-notify":
            arguments.append(payload)
            stdin = None
        return self.host_command(*arguments), stdin, more

    def fire(self, host, payload, *options, env=None, cwd=None):
        if isinstance(payload, str):
            payload = self.payload(payload)
        command, stdin, _ = self.hook_call(host, payload, *options)
        result = subprocess.run(
            command, input=stdin if stdin is not None else b"", cwd=cwd or self.project,
            env=clean_environment(self.home, env) if not isinstance(env, bytes) else {},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=HANGS_S)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""), (host, options))
        return result

    def fire_fixture(self, fixture, *options, **more):
        return self.fire(host_of(fixture), self.payload(fixture), *options, **more)

    def records(self, project=None):
        """Every record of the project, of whichever agent."""
        logs = sorted((project or self.project).glob(".kaizen/metrics/*/executions.jsonl"))
        return [json.loads(line) for log in logs for line in log.read_text().splitlines()]

    def record(self):
        records = self.records()
        self.assertEqual(len(records), 1, (records, self.hook_log()))
        return records[0]

    @property
    def state(self):
        return self.home / ".local" / "state" / "kaizen-host"

    def hook_log(self):
        log = self.state / "hook.log"
        return log.read_text() if log.exists() else ""

    def stored(self):
        """Everything that anybody wrote during the test, names included, as one text."""
        parts = []
        for path in sorted(self.scratch.rglob("*")):
            parts.append(str(path.relative_to(self.scratch)).encode())
            if path.is_file():
                parts.append(path.read_bytes())
        return b"\n".join(parts)


def plugin_options():
    """For calls whose environment says nothing."""
    return ("--plugin", PLUGIN)

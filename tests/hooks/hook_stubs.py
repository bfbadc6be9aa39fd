# hook_stubs.py - small stand-ins for the coding agents: each reads the settings where its host does, and fires the hook
# as its host does.
#
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import re
import signal
import subprocess
import tomllib

from hook_support import FIXTURES
from shim_support import HANGS_S

DRIVER = """
import { readFileSync } from "node:fs";
const [, , plugin, script] = process.argv;
const module = await import(plugin);
const steps = JSON.parse(readFileSync(script, "utf8"));
"""

OPENCODE_DRIVER = DRIVER + """
const hooks = await module.KaizenHost({ directory: steps.directory });
for (const [name, ...values] of steps.calls) await hooks[name](...values);
"""

OPENCLAW_DRIVER = DRIVER + """
const handlers = {};
module.default.register({ on: (name, handler) => (handlers[name] = handler) });
for (const [name, ...values] of steps.calls) await handlers[name](...values);
"""


class StubAgent:
    """One session of a coding agent in `project`, of a user whose home is `home`."""
    expected = []  # (agent, success) of what session() leaves
    limit_s = HANGS_S  # far beyond a host's own: whether a hook keeps those, a busy machine cannot show
    environment = ("PATH", "HOME")

    def __init__(self, home, project):
        self.home, self.project = pathlib.Path(home), pathlib.Path(project)
        self.results = []

    def environ(self):
        values = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"}
        values = {name: values[name] for name in self.environment}
        for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                values[name] = os.environ[name]
        return values

    def run(self, command, payload, shell=True):
        """Runs the hook, and holds it to what hosts expect."""
        argv = ["sh", "-c", command] if shell else command
        process = subprocess.Popen(argv, stdin=subprocess.PIPE if payload is not None else subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.project, env=self.environ(),
                                   start_new_session=True)
        try:
            out, err = process.communicate(payload, timeout=self.limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise AssertionError(f"the hook was killed after {self.limit_s} s: {command}") from None
        assert (process.returncode, out, err) == (0, b"", b""), (command, process.returncode, out, err)

    def fixture(self, name, **changes):
        document = json.loads((FIXTURES / name).read_bytes().decode("utf-8-sig").replace("@PROJECT@", str(self.project)))
        document.update(changes)
        return document


class GroupsAgent(StubAgent):
    """{"hooks": {EVENT: [{"hooks": [{"command": ...}]}]}}, the payload on standard input."""
    settings = None
    event_field = "hook_event_name"
    expands = False  # $NAME and ${NAME} anywhere in the settings, of what its own environment has, when it reads them

    def read(self, path):
        text = path.read_text()
        if self.expands:
            known = {**self.environ(), "who": "another's"}
            text = re.sub(r"\$(?:(\w+)|{([^}]+)})", lambda found: known.get(found[1] or found[2], found[0]), text)
        return json.loads(text)

    def commands(self, event):
        for folder in (self.home, self.project):
            path = folder / self.settings
            if path.exists():
                for group in self.read(path).get("hooks", {}).get(event, []):
                    for hook in group["hooks"]:
                        yield hook["command"]

    def fire(self, document):
        commands = list(self.commands(document[self.event_field]))
        for command in commands:
            self.run(command, json.dumps(document).encode())
        return len(commands)


class ClaudeCode(GroupsAgent):
    expected = [("Explore", True), ("claude-code", True), ("claude-code", False)]
    settings = ".claude/settings.json"

    def environ(self):
        return {**super().environ(), "CLAUDE_PROJECT_DIR": str(self.project)}

    def session(self):
        self.fire(self.fixture("claude-code/session-start-startup.json"))
        self.fire(self.fixture("claude-code/user-prompt-submit.json"))
        self.fire(self.fixture("claude-code/subagent-start.json"))
        self.fire(self.fixture("claude-code/subagent-stop.json"))
        self.fire(self.fixture("claude-code/stop.json"))
        self.fire(self.fixture("claude-code/user-prompt-submit.json"))
        self.fire(self.fixture("claude-code/stop-failure.json"))
        self.fire(self.fixture("claude-code/session-end-exit.json"))


class Codex(GroupsAgent):
    expected = [("codex", True), ("explorer", True)]
    settings = ".codex/hooks.json"

    def session(self):
        for name in ("session-start", "user-prompt-submit", "subagent-start", "subagent-stop", "stop"):
            self.fire(self.fixture(f"codex/{name}.json"))


class CodexNotify(StubAgent):
    expected = [("codex", True)]

    def session(self):
        text = (self.home / ".codex" / "config.toml").read_text()
        notify = json.loads(re.search(r"^notify = (\[.*\])$", text, re.M).group(1))
        document = self.fixture("codex-notify/agent-turn-complete.json")
        self.run([*notify, json.dumps(document)], None, shell=False)


class Gemini(GroupsAgent):
    """Hands its hooks a cleaned environment."""
    expected = [("gemini", True)]
    settings = ".gemini/settings.json"
    expands = True

    def environ(self):
        return {**super().environ(), "GEMINI_PROJECT_DIR": str(self.project), "GEMINI_SESSION_ID": "x"}

    def session(self):
        for name in ("session-start", "before-agent", "after-agent", "session-end"):
            self.fire(self.fixture(f"gemini/{name}.json"))


class Cursor(StubAgent):
    expected = [("cursor", True), ("explore", True), ("cursor", False)]

    def fire(self, document):
        hooks = json.loads((self.home / ".cursor" / "hooks.json").read_text())
        assert hooks["version"] == 1
        for hook in hooks["hooks"].get(document["hook_event_name"], []):
            self.run(hook["command"], b"\xef\xbb\xbf" + json.dumps(document).encode())

    def session(self):
        for name in ("session-start", "before-submit-prompt", "subagent-start", "subagent-stop", "stop-completed"):
            self.fire(self.fixture(f"cursor/{name}.json"))
        self.fire(self.fixture("cursor/before-submit-prompt.json", generation_id="g-2"))
        self.fire(self.fixture("cursor/stop-aborted.json", generation_id="g-2"))
        self.fire(self.fixture("cursor/stop-error.json", generation_id="g-3"))
        self.fire(self.fixture("cursor/session-end.json"))


class Copilot(StubAgent):
    """Its native payloads do not say which event they are."""
    expected = [("code-review", True), ("copilot", True), ("copilot", False)]

    def fire(self, event, document):
        for path in sorted((self.home / ".copilot" / "hooks").glob("*.json")):
            for hook in json.loads(path.read_text())["hooks"].get(event, []):
                self.run(hook["bash"], json.dumps(document).encode())

    def session(self):
        self.fire("sessionStart", self.fixture("copilot/session-start.json"))
        self.fire("userPromptSubmitted", self.fixture("copilot/user-prompt-submitted.json"))
        self.fire("errorOccurred", self.fixture("copilot/error-recoverable.json"))
        self.fire("subagentStop", self.fixture("copilot/subagent-stop.json"))
        self.fire("agentStop", self.fixture("copilot/agent-stop.json"))
        self.fire("userPromptSubmitted", self.fixture("copilot/user-prompt-submitted.json", timestamp=1772445801250))
        self.fire("errorOccurred", self.fixture("copilot/error-occurred.json", timestamp=1772445839000))
        self.fire("sessionEnd", self.fixture("copilot/session-end-error.json"))


class Goose(GroupsAgent):
    expected = [("goose", True)]
    settings = ".agents/plugins/kaizen-host/hooks/hooks.json"
    event_field = "event"

    def environ(self):
        return {**super().environ(), "PLUGIN_ROOT": str(self.home / ".agents/plugins/kaizen-host")}

    def session(self):
        assert json.loads((self.home / ".agents/plugins/kaizen-host/plugin.json").read_text())["name"] == "kaizen-host"
        for name in ("session-start", "user-prompt-submit", "stop", "session-end"):
            self.fire(self.fixture(f"goose/{name}.json"))


class OpenHands(GroupsAgent):
    expected = [("openhands", True)]
    settings = ".openhands/hooks.json"
    event_field = "event_type"

    def environ(self):
        return {**super().environ(), "OPENHANDS_PROJECT_DIR": str(self.project), "OPENHANDS_SESSION_ID": "x"}

    def session(self):
        for name in ("session-start", "user-prompt-submit", "stop", "session-end"):
            self.fire(self.fixture(f"openhands/{name}.json"))


class NodeAgent(StubAgent):
    """Loads a JavaScript plugin into its own process."""

    def drive(self, driver, plugin, steps):
        work = self.home / "driver"
        work.mkdir(exist_ok=True)
        (work / "driver.mjs").write_text(driver)
        (work / "plugin.mjs").write_text(plugin.read_text())
        (work / "steps.json").write_text(json.dumps(steps))
        result = subprocess.run(["node", work / "driver.mjs", work / "plugin.mjs", work / "steps.json"],
                                cwd=self.project, env=self.environ(), capture_output=True, timeout=HANGS_S)
        assert (result.returncode, result.stdout, result.stderr) == (0, b"", b""), result


class OpenCode(NodeAgent):
    expected = [("build", True), ("build", False), ("explore", True)]

    def session(self):
        def answer(session, message, cost):
            info = {"id": message, "role": "assistant", "sessionID": session, "providerID": "anthropic",
                    "modelID": "claude-sonnet-4-5", "cost": cost,
                    "tokens": {"input": 100, "output": 20, "reasoning": 7, "cache": {"read": 3000, "write": 400}},
                    "time": {"created": 1, "completed": 2}}
            return ["event", {"event": {"type": "message.updated", "properties": {"info": info}}}]

        def idle(session):
            return ["event", {"event": {"type": "session.idle", "properties": {"sessionID": session}}}]

        def chat(session, message, agent):
            return ["chat.message", {"sessionID": session}, {"message": {"id": message, "agent": agent},
                                                             "parts": [{"text": "CANARY prompt"}]}]

        error = {"name": "ProviderAuthError", "data": {"message": "CANARY error"}}
        calls = [
            chat("ses_1", "msg_1", "build"), answer("ses_1", "msg_1a", 0.01), answer("ses_1", "msg_1b", 0.02),
            answer("ses_1", "msg_1b", 0.02), idle("ses_1"), idle("ses_1"),
            chat("ses_1", "msg_2", "build"),
            ["event", {"event": {"type": "session.error", "properties": {"sessionID": "ses_1", "error": error}}}],
            idle("ses_1"),
            chat("ses_2", "msg_3", "explore"), answer("ses_2", "msg_3a", 0.5), idle("ses_2"),
        ]
        self.drive(OPENCODE_DRIVER, self.home / ".config/opencode/plugins/kaizen-host.js",
                   {"directory": str(self.project), "calls": calls})


class OpenClaw(NodeAgent):
    expected = [("main", True), ("main", False)]

    def session(self):
        extension = self.home / ".openclaw/extensions/kaizen-host"
        manifest = json.loads((extension / "openclaw.plugin.json").read_text())
        config = json.loads((self.home / ".openclaw/openclaw.json").read_text())
        assert config["plugins"]["entries"][manifest["id"]]["hooks"]["allowConversationAccess"] is True
        entry = json.loads((extension / "package.json").read_text())["openclaw"]["extensions"][0]
        context = {"agentId": "main", "sessionKey": "agent:main:main", "sessionId": "8d1f",
                   "workspaceDir": str(self.project)}
        messages = [{"role": "user", "content": "CANARY prompt"}]
        calls = [
            ["agent_end", {"success": True, "durationMs": 1500, "messages": messages}, {**context, "runId": "r-1"}],
            ["agent_end", {"success": True, "durationMs": 1500, "messages": messages}, {**context, "runId": "r-1"}],
            ["agent_end", {"success": False, "error": "CANARY error", "durationMs": 200, "messages": messages},
             {**context, "runId": "r-2"}],
        ]
        self.drive(OPENCLAW_DRIVER, extension / entry, {"calls": calls})


class Qwen(GroupsAgent):
    expected = [("general-purpose", True), ("qwen", True)]
    settings = ".qwen/settings.json"
    expands = True

    def environ(self):
        return {**super().environ(), "QWEN_PROJECT_DIR": str(self.project)}

    def session(self):
        for name in ("session-start", "user-prompt-submit", "user-prompt-submit-empty", "subagent-stop", "stop", "stop"):
            session = {"session_id": "q-1", "prompt_id": "q-1########0"}
            self.fire(self.fixture(f"qwen/0.24-{name}.json", **session))


class Cline(StubAgent):
    """Runs the files of a folder."""
    expected = [("cline", True), ("cline", False)]

    def fire(self, event, fixture, **changes):
        program = self.home / ".cline" / "hooks" / event
        self.run([str(program)], json.dumps(self.fixture(fixture, **changes)).encode(), shell=False)

    def session(self):
        for event, fixture in (("TaskStart", "task-start"), ("TaskComplete", "task-complete")):
            self.fire(event, f"cline/3.0.65-{fixture}.json")
        for event, fixture in (("TaskStart", "task-start"), ("TaskError", "task-error")):
            self.fire(event, f"cline/3.0.65-{fixture}.json", taskId="t-2")


class Droid(GroupsAgent):
    expected = [("droid", True)]
    settings = ".factory/settings.json"

    def environ(self):
        return {**super().environ(), "FACTORY_PROJECT_DIR": str(self.project)}

    def session(self):
        for name in ("session-start", "user-prompt-submit", "subagent-stop", "stop", "session-end"):
            self.fire(self.fixture(f"droid/{name}.json"))


class Kimi(StubAgent):
    expected = [("coder", True), ("kimi", True), ("kimi", False)]

    def fire(self, name):
        document = self.fixture(f"kimi/{name}.json")
        settings = tomllib.loads((self.home / ".kimi" / "config.toml").read_text())
        for hook in settings["hooks"]:
            if hook["event"] == document["hook_event_name"]:
                self.run(hook["command"], json.dumps(document).encode())

    def session(self):
        for name in ("session-start", "user-prompt-submit", "subagent-start", "subagent-stop", "stop", "user-prompt-submit",
                     "stop-failure", "session-end"):
            self.fire(name)


class Windsurf(StubAgent):
    expected = [("windsurf", True)]

    def fire(self, name):
        document = self.fixture(f"windsurf/{name}.json")
        settings = json.loads((self.home / ".codeium" / "windsurf" / "hooks.json").read_text())
        assert list(settings) == ["hooks"]
        for hook in settings["hooks"].get(document["agent_action_name"], []):
            self.run(hook["command"], json.dumps(document).encode())

    def session(self):
        for name in ("pre-user-prompt", "post-write-code", "post-cascade-response"):
            self.fire(name)


STUBS = {
    "claude-code": ClaudeCode, "codex": Codex, "codex-notify": CodexNotify, "gemini": Gemini, "cursor": Cursor,
    "copilot": Copilot, "goose": Goose, "openhands": OpenHands, "opencode": OpenCode, "openclaw": OpenClaw,
    "qwen": Qwen, "cline": Cline, "droid": Droid, "kimi": Kimi, "windsurf": Windsurf,
}

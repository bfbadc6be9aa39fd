#!/usr/bin/env python3
# real_hosts.py - the coding agents themselves, unmodified, with our hooks in their settings: what they do becomes exactly
# the records that it should.
#
# SPDX-License-Identifier: Apache-2.0
"""Usage: real_hosts.py [HOST...]      all that are there, unless named

Each runs in namespaces of its own, with nothing but loopback, an empty home and tests/support/stub_model.py for a model.
  KAIZEN_REAL_HOSTS   folder with HOST/node_modules/.bin/PROGRAM in it (qa/real-hosts makes it); else they are in PATH
  KAIZEN_TEST_HOST, KAIZEN_TEST_PLUGIN   what is tested
A program that is missing is named and skipped; status 77 when all are.  The table that docs/hosts/README.md shows is made
of what is printed here; a row there that says otherwise of the same version is a failure."""
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
README = TESTS.parent / "docs" / "hosts" / "README.md"
MARK = "<!-- made by tests/hooks/real_hosts.py -->\n"
PORT = 8765
BASE = f"http://127.0.0.1:{PORT}"
CASES = ("success", "tool", "failure", "interrupt", "subagent", "resume", "fork", "sent twice", "import")
LIMIT_S = 90
CALL_TOKENS = 1234  # of an answer of the stub's
HOST = os.environ.get("KAIZEN_TEST_HOST") or shutil.which("kaizen-host")
PLUGIN = os.environ.get("KAIZEN_TEST_PLUGIN", "")


class Agent:
    """One program.  `expected` is what a case leaves: {case: [(agent, success)]}; a case that is missing is not run."""
    name = program = package = None
    environment = {}
    interrupt_s = 5  # when the model has been asked for sure, on a slow machine
    failure = "400"
    has_project_settings = True

    def __init__(self, folder):
        self.home, self.folder, self.number = folder / "home", folder, 0
        self.home.mkdir()
        self.expected = {case: [(self.name, True)] for case in ("success", "tool", "resume", "sent twice")}
        self.expected |= {"failure": [(self.name, False)], "interrupt": [], **self.others()}

    def others(self):
        return {}

    def configure(self):
        """Settings of the agent's own: the stub for a model, nobody to report to."""

    def write(self, name, text):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else json.dumps(text, indent=2) + "\n")

    def environ(self):
        bins = [str(path) for path in sorted(places(self.name)) + sorted(places("node"))]
        return {"PATH": ":".join([*bins, os.environ["PATH"]]), "HOME": str(self.home), "LANG": "C.UTF-8",
                "TERM": "xterm-256color", **self.environment}

    def run(self, words, limit_s=LIMIT_S, number=signal.SIGKILL):
        """Output and status; the program gets the signal when it is not over in time."""
        process = subprocess.Popen(words, cwd=self.project, env=self.environ(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        for after_s, last in ((limit_s, number), (LIMIT_S, signal.SIGKILL)):
            try:
                out, _ = process.communicate(timeout=after_s)
                break
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, last)
        else:
            out, _ = process.communicate()
        return out.decode(errors="replace"), process.returncode

    def version(self):
        self.project = self.folder
        return re.search(r"\d+\.\d+(\.\d+)*", self.run([self.program, "--version"])[0]).group()

    def kaizen(self, *words):
        subprocess.run([HOST, *(("--plugin", PLUGIN) if PLUGIN else ()), *words], cwd=self.project, env=self.environ(),
                       check=True, capture_output=True)

    def words(self, prompt, *more):
        raise NotImplementedError

    def begin(self, case):
        self.number += 1
        self.project = self.folder / f"shop{self.number}"
        (self.project / ".kaizen").mkdir(parents=True)
        self.kaizen("install-hooks", self.name, "--user")
        if case == "sent twice":
            self.kaizen("install-hooks", self.name, "--project")

    def resume(self):
        self.run(self.words("kz:plain hello"))
        self.wait_for_hooks()
        self.seen = len(self.records())
        self.run(self.words("kz:plain again", *self.resumes))

    def fork(self):
        self.run(self.words("kz:plain again", "--continue", "--fork-session"))

    def review(self):
        """What else is a run, in a session of its own."""

    def forked(self):
        self.run(self.words("kz:plain hello"))
        self.wait_for_hooks()
        self.seen = len(self.records())
        self.fork()

    def imported(self):
        """What hooks record of a session and its fork, and import from their transcripts, is the same."""
        self.run(self.words("kz:tool hello"))
        self.fork()
        self.review()
        self.wait_for_hooks()
        hooks = self.runs()
        shutil.rmtree(self.project / ".kaizen/metrics")
        self.kaizen("import", self.name)
        imported = self.runs()
        untold = {key for key, (_, _, tokens) in hooks.items() if tokens is None}
        same = {key: run for key, run in imported.items() if run == hooks.get(key) or key in untold & {*imported}}
        print("" if len(same) == len(hooks) == len(imported) else f"  hooks: {hooks}\n  import: {imported}\n", end="")
        return [run[:2] for run in same.values()]

    def runs(self):
        return {record["idempotency_key"]: (record["agent"], record["success"], record.get("tokens"))
                for record in self.records()}

    def do(self, case):
        self.seen = 0
        if case == "import":
            return self.imported()
        if case == "resume":
            self.resume()
        elif case == "fork":
            self.forked()
        elif case == "interrupt":
            self.run(self.words("kz:slow hello"), self.interrupt_s, signal.SIGINT)
        else:
            word = {"tool": "tool", "subagent": "sub", "failure": self.failure}.get(case, "plain")
            self.run(self.words(f"kz:{word} hello"))
        self.wait_for_hooks()
        found = self.records()[self.seen:]
        if case == "fork" and {record.get("tokens") for record in found} != {CALL_TOKENS}:
            found.append({"agent": "tokens of its parent", "success": False})
        return [(record["agent"], record["success"]) for record in found]

    def wait_for_hooks(self):
        """Several agents do not wait for theirs: until no process of ours is left."""
        while any(os.path.realpath(path) == os.path.realpath(HOST) for path in pathlib.Path("/proc").glob("[0-9]*/exe")):
            time.sleep(0.02)

    def records(self):
        found = []
        for log in self.project.glob(".kaizen/metrics/*/executions.jsonl"):
            found += [json.loads(line) for line in log.read_text().splitlines()]
        return found

    def log(self):
        path = self.home / ".local/state/kaizen-host/hook.log"
        return path.read_text() if path.exists() else "(nothing fired)\n"


class Claude(Agent):
    name, program, package = "claude-code", "claude", "@anthropic-ai/claude-code"
    environment = {"ANTHROPIC_BASE_URL": BASE, "ANTHROPIC_API_KEY": "none", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                   "DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_MAX_RETRIES": "0"}
    resumes = ("--continue",)

    def others(self):
        # The subagent's report comes back as a prompt of its own.
        return {"subagent": [(self.name, True), (self.name, True), ("general-purpose", True)],
                "fork": [(self.name, True)], "import": [(self.name, True)] * 2}

    def words(self, prompt, *more):
        return [self.program, "-p", "--model", "claude-sonnet-4-5", "--allowedTools", "Bash Task Agent", *more, "--", prompt]


class Codex(Agent):
    name, program, package = "codex", "codex", "@openai/codex"
    environment = {"STUB_KEY": "none"}
    resumes = ()

    def others(self):
        return {"subagent": [(self.name, True), ("default", True)], "fork": [(self.name, True)],
                "import": [(self.name, True)] * 3}

    def configure(self):
        self.write(".codex/config.toml", 'model = "stub-1"\nmodel_provider = "stub"\ncheck_for_update_on_startup = false\n'
                   f'[model_providers.stub]\nname = "stub"\nbase_url = "{BASE}/v1"\nwire_api = "responses"\n'
                   'env_key = "STUB_KEY"\nrequest_max_retries = 0\nstream_max_retries = 0\n[analytics]\nenabled = false\n')

    def words(self, prompt, *more):
        return [self.program, "exec", "--skip-git-repo-check", "--dangerously-bypass-hook-trust",
                "--dangerously-bypass-approvals-and-sandbox", *more, prompt]

    def begin(self, case):
        super().begin(case)
        config = self.home / ".codex/config.toml"
        config.write_text(config.read_text() + f'[projects."{self.project}"]\ntrust_level = "trusted"\n')

    def resume(self):
        self.run(self.words("kz:plain hello"))
        self.wait_for_hooks()
        self.seen = len(self.records())
        self.run(self.words("kz:plain again", "resume", "--last"))

    def fork(self):
        newest = max(self.home.glob(".codex/sessions/**/rollout-*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
        session = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=\.jsonl)", newest.name).group()
        words = self.words("kz:plain again", session)
        self.run([*words[:2], "fork", *words[2:]])

    def review(self):
        words = self.words("kz:plain review")
        self.run([*words[:2], "review", *words[2:]])


class Gemini(Agent):
    name, program, package = "gemini", "gemini", "@google/gemini-cli"
    environment = {"GOOGLE_GEMINI_BASE_URL": BASE, "GEMINI_API_KEY": "none", "GEMINI_TELEMETRY_ENABLED": "false"}
    resumes = ("-r", "latest")

    def others(self):
        return {"failure": []}  # it tells of none

    def configure(self):
        self.write(".gemini/settings.json", {"security": {"auth": {"selectedType": "gemini-api-key"}},
                                             "general": {"enableAutoUpdate": False},
                                             "privacy": {"usageStatisticsEnabled": False}})

    def words(self, prompt, *more):
        return [self.program, "--skip-trust", "-m", "gemini-2.5-flash", "-y", *more, "-p", prompt]


class Copilot(Agent):
    name, program, package = "copilot", "copilot", "@github/copilot"
    environment = {"COPILOT_PROVIDER_BASE_URL": BASE + "/v1", "COPILOT_PROVIDER_TYPE": "openai",
                   "COPILOT_PROVIDER_API_KEY": "none", "COPILOT_MODEL": "stub-1", "COPILOT_OFFLINE": "true",
                   "COPILOT_AUTO_UPDATE": "false"}
    resumes = ("--continue",)

    def others(self):
        return {"subagent": [(self.name, True), ("explore", True)]}

    def words(self, prompt, *more):
        return [self.program, "--no-auto-update", "--allow-all-tools", *more, "-p", prompt]


class OpenCode(Agent):
    name, program, package = "opencode", "opencode", "opencode-ai"
    environment = {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
                   "OPENCODE_DISABLE_MODELS_FETCH": "1", "npm_config_offline": "true"}
    resumes = ("-c",)
    interrupt_s = 12

    def others(self):
        turn = [("build", True)]
        return {"success": turn, "tool": turn, "resume": turn, "sent twice": turn, "failure": [("build", False)],
                "subagent": [*turn, ("general", True)]}

    def configure(self):
        model = {"name": "stub", "cost": {"input": 1, "output": 2}, "limit": {"context": 100000, "output": 8000}}
        self.write(".config/opencode/opencode.json", {
            "autoupdate": False, "share": "disabled", "model": "stub/stub-1", "small_model": "stub/stub-1",
            "enabled_providers": ["stub"], "provider": {"stub": {
                "npm": "@ai-sdk/openai-compatible", "name": "stub", "models": {"stub-1": model},
                "options": {"baseURL": BASE + "/v1", "apiKey": "none"}}}})

    def words(self, prompt, *more):
        return [self.program, "run", *more, prompt]


class Qwen(Agent):
    name, program, package = "qwen", "qwen", "@qwen-code/qwen-code"
    environment = {"OPENAI_BASE_URL": BASE + "/v1", "OPENAI_API_KEY": "none", "OPENAI_MODEL": "stub-1"}
    resumes = ("--continue",)

    def others(self):
        return {"failure": [], "subagent": [(self.name, True), ("general-purpose", True)], "fork": [(self.name, True)]}

    def configure(self):
        self.write(".qwen/settings.json", {"security": {"auth": {"selectedType": "openai"}},
                                           "general": {"enableAutoUpdate": False}, "telemetry": {"enabled": False},
                                           "privacy": {"usageStatisticsEnabled": False}})

    def words(self, prompt, *more):
        return [self.program, "--auth-type", "openai", "-y", *more, "-p", prompt]


class Cline(Agent):
    name, program, package = "cline", "cline", "cline"
    environment = {"CLINE_NO_AUTO_UPDATE": "1", "CLINE_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1"}

    def others(self):
        return {"resume": None, "sent twice": None}

    def begin(self, case):
        super().begin(case)
        self.run([self.program, "auth", "--provider", "openai", "--apikey", "none", "--modelid", "stub-1", "--baseurl",
                  BASE + "/v1"])

    def words(self, prompt, *more):
        return [self.program, "--retries", "1", "--json", *more, prompt]


class OpenClaw(Agent):
    name, program, package = "openclaw", "openclaw", "openclaw"
    environment = {"OPENCLAW_DISABLE_UPDATE_CHECK": "1", "OPENCLAW_DISABLE_BONJOUR": "1"}
    resumes = ()

    def others(self):
        turn = [("main", True)]
        return {"success": turn, "resume": turn, "failure": [("main", False)], "tool": None, "interrupt": None,
                "sent twice": None}

    def configure(self):
        model = {"id": "stub-1", "name": "stub", "reasoning": False, "input": ["text"], "contextWindow": 100000,
                 "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}, "maxTokens": 8000}
        self.write(".openclaw/openclaw.json", {
            "gateway": {"mode": "local", "port": 18789, "bind": "loopback", "auth": {"mode": "token", "token": "none"}},
            "update": {"checkOnStart": False},
            "agents": {"defaults": {"model": {"primary": "stub/stub-1"}, "skipBootstrap": True}},
            "models": {"mode": "replace", "providers": {"stub": {"baseUrl": BASE + "/v1", "apiKey": "none",
                                                                 "api": "openai-completions", "models": [model]}}}})

    def begin(self, case):
        super().begin(case)
        config = json.loads((self.home / ".openclaw/openclaw.json").read_text())
        config["agents"]["defaults"]["workspace"] = str(self.project)
        self.write(".openclaw/openclaw.json", config)

    def words(self, prompt, *more):
        return [self.program, "agent", "--local", "--agent", "main", "--message", prompt, "--json", *more]


AGENTS = {agent.name: agent for agent in (Claude, Cline, Codex, Copilot, Gemini, OpenCode, OpenClaw, Qwen)}


def places(name):
    """The folders with a host's programs, below KAIZEN_REAL_HOSTS."""
    folder = os.environ.get("KAIZEN_REAL_HOSTS")
    return [path for path in pathlib.Path(folder).glob(f"{name}/node_modules/.bin") if path.is_dir()] if folder else []


def is_there(agent):
    return any((path / agent.program).exists() for path in places(agent.name)) or shutil.which(agent.program) is not None


def try_case(agent, case):
    """The table's cell."""
    expected = agent.expected.get(case)
    if expected is None:
        return "–", True
    begun = time.monotonic()
    agent.begin(case)
    found = agent.do(case)
    good = sorted(found) == sorted(expected)
    print(f"  {case:11} {'ok  ' if good else 'FAIL'} {time.monotonic() - begun:5.1f} s  {found}"
          + ("" if good else f", expected {expected}\n{agent.log()}"), flush=True)
    return ("not reported" if not expected and case == "failure" else "yes") if good else "NO", good


def try_agent(kind):
    """The row of the table, and whether all is as it should be."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        agent = kind(pathlib.Path(folder))
        agent.configure()
        version = agent.version()
        print(f"{agent.name} {version}", flush=True)
        cells = [try_case(agent, case) for case in CASES]
    row = f"| {agent.name} | {version} | " + " | ".join(cell for cell, _ in cells) + " |"
    return row, all(good for _, good in cells)


def loopback_up():
    with socket.socket() as one:
        flags = struct.pack("16sh22x", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(one, 0x8914, flags)  # SIOCSIFFLAGS


def inside(names):
    loopback_up()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background inherits it as ignored
    with subprocess.Popen([sys.executable, TESTS / "support" / "stub_model.py", str(PORT)], stdout=subprocess.PIPE) as stub:
        stub.stdout.readline()
        results = [try_agent(AGENTS[name]) for name in names]
        stub.kill()
    heading = "| host | version | " + " | ".join(CASES) + " |"
    rows = [row for row, _ in results]
    print("\n".join(["", heading, "|" + " --- |" * (len(CASES) + 2), *rows]))
    shown = README.read_text().split(MARK, 1)[-1].split("\n\n", 1)[0].splitlines()
    other = [row for row in rows for line in shown if line != row and line.split("|")[1:3] == row.split("|")[1:3]]
    for row in other:
        print(f"docs/hosts/README.md says otherwise: {row}")
    return 0 if all(good for _, good in results) and not other else 1


def main():
    named = sys.argv[1:] or list(AGENTS)
    if os.environ.get("KAIZEN_REAL_HOSTS_INSIDE"):
        return inside(named)
    there = [name for name in named if is_there(AGENTS[name])]
    for name in named:
        if name not in there:
            print(f"{name}: {AGENTS[name].program} is not installed; skipped (qa/real-hosts --install)")
    if not there:
        return 77
    mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", *mapped]
    if subprocess.run([*command, "true"], check=False, capture_output=True).returncode != 0:
        print("no namespaces can be made here; skipped")
        return 77
    os.environ["KAIZEN_REAL_HOSTS_INSIDE"] = "1"
    return subprocess.run([*command, sys.executable, __file__, *there], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

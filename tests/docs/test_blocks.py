#!/usr/bin/env python3
"""test_blocks.py - the commands of the pages' plain blocks run, each in a home and a project of its own.

SPDX-License-Identifier: Apache-2.0

test_console.py runs the blocks that show output.  Of the others each line is run here and must succeed, or the block is
in ELSEWHERE, with the test that runs it and the reason.  A new block has to be one of the two.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import played_sessions
from broker_support import Server
from shim_support import HOST, clean_environment

TOP = pathlib.Path(os.environ.get("KAIZEN_TEST_SRCDIR") or pathlib.Path(__file__).resolve().parents[2])
BUILD = pathlib.Path(os.environ.get("KAIZEN_TEST_BUILDDIR") or TOP / "build").resolve()
RESULTS = TOP / "tests" / "hooks" / "results"
PROGRAMS = r"(?:sudo|kaizen-host|cc|git|mkdir|npm|openssl|python3|systemctl|loginctl|export|\./bootstrap|make)"
BLOCK = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.M | re.S)
COMMAND = re.compile(rf"^ *(\$ )?(?:[A-Z_]+=\S+ +)*{PROGRAMS}\b")
# A block by its first line: what runs its commands, and why this test does not.
ELSEWHERE = {
    "./bootstrap          # installs": ("qa/platforms", "needs a bare system"),
    "./bootstrap && export": ("qa/platforms", "needs a bare system"),
    "./bootstrap package": ("qa/packages", "needs root and a bare system"),
    "kaizen-host check --all \\": ("tests/docs/test_answers.py", "needs a week of runs"),
    "mkdir -p ~/.config/systemd/user": ("tests/checks/test_units.sh", "needs systemd and an installed package"),
    "sudo cp /usr/share/doc/kaizen-plugin": ("tests/checks/test_units.sh", "needs systemd and root"),
    "cc embed.c $(pkg-config": ("tests/checks/test_install.sh", "needs an installed package"),
    "npm install node@24": ("tests/relay/nemo_relay_real.py", "needs packages of npm"),
    "$ kaizen-host install-hooks nemo-relay": ("tests/relay/nemo_relay_real.py", "needs NeMo Relay"),
    "$ kaizen-host list": ("tests/relay/nemo_relay_real.py", "needs NeMo Relay"),
    "openssl genpkey": ("tests/relay/nemo_relay_real.py", "needs NeMo Relay"),
}
# Coding agents that print what they printed when they were seen.
AGENTS = {"claude": "claude-json", "codex": "codex-json", "copilot": "copilot-json", "gemini": "gemini-json",
          "qwen": "qwen-json"}


def first_line(block):
    return block.strip().splitlines()[0].strip()


def blocks_of(page):
    """The blocks of commands."""
    for language, block in BLOCK.findall(page.read_text()):
        if language in ("", "sh") and COMMAND.match(first_line(block)):
            yield block


def lines_of(block):
    joined = re.sub(r"\\\n\s*", " ", block)
    return [re.split(r"\s+#", line)[0].strip() for line in joined.splitlines() if line.strip()]


class Reader:
    """Somebody who types what a page says: a home, a project with a record and turns of Claude Code, a broker."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.server = Server(self.folder / "broker").start()
        self.project = self.folder / "shop"
        (self.project / ".git").mkdir(parents=True)
        (self.project / "build").symlink_to(BUILD)
        for name in ("include", "examples", "tests"):
            (self.project / name).symlink_to(TOP / name)
        programs = self.folder / "bin"
        programs.mkdir()
        for agent, result in AGENTS.items():
            (programs / agent).write_text(f"#!/bin/sh\nexec cat '{self.result_of(result)}'\n")
            (programs / agent).chmod(0o755)
        self.environment = clean_environment(self.folder, {"NATS_URL": self.server.url})
        self.environment["PATH"] = f"{programs}:{pathlib.Path(HOST).parent}:{self.environment['PATH']}"
        played_sessions.place(self.folder, self.project)
        (self.project / "Makefile").write_text("test:\n")
        (self.project / "judge.sh").write_text("#!/bin/sh\necho 0.87\n")
        (self.project / "judge.sh").chmod(0o755)
        (self.folder / "roots").write_text(f"{self.project}\n")
        (self.project / "result.json").write_bytes(self.result_of("claude-json").read_bytes())
        self.type("kaizen-host record coach --success --time 4")
        self.type("kaizen-host broker init")

    @staticmethod
    def result_of(form):
        return sorted(RESULTS.glob(f"{form.split('-')[0]}*success*"))[0]

    def type(self, line):
        for shown, here in (("/etc/kaizen-host/roots", self.folder / "roots"), ("/var/www/html", self.folder)):
            line = line.replace(shown, str(here))
        return subprocess.run(["sh", "-c", line], cwd=self.project, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)

    def close(self):
        self.server.kill()


def run(where, block):
    """Runs a block's lines one after the other; what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(folder)
        try:
            for line in lines_of(block):
                done = reader.type(line)
                if done.returncode != 0:
                    yield f"{where}: '{line}' ends with {done.returncode}:\n{done.stdout}"
        finally:
            reader.close()


def main():
    failures, ran, elsewhere = [], 0, set()
    for pattern in ("*.md", "docs/*.md", "docs/hosts/*.md"):
        for page in sorted(TOP.glob(pattern)):
            where = str(page.relative_to(TOP))
            for block in blocks_of(page):
                begin = next((begin for begin in ELSEWHERE if first_line(block).startswith(begin)), None)
                if begin:
                    elsewhere.add(begin)
                elif not first_line(block).startswith("export PATH="):  # what Reader does, too
                    ran += 1
                    failures += run(where, block)
    for begin, (proof, _) in ELSEWHERE.items():
        if begin not in elsewhere:
            failures.append(f"no page has a block that begins with '{begin}'")
        if not (TOP / proof).is_file():
            failures.append(f"'{begin}': there is no {proof}")
    for failure in failures:
        print("FAILED:", failure)
    print(f"{ran} blocks were run, {len(elsewhere)} are run elsewhere")
    return 1 if failures or ran < 20 else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""test_console.py - the commands on the pages do what the pages show.

SPDX-License-Identifier: Apache-2.0

Usage: test_console.py [--update]

Types the "$ " lines of each page's ```console blocks, one after the other, at a terminal in a new project, and runs
the demo.  A block that begins with ```console week has a project of its own, in which four weeks of an agent that gets
worse have been played, one that begins with ```console hooks a home in which Claude Code has worked.  What the
commands print is compared with the page, except ids, times, durations, versions and places.  With --update the pages
get the new output.
"""
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
import tempfile

import played_sessions
from broker_support import Server

TOP = pathlib.Path(os.environ.get("KAIZEN_TEST_SRCDIR") or pathlib.Path(__file__).resolve().parents[2])
sys.path.insert(0, str(TOP / "examples"))
import sample_weeks  # noqa: E402

BUILD = pathlib.Path(os.environ.get("KAIZEN_TEST_BUILDDIR") or TOP / "build").resolve()
PAGES = ("README.md", "docs/tutorial.md", "docs/recipes.md")
DEMO = "docs/demo.md"
BLOCK = re.compile(r"```console( week| hooks)?\n(.*?)```", re.S)
END = "kaizen-end-of-output"


def alike(text):
    """What may differ from run to run, made equal."""
    for pattern, instead in (
            (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
            (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\dZ)?", "TIME"),
            (r"nats://[\w.]+:\d+", "URL"),
            (r"\d+(\.\d+)? (ms|s|min|h|d)\b", "DURATION"),
            (r"nats-server [\d.]*", "nats-server VERSION"),
            (r"(?<![\w.])/[\w./-]+", "PLACE"),
            (r"\"execution_time_s\":[\d.]+", "DURATION"),
            (r"\"avg_execution_time_s\": ?[\d.]+", "DURATION")):
        text = re.sub(pattern, instead, text)
    # columns move with what stands in them; the publisher's own warning comes when its thread gets to it
    return [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()
            if not line.startswith("kaizen-host: warning: events are pending")]


class Terminal:
    """A shell at a terminal; each command's output, as a person would see it."""

    def __init__(self, folder, environment):
        self.child, self.screen = pty.fork()
        if self.child == 0:
            os.chdir(folder)
            os.execvpe("sh", ["sh"], environment)
        self.type("stty -echo cols 100; PS1=; PS2=")

    def type(self, command):
        os.write(self.screen, f"{command}\necho {END}\n".encode())
        seen = b""
        while not seen.endswith(f"{END}\r\n".encode()) or seen.endswith(f"echo {END}\r\n".encode()):
            seen += os.read(self.screen, 65536)
        return seen.decode().replace("\r\n", "\n")[:-len(END) - 1]

    def close(self):
        os.write(self.screen, b"exit\n")
        os.waitpid(self.child, 0)
        os.close(self.screen)


def environment_for(home, url):
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return dict(kept, PATH=f"{BUILD}:{kept['PATH']}", HOME=str(home), TERM="dumb", LANG="C.UTF-8",
                LC_ALL="C.UTF-8", KAIZEN_PLUGIN_PATH=str(BUILD / ".libs"), NATS_URL=url)


def new_project(home, name):
    project = home / name
    (project / ".git").mkdir(parents=True)
    return project


def play_week(project, environment):
    subprocess.run(["kaizen-host", "replay", "-q"], cwd=project, env=environment, input=sample_weeks.lines(), text=True,
                   check=True, stdout=subprocess.DEVNULL)


def run_page(text, folder):
    """The output of each block of a page: (as it is there, as it came)."""
    server = Server(folder).start()
    url = server.url
    server.kill()  # nobody answers there until the page starts a server
    homes = {"": folder, " week": folder / "week", " hooks": folder / "hooks"}
    projects = {kind: new_project(home, "shop") for kind, home in homes.items()}
    environments = {kind: environment_for(home, url) for kind, home in homes.items()}
    play_week(projects[" week"], environments[" week"])
    played_sessions.place(homes[" hooks"], projects[" hooks"])
    terminals = {kind: Terminal(project, environments[kind]) for kind, project in projects.items()}
    done = []
    try:
        for kind, block in BLOCK.findall(text):
            came = ""
            for command in re.findall(r"^\$ (.*(?:(?<=[\\|])\n.*)*)$", block, re.M):
                came += f"$ {command}\n"
                if command.startswith("nats-server"):
                    server.start()
                else:
                    came += terminals[kind].type(command)
            # as in a reader's own home, installed, with the broker where it is by default
            for ours, theirs in (*((homes[kind], "/home/me") for kind in (" week", " hooks", "")),
                                 (BUILD, "/usr/bin"), (url, "nats://localhost:4222")):
                came = came.replace(str(ours), theirs)
            done.append((kind, block, came))
    finally:
        for terminal in terminals.values():
            terminal.close()
        server.kill()
    return done


def run_demo():
    ended = subprocess.run(["sh", TOP / "qa" / "demo"], env=dict(os.environ, BUILD=str(BUILD), LC_ALL="C.UTF-8"),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ended.returncode != 0:
        print(ended.stdout)
        sys.exit("test_console: the demo failed")
    return ended.stdout.strip() + "\n"


def hold(page, pairs):
    """Compares a page's blocks, (opening line, as it is there, as it came); the number that differ."""
    path = TOP / page
    differing = [pair for pair in pairs if alike(pair[1]) != alike(pair[2])]
    wrong = len(differing)
    if "--update" in sys.argv and wrong:
        text = path.read_text()
        for opening, shown, real in pairs:  # all of them, so that the times of a page go together
            text = text.replace(f"{opening}\n{shown}```", f"{opening}\n{real}```")
        path.write_text(text)
        print(f"test_console: {page}: {wrong} blocks differ, all brought up to date")
        return 0
    for _, shown, real in differing:
        print(f"test_console: {page} shows\n{shown}\nbut this came:\n{real}")
    print(f"test_console: {page}: {len(pairs)} blocks, {wrong} differ")
    return wrong


def main():
    if not shutil.which("nats-server"):
        print("test_console: skipped: nats-server is not installed")
        return 77
    wrong = 0
    for page in PAGES:
        with tempfile.TemporaryDirectory() as folder:
            blocks = run_page((TOP / page).read_text(), pathlib.Path(folder))
        if not blocks:
            sys.exit(f"test_console: {page} has no ```console block")
        wrong += hold(page, [(f"```console{kind}", shown, real) for kind, shown, real in blocks])
    shown, = re.findall(r"```text\n(.*?)```", (TOP / DEMO).read_text(), re.S)
    wrong += hold(DEMO, [("```text", shown, run_demo())])
    return 1 if wrong else 0


sys.exit(main())

#!/usr/bin/env python3
"""test_readme.py - the commands in the README do what the README shows.

SPDX-License-Identifier: Apache-2.0

Usage: test_readme.py [--update]

Types the "$ " lines of the README's ```console blocks, one after the other, at a terminal in a new project,
and runs the demo.  What they print is compared with what stands there, but for ids, times, durations, versions and
places.  With --update the README gets what came.
"""
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
import tempfile

from broker_support import Server

TOP = pathlib.Path(os.environ.get("KAIZEN_TEST_SRCDIR") or pathlib.Path(__file__).resolve().parents[2])
BUILD = pathlib.Path(os.environ.get("KAIZEN_TEST_BUILDDIR") or TOP / "build").resolve()
README = TOP / "README.md"
END = "kaizen-end-of-output"


def alike(text):
    """What may differ from run to run made equal."""
    for pattern, instead in (
            (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
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
        self.type("stty -echo; PS1=; PS2=")

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


def run_tour(blocks, folder):
    """The blocks as they should read."""
    home, project = folder / "home", folder / "shop"
    home.mkdir()
    (project / ".git").mkdir(parents=True)
    server = Server(folder).start()
    url = server.url
    server.kill()  # nobody answers there until the README starts a server
    terminal = Terminal(project, environment_for(home, url))
    done = []
    try:
        for block in blocks:
            text = ""
            for command in re.findall(r"^\$ (.*(?:\\\n.*)*)$", block, re.M):
                text += f"$ {command}\n"
                if command.startswith("nats-server"):
                    server.start()
                else:
                    text += terminal.type(command)
            # as it is in a reader's own home, with the broker where it is by default
            done.append(text.replace(str(folder), "/home/me").replace(url, "nats://localhost:4222"))
    finally:
        terminal.close()
        server.kill()
    return done


def run_demo():
    ended = subprocess.run(["sh", TOP / "qa" / "demo"], env=dict(os.environ, BUILD=str(BUILD), LC_ALL="C.UTF-8"),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ended.returncode != 0:
        print(ended.stdout)
        sys.exit("test_readme: the demo failed")
    return ended.stdout.strip() + "\n"


def main():
    if not shutil.which("nats-server"):
        print("test_readme: skipped: nats-server is not installed")
        return 77
    text = README.read_text()
    with tempfile.TemporaryDirectory() as folder:
        tour = run_tour(re.findall(r"```console\n(.*?)```", text, re.S), pathlib.Path(folder))
    came = [("console", block) for block in tour] + [("text", run_demo())]
    stands = [("console", block) for block in re.findall(r"```console\n(.*?)```", text, re.S)]
    stands += [("text", block) for block in re.findall(r"```text\n(.*?)```", text, re.S)]
    wrong = 0
    for (kind, shown), (_, real) in zip(stands, came):
        if alike(shown) == alike(real):
            continue
        wrong += 1
        if "--update" in sys.argv:
            text = text.replace(f"```{kind}\n{shown}```", f"```{kind}\n{real}```")
            continue
        print(f"test_readme: the README shows\n{shown}\nbut this came:\n{real}")
    if "--update" in sys.argv and wrong:
        README.write_text(text)
        print(f"test_readme: {wrong} blocks brought up to date")
        return 0
    if len(stands) != len(came):
        sys.exit("test_readme: the README has one ```text block, the demo's")
    if not wrong:
        print(f"test_readme: {len(came)} blocks are as they stand in the README")
    return 1 if wrong else 0


sys.exit(main())

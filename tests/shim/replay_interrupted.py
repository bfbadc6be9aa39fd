#!/usr/bin/env python3
"""replay_interrupted.py - Ctrl-C ends a replay between two lines, and what goes on ends with every record once.

SPDX-License-Identifier: Apache-2.0

Usage: replay_interrupted.py [LINES]                30,000 unless given; 1,000,000 is the long form

Three times over the same archive of two agents, each interrupted several times at a terminal, by the key the
terminal has for it, while the log grows: resumed by the --skip that was printed; by the lines' own keys; by keys
derived from their bytes.  Each log then has every line once, in its order, and all that is derived from it is
consistent.
"""
import json
import os
import pathlib
import pty
import re
import subprocess
import sys
import tempfile
import time

from shim_support import HOST, clean_environment

LINES = int(sys.argv[1]) if len(sys.argv) > 1 else 30000
INTERRUPTIONS = 4
AGENTS = ("coach", "mentor")
CTRL_C = b"\x03"


def write_archive(path, with_keys):
    with open(path, "w") as archive:
        for i in range(LINES):
            record = {"timestamp": f"2026-11-{1 + i * 20 // LINES:02}T{i // 3600 % 24:02}:{i // 60 % 60:02}:{i % 60:02}Z",
                      "agent": AGENTS[i // 1000 % 2], "session_id": f"s{i}", "execution_time_s": i % 100, "success": i % 3 != 0}
            if with_keys:
                record["idempotency_key"] = f"run-{i}"
            archive.write(json.dumps(record) + "\n")


class Replay:
    """One run of kaizen-host at a terminal of its own, where it shows its progress."""

    def __init__(self, project, environment, arguments):
        self.child, self.screen = pty.fork()
        if self.child == 0:
            os.chdir(project)
            os.execve(HOST, [HOST, "replay", *arguments], environment)
        os.set_blocking(self.screen, False)
        self.said = b""

    def listen(self):
        """Takes what it says; False when it has ended."""
        try:
            while True:
                piece = os.read(self.screen, 65536)
                if not piece:
                    return False
                self.said += piece
        except BlockingIOError:
            return True
        except OSError:
            return False

    def finish(self):
        while self.listen():
            time.sleep(0.005)
        os.close(self.screen)
        return os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])


def logs(project):
    return [project / ".kaizen" / "metrics" / agent / "executions.jsonl" for agent in AGENTS]


def recorded_bytes(project):
    return sum(log.stat().st_size for log in logs(project) if log.exists())


def play(project, environment, archive, options, resume):
    """Interrupts the replay again and again, and goes on with it; answers how often it was ended early."""
    ended_early, skip, target = 0, 0, archive.stat().st_size
    while True:
        replay = Replay(project, environment, [*options, *resume(skip), str(archive)])
        goal = recorded_bytes(project) + target // (2 * INTERRUPTIONS)
        while ended_early < INTERRUPTIONS and replay.listen() and recorded_bytes(project) < goal:
            time.sleep(0.001)
        if ended_early < INTERRUPTIONS:
            try:
                os.write(replay.screen, CTRL_C)
            except OSError:
                pass
        status = replay.finish()
        if status == 0:
            return ended_early
        assert status == 130, (status, replay.said[-2000:])
        assert re.search(rb"\[#*-*\] +\d+%  \d+ lines, \d+ a second, [\d.]+ \w+ left", replay.said), replay.said[:2000]
        ended_early += 1
        skip = int(re.findall(rb"to continue: --skip (\d+)", replay.said)[-1])
        assert 0 < skip <= LINES, skip


def check(name, project, environment):
    expected = {agent: [f"s{i}" for i in range(LINES) if AGENTS[i // 1000 % 2] == agent] for agent in AGENTS}
    count = 0
    for agent, log in zip(AGENTS, logs(project)):
        with open(log) as lines:
            sessions = [json.loads(line)["session_id"] for line in lines]
        count += len(sessions)
        assert sessions == expected[agent], f"{name}: {agent} has {len(sessions)} records of {len(expected[agent])}, or in another order"
        summary = json.loads((log.parent / "summary.json").read_text())
        assert summary["execution_count"] == len(sessions), (name, summary)
    assert count == LINES, (name, count)
    subprocess.run([HOST, "-C", project, "-q", "verify"], env=environment, check=True, stdout=subprocess.DEVNULL)
    return count


def main():
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        environment = clean_environment(home, {"TERM": "xterm"})
        for name, with_keys, options, resume in (
            ("by --skip", False, [], lambda skip: ["--skip", str(skip)] if skip else []),
            ("by the lines' keys", True, [], lambda skip: []),
            ("by derived keys", False, ["--derive-keys"], lambda skip: []),
        ):
            project = home / re.sub(r"\W+", "-", name)
            project.mkdir()
            archive = home / "archive.jsonl"
            write_archive(archive, with_keys)
            started = time.monotonic()
            ended_early = play(project, environment, archive, options, resume)
            took = time.monotonic() - started
            count = check(name, project, environment)
            assert ended_early > 0, f"{name}: it was over before the first Ctrl-C"
            print(f"replay_interrupted: {name}: Ctrl-C {ended_early} times, then {count} records of {LINES} lines ({took:.1f} s)")


main()

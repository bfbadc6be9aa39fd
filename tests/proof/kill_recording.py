#!/usr/bin/env python3
"""kill_recording.py - kill -9 of recording processes at random moments: what a host was told is in the log, once.

SPDX-License-Identifier: Apache-2.0

Usage: kill_recording.py [--rounds N] [--seed N] [--processes N]

KAIZEN_TEST_PLUGIN is the plugin; the program is KAIZEN_TEST_STRESS, or tests/proof/stress below KAIZEN_TEST_BUILDDIR.
Each round starts processes of a few threads and kills them after up to a quarter of a second, or so long after
the first record.  Every call that answered RECORDED or DUPLICATE was written down by the process with one write(2) after the answer.  Between
rounds a derived file is sometimes removed, so that a rebuild is killed too; at the end a rebuild that takes
more processor time than its process may have is given life after life.  The seed is printed: the same one kills
after the same times.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import oracle
from broker_support import wait_for
from figures import figures

STRESS = os.environ.get("KAIZEN_TEST_STRESS") or os.environ["KAIZEN_TEST_BUILDDIR"] + "/tests/proof/stress"
AGENTS = 3
REBUILD_LINES = 400000  # of which a life is enough for some
REBUILD_LIFE_S = 0.05  # of processor time: the same work on a busy machine
REBUILD_TRIES = 200


def stress_command(root, *arguments):
    return [STRESS, os.environ["KAIZEN_TEST_PLUGIN"], str(root), "-a", str(AGENTS),
            "-s", "emit_event=true", "-s", "delivery=relay", "-s", "lock_timeout_ms=60000",
            "-s", "nats_url=nats://127.0.0.1:9", *arguments]


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def one_round(root, told, number, options, rng):
    """Processes of four threads; a quarter of the rounds gives the keys of the round before again."""
    tag = f"round-{number - 1 if number and rng.random() < 0.25 else number}"
    fsync = rng.choice(["never", "always"])
    running = [subprocess.Popen(stress_command(root, "-t", "4", "-n", "100000000", "-o", told, "-g", tag,
                                               "-s", f"fsync={fsync}"))
               for _ in range(options.processes)]
    if number % 2:
        size = pathlib.Path(told).stat().st_size
        wait_for(lambda: pathlib.Path(told).stat().st_size > size, "a record")
    time.sleep(rng.uniform(0.01, 0.25))
    for process in running:
        kill(process)
    if rng.random() < 0.3:
        agent = root / ".kaizen" / "metrics" / f"agent-{rng.randrange(AGENTS)}"
        (agent / rng.choice([".index-2", "summary.json", ".lock"])).unlink(missing_ok=True)


def read_told(told):
    """What the hosts were told: {(agent, key): event id}.  The last line of a killed process is whole too: one write."""
    answers = {}
    for line in pathlib.Path(told).read_text().splitlines():
        agent, key, code, event_id = line.split(" ")
        if code not in ("0", "1"):
            raise SystemExit(f"told: {line}")
        if answers.setdefault((agent, key), event_id) != event_id:
            raise SystemExit(f"{agent} {key}: told {event_id} and {answers[agent, key]}")
    return answers


def judge(root, told):
    answers = read_told(told)
    found, torn = {}, 0
    for folder in sorted((root / ".kaizen" / "metrics").glob("agent-*")):
        raw = (folder / "executions.jsonl").read_bytes()
        lines = raw.split(b"\n")
        if lines.pop() != b"":
            raise SystemExit(f"{folder.name}: the last line is not ended")
        records = []
        for line in lines:
            record = oracle.read_line(line)
            if record is None:
                torn += line.strip() != b""
                continue
            records.append(json.loads(line))
        for key, count in collections.Counter(record["idempotency_key"] for record in records).items():
            if count > 1:
                raise SystemExit(f"{folder.name}: {key} stands there {count} times")
        found.update({(folder.name, record["idempotency_key"]): record["event_id"] for record in records})
        if (folder / "summary.json").read_bytes() != oracle.summary_text(oracle.read_log(raw)):
            raise SystemExit(f"{folder.name}: summary.json is not what the log adds up to")
    for pair, event_id in answers.items():
        if pair not in found:
            raise SystemExit(f"{pair}: told, and not in the log")
        if event_id != found[pair]:
            raise SystemExit(f"{pair}: told {event_id}, the log has {found[pair]}")
    return {"told": len(answers), "lines": len(found), "torn": torn}


def kill_during_records(scratch, options, rng):
    root, told = scratch / "project", scratch / "told"
    root.mkdir()
    told.touch()
    for number in range(options.rounds):
        one_round(root, told, number, options, rng)
    # a life that is not cut short, so that everything is at rest
    subprocess.run(stress_command(root, "-t", "2", "-n", "60", "-o", str(told), "-g", "last"), check=True,
                   stdout=subprocess.DEVNULL)
    return judge(root, told)


def used_s(process):
    """Processor time of a child that was not waited for."""
    ticks = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def kill_during_rebuilds(scratch):
    """A log nobody has folded yet, and processes that never live longer than a twentieth of a second."""
    root = scratch / "rebuild"
    for agent in range(AGENTS):
        folder = root / ".kaizen" / "metrics" / f"agent-{agent}"
        folder.mkdir(parents=True)
        with open(folder / "executions.jsonl", "w") as log:
            for number in range(REBUILD_LINES if agent == 0 else 0):
                log.write(f'{{"agent":"agent-0","success":true,"idempotency_key":"old-{number}"}}\n')
    for tries in range(1, REBUILD_TRIES + 1):
        process = subprocess.Popen(stress_command(root, "-t", "1", "-n", "1"), stdout=subprocess.DEVNULL)
        while used_s(process) < REBUILD_LIFE_S:
            if process.poll() is not None:
                if process.returncode != 0:
                    raise SystemExit(f"the rebuilding process ended with {process.returncode}")
                return tries
            time.sleep(0.001)
        kill(process)
    raise SystemExit(f"a rebuild killed every {REBUILD_LIFE_S} s did not finish in {REBUILD_TRIES} lives")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="kaizen-kill-"))
    try:
        counts = kill_during_records(scratch, options, random.Random(options.seed))
        lives = kill_during_rebuilds(scratch)
        figures([("recording_kills", options.rounds * options.processes, "kills"),
                 ("recording_told", counts["told"], "records"), ("recording_torn", counts["torn"], "lines"),
                 ("rebuild_lives", lives, "processes")])
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""stress.py - threads and processes record for the same agents at once; the files they leave are counted here.

SPDX-License-Identifier: Apache-2.0

Usage: stress.py [--threads N] [--processes N] [--executions N] [--agents N] [--fsync always|never] [--full]

KAIZEN_TEST_PLUGIN is the plugin; the program is KAIZEN_TEST_STRESS, or tests/proof/stress below KAIZEN_TEST_BUILDDIR.
A fifth of the executions has a key that all threads of all processes give.  --full is the shape that was
promised: 64 threads in each of 2 processes, 500 executions each, 8 agents, fsync always.  Without it the run is
short, and followed by two more: one in which locks and derived files are removed under the running writers, one
in which whole agents are.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading

import oracle

STRESS = os.environ.get("KAIZEN_TEST_STRESS") or os.environ["KAIZEN_TEST_BUILDDIR"] + "/tests/proof/stress"
SHARED_EVERY = 5


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--executions", type=int, default=60)
    parser.add_argument("--agents", type=int, default=3)
    parser.add_argument("--instances", type=int, default=2)
    parser.add_argument("--fsync", default="always")
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    if options.full:
        options.threads, options.processes, options.executions, options.agents = 64, 2, 500, 8
    return options


# ---- the run -------------------------------------------------------------------------------------

def stress_command(options, root, *arguments):
    return [STRESS, os.environ["KAIZEN_TEST_PLUGIN"], str(root),
            "-a", str(options.agents), "-i", str(options.instances), "-s", f"fsync={options.fsync}",
            "-s", "emit_event=true", "-s", "delivery=relay", "-s", "lock_timeout_ms=60000",
            "-s", "nats_url=nats://127.0.0.1:9", *arguments]


def begin(command):
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def collect(process):
    output, messages = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"a recording process ended with {process.returncode}:\n{messages.decode()}")
    return json.loads(output)


def run_processes(options, root, *arguments):
    """Starts them together; answers the sum of what they were told."""
    running = [begin(stress_command(options, root, "-t", str(options.threads), "-n", str(options.executions),
                                    "-g", f"process-{number}", *arguments))
               for number in range(options.processes)]
    counts = [collect(process) for process in running]
    return {name: sum(count[name] for count in counts) for name in counts[0]}


def come_to_rest(options, root):
    """One more record for each agent, so that what is derived is up to date."""
    return collect(begin(stress_command(options, root, "-t", "1", "-n", str(options.agents), "-k", "0",
                                        "-g", "rest")))


class Disturber(threading.Thread):
    """Removes things under the running writers until told to stop."""

    def __init__(self, root, agents, remove):
        super().__init__(daemon=True)
        self.metrics, self.agents, self.remove = root / ".kaizen" / "metrics", agents, remove
        self.enough, self.count = threading.Event(), 0

    def run(self):
        rng = random.Random(7)
        while not self.enough.wait(0.002):
            self.count += self.remove(self.metrics / f"agent-{rng.randrange(self.agents)}", rng)

    def stop(self):
        self.enough.set()
        self.join()
        return self.count


def remove_file(folder, rng):
    try:
        (folder / rng.choice([".lock", ".next", ".index-2", "summary.json"])).unlink()
    except OSError:
        return 0
    return 1


def remove_agent(folder, _rng):
    """As `git clean` does: file by file, then the folder, where nobody has made a new file meanwhile."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


# ---- what is left --------------------------------------------------------------------------------

def agent_folders(root):
    return sorted((root / ".kaizen" / "metrics").glob("agent-*"))


def read_agent(folder, blank_lines=False):
    """Every line whole, every line a record, and the summary what they add up to."""
    raw = (folder / "executions.jsonl").read_bytes()
    if blank_lines:
        raw = b"".join(line for line in raw.splitlines(keepends=True) if line.strip())
    if not raw.endswith(b"\n"):
        raise SystemExit(f"{folder.name}: the last line is not ended")
    records = [json.loads(line) for line in raw.decode().splitlines()]
    if len(records) != raw.count(b"\n"):
        raise SystemExit(f"{folder.name}: splitlines() and \\n disagree")
    found, wanted = (folder / "summary.json").read_bytes(), oracle.summary_text(oracle.read_log(raw))
    if found != wanted:
        raise SystemExit(f"{folder.name}: summary.json is {found}\nthe log adds up to {wanted}")
    return records


def expected_pairs(options):
    """The distinct (agent, key) pairs that all these executions have."""
    pairs = set()
    for i in range(options.executions):
        agent = f"agent-{i % options.agents}"
        if i % SHARED_EVERY == 0:
            pairs.add((agent, f"shared-{i}"))
            continue
        pairs.update((agent, f"process-{process}-{thread}-{i}")
                     for process in range(options.processes) for thread in range(options.threads))
    return pairs


def check_everything(options, root, told):
    """Nobody interfered: every execution once, every event its own."""
    wanted, pairs, ids = expected_pairs(options), [], set()
    for folder in agent_folders(root):
        records = read_agent(folder)
        pairs += [(record["agent"], record["idempotency_key"]) for record in records]
        ids.update(record["event_id"] for record in records)
        if [record["event"]["execution_count"] for record in records] != list(range(1, len(records) + 1)):
            raise SystemExit(f"{folder.name}: events do not count their own lines")
    calls = options.processes * options.threads * options.executions
    if len(pairs) != len(wanted) or set(pairs) != wanted:
        raise SystemExit(f"{len(wanted)} distinct executions, {len(pairs)} lines, {len(wanted - set(pairs))} missing")
    if len(ids) != len(wanted):
        raise SystemExit(f"{len(wanted)} lines, {len(ids)} event ids")
    if (told["recorded"], told["duplicates"]) != (len(wanted), calls - len(wanted)):
        raise SystemExit(f"{calls} calls, {len(wanted)} distinct, but told {told}")
    return {"calls": calls, "lines": len(pairs), **told}


def check_disturbed(options, root, told):
    """Without a lock that all share, a key may come twice; no line is lost, torn or fused.
    What a writer takes back although another appended after it stays as a line of blanks."""
    rest = come_to_rest(options, root)
    lines = sum(len(read_agent(folder, blank_lines=True)) for folder in agent_folders(root))
    if lines != told["recorded"] + rest["recorded"]:
        raise SystemExit(f"{told['recorded'] + rest['recorded']} recorded, {lines} lines")
    missing = expected_pairs(options) - {(record["agent"], record["idempotency_key"])
                                         for folder in agent_folders(root) for record in read_agent(folder, blank_lines=True)}
    if missing:
        raise SystemExit(f"{len(missing)} executions are missing")
    return {"lines": lines, **told}


def check_cleaned(options, root, told):
    """What was removed is gone; what is there is whole."""
    come_to_rest(options, root)
    return {"lines": sum(len(read_agent(folder, blank_lines=True)) for folder in agent_folders(root)), **told}


def run_shape(options, name, remove, check, *arguments):
    root = pathlib.Path(tempfile.mkdtemp(prefix="kaizen-stress-"))
    disturber = Disturber(root, options.agents, remove) if remove else None
    try:
        if disturber:
            disturber.start()
        told = run_processes(options, root, *arguments)
        removed = {"removed": disturber.stop()} if disturber else {}
        print(json.dumps({"shape": name, **check(options, root, told), **removed}), flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def main():
    options = parse_arguments()
    run_shape(options, "undisturbed", None, check_everything, "-w")
    if options.full:
        return
    run_shape(options, "locks removed", remove_file, check_disturbed)
    run_shape(options, "agents removed", remove_agent, check_cleaned)


if __name__ == "__main__":
    sys.exit(main())

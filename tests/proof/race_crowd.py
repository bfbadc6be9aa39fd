#!/usr/bin/env python3
"""race_crowd.py - many threads of two processes record, a program without our lock appends, one with it prunes.

SPDX-License-Identifier: Apache-2.0

Usage: race_crowd.py [--threads N] [--executions N] [--agents N]

What a host was told is in the log, no key twice, every line whole, and summary.json at rest what the log adds
up to.  A line of the foreign program that is appended while the pruner rewrites goes down with the old file:
nobody can help that, and it is counted.
"""
import argparse
import fcntl
import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import types

import stress

FOREIGN = {"timestamp": "2026-01-02T03:04:05Z", "success": True, "foreign": 0}
KEPT = 10  # foreign lines that a prune leaves


class Visitor(threading.Thread):
    """Goes from agent to agent until told to stop."""

    def __init__(self, root, visit, pause_s):
        super().__init__(daemon=True)
        self.root, self.visit, self.pause_s = root, visit, pause_s
        self.enough, self.count = threading.Event(), 0

    def run(self):
        while not self.enough.wait(self.pause_s):
            for folder in stress.agent_folders(self.root):
                if (folder / "executions.jsonl").exists():
                    self.count += self.visit(folder)

    def stop(self):
        self.enough.set()
        self.join()
        return self.count


def append(folder):
    """One write, as the Python program does."""
    line = json.dumps({**FOREIGN, "agent": folder.name}) + "\n"
    with open(folder / "executions.jsonl", "ab", buffering=0) as log:
        log.write(line.encode())
    return 1


def prune(folder):
    """Under our lock: a new file without the older foreign lines, put under the old name."""
    log, spare = folder / "executions.jsonl", folder / ".pruned"
    with open(folder / ".lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lines = log.read_bytes().splitlines(keepends=True)
        foreign = [number for number, line in enumerate(lines) if b'"foreign"' in line]
        gone = set(foreign[:-KEPT])
        spare.write_bytes(b"".join(line for number, line in enumerate(lines) if number not in gone))
        os.replace(spare, log)
    return len(gone)


def judge(root, told_file, appended, pruned):
    told = {tuple(line.split()[:2]) for line in told_file.read_text().splitlines()}
    lines = foreign = blank = 0
    for folder in stress.agent_folders(root):
        blank += sum(not line.strip() for line in (folder / "executions.jsonl").read_bytes().splitlines())
        records = stress.read_agent(folder, blank_lines=True)
        keys = [record["idempotency_key"] for record in records if "foreign" not in record]
        if len(keys) != len(set(keys)):
            raise SystemExit(f"{folder.name}: a key stands in the log twice")
        told -= {(folder.name, key) for key in keys}
        lines += len(records)
        foreign += len(records) - len(keys)
    if told:
        raise SystemExit(f"{len(told)} executions were told to be recorded and are in no log: {sorted(told)[:5]}")
    return {"lines": lines, "blank_lines": blank, "foreign_appended": appended, "foreign_pruned": pruned,
            "foreign_lost": appended - pruned - foreign}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--executions", type=int, default=100)
    parser.add_argument("--agents", type=int, default=4)
    asked = parser.parse_args()
    options = types.SimpleNamespace(processes=2, instances=2, fsync="always", **vars(asked))
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="kaizen-crowd-"))
    root, told_file = scratch / "shop", scratch / "told"
    root.mkdir()
    told_file.touch()
    appender, pruner = Visitor(root, append, 0.001), Visitor(root, prune, 0.05)
    try:
        appender.start()
        pruner.start()
        told = stress.run_processes(options, root, "-o", str(told_file))
        appended, pruned = appender.stop(), pruner.stop()
        stress.come_to_rest(options, root)
        print(json.dumps({**told, **judge(root, told_file, appended, pruned)}))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

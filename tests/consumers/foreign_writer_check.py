#!/usr/bin/env python3
"""foreign_writer_check.py - eight threads record through the plugin while another program appends and prunes.

SPDX-License-Identifier: Apache-2.0

Usage: foreign_writer_check.py [--records N] [--foreign N] [--prunes N]

tests/consumers/foreign_writer.py appends as many records as --foreign says (60) and prunes up to --prunes times meanwhile
(20); each thread records N executions (20) and goes on as long as the other program does.  With the lock
nothing may be lost or doubled on either side.  Without it recording must go on, every record of ours that was
not rewritten away must stand on one whole line, what a rewrite took must have been noticed, and at rest the
summary must be what the log adds up to.  The last lines are a table of what was lost and doubled.
"""
import argparse
import collections
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import oracle

HERE = pathlib.Path(__file__).resolve().parent
from kaizen_ctypes import Kaizen, KaizenError

THREADS = 8
LOG_REWRITTEN = 110  # message id, docs/operations.md

Count = collections.namedtuple("Count", "written lost doubled")


class Run:
    """One project, one foreign writer, eight recording threads."""

    def __init__(self, lock, style, prune, args):
        self.lock, self.style, self.prune, self.args = lock, style, prune, args
        self.failures, self.messages = [], collections.Counter()
        self.written, self.other_is_done = [0] * THREADS, threading.Event()

    def expect(self, fact, what):
        if not fact:
            self.failures.append(what)

    def record(self, kaizen, worker):
        while self.written[worker] < self.args.records or not self.other_is_done.is_set():
            number = self.written[worker]
            self.written[worker] += 1
            try:
                kaizen.record("coach", success=number % 4 != 0, quality_score=0.75,
                              idempotency_key=f"{worker}-{number}")
            except KaizenError as error:
                self.failures.append(f"record {worker}-{number}: {error}")

    def run(self):
        root = pathlib.Path(tempfile.mkdtemp(prefix="foreign-"))
        folder = root / ".kaizen" / "metrics" / "coach"
        folder.mkdir(parents=True)
        try:
            self.write(root, folder)
            self.check((folder / "executions.jsonl").read_bytes(), (folder / "summary.json").read_bytes())
        finally:
            shutil.rmtree(root)
        return self

    def write(self, root, folder):
        with Kaizen(os.environ["KAIZEN_TEST_PLUGIN"], project_root=str(root), retention_days=0,
                    log=lambda level, number, text: self.messages.update([number])) as kaizen:
            other = subprocess.Popen(
                [sys.executable, HERE / "foreign_writer.py", *(["--lock"] if self.lock else []),
                 "--style", self.style, "--prune", self.prune, "--count", str(self.args.foreign),
                 "--every", str(max(self.args.foreign // self.args.prunes, 1)), folder],
                stdout=subprocess.PIPE)
            other.stdout.readline()  # it has begun
            threads = [threading.Thread(target=self.record, args=(kaizen, worker)) for worker in range(THREADS)]
            for thread in threads:
                thread.start()
            self.expect(other.wait() == 0, "the foreign writer failed")
            self.other_is_done.set()
            for thread in threads:
                thread.join()
            other.stdout.close()
            kaizen.record("coach", success=True, idempotency_key="last")
            self.come_to_rest(kaizen, folder)

    def come_to_rest(self, kaizen, folder):
        """A rewrite in place is looked at once more, by a call a second later."""
        deadline = time.monotonic() + 30
        while not self.adds_up(folder) and time.monotonic() < deadline:
            kaizen.record("coach", success=True, idempotency_key="last")

    @staticmethod
    def adds_up(folder):
        records = oracle.read_log((folder / "executions.jsonl").read_bytes())
        return (folder / "summary.json").read_bytes() == oracle.summary_text(records)

    def check(self, log, summary):
        records = oracle.read_log(log)
        ours = collections.Counter(record.key for record in records if record.key)
        theirs = collections.Counter(record.members["metadata"]["foreign"] for record in records
                                     if "foreign" in (record.members.get("metadata") or {}))
        wanted = [f"{worker}-{number}" for worker in range(THREADS) for number in range(self.written[worker])]
        self.ours = self.count(ours, [*wanted, "last"])
        self.theirs = self.count(theirs, range(self.args.foreign))
        lines = [line for line in oracle.split_lines(log) if line.strip()]
        self.garbage = len(lines) - len(records)

        self.expect(self.ours.doubled == 0, f"{self.ours.doubled} records of ours are doubled")
        self.expect(self.theirs.doubled == 0, f"{self.theirs.doubled} of the other program's records are doubled")
        self.expect(summary == oracle.summary_text(records), "summary.json is not what the log adds up to")
        if self.lock or self.prune == "none":
            self.expect(self.ours.lost == 0, f"{self.ours.lost} records of ours are lost")
        if self.lock or (self.prune == "none" and self.style == "single"):
            self.expect(self.theirs.lost == 0, f"{self.theirs.lost} of the other program's records are lost")
            self.expect(self.garbage == 0, f"{self.garbage} lines are not records")
        elif self.ours.lost and self.prune != "none":
            self.expect(self.messages[LOG_REWRITTEN] > 0, "nobody said that the log was rewritten")

    @staticmethod
    def count(found, wanted):
        return Count(len(wanted), sum(key not in found for key in wanted),
                     sum(times - 1 for times in found.values()))

    def row(self):
        return (f"| {'yes' if self.lock else 'no'} | {self.style} | {self.prune} | {self.ours.written} "
                f"| {self.ours.lost} | {self.ours.doubled} | {self.theirs.written} | {self.theirs.lost} "
                f"| {self.theirs.doubled} | {self.garbage} |")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--records", type=int, default=20)
    parser.add_argument("--foreign", type=int, default=60)
    parser.add_argument("--prunes", type=int, default=20)
    args = parser.parse_args()

    runs = [Run(lock, style, prune, args).run() for lock in (True, False)
            for style in ("single", "pieces") for prune in ("none", "rename", "in-place")]
    failed = [f"{'with' if run.lock else 'without'} the lock, {run.style}, prune {run.prune}: {failure}"
              for run in runs for failure in run.failures]
    for failure in failed[:40]:
        print("FAILED:", failure)
    print("| lock | appends | prunes | ours | lost | doubled | theirs | lost | doubled | lines that are not records |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    print("\n".join(run.row() for run in runs))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""fault_test.py - every call of the plugin to the system, and every allocation, fails.

SPDX-License-Identifier: Apache-2.0

Usage: fault_test.py [--quick] [--kind KIND]... [SCENARIO...]

For each history, kind of call and error number: the n-th call on a file of the project fails, for every n,
once and forever after; writes are also cut short; another program writes in between without the lock.
The faults come from a preloaded library.  Then the faults end, and the same keys are given again by the same
instance and by a new process.  Checked: what each answer promised (3, 4), exactly one record a key (10), the
summary (12), delivery (13, 14), nothing but answers to the host (18, 19), no descriptor left open.
"""
import argparse
import errno
import os
import shutil
import sys
import time

import proof_world as world
from broker_support import Client, Server

E = errno
KINDS = {
    "open": [E.EACCES, E.EMFILE, E.ENOMEM, E.EIO, E.EROFS, E.ENOSPC, E.EDQUOT, E.ESTALE, E.EINTR],
    "write": [E.EIO, E.ENOSPC, E.EDQUOT, E.EROFS, E.ESTALE, E.EINTR],
    "pwrite": [E.EIO, E.ENOSPC, E.EDQUOT, E.EROFS, E.ESTALE, E.EINTR],
    "fsync": [E.EIO, E.ENOSPC, E.EDQUOT, E.EROFS, E.ESTALE, E.EINTR],
    "fdatasync": [E.EIO, E.ENOSPC, E.EDQUOT, E.EROFS, E.ESTALE, E.EINTR],
    "ftruncate": [E.EIO, E.EACCES, E.EINTR],
    "rename": [E.EIO, E.ENOSPC, E.EDQUOT, E.EROFS, E.EACCES, E.ENOMEM, E.ESTALE],
    "flock": [E.EIO, E.ENOLCK, E.ENOMEM, E.ESTALE, E.EINTR],
    "stat": [E.EIO, E.ENOMEM, E.EACCES, E.ESTALE],
    "close": [E.EIO, E.ENOSPC, E.EDQUOT, E.EINTR],
    "read": [E.EIO, E.ENOMEM, E.ESTALE, E.EINTR],
    "mkdir": [E.EIO, E.ENOSPC, E.EDQUOT, E.EROFS, E.EACCES, E.ENOMEM],
    "unlink": [E.EIO, E.EROFS, E.EACCES, E.ENOMEM],
    "fallocate": [E.EIO, E.ENOSPC, E.EDQUOT, E.EINTR],
    "lseek": [E.EIO],
    "any": [E.EIO, E.ENOSPC],
    "memory": [E.ENOMEM],
}
SHORTENED = ("write", "pwrite", "read", "any")
INTRUDED = ("write", "fdatasync", "fsync")
SCENARIOS = ["first", "plain", "append", "duplicate", "unsynced", "torn", "rebuild", "prune", "repair", "copied",
             "group", "batch"]
QUICK = ["first", "append", "prune"]


class Test:
    def __init__(self, quick):
        self.quick = quick
        self.folder = world.work_folder()
        self.root = os.path.join(self.folder, "project")
        self.driver = world.Driver(preload=True)
        self.failures = 0
        self.faults = {"io_faults": 0, "allocation_faults": 0}

    def fail(self, where, wrong):
        self.failures += 1
        for message in wrong:
            print(f"FAILED {where}: {world.shorten(message)}", flush=True)
        if self.failures >= 40:
            raise SystemExit(self.finish())

    def finish(self):
        self.driver.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        world.figures([(name, value, "faults") for name, value in self.faults.items()])
        print(f"fault_test: {self.failures} failures" if self.failures else "fault_test: all promises held")
        return 1 if self.failures else 0

    # ---- one fault ----

    def once(self, scenario, kind, nth, sticky, os_error, shorten, intrusion):
        """Whether the n-th call exists."""
        world.fresh(self.root)
        setup = world.Facts()
        for line in self.driver.ask("setup", scenario, self.root, "always")[0]:
            setup.read(line)
        log = world.read_bytes(os.path.join(world.agent_folder(self.root), "executions.jsonl"))
        lines, end = self.driver.ask("fault", scenario, self.root, "always", kind, nth, sticky, os_error,
                                     shorten, intrusion)
        run = Run(scenario, setup, lines, len(log) if intrusion == "none" else None)
        wrong = [f"the process ended by {end}"] if end != ("done", 0) else []
        wrong += run.check(kind if os_error else None, intrusion)
        wrong += world.recover(self.driver, self.root, "always", scenario, run.facts)
        # these are made and synced when there may be no log yet that another program could write to
        early = run.where.endswith(".gitignore") or "/coach" not in run.where
        if intrusion == "line" and run.failed and run.log_existed and not early:
            log = world.read_bytes(os.path.join(world.agent_folder(self.root), "executions.jsonl"))
            if log.count(b'"foreign"') != 1:
                wrong.append(f"promise 6: {log.count(b'foreign')} of the other program's line are left")
        name = errno.errorcode.get(os_error, "well")
        if wrong:
            self.fail(f"{scenario}: {kind} {nth} {'and after' if sticky else 'once'} {name}"
                      f"{' short' if shorten else ''} {intrusion} at {run.where}", wrong)
        return run.failed > 0 or (os_error == 0 and run.calls >= nth)

    def every(self, scenario, kind, sticky, os_error, shorten=0, intrusion="none", step=1):
        nth = 1
        while self.once(scenario, kind, nth, sticky, os_error, shorten, intrusion):
            self.faults["allocation_faults" if kind == "memory" else "io_faults"] += 1
            nth += step


class Run:
    """What the driver says about one history with a fault in it."""

    def __init__(self, scenario, setup, lines, size):
        self.scenario = scenario
        self.facts = setup.copy()
        self.before = set(setup.told)
        self.answers, self.left, self.again = {}, {}, {}  # answers: all that a key was given
        self.calls = self.failed = 0
        self.where = "-"
        self.descriptors = None
        self.size, self.bytes = size, 0
        self.log_existed = scenario not in ("first",)
        calm = False
        for line in lines:
            words = line.split(" ")
            if words[0] in ("told", "told-batch", "told-repair", "acked", "give"):
                self.facts.read(line)
            if words[0] == "told":
                (self.again if calm else self.answers).setdefault(words[2], []).append(int(words[3]))
            elif words[0] == "calm":
                calm, self.calls, self.failed, self.where = True, int(words[1]), int(words[2]), words[3]
            elif words[0] == "left":
                self.left[words[2]] = int(words[3])
            elif words[0] == "closed":
                self.failed += int(words[1])
            elif words[0] == "bytes":
                self.bytes = int(words[1])
            elif words[0] == "descriptors":
                self.descriptors = int(words[1])

    def check(self, kind, intrusion):
        wrong = []
        if self.descriptors != 0:
            wrong.append(f"promise 18: {self.descriptors} descriptors are left open")
        for key, codes in self.answers.items():
            if not all(code in (0, 1) or -127 <= code <= -64 for code in codes):
                wrong.append(f"{key}: answered {codes}")
            left = self.left.get(key)
            if left is None or intrusion == "piece":
                continue
            if (max(codes) >= 0 or key in self.before) and left != 1:
                wrong.append(f"promise 3: {key} was answered {codes}, {left} lines have it")
            elif -95 <= min(codes) <= max(codes) <= -64 and key not in self.before and left != 0:
                wrong.append(f"promise 3: {key} was answered {codes}, and {left} lines have it")
        for key, (code, *_) in self.again.items():
            known = key in self.before or max(self.answers.get(key, [-1])) >= 0
            if code not in (0, 1) or (known and code != 1):
                wrong.append(f"{key}: {self.answers.get(key)}, given again: {code}")
        if "next" not in self.again:
            wrong.append("the instance cannot be used any more")
        codes = [code for key, given in self.answers.items() if key not in self.before for code in given]
        if self.size is not None and codes and -95 <= min(codes) <= max(codes) < 0 and \
                self.bytes > self.size + 1:  # a newline may end a line that somebody else left torn
            wrong.append(f"promise 3: {self.bytes - self.size} bytes are left behind, {self.answers}")
        return wrong + self.check_sync(kind)

    def check_sync(self, kind):
        """Promise 4: what could not be made durable is not called recorded."""
        if kind not in ("fsync", "fdatasync") or not self.failed or self.where == "-":
            return []
        aside = self.scenario in ("prune", "repair") and not self.where.endswith("executions.jsonl")
        if aside or not self.answers or min(map(min, self.answers.values())) < 0:
            return []
        if self.scenario == "batch" and self.facts.batch != 0:
            return []
        return [f"promise 4: {self.where} could not be synced, answers {self.answers}"]


def rounds(kind, quick):
    """(sticky, error, shorten, intrusion)"""
    errors = KINDS[kind]
    if quick:
        errors = errors[:1] if kind not in ("write", "pwrite", "open") else errors[:2]
    for os_error in errors:
        yield 0, os_error, 0, "none"
        yield 1, os_error, 0, "none"
    if kind in SHORTENED:
        yield 0, E.ENOSPC, 1, "none"
        yield 1, E.ENOSPC, 1, "none"
    if kind in INTRUDED:
        for intrusion in ("line", "piece"):
            for os_error in (0, E.EIO):
                yield 0, os_error, 0, intrusion
        yield 1, E.ENOSPC, 1, "line"


def publishing(test):
    """Every allocation of the plugin, its publisher's among them: it goes on when there is memory again."""
    if not shutil.which("nats-server"):
        print("SKIP publishing: nats-server is not installed")
        return
    server = Server(test.folder)
    server.start()
    try:
        Client(server.url).make_stream()
        fail_allocations(test, server.url)
    finally:
        server.kill()


def fail_allocations(test, url):
    driver = world.Driver(preload=True, variables={"PROOF_NATS_URL": url})
    for sticky in (0, 1):
        nth, failed = 0, True
        while failed:
            nth += 5 if test.quick else 1
            world.fresh(test.root)
            lines, end = driver.ask("fault", "first", test.root, "always", "own_memory", nth, sticky, E.ENOMEM,
                                    0, "none")
            failed = any(line.startswith("calm ") and line.split(" ")[2] != "0" for line in lines)
            wrong = [f"the process ended by {end}"] if end != ("done", 0) else []
            wrong += ["events are not sent when there is memory again"] if "unsent" in lines else []
            if wrong:
                test.fail(f"publishing: allocation {nth} {'and after' if sticky else 'once'}", wrong)
            test.faults["allocation_faults"] += failed
    driver.close()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--kind", action="append")
    parser.add_argument("scenario", nargs="*")
    args = parser.parse_intermixed_args()

    test = Test(args.quick)
    for scenario in args.scenario or (QUICK if args.quick else SCENARIOS):
        begun, before = time.monotonic(), sum(test.faults.values())
        for kind in args.kind or KINDS:
            for sticky, os_error, shorten, intrusion in rounds(kind, args.quick):
                test.every(scenario, kind, sticky, os_error, shorten, intrusion,
                           4 if args.quick and scenario == "prune" else 1)
        print(f"{scenario}: {sum(test.faults.values()) - before} faults, "
              f"{time.monotonic() - begun:.1f} s", flush=True)
    if not args.scenario and (not args.kind or "memory" in args.kind):
        publishing(test)
    return test.finish()


if __name__ == "__main__":
    sys.exit(main())

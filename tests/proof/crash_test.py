#!/usr/bin/env python3
"""crash_test.py - every interruption of recording: loss of power, and kill -9.

SPDX-License-Identifier: Apache-2.0

Usage: crash_test.py [states|kill|all] [--quick] [SCENARIO...]

states  The calls of each history are traced; every state the disk may be in after a loss of power at each
        of them is laid out, and a new process recovers on each distinct one (see crash_states.py).
kill    Each history is run again and again, killed before its n-th system call for every n, and recovered;
        at a sample of places that recovery is killed too, before each of its own calls.
After each, promises 1, 3, 5, 8, 10 to 16 and 23 are checked by programs that share no code with the plugin.
"""
import argparse
import concurrent.futures
import hashlib
import os
import shutil
import sys
import time

import crash_states
import proof_world as world

# What differs after a loss of power, and what must seem not to: the same disk in the same place.
NEXT_BOOT = "00000000-0000-4000-8000-0000000000b2\n"


FAILURES_MAX = 20


class Enough(Exception):
    """More of the same would tell nothing."""


class Test:
    """One history and one kind of interruption: its folder, and what was found."""

    def __init__(self):
        self.failures = 0
        self.folder = world.work_folder()
        self.root = os.path.join(self.folder, "project")
        self.counts = {}

    def count(self, name, more=1):
        self.counts[name] = self.counts.get(name, 0) + more

    def fail(self, where, wrong, keep=None):
        for message in wrong:
            print(f"FAILED {where}: {world.shorten(message)}", flush=True)
        self.failures += 1
        if keep is not None and self.failures == 1 and os.environ.get("KAIZEN_PROOF_KEEP"):
            shutil.copytree(keep, os.environ["KAIZEN_PROOF_KEEP"], dirs_exist_ok=True)
        if self.failures >= FAILURES_MAX:
            raise Enough


# ---- loss of power ---------------------------------------------------------------------------------

def facts_at(setup, markers, point):
    facts = setup.copy()
    for sequence, text in markers:
        if sequence <= point:
            facts.read(text)
    return facts


def in_flight(setup, markers, point, fsync):
    """Everything the history has given by then or will: a host gives again what was not answered."""
    facts = facts_at(setup, markers, point)
    if fsync == "never":  # a loss of power may take what was answered; what it leaves is recorded once
        facts.told = dict.fromkeys(facts.told)
    for _, text in markers:
        words = text.split(" ")
        if words[0] == "give":
            facts.told.setdefault(words[2], None)
    return facts


def states_of(test, scenario, fsync, cap):
    boot = os.path.join(test.folder, "boot_id")
    with open(boot, "w", encoding="ascii") as file:
        file.write(NEXT_BOOT)
    same = {"PROOF_SAME_FOLDER": "1"}
    first = world.Driver(preload=True, variables=same)
    later = world.Driver(preload=True, variables=dict(
        same, PROOF_BOOT_ID=boot, PROOF_INODES=os.path.join(test.folder, "inodes")))
    world.fresh(test.root)
    setup = world.Facts()
    for line in first.ask("setup", scenario, test.root, fsync)[0]:
        setup.read(line)
    initial = world.snapshot(test.root)
    unsynced, renamed = [], []
    path = ".kaizen/metrics/coach/executions.jsonl"
    if scenario == "renamed":  # a pruner was killed before it synced the folder
        renamed = [(path, b'{"agent":"coach","success":true,"idempotency_key":"old"}\n' + initial[path])]
    if scenario == "unsynced":
        unsynced = [(path, world.last_line_at(initial[path]))]
        setup.told.pop("k1")
    trace = crash_states.record(
        test.root, initial, unsynced, renamed,
        ["env", "PROOF_SAME_FOLDER=1", "LD_PRELOAD=" + world.environment("KAIZEN_PROOF_PRELOAD"),
         first.program, first.plugin, "run", scenario, test.root, fsync],
        os.path.join(test.folder, "trace"))
    if not any(text == "ended" for _, text in trace.markers):
        test.fail(f"states {scenario}", ["the history did not end"])
    log = world.read_bytes(os.path.join(world.agent_folder(test.root), "executions.jsonl"))
    if scenario == "prune" and b'"old0"' in log or scenario == "repair" and b"BAD1" in log:
        test.fail(f"states {scenario}", ["nothing was taken out of the log"])
    test.count("crash_points", len(trace.points) + 1)
    examine(test, scenario, fsync, setup, trace, cap, later)
    first.close()
    later.close()


def examine(test, scenario, fsync, setup, trace, cap, driver):
    seen = set()
    facts, facts_point = None, -1
    for point, state, inodes in crash_states.states(trace, cap):
        if point != facts_point:
            facts, facts_point = in_flight(setup, trace.markers, point, fsync), point
            answered = repr((sorted(facts.told.items(), key=str), facts.acked, facts.batch)).encode()
        digest = hashlib.blake2b(answered, digest_size=16)
        for path in sorted(state):
            digest.update(path.encode() + b"\0" + (state[path] or b"") + b"\0")
        if digest.digest() in seen:
            continue
        seen.add(digest.digest())
        world.materialize(test.root, state)
        world.write_inodes(test.root, inodes, os.path.join(test.folder, "inodes"))
        wrong = world.recover(driver, test.root, fsync, scenario, facts)
        if wrong:
            world.materialize(test.root, state)
            test.fail(f"states {scenario} {fsync} at {point} of {trace.points[-1]}", wrong, test.root)
    test.count("distinct_states", len(seen))


# ---- kill -9 ---------------------------------------------------------------------------------------

def kill_once(test, driver, scenario, fsync, kill_at, recovery_kill_at=0):
    """False when the history ended before it was killed; what recovery of the recovery found last."""
    where = f"kill {scenario} {fsync} before call {kill_at}"
    facts = world.Facts()
    world.fresh(test.root)
    for line in driver.ask("setup", scenario, test.root, fsync)[0]:
        facts.read(line)
    lines, end = driver.ask("run", scenario, test.root, fsync, kill_at)
    for line in lines:
        facts.read(line)
    wrong = world.check_reader(test.root)
    if end[0] == "crashed":
        wrong.append(f"the history ended by {end}")
    interrupted = False
    if recovery_kill_at:
        where += f", recovery before call {recovery_kill_at}"
        lines, again = driver.ask("recover", test.root, fsync, recovery_kill_at, world.AGENT,
                                  *world.keys_of(scenario, facts, world.AGENT))
        interrupted = again[0] == "killed"
        for line in lines:
            facts.read(line)
        facts.told.pop("after", None)
        wrong += world.check_reader(test.root)
    wrong += world.recover(driver, test.root, fsync, scenario, facts)
    if wrong:
        test.fail(where, wrong, test.root)
    return end[0] == "killed", interrupted


def kills_of(test, scenario, fsync, step, recovery_step):
    driver = world.Driver()
    kill_at, number = 1, 0
    while True:
        killed, _ = kill_once(test, driver, scenario, fsync, kill_at)
        if not killed:
            break
        test.count("kill_points")
        number += 1
        if recovery_step and number % recovery_step == 0 and scenario != "batch":
            recovery_kill_at = 1
            while kill_once(test, driver, scenario, fsync, kill_at, recovery_kill_at)[1]:
                test.count("recovery_kill_points")
                recovery_kill_at += 2 * step if step > 1 else 1
        kill_at += step
    driver.close()


# ---- all -------------------------------------------------------------------------------------------

QUICK_STATES = ["first", "plain", "append", "unsynced", "renamed", "prune", "cursor", "repair", "torn",
                "index"]
CAPS = {"ahead": 3}  # its files are a hundred times as large as the others'
QUICK_CAPS = {"index": 1, "ahead": 1}
QUICK_KILLS = ["first", "append", "prune", "cursor", "repair", "torn", "group"]


def interrupt(what, scenario, fsync, quick, cap):
    """One unit of the work, in a process of its own: what was counted, and how many failures."""
    test = Test()
    begun = time.monotonic()
    try:
        if what == "states":
            states_of(test, scenario, fsync, cap or (QUICK_CAPS.get(scenario, 4) if quick else CAPS.get(scenario, 40)))
        else:
            kills_of(test, scenario, fsync, 9 if quick else 1, 25 if fsync == "always" else 0)
    except Enough:
        pass
    finally:
        shutil.rmtree(test.folder, ignore_errors=True)
    print(f"{what} {scenario} {fsync}: "
          + "".join(f"{value} {name}, " for name, value in test.counts.items())
          + f"{time.monotonic() - begun:.1f} s", flush=True)
    return test.counts, test.failures


def units(whats, scenarios, every, quick):
    for what in whats:
        short = QUICK_STATES if what == "states" else QUICK_KILLS
        for scenario in scenarios or (short if quick else every):
            yield what, scenario, "always"
            if scenario == "index" or (what == "kill" and not quick):
                yield what, scenario, "never"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("what", nargs="?", choices=["states", "kill", "all"], default="all")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--cap", type=int)
    parser.add_argument("scenario", nargs="*")
    args = parser.parse_intermixed_args()

    if not shutil.which("strace") and args.what != "kill":
        print("SKIP crash states: strace is not installed")
        if args.what == "states":
            return 77
        args.what = "kill"
    driver = world.Driver()
    every = driver.ask("list")[0]
    driver.close()
    whats = ["states", "kill"] if args.what == "all" else [args.what]
    counts, failures = {}, 0
    with concurrent.futures.ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for done in [pool.submit(interrupt, *unit, args.quick, args.cap)
                     for unit in units(whats, args.scenario, every, args.quick)]:
            counted, failed = done.result()
            failures += failed
            for name, value in counted.items():
                counts[name] = counts.get(name, 0) + value
    world.figures([(name, value, "states" if "states" in name else "points")
                   for name, value in sorted(counts.items())])
    print(f"crash_test: {failures} failures" if failures else "crash_test: all promises held")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

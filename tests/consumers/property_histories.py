#!/usr/bin/env python3
"""property_histories.py - random histories through the plugin against the oracle.

SPDX-License-Identifier: Apache-2.0

Usage: property_histories.py [--count N] [--seed S] [--replay FILE]

Runs N histories (300) made from seeds S, S+1, ...; S is 1 unless given, so that a run can be repeated.
The first history on which plugin and oracle differ is shrunk to a small one and printed; kept in a file,
it can be given back with --replay.  KAIZEN_TEST_PLUGIN names the plugin.
"""
import argparse
import collections
import copy
import json
import os
import random
import shutil
import sys
import tempfile

from property_generate import history
from property_world import Violation, World


def run(plugin, candidate, counts=None):
    """The violation of this history as text, or None."""
    root = tempfile.mkdtemp(prefix="history-")
    world = World(plugin, root, candidate["options"])
    try:
        world.run(copy.deepcopy(candidate["steps"]))
        return None
    except Violation as violation:
        return str(violation)
    finally:
        world.close()
        shutil.rmtree(root, ignore_errors=True)
        if counts is not None:
            counts.update(world.counts)


# ---- shrinking -------------------------------------------------------------------------------------

def without_steps(candidate):
    """Candidates with a run of steps left out, long runs first."""
    steps = candidate["steps"]
    length = len(steps)
    while length:
        for start in range(0, len(steps) - length + 1):
            yield {**candidate, "steps": steps[:start] + steps[start + length:]}
        length //= 2


def simpler_steps(candidate):
    """Candidates with one step made simpler: a field, a line or a part of the text left out."""
    for index, step in enumerate(candidate["steps"]):
        simpler = []
        if step["do"] == "record":
            simpler += [{**step, "fields": {k: v for k, v in step["fields"].items() if k != name}}
                        for name in step["fields"] if name != "success"]
            simpler += [{**step, "instance": 0}] if step["instance"] else []
        elif step["do"] == "append":
            lines = step["text"].split("\n")
            simpler += [{**step, "text": "\n".join(lines[:i] + lines[i + 1:])} for i in range(len(lines) - 1)]
        for changed in simpler:
            yield {**candidate, "steps": candidate["steps"][:index] + [changed] + candidate["steps"][index + 1:]}


def kind_of(violation):
    """What differed, without the values: shrinking must not wander to another fault."""
    return violation.split(": ", 2)[1]


def shrink(plugin, candidate, violation):
    kind = kind_of(violation)
    progress = True
    while progress:
        progress = False
        for smaller in (*without_steps(candidate), *simpler_steps(candidate)):
            found = run(plugin, smaller)
            if found and kind_of(found) == kind:
                candidate, violation, progress = smaller, found, True
                break
    return candidate, violation


def report(candidate, violation, origin):
    print(f"FAILED: {origin}: {violation}")
    print("the smallest history found that shows it:")
    print(json.dumps(candidate, indent=1))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay")
    args = parser.parse_args()
    plugin = os.environ["KAIZEN_TEST_PLUGIN"]

    if args.replay:
        with open(args.replay, encoding="utf-8") as file:
            candidate = json.load(file)
        violation = run(plugin, candidate)
        print(f"FAILED: {violation}" if violation else "ok: plugin and oracle agree on it")
        return 1 if violation else 0

    counts = collections.Counter()
    for seed in range(args.seed, args.seed + args.count):
        candidate = history(random.Random(seed))
        violation = run(plugin, candidate, counts)
        if violation:
            report(*shrink(plugin, candidate, violation), f"seed {seed}")
            return 1
        counts["histories"] += 1
    print("ok:", ", ".join(f"{counts[name]} {name}" for name in (
        "histories", "recorded", "marked", "duplicates", "rejected", "append", "prune", "edit", "damage",
        "reopen", "clock", "pruned")))
    if args.count >= 300:
        idle = [name for name in ("recorded", "marked", "duplicates", "rejected", "pruned") if not counts[name]]
        if idle:
            print("FAILED: no history had any", ", ".join(idle))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""consumer_node.py - a durable pull consumer on the npm client reads the stream that the plugin filled.

SPDX-License-Identifier: Apache-2.0

Usage: consumer_node.py [--processes N] [--records N] [--restarts N]

As consumer_raw.py, but the consumer is tests/consumers/consumer-node: explicit acknowledgements, some messages handed
back first, a stop in the middle and a second run of the same durable, every event sent twice, dedup by id, and
ajv on every event.  Skipped when node is missing or npm cannot fetch the client.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys

from consumer_support import HERE, SCHEMA, STREAM, BrokerRun, differences, first_of_each


# What python was started with to load a sanitized plugin is not for node.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def install(folder):
    """The consumer with its modules, or why it is unavailable."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are not installed"
    shutil.copytree(HERE / "consumer-node", folder)
    os.chmod(folder, 0o755)
    result = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"],
                            cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    return None if result.returncode == 0 else "npm cannot fetch the client"


def consume(run, folder, name, *options):
    result = subprocess.run(
        ["node", folder / "consumer.mjs", run.server.url, STREAM, "router", SCHEMA, run.scratch / name, *options],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    if result.returncode or not result.stdout:
        raise RuntimeError(f"consumer.mjs: {result.stdout}{result.stderr}")
    lines = [line.split(b" ", 1) for line in (run.scratch / name).read_bytes().split(b"\n") if line]
    return json.loads(result.stdout), [(int(place), payload) for place, payload in lines]


def check(run, folder, args):
    failures = [f"a recording process ended with {status}" for status in
                run.record(args.processes, 4, args.records, args.restarts) if status]
    for arguments in (["drain", "--timeout", "120"], ["drain", "--resend-all", "--timeout", "120"]):
        drained = run.host(*arguments)
        failures += [f"{arguments}: {drained.stdout}"] if drained.returncode else []
    expected = run.expected()
    marked = sum(map(len, expected.values()))

    first, some = consume(run, folder, "first", "--stop-after", str(marked // 3), "--nak-every", "7")
    second, rest = consume(run, folder, "second")
    third, nothing = consume(run, folder, "third")
    # What was handed back comes out of order: the order that counts is the stream's.
    payloads = [payload for _, payload in sorted(some + rest)]
    received, changed = first_of_each(payloads)
    failures += differences(received, expected) + changed
    failures += ["the durable began again"] if nothing or third["received"] else []
    failures += ["nothing was handed back"] if not first["handed_back"] else []
    counts = {name: first[name] + second[name] for name in first}
    return failures, {"sent": marked, "received": counts["received"], "redelivered": counts["redelivered"],
                      "distinct": len({json.loads(payload)["id"] for payload in payloads}),
                      "schema_valid": counts["valid"], "handed_back": counts["handed_back"]}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--records", type=int, default=100)
    parser.add_argument("--restarts", type=int, default=0)
    args = parser.parse_args()
    with BrokerRun() as run:
        folder = run.scratch / "consumer-node"
        missing = install(folder)
        if missing:
            print(f"SKIP: {missing}")
            return 77
        failures, counts = check(run, folder, args)
    for failure in failures[:20]:
        print("FAILED:", failure)
    print("counts", json.dumps(counts))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

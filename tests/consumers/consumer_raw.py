#!/usr/bin/env python3
"""consumer_raw.py - what arrives on the wire, byte for byte, against what the oracle says of the logs.

SPDX-License-Identifier: Apache-2.0

Usage: consumer_raw.py [--processes N] [--records N] [--restarts N]

Processes of four threads record N executions a thread (2 processes, 100 records); the broker is killed and started
again meanwhile as often as --restarts says (0).  Then every event is sent a second time.  A raw subscriber takes
what comes: each frame, each byte of each event, the order within each agent, and what a repeat says have to
be right; python3-jsonschema judges every event by the closed schema.
"""
import argparse
import json
import sys

from consumer_support import SCHEMA, BrokerRun, differences, first_of_each, wait_until

try:
    import jsonschema
except ImportError:
    jsonschema = None


def schema_errors(payloads):
    validator = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))
    return [f"{payload.decode()}: {error.message}" for payload in payloads
            for error in validator.iter_errors(json.loads(payload))]


def check(run, args):
    failures = [f"a recording process ended with {status}" for status in
                run.record(args.processes, 4, args.records, args.restarts) if status]
    drained = run.host("drain", "--timeout", "120")
    failures += [f"drain: {drained.stdout}"] if drained.returncode else []
    before = len(run.listener.payloads)
    expected = run.expected()
    marked = sum(map(len, expected.values()))
    failures += [] if expected == run.recounted() else ["a line's own numbers are not a recount of those before it"]
    if not args.restarts:  # a plain subscription has what was sent while it stood
        failures += differences(first_of_each(run.listener.payloads)[0], expected)

    again = run.host("drain", "--resend-all", "--timeout", "120")
    failures += [f"drain --resend-all: {again.stdout}"] if again.returncode else []
    wait_until(lambda: len(run.listener.payloads) >= before + marked)
    payloads = list(run.listener.payloads)
    received, changed = first_of_each(payloads[before:])
    failures += differences(received, expected) + changed + first_of_each(payloads)[1] + run.listener.errors
    invalid = schema_errors(payloads) if jsonschema else []
    failures += invalid
    distinct = len({json.loads(payload)["id"] for payload in payloads})
    return failures, {"sent": marked, "received": len(payloads), "distinct": distinct,
                      "schema_valid": len(payloads) - len(invalid) if jsonschema else None}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--records", type=int, default=100)
    parser.add_argument("--restarts", type=int, default=0)
    args = parser.parse_args()
    with BrokerRun() as run:
        failures, counts = check(run, args)
    for failure in failures[:20]:
        print("FAILED:", failure)
    print("counts", json.dumps(counts))
    if failures:
        return 1
    if not jsonschema:
        print("skipped in part: python3-jsonschema is not installed")
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main())

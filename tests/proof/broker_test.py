#!/usr/bin/env python3
"""broker_test.py - faults of the broker, one after the other, and a table of what became of the events.

SPDX-License-Identifier: Apache-2.0

Usage: broker_test.py [FAULT]...      (a part of a fault's name; none: all of them)

KAIZEN_TEST_PLUGIN is the plugin, KAIZEN_TEST_HOST is kaizen-host.  Figures go to KAIZEN_FIGURES, a file, as
lines "name value unit".
"""
import os
import pathlib
import shutil
import sys
import tempfile
import time
import traceback

import broker_cluster
import broker_faults
import broker_lies
import broker_links
import broker_order
import broker_tls
from broker_world import COLUMNS

MODULES = [broker_faults, broker_links, broker_lies, broker_tls, broker_order, broker_cluster]


def print_row(row):
    print(f"{row['fault']:<28}" + "".join(f"{row[name]!s:>14}" for name in COLUMNS), flush=True)


def write_figures(rows, faults):
    figures = {
        "broker_faults": (faults, "faults"),
        "broker_events_marked": (sum(row["marked"] for row in rows), "events"),
        "broker_events_received": (sum(row["received"] for row in rows), "events"),
        "broker_events_twice": (sum(row["twice"] for row in rows), "events"),
        "broker_events_lost": (sum(row["lost"] for row in rows), "events"),
    }
    lines = [f"{name} {value} {unit}" for name, (value, unit) in figures.items()]
    print("\n".join(lines))
    if os.environ.get("KAIZEN_FIGURES"):
        with open(os.environ["KAIZEN_FIGURES"], "a", encoding="ascii") as file:
            file.write("".join(line + "\n" for line in lines))


def main():
    wanted = sys.argv[1:]
    faults = [fault for module in MODULES for fault in module.FAULTS
              if not wanted or any(text in fault.__name__ for text in wanted)]
    rows, failed = [], []
    print(f"{'fault':<28}" + "".join(f"{name:>14}" for name in COLUMNS), flush=True)
    for fault in faults:
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="kaizen-broker-"))
        begin = time.monotonic()
        try:
            row = fault(scratch)
            for each in row if isinstance(row, list) else [row]:
                rows.append(each)
                print_row(each)
        except Exception:  # pylint: disable=broad-except
            failed.append(fault.__name__)
            traceback.print_exc(file=sys.stdout)
            print(f"FAILED: {fault.__name__}", flush=True)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        print(f"  ({fault.__name__}: {time.monotonic() - begin:.1f} s)", file=sys.stderr, flush=True)
    if not failed:
        write_figures(rows, len(faults))
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())

"""figures.py - what a proof counted, for people and for qa/nightly.

SPDX-License-Identifier: Apache-2.0
"""
import os


def figures(values):
    """(name, value, unit) each: printed, and appended to the file that KAIZEN_FIGURES names."""
    lines = "".join(f"{name} {value} {unit}\n" for name, value, unit in values)
    print(lines, end="", flush=True)
    if os.environ.get("KAIZEN_FIGURES"):
        with open(os.environ["KAIZEN_FIGURES"], "a", encoding="utf-8") as table:
            table.write(lines)

"""answers_oracle.py - what the answers about a log are, in plain Python: figures, comparisons, tests of significance.

SPDX-License-Identifier: Apache-2.0

It is written from docs/format.md and docs/answers.md alone and shares no code with the program.
"""
import json
import math
import re
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from math import comb

NAME_BYTES = 256  # of a model or a reason
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Number:
    """A JSON number: its text, and its value as a double."""

    def __init__(self, text):
        if len(text) > 512:
            raise ValueError("no number that long")
        self.text, self.value = text, float(text)


def _object(pairs):
    return dict(pairs)  # of several of the same name the last


def read_line(line):
    """The members of a record, or None."""
    try:
        members = json.loads(line.decode(), parse_int=Number, parse_float=Number, parse_constant=Number, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return None
    is_record = isinstance(members, dict) and isinstance(members.get("success"), bool) and isinstance(members.get("agent"), str)
    return members if is_record else None


_ISO = re.compile(r"(\d{4})(-?)(\d\d)\2(\d\d)[Tt ](\d\d)(:?)(\d\d)(?:\6(\d\d)(?:[.,]\d+)?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)", re.ASCII)


def read_time(text):
    """Seconds since 1970, or None."""
    match = _ISO.fullmatch(text) if isinstance(text, str) else None
    if not match:
        return None
    year, _, month, day, hour, _, minute, second, sign, offset_hours, offset_minutes = match.groups()
    hours, minutes, leap = int(offset_hours or 0), int(offset_minutes or 0), int(second or 0) == 60
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), 59 if leap else int(second or 0), tzinfo=timezone.utc)
    except ValueError:
        return None
    if hours > 23 or minutes > 59:
        return None
    seconds = (moment - EPOCH) // timedelta(seconds=1) + leap - (hours * 3600 + minutes * 60) * (-1 if sign == "-" else 1)
    return seconds if 0 <= seconds <= 253402300799 else None


def write_time(seconds):
    moment = EPOCH + timedelta(seconds=seconds)
    return f"{moment.year:04}-" + moment.strftime("%m-%dT%H:%M:%SZ")


def number(value):
    return value.value if isinstance(value, Number) and math.isfinite(value.value) else None


def amount(value):
    found = number(value)
    return found if found is not None and found >= 0 else None


def name(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        return value.text
    if not isinstance(value, str):
        return ""
    text = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in value)
    data = text.encode()
    if len(data) > NAME_BYTES:
        data = data[:NAME_BYTES].decode("utf-8", "ignore").encode()
    return data.decode().split("\0")[0]


class Run:
    def __init__(self, members, place):
        metadata = members.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        primary = members.get("primary_metric")
        primary = primary if isinstance(primary, dict) else {}
        self.members, self.metadata, self.place = members, metadata, place
        self.time = read_time(members.get("timestamp"))
        self.success = members["success"]
        self.duration = amount(members.get("execution_time_s"))
        self.quality = number(members.get("quality_score"))
        self.tokens = amount(members.get("tokens"))
        if self.tokens is None:
            parts = [part for part in (amount(metadata.get(key)) for key in ("input_tokens", "output_tokens")) if part is not None]
            self.tokens = sum(parts) if parts else None
        self.cost = amount(metadata.get("cost_usd"))
        self.model = name(metadata.get("model"))
        self.reason = "" if self.success else name(metadata.get("error_type")) or name(metadata.get("outcome"))
        self.primary_name, self.primary, self.target = name(primary.get("name")), number(primary.get("value")), number(primary.get("target"))

    def value_of(self, key):
        return name(self.members.get(key)) or name(self.metadata.get(key))


def read_runs(log):
    """Every run of a log in the order of time; one without a time stands where the log has it.  A last line without its
    newline is not committed."""
    log = log[:log.rfind(b"\n") + 1]
    runs = [Run(members, place) for place, members in enumerate(filter(None, map(read_line, log.split(b"\n"))))]
    previous = next((run.time for run in runs if run.time is not None), -1)
    for run in runs:
        previous = run.time = run.time if run.time is not None else previous
    return sorted(runs, key=lambda run: (run.time, run.place))


def choose(runs, since=None, until=None, last=0):
    chosen = [run for run in runs if (since is None or run.time >= since) and (until is None or run.time < until)]
    return chosen[-last:] if last else chosen


# ---- figures -------------------------------------------------------------------------------------

def share(runs):
    successes = sum(run.success for run in runs)
    return {"count": len(runs), "successes": successes, "success_rate": successes / len(runs) if runs else None}


def spread(values):
    if not values:
        return None
    ordered, total = sorted(values), 0.0
    for value in values:
        total += value
    rank = {label: ordered[max(1, math.ceil(Fraction(percent, 100) * len(ordered))) - 1] for label, percent in
            (("p50", 50), ("p90", 90), ("p95", 95), ("max", 100))}
    return {"count": len(values), "total": total, "mean": total / len(values), **rank}


def tallies(runs, name_of, member):
    found = {}
    for run in runs:
        found.setdefault(name_of(run), []).append(run)
    entries = []
    for text, members in found.items():
        costs = [run.cost for run in members if run.cost is not None]
        entries.append({member: text, "count": len(members), "successes": sum(run.success for run in members),
                        "cost_usd": spread(costs)["total"] if costs else None, "last": write_time(max(run.time for run in members))})
    return entries


def wilson(successes, count):
    z = 1.959963984540054
    if not count:
        return [0, 1]
    p, n = successes / count, count
    middle, half = (p + z * z / (2 * n)) / (1 + z * z / n), z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [0 if successes == 0 else middle - half, 1 if successes == count else middle + half]


def in_a_row(runs):
    longest = current = 0
    for run in runs:
        current = 0 if run.success else current + 1
        longest = max(longest, current)
    return longest, current


def figures(runs):
    days = (runs[-1].time - runs[0].time) / 86400 if runs else 0
    return {
        **share(runs), "success_interval": wilson(sum(run.success for run in runs), len(runs)), "failures_in_a_row": in_a_row(runs)[0],
        "duration_s": spread([run.duration for run in runs if run.duration is not None]),
        "quality_score": spread([run.quality for run in runs if run.quality is not None]),
        "tokens": spread([run.tokens for run in runs if run.tokens is not None]),
        "cost_usd": spread([run.cost for run in runs if run.cost is not None]),
        "models": tallies([run for run in runs if run.model], lambda run: run.model, "model"),
        "failures": tallies([run for run in runs if not run.success], lambda run: run.reason, "reason"),
        "first": write_time(runs[0].time) if runs and runs[0].time >= 0 else None,
        "last": write_time(runs[-1].time) if runs and runs[-1].time >= 0 else None,
        "runs_per_day": len(runs) / max(1, days),
    }


# ---- significance --------------------------------------------------------------------------------

def fisher_fewer(part, rest):
    """(successes, count) each; exact."""
    good, bad = part[0] + rest[0], part[1] - part[0] + rest[1] - rest[0]
    ways = sum(comb(good, k) * comb(bad, part[1] - k) for k in range(part[0] + 1))
    return float(Fraction(ways, comb(good + bad, part[1])))


def fisher(one, other):
    return min(1, 2 * min(fisher_fewer(one, other), fisher_fewer(other, one)))


def rank_test(one, other):
    """Mann and Whitney, with ties and the correction for continuity."""
    everything = sorted(one + other)
    first, equal = {}, {}
    for place, value in enumerate(everything, 1):
        first.setdefault(value, place)
        equal[value] = equal.get(value, 0) + 1
    n, m, both = len(one), len(other), len(one) + len(other)
    off = sum(first[value] + (equal[value] - 1) / 2 for value in one) - n * (both + 1) / 2
    ties = sum(count ** 3 - count for count in equal.values())
    variance = n * m / 12 * (both + 1 - ties / (both * (both - 1)))
    if variance <= 0:
        return 1.0
    return math.erfc(max(0, abs(off) - 0.5) / math.sqrt(variance) / math.sqrt(2))

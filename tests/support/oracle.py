#!/usr/bin/env python3
"""oracle.py - what a log adds up to, in plain Python: the expected summary and the expected events.

SPDX-License-Identifier: Apache-2.0

Usage: oracle.py summary LOG            the summary.json that belongs to this log
       oracle.py events [--recount] LOG the event of every marked line, one per line
       oracle.py check PROJECT_ROOT...  every agent's summary.json against its log; exit status 1 if one differs

It is written from the contract alone and shares no code with the plugin.  An event is what its own line
says.  --recount takes the three numbers from the records before the line instead: the same as long as
nothing was taken out of the log; after a prune only the line is right.
"""
import argparse
import json
import math
import pathlib
import re
import sys
import uuid
from datetime import datetime, timedelta, timezone

NAMESPACE = uuid.UUID("8d5a0f3e-6f5b-5c1e-9d0a-3c6f7b2e4a91")  # printed in docs/delivery.md
TREND_WINDOW = 10
TREND_STABLE = 0.05


class Number(float):
    """A JSON number that remembers how it was written."""
    text = ""


def _number(text):
    value = Number(text)
    value.text = text
    return value


# ---- one line ------------------------------------------------------------------------------------

_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?"
                  r"(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)", re.ASCII)


def read_timestamp(text):
    """Seconds since 1970, floored; None when it is not an ISO 8601 time with Z or an offset."""
    match = _ISO.fullmatch(text) if isinstance(text, str) else None
    if not match:
        return None
    *parts, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    try:
        moment = datetime(*(int(part or 0) for part in parts), tzinfo=timezone.utc) - offset
    except (ValueError, OverflowError):
        return None
    seconds = (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(seconds=1)
    return seconds if seconds >= 0 else None


def write_timestamp(seconds):
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds)
    return f"{moment.year:04}-" + moment.strftime("%m-%dT%H:%M:%SZ")


def _finite(value):
    """A finite JSON number as a double, else None."""
    return float(value) if isinstance(value, Number) and math.isfinite(value) else None


class Record:
    """One line that counts: a JSON object with a boolean `success` and a string `agent`."""

    def __init__(self, members):
        metadata = members.get("metadata")
        self.members = members
        self.agent = members["agent"]
        self.success = members["success"]
        self.quality = _finite(members.get("quality_score"))
        self.time = _finite(members.get("execution_time_s"))
        self.timestamp = read_timestamp(members.get("timestamp"))
        keys = [members.get("idempotency_key"), metadata.get("idempotency_key") if isinstance(metadata, dict) else None]
        self.key = next((key for key in keys if isinstance(key, str) and key), None)
        self.event_id = members.get("event_id")
        self.event = members.get("event")
        try:
            well_formed = str(uuid.UUID(self.event_id)) == self.event_id.lower()
        except (ValueError, TypeError, AttributeError):
            well_formed = False
        self.marked = well_formed and isinstance(self.event, dict)


def read_line(line):
    """The Record in the bytes of one line, or None: json.loads() per line is how the other side reads."""
    try:
        members = json.loads(line.decode(), parse_float=_number, parse_int=_number,
                             parse_constant=_number)
    except (ValueError, RecursionError):
        return None
    if (isinstance(members, dict) and isinstance(members.get("success"), bool)
            and isinstance(members.get("agent"), str)):
        return Record(members)
    return None


def split_lines(log):
    """The lines of a log, without their newlines; only \\n ends a line."""
    lines = log.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def read_log(log):
    return [record for record in map(read_line, split_lines(log)) if record]


# ---- the summary ---------------------------------------------------------------------------------

def mean(values):
    total = 0.0
    for value in values:
        total += value
    return total / len(values) if values else 0.0


def trend(values, window=TREND_WINDOW):
    recent = values[-window:]
    prior = values[-2 * window:-window]
    if not recent:
        return "unknown"
    if not prior:
        return "stable"
    difference = mean(recent) - mean(prior)
    if abs(difference) < TREND_STABLE:
        return "stable"
    return "up" if difference > 0 else "down"


def summarize(records, window=TREND_WINDOW):
    successes = [1.0 if record.success else 0.0 for record in records]
    qualities = [record.quality for record in records if record.quality is not None]
    times = [record.time for record in records if record.time is not None]
    stamps = [record.timestamp for record in records if record.timestamp is not None]
    return {
        "execution_count": len(records),
        "success_rate": mean(successes),
        "avg_quality_score": mean(qualities),
        "avg_execution_time_s": mean(times),
        "trend": {"success_rate": trend(successes, window), "quality_score": trend(qualities, window)},
        "last_execution": write_timestamp(max(stamps)) if stamps else None,
    }


def summary_text(records, window=TREND_WINDOW):
    return json.dumps(summarize(records, window), indent=2).encode() + b"\n"


# ---- the event -----------------------------------------------------------------------------------

_BREAKS = {char: f"\\u{char:04x}" for char in (0x7F, 0x85, 0x2028, 0x2029)}


def string_text(value):
    """JSON text of a string as it stands in a line: UTF-8, but no character that splitlines() breaks at."""
    return json.dumps(value, ensure_ascii=False).translate(_BREAKS)


def key_event_id(project, agent, key):
    return str(uuid.uuid5(NAMESPACE, f"{project}\0{agent}\0{key}"))


def running_numbers(records):
    """What `event` holds besides the project, as of each of these records."""
    count = successes = qualities = 0
    total = 0.0
    for record in records:
        count += 1
        successes += record.success
        if record.quality is not None:
            qualities += 1
            total += record.quality
        yield {"success_rate": repr(successes / count), "execution_count": str(count),
               "avg_quality": repr(total / qualities if qualities else 0.0)}


def line_numbers(record):
    """The same as the line itself says; None when the line has no complete event (it is never sent)."""
    names = ("success_rate", "execution_count", "avg_quality")
    values = [record.event.get(name) for name in names]
    if (not isinstance(record.event.get("project"), str) or record.timestamp is None
            or any(_finite(value) is None for value in values)):
        return None
    return {name: value.text for name, value in zip(names, values)}


def event_text(record, numbers):
    return ('{"id":"%s","type":"kaizen.metrics.recorded","version":"1.0","timestamp":"%s",'
            '"publisher":"kaizen-agentic","attributes":{"agent":%s,"project":%s,'
            '"summary":{"success_rate":%s,"execution_count":%s,"avg_quality":%s}}}' % (
                record.event_id, write_timestamp(record.timestamp), string_text(record.agent),
                string_text(record.event["project"]), numbers["success_rate"],
                numbers["execution_count"], numbers["avg_quality"])).encode()


def events(log, recount=False):
    """The expected event of every marked line, as bytes, in the log's order."""
    found, records = [], read_log(log)
    for record, recounted in zip(records, running_numbers(records)):
        numbers = line_numbers(record) if record.marked else None
        if numbers is not None:
            found.append(event_text(record, recounted if recount else numbers))
    return found


# ---- a whole project -----------------------------------------------------------------------------

def agent_folders(project_root):
    metrics = pathlib.Path(project_root, ".kaizen", "metrics")
    return sorted(path.parent for path in metrics.glob("*/executions.jsonl")
                  if path.parent.name != "optimizer")


def check(project_root):
    """Messages about what differs."""
    wrong = []
    for folder in agent_folders(project_root):
        expected = summary_text(read_log((folder / "executions.jsonl").read_bytes()))
        path = folder / "summary.json"
        found = path.read_bytes() if path.exists() else b"(missing)\n"
        if found != expected:
            wrong.append(f"{path}: expected\n{expected.decode()}found\n{found.decode(errors='replace')}")
    return wrong


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("summary").add_argument("log", type=pathlib.Path)
    printing = commands.add_parser("events")
    printing.add_argument("--recount", action="store_true")
    printing.add_argument("log", type=pathlib.Path)
    commands.add_parser("check").add_argument("project_root", nargs="+")
    args = parser.parse_args()

    if args.command == "summary":
        sys.stdout.buffer.write(summary_text(read_log(args.log.read_bytes())))
    elif args.command == "events":
        for event in events(args.log.read_bytes(), args.recount):
            sys.stdout.buffer.write(event + b"\n")
    else:
        wrong = [message for root in args.project_root for message in check(root)]
        print("\n".join(wrong) or "every summary is what its log adds up to")
        return 1 if wrong else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())

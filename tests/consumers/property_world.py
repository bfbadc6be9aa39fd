"""property_world.py - carries a history out through the real plugin and holds every step to the oracle.

SPDX-License-Identifier: Apache-2.0
"""
import collections
import ctypes
import math
import pathlib
import random
import re
import shutil
import uuid

import oracle
from property_generate import DAY, EPOCH_S

from kaizen_ctypes import (
    EMIT, HAS_PRIMARY, HAS_QUALITY, HAS_TARGET, HAS_TIME, NO_EMIT, TRENDS, Execution, Kaizen, KaizenError, view)

REJECTED = -6
LOG_REWRITTEN = 110  # message id, docs/operations.md


class Violation(Exception):
    """The plugin and the oracle differ."""


def expect(name, found, expected):
    if found != expected:
        raise Violation(f"{name}: expected {expected!r}, found {found!r}")


# ---- one execution, as the caller says it ----------------------------------------------------------

def form_timestamp(seconds, form):
    """The same moment, written in one of the ways that may be given to us."""
    if form == "+05:30":
        return oracle.write_timestamp(seconds + 5 * 3600 + 1800)[:-1] + "+05:30"
    if form == "-0800":
        return oracle.write_timestamp(seconds - 8 * 3600)[:-1] + "-0800"
    text = oracle.write_timestamp(seconds)
    return {"Z": text, "+00:00": text[:-1] + "+00:00", "fraction": text[:-1] + ".999999999Z",
            "space": text.replace("T", " ")}[form]


def deep(levels):
    return '{"a":' * levels + "1" + "}" * levels


STRUCT_DEFECTS = {
    "quality above 1": lambda e: add(e, HAS_QUALITY, quality_score=1.2),
    "quality below 0": lambda e: add(e, HAS_QUALITY, quality_score=-0.1),
    "quality NaN": lambda e: add(e, HAS_QUALITY, quality_score=math.nan),
    "time below 0": lambda e: add(e, HAS_TIME, execution_time_s=-1.0),
    "time infinite": lambda e: add(e, HAS_TIME, execution_time_s=math.inf),
    "agent illegal": lambda e: None,
    "key empty": lambda e: add(e, idempotency_key=view("")),
    "key too long": lambda e: add(e, idempotency_key=view("k" * 513)),
    "no outcome": lambda e: add(e, outcome=0),
    "metadata no object": lambda e: add(e, metadata_json=view("[1]")),
    "metadata broken": lambda e: add(e, metadata_json=view('{"a":}')),
    "metadata too deep": lambda e: add(e, metadata_json=view(deep(33))),
    "metadata duplicate name": lambda e: add(e, metadata_json=view('{"a":{"b":1,"\\u0062":2}}')),
    "year 1969": lambda e: add(e, timestamp_unix_ns=-1),
    "not UTF-8": lambda e: add(e, session_id=view(b"caf\xe9")),
    "number without its bit": lambda e: (add(e, quality_score=0.5), setattr(e, "flags", e.flags & ~HAS_QUALITY)),
    "emit and not emit": lambda e: add(e, EMIT | NO_EMIT),
}
JSON_DEFECTS = {
    "quality above 1": {"quality_score": "1.2"}, "quality below 0": {"quality_score": "-0.1"},
    "quality NaN": {"quality_score": "NaN"}, "time below 0": {"execution_time_s": "-1"},
    "time infinite": {"execution_time_s": "1e999"}, "agent illegal": {}, "key empty": {"idempotency_key": '""'},
    "key too long": {"idempotency_key": '"' + "k" * 513 + '"'}, "no outcome": {"success": None},
    "metadata no object": {"metadata": "[1]"}, "metadata broken": {"metadata": '{"a":}'},
    "metadata too deep": {"metadata": deep(33)}, "metadata duplicate name": {"metadata": '{"a":1,"\\u0061":2}'},
    "year 1969": {"timestamp": '"1969-12-31T23:59:59Z"'}, "not UTF-8": {"session_id": '"caf\udce9"'},
    "unknown key": {"sucess": "true"}, "no time zone": {"timestamp": '"2026-06-01T00:00:00"'},
    "success no boolean": {"success": "1"}, "tokens below 0": {"tokens": "-1"},
    "tokens no integer": {"tokens": "1.5"}, "lone surrogate": {"session_id": '"\\ud800"'},
    "quality text": {"quality_score": '"0.9"'}, "not JSON": {"repo": "shop"},
    "duplicate key": {"\\u0072epo": '"x"', "repo": '"y"'},
}


def add(execution, bits=0, **values):
    execution.flags |= bits
    for name, value in values.items():
        setattr(execution, name, value)


def as_struct(step):
    given = step["fields"]
    execution = Execution(struct_size=ctypes.sizeof(Execution), outcome=1 if given["success"] else 2)
    add(execution, agent=view(step["agent"]), session_id=view(given.get("session_id")),
        idempotency_key=view(given.get("key")), metadata_json=view(given.get("metadata")))
    if "timestamp_s" in given:
        add(execution, timestamp_unix_ns=given["timestamp_s"] * 10**9 + 999999999)
    if "time" in given:
        add(execution, HAS_TIME, execution_time_s=given["time"])
    if "quality" in given:
        add(execution, HAS_QUALITY, quality_score=given["quality"])
    if "primary" in given:
        name, value, *target = given["primary"]
        add(execution, HAS_PRIMARY, primary_name=view(name), primary_value=value)
        if target:
            add(execution, HAS_TARGET, primary_target=target[0])
    if "extra" in given:
        add(execution, extra_json=view(oracle.json.dumps(given["extra"])))
    if "emit" in given:
        add(execution, EMIT if given["emit"] else NO_EMIT)
    if "defect" in step:
        STRUCT_DEFECTS[step["defect"]](execution)
    return execution


def as_json(step):
    given, text = step["fields"], oracle.json.dumps
    members = {"agent": text(step["agent"]), "success": text(given["success"])}
    if "timestamp_s" in given:
        members["timestamp"] = text(form_timestamp(given["timestamp_s"], step["form"]))
    for name, member in (("time", "execution_time_s"), ("quality", "quality_score"), ("session_id", "session_id")):
        if name in given:
            members[member] = text(given[name])
    if "primary" in given:
        members["primary_metric"] = text(dict(zip(("name", "value", "target"), given["primary"])))
    if metadata_of(step) is not None:
        members["metadata"] = metadata_of(step)
    if "key" in given and not step.get("key_in_metadata"):
        members["idempotency_key"] = text(given["key"])
    members.update((name, text(value)) for name, value in given.get("extra", {}).items())
    members.update(JSON_DEFECTS[step["defect"]] if "defect" in step else {})
    return ("{" + ", ".join(f'"{name}": {value}' for name, value in members.items() if value is not None) + "}"
            ).encode("utf-8", "surrogateescape")


def metadata_of(step):
    """The metadata as given; the key stands in it when the step says so."""
    given = step["fields"]
    metadata = given.get("metadata")
    if not step.get("key_in_metadata") or "key" not in given:
        return metadata
    rest = (metadata or "{}").strip()[1:].lstrip()
    member = '"idempotency_key": ' + oracle.json.dumps(given["key"])
    return "{" + member + (rest if rest.startswith("}") else "," + rest)


# ---- the line that must be appended ----------------------------------------------------------------

def compact(metadata):
    """Without white space between tokens, own order and number texts kept."""
    pieces = re.split(r'("(?:[^"\\]|\\.)*")', metadata)
    return "".join(re.sub(r"\s", "", piece) if index % 2 == 0 else piece.translate(oracle._BREAKS)
                   for index, piece in enumerate(pieces))


def expected_line(step, now_s, project, event_id, numbers):
    given, string = step["fields"], oracle.string_text
    members = [("timestamp", string(oracle.write_timestamp(given.get("timestamp_s", now_s)))),
               ("agent", string(step["agent"]))]
    if "session_id" in given:
        members.append(("session_id", string(given["session_id"])))
    if "time" in given:
        members.append(("execution_time_s", repr(given["time"] + 0.0)))  # no -0.0 in a range from 0
    members.append(("success", "true" if given["success"] else "false"))
    if "quality" in given:
        members.append(("quality_score", repr(given["quality"] + 0.0)))
    if "primary" in given:
        name, *values = given["primary"]
        members.append(("primary_metric", '{"name":' + string(name) + "".join(
            f',"{part}":{value!r}' for part, value in zip(("value", "target"), values)) + "}"))
    if metadata_of(step) is not None:
        members.append(("metadata", compact(metadata_of(step))))
    extra = given.get("extra", {})
    for name in ("helix_session_uid", "repo", "flavor", "tokens", "infra_overhead_share"):
        if name in extra:
            members.append((name, string(extra[name]) if isinstance(extra[name], str) else repr(extra[name])))
    if "key" in given:
        members.append(("idempotency_key", string(given["key"])))
    if event_id:
        members.append(("event_id", string(event_id)))
        members.append(("event", '{"project":%s,"success_rate":%s,"execution_count":%s,"avg_quality":%s}' % (
            string(project), numbers["success_rate"], numbers["execution_count"], numbers["avg_quality"])))
    return ("{" + ",".join(f'"{name}":{value}' for name, value in members) + "}\n").encode()


# ---- a history, step by step -----------------------------------------------------------------------

class World:
    """One project with up to two instances on it, a clock, and others that write there."""

    def __init__(self, plugin, root, options):
        self.plugin, self.root, self.options = plugin, pathlib.Path(root), options
        self.now_s, self.latest_s = EPOCH_S, 0  # latest_s: the latest time the plugin was told
        self.instances, self.edits = {}, 0
        self.told, self.rewritten = set(), False  # message ids; whether somebody else rewrote a log
        self.counts = collections.Counter()

    def close(self):
        for instance in self.instances.values():
            instance.close(0)
        self.instances = {}

    def folder(self, agent):
        return self.root / ".kaizen" / "metrics" / agent

    def log(self, agent):
        return self.read(agent, "executions.jsonl") or b""

    def read(self, agent, name):
        try:
            return (self.folder(agent) / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, ValueError, OSError):
            return None

    def instance(self, number):
        if number not in self.instances:
            self.instances[number] = Kaizen(
                self.plugin, now_unix_ns=lambda: self.now_s * 10**9 + 123456789, project_root=str(self.root),
                delivery="relay", log=lambda level, number, text: self.told.add(number), **self.options)
        return self.instances[number]

    def run(self, steps):
        for index, step in enumerate(steps):
            try:
                getattr(self, "do_" + step["do"])(step)
                self.counts[step["do"]] += 1
            except Violation as violation:
                raise Violation(f"step {index} ({step['do']}): {violation}") from None

    def do_clock(self, step):
        self.now_s += step["by"]

    def do_reopen(self, step):
        if step["instance"] in self.instances:
            self.instances.pop(step["instance"]).close(0)

    # -- what others do to the files --

    def do_append(self, step):
        self.folder(step["agent"]).mkdir(parents=True, exist_ok=True)
        with open(self.folder(step["agent"]) / "executions.jsonl", "ab") as file:
            file.write(step["text"].encode("latin-1"))

    def replace(self, agent, log, how):
        self.rewritten = True
        path = self.folder(agent) / "executions.jsonl"
        if how == "in place":
            path.write_bytes(log)
        else:
            path.with_suffix(".tmp").write_bytes(log)
            path.with_suffix(".tmp").rename(path)

    def do_prune(self, step):
        lines = re.findall(rb"[^\n]*\n|[^\n]+", self.log(step["agent"]))
        if not lines:
            return
        drop = set(range(step["drop"]))
        if step["seed"] % 3 == 0:  # not only from the front
            drop = set(random.Random(step["seed"]).sample(range(len(lines)), min(step["drop"], len(lines))))
        self.replace(step["agent"], b"".join(line for i, line in enumerate(lines) if i not in drop), step["how"])

    def do_edit(self, step):
        """A line changed by hand: under a new inode the same length, in place always another one, since
        what comes back to the length it had, with the same last line, looks as if nothing had been done."""
        log = self.log(step["agent"])
        places = [match.start() for match in re.finditer(rb"true|false", log)]
        if not places:
            return
        at = places[step["line"] % len(places)]
        old = re.match(rb"true|false", log[at:]).group()
        if step["how"] == "rename":
            new = b"null" if old == b"true" else b"true "
        else:
            self.edits += 1
            new = (b"false" if old == b"true" else b"true") + b" " * 2**(self.edits + 1)
        self.replace(step["agent"], log[:at] + new + log[at + len(old):], step["how"])

    def do_damage(self, step):
        folder = self.folder(step["agent"])
        what, how = step["what"].split()
        self.rewritten = True
        if what == "folder":
            shutil.rmtree(folder, ignore_errors=True)
            return
        if step["what"] == "index wrong":  # found when it is opened; what is held open is not read again
            self.close()
        for path in folder.glob({"summary": "summary.json", "index": ".index*", "state": ".state*"}[what]):
            if how == "gone":
                path.unlink()
            else:
                path.write_bytes(b'{"execution_count": 7}\n' if what == "summary" else b"\xa5" * path.stat().st_size)

    # -- what we do --

    def do_record(self, step):
        agent, given = step["agent"], step["fields"]
        before, summary_before = self.log(agent), self.read(agent, "summary.json")
        self.latest_s = max(self.latest_s, self.now_s)
        outcome = error = None
        try:
            instance = self.instance(step["instance"])
            outcome = (instance.record_struct(as_struct(step)) if step["via"] == "struct"
                       else instance.record_json(as_json(step)))
        except KaizenError as refused:
            error = refused
        after = self.log(agent)

        retention_s = self.options["retention_days"] * DAY
        too_old = retention_s and given.get("timestamp_s", self.now_s) < self.now_s - retention_s
        if "defect" in step or too_old:
            expect("code", (error.code, error.reason != "") if error else "recorded", (REJECTED, True))
            expect("log after a rejection", after, before)
            expect("summary after a rejection", self.read(agent, "summary.json"), summary_before)
            self.counts["rejected"] += 1
            return
        expect("error", error and str(error), None)
        if LOG_REWRITTEN in self.told and not self.rewritten:
            raise Violation("message: a rewrite is reported that was none of others")

        # A torn last line may be ended: it costs itself, never the next one.
        closed = before if before.endswith(b"\n") or not before else before + b"\n"
        first = next((record for record in oracle.read_log(closed) if record.key == given["key"]),
                     None) if "key" in given else None
        expect("duplicate", outcome.duplicate, first is not None)
        if first:
            self.check_duplicate(outcome, first, closed, after)
        else:
            self.check_recorded(step, outcome, closed, after)

    def check_duplicate(self, outcome, first, before, after):
        if after != before:
            self.check_prune(before, after)
        expect("event id of a duplicate", outcome.event_id, first.event_id if first.marked else "")
        self.check_answer(outcome, oracle.read_log(before))
        self.counts["duplicates"] += 1

    def check_recorded(self, step, outcome, before, after):
        agent, given = step["agent"], step["fields"]
        marked = given.get("emit", self.options["emit_event"])
        project = self.options["project"]
        expect("marked", outcome.event_id != "", marked)
        if marked and "key" in given:
            expect("event id", outcome.event_id, oracle.key_event_id(project, agent, given["key"]))
        elif marked:
            expect("version of the event id", uuid.UUID(outcome.event_id).version, 4)
        bare = expected_line(step, self.now_s, project, None, None)
        records = oracle.read_log(before + bare)
        *_, numbers = oracle.running_numbers(records)
        whole = before + expected_line(step, self.now_s, project, outcome.event_id, numbers)
        self.check_answer(outcome, records)
        if after != whole:
            self.check_prune(whole, after)
        expect("summary.json", self.read(agent, "summary.json"), oracle.summary_text(oracle.read_log(after)))
        self.counts["recorded"] += 1
        self.counts["marked"] += marked

    @staticmethod
    def check_answer(outcome, records):
        summary, answer = oracle.summarize(records), outcome.summary
        last_ns = answer.last_execution_unix_ns
        expect("answered summary", {
            "execution_count": answer.execution_count, "success_rate": answer.success_rate,
            "avg_quality_score": answer.avg_quality_score, "avg_execution_time_s": answer.avg_execution_time_s,
            "trend": {"success_rate": TRENDS[answer.trend_success_rate],
                      "quality_score": TRENDS[answer.trend_quality_score]},
            "last_execution": oracle.write_timestamp(last_ns // 10**9)
            if summary["last_execution"] else None}, summary)

    def check_prune(self, whole, after):
        """Whatever is missing had to be expired, readable and not waiting to be sent; the rest stands in order."""
        kept, cutoff_s = iter(after.split(b"\n")), self.latest_s - self.options["retention_days"] * DAY
        wanted = next(kept)
        for line in whole.split(b"\n"):
            if line == wanted:
                wanted = next(kept, None)
                continue
            record = oracle.read_line(line)
            if (not self.options["retention_days"] or record is None or record.marked
                    or record.timestamp is None or record.timestamp >= cutoff_s):
                raise Violation(f"log: expected {whole!r}, found {after!r}")
        expect("rest of the log", wanted, None)
        self.counts["pruned"] += 1

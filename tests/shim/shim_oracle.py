# shim_oracle.py - every figure of every command over random logs, held to a calculation that shares no code with it.
#
# SPDX-License-Identifier: Apache-2.0
import csv
import datetime
import io
import json
import math
import os
import pathlib
import random
import re
import unittest

import answers_oracle as oracle
import oracle as summaries
from shim_support import HostTest

try:
    import jsonschema
except ImportError:
    jsonschema = None

TOP = pathlib.Path(os.environ["KAIZEN_TEST_SRCDIR"])
NOW = int(datetime.datetime.now(datetime.timezone.utc).timestamp())
DAY = 86400
RUNS = 1500
BIG = "9" * 30


def in_some_form(chance, seconds):
    """The same moment as different programs write it."""
    moment = oracle.EPOCH + datetime.timedelta(seconds=seconds)
    form = chance.randrange(7)
    if form == 0:
        return moment.strftime("%Y%m%dT%H%M%SZ")
    if form == 1:
        return moment.strftime("%Y-%m-%d %H:%M:%S.") + "999999Z"
    if form == 2:
        return (moment + datetime.timedelta(hours=5, minutes=30)).strftime("%Y-%m-%dT%H:%M:%S+05:30")
    if form == 3:
        return (moment - datetime.timedelta(hours=8)).strftime("%Y-%m-%dt%H:%M:%S-08")
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


UNREADABLE = ["yesterday", "", None, 12, "1969-12-31T23:59:59Z", "2026-02-29T00:00:00Z", "2026-11-20T24:00:00Z", "2026-11-20T10:00:00"]
FAR = ["1970-01-01T00:00:00Z", "2024-02-29T23:59:60Z", "2300-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2000-02-29T12:00Z"]
NO_NUMBERS = ["1", None, True, [1], {}, float("nan"), float("inf")]
NO_LINES = [b"", b"   \t", b"garbage", b'{"agent":"a","success":true', b"\xff\xfe", b'{"success":true}', b'{"agent":"a","success":1}', b"[]",
            b'{"amends":"k"}', b'{"agent":"a","success":true}{', b'{"agent":7,"success":true}', b'{"x":' + b"1" * 600 + b',"agent":"a","success":true}']


def random_line(chance, seconds, spell):
    """One line of a log: mostly a record as we write it."""
    if chance.random() < 0.03:
        return chance.choice(NO_LINES)
    rare = chance.random
    time = chance.choice(UNREADABLE) if rare() < 0.02 else chance.choice(FAR) if rare() < 0.01 else in_some_form(chance, seconds)
    record = {"timestamp": time, "agent": "coach", "success": rare() < spell["success"]}
    metadata = {}
    for members, key, value in (
            (record, "execution_time_s", lambda: chance.choice([0, 0.0004, 7, 59.6] if rare() < 0.2 else [round(chance.lognormvariate(spell["seconds"], 1), 3)])),
            (record, "quality_score", lambda: chance.choice([0, 1, -0.25, 85, round(rare(), 2)])),
            (record, "tokens", lambda: chance.choice([0, 2**53 + 1, -5, chance.randrange(100000)])),
            (metadata, "input_tokens", lambda: chance.randrange(5000)), (metadata, "output_tokens", lambda: chance.randrange(500)),
            (metadata, "cost_usd", lambda: chance.choice([0, 0.000004, round(rare(), 4), -1])),
            (metadata, "model", lambda: chance.choice(["m-1", "m-2", "m-2", 4.50, False, "", "\u65e5\u672c", "a\0b", "x" * 300, "\u00e9" * 200])),
            (metadata, "error_type", lambda: chance.choice(["timeout", "tests_failed", "", 5, "two\nlines", "\ud83d", "<b>|,\"'&"])),
            (metadata, "outcome", lambda: chance.choice(["failed", "completed", "aborted"])),
            (record, "idempotency_key", lambda: f"k{chance.randrange(RUNS)}"), (record, "session_id", lambda: "=s"),
            (record, "repo", lambda: chance.choice(["r1", "r2"])), (record, "unknown", lambda: {"deep": [[[]]]})):
        if rare() < 0.6:
            members[key] = chance.choice(NO_NUMBERS) if rare() < 0.02 else value()
    if rare() < 0.4:
        record["primary_metric"] = {"name": chance.choice(["tests", "tests", "lines"]), "value": chance.randrange(-5, 50), "target": 50}
    if rare() < 0.8:
        record["metadata"] = chance.choice([[], "text", None]) if rare() < 0.02 else metadata
    text = json.dumps(record, ensure_ascii=rare() < 0.5 or "\ud83d" in str(metadata.get("error_type")))
    if rare() < 0.01:
        text = text.replace('"success"', '"success": false, "success"', 1)
    if rare() < 0.01:
        text = text[:-1] + f', "tokens": {BIG}' + "}"
    return text.encode() + (b"\r" if rare() < 0.01 else b"")


def random_log(seed):
    """Weeks of runs that get worse, recorded mostly in order; the last line may be torn."""
    chance, lines = random.Random(seed), []
    for i in range(RUNS):
        changed = i > RUNS * 0.9 and seed % 2
        spell = {"success": 0.4 if changed else 0.9, "seconds": 5 if changed else 3}
        seconds = NOW - 40 * DAY + 39 * DAY * i // RUNS - (chance.randrange(3 * DAY) if chance.random() < 0.05 else 0)
        seconds -= seconds % (1 if chance.random() < 0.5 else 3600)
        if any(0 <= seconds - (NOW - length) < 3600 for length in (DAY, 7 * DAY)):
            seconds -= 7200  # "the last 24 hours" begin later when the test ends than when it began
        lines.append(random_line(chance, seconds, spell))
        if chance.random() < 0.03:
            lines.append(chance.choice(lines))  # told twice
    return b"\n".join(lines) + (b"" if seed % 3 == 0 else b"\n")


def closed(schema):
    """The same without room for members that the schema does not mention; a log may hold any."""
    if isinstance(schema, dict):
        schema = {name: closed(value) for name, value in schema.items()}
        if isinstance(schema.get("properties"), dict):
            schema["additionalProperties"] = False
    return [closed(value) for value in schema] if isinstance(schema, list) else schema


def day(seconds):
    return oracle.write_time(seconds)[:10]


# (arguments, since, until, last): of times that stand still while the commands run
def windows(chance):
    since, until = sorted(NOW - chance.randrange(40 * DAY) for _ in range(2))
    midnight = NOW - NOW % DAY
    east = (oracle.EPOCH + datetime.timedelta(seconds=since + 7200)).strftime("%Y-%m-%dT%H:%M:%S+02:00")
    return [([], None, None, 0), (["--since", east], since, None, 0), (["--until", oracle.write_time(until)], None, until, 0),
            (["--since", east, "--until", oracle.write_time(until), "--last", "7"], since, until, 7), (["--last", "100"], None, None, 100),
            (["--since", day(since)], since - since % DAY, None, 0), (["--since", "yesterday", "--until", "today"], midnight - DAY, midnight, 0),
            (["--since", "2026-02-28T23:59:59.999Z", "--until", "99991231T235959Z"], 1772323200, 253402300799, 0),
            (["--until", "1970-01-02"], None, DAY, 0)]


class Oracle(HostTest):
    changes = set()  # of which numbers a change was found

    def put(self, agent, log):
        folder = self.log(agent).parent
        folder.mkdir(parents=True, mode=0o700)
        self.log(agent).write_bytes(log)
        self.log(agent).chmod(0o600)
        return oracle.read_runs(log)

    def document(self, command, *arguments, status=0, **options):
        def refuse(text):
            raise AssertionError(f"{text} is not JSON")

        text = self.expect(status, command, *arguments, "-o", "json", **options)
        document = json.loads(text, parse_constant=refuse)
        if jsonschema:
            schema = json.loads((TOP / "docs" / "schemas" / f"{command}.schema.json").read_text())
            jsonschema.Draft7Validator(schema if command == "show" else closed(schema)).validate(document)
        return document

    def same(self, found, expected, where):
        """Equal; sums of the same numbers in another order nearly so.  Names of the same count may stand in any order."""
        if isinstance(expected, float) or isinstance(found, float):
            self.assertTrue(expected is not None and found is not None and math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12),
                            (where, found, expected))
        elif isinstance(expected, dict):
            for key in expected:
                self.same(found[key], expected[key], (*where, key))
        elif isinstance(expected, list) and expected and isinstance(expected[0], dict):
            self.assertEqual([entry["count"] for entry in found], sorted((entry["count"] for entry in expected), reverse=True), where)
            by_name = lambda entry: next(iter(entry.values()))
            for one, other in zip(sorted(found, key=by_name), sorted(expected, key=by_name)):
                self.same(one, other, (*where, by_name(other)))
            self.assertEqual(len(found), len(expected), where)
        elif isinstance(expected, list):
            for one, other in zip(found, expected):
                self.same(one, other, where)
        else:
            self.assertEqual(found, expected, where)

    def hold_agent(self, found, runs, window, where):
        chosen = oracle.choose(runs, *window)
        self.same(found["figures"], oracle.figures(chosen), where)
        self.same(found["last_20"], oracle.share(runs[-20:]), where)
        self.same(found["last_7_days"], oracle.share(oracle.choose(runs, since=NOW - 7 * DAY)), where)
        change = found["change"]["success"]
        if change["verdict"] in ("worse", "better"):
            before, after = ((change[side]["successes"], change[side]["count"]) for side in ("before", "after"))
            p = oracle.fisher_fewer(after, before) if change["verdict"] == "worse" else oracle.fisher_fewer(before, after)
            self.same(change["p"], p, (*where, "p"))
            self.assertEqual(change["since"], oracle.write_time(chosen[-after[1]].time))
            self.assertEqual(after, (sum(run.success for run in chosen[-after[1]:]), after[1]))
        for member, take in (("duration", lambda run: run.duration), ("quality", lambda run: run.quality), ("cost", lambda run: run.cost)):
            change, known = found["change"][member], [run for run in chosen if take(run) is not None]
            if change["verdict"] not in ("worse", "better"):
                continue
            after, before = change["after"]["count"], change["before"]["count"]
            values = [take(run) for run in known]
            sides = values[len(values) - after - before:-after], values[-after:]
            self.same(change["p"], oracle.rank_test(*sides), (*where, member))
            self.assertEqual([change["before"]["median"], change["after"]["median"]], [oracle.spread(side)["p50"] for side in sides])
            self.assertEqual(change["since"], oracle.write_time(known[-after].time))
            self.changes.add(member)

    def test_figures_of_every_command_and_window(self):
        self.changes, changed = set(), 0
        for seed in range(4):
            agent, log = f"agent{seed}", random_log(seed)
            runs = self.put(agent, log)
            lines = log[:log.rfind(b"\n")].split(b"\n")
            summary = summaries.summarize([summaries.read_line(line) for line in lines if oracle.read_line(line)])
            for arguments, *window in windows(random.Random(seed)):
                where = (seed, *arguments)
                listed = next(entry for entry in self.document("list", *arguments)["agents"] if entry["agent"] == agent)
                self.hold_agent(listed, runs, window, where)
                self.same({key: listed[key] for key in summary if key != "last_execution"},
                          {key: summary[key] for key in summary if key != "last_execution"}, where)
                shown = self.document("show", agent, *arguments, env={"TZ": "America/New_York"})["agents"][0]
                self.assertEqual(shown["figures"], listed["figures"], where)
                reported = next(entry for entry in self.document("report", *arguments)["agents"] if entry["agent"] == agent)
                self.assertEqual(reported["figures"], listed["figures"], where)
                changed += listed["change"]["success"]["verdict"] == "worse"
        self.assertGreater(changed, 0, "no log has changed: nothing was compared")
        self.assertIn("duration", self.changes)

    def test_all_agents_together(self):
        logs = {f"agent{seed}": random_log(seed) for seed in (4, 5)}
        runs = {agent: self.put(agent, log) for agent, log in logs.items()}
        for arguments, *window in windows(random.Random(9)):
            everything = sorted((run for agent in sorted(runs) for run in oracle.choose(runs[agent], *window)), key=lambda run: run.time)
            report = self.document("report", *arguments)
            self.same(report["figures"], oracle.figures(everything), arguments)
            end = min(window[1] or NOW, NOW)
            for member, length in (("last_24_hours", DAY), ("last_7_days", 7 * DAY)):
                if end < NOW or not arguments:
                    self.same(report[member]["recent"], oracle.share(oracle.choose(everything, since=end - length)), (arguments, member))
                    self.same(report[member]["before"], oracle.share(oracle.choose(everything, until=end - length)), (arguments, member))
        top = self.document("top")
        for entry in top["agents"]:
            self.hold_agent(entry, runs[entry["agent"]], (None, None, 0), ("top",))

    def test_text_says_what_the_document_says(self):
        runs = self.put("coach", random_log(6))
        figures = oracle.figures(runs)
        for column, told in (("runs", str(len(runs))), ("success", f"{100 * figures['success_rate']:.1f}%"),
                             ("quality", f"{figures['quality_score']['mean']:.2f}"), ("cost", f"${figures['cost_usd']['total']:.2f}"),
                             ("tokens", f"{figures['tokens']['total']:.3g}"), ("per-day", f"{figures['runs_per_day']:.2f}"),
                             ("last", oracle.write_time(runs[-1].time)), ("p50", f"{figures['duration_s']['p50']:.0f} s")):
            self.assertEqual(self.expect(0, "list", "--columns", column).splitlines()[1].strip(), told, column)
        self.assertIn(f"  success  {100 * figures['success_rate']:5.1f}%  {figures['successes']} of {len(runs)}\n", self.expect(0, "show", "coach"))

    def hold_difference(self, document, one, other):
        sides = [(sum(run.success for run in runs), len(runs)) for runs in (one, other)]
        enough = min(len(one), len(other)) >= 5
        expected = {"success_rate": oracle.fisher(*sides) if enough else None}
        for member, take in (("duration_s", lambda run: run.duration), ("quality_score", lambda run: run.quality),
                             ("tokens", lambda run: run.tokens), ("cost_usd", lambda run: run.cost)):
            values = [[take(run) for run in runs if take(run) is not None] for runs in (one, other)]
            expected[member] = oracle.rank_test(*values) if min(map(len, values)) >= 5 else None
        for member, p in expected.items():
            self.same(document["differences"][member]["p"], p, member)
            self.assertEqual(document["differences"][member]["significant"], None if p is None else p < 0.01)
        for group, runs in zip(document["groups"], (one, other)):
            self.same(group["figures"], oracle.figures(runs), group["name"])

    def test_comparisons(self):
        coach, mentor = self.put("coach", random_log(7)), self.put("mentor", random_log(8))
        split = NOW - 3 * DAY
        for arguments, *window in windows(random.Random(3)):
            one, other = oracle.choose(coach, *window), oracle.choose(mentor, *window)
            self.hold_difference(self.document("compare", "coach", "mentor", *arguments), one, other)
            halves = ["compare", "coach", "--split", oracle.write_time(split), *arguments]
            if (window[0] is not None and split <= window[0]) or (window[1] is not None and split >= window[1]):
                self.assertIn("one side can have no run", self.messages(2, *halves))
            else:
                self.hold_difference(self.document(*halves), oracle.choose(one, until=split), oracle.choose(one, since=split))
            for key, values in (("model", ("m-1", "m-2")), ("repo", ("r2", "r1")), ("success", ("true", "false"))):
                self.hold_difference(self.document("compare", "coach", "--by", key, "--values", ",".join(values), *arguments),
                                     *([run for run in one if run.value_of(key) == value] for value in values))

    def test_checks(self):
        runs = self.put("coach", random_log(11))
        for arguments, *window in [([], None, None, 20), *windows(random.Random(4))[1:]]:
            chosen = oracle.choose(runs, *window)
            figures = oracle.figures(chosen)
            before = runs[:runs.index(chosen[0])] if chosen else runs
            until = window[1] if window[1] is not None else NOW
            compared = oracle.choose(before, since=until - 60 * DAY)
            limits = {"min-success": 0.8, "min-quality": 0.5, "max-p95": 60, "max-cost": 1, "max-run-cost": 0.4, "max-failures-in-a-row": 2}
            values = {"min-success": figures["success_rate"], "max-failures-in-a-row": figures["failures_in_a_row"] if chosen else None,
                      **{rule: figures[member] and figures[member][of] for rule, member, of in (
                          ("min-quality", "quality_score", "mean"), ("max-p95", "duration_s", "p95"), ("max-cost", "cost_usd", "total"),
                          ("max-run-cost", "cost_usd", "mean"))}}
            met = {rule: None if value is None else value >= limits[rule] if rule.startswith("min") else value <= limits[rule]
                   for rule, value in values.items()}
            p = None
            if len(chosen) >= 5 and len(compared) >= 10:
                p = oracle.fisher_fewer(*((sum(run.success for run in some), len(some)) for some in (chosen, compared)))
            options = [f"--{rule}={limit}" for rule, limit in limits.items()]
            if window[0] is None or window[0] > until - 60 * DAY:
                options.append("--no-worse-than=60d")
                met["no-worse-than"], values["no-worse-than"] = None if p is None else p >= 0.01, p
            passed = all(met.values())
            entry = self.document("check", "coach", *options, *arguments, status=0 if passed else 1)["agents"][0]
            self.assertEqual((entry["passed"], entry["count"]), (passed, len(chosen)))
            for rule in entry["rules"]:
                expected = met[rule["rule"]]
                self.assertEqual(rule["status"], "too_few" if expected is None else "met" if expected else "unmet", (arguments, rule))
                if chosen:
                    self.same(rule["value"], values[rule["rule"]], (arguments, rule))

    def test_metrics(self):
        runs = self.put("coach", random_log(12))
        text = self.expect(0, "openmetrics")
        samples = {match[1]: float(match[2]) for match in
                   re.finditer(r"^([^#\s]\S*) (\S+)$", re.sub(r'project="shop",agent="coach",?', "", text).replace("{}", ""), re.M)}
        figures, durations = oracle.figures(runs), [run.duration for run in runs if run.duration is not None]
        self.assertEqual((samples['kaizen_runs{outcome="success"}'], samples['kaizen_runs{outcome="failure"}']),
                         (figures["successes"], len(runs) - figures["successes"]))
        for bound in (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, math.inf):
            label = "+Inf" if bound == math.inf else bound
            self.assertEqual(samples[f'kaizen_execution_duration_seconds_bucket{{le="{label}"}}'], sum(value <= bound for value in durations))
        for sample, value in (("kaizen_executions", len(runs)), ("kaizen_execution_duration_seconds_sum", figures["duration_s"]["total"]),
                              ("kaizen_success_ratio", figures["success_rate"]), ("kaizen_quality_score", figures["quality_score"]["mean"]),
                              ("kaizen_tokens", figures["tokens"]["total"]), ("kaizen_cost_usd", figures["cost_usd"]["total"]),
                              ("kaizen_recent_success_ratio", oracle.share(runs[-20:])["success_rate"]),
                              ("kaizen_failures_in_a_row", oracle.in_a_row(runs)[1])):
            self.same(samples[sample], float(value), sample)

    def test_exports(self):
        log = random_log(13)
        self.put("coach", log)

        def is_strict(members):  # no NaN, no lone surrogate, no name twice
            return "NaN" not in members and "Infinity" not in members and "\\ud83d" not in members and members.count('"success"') == 1 \
                and members.count('"tokens"') < 2
        lines = [line.decode() for line in log[:log.rfind(b"\n")].split(b"\n") if oracle.read_line(line)]
        strict = [line for line in lines if is_strict(line)]
        jsonl = self.expect(0, "export", "coach")
        self.assertEqual([line.rstrip("\r") for line in jsonl.rstrip("\n").split("\n")], [line.rstrip("\r") for line in lines])
        events = [json.loads(line) for line in self.expect(1, "export", "coach", "--format", "cloudevents").splitlines()]
        self.assertEqual([event["data"] for event in events], [json.loads(line) for line in strict])
        rows = list(csv.DictReader(io.StringIO(self.expect(1, "export", "coach", "--format", "csv"), newline="")))
        self.assertEqual(len(rows), len(strict))
        for row, line in zip(rows, map(oracle.read_line, map(str.encode, strict))):
            for heading in ("execution_time_s", "quality_score", "tokens"):
                value = line.get(heading)
                text = value.text if isinstance(value, oracle.Number) else None
                self.assertTrue(text is None or row[heading] == text, (heading, row, line))
        for line in self.expect(1, "export", "coach", "--format", "otlp-json").splitlines():
            span = json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
            self.assertTrue(0 <= int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) < 2**64)


if __name__ == "__main__":
    unittest.main()

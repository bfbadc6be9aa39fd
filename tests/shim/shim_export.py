# shim_export.py - what other programs are given: exports in every format, metrics, held to the log they come from.
#
# SPDX-License-Identifier: Apache-2.0
import csv
import io
import json
import os
import re
import shutil
import subprocess
import unittest

from shim_support import HostTest

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
RECORDS = [
    {"timestamp": "2026-11-20T10:00:00Z", "agent": "coach", "session_id": "s-1", "execution_time_s": 12.5, "success": True,
     "quality_score": 0.81, "primary_metric": {"name": "tests", "value": 41, "target": 50}, "idempotency_key": "k-1",
     "metadata": {"model": "m-1", "cost_usd": 0.25, "input_tokens": 100, "output_tokens": 7, "outcome": "completed",
                  "traceparent": f"00-{TRACE}-{PARENT}-01"}, "tokens": 107},
    {"timestamp": "2026-11-21T10:00:00Z", "agent": "coach", "success": False,
     "metadata": {"error_type": "a, \"quoted\"\nreason", "traceparent": f"00-{'0' * 32}-{PARENT}-01"}},
    {"timestamp": "2026-11-21T10:00:00Z", "agent": "coach", "success": True},
    {"timestamp": "2026-11-21T10:00:00Z", "agent": "coach", "success": True},
    {"timestamp": "2026-11-22T10:00:00Z", "agent": "mentor", "success": False, "execution_time_s": 400},
]


class ExportTest(HostTest):
    def setUp(self):
        super().setUp()
        self.expect(0, "replay", "-q", stdin="".join(json.dumps(record) + "\n" for record in RECORDS))

    def export(self, style, *arguments, status=0):
        return self.expect(status, "export", *arguments, "--format", style)


class Exports(ExportTest):
    def test_jsonl_is_the_log_and_goes_back_whole(self):
        self.assertEqual(self.export("jsonl", "coach"), self.log("coach").read_text())
        self.assertEqual(self.expect(0, "export", "coach"), self.log("coach").read_text())
        copy = self.scratch / "copy"
        copy.mkdir()
        self.expect(0, "-C", copy, "replay", "-q", stdin=self.export("jsonl", "--all"))
        for agent in ("coach", "mentor"):
            self.assertEqual((copy / f".kaizen/metrics/{agent}/executions.jsonl").read_text(), self.log(agent).read_text())

    def test_records_are_chosen_by_time_and_number(self):
        for arguments, count in ((["--since", "2026-11-21"], 3), (["--until", "2026-11-21"], 1), (["-n", "2"], 2), (["--last", "9"], 4),
                                 (["--since", "2026-11-20T10:00:00Z", "--until", "2026-11-20T10:00:01Z"], 1), (["--since", "now"], 0)):
            self.assertEqual(len(self.export("jsonl", "coach", *arguments).splitlines()), count, arguments)
        self.assertEqual(len(self.export("csv", "--all", "--since", "2026-11-21").splitlines()), 1 + 5)
        self.messages(2, "export", "coach", "--since", "x")
        self.messages(2, "export", "coach", "--format", "xml")

    def test_csv_is_read_back_by_a_reader_of_rfc_4180(self):
        rows = list(csv.DictReader(io.StringIO(self.export("csv", "--all"), newline="")))
        self.assertEqual(len(rows), len(RECORDS))
        first, second = rows[0], rows[1]
        self.assertEqual((first["execution_time_s"], first["quality_score"], first["primary_target"], first["cost_usd"], first["tokens"]),
                         ("12.5", "0.81", "50.0", "0.25", "107"))
        self.assertEqual((second["success"], second["error_type"], second["tokens"]), ("false", 'a, "quoted"\nreason', ""))
        self.assertEqual(rows[-1]["agent"], "mentor")

    def test_cloudevents_have_the_attributes_of_1_0_and_the_record_as_data(self):
        events = [json.loads(line) for line in self.export("cloudevents", "--all").splitlines()]
        self.assertEqual([event["data"] for event in events],
                         [json.loads(line) for agent in ("coach", "mentor") for line in self.lines(agent)])
        self.assertEqual(len({event["id"] for event in events}), len(events), "equal lines are two events")
        for event, record in zip(events, RECORDS):
            self.assertEqual((event["specversion"], event["source"], event["type"], event["subject"], event["time"]),
                             ("1.0", "/kaizen/shop", "kaizen.execution", record["agent"], record["timestamp"]))
        self.assertEqual(events[0]["id"], "coach/k-1")
        slug = self.expect(0, "export", "coach", "-n", "1", "--format", "cloudevents", "--set", 'project=a "b" ü')
        self.assertEqual(json.loads(slug)["source"], "/kaizen/a%20%22b%22%20%C3%BC")

    def test_spans_follow_the_genai_conventions(self):
        spans, ids = [], set()
        for line in self.export("otlp-json", "--all").splitlines():
            resource = json.loads(line)["resourceSpans"][0]
            self.assertEqual(resource["resource"]["attributes"], [{"key": "service.name", "value": {"stringValue": "shop"}}])
            span = resource["scopeSpans"][0]["spans"][0]
            self.assertRegex(span["traceId"] + span["spanId"], "^[0-9a-f]{48}$")
            ids.add(span["spanId"])
            span["attributes"] = {item["key"]: next(iter(item["value"].values())) for item in span["attributes"]}
            spans.append(span)
        self.assertEqual(len(ids), len(RECORDS))
        self.assertEqual((spans[0]["traceId"], spans[0]["parentSpanId"]), (TRACE, PARENT))
        self.assertNotIn("parentSpanId", spans[1], "an id of zeros is none")
        self.assertEqual(int(spans[0]["endTimeUnixNano"]) - int(spans[0]["startTimeUnixNano"]), 12_500_000_000)
        self.assertEqual([span["status"]["code"] for span in spans], [1, 2, 1, 1, 2])
        self.assertEqual(spans[0]["attributes"], {
            "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "coach", "gen_ai.conversation.id": "s-1",
            "gen_ai.request.model": "m-1", "gen_ai.usage.input_tokens": "100", "gen_ai.usage.output_tokens": "7",
            "kaizen.tokens": "107", "kaizen.cost_usd": 0.25, "kaizen.quality_score": 0.81, "kaizen.outcome": "completed",
            "kaizen.idempotency_key": "k-1"})
        self.assertEqual((spans[1]["name"], spans[1]["attributes"]["error.type"]), ("invoke_agent coach", 'a, "quoted"\nreason'))
        self.assertEqual(spans[4]["attributes"]["error.type"], "_OTHER")

    def test_the_ids_are_the_same_in_every_export(self):
        for style in ("cloudevents", "otlp-json"):
            self.assertEqual(self.export(style, "coach", "--until", "2026-11-21T10:00:01Z"), self.export(style, "coach"))

    def test_a_record_that_only_a_lenient_reader_takes_is_told(self):
        with self.log("coach").open("a") as log:
            log.write('{"timestamp":"2026-11-23T00:00:00Z","agent":"coach","success":true,"quality_score":NaN}\n')
        self.assertEqual(len(self.export("jsonl", "coach").splitlines()), 5)
        for style in ("csv", "cloudevents", "otlp-json"):
            self.assertIn("1 record left out", self.messages(1, "export", "coach", "--format", style))

    def test_a_log_that_cannot_be_read_is_told_and_hides_no_other(self):
        self.log("coach").unlink()
        os.symlink("/dev/null", self.log("coach"))
        self.assertEqual(self.export("jsonl", "--all", status=1), self.log("mentor").read_text())
        self.assertIn("coach", self.messages(1, "export", "--all"))


class Metrics(ExportTest):
    def samples(self, *arguments, status=0):
        text = self.expect(status, "openmetrics", *arguments)
        return {match[1]: float(match[2]) for match in re.finditer(r"^([^#\s]\S*) (\S+)$", text.replace('project="shop",', ""), re.M)}

    def test_outcomes_durations_tokens_and_cost_are_those_of_the_log(self):
        samples = self.samples()
        for name, value in (('kaizen_runs{agent="coach",outcome="success"}', 3), ('kaizen_runs{agent="coach",outcome="failure"}', 1),
                            ('kaizen_execution_duration_seconds_bucket{agent="coach",le="5"}', 0),
                            ('kaizen_execution_duration_seconds_bucket{agent="coach",le="15"}', 1),
                            ('kaizen_execution_duration_seconds_bucket{agent="mentor",le="300"}', 0),
                            ('kaizen_execution_duration_seconds_bucket{agent="mentor",le="+Inf"}', 1),
                            ('kaizen_execution_duration_seconds_sum{agent="mentor"}', 400),
                            ('kaizen_execution_duration_seconds_count{agent="coach"}', 1), ('kaizen_tokens{agent="coach"}', 107),
                            ('kaizen_cost_usd{agent="coach"}', 0.25), ('kaizen_failures_in_a_row{agent="mentor"}', 1),
                            ('kaizen_recent_success_ratio{agent="coach"}', 0.75)):
            self.assertEqual(samples[name], value, name)
        self.assertNotIn('kaizen_cost_usd{agent="mentor"}', samples, "no cost is not a cost of 0")
        self.assertNotIn('kaizen_success_change{agent="coach"}', samples, "too few to tell")

    def test_what_no_run_carries_is_no_sample(self):
        self.expect(0, "record", "bare", "--success", "--timestamp", "2026-11-20T10:00:00Z")
        names = {name.partition("{")[0] for name in self.samples() if 'agent="bare"' in name}
        self.assertIn("kaizen_success_ratio", names)
        for name in ("quality_score", "execution_duration_mean_seconds", "cost_usd", "tokens"):
            self.assertNotIn(f"kaizen_{name}", names)

    def test_a_window_narrows_every_count_of_runs(self):
        samples = self.samples("--since", "2026-11-21", "--last", "2")
        self.assertEqual((samples['kaizen_executions{agent="coach"}'], samples['kaizen_success_ratio{agent="coach"}'],
                          samples['kaizen_runs{agent="coach",outcome="failure"}']), (2, 1, 0))

    def test_a_change_is_a_number_an_alert_can_take(self):
        self.expect(0, "replay", "-q", stdin="".join(json.dumps({"agent": "fixer", "success": i < 60}) + "\n" for i in range(80)))
        self.assertEqual(self.samples()['kaizen_success_change{agent="fixer"}'], -1)

    def test_a_log_that_cannot_be_read_is_told(self):
        self.log("coach").unlink()
        os.symlink("/dev/null", self.log("coach"))
        self.assertIn('kaizen_runs{agent="mentor",outcome="failure"}', self.samples(status=1))

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_prometheus_has_nothing_to_say_about_them(self):
        checked = subprocess.run(["promtool", "check", "metrics"], input=self.expect(0, "openmetrics"), text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((checked.returncode, checked.stdout), (0, ""))


if __name__ == "__main__":
    unittest.main()

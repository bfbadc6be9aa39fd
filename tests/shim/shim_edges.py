# shim_edges.py - answers about logs at the edge of what they may hold: nothing is rounded away, cut, guessed or left out.
#
# SPDX-License-Identifier: Apache-2.0
import csv
import datetime
import io
import json
import os
import signal
import subprocess
import unicodedata
import unittest

from shim_support import HANGS_S, HostTest, clean_environment

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
BIG = "123456789012345678901234567890"


def ago(**time):
    return (NOW - datetime.timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


def line(success, when, **more):
    return json.dumps({"timestamp": when, "agent": "coach", "success": success, **more}) + "\n"


def no_constant(text):
    raise ValueError(f"{text} is not JSON")


class EdgeTest(HostTest):
    def foreign(self, text, agent="coach"):
        """A log that another program wrote."""
        folder = self.log(agent).parent
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        self.log(agent).write_text(text)
        self.log(agent).chmod(0o600)

    def document(self, *arguments, status=0):
        return json.loads(self.expect(status, *arguments, "-o", "json"), parse_constant=no_constant)


class Rounding(EdgeTest):
    def test_all_is_only_all_and_none_is_only_none(self):
        for successes, told in ((2999, "99.9%"), (1, "0.1%")):
            self.foreign("".join(line((i == 0) == (successes == 1), ago(minutes=3000 - i), metadata={"model": "m"}) for i in range(3000)))
            percent = {"99.9%": "99%", "0.1%": "1%"}[told]
            self.assertIn(f"{told}  {successes} of 3000\n", self.expect(0, "show", "coach"))
            self.assertIn(f"m 3000 ({percent})\n", self.expect(0, "show", "coach"))
            self.assertRegex(self.expect(0, "list"), rf"(?m)^coach +3000 +{told}")
            self.assertIn(f"3000 runs, {told} success", self.expect(0, "report"))
            self.assertIn(f"<b>{told}</b><small>{successes:,} of 3,000</small>", self.expect(0, "report", "--html", "-"))
            self.assertIn(f"{told} ({successes} of 3000), wanted", self.expect(1, "check", "coach", "--last", "0", "--min-success", "1"))
            self.assertRegex(self.expect(0, "compare", "coach", "--split", "1h"), rf"success +{told} \((99-100|0-1)\)")

    def test_one_failure_of_very_many_is_seen_in_the_page(self):
        self.foreign("".join(line(i != 7, "2026-11-20T10:00:00Z") for i in range(5000)) + line(True, "2026-11-22T10:00:00Z"))
        page = self.expect(0, "report", "--html", "-")
        self.assertIn('<path class="failure" d="M0 0V2h.9V0z"/>', page)
        self.assertIn('<path class="success" d="M0 100V2h.9V100zM48 100V0h.9V100z"/>', page)
        self.foreign("".join(line(i != 7, ago(hours=30)) for i in range(5000)) + line(True, ago(hours=1)))
        self.assertIn("<small>1 run; 99.9%\u00a0before</small>", self.expect(0, "report", "--html", "-"))

    def test_a_cost_below_a_cent_is_not_free(self):
        self.foreign(line(True, ago(hours=1), metadata={"cost_usd": 0.0042}) + line(True, ago(hours=2), metadata={"cost_usd": 2e-6}))
        self.assertIn("  cost     $0.0042, $0.0021 per run\n", self.expect(0, "show", "coach"))
        self.assertEqual(self.expect(0, "list", "--columns", "cost,run-cost").split("\n")[1].split(), ["$0.0042", "$0.0021"])
        self.assertEqual(self.expect(0, "list", "--columns", "cost", "--since", "3h", "--until", "90m").split()[-1], "<$0.0001")
        self.assertIn("<b>$0.0042</b>", self.expect(0, "report", "--html", "-"))

    def test_a_number_of_any_size_is_told_by_its_size(self):
        self.foreign(line(True, ago(hours=1), execution_time_s=1e300, quality_score=1e300, tokens=10**300,
                          metadata={"cost_usd": 1e300, "model": "m"}) * 2)
        for arguments in (["show", "coach"], ["list", "--columns", "all"], ["report", "--html", "-"], ["compare", "coach", "--split", "30m"],
                          ["check", "coach", "--max-p95", "1h", "--max-cost", "1"]):
            text = self.expect(arguments[0] == "check", *arguments)
            self.assertNotRegex(text, r"\d{40}", arguments)
            self.assertRegex(text, r"\de\+29[0-9]|\de\+300", arguments)

    def test_the_greatest_number_is_drawn_to_scale(self):
        self.foreign("".join(line(True, ago(hours=i + 1), execution_time_s=0.0005 if i % 2 else 1.7e308) for i in range(4)))
        page = self.expect(0, "report", "--html", "-")
        self.assertRegex(page, r'<path class="duration" d="M0 100v-5h.9V100zM\d+ 100v-100h.9V100zM\d+ 100v-5h.9V100z')
        self.assertNotIn("inf", page[page.index("How long runs took"):])

    def test_zero_has_no_sign(self):
        self.foreign(line(True, ago(hours=1), execution_time_s=-0.0, quality_score=-0.0, tokens=-0.0, metadata={"cost_usd": -0.0},
                          primary_metric={"name": "n", "value": -0.0}) * 2)
        for arguments in (["show", "coach"], ["list", "--columns", "quality,p50,cost,tokens,primary"], ["show", "coach", "-o", "json", "-n", "0"],
                          ["compare", "coach", "--split", "30m"], ["openmetrics"]):
            self.assertNotRegex(self.expect(0, *arguments), r"[ $:]-0|\$-", arguments)

    def test_a_number_just_below_a_unit_is_told_in_that_unit(self):
        for tokens, told in ((999_949, "1.00 M"), (99_999.6, "100 k"), (999_999_999, "1.00 G"), (999.6, "1,000"), (999, "999")):
            self.foreign(line(True, ago(hours=1), tokens=tokens))
            self.assertIn(f"<span>tokens</span><b>{told}</b>", self.expect(0, "report", "--html", "-"), tokens)
        for seconds, told in ((0.9996, "1.0 s"), (0.0001, "<1 ms"), (9.96, "10 s"), (119.6, "2 min"), (7190, "2 h")):
            self.foreign(line(True, ago(hours=1), execution_time_s=seconds))
            self.assertIn(f"p50 {told},", self.expect(0, "show", "coach"))

    def test_a_rule_that_is_not_met_tells_two_numbers(self):
        self.foreign("".join(line(i > 0, ago(hours=i + 1), execution_time_s=601, quality_score=0.7996, metadata={"cost_usd": 0.50001})
                             for i in range(20)))
        for rule, found, wanted in (("--max-p95=10m", "601 s", "600 s"), ("--min-quality=0.8", "0.7996", "0.8"),
                                    ("--max-run-cost=0.5", "$0.50001", "$0.5"), ("--max-p95=595s", "10 min", "595 s"),
                                    ("--min-success=0.95004", "95.0% (19", "95.004%")):
            self.assertRegex(self.expect(1, "check", "coach", rule), rf": {found.replace('$', '.').replace('(', '.')}.*, wanted at \w+ "
                             rf"{wanted.replace('$', '.')}\n", rule)


class Unknown(EdgeTest):
    def test_a_check_says_of_how_many_runs_it_knows_the_number(self):
        self.foreign("".join(line(True, ago(hours=i), **({"execution_time_s": 7, "metadata": {"cost_usd": 2}} if i == 3 else {}))
                             for i in range(1, 11)))
        rules = self.document("check", "coach", "--max-cost", "5", "--max-p95", "1m", "--max-failures-in-a-row", "0")["agents"][0]["rules"]
        self.assertEqual([rule["found"] for rule in rules], ["7.0 s (of 10 runs; known for 1 run)", "$2.00 (of 10 runs; known for 1 run)",
                                                             "0 (of 10 runs)"])

    def test_no_run_has_no_rate_and_no_time(self):
        self.foreign(line(True, ago(hours=1)) + line(False, ago(hours=2)))
        future = ["--since", (NOW + datetime.timedelta(days=1)).strftime("%Y-%m-%d")]
        for arguments in (["report"], ["show", "coach"]):
            told = self.expect(0, *arguments, *future)
            self.assertTrue(told.startswith("coach  0 runs"), told)
            self.assertNotRegex(told, "%|1970")
        self.assertNotIn("1970", self.expect(0, "report", "--html", "-", *future))
        self.foreign("garbage\n", "empty")
        self.assertRegex(self.expect(0, "top"), r"(?m)^empty +0 +0  too few to tell$")

    def test_a_run_without_a_time_at_the_beginning_is_not_of_1970(self):
        self.foreign(line(True, "yesterday") + line(True, ago(hours=2)) + line(True, ago(hours=1)))
        figures = self.document("show", "coach")["agents"][0]["figures"]
        self.assertEqual((figures["first"], figures["last"], figures["runs_per_day"]), (ago(hours=2), ago(hours=1), 3))
        self.assertEqual(self.document("list", "--until", "3h")["agents"][0]["figures"]["count"], 0)

    def test_where_no_run_has_a_time_none_is_told(self):
        self.foreign(line(True, "yesterday") + line(False, None, metadata={"error_type": "e"}))
        figures = self.document("show", "coach")["agents"][0]["figures"]
        self.assertEqual((figures["count"], figures["first"], figures["last"], figures["failures"][0]["last"]), (2, None, None, None))
        for arguments in (["show", "coach"], ["list"], ["top"], ["report"], ["report", "--html", "-"], ["compare", "coach", "--split", "1d"]):
            self.assertNotIn("1970", self.expect(0, *arguments), arguments)
        self.assertEqual(self.document("list", "--until", "now")["agents"][0]["figures"]["count"], 0)

    def test_what_a_model_cost_is_unknown_where_no_run_says(self):
        self.foreign(line(True, ago(hours=2), metadata={"model": "free", "cost_usd": 0}) + line(True, ago(hours=1), metadata={"model": "x"}))
        models = self.document("show", "coach")["agents"][0]["figures"]["models"]
        self.assertEqual({model["model"]: model["cost_usd"] for model in models}, {"free": 0, "x": None})

    def test_each_look_of_top_names_what_it_could_not_read(self):
        self.foreign(line(True, ago(hours=1)))
        self.foreign(line(True, ago(hours=1)), "linked")
        other = self.scratch / "other"
        os.link(self.log("linked"), other)
        self.assertRegex(self.expect(1, "top"), r"(?m)^linked +\? +\? +0  cannot be read$")
        looking = subprocess.Popen(self.host_command("top", "-o", "json", "-n", "1000000", "--interval", "0.1"), cwd=self.project,
                                   env=clean_environment(self.home), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(looking.kill)
        looks = [json.loads(looking.stdout.readline()) for _ in range(2)]
        other.unlink()
        while not looks[-1]["complete"] and len(looks) < 300:
            looks.append(json.loads(looking.stdout.readline()))
        looking.send_signal(signal.SIGTERM)
        looking.communicate(timeout=HANGS_S)
        self.assertEqual([len(look["unreadable"]) for look in looks], [1] * (len(looks) - 1) + [0])
        self.assertEqual(len(looks[-1]["agents"]), 2)
        self.assertEqual(looking.returncode, 1)

    def test_a_low_quality_is_a_quality(self):
        self.foreign(line(True, ago(hours=1), quality_score=-0.5))
        self.assertRegex(self.expect(0, "show", "coach"), r"success +-0\.50\n")


class Order(EdgeTest):
    """What was recorded late stands where it happened, in what is listed too."""

    def setUp(self):
        super().setUp()
        hours = [5, 1, 9, 3, 2, 7, 4, 8, 6]
        self.foreign("".join(line(hour == 2, ago(hours=hour), session_id=f"h{hour}", metadata={"error_type": f"e{hour}"}) for hour in hours))

    def recent(self, *arguments):
        return [record["session_id"] for record in self.document("show", "coach", *arguments)["agents"][0]["recent"]]

    def test_the_recent_runs_are_the_newest_ones(self):
        self.assertEqual(self.recent(), [f"h{hour}" for hour in range(9, 0, -1)])
        for arguments, hours in ((["-n", "3"], [3, 2, 1]), (["--last", "2"], [2, 1]), (["-n", "1", "--last", "5"], [1]),
                                 (["--until", "210m", "-n", "2"], [5, 4]), (["--since", "210m", "--last", "2"], [2, 1]), (["-n", "0"], [])):
            self.assertEqual(self.recent(*arguments), [f"h{hour}" for hour in hours], arguments)
        self.assertEqual([row.split()[-1] for row in self.expect(0, "show", "coach", "-n", "3").splitlines()[-3:]], ["e3", "e2", "e1"])

    def test_a_fraction_of_a_second_is_after_its_second(self):
        self.foreign(line(True, "2026-11-20T10:00:00Z") + line(True, "2026-11-20T10:00:01Z"))
        for arguments, count in ((["--until", "2026-11-20T10:00:00.5Z"], 1), (["--since", "2026-11-20T10:00:00,001Z"], 1),
                                 (["--since", "2026-11-20T10:00:00.000Z"], 2), (["--until", "2026-11-20T12:00:01.5+02:00"], 2),
                                 (["--since", "2026-11-20 10:00:00.5", "--until", "2026-11-20T10:00:01.0Z"], 0)):
            status = 2 if count == 0 else 0
            told = self.expect(status, "export", "coach", *arguments)
            self.assertEqual(len(told.splitlines()), count, arguments)

    def test_the_last_failures_are_the_newest_of_the_window(self):
        for arguments, hours in (([], [1, 3, 4, 5, 6, 7, 8, 9]), (["--last", "3"], [1, 3]), (["--until", "330m"], [6, 7, 8, 9])):
            failures = self.document("report", *arguments)["agents"][0]["last_failures"]
            self.assertEqual([failure["session_id"] for failure in failures], [f"h{hour}" for hour in hours], arguments)

    def test_of_many_the_newest_are_kept(self):
        self.foreign("".join(line(True, ago(minutes=1 + i * 7 % 1000), session_id=f"m{1 + i * 7 % 1000}") for i in range(1000)))
        self.assertEqual(self.recent("-n", "70"), [f"m{minute}" for minute in range(70, 0, -1)])


class Lenient(EdgeTest):
    """What Python reads and writes is in every answer."""

    def setUp(self):
        super().setUp()
        deep = "[" * 100 + "]" * 100
        self.foreign('{"timestamp":"2026-11-20T10:00:00Z","agent":"coach","success":false,"quality_score":NaN,'
                     '"metadata":{"error_type":"nan","x":[-Infinity,"NaN, \\"Infinity"]}}\n'
                     '{"timestamp":"2026-11-20T11:00:00Z","agent":"coach","success":false,"metadata":{"error_type":"deep","x":' + deep + "}}\n"
                     '{"timestamp":"2026-11-20T12:00:00Z","agent":"coach","success":false,"metadata":{"error_type":"two","error_type":5}}\n'
                     + line(False, "2026-11-20T13:00:00Z", metadata={"error_type": "a" + "\u00e9" * 300}))

    def test_a_document_is_json_whatever_the_log_holds(self):
        recent = self.document("show", "coach")["agents"][0]["recent"]
        self.assertEqual((recent[0]["quality_score"], recent[0]["metadata"]["x"]), (None, [None, 'NaN, "Infinity']))
        self.assertEqual(len(recent), 4)

    def test_each_run_is_shown(self):
        reasons = ["nan", "deep", "5", "a" + "\u00e9" * 79 + "..."]
        rows = self.expect(0, "show", "coach").splitlines()[-4:]
        self.assertEqual([row.split()[-1] for row in rows], reasons)
        failures = self.document("report")["agents"][0]["last_failures"]
        self.assertEqual([failure["reason"] for failure in failures][1:], ["5", "deep", "nan"])

    def test_a_long_name_is_cut_between_its_characters(self):
        for document in (self.document("show", "coach"), self.document("report")):
            for failure in document["agents"][0]["figures"]["failures"]:
                self.assertNotIn("\ufffd", failure["reason"])

    def test_nesting_is_no_reason_to_leave_a_record_out(self):
        self.foreign(line(True, ago(hours=1), metadata={"x": json.loads("[" * 100 + "]" * 100)}))
        for style, lines in (("csv", 2), ("cloudevents", 1), ("otlp-json", 1)):
            self.assertEqual(len(self.expect(0, "export", "coach", "--format", style).splitlines()), lines, style)


class Page(EdgeTest):
    def test_the_page_names_what_it_could_not_read(self):
        self.foreign(line(True, ago(hours=1)))
        self.foreign(line(True, ago(hours=1)), "linked")
        os.link(self.log("linked"), self.scratch / "other")
        page = self.expect(1, "report", "--html", "-")
        self.assertIn('<p class="warn">1 log could not be read and is missing here:</p>', page)
        self.assertRegex(page, "<li>linked: .*hard links.*</li>")

    def test_a_name_of_any_length_takes_a_line_or_two(self):
        self.foreign(line(False, ago(hours=1), metadata={"model": "<" * 250, "error_type": "\u05d0" * 300}) * 3)
        page = self.expect(0, "report", "--html", "-")
        self.assertIn(f'<td><span title="{"&lt;" * 250}">{"&lt;" * 60}...</span></td>', page)
        self.assertNotRegex(page, "(?s)<body>.*>[^<\"]*\u05d0{121}")

    def test_each_table_says_what_its_heads_are_about(self):
        self.foreign(line(False, ago(hours=1), metadata={"model": "m", "error_type": "e"}) * 3)
        self.foreign(line(False, ago(hours=1)), "mentor")
        page = self.expect(0, "report", "--html", "-")
        self.assertEqual(page.count("<th"), page.count('<th scope="col">') + page.count("<thead>"))
        self.assertGreater(page.count('<th scope="col">'), 10)


class Comparing(EdgeTest):
    def test_values_of_the_key_agent_are_values_like_others(self):
        self.foreign("".join(json.dumps({"timestamp": ago(hours=9 - i), "agent": name, "success": True, "metadata": {"model": "m" + name}}) + "\n"
                             for i, name in enumerate("xyzxyzxyz")))
        groups = self.document("compare", "coach", "--by", "agent")["groups"]
        self.assertEqual([(group["name"], group["figures"]["models"][0]["model"]) for group in groups],
                         [("x", "mx"), ("y", "my"), ("z", "mz")])

    def test_runs_that_are_in_no_column_are_told(self):
        models = [f"m{i}" for i in range(8) for _ in range(9 - i)] + [None] * 5
        self.foreign("".join(line(True, ago(minutes=len(models) - i), metadata={"model": model}) for i, model in enumerate(models)))
        for arguments, left in ((["--by", "model"], 3 + 2 + 5), (["--by", "model", "--values", "m0,m1"], len(models) - 17),
                                (["--by", "model", "--last", "5", "--values", "m0,m1"], 5), (["--split", "10m"], 0)):
            document = self.document("compare", "coach", *arguments)
            self.assertEqual(document["left_out"], left, arguments)
            told = self.messages(0, "compare", "coach", *arguments)
            self.assertEqual(told, f"kaizen-host: {left} runs are in no column: without 'model', or with another value\n" if left else "")

    def test_a_long_value_heads_its_column_cut_between_characters(self):
        self.foreign("".join(line(True, ago(minutes=9 - i), metadata={"model": "a" + "\u65e5" * 70 + str(i % 2)}) for i in range(8)))
        head = self.expect(0, "compare", "coach", "--by", "model").splitlines()[0]
        self.assertEqual(head.count("a" + "\u65e5" * 59 + "..."), 2)
        self.assertIn("a" + "\u65e5" * 59, self.expect(0, "list", "--columns", "model"))
        self.assertNotIn("?", self.expect(0, "list", "--columns", "model"))

    def test_much_better_is_not_worse(self):
        self.foreign("".join(line(i >= 1000, ago(minutes=2000 - i)) for i in range(2000)))
        self.expect(0, "check", "coach", "--last", "1000", "--no-worse-than", "30d")
        rule = self.document("check", "coach", "--last", "1000", "--no-worse-than", "30d")["agents"][0]["rules"][0]
        self.assertEqual((rule["status"], rule["value"]), ("met", 1))

    def test_a_time_before_that_holds_no_run_is_refused(self):
        self.foreign(line(True, ago(hours=1)))
        for since, before in (("12h", "12h"), ("30d", "7d")):
            self.assertIn("--no-worse-than", self.messages(2, "check", "coach", "--since", since, "--no-worse-than", before))
        self.expect(1, "check", "coach", "--since", "12h", "--no-worse-than", "999999999999999w")


class Injection(EdgeTest):
    def test_a_text_of_the_log_does_not_drive_the_terminal(self):
        self.foreign('{"timestamp":"\\u001b[31m","agent":"coach","success":false,"session_id":"\\u001b[31m",'
                     '"metadata":{"error_type":"\\u001b]0;x\\u0007","model":"\\u009b31m"}}\n' * 2)
        for arguments in (["show", "coach"], ["report"], ["top"], ["list", "--columns", "all"], ["compare", "coach", "--split", "1h"],
                          ["status"]):
            self.assertNotRegex(self.expect(0, *arguments), "[\x00-\x09\x0b-\x1f\x7f-\x9f]", arguments)

    def test_a_document_drives_no_terminal_and_says_the_same(self):
        text = "\x7f\x9b31m\u202e\u2066\u00e9\u65e5\U0001f600\u2028\\"
        self.foreign(json.dumps({"timestamp": ago(hours=1), "agent": "coach", "success": False, "x": float("nan"),
                                 "metadata": {"error_type": text, "model": text}}, ensure_ascii=False) + "\n")
        for arguments in (["show", "coach"], ["report"], ["list"], ["top"]):
            printed = self.expect(0, *arguments, "-o", "json")
            self.assertNotRegex(printed, "[\x7f-\x9f\u202e\u2066]", arguments)
            agent = json.loads(printed, parse_constant=no_constant)["agents"][0]
            self.assertEqual(agent["figures"]["models"][0]["model"], text)
            for record in agent.get("recent", []):
                self.assertEqual((record["metadata"]["error_type"], record["x"]), (text, None))

    def test_a_name_is_no_markup_in_the_table_of_a_check(self):
        project = self.scratch / "a|b`<i>"
        project.mkdir()
        self.project = project
        self.foreign(line(False, ago(hours=1)))
        roots, table = self.scratch / "roots", self.scratch / "table.md"
        roots.write_text(f"{project}\n")
        self.expect(1, "check", "--all", "--roots", roots, "--min-success", "1", "--markdown", table, cwd=self.scratch)
        self.assertIn("| a\\|b\\`\\<i\\>/coach | min-success |", table.read_text())

    def test_a_spreadsheet_is_given_no_formula(self):
        texts = ["=1+1", "+1", "-1+2", "@SUM(1)", "\tx", "plain", "a=b"]
        self.foreign("".join(line(False, ago(hours=9 - i), quality_score=-0.5, metadata={"error_type": text}) for i, text in enumerate(texts)))
        rows = list(csv.DictReader(io.StringIO(self.expect(0, "export", "coach", "--format", "csv"), newline="")))
        self.assertEqual([row["error_type"] for row in rows], ["'" + text if text[0] in "=+-@\t" else text for text in texts])
        self.assertEqual({row["quality_score"] for row in rows}, {"-0.5"})


class Terminal(EdgeTest):
    def test_a_column_is_straight_whatever_characters_stand_before_it(self):
        for i, model in enumerate(("plain", "\u65e5\u672c\u8a9e", "e\u0301\u0301", "\U0001f600x")):
            self.foreign(line(True, ago(hours=1), metadata={"model": model}), f"agent{i}")
        rows = self.expect(0, "list", "--columns", "model,agent").splitlines()

        def columns(text):
            return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
        self.assertEqual({columns(row[:row.index("agent")]) for row in rows}, {8})
        self.assertEqual(len(self.expect(0, "list", "--columns", "model,agent", env={"LC_ALL": "C"}).splitlines()), 5)


class Exports(EdgeTest):
    def test_a_full_disk_is_told_once_with_its_cause(self):
        self.foreign("".join(line(True, ago(minutes=i)) for i in range(1000)))
        for arguments in (["export", "coach"], ["export", "--all", "--format", "csv"], ["list"], ["openmetrics"], ["report", "--html", "-"]):
            with open("/dev/full", "wb") as full:
                told = self.messages(1, *arguments, stdout=full)
            self.assertRegex(told, r"^kaizen-host: .*cannot write.*: No space left on device\n$", arguments)

    def test_numbers_are_those_of_the_log(self):
        self.foreign(f'{{"timestamp":"2026-11-20T10:00:00Z","agent":"coach","success":true,"tokens":{BIG},'
                     f'"metadata":{{"input_tokens":{BIG},"cost_usd":1.10,"model":"a\\u0000b"}}}}\n')
        row = list(csv.DictReader(io.StringIO(self.expect(0, "export", "coach", "--format", "csv"), newline="")))[0]
        self.assertEqual((row["tokens"], row["input_tokens"], row["cost_usd"], row["model"]), (BIG, BIG, "1.10", "a\ufffdb"))
        event = json.loads(self.expect(0, "export", "coach", "--format", "cloudevents"))
        self.assertEqual(event["data"], json.loads(self.log("coach").read_text()))

    def test_equal_lines_are_several_events_whatever_stands_between_them(self):
        self.foreign("".join(line(i % 3 > 0, ago(hours=1)) for i in range(30)) + line(True, ago(minutes=1)) * 2)
        for style, member in (("cloudevents", '"id":'), ("otlp-json", '"spanId":')):
            text = self.expect(0, "export", "coach", "--format", style)
            self.assertEqual(len({exported.split(member)[1].split(",")[0] for exported in text.splitlines()}), 32, style)

    def test_a_span_has_the_numbers_and_a_type_of_error(self):
        cases = ((2**53 + 1, {"intValue": str(2**53 + 1)}), (2**63 - 1, {"intValue": str(2**63 - 1)}), (2**63, {"doubleValue": 2.0**63}),
                 (10**30, {"doubleValue": 1e30}), (1.5, {"doubleValue": 1.5}), (7.0, {"intValue": "7"}),
                 (-1, None), ("7", None))
        for tokens, told in cases:
            self.foreign(json.dumps({"timestamp": ago(hours=1), "agent": "", "success": False, "tokens": tokens, "metadata": {"error_type": ""}}) + "\n")
            span = json.loads(self.expect(0, "export", "coach", "--format", "otlp-json"))["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
            attributes = {item["key"]: item["value"] for item in span["attributes"]}
            self.assertEqual((span["name"], attributes["gen_ai.agent.name"], attributes["error.type"]),
                             ("invoke_agent coach", {"stringValue": "coach"}, {"stringValue": "_OTHER"}))
            self.assertEqual(attributes.get("kaizen.tokens"), told, tokens)

    def test_digits_within_a_text_are_no_number(self):
        session = f'-1 "\\"{BIG}\\" {BIG}'
        self.foreign(json.dumps({"timestamp": ago(hours=1), "agent": "coach", "success": True, "session_id": session, f"{BIG}": int(BIG),
                                 "list": [int(BIG), -int(BIG), 0.1, int(BIG)]}) + "\n")
        span = json.loads(self.expect(0, "export", "coach", "--format", "otlp-json"))["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
        attributes = {item["key"]: item["value"] for item in span["attributes"]}
        self.assertEqual(attributes["gen_ai.conversation.id"], {"stringValue": session})

    def test_a_range_of_times_may_end_in_any_year_and_says_what_it_leaves_out(self):
        self.foreign("".join(line(True, when) for when in (ago(hours=1), "2300-01-01T00:00:00Z", "2400-01-01T00:00:00Z", "bad")))
        for arguments, kept in ((["--since", "2290-01-01"], [1, 2]), (["--until", "2350-01-01"], [0, 1]), (["--since", "2350-01-01"], [2]),
                                (["--until", "9999-01-01", "-n", "2"], [1, 2]), (["--until", "2200-01-01"], [0]), (["-n", "2"], [2, 3])):
            result = self.run_host("export", "coach", *arguments)
            self.assertEqual(result.stdout.decode().splitlines(), [self.lines("coach")[i] for i in kept], arguments)
            self.assertEqual("1 record without a readable time is in no range" in result.stderr.decode(), arguments[0] != "-n", arguments)

    def test_each_cloudevent_has_an_id_and_a_subject(self):
        marked = "11111111-2222-3333-4444-555555555555"
        self.foreign("".join(json.dumps({"timestamp": ago(hours=9 - i), "agent": "", "success": True, **more}) + "\n" for i, more in enumerate((
            {"event_id": "", "idempotency_key": ""}, {"event_id": "x", "event": {}}, {"event_id": marked},
            {"event_id": marked, "event": {}}, {"metadata": {"idempotency_key": "k"}}, {"idempotency_key": "k" * 700 + "1"},
            {"idempotency_key": "k" * 700 + "2"}))))
        events = [json.loads(text) for text in self.expect(0, "export", "coach", "--format", "cloudevents").splitlines()]
        self.assertEqual({event["subject"] for event in events}, {"coach"})
        ids = [event["id"] for event in events]
        self.assertEqual(len(set(ids)), 7)
        self.assertEqual((ids[3], ids[4]), (marked, "coach/k"))
        for i in (0, 1, 2, 5, 6):
            self.assertRegex(ids[i], "^[0-9a-f]{32}$")


if __name__ == "__main__":
    unittest.main()

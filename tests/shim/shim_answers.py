# shim_answers.py - is the agent getting worse, since when, what does it cost: each answer against logs made for it.
#
# SPDX-License-Identifier: Apache-2.0
import datetime
import json
import os
import re
import unittest

from shim_support import HostTest

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def ago(**time):
    return (NOW - datetime.timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


def line(success, when, agent="coach", **more):
    return json.dumps({"timestamp": when, "agent": agent, "success": success, **more}) + "\n"


class AnswersTest(HostTest):
    def replay(self, text):
        self.expect(0, "replay", "-q", stdin=text)

    def document(self, *arguments, status=0, **options):
        return json.loads(self.expect(status, *arguments, "-o", "json", **options))

    def worsen(self, agent="coach"):
        """200 successes in the days before, then 20 failures within the last 20 hours."""
        self.replay("".join(line(True, ago(hours=221 - i, minutes=30), agent) for i in range(200)) +
                    "".join(line(False, ago(hours=20 - i), agent, metadata={"error_type": "timeout"}) for i in range(20)))


class Changes(AnswersTest):
    def test_an_agent_that_got_worse_is_told_with_its_numbers_and_since_when(self):
        self.worsen()
        since = ago(hours=20)
        told = f"worse since {since[:10]} {since[11:16]} UTC, 0 of 20, down from 200 of 200"
        for arguments in (["list"], ["show", "coach"], ["report"]):
            self.assertIn(told, self.expect(0, *arguments), arguments)
        self.assertIn(f'<p class="warn">success {told}</p>', self.expect(0, "report", "--html", "-"))
        change = self.document("list")["agents"][0]["change"]["success"]
        self.assertEqual((change["verdict"], change["since"], change["after"]["count"]), ("worse", since, 20))
        agent = self.document("show", "coach")["agents"][0]
        self.assertEqual((agent["last_20"]["successes"], agent["last_7_days"]["count"]), (0, 166))

    def test_noise_has_no_arrow_and_few_runs_are_too_few_to_tell(self):
        self.replay("".join(line(i % 10 != 0, ago(hours=100 - i), "noisy") for i in range(100)) +
                    "".join(line(i < 9, ago(hours=20 - i), "new") for i in range(14)))
        text = self.expect(0, "list")
        self.assertNotRegex(text, "[↑↓→]|worse|better")
        self.assertRegex(text, "(?m)^new .* too few to tell$")
        for arguments in (["report"], ["report", "--html", "-"]):
            self.assertNotRegex(self.expect(0, *arguments), "[↑↓→]|worse|better")
        self.assertIn("noisy  100 runs, 90.0% success, no change", self.expect(0, "report"))

    def test_one_run_is_not_several(self):
        self.replay(line(True, ago(hours=1), "once") + "".join(line(True, ago(hours=i), "thrice") for i in (1, 2, 3)))
        self.assertRegex(self.expect(0, "show", "once"), r"^once  1 run\n[^$]*, 1 run per day\n")
        self.assertRegex(self.expect(0, "show", "thrice"), r"^thrice  3 runs\n[^$]*, 3 runs per day\n")

    def test_that_success_has_not_changed_is_told_where_nothing_else_has(self):
        self.replay("".join(line(True, ago(hours=60 - i), "steady", execution_time_s=20 + i % 7) for i in range(60)))
        self.replay("".join(line(True, ago(hours=60 - i), "slow", execution_time_s=(20 if i < 40 else 90) + i % 7)
                            for i in range(60)))
        self.assertIn("  change   no change\n", self.expect(0, "show", "steady"))
        self.assertIn("  change   slower since ", self.expect(0, "show", "slow"))

    def test_what_a_run_costs_is_told_by_ranks_of_the_runs_that_say_it(self):
        cost = lambda i, usd: {} if i % 4 == 0 else {"metadata": {"cost_usd": usd + i % 3 / 100}}
        self.replay("".join(line(True, ago(hours=120 - i), "up", **cost(i, 0.17 if i < 60 else 0.37)) +
                            line(True, ago(hours=120 - i), "down", **cost(i, 0.37 if i < 60 else 0.17)) for i in range(120)))
        for agent, told in (("up", "more expensive since {}, median $0.38, up from $0.18"),
                            ("down", "cheaper since {}, median $0.18, down from $0.38")):
            since = ago(hours=59)  # the first that says its cost
            told = told.format(f"{since[:10]} {since[11:16]} UTC")
            for arguments in (["show", agent], ["list"], ["report"], ["top"], ["report", "--html", "-"]):
                self.assertIn(told, self.expect(0, *arguments), arguments)
            change = self.document("show", agent)["agents"][0]["change"]
            self.assertEqual((change["cost"]["verdict"], change["cost"]["since"], change["cost"]["before"]["count"],
                              change["cost"]["after"]["count"]), ("worse" if agent == "up" else "better", since, 45, 45))
            self.assertEqual((change["success"]["verdict"], change["duration"]["verdict"]), ("none", "too_few"))

    def test_a_cost_of_nothing_and_a_few_cents_more_are_no_change(self):
        for agent, before, after in (("subscribed", 0, 0), ("cents", 10, 10.01), ("unknown", None, 0.5), ("tenth", 0.2, 0.219)):
            self.replay("".join(line(True, ago(hours=60 - i), agent, **(
                {} if usd is None else {"metadata": {"cost_usd": usd}})) for i in range(60)
                for usd in [before if i < 30 else after]))
            self.assertNotRegex(self.expect(0, "show", agent), "expensive|cheaper", agent)
        self.replay("".join(line(True, ago(hours=60 - i), "billed", metadata={"cost_usd": 0 if i < 30 else 0.3}) for i in range(60)))
        self.assertIn("median $0.30, up from $0.00\n", self.expect(0, "show", "billed"))

    def test_slower_and_lower_are_told_by_ranks(self):
        self.replay("".join(line(True, ago(hours=200 - i), execution_time_s=(20 if i < 150 else 90) + i % 7,
                                 quality_score=(0.9 if i < 150 else 0.4) + i % 5 / 100) for i in range(200)))
        text = self.expect(0, "show", "coach")
        self.assertRegex(text, r"slower since [-\d]+ [:\d]+ UTC, median 93 s, up from 23 s")
        self.assertRegex(text, r"quality lower since [-\d]+ [:\d]+ UTC, median 0.42, down from 0.92")
        change = self.document("show", "coach")["agents"][0]["change"]
        self.assertEqual([change[of]["since"] for of in ("duration", "quality")], [ago(hours=50)] * 2)
        self.assertEqual(change["success"]["verdict"], "none")

    def test_what_was_recorded_late_stands_where_it_happened(self):
        self.replay("".join(line(True, ago(hours=40 - i)) for i in range(20)))
        self.replay("".join(line(False, ago(hours=100 - i)) for i in range(20)))
        self.assertEqual(self.document("list")["agents"][0]["change"]["success"]["verdict"], "better")


class Foremost(AnswersTest):
    """Where a line has room for one change, it is the first of: success worse, quality lower, slower, more expensive,
    success better, quality higher, faster, cheaper."""
    BEGINNINGS = {"broken": "worse", "dull": "quality lower", "slow": "slower", "dear": "more expensive", "fixed": "better",
                  "fine": "quality higher", "fast": "faster", "cheap": "cheaper"}
    SCORES = {"broken": (-1, -1, -1, -1), "dull": (1, -1, -1, -1), "slow": (1, 1, -1, -1), "dear": (1, 1, 1, -1),
              "fixed": (1, 1, 1, 1), "fine": (0, 1, 1, 1), "fast": (0, 0, 1, 1), "cheap": (0, 0, 0, 1),
              "steady": (0, 0, 0, 0)}  # success, quality, duration, cost
    MEDIANS = {-1: (0.9, 0.4, 20, 90, 0.2, 0.4), 0: (0.7, 0.7, 40, 40, 0.3, 0.3), 1: (0.4, 0.9, 90, 20, 0.4, 0.2)}

    def setUp(self):
        super().setUp()
        for agent, (success, quality, duration, cost) in self.SCORES.items():
            self.replay("".join(line(
                self.succeeded(success, i), ago(hours=80 - i), agent,
                quality_score=self.MEDIANS[quality][i >= 40] + i % 5 / 100,
                execution_time_s=self.MEDIANS[duration][2 + (i >= 40)] + i % 7,
                metadata={"cost_usd": self.MEDIANS[cost][4 + (i >= 40)] + i % 5 / 100}) for i in range(80)))
        self.replay("".join(line(i > 2, ago(hours=20 - i), "new") for i in range(9)))

    @staticmethod
    def succeeded(score, i):
        return i % 10 > 0 if score == 0 else (i < 40) == (score < 0) or i % 10 == 0

    def test_every_line_names_the_same_change_in_the_words_of_show(self):
        rows = dict(row.split(None, 1) for row in self.expect(0, "list", "--columns", "agent,change").splitlines()
                    if " " in row)
        watched = self.expect(0, "top")
        reported = self.expect(0, "report")
        page = self.expect(0, "report", "--html", "-")
        for agent, begin in self.BEGINNINGS.items():
            told = rows[agent]
            self.assertRegex(told, rf"^{begin} since [-\d]+ [:\d]+ UTC, .*(up|down) from ", agent)
            self.assertIn(told, self.expect(0, "show", agent))
            self.assertRegex(watched, rf"(?m)^{agent} .*  {re.escape(told)}$")
            self.assertIn(f"{agent}  80 runs, ", reported)
            self.assertRegex(reported, rf"(?m)^{agent}  80 runs, [\d.]+% success, {re.escape(told)}$")
            bad = agent in ("broken", "dull", "slow", "dear")
            self.assertIn(f'<li class="{"bad" if bad else "good"}"><a href="#agent-{agent}">{agent}</a> {told}</li>', page)
            self.assertIn(f'<td{" class=" + chr(34) + "bad" + chr(34) if bad else ""}>{told.partition(",")[0]}</td>', page)
        self.assertEqual((rows.get("new"), rows.get("steady")), ("too few to tell", None))
        self.assertRegex(watched, "(?m)^steady .*  no change$")
        self.assertRegex(reported, "(?m)^new  9 runs, 66.7% success, too few to tell$")
        self.assertEqual(page.count('<li class="'), 8)

    def test_what_got_worse_comes_first_by_how_much_it_matters(self):
        order = [agent["agent"] for agent in self.document("report")["agents"]]
        self.assertEqual(order[:4], ["broken", "dull", "slow", "dear"])
        page = self.expect(0, "report", "--html", "-")
        self.assertEqual(re.findall(r'<section id="agent-([^"]*)"', page), order)
        sort = lambda by: self.expect(0, "list", "--columns", "agent", "--sort", by).split()[1:]
        scale = ["broken", "dull", "slow", "dear", "new", "cheap", "fast", "fine", "fixed"]
        self.assertEqual((sort("change"), sort("-change")), (scale + ["steady"], scale[::-1] + ["steady"]))

    def test_the_counts_say_of_what_they_are(self):
        told = ("1 worse, 1 with lower quality, 1 slower, 1 more expensive, 1 better, 1 with higher quality, 1 faster, "
                "1 cheaper")
        self.assertIn(f"10 agents, 729 runs, 70.5% success, {told}, $", self.expect(0, "report"))
        self.assertIn(f"<span>agents</span><b>10</b><small>{told}</small>", self.expect(0, "report", "--html", "-"))

    def test_every_change_is_a_number_an_alert_can_take(self):
        text = self.expect(0, "openmetrics")
        for agent, scores in self.SCORES.items():
            for of, score in zip(("success", "quality", "duration", "cost"), scores):
                sample = f'{{project="shop",agent="{agent}"}} '
                self.assertIn(f"kaizen_{of}_change{sample}{score}\n", text)
                self.assertEqual(f"kaizen_{of}_changed_timestamp_seconds{sample}" in text, score != 0, (agent, of))
        self.assertNotRegex(text, '_change(d_timestamp_seconds)?{project="shop",agent="new"}')


class Unchanged(AnswersTest):
    def test_that_none_changed_and_that_nothing_can_be_told_are_two_answers(self):
        self.replay("".join(line(True, ago(hours=9 - i), agent) for i in range(9) for agent in ("new", "newer")))
        self.assertIn("2 agents, 18 runs, 100.0% success, too few runs to tell\n", self.expect(0, "report"))
        page = self.expect(0, "report", "--html", "-")
        self.assertIn("<main>\n<p class=\"soft\">Too few runs to tell a change.</p>", page)
        self.assertIn("<b>2</b><small>too few runs to tell</small>", page)
        self.replay("".join(line(True, ago(hours=60 - i), "steady") for i in range(60)))
        self.assertIn("3 agents, 78 runs, 100.0% success, none changed\n", self.expect(0, "report"))
        page = self.expect(0, "report", "--html", "-")
        self.assertIn("No agent has changed significantly; 2 have too few runs to tell.", page)
        self.assertIn("<b>3</b><small>none changed</small>", page)

    def test_a_failure_without_a_reason_says_so_and_a_page_on_standard_output_is_not_announced(self):
        self.replay(line(False, ago(hours=2)) + line(True, ago(hours=1)))
        self.assertRegex(self.expect(0, "report"), "(?m)^  failed [-\\dT:Z]+  no reason given$")
        self.assertIn("</time></td><td>no reason given</td>", self.expect(0, "report", "--html", "-").split('class="failures"')[1])
        self.assertEqual(self.messages(0, "report", "--html", "-"), "")
        self.assertIn("1 agent\n", self.messages(0, "report", "--html", self.scratch / "page.html"))

    def test_two_medians_are_told_with_as_many_digits_as_they_differ_in(self):
        for agent, before, after, told in (("minutes", 130, 148, "median 148 s, up from 130 s"), ("hours", 7800, 8900, "median 148 min, up from 130 min"),
                                           ("blink", 0.0006, 0.0008, "median 0.8 ms, up from 0.6 ms")):
            self.replay("".join(line(True, ago(hours=60 - i), agent, execution_time_s=before if i < 30 else after) for i in range(60)))
            self.assertIn(told, self.expect(0, "show", agent))
        self.replay("".join(line(True, ago(hours=60 - i), "faint", quality_score=0.011 if i < 30 else 0.014) for i in range(60)))
        self.assertIn("median 0.014, up from 0.011", self.expect(0, "show", "faint"))
        for agent, before, after, told in (("cents", 0.021, 0.024, "median $0.0240, up from $0.0210"), ("bits", 0.00014, 0.00012, "median $0.00012, down from $0.00014"),
                                           ("less", 0.00002, 0.00003, "median $3e-05, up from $2e-05"), ("much", 1234.5, 2468, "median $2468.00, up from $1234.50")):
            self.replay("".join(line(True, ago(hours=60 - i), agent, metadata={"cost_usd": before if i < 30 else after}) for i in range(60)))
            self.assertIn(told, self.expect(0, "show", agent))


class Windows(AnswersTest):
    def test_runs_are_chosen_by_time_and_number(self):
        self.replay("".join(line(i % 2 == 0, ago(days=9 - i)) for i in range(9)))
        yesterday = ago(days=1)[:10]
        for arguments, count in (([], 9), (["--since", "100d"], 9), (["--since", ago(days=3)], 3), (["--until", ago(days=3)], 6),
                                 (["--since", ago(days=5), "--until", ago(days=3)], 2), (["--last", "4"], 4),
                                 (["--since", "25h", "--last", "4"], 1), (["--since", "36h"], 1),
                                 (["--since", ago(days=3).replace("Z", "+00:00")], 3), (["--last", "0"], 9),
                                 (["--since", yesterday, "--until", "now"], 1), (["--since", "now"], 0)):
            for command in (["list"], ["show", "coach"], ["report"]):
                agent = self.document(*command, *arguments)["agents"][0]
                self.assertEqual(agent["figures"]["count"], count, (command, arguments))
        self.assertEqual(len(self.document("show", "coach", "-n", "5", "--since", ago(days=3))["agents"][0]["recent"]), 3)
        self.assertEqual(self.document("list", "--since", ago(days=3))["window"], {"since": ago(days=3), "until": None, "last": None})

    def test_yesterday_and_today_are_days_of_utc(self):
        midnight = NOW.replace(hour=0, minute=0, second=0)
        at = [(midnight + datetime.timedelta(seconds=s)).strftime("%Y-%m-%dT%H:%M:%SZ") for s in (-86401, -86400, -1, 0)]
        self.replay("".join(line(True, when) for when in at))
        for arguments, count in ((["--since", "yesterday"], 3), (["--since", "yesterday", "--until", "today"], 2),
                                 (["--since", "today"], 1), (["--until", "yesterday"], 1)):
            self.assertEqual(self.document("list", *arguments)["agents"][0]["figures"]["count"], count, arguments)

    def test_every_time_of_day_says_that_it_is_utc(self):
        self.worsen()
        for arguments, least in ((["list"], 1), (["show", "coach"], 1), (["show", "coach", "--since", "30d", "--until", "now"], 3),
                                 (["report"], 1), (["top"], 1), (["compare", "coach", "--split", "21h"], 2)):
            text = self.expect(0, *arguments)
            self.assertGreaterEqual(len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC\b", text)), least, arguments)
            self.assertNotRegex(text, r"\d\d:\d\d\b(?!:\d\dZ| UTC|Z)", arguments)
        page = self.expect(0, "report", "--html", "-", "--since", "30d")
        self.assertRegex(page, r'as of <time [^>]*>[-\d: ]+</time> · times are UTC · runs since [-\d]+ [:\d]+ UTC</p>')
        text = re.sub(r'<script.*?</script>|<style.*?</style>|<time.*?</time>|<span class="x.*?</span>', "", page, flags=re.S)
        self.assertRegex(text, r'<small>last [-\d]+ [:\d]+ UTC</small>')
        self.assertNotRegex(text, r"\d{4}-\d\d-\d\d \d\d:\d\d(?! UTC)")

    def test_what_is_no_time_is_refused_with_its_option_and_value(self):
        self.replay(line(True, ago(hours=1)))
        for arguments, told in ((["--since", "2026-13-01"], "--since: '2026-13-01'"), (["--until", "7x"], "--until: '7x'"),
                                (["--since", ""], "--since: ''"), (["--last", "-1"], "--last: '-1'"), (["--since", "12"], "'12'"),
                                (["--since", "1d", "--until", "2d"], "--since 1d is not before --until 2d")):
            for command in (["list"], ["show"], ["report"]):
                self.assertIn(told, self.messages(2, *command, *arguments))


class Columns(AnswersTest):
    def setUp(self):
        super().setUp()
        for agent, count, cost, model in (("ant", 3, 1.5, "m-1"), ("bee", 5, 0.25, "m-2"), ("cat", 1, None, None)):
            metadata = {"cost_usd": cost, "model": model, "input_tokens": 10, "output_tokens": 5} if cost else {}
            self.replay("".join(line(i % 2 == 0, ago(hours=9 - i), agent, execution_time_s=i + 1, metadata=metadata)
                                for i in range(count)))

    def first_cells(self, *arguments):
        return [row.split()[0] for row in self.expect(0, "list", *arguments).splitlines()[1:]]

    def test_columns_and_order_are_chosen(self):
        rows = [row.split() for row in self.expect(0, "list", "--columns", "cost,agent,tokens,model,p95").splitlines()]
        self.assertEqual(rows, [["cost", "agent", "tokens", "model", "p95"], ["$4.50", "ant", "45", "m-1", "3.0", "s"],
                                ["$1.25", "bee", "75", "m-2", "5.0", "s"], ["cat", "1.0", "s"]])
        self.assertEqual(self.first_cells("--sort", "runs"), ["cat", "ant", "bee"])
        self.assertEqual(self.first_cells("--sort", "-runs"), ["bee", "ant", "cat"])
        for order in ("cost", "-cost"):
            self.assertEqual(self.first_cells("--sort", order)[-1], "cat", "what has none comes last")
        self.assertEqual(self.first_cells("--sort", "-agent"), ["cat", "bee", "ant"])
        self.assertEqual(len(self.expect(0, "list", "--columns", "all").splitlines()), 4)
        self.assertEqual(self.expect(0, "list", "--columns", "executions", "--sort", "executions"),
                         self.expect(0, "list", "--columns", "runs", "--sort", "runs"))

    def test_a_mean_says_for_how_many_runs_its_number_is_known(self):
        self.assertIn("  cost     $4.50, $1.5000 per run\n", self.expect(0, "show", "ant"))
        self.replay(line(True, ago(hours=1), "ant"))
        shown = self.expect(0, "show", "ant")
        self.assertIn("  tokens   45, 15 per run; known for 3 runs\n", shown)
        self.assertIn("  cost     $4.50, $1.5000 per run; known for 3 runs\n", shown)
        self.assertIn("15 per run; known for 8 runs", self.expect(0, "report", "--html", "-"))

    def test_a_column_that_there_is_not_is_named_with_the_nearest(self):
        self.assertIn("no column 'sucess', did you mean 'success'?", self.messages(2, "list", "--columns", "agent,sucess"))
        self.assertIn("--sort: no column 'x'", self.messages(2, "list", "--sort", "-x"))
        self.messages(2, "list", "--columns", "agent,,cost")

    def test_figures_are_those_of_the_log(self):
        figures = self.document("show", "ant")["agents"][0]["figures"]
        self.assertEqual((figures["cost_usd"]["total"], figures["tokens"]["total"], figures["models"][0]["model"]), (4.5, 45, "m-1"))
        self.assertEqual([figures["duration_s"][of] for of in ("p50", "p90", "p95", "max")], [2, 3, 3, 3])
        self.assertEqual(figures["failures"], [{"reason": "", "count": 1, "successes": 0, "cost_usd": 1.5, "last": ago(hours=8)}])


class Checks(AnswersTest):
    def test_each_rule_is_met_at_its_limit_and_not_beyond(self):
        self.replay("".join(line(i % 5 != 4, ago(hours=40 - i), execution_time_s=i + 1, quality_score=0.75,
                                 metadata={"cost_usd": 0.25}) for i in range(20)))
        for rule, met, unmet, found in (("--min-success", "80%", "0.801", "80.0% (16 of 20)"), ("--min-quality", "0.75", "0.76", "0.75"),
                                        ("--max-p95", "19s", "18.9s", "19 s"), ("--max-cost", "5", "4.99", "$5.00"),
                                        ("--max-run-cost", "0.25", "0.24", "$0.25"), ("--max-failures-in-a-row", "1", "0", "1 (of 20 runs)")):
            self.assertEqual(self.expect(0, "check", "coach", rule, met), "coach: 1 rule met by 20 runs\n")
            told = self.expect(1, "check", "coach", rule, unmet)
            self.assertTrue(told.startswith(f"coach: {rule[2:]}: {found}"), told)
            self.assertEqual(told.count("\n"), 1)
            self.assertEqual(self.expect(1, "check", "coach", "--min-success", "0.1", rule, unmet, "-q"), told)
            result = self.document("check", "coach", rule, unmet, status=1)
            self.assertEqual((result["passed"], result["agents"][0]["rules"][0]["status"]), (False, "unmet"))

    def test_the_last_twenty_runs_are_held_to_the_rules_unless_others_are_chosen(self):
        self.worsen()
        self.expect(1, "check", "coach", "--min-success", "0.1")
        self.expect(0, "check", "coach", "--min-success", "0.9", "--last", "220")
        self.expect(0, "check", "coach", "--min-success", "1", "--until", "21h")
        self.expect(1, "check", "coach", "--min-success", "0.1", "--since", "20h")

    def test_worse_than_before_is_told_by_the_numbers_and_noise_is_not(self):
        self.worsen()
        self.replay("".join(line(i % 10 != 0, ago(hours=100 - i), "noisy") for i in range(100)))
        told = self.expect(1, "check", "--all", "--no-worse-than", "30d")
        self.assertEqual(told, "coach: no-worse-than: 0 of 20, down from 200 of 200, wanted no worse than the "
                               "previous 30 days\n"
                               "noisy: 1 rule met by 20 runs\n")
        self.assertIn("0 of 20, down from 151 of 151", self.expect(1, "check", "coach", "--no-worse-than", "173h"))
        self.assertIn("too few to tell", self.expect(1, "check", "coach", "--no-worse-than", "22h"))

    def test_what_cannot_be_told_counts_as_the_command_line_says(self):
        self.replay("".join(line(True, ago(hours=4 - i)) for i in range(4)))
        for arguments in (["--min-success", "0.5", "--min-count", "5"], ["--max-p95", "1h"], ["--max-cost", "1"],
                          ["--no-worse-than", "7d"], ["--min-success", "0.5", "--since", "now"]):
            self.assertIn("too few to tell", self.expect(1, "check", "coach", *arguments))
            self.expect(1, "check", "coach", *arguments, "--on-too-few", "fail")
            self.expect(0, "check", "coach", *arguments, "--on-too-few", "pass")
            rule = self.document("check", "coach", *arguments, status=1)["agents"][0]["rules"][0]
            self.assertEqual((rule["status"], "too_few" if rule["value"] is None or "--min-count" in arguments or
                              "--since" in arguments else rule["value"]), ("too_few", "too_few"))
        empty = self.scratch / "empty"
        empty.mkdir()
        self.expect(1, "-C", empty, "check", "--all", "--min-success", "0.5")
        self.expect(0, "-C", empty, "check", "--all", "--min-success", "0.5", "--on-too-few", "pass")

    def test_a_log_that_cannot_be_read_is_no_pass(self):
        self.replay(line(True, ago(hours=1), "ant") + line(True, ago(hours=1), "bee"))
        self.log("ant").unlink()
        os.symlink("/dev/null", self.log("ant"))
        document = self.document("check", "--all", "--min-success", "0", "--on-too-few", "pass", status=1)
        self.assertEqual((document["passed"], document["complete"], [entry["agent"] for entry in document["unreadable"]]),
                         (False, False, ["ant"]))

    def test_the_table_is_appended(self):
        self.worsen()
        summary = self.scratch / "summary.md"
        summary.write_text("# Before\n")
        self.expect(1, "check", "coach", "--min-success", "0.5", "--max-failures-in-a-row", "30", "--markdown", summary)
        self.assertEqual(summary.read_text().splitlines(), [
            "# Before", "| agent | rule | wanted | found | |", "|---|---|---|---|---|",
            "| coach | min-success | at least 50.0% | 0.0% (0 of 20) | **fail** |",
            "| coach | max-failures-in-a-row | at most 30 | 20 (of 20 runs) | pass |"])

    def test_a_rule_that_is_none_is_refused(self):
        self.replay(line(True, ago(hours=1)))
        for arguments in ([], ["--min-success", "1.1"], ["--min-success", "x"], ["--min-success", "80%%"], ["--min-success", ".8.1"], ["--min-success", "."], ["--max-p95", "10"[:0]],
                          ["--max-p95", "5x"], ["--max-cost", "-1"], ["--min-quality", "2"], ["--no-worse-than", "yesterday"],
                          ["--on-too-few", "maybe", "--min-success", "1"], ["--all", "--min-success", "1"]):
            self.messages(2, "check", "coach", *arguments)
        self.messages(2, "check", "--min-success", "1")
        self.assertIn("did you mean 'coach'", self.messages(1, "check", "caoch", "--min-success", "1", "--on-too-few", "pass"))


class Comparisons(AnswersTest):
    def setUp(self):
        super().setUp()
        self.worsen("coach")
        self.replay("".join(line(i % 10 != 0, ago(hours=60 - i), "mentor", repo="r", execution_time_s=10 + i % 3,
                                 metadata={"model": ("big", "small", "small")[i % 3], "cost_usd": (0.9, 0.1, 0.1)[i % 3] + i / 1000})
                            for i in range(60)))

    def differences(self, *arguments):
        document = self.document("compare", *arguments)
        return ([(group["name"], group["figures"]["count"]) for group in document["groups"]],
                {name: of["significant"] for name, of in document["differences"].items() if of["significant"] is not None})

    def test_two_agents(self):
        self.assertEqual(self.differences("coach", "mentor"), ([("coach", 220), ("mentor", 60)], {"success_rate": False}))
        self.assertEqual(self.differences("coach", "mentor", "--last", "20")[1], {"success_rate": True})
        self.assertRegex(self.expect(0, "compare", "coach", "mentor", "--last", "20"), r"success +0.0% \(0-16\) +90.0% .* significant\n")

    def test_two_periods(self):
        groups, carries = self.differences("coach", "--split", "21h")
        self.assertEqual(([count for _, count in groups], carries), ([200, 20], {"success_rate": True}))
        self.assertEqual(self.differences("coach", "--split", "100h", "--until", "21h")[1], {"success_rate": False})

    def test_values_of_a_key(self):
        self.assertEqual(self.differences("mentor", "--by", "model"),
                         ([("small", 40), ("big", 20)], {"success_rate": False, "duration_s": True, "cost_usd": True}))
        self.assertEqual(self.differences("mentor", "--by", "model", "--values", "big,small")[0], [("big", 20), ("small", 40)])
        self.assertEqual(self.differences("mentor", "--by", "model", "--values", "big,none")[1], {})
        self.assertIn("only one of the values of 'repo'", self.messages(1, "compare", "mentor", "--by", "repo"))

    def test_what_is_no_comparison_is_refused(self):
        for arguments in (["coach"], ["coach", "mentor", "--by", "model"], ["coach", "--split", "x"], ["coach", "--by", ""],
                          ["coach", "mentor", "--values", "a,b"], ["coach", "--by", "model", "--values", "a"],
                          ["coach", "--by", "model", "--values", "a,a"], []):
            self.messages(2, "compare", *arguments)


class Unreadable(AnswersTest):
    def test_a_log_that_cannot_be_read_is_told_and_hides_no_other(self):
        self.replay(line(True, ago(hours=1), "ant") + line(True, ago(hours=1), "bee"))
        self.log("ant").unlink()
        os.symlink("/dev/null", self.log("ant"))
        for command in (["list"], ["show"], ["report"]):
            document = self.document(*command, status=1)
            self.assertEqual([agent["agent"] for agent in document["agents"]], ["bee"])
            self.assertEqual((document["complete"], document["unreadable"][0]["agent"]), (False, "ant"))
            self.assertIn("ant", self.messages(1, *command))


if __name__ == "__main__":
    unittest.main()

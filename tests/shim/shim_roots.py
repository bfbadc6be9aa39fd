# shim_roots.py - many projects at once: list, check, report and openmetrics with --roots, and the examples for Prometheus.
#
# SPDX-License-Identifier: Apache-2.0
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from shim_support import HostTest

TOP = pathlib.Path(os.environ.get("KAIZEN_TEST_SRCDIR") or pathlib.Path(__file__).resolve().parents[2])

COMMANDS = (["list"], ["check", "--all", "--min-success", "0"], ["report"], ["openmetrics"])


def ago(hours):
    ended = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours)
    return ended.strftime("%Y-%m-%dT%H:%M:%SZ")


def line(agent, hours, success=True, **more):
    return json.dumps({"timestamp": ago(hours), "agent": agent, "success": success, "execution_time_s": 3,
                       "metadata": {"cost_usd": 0.5}, **more}) + "\n"


class Roots(HostTest):
    """Two projects of the same name and a third one; in one of them an agent gets worse."""

    def setUp(self):
        super().setUp()
        self.places = [self.scratch / "a" / "shop", self.scratch / "b" / "shop", self.scratch / "desk"]
        for place in self.places:
            place.mkdir(parents=True)
            self.expect(0, "-C", place, "replay", "-q", stdin="".join(line("coach", 80 - i) for i in range(60)))
        self.expect(0, "-C", self.places[1], "replay", "-q",
                    stdin="".join(line("fixer", 80 - i, i < 60) for i in range(75)))
        self.roots = self.write_roots(*self.places)

    def write_roots(self, *places):
        path = self.scratch / "roots"
        path.write_text("# these\n\n" + "".join(f"  {place}\n" for place in places))
        return path

    def agents(self, command, status=0):
        document = json.loads(self.expect(status, *command, "--roots", self.roots, "-o", "json"))
        return document, [(agent["project_root"], agent["project"], agent["agent"]) for agent in document["agents"]]

    def test_each_command_has_the_agents_of_every_project(self):
        a, b, desk = map(str, self.places)
        wanted = {(a, "shop", "coach"), (b, "shop", "coach"), (b, "shop", "fixer"), (desk, "desk", "coach")}
        for command in COMMANDS[:3]:
            document, agents = self.agents(command)
            self.assertEqual((set(agents), len(agents)), (wanted, 4), command)
            self.assertEqual((document["complete"], document["unreadable"]), (True, []))
        self.assertEqual(agents[0], (b, "shop", "fixer"))  # the report's order
        text = self.expect(0, "list", "--roots", self.roots, "--sort", "success", "--columns", "root,project,agent,success")
        self.assertEqual(text.splitlines()[1].split(), [b, "shop", "fixer", "80.0%"])
        self.assertEqual(len(text.splitlines()), 5)
        self.assertIn("shop/fixer: min-success: 25.0% (5 of 20), wanted at least 80.0%",
                      self.expect(1, "check", "--all", "--roots", self.roots, "--min-success", "0.8"))

    def test_a_project_is_counted_once_however_often_it_is_listed(self):
        link = self.scratch / "link"
        link.symlink_to(self.places[0])
        first = self.places[0]
        self.write_roots(first, first, link, f"{first}/", f"{first}//", f"{first}/../shop", f"{link}/.")
        for command in COMMANDS[:3]:
            self.assertEqual(len(self.agents(command)[1]), 1, command)
        samples = [line for line in self.expect(0, "openmetrics", "--roots", self.roots).splitlines()
                   if line.startswith("kaizen_executions{")]
        self.assertEqual(len(samples), 1)
        self.write_roots("/nonexistent/shop", "/nonexistent/shop/")
        self.assertEqual(self.messages(1, "list", "--roots", self.roots).count("/nonexistent/shop"), 1)

    def test_the_file_may_come_from_any_editor(self):
        self.roots.write_bytes(b"\xef\xbb\xbf" + f"{self.places[0]}\r\n".encode())
        self.assertEqual(len(self.agents(["list"])[1]), 1)
        config = self.scratch / "config.json"
        config.write_bytes(b'\xef\xbb\xbf{"config": {"project": "bom"}}\r\n')
        document = json.loads(self.expect(0, "-C", self.places[0], "--config", config, "status", "--no-broker", "-o", "json"))
        self.assertEqual(document["project"], "bom")

    def test_the_report_is_one_page_about_all_of_them(self):
        page = self.expect(0, "report", "--html", "-", "--roots", self.roots)
        self.assertIn("<title>Runs of 3 projects</title>", page)
        self.assertEqual(len(re.findall(r"<section id=\"agent-\d-", page)), 4)
        self.assertEqual(set(re.findall(r'href="#(agent-[^"]*)"', page)), set(re.findall(r'id="(agent-[^"]*)"', page)))
        self.assertIn("<h2>shop/fixer</h2>", page)

    def test_what_cannot_be_read_is_named_and_hides_no_other(self):
        gone = self.scratch / "gone"
        self.write_roots(self.places[0], gone, self.places[2])
        (self.places[2] / ".kaizen" / "metrics" / "coach" / "executions.jsonl").rename(self.scratch / "log")
        (self.places[2] / ".kaizen" / "metrics" / "coach" / "executions.jsonl").symlink_to(self.scratch / "log")
        for command in COMMANDS:
            told = self.messages(1, *command, "--roots", self.roots)
            self.assertIn(f"kaizen-host: {gone}: No such file or directory\n", told)
            self.assertIn(f"{self.places[2]}", told)
            if command != ["openmetrics"]:
                document, agents = self.agents(command, 1)
                self.assertEqual(agents, [(str(self.places[0]), "shop", "coach")])
                self.assertFalse(document["complete"])
                self.assertEqual([(entry["project_root"], entry["agent"]) for entry in document["unreadable"]],
                                 [(str(gone), None), (str(self.places[2]), "coach")])

    def test_a_list_that_makes_no_sense_is_refused_or_told(self):
        self.assertIn("-C and --roots", self.messages(2, "-C", self.places[0], "list", "--roots", self.roots))
        self.assertIn("--roots goes with --all", self.messages(2, "check", "coach", "--min-success", "0", "--roots", self.roots))
        self.assertIn("No such file", self.messages(1, "list", "--roots", self.scratch / "none"))
        self.write_roots("relative/path", self.places[0])
        self.assertIn("'relative/path' is not an absolute path", self.messages(0, "list", "--roots", self.roots))
        self.write_roots()
        for command in COMMANDS:
            self.assertIn(f"{self.roots}: names no project", self.messages(1 if command[0] == "check" else 0, *command, "--roots",
                                                                          self.roots))

    def test_each_sample_is_told_from_every_other(self):
        text = self.expect(0, "openmetrics", "--roots", self.roots)
        samples = [sample.rsplit(" ", 1)[0] for sample in text.splitlines() if not sample.startswith("#")]
        self.assertEqual(len(samples), len(set(samples)))
        families = re.findall(r"^# TYPE (\S+)", text, re.M)
        self.assertEqual(len(families), len(set(families)))
        self.assertIn(f'kaizen_executions{{root="{self.places[1]}",project="shop",agent="fixer"}} 75\n', text)
        if shutil.which("promtool"):
            checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT)
            self.assertEqual((checked.returncode, checked.stdout), (0, ""))


class Examples(HostTest):
    """What docs/fleet.md puts on a server: alerts and a dashboard over the numbers that openmetrics really writes."""
    RULES = TOP / "examples" / "prometheus" / "kaizen.rules.yml"
    DASHBOARD = TOP / "examples" / "grafana" / "kaizen-agents.json"

    def setUp(self):
        super().setUp()
        self.expect(0, "replay", "-q", stdin="".join(line("fixer", 100 - i, i < 70) for i in range(90)) +
                    "".join(line("coach", 100 - i, i % 9 > 0) for i in range(90)) +
                    "".join(line("slow", 100 - i, execution_time_s=3 if i < 70 else 9) for i in range(90)) +
                    "".join(line("dull", 100 - i, quality_score=0.9 if i < 70 else 0.4) for i in range(90)) +
                    "".join(line("dear", 100 - i, metadata={"cost_usd": 0.2 if i < 70 else 0.4}) for i in range(90)))
        self.expect(0, "record", "coach", "--success", "--emit-event")
        self.text = self.expect(0, "openmetrics")

    def promtool(self, *arguments):
        if not shutil.which("promtool"):
            self.skipTest("promtool is not installed")
        done = subprocess.run(["promtool", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                              cwd=self.scratch)
        return done.returncode, done.stdout

    def expressions(self):
        dashboard = json.loads(self.DASHBOARD.read_text())
        found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        found += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
        return found

    def test_every_metric_that_is_asked_for_is_written(self):
        written = set(re.findall(r"^# TYPE (\S+)", self.text, re.M))
        asked = set(re.findall(r"\bkaizen_\w+", " ".join(self.expressions()) + self.RULES.read_text()))
        self.assertEqual({name for name in asked if re.sub("_bucket$", "", name) not in written}, set())
        self.assertGreater(len(asked), 12)

    def test_prometheus_takes_the_alerts_and_the_dashboards_expressions(self):
        self.assertEqual(self.promtool("check", "rules", self.RULES)[0], 0)
        rules = self.scratch / "expressions.yml"
        rules.write_text("groups:\n- name: dashboard\n  rules:\n" + "".join(
            f"  - record: panel:{i}\n    expr: {json.dumps(expression)}\n" for i, expression in enumerate(self.expressions())))
        self.assertEqual(self.promtool("check", "rules", rules)[0], 0, rules.read_text())
        rules.write_text(rules.read_text().replace("sum(", "sum((", 1))
        self.assertNotEqual(self.promtool("check", "rules", rules)[0], 0)

    def test_the_alerts_ring_for_what_openmetrics_says_of_a_bad_week(self):
        series = "".join(f"      - series: {json.dumps(sample.rsplit(' ', 1)[0])}\n        values: '{sample.rsplit(' ', 1)[1]}x30'\n"
                         for sample in self.text.splitlines() if not sample.startswith("#"))
        alerts = {"KaizenAgentWorse": ["fixer"], "KaizenAgentLowerQuality": ["dull"], "KaizenAgentSlower": ["slow"],
                  "KaizenAgentMoreExpensive": ["dear"], "KaizenFailuresInARow": ["fixer"], "KaizenEventsPending": ["coach"],
                  "KaizenDeadLetters": [], "KaizenEventsHeld": [], "KaizenAgentsUnreadable": []}
        test = self.scratch / "test.yml"

        def write(expected):
            test.write_text(
                f"rule_files: [{json.dumps(str(self.RULES))}]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n"
                + series + "    promql_expr_test:\n" + "".join(
                    f"      - expr: count by (agent) (ALERTS{{alertname=\"{name}\",alertstate=\"firing\"}})\n        eval_time: 25m\n"
                    "        exp_samples: [" + ", ".join(f"{{labels: '{{agent=\"{agent}\"}}', value: 1}}" for agent in agents) + "]\n"
                    for name, agents in expected.items()))
        # The time of the test is 1970: an event is pending since before it.
        series = re.sub(r"(oldest_pending.*\n *values: )'\d+x30'", r"\1'-7200x30'", series)
        write(alerts)
        self.assertEqual(self.promtool("test", "rules", test)[0], 0, self.promtool("test", "rules", test)[1])
        write({**alerts, "KaizenAgentWorse": ["coach"]})
        self.assertNotEqual(self.promtool("test", "rules", test)[0], 0)

    def test_the_dashboard_counts_every_agent_with_a_change_for_the_worse(self):
        got_worse, = (panel for panel in json.loads(self.DASHBOARD.read_text())["panels"] if panel["title"] == "Got worse")
        expression = re.sub(r'=~"\$\w+"', '=~".*"', got_worse["targets"][0]["expr"])
        test = self.scratch / "test.yml"
        series = "".join(f"      - series: {json.dumps(sample.rsplit(' ', 1)[0])}\n        values: '{sample.rsplit(' ', 1)[1]}x30'\n"
                         for sample in self.text.splitlines() if "_change{" in sample)
        for count, status in ((4, 0), (1, 1)):
            test.write_text(f"evaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n{series}    promql_expr_test:\n"
                            f"      - expr: {json.dumps(expression)}\n        eval_time: 5m\n        exp_samples: [{{value: {count}}}]\n")
            done = self.promtool("test", "rules", test)
            self.assertEqual(done[0], status, done[1])


if __name__ == "__main__":
    unittest.main()

# shim_roots.py - many projects at once: list, check, report and openmetrics with --roots, and the examples for Prometheus.
#
# SPDX-License-Identifier: Apache-2.0
import datetime
import json
import os
import re
import shutil
import subprocess
import unittest

from shim_support import HostTest

COMMANDS = (["list"], ["check", "--all", "--min-success", "0"], ["report"], ["openmetrics"])


def ago(hours):
    ended = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours)
    return ended.strftime("%Y-%m-%dT%H:%M:%SZ")


def line(agent, hours, success=True):
    return json.dumps({"timestamp": ago(hours), "agent": agent, "success": success, "execution_time_s": 3,
                       "metadata": {"cost_usd": 0.5}}) + "\n"


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
        self.assertEqual(text.splitlines()[1].split(), [b, "shop", "fixer", "80.0", "%"])
        self.assertEqual(len(text.splitlines()), 5)
        self.assertIn("shop/fixer: min-success: 25.0 % (5 of 20), wanted at least 80.0 %",
                      self.expect(1, "check", "--all", "--roots", self.roots, "--min-success", "0.8"))

    def test_a_project_is_counted_once_however_often_it_is_listed(self):
        link = self.scratch / "link"
        link.symlink_to(self.places[0])
        self.write_roots(self.places[0], self.places[0], link)
        self.assertEqual(len(self.agents(["list"])[1]), 1)

    def test_the_report_is_one_page_about_all_of_them(self):
        page = self.expect(0, "report", "--html", "-", "--roots", self.roots)
        self.assertIn("<title>Executions of 3 projects</title>", page)
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
            self.assertIn(f"{self.roots} names no project", self.messages(1 if command[0] == "check" else 0, *command, "--roots",
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


if __name__ == "__main__":
    unittest.main()

# shim_views.py - what the host shows: tables, reports and documents, checked against the log they come from.
#
# SPDX-License-Identifier: Apache-2.0
import datetime
import fcntl
import html.parser
import json
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import termios
import unittest

from shim_support import HOST, LINUX_CALLS, NO_BROKER, HostTest, clean_environment


class Views(HostTest):
    def setUp(self):
        super().setUp()
        for i in range(12):
            self.expect(0, "record", "coach", "--failure" if i in (3, 7) else "--success", "--quality", f"0.{i % 9}",
                        "--time", str(i), "-m", f"error_type=E{i}", "--session-id", f"<s&{i}>")
        self.expect(0, "record", "mentor", "--success", "--emit-event")

    def document(self, *arguments, status=0, **options):
        return json.loads(self.expect(status, *arguments, "-o", "json", **options))

    def summary(self, agent):
        return json.loads((self.project / ".kaizen" / "metrics" / agent / "summary.json").read_text())

    def test_show_prints_the_summary_of_the_file_and_the_logs_own_lines(self):
        shown = self.document("show", "coach", "-n", "3")["agents"]
        self.assertEqual(len(shown), 1)
        self.assertEqual(shown[0]["summary"], self.summary("coach"))
        self.assertEqual(shown[0]["recent"], [json.loads(line) for line in self.lines("coach")[-3:]])
        self.assertEqual([agent["agent"] for agent in self.document("show")["agents"]], ["coach", "mentor"])

    def test_show_has_a_sparkline_and_a_row_for_each_recent_execution(self):
        text = self.expect(0, "show", "coach")
        self.assertEqual(len(re.findall(r"^2\d{3}-", text, re.M)), 10)
        self.assertRegex(text, "success  [▁█]{10}\n")
        self.assertNotIn("\x1b", text)
        plain = self.expect(0, "show", "coach", env={"LC_ALL": "C"})
        self.assertTrue(plain.isascii())

    def test_list_has_one_line_an_agent(self):
        text = self.expect(0, "list").splitlines()
        self.assertEqual([line.split()[:2] for line in text[1:]], [["coach", "12"], ["mentor", "1"]])
        self.assertEqual(self.document("list")["agents"][0]["execution_count"], 12)

    def test_a_run_of_any_year_is_shown_with_its_own(self):
        self.expect(0, "replay", "-", stdin='{"agent":"later","success":true,"timestamp":"9999-12-30T00:00:00Z"}')
        self.assertIn(" 9999-12-30T00:00:00Z ", self.expect(0, "list"))
        self.assertIn("last     9999-12-30T00:00:00Z", self.expect(0, "show", "later"))

    def test_export_is_the_log(self):
        self.assertEqual(self.expect(0, "export", "coach"), self.log("coach").read_text())
        self.assertEqual(self.expect(0, "export", "coach", "-n", "2").splitlines(), self.lines("coach")[-2:])

    def test_status_says_first_what_matters(self):
        text = self.expect(0, "status", "--no-broker")
        self.assertIn("1 event pending", text.splitlines()[1])
        self.assertIn("events are off by default, 1 of 13 records marked", text)
        report = self.document("status", "--no-broker")
        self.assertEqual([agent["pending"] for agent in report["agents"]], [0, 1])
        self.assertIsNone(report["broker"])

    def test_what_is_counted_is_singular_when_it_is_one(self):
        one = self.scratch / "one"
        one.mkdir()
        line = '{"timestamp":"2026-11-01T00:00:00Z","agent":"coach","success":true}\n'
        self.assertEqual(self.expect(0, "-C", one, "replay", stdin=line), "1 line: 1 recorded, 0 duplicates, 0 rejected\n")
        self.assertIn("events are off by default, 0 of 1 record marked", self.expect(0, "-C", one, "status"))
        with (one / ".kaizen/metrics/coach/executions.jsonl").open("a") as log:
            log.write("damage\n")
        self.assertIn("1 line of the logs is not a record;", self.expect(0, "-C", one, "status"))
        self.assertIn("coach  1 run, 100.0%", self.expect(0, "-C", one, "report"))

    def test_no_line_of_a_table_ends_with_blanks(self):
        self.assertNotRegex(self.expect(0, "show", "mentor"), r" \n")

    def at_a_terminal(self, *arguments, **env):
        child, screen = pty.fork()
        if child == 0:
            os.chdir(self.project)
            os.execve(HOST, self.host_command(*arguments), clean_environment(self.home, env))
        seen = b""
        try:
            while piece := os.read(screen, 65536):
                seen += piece
        except OSError:
            pass  # how Linux tells the end of a terminal
        os.waitpid(child, 0)
        os.close(screen)
        return seen.decode()

    def test_a_note_of_any_length_and_kind_stays_one_short_line(self):
        self.expect(0, "record", "long", "--failure", "-m", "error_type=" + "\u65e5" * 500)
        self.expect(0, "record", "long", "--failure", "-m", "error_type=a\nb\x1b[2Jc\u202ed\u2066e")
        rows = self.expect(0, "show", "long").splitlines()[-2:]
        self.assertTrue(rows[0].endswith(" " + "\u65e5" * 80 + "..."), rows[0])
        self.assertTrue(rows[1].endswith(" a?b?[2Jc?d?e"), rows[1])

    def test_a_plain_cell_has_no_escape_sequence(self):
        self.assertRegex(self.at_a_terminal("list", TERM="xterm"), "\ncoach +12 ")

    def test_every_change_for_the_worse_is_red(self):
        begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=60)
        for agent, success, quality, seconds, usd in (("broken", False, 0.9, 9, 1), ("dull", True, 0.3, 9, 1), ("slow", True, 0.9, 99, 1),
                                                      ("dear", True, 0.9, 9, 3), ("fast", True, 0.9, 1, 1), ("cheap", True, 0.9, 9, 0.5)):
            self.expect(0, "replay", "-q", stdin="".join(json.dumps({
                "timestamp": (begin + datetime.timedelta(hours=i)).strftime("%Y-%m-%dT%H:%M:%SZ"), "agent": agent,
                "success": success if i >= 30 else True, "quality_score": quality if i >= 30 else 0.9,
                "execution_time_s": seconds if i >= 30 else 9, "metadata": {"cost_usd": usd if i >= 30 else 1}}) + "\n" for i in range(60)))
        for arguments in (["list"], ["report"], ["top", "-n", "1"], ["show"]):
            text = self.at_a_terminal(*arguments, TERM="xterm")
            for colour, told in ((31, "worse"), (31, "quality lower"), (31, "slower"), (31, "more expensive"), (32, "faster"), (32, "cheaper")):
                self.assertRegex(text, rf"\x1b\[{colour}m{told} since [^\n\x1b]*\x1b\[0m", arguments)

    def test_colour_is_for_terminals_that_have_it_and_users_who_want_it(self):
        self.assertRegex(self.at_a_terminal("show", "coach", TERM="xterm"), "\x1b\\[31mfailure\x1b\\[0m")
        for env in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
            self.assertNotIn("\x1b", self.at_a_terminal("show", "coach", **env), env)
        self.assertIn("\x1b", self.at_a_terminal("show", "coach", TERM="xterm", NO_COLOR=""))

    def test_status_names_a_broker_that_cannot_be_used_with_status_6(self):
        result = self.run_host("status")
        self.assertEqual(result.returncode, 6, result.stderr)
        self.assertIn(NO_BROKER.split("//")[1], (result.stdout + result.stderr).decode())

    def test_openmetrics_has_every_agent_and_replaces_the_textfile_as_a_whole(self):
        path = self.scratch / "collector" / "kaizen.prom"
        path.parent.mkdir()
        self.expect(0, "openmetrics", "--textfile", path)
        text = path.read_text()
        self.assertEqual(text, self.expect(0, "openmetrics"))
        self.assertIn('kaizen_executions{project="shop",agent="coach"} 12\n', text)
        self.assertIn('kaizen_events_pending{project="shop",agent="mentor"} 1\n', text)
        self.assertTrue(text.endswith("# EOF\n"))
        self.assertEqual([entry.name for entry in path.parent.iterdir()], ["kaizen.prom"])
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE|EOF).*|[a-z_]+\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\} [0-9.e+-]+)$')

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_prometheus_has_nothing_to_say_about_the_metrics(self):
        for slug in ("shop", 'a "quoted" \\ slug {x="y"}'):
            text = self.expect(0, "openmetrics", "--set", f"project={slug}")
            checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT)
            self.assertEqual((checked.returncode, checked.stdout), (0, ""))
        broken = subprocess.run(["promtool", "check", "metrics"], input=re.sub("# HELP kaizen_executions .*", "", text), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertNotEqual((broken.returncode, broken.stdout), (0, ""))

    def test_the_report_is_one_well_formed_page_without_any_address_outside(self):
        path = self.scratch / "report.html"
        self.expect(0, "report", "--html", path)
        page = path.read_text()
        self.assertNotRegex(page, r"src=|href=\"[^#]|url\(|@import")
        self.assertIn("&lt;s&amp;7&gt;", page)
        self.assertEqual(page.count("<svg"), 7)  # outcomes, how many and their time, of both agents and of one; how long of one
        open_tags = []

        class Balance(html.parser.HTMLParser):
            void = {"meta", "!doctype"}

            def handle_starttag(self, tag, attributes):
                if tag not in self.void:
                    open_tags.append(tag)

            def handle_endtag(self, tag):
                assert open_tags.pop() == tag, tag

        Balance().feed(page)
        self.assertEqual(open_tags, [])
        document = self.document("report")
        self.assertEqual([failure["reason"] for failure in document["agents"][0]["last_failures"]], ["E7", "E3"])

    def test_verify_finds_damage_and_repair_saves_what_it_takes_out(self):
        self.assertTrue(self.document("verify")["consistent"])
        with self.log("coach").open("a") as log:
            log.write("damage\n")
        report = self.document("verify", "coach", status=1)["agents"][0]
        self.assertEqual([line["line"] for line in report["bad_lines"]], [13])
        before = self.log("coach").read_bytes()
        self.expect(1, "verify", "coach", "--repair", "--dry-run")
        self.assertEqual(self.log("coach").read_bytes(), before)
        self.expect(0, "verify", "coach", "--repair")
        self.assertEqual(len(self.lines("coach")), 12)
        saved = list(self.log("coach").parent.glob(".salvage-*"))
        self.assertEqual([path.read_text() for path in saved], ["damage\n"])

    def count_events(self, agent, count):
        """Both pages of .state say that so many events were passed, and their checksums are right."""
        state = self.log(agent).parent / ".state"
        pages = bytearray(state.read_bytes())
        for page in (0, 4096):
            if pages[page:page + 8] == b"kznstate":
                pages[page + 56:page + 64] = count.to_bytes(8, "little")
                checksum = 0xCBF29CE484222325
                for byte in pages[page:page + 4088]:
                    checksum = (checksum ^ byte) * 0x100000001B3 % 2**64
                pages[page + 4088:page + 4096] = checksum.to_bytes(8, "little")
        state.write_bytes(pages)

    def test_a_state_that_contradicts_the_log_is_named_and_a_repair_says_what_it_held_back(self):
        self.count_events("mentor", 7)
        self.assertRegex(self.document("verify", "mentor", status=1)["agents"][0]["state"], "^is of another log")
        repaired = self.document("verify", "mentor", "--repair")["agents"][0]
        self.assertEqual((repaired["consistent"], repaired["held_back"]), (True, 1))
        self.assertTrue(self.document("verify")["consistent"])
        self.count_events("mentor", 9)
        self.assertIn("1 event is held back", self.expect(0, "verify", "--repair"))
        self.assertNotIn("held back", self.expect(0, "verify", "--repair"))

    def test_verify_names_a_part_that_is_missing_and_what_depends_on_it(self):
        folder = self.log("mentor").parent
        (folder / ".state").unlink()
        self.assertRegex(self.expect(0, "verify", "mentor"), "state +missing: it is unknown what was sent")
        (folder / "summary.json").unlink()
        self.assertRegex(self.expect(1, "verify", "mentor"), "summary +missing\n")

    def test_doctor_has_a_way_out_for_each_warning(self):
        project = self.scratch / "workspace"
        project.mkdir()
        result = self.document("doctor", "--no-broker", "-C", project, env={"CI": "true"})
        warnings = {finding["subject"]: finding["way_out"] for finding in result["findings"] if finding["level"] == "warning"}
        here = {"file system"} if LINUX_CALLS else {"file system", "system call"}  # what is so on this machine
        self.assertEqual(set(warnings) - here, {"project name", "CI job"})
        self.assertTrue(all(warnings.values()))
        for status, arguments in ((3, ["--no-broker", "--set", "fsync=x"]), (3, ["--plugin", "/nowhere/x.so"]),
                                  (2, ["-C", "/nowhere"]), (6, ["--set", "emit_event=true"])):
            findings = self.document("doctor", *arguments, status=status)["findings"]
            problems = [finding for finding in findings if finding["level"] == "problem"]
            self.assertTrue(problems and all(finding["way_out"] for finding in problems), findings)
        self.assertEqual(list(project.iterdir()), [])

    @unittest.skipIf("LD_PRELOAD" in os.environ, "another library is preloaded")
    @unittest.skipUnless(LINUX_CALLS, "nothing tells what a file system is")
    def test_doctor_says_that_a_file_system_is_shared_among_machines(self):
        source, library = self.scratch / "nfs.c", self.scratch / "nfs.so"
        source.write_text("#include <sys/vfs.h>\n" + "".join(
            f"int {name}({what}, struct statfs *fs) {{ (void)it; *fs = (struct statfs){{.f_type = 0x6969}}; return 0; }}\n"
            for name, what in (("statfs", "const char *it"), ("fstatfs", "int it"))))
        subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-shared", "-fPIC", "-o", library, source], check=True)
        nfs = {"LD_PRELOAD": str(library)}
        findings = self.document("doctor", "--no-broker", status=3, env=nfs)["findings"]
        said = [finding for finding in findings if finding["subject"] == "file system"]
        self.assertEqual([(finding["level"], "allow_network_fs" in finding["way_out"]) for finding in said], [("warning", True)])
        self.assertIn("NFS", self.messages(3, "record", "coach", "--success", env=nfs))
        self.document("doctor", "--no-broker", "--set", "allow_network_fs=true", env=nfs)

    def test_reading_commands_write_nothing(self):
        before = self.tree()
        for arguments in (["show"], ["list"], ["export", "--all"], ["status", "--no-broker"], ["verify"], ["info"],
                          ["doctor", "--no-broker"], ["openmetrics"], ["report"], ["config", "show"], ["config", "path"],
                          ["dead-letters", "list"]):
            self.expect(0, *arguments)
            self.assertEqual(self.tree(), before, arguments)

    def test_an_empty_project_is_no_error(self):
        empty = self.scratch / "empty"
        empty.mkdir()
        for arguments in (["show"], ["list"], ["export", "--all"], ["status", "--no-broker"], ["verify"], ["openmetrics"], ["report"]):
            self.expect(0, "-C", empty, *arguments)
            self.assertEqual(list(empty.iterdir()), [])

    def test_top_shows_agents_and_open_runs_from_the_log_alone(self):
        run = subprocess.Popen(self.host_command("exec", "coach", "--session-id", "s-9", "--", "cat"), cwd=self.project,
                               env=clean_environment(self.home), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        run.stdin.write(b"begun\n")
        run.stdin.flush()
        run.stdout.readline()
        text = self.expect(0, "top", env={"NATS_URL": "nats://nowhere.invalid:1"})
        document = json.loads(self.expect(0, "top", "-o", "json"))
        twice = self.expect(0, "top", "-n", "2", "--interval", "0.1")
        run.stdin.close()
        run.wait()
        self.assertIn("1 open run\n", text)
        self.assertRegex(text, r"(?m)^ *coach +running for .*s-9$")
        self.assertNotIn("\x1b", text)
        self.assertEqual(twice.count("1 open run\n"), 2)
        self.assertEqual([open_run["agent"] for open_run in document["open_runs"]], ["coach"])
        self.assertIn("0 open runs", self.expect(0, "top"))

    def test_top_on_a_terminal_ends_with_q_and_leaves_it_as_it_was(self):
        for key in (b"q", b"\x03"):
            pid, terminal = pty.fork()
            if pid == 0:
                os.chdir(self.project)
                os.execve(HOST, [HOST, "top"], clean_environment(self.home, {"TERM": "xterm"}))
            output = b""
            while b"open run" not in output:
                output += os.read(terminal, 1000)
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 40, 0, 0))
            while output.count(b"\x1b[2J") < 2:
                output += os.read(terminal, 1000)
            os.write(terminal, key)
            while b"\x1b[?1049l" not in output:
                output += os.read(terminal, 1000)
            _, status = os.waitpid(pid, 0)
            self.assertEqual(os.waitstatus_to_exitcode(status), 0)
            wanted = termios.ICANON | termios.ECHO
            self.assertEqual(termios.tcgetattr(terminal)[3] & wanted, wanted)
            os.close(terminal)

    def commands(self):
        commands = re.findall(r"^  ([a-z-]+) {2,}", self.expect(0, "-h").split("\nUsage\n")[1].split("kaizen-host COMMAND -h")[0], re.M)
        self.assertGreater(len(commands), 15)
        return commands

    def test_the_commands_stand_in_groups(self):
        groups = re.findall(r"^(\w[\w ]*)\n  ([a-z-]+) {2,}", self.expect(0, "-h"), re.M)
        self.assertEqual(groups, [("Record", "record"), ("Coding agents", "install-hooks"), ("Results", "show"),
                                  ("Events", "status"), ("Maintenance", "doctor")])

    def test_another_form_of_a_command_has_its_own_usage_line(self):
        usage = self.expect(0, "record", "-h").split("\nUsage\n")[1].split("\n\n")[0].splitlines()
        self.assertEqual([line.split()[:3] for line in usage], [["kaizen-host", "record", "AGENT"], ["kaizen-host", "record", "[AGENT]"]])

    def test_doctor_skips_a_broker_that_nothing_needs(self):
        project = self.scratch / "without-events"
        (project / ".git").mkdir(parents=True)
        report = self.document("doctor", "-C", project)
        broker = [(entry["level"], entry["finding"]) for entry in report["findings"] if entry["subject"] == "broker"]
        self.assertEqual([level for level, _ in broker], ["skip"])
        self.assertIn("only needed for events", broker[0][1])

    def test_doctor_does_not_advise_to_start_a_broker_where_that_is_not_the_cause(self):
        for setting, advised in (("nats_url=nats://127.0.0.1:9", True), ("nats_creds=/nowhere/user.creds", False)):
            findings = self.document("doctor", "--set", "emit_event=true", "--set", setting, status=6)["findings"]
            ways_out = [entry["way_out"] for entry in findings if entry["subject"] == "broker"]
            self.assertEqual(["start the broker" in way_out for way_out in ways_out], [advised], ways_out)

    def test_help_has_examples_before_usage_for_every_command(self):
        for line in self.expect(0, "-h").splitlines():
            self.assertLessEqual(len(line), 80, line)
        for command in self.commands():
            text = self.expect(0, command, "-h")
            self.assertLess(text.index("Examples"), text.index("Usage"))
            self.assertEqual(text, self.expect(0, "help", command))
            for line in text.splitlines():
                self.assertLessEqual(len(line), 80, line)
                self.assertEqual(line, line.rstrip())

    def test_a_letter_means_one_thing_in_every_command(self):
        meanings = {}
        for command in self.commands():
            for letter, value in re.findall(r"^  -(\w), --[\w-]+( [A-Z=a-z|]+)?", self.expect(0, command, "-h"), re.M):
                meanings.setdefault(letter, set()).add(value)
        for letter, values in meanings.items():
            self.assertEqual(len(values), 1, (letter, values))
        self.assertEqual((meanings["n"], meanings["t"]), ({" N"}, {" S"}))
        for arguments in (["record", "coach", "-s", "-t", "1"], ["install-hooks", "claude-code", "-n"]):
            self.assertIn("unknown option", self.messages(2, *arguments))


class Unknown(HostTest):
    """An agent that cannot be read: told by every view, by its exit status, and in no count as nothing."""

    def setUp(self):
        super().setUp()
        for agent in ("coach", "mentor"):
            self.expect(0, "record", agent, "--success", "--emit-event")
        os.link(self.log("coach"), self.project / "backup")

    def document(self, status, *arguments):
        document = json.loads(self.expect(status, *arguments, "-o", "json"))
        self.assertIs(document["complete"], False, arguments)
        self.assertEqual([agent["agent"] for agent in document["unreadable"]], ["coach"], arguments)
        self.assertIn("hard links", document["unreadable"][0]["why"])
        return document

    def test_each_document_names_it_and_has_the_others(self):
        for status, *arguments in ((6, "status", "--no-broker"), (1, "list"), (1, "show"), (1, "report"), (1, "verify")):
            agents = self.document(status, *arguments)["agents"]
            self.assertEqual([agent["agent"] for agent in agents], ["mentor"], arguments)

    def test_the_table_shows_question_marks(self):
        text = self.expect(6, "status", "--no-broker")
        row = next(line for line in text.splitlines() if line.startswith("coach "))
        self.assertEqual(set(row.split()[1:]), {"?"})
        self.assertNotIn("everything is sent", text)

    def test_it_is_said_on_standard_error_too(self):
        for status, *arguments in ((6, "status", "--no-broker"), (1, "list"), (1, "show"), (1, "report"), (1, "verify"),
                                   (1, "export", "--all"), (1, "openmetrics")):
            said = self.messages(status, *arguments)
            self.assertIn("coach: executions.jsonl: has 2 hard links", said, arguments)
            self.assertNotIn("coach: coach:", said, arguments)

    def test_a_log_that_was_removed_is_not_an_empty_one(self):
        self.log("coach").unlink()
        gone = "coach: executions.jsonl: gone, but its summary.json is there"
        for status, *arguments in ((6, "status", "--no-broker"), (1, "list"), (1, "report"), (1, "verify"), (1, "show")):
            self.assertIn(gone, self.messages(status, *arguments), arguments)
        self.assertIn(gone, " ".join(self.expect(1, "doctor", "--no-broker").split()))

    def test_what_stands_in_the_way_of_a_log_is_removed_before_the_next_try(self):
        self.log("mentor").unlink()
        os.mkfifo(self.log("mentor"))
        self.assertIn("remove it, then try again", self.messages(1, "record", "mentor", "--success"))

    def test_a_reason_without_advice_is_followed_by_one(self):
        lock = self.log("mentor").parent / ".lock"
        lock.unlink()
        lock.mkdir()
        self.assertIn("Is a directory; put that right, then try again", self.messages(1, "record", "mentor", "--success"))

    def test_metrics_count_it(self):
        text = self.expect(1, "openmetrics")
        self.assertRegex(text, r'kaizen_unreadable_agents{project="[^"]*"} 1\n')
        self.assertNotIn('agent="coach"', text)

    def test_doctor_finds_it(self):
        findings = json.loads(self.expect(1, "doctor", "--no-broker", "-o", "json"))["findings"]
        self.assertIn("coach: executions.jsonl", next(f["finding"] for f in findings if f["level"] == "problem"))

    def test_drain_is_not_content(self):
        drained = self.document(5, "drain", "--timeout", "0")
        self.assertEqual((drained["marked"], drained["pending"]), (1, 1))


if __name__ == "__main__":
    unittest.main()

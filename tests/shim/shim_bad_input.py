# shim_bad_input.py - every wrong command line and configuration: the message names the thing, the status is the
# documented one, nothing is written.
#
# SPDX-License-Identifier: Apache-2.0
import json
import unittest

from shim_support import HostTest

GOOD = ["record", "coach", "--success"]
LONG_NAME = "a" * 65

# name, arguments, exit status, what the message contains; optionally stdin, environment, configuration file text
COMMAND_LINES = [
    ("no command", [], 2, ["no command"]),
    ("unknown command", ["recrod", "coach"], 2, ["'recrod'", "'record'"]),
    ("unknown command, nothing near", ["xyzzy"], 2, ["'xyzzy'", "-h"]),
    ("metrics alone", ["metrics"], 2, ["no command"]),
    ("help of an unknown command", ["help", "shwo"], 2, ["'shwo'", "'show'"]),
    ("unknown option", [*GOOD, "--qualty", "1"], 2, ["--qualty", "--quality"]),
    ("unknown option, nothing near", [*GOOD, "--zzzzzz"], 2, ["--zzzzzz"]),
    ("unknown option, the rest of a --no-", ["doctor", "--brokr"], 2, ["--brokr", "--no-broker"]),
    ("a command as an option", ["--brokr"], 2, ["--brokr", "'broker'"]),
    ("unknown short option", [*GOOD, "-Z"], 2, ["-Z"]),
    ("unknown option before the command", ["--verbos", "record"], 2, ["--verbos", "--verbose"]),
    ("a command's option before it", ["--success", "record"], 2, ["--success"]),
    ("abbreviated option", ["record", "coach", "--succ"], 2, ["--succ", "--success"]),
    ("option without its value", [*GOOD, "--time"], 2, ["--time", "needs a value"]),
    ("option followed by an option", [*GOOD, "--session-id", "--quality", "1"], 2, ["--session-id", "--quality"]),
    ("flag with a value", ["record", "coach", "--success=yes"], 2, ["--success", "'yes'"]),
    ("no agent", ["record", "--success"], 2, ["missing agent"]),
    ("no agent to compare", ["compare"], 2, ["missing AGENT", "compare AGENT [AGENT]"]),
    ("an agent compared with itself", ["compare", "coach", "coach"], 2, ["'coach'", "--by KEY"]),
    ("replay of a file without a name", ["replay", ""], 2, ["replay", "give FILE"]),
    ("exec of a program without a name", ["exec", "coach", "--", ""], 125, ["missing command"]),
    ("no command of several", ["dead-letters"], 2, ["missing list|retry"]),
    ("no coding agent", ["install-hooks"], 2, ["missing HOST"]),
    ("an unknown coding agent", ["install-hooks", "xyzzy"], 2, ["'xyzzy'", "claude-code, codex", "and nemo-relay"]),
    ("a coding agent, nearly", ["install-hooks", "claude"], 2, ["'claude'", "'claude-code'"]),
    ("an unknown setting", ["config", "get", "xyzzy"], 1, ["'xyzzy'", "config show"]),
    ("a history since never", ["import", "claude-code", "--since", "never"], 2, ["--since: 'never'", "2026-01-31"]),
    ("two agents", [*GOOD, "mentor"], 2, ["unexpected argument 'mentor'"]),
    ("no outcome", ["record", "coach"], 2, ["--success", "--failure"]),
    ("both outcomes", [*GOOD, "--failure"], 2, ["--success", "--failure", "cannot be used together"]),
    ("emit and no emit", [*GOOD, "--emit-event", "--no-emit-event"], 2, ["--emit-event", "--no-emit-event"]),
    ("a command after exec's agent without --", ["exec", "coach", "ls"], 125, ["unexpected argument 'ls'", "after --"]),
    ("command line after --", [*GOOD, "--", "ls"], 2, ["record", "--"]),
    ("time that is not a number", [*GOOD, "--time", "fast"], 2, ["--time", "'fast'"]),
    ("empty time", [*GOOD, "--time", ""], 2, ["--time", "''"]),
    ("time in hexadecimal", [*GOOD, "--time", "0x10"], 2, ["--time", "'0x10'"]),
    ("time with a unit", [*GOOD, "--time", "12s"], 2, ["--time", "'12s'"]),
    ("infinite time", [*GOOD, "--time", "inf"], 2, ["--time", "'inf'"]),
    ("time beyond a double", [*GOOD, "--time", "1e999"], 2, ["--time", "'1e999'"]),
    ("quality NaN", [*GOOD, "--quality", "nan"], 2, ["--quality", "'nan'"]),
    ("wait below zero", [*GOOD, "--wait", "-1"], 2, ["--wait", "'-1'"]),
    ("wait of a century", [*GOOD, "--wait", "9e9"], 2, ["--wait", "'9e9'"]),
    ("metadata without =", [*GOOD, "--metadata", "model"], 2, ["--metadata", "'model'"]),
    ("metadata without a name", [*GOOD, "--metadata", "=x"], 2, ["--metadata", "'=x'"]),
    ("primary without a number", [*GOOD, "--primary", "tests=many"], 2, ["--primary", "'many'"]),
    ("primary with a bad target", [*GOOD, "--primary", "tests=1/all"], 2, ["--primary", "'all'"]),
    ("primary beyond a double", [*GOOD, "--primary", "tests=1e999"], 2, ["--primary", "'1e999'"]),
    ("timestamp beyond what nanoseconds hold", [*GOOD, "--timestamp", "2300-01-01T00:00:00Z"], 2,
     ["--timestamp", "'2300-01-01T00:00:00Z'", "from 1970 to 2261"]),
    ("timestamp that is none", [*GOOD, "--timestamp", "yesterday"], 2, ["--timestamp", "'yesterday'"]),
    ("timestamp without zone", [*GOOD, "--timestamp", "2026-01-02T03:04:05"], 2, ["--timestamp"]),
    ("30 February", [*GOOD, "--timestamp", "2026-02-30T00:00:00Z"], 2, ["--timestamp"]),
    ("output of another kind", [*GOOD, "-o", "xml"], 2, ["--output", "'xml'", "text|json"]),
    ("set without =", [*GOOD, "--set", "emit_event"], 2, ["--set", "'emit_event'"]),
    ("folder that is not there", ["-C", "/nonexistent/x", *GOOD], 2, ["/nonexistent/x"]),
    ("folder that is a file", ["-C", "/etc/passwd", *GOOD], 2, ["/etc/passwd"]),
    ("no refresh", ["top", "--count", "0"], 2, ["--count", "'0'", "1 or more"]),
    ("no event", ["watch", "--count", "0"], 2, ["--count", "'0'"]),
    ("a view that never rests", ["top", "--interval", "0"], 2, ["--interval", "'0'", "from 0.1"]),
    ("a view that hardly rests", ["top", "--interval", "1e-9"], 2, ["--interval", "'1e-9'"]),
    ("a view once a month", ["top", "--interval", "2592000"], 2, ["--interval", "'2592000'", "to 2073600"]),
    ("waiting for no time", ["watch", "--timeout", "0"], 2, ["--timeout", "'0'", "from 0.1"]),
    ("following what cannot be an agent", ["watch", "--log", "Triage Agent", "-t", "1"], 2, ["'Triage Agent'", "'triage-agent-"]),
    ("following an agent without a name", ["watch", "--log", "", "-t", "1"], 2, ["''", "empty"]),
    ("following a reserved name", ["watch", "--log", "optimizer", "-t", "1"], 2, ["'optimizer'"]),
    ("an empty session", [*GOOD, "--session-id", ""], 2, ["--session-id", "''", "leave the option out"]),
    ("a session of white space", [*GOOD, "--session-id= \t"], 2, ["--session-id", "empty"]),
    ("no quality command", ["exec", "coach", "--quality-cmd", "", "--", "true"], 125, ["--quality-cmd", "empty"]),
    ("a quality command without time", ["exec", "coach", "--quality-timeout", "0", "--", "true"], 125,
     ["--quality-timeout", "'0'", "from 0.1"]),
    ("a stream without a name", ["broker", "init", "--stream", ""], 2, ["--stream", "empty"]),
    ("a stream of two words", ["broker", "init", "--stream", "A B"], 2, ["--stream", "'A B'", "' '"]),
    ("a stream of two tokens", ["broker", "init", "--stream", "A.B"], 2, ["--stream", "'A.B'", "'.'"]),
    ("no worse than nothing", ["check", "coach", "--no-worse-than", "0d"], 2, ["--no-worse-than", "'0d'", "30d"]),
    ("a count beyond every number", ["list", "--last", "99999999999999999999"], 2, ["--last", "2^53"]),
    ("a file without a name", ["list", "--roots", ""], 2, ["--roots", "''", "give FILE"]),
    ("an agent without a name", ["import", "claude-code", "--agent", ""], 2, ["--agent", "empty"]),
    ("hooks for an agent without a name", ["install-hooks", "claude-code", "--agent="], 2, ["--agent", "empty"]),
    ("a field without a name", ["install-hooks", "claude-code", "--metadata-allow", ""], 2, ["--metadata-allow"]),
    ("more options than a hook's command has words", ["install-hooks", "claude-code", "--dry-run", *["-m", "a=b"] * 40], 2,
     ["more than 64 words"]),
    ("export without agent", ["export"], 2, ["--all"]),
    ("export of both", ["export", "coach", "--all"], 2, ["--all"]),
    ("broker without a word", ["broker"], 2, ["check|init"]),
    ("broker with another word", ["broker", "chekc"], 2, ["'chekc'", "'check'"]),
    ("broker check with init's option", ["broker", "check", "--replicas", "3"], 2, ["--replicas", "init"]),
    ("six replicas", ["broker", "init", "--replicas", "6"], 2, ["--replicas", "6"]),
    ("half a replica", ["broker", "init", "--replicas", "0.5"], 2, ["--replicas", "'0.5'"]),
    ("roots without follow", ["drain", "--roots", "/tmp/roots"], 2, ["--roots", "--follow"]),
    ("follow with a timeout", ["drain", "--follow", "--timeout", "3"], 2, ["--follow", "--timeout"]),
    ("two decisions", ["drain", "--resend-all", "--assume-sent"], 2, ["--resend-all", "--assume-sent"]),
    ("resend since no time", ["drain", "--resend-since", "noon"], 2, ["--resend-since", "'noon'"]),
    ("dead letters with another word", ["dead-letters", "lits"], 2, ["'lits'", "'list'"]),
    ("dry run without repair", ["verify", "--dry-run"], 2, ["--dry-run", "--repair"]),
    ("config without a word", ["config"], 2, ["config"]),
    ("config get without a key", ["config", "get"], 2, ["config get KEY"]),
    ("config set without a value", ["config", "set", "fsync"], 2, ["config set KEY VALUE"]),
    ("html and JSON on one stream", ["report", "--html", "-", "-o", "json"], 2, ["--html", "-o json"]),
    ("skip below zero", ["replay", "--skip", "-1", "-"], 2, ["--skip", "'-1'"]),
    ("words to complete without --", ["complete", "show"], 2, ["complete", "'show'", "after --"]),
    ("an argument for list", ["list", "coach"], 2, ["list", "'coach'", "usage: kaizen-host list"]),
    ("result of another agent", ["record", "--from", "gemini"], 2, ["--from", "'gemini'", "claude-json"]),
    ("hooks for nobody", ["install-hooks"], 2, ["install-hooks", "HOST"]),
    ("hooks for an unknown agent", ["install-hooks", "claude"], 2, ["'claude'"]),
    ("report into a file's folder", ["report", "--html", "/etc/passwd/report.html"], 1, ["/etc/passwd"]),
    ("metrics into a folder", ["openmetrics", "--textfile", "/etc"], 1, ["/etc"]),
    ("replay of no file", ["replay", "/nonexistent.jsonl"], 1, ["/nonexistent.jsonl"]),
    ("replay of a folder", ["replay", "/etc"], 1, ["/etc", "folder"]),
    ("show of no agent", ["show", "coach"], 1, ["'coach'"]),
    ("export of no agent", ["export", "coach"], 1, ["'coach'"]),
    ("verify of no agent", ["verify", "coach"], 1, ["'coach'"]),
    ("exec without a command", ["exec", "coach"], 125, ["--", "exec coach -- make test"]),
    ("exec without an agent", ["exec", "--", "true"], 125, ["exec"]),
    ("exec with an unknown option", ["exec", "coach", "--qualty", "1", "--", "true"], 125, ["--qualty", "--quality"]),
    ("exec with another aborted", ["exec", "coach", "--aborted", "maybe", "--", "true"], 125, ["'maybe'", "skip|failure"]),
    ("exec of no program", ["exec", "coach", "--", "/nonexistent/program"], 127, ["/nonexistent/program"]),
    ("exec of a file that is not a program", ["exec", "coach", "--", "/etc/passwd"], 126, ["/etc/passwd"]),
    ("plugin that is not there", ["--plugin", "/nonexistent/p.so", *GOOD], 3, ["/nonexistent/p.so"]),
    ("bare plugin that is not there", ["--plugin", "nope.so", *GOOD], 3, ["nope.so", "KAIZEN_PLUGIN_PATH"]),
    ("configuration that is not there", ["--config", "/nonexistent.json", *GOOD], 3, ["/nonexistent.json"]),
    ("setting of an unknown key", [*GOOD, "--set", "retention=3"], 3, ["retention", "retention_days"]),
    ("setting that is not a number", [*GOOD, "--set", "retention_days=x"], 3, ["retention_days", "x"]),
    ("setting out of range", [*GOOD, "--set", "trend_window=65"], 3, ["trend_window", "65"]),
    ("setting of another word", [*GOOD, "--set", "fsync=sometimes"], 3, ["fsync", "sometimes"]),
    ("setting that is not a boolean", [*GOOD, "--set", "emit_event=perhaps"], 3, ["emit_event", "perhaps"]),
    ("slug with a slash", [*GOOD, "--set", "project=a/b"], 3, ["project"]),
    ("config set of an unknown key", ["config", "set", "nats_ulr", "x"], 3, ["nats_ulr", "nats_url"]),
    ("config set of a bad value", ["config", "set", "trend_window", "none"], 3, ["trend_window", "none"]),
    ("config get of an unknown key", ["config", "get", "nats_ulr"], 1, ["nats_ulr", "nats_url"]),
    ("config unset of what is not set", ["config", "unset", "fsync"], 1, ["fsync"]),
]

RECORDS = [
    ("quality above one", [*GOOD, "--quality", "1.2"], ["quality_score", "1.2"]),
    ("quality below zero", [*GOOD, "--quality", "-0.1"], ["quality_score", "-0.1"]),
    ("time below zero", [*GOOD, "--time", "-1"], ["execution_time_s", "-1"]),
    ("agent with a space", ["record", "Triage Agent", "--success"], ["Triage Agent"]),
    ("agent with a slash", ["record", "a/b", "--success"], ["a/b"]),
    ("agent of two dots", ["record", "..", "--success"], [".."]),
    ("agent with a trailing dot", ["record", "coach.", "--success"], ["coach."]),
    ("agent that is too long", ["record", LONG_NAME, "--success"], ["agent"]),
    ("reserved agent", ["record", "optimizer", "--success"], ["optimizer"]),
    ("empty agent", ["record", "", "--success"], ["agent"]),
    ("agent that is not UTF-8", ["record", b"co\xffch", "--success"], ["agent"]),
    ("empty key", [*GOOD, "--idempotency-key", ""], ["idempotency_key"]),
    ("key that is too long", [*GOOD, "--idempotency-key", "k" * 513], ["idempotency_key"]),
    ("record older than the retention", [*GOOD, "--timestamp", "1999-01-01T00:00:00Z"], ["1999"]),
    ("record that is too large", [*GOOD, "--metadata", "blob=" + "x" * 70000], ["max_record_bytes"]),
    ("metadata name twice in a value", [*GOOD, "--metadata", 'm={"a":1,"a":2}'], ["metadata"]),
    ("nothing on standard input", ["record", "coach", "--json"], ["JSON"], ""),
    ("broken JSON", ["record", "coach", "--json"], ["JSON"], '{"success": tru}'),
    ("array instead of a record", ["record", "coach", "--json"], ["object"], "[1]"),
    ("two records", ["record", "coach", "--json"], ["JSON"], '{"success":true}{"success":true}'),
    ("success as text", ["record", "coach", "--json"], ["success"], '{"success":"yes"}'),
    ("record without success", ["record", "coach", "--json"], ["success"], '{"execution_time_s":1}'),
    ("unknown member", ["record", "coach", "--json"], ["qualty_score", "quality_score"], '{"success":true,"qualty_score":1}'),
    ("member twice", ["record", "coach", "--json"], ["twice"], '{"success":true,"execution_time_s":1,"execution_time_s":2}'),
    ("NaN", ["record", "coach", "--json"], ["NaN"], '{"success":true,"quality_score":NaN}'),
    ("metadata that is a list", ["record", "coach", "--json"], ["metadata"], '{"success":true,"metadata":[1]}'),
    ("record without any agent", ["record", "--json"], ["agent"], '{"success":true}'),
    ("bytes that are not UTF-8", ["record", "coach", "--json"], [], b'{"success":true,"session_id":"\xff"}'),
]

CONFIGURATIONS = [
    ("empty", "", ["JSON"]),
    ("broken", '{"config": }', ["line 1"]),
    ("broken after letters of every length", '{"\u00e4\u65e5\U0001f600": 1, x}', ["line 1, column 18"]),
    ("an escaped letter that is not ASCII", '{"config": "\\\u65e5"}', ["line 1, column 14"]),
    ("broken on line 3", '{\n"config": {\n"fsync": always}}', ["line 3"]),
    ("an array", "[]", ["object"]),
    ("an unknown member", '{"confg": {}}', ['"confg"', '"config"']),
    ("config that is not an object", '{"config": 3}', ['"config"', "int"]),
    ("plugins that are not list", '{"plugins": {}}', ['"plugins"', "object"]),
    ("plugins without an entry", '{"plugins": []}', ["enabled"]),
    ("an entry that is not an object", '{"plugins": ["x.so"]}', ["entry 1", "string"]),
    ("an entry without path", '{"plugins": [{}]}', ['"path"', "missing"]),
    ("an entry with an unknown member", '{"plugins": [{"path": "x.so", "pth": 1}]}', ['"pth"', '"path"']),
    ("path that is a number", '{"plugins": [{"path": 1}]}', ['"path"', "int"]),
    ("enabled as text", '{"plugins": [{"path": "x.so", "enabled": "yes"}]}', ['"enabled"', "string"]),
    ("config of a plugin that is a list", '{"plugins": [{"path": "x.so", "config": []}]}', ['"config"', "array"]),
    ("every plugin disabled", '{"plugins": [{"path": "x.so", "enabled": false}]}', ["enabled"]),
    ("two plugins enabled", '{"plugins": [{"path": "a.so"}, {"path": "b.so"}]}', ["1 and 2"]),
    ("plugins and config", '{"plugins": [], "config": {}}', ['"plugins"', '"config"']),
    ("a plugin that is not there", '{"plugins": [{"path": "./nope.so"}]}', ["nope.so"]),
    ("an unknown setting", '{"config": {"nats_ulr": "x"}}', ["nats_ulr", "nats_url"]),
    ("a setting of another type", '{"config": {"emit_event": "true"}}', ["emit_event"]),
    ("a setting out of range", '{"config": {"trend_window": 0}}', ["trend_window"]),
    ("a setting of another word", '{"config": {"publish": "kafka"}}', ["publish", "kafka"]),
    ("a root that is not absolute", '{"config": {"project_root": "here"}}', ["project_root"]),
]


class BadInput(HostTest):
    def check(self, name, arguments, status, contains, stdin="", **options):
        before = self.tree()
        result = self.run_host(*arguments, stdin=stdin, **options)
        message = result.stderr.decode(errors="replace")
        with self.subTest(name):
            self.assertEqual(result.returncode, status, message)
            if "json" not in arguments:
                self.assertEqual(result.stdout, b"", name)
            self.assertTrue(message.startswith("kaizen-host: "), message)
            for part in contains:
                self.assertIn(part, message)
            self.assertEqual(self.tree(), before, "something was written")

    def test_a_wrong_command_line_is_refused_by_name_and_writes_nothing(self):
        for name, arguments, status, contains in COMMAND_LINES:
            self.check(name, arguments, status, contains)

    def test_a_record_nobody_could_use_is_rejected_with_status_4(self):
        for name, arguments, contains, *stdin in RECORDS:
            self.check(name, arguments, 4, contains, *stdin)

    def test_a_wrong_configuration_is_refused_with_status_3(self):
        for name, text, contains in CONFIGURATIONS:
            path = self.write_config(text)
            self.check(name, ["--config", path, *GOOD], 3, contains)

    def test_the_home_folder_is_never_taken_for_a_project(self):
        (self.home / ".kaizen").mkdir()
        self.check("home", GOOD, 2, [str(self.home), "-C"], cwd=self.home)

    def test_a_variable_that_is_no_number_costs_a_warning_and_not_the_record(self):
        message = self.messages(0, *GOOD, env={"HELIX_TOKENS": "many", "HELIX_INFRA_OVERHEAD_SHARE": "-"})
        self.assertIn("HELIX_TOKENS='many'", message)
        self.assertIn("HELIX_INFRA_OVERHEAD_SHARE='-'", message)
        self.assertNotIn("tokens", self.lines("coach")[0])

    def test_what_cannot_be_written_is_said_whatever_the_result(self):
        self.expect(0, *GOOD)
        for status, *arguments in ((1, "list"), (1, "show", "coach"), (1, "report", "-o", "json"), (1, "record", "-h"),
                                   (1, "export", "--all"), (1, "check", "coach", "--min-success", "1"),
                                   (6, "status"), (6, "doctor", "-o", "json"), (5, "drain", "--timeout", "0", "-o", "json")):
            if status > 1:
                self.expect(0, *GOOD, "--emit-event")
            with self.subTest(arguments), open("/dev/full", "wb") as full:
                result = self.run_host(*arguments, stdout=full)
                self.assertEqual(result.returncode, status, result.stderr)
                self.assertIn(b"cannot write", result.stderr)

    def test_with_json_the_result_is_printed_also_when_it_failed(self):
        members = ["result", "agent", "project", "project_root", "event", "event_id", "reason", "summary"]
        for arguments, status, reason in (
            ([*GOOD, "--quality", "7"], 4, "quality_score"),
            ([*GOOD, "--set", "fsync=x"], 3, "fsync"),
            (["record", "coach"], 2, "--success"),
        ):
            result = json.loads(self.expect(status, *arguments, "-o", "json"))
            self.assertEqual(list(result), members)
            self.assertIn(reason, result["reason"])
            self.assertIsNone(result["summary"])
        error = json.loads(self.expect(1, "show", "nobody", "-o", "json"))["error"]
        self.assertEqual(error["code"], 1)
        self.assertIn("nobody", error["message"])


if __name__ == "__main__":
    unittest.main()

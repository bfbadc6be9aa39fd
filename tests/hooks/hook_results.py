# hook_results.py - what a coding agent says of its own run: exec --result, record --from, and a judge of the user's.
#
# SPDX-License-Identifier: Apache-2.0
import contextlib
import json
import os
import pathlib
import shlex
import signal
import subprocess
import time
import unittest

from hook_support import HookTest
from shim_support import HANGS_S, clean_environment

SESSION = "7d3c1f02-5f5e-4b63-9a41-0c2b7f1e8a55"
CLAUDE = {
    "type": "result", "subtype": "success", "is_error": False, "duration_ms": 12345, "duration_api_ms": 12000,
    "num_turns": 4, "result": "CANARY answer, mail jo.doe@example.com", "session_id": SESSION,
    "total_cost_usd": 0.0731, "uuid": "0f2d6c1e-9d7b-4f3a-8f0e-1f6f0a1b2c3d",
    "usage": {"input_tokens": 12, "cache_creation_input_tokens": 300, "cache_read_input_tokens": 4000,
              "output_tokens": 210, "service_tier": "standard"},
    "modelUsage": {"claude-opus-4-1": {"inputTokens": 12}}, "permission_denials": [{"tool_input": "CANARY"}],
}
CODEX = [
    {"type": "thread.started", "thread_id": "0199a6c1-11aa-7d02-8f00-aa00bb11cc22"},
    {"type": "turn.started"},
    {"type": "item.completed", "item": {"id": "item_0", "type": "agent_message", "text": "CANARY answer"}},
    {"type": "turn.completed", "usage": {"input_tokens": 900, "cached_input_tokens": 800, "output_tokens": 100}},
]


def lines(documents):
    return "".join(json.dumps(document) + "\n" for document in documents)


class Results(HookTest):
    def setUp(self):
        super().setUp()
        self.output = self.scratch / "output"

    def claude(self, **changes):
        return {**CLAUDE, **changes}

    def exec_printing(self, text, *options, agent="fixer", command="cat \"$0\"", status=0, form="claude-json"):
        self.output.write_text(text)
        result = self.run_host("exec", agent, "--result", form, *options, "--", "sh", "-c", command, self.output)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def check_claude(self, found):
        metadata = found["metadata"]
        self.assertEqual((found["execution_time_s"], found["tokens"], found["session_id"]), (12.345, 4522, SESSION))
        self.assertEqual(found["idempotency_key"], f"claude-code:{SESSION}:0f2d6c1e-9d7b-4f3a-8f0e-1f6f0a1b2c3d")
        for name, value in {"host": "claude-code", "outcome": "completed", "model": "claude-opus-4-1",
                            "cost_usd": 0.0731, "turns": 4, "input_tokens": 4312, "output_tokens": 210}.items():
            self.assertEqual(metadata[name], value, name)
        self.assertNotIn(b"CANARY", self.log(found["agent"]).read_bytes())
        self.assertNotIn(b"example.com", self.log(found["agent"]).read_bytes())

    def test_a_result_on_standard_input_is_a_record(self):
        self.expect(0, "record", "--from", "claude-json", stdin=json.dumps(CLAUDE))
        self.assertEqual(self.record()["agent"], "claude-code")
        self.check_claude(self.record())

    def test_the_same_result_twice_is_one_record(self):
        for _ in range(2):
            self.expect(0, "record", "--from", "claude-json", stdin=json.dumps(CLAUDE))
        self.exec_printing(json.dumps(CLAUDE), agent="claude-code")
        self.record()

    def test_options_win_over_the_result(self):
        self.expect(0, "record", "coach", "--from", "claude-json", "--failure", "--time", "1", "--quality", "0.5",
                    "--session-id", "mine", "--idempotency-key", "k", "--metadata", "model=other", stdin=json.dumps(CLAUDE))
        found = self.record()
        self.assertEqual((found["agent"], found["success"], found["execution_time_s"], found["quality_score"],
                          found["session_id"], found["idempotency_key"], found["metadata"]["model"]),
                         ("coach", False, 1.0, 0.5, "mine", "k", "other"))

    def test_the_commands_output_is_passed_through_to_the_byte(self):
        text = json.dumps(CLAUDE) + "\n"
        result = self.exec_printing(text)
        self.assertEqual(result.stdout.decode(), text)
        self.check_claude(self.record())

    def test_every_way_the_agents_print_it_is_read(self):
        stream = [{"type": "system", "session_id": SESSION}, {"type": "assistant", "message": {"content": "result"}}]
        cases = {
            "one line": json.dumps(CLAUDE),
            "many lines": json.dumps(CLAUDE, indent=2),
            "a stream": lines([*stream, CLAUDE]),
            "an array": json.dumps([*stream, CLAUDE]),
            "other lines around it": "warning: x\n" + json.dumps(CLAUDE) + "\nbye\n",
            "carriage returns": lines([*stream, CLAUDE]).replace("\n", "\r\n"),
        }
        self.check_each(cases)

    def check_each(self, cases):
        for case, text in cases.items():
            with self.subTest(case):
                self.tearDown()
                self.setUp()
                self.exec_printing(text)
                self.check_claude(self.record())

    def test_a_result_is_found_behind_what_else_is_printed(self):
        pretty = json.dumps(CLAUDE, indent=2)
        cases = {
            "a byte order mark": "\ufeff" + json.dumps(CLAUDE),
            "an escape code": "\x1b[2K" + json.dumps(CLAUDE) + "\r\n",
            "a warning on the same line": "warning: x " + json.dumps(CLAUDE),
            "a warning with brackets": "npm warn [deprecated] {x} " + json.dumps(CLAUDE),
            "many lines after noise": "npm warn deprecated x\n[warn] y\n" + pretty + "\n",
            "an array of many lines after noise": "npm warn\n" + json.dumps([{"type": "system"}, CLAUDE], indent=1),
            "an array in one line after noise": "npm warn\n" + json.dumps([{"type": "system"}, CLAUDE]),
            "two results": lines([{**CLAUDE, "uuid": "other", "duration_ms": 1}, CLAUDE]),
        }
        self.check_each(cases)

    def test_an_interrupted_run_is_aborted_although_its_status_is_0(self):
        document = self.claude(is_error=True, subtype="error_during_execution", terminal_reason="aborted_streaming")
        self.assertIn(b"aborted; not recorded", self.exec_printing(json.dumps(document)).stderr)
        self.assertEqual(self.records(), [])
        self.exec_printing(json.dumps(document), "--aborted", "failure")
        self.assertEqual((self.record()["success"], self.record()["metadata"]["outcome"]), (False, "aborted"))

    def test_what_else_the_agent_says_of_a_run_is_kept(self):
        cases = {
            "the provider's error": ({"is_error": True, "api_error_type": "api_error", "api_error_status": 500},
                                     {"error_type": "api_error"}),
            "refused tools": ({"permission_denials": [{"tool_name": "Bash"}, {"tool_name": "Write"}]},
                              {"permission_denials": 2}),
            "several models": ({"modelUsage": {"claude-haiku-4-5": {"costUSD": 0.0012},
                                               "claude-opus-4-6[1m]": {"costUSD": 0.2822}}}, {"model": "claude-opus-4-6[1m]"}),
            "a name with spaces": ({"modelUsage": {"Claude Sonnet 4.5 (high)": {}}}, {"model": "Claude Sonnet 4.5 (high)"}),
        }
        for case, (changes, expected) in cases.items():
            with self.subTest(case):
                self.tearDown()
                self.setUp()
                self.exec_printing(json.dumps(self.claude(**changes)))
                for name, value in expected.items():
                    self.assertEqual(self.record()["metadata"].get(name), value)

    def test_what_the_programs_printed_when_they_ran_is_read(self):
        cases = {
            "claude-code-2.1.332-success.json": ("claude-json", True, "completed", 2468, "claude-sonnet-4-5"),
            "claude-code-2.1.332-error.json": ("claude-json", False, "failed", None, None),
            "claude-code-2.1.332-interrupted.json": ("claude-json", False, "aborted", None, "claude-sonnet-4-5"),
            "codex-0.171.0-success.jsonl": ("codex-json", True, "completed", 2468, None),
            "copilot-1.0.102-success.jsonl": ("copilot-json", True, "completed", None, "stub-1"),
            "copilot-1.0.102-error.jsonl": ("copilot-json", False, "failed", None, "stub-1"),
            "gemini-0.61.0-success.json": ("gemini-json", True, "completed", 2468, "stub-1"),
            "gemini-0.61.0-error.json": ("gemini-json", False, "failed", None, None),
            "gemini-0.61.0-stream.jsonl": ("gemini-json", True, "completed", 1234, "stub-1"),
            "qwen-0.24-success.json": ("qwen-json", True, "completed", 2468, "stub-1"),
            "qwen-0.24-error.json": ("qwen-json", False, "failed", None, None),
        }
        folder = pathlib.Path(__file__).parent / "results"
        self.assertEqual({path.name for path in folder.iterdir()}, set(cases))
        for name, (form, success, outcome, tokens, model) in cases.items():
            with self.subTest(name):
                self.tearDown()
                self.setUp()
                for _ in range(2):
                    self.expect(0, "record", "--from", form, stdin=(folder / name).read_text())
                found = self.record()
                self.assertEqual((found["success"], found["metadata"]["outcome"], found.get("tokens"), found["metadata"].get("model")),
                                 (success, outcome, tokens, model))
                self.assertNotIn(b"CANARY", self.stored())

    def test_failures_are_what_either_side_says(self):
        cases = {
            "is_error": (self.claude(is_error=True), 0, "error"),
            "its subtype": (self.claude(subtype="error_max_turns", is_error=False), 0, "error_max_turns"),
            "the status": (self.claude(), 3, "exit 3"),
            "both": (self.claude(subtype="error_during_execution", is_error=True), 1, "error_during_execution"),
        }
        for case, (document, status, error_type) in cases.items():
            with self.subTest(case):
                self.tearDown()
                self.setUp()
                self.exec_printing(json.dumps(document), command=f"cat \"$0\"; exit {status}", status=status)
                found = self.record()
                self.assertEqual((found["success"], found["metadata"]["outcome"]), (False, "failed"))
                self.assertEqual(found["metadata"].get("error_type"), error_type)

    def test_without_a_result_status_and_time_are_recorded(self):
        for text in ("", "no JSON at all\n", '{"type": "assistant"}\n', '{"type": "result"'):
            with self.subTest(text):
                self.tearDown()
                self.setUp()
                result = self.exec_printing(text)
                self.assertIn(b"no result of Claude Code", result.stderr)
                self.assertTrue(self.record()["success"])
                self.assertIn("execution_time_s", self.record())
                self.assertTrue(self.record()["idempotency_key"].startswith("span:"))
        self.expect(4, "record", "--from", "claude-json", stdin="nothing")
        self.expect(2, "record", "--from", "claude-json", "--json", stdin="{}")

    def test_zeros_and_nonsense_in_a_result_are_absent(self):
        self.exec_printing(json.dumps(self.claude(duration_ms=0, total_cost_usd=0, num_turns=0, usage=None, modelUsage={},
                                                  uuid=None, session_id=["x"])))
        found = self.record()
        self.assertGreater(found["execution_time_s"], 0)  # measured
        for name in ("cost_usd", "turns", "input_tokens", "model"):
            self.assertNotIn(name, found["metadata"])
        self.assertNotIn("tokens", found)
        self.assertNotIn("session_id", found)

    def test_tokens_of_which_a_part_cannot_be_read_are_not_told(self):
        usage = CLAUDE["usage"]
        gemini = {"session_id": SESSION, "response": "", "stats": {"models": {
            "a": {"tokens": {"prompt": 10, "candidates": 5, "thoughts": 1}}, "b": {"tokens": {"prompt": 7}}}}}
        failed = [*CODEX, {"type": "turn.failed", "error": {"message": "CANARY"}}]
        cases = [
            ("claude-json", json.dumps(self.claude(usage=dict(usage, **{name: bad}))), kept)
            for name, kept in (("input_tokens", "output_tokens"), ("cache_read_input_tokens", "output_tokens"),
                               ("output_tokens", "input_tokens"))
            for bad in ("12", -1, 1.5, 1e300, [])
        ] + [("gemini-json", json.dumps(gemini), "input_tokens"), ("codex-json", lines(failed), None)]
        for number, (form, text, kept) in enumerate(cases):
            with self.subTest(text):
                self.exec_printing(text, agent=f"a{number}", form=form)
                found = json.loads(self.lines(f"a{number}")[0])
                told = {name for name in ("input_tokens", "output_tokens") if name in found["metadata"]}
                self.assertEqual(told, {kept} if kept else set())
                self.assertNotIn("tokens", found)

    def test_codex_events_are_added_up(self):
        self.expect(0, "record", "--from", "codex-json", stdin=lines(CODEX))
        found = self.record()
        self.assertEqual((found["agent"], found["success"], found["tokens"], found["session_id"]),
                         ("codex", True, 1000, "0199a6c1-11aa-7d02-8f00-aa00bb11cc22"))
        self.assertNotIn("execution_time_s", found)
        self.assertNotIn(b"CANARY", self.log("codex").read_bytes())
        self.expect(0, "record", "--from", "codex-json", stdin=lines(CODEX))
        self.record()
        failed = [*CODEX[:2], {"type": "turn.failed", "error": {"message": "CANARY error"}}]
        self.exec_printing(lines(failed), agent="codex", form="codex-json")
        self.assertEqual([record["success"] for record in self.records()], [True, False])
        self.assertNotIn(b"CANARY", self.log("codex").read_bytes())

    def test_much_output_is_passed_on_and_its_end_is_read(self):
        text = "x" * 99 + "\n"
        self.output.write_text(text * 200_000 + json.dumps(CLAUDE) + "\n")
        result = self.run_host("exec", "fixer", "--result", "claude-json", "--", "cat", self.output)
        self.assertEqual(len(result.stdout), self.output.stat().st_size)
        self.check_claude(self.record())

    def test_a_process_left_behind_does_not_hold_exec_up(self):
        self.exec_printing(json.dumps(CLAUDE), command='cat "$0"; sleep 600 2>/dev/null & echo $! >"$0.pid"')
        os.kill(int(self.output.with_suffix(".pid").read_text()), signal.SIGKILL)
        self.check_claude(self.record())

    def test_a_process_left_behind_that_goes_on_printing_does_not_hold_exec_up(self):
        self.exec_printing(json.dumps(CLAUDE), command='cat "$0"; (while :; do echo tick; sleep 0.01; done) & echo $! >"$0.pid"')
        with contextlib.suppress(ProcessLookupError):  # nobody reads it any more: it ends by itself
            os.kill(int(self.output.with_suffix(".pid").read_text()), signal.SIGKILL)
        self.check_claude(self.record())

    def test_with_standard_output_closed_the_command_runs_all_the_same(self):
        self.output.write_text(json.dumps(CLAUDE))
        command = " ".join(shlex.quote(str(word)) for word in
                           self.host_command("exec", "fixer", "--result", "claude-json", "--", "cat", self.output))
        result = subprocess.run(["sh", "-c", command + " >&-"], cwd=self.project, env=clean_environment(self.home),
                                capture_output=True, timeout=HANGS_S)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.check_claude(self.record())

    def test_a_reader_that_goes_away_ends_the_command_as_without_us(self):
        process = subprocess.Popen(self.host_command("exec", "fixer", "--result", "claude-json", "--", "yes"),
                                   cwd=self.project, env=clean_environment(self.home), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdout.read(100_000)
        process.stdout.close()
        process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(), 128 + signal.SIGPIPE)
        self.assertFalse(self.record()["success"])

    # ---- quality

    def judge(self, command, *options, status=0, ends="true"):
        result = self.run_host("exec", "fixer", "--quality-cmd", command, *options, "--", "sh", "-c", ends)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def test_a_judges_number_is_the_quality(self):
        for printed, quality in (("0.75", 0.75), ("1", 1.0), ("0", 0.0), ("  0.5  \nand more", 0.5), ("1e-1", 0.1)):
            with self.subTest(printed):
                self.tearDown()
                self.setUp()
                result = self.judge(f"printf '%s' '{printed}'")
                self.assertEqual((result.stdout, self.record()["quality_score"]), (b"", quality))

    def test_a_judge_that_is_no_use_costs_the_quality_and_not_the_record(self):
        for case, command in {"nothing": "true", "a word": "echo good", "too much": "echo 1.01", "below": "echo -0.1",
                              "not a number": "echo nan", "failed": "echo 0.5; exit 1", "missing": "/nowhere/judge",
                              "killed": "kill -9 $$", "endless": "yes"}.items():
            with self.subTest(case):
                self.tearDown()
                self.setUp()
                result = self.judge(command, "--quality-timeout", "2" if case != "endless" else "0.2")
                self.assertIn(b"recording no quality", result.stderr)
                self.assertNotIn("quality_score", self.record())

    def test_a_judge_has_its_own_time_and_is_ended_with_all_it_started(self):
        limit_s = 0.3
        while not self.output.exists():  # the longer, the slower the machine: the judge has to get to its second command
            self.tearDown()
            self.setUp()
            result = self.judge(f"echo $$ >{self.output}.new; mv {self.output}.new {self.output}; sleep 600 & sleep 600",
                                "--quality-timeout", str(limit_s))
            self.assertIn(f"not finished within {limit_s:g} s".encode(), result.stderr)
            limit_s *= 2
        self.record()
        group = self.output.read_text().strip()
        while self.alive_in(group):
            time.sleep(0.01)

    @staticmethod
    def alive_in(group):
        """Processes of the group that are not dead; those may stay until init takes them away, if there is one that does."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, its_group = path.read_text().rsplit(")", 1)[1].split()[:3]
            except OSError:
                continue
            if its_group == group and state not in "ZX":
                found.append(path)
        return found

    def test_a_judge_knows_how_the_command_ended(self):
        self.judge('test "$KAIZEN_EXEC_STATUS" = 3 && echo 0.25', status=3, ends="exit 3")
        found = self.record()
        self.assertEqual((found["success"], found["quality_score"]), (False, 0.25))

    def test_a_quality_that_is_given_needs_no_judge(self):
        self.judge(f"touch {self.output}; echo 0.1", "--quality", "0.9")
        self.assertEqual(self.record()["quality_score"], 0.9)
        self.assertFalse(self.output.exists())


if __name__ == "__main__":
    unittest.main()

# hook_usage.py - tokens, model and tool errors of a turn, counted out of the transcript that the host's payload names;
# what cannot be counted is absent, and no text of a transcript is kept.
#
# SPDX-License-Identifier: Apache-2.0
import datetime
import json
import os
import pathlib
import unittest

from hook_support import HookTest

TRANSCRIPTS = pathlib.Path(__file__).parent / "transcripts"
USAGE = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "model",
         "tool_errors")
ENDS = {"claude-code": "Stop", "codex": "Stop", "gemini": "AfterAgent"}
STARTS = {"claude-code": "UserPromptSubmit", "codex": "UserPromptSubmit", "gemini": "BeforeAgent"}


def fixture(name):
    """The lines of a transcript as the real program wrote it, its texts replaced."""
    return (TRANSCRIPTS / f"{name}.jsonl").read_text().splitlines()


def answer(message_id, output=34, tokens=1200, model="claude-sonnet-4-5", read=0, write=0, **more):
    """A line of Claude Code."""
    usage = {"input_tokens": tokens, "output_tokens": output, "cache_read_input_tokens": read,
             "cache_creation_input_tokens": write}
    return json.dumps({"type": "assistant", "isSidechain": False,
                       "message": {"id": message_id, "model": model, "usage": usage,
                                   "content": [{"type": "text", "text": "CANARY"}]}, **more})


class Usage(HookTest):
    def setUp(self):
        super().setUp()
        self.transcript = self.home / "transcript.jsonl"
        self.turns = 0

    def write(self, lines, path=None, end="\n"):
        with open(path or self.transcript, "a") as out:
            out.write("".join(line + "\n" for line in lines[:-1]) + (lines[-1] + end if lines else ""))

    def event(self, host, name, **more):
        payload = {"session_id": "s", "transcript_path": str(self.transcript), "cwd": str(self.project),
                   "hook_event_name": name, **({"turn_id": f"t{self.turns}"} if host == "codex" else {}), **more}
        if host == "gemini":
            payload["timestamp"] = f"2026-03-02T10:00:{self.turns:02d}Z"
        return json.dumps(payload).encode()

    def begin(self, host="claude-code"):
        self.turns += 1
        self.fire(host, self.event(host, STARTS[host], prompt=f"CANARY {self.turns}"))

    def end(self, host="claude-code", *options, **more):
        self.fire(host, self.event(host, ENDS[host], last_assistant_message=f"CANARY {self.turns}",
                                   prompt_response=f"CANARY {self.turns}", **more), *options)
        return self.records()[-1]

    def turn(self, host, lines):
        self.begin(host)
        self.write(lines)
        return self.end(host)

    def holds(self, record, tokens, **expected):
        """The record has exactly this usage."""
        found = {name: record.get("metadata", {}).get(name) for name in USAGE}
        self.assertEqual({"tokens": record.get("tokens"), **found},
                         {"tokens": tokens, **{name: expected.get(name) for name in USAGE}}, self.hook_log())

    def holds_nothing(self, record, because):
        self.holds(record, None)
        self.assertIn(because, self.hook_log())

    def tearDown(self):
        stored = b"\n".join(path.read_bytes() for top in (self.state, self.project) for path in top.rglob("*")
                            if path.is_file())
        super().tearDown()
        self.assertNotIn(b"CANARY", stored)
        self.assertNotIn(b"example.com", stored)

    def test_what_real_hosts_wrote_is_counted_turn_by_turn(self):
        claude = dict(model="claude-sonnet-4-5", cache_read_tokens=0, cache_write_tokens=0, reasoning_tokens=0, tool_errors=0)
        gemini = dict(model="gemini-2.5-flash", cache_read_tokens=0, reasoning_tokens=0, tool_errors=0)

        def codex(calls):
            return dict(model="stub-1", input_tokens=1200 * calls, output_tokens=34 * calls, cache_read_tokens=200 * calls,
                        cache_write_tokens=0, reasoning_tokens=4 * calls)

        for host, name, cut, calls, expected in (
                ("claude-code", "claude-code-two-turns", '"queue-operation"', (1, 1), claude),
                ("claude-code", "claude-code-subagents", '"queue-operation"', (2, 1), claude),
                ("codex", "codex-two-turns", '"task_started"', (2, 1), None),
                ("gemini", "gemini-resumed", '"kind"', (2, 1), gemini)):
            with self.subTest(name):
                self.tearDown()
                self.setUp()
                lines = fixture(name)
                marks = [i for i, line in enumerate(lines) if cut in line]
                second = marks[len(marks) // 2]  # those of the second turn are as many
                for part, count in zip((lines[:second], lines[second:]), calls):
                    record = self.turn(host, part)
                    self.holds(record, 1234 * count, **(expected or codex(count)) | {
                        "input_tokens": 1200 * count, "output_tokens": 34 * count})

    def test_a_subagent_has_its_own_and_its_parent_has_not_got_it(self):
        own = self.home / "agent-1.jsonl"
        self.begin()
        self.write([answer("m1"), answer("m2", isSidechain=True)])
        self.write(fixture("claude-code-subagent"), own)
        self.fire("claude-code", self.event("claude-code", "SubagentStop", agent_id="a1", agent_type="helper",
                                            agent_transcript_path=str(own)))
        helper, = [r for r in self.records() if r["agent"] == "helper"]
        self.holds(helper, 1234, input_tokens=1200, output_tokens=34, cache_read_tokens=0, cache_write_tokens=0,
                   reasoning_tokens=0, model="claude-sonnet-4-5", tool_errors=0)
        self.end()
        parent, = [r for r in self.records() if r["agent"] == "claude-code"]
        self.assertEqual(parent["tokens"], 1234)

    def test_a_message_of_several_lines_counts_once_with_its_largest_output(self):
        record = self.turn("claude-code", [answer("m1", 2), answer("m1", 700), answer("m1", 700), answer("m2", 5),
                                           answer("m1", 1)])
        self.holds(record, 3105, input_tokens=2400, output_tokens=705, cache_read_tokens=0, cache_write_tokens=0,
                   model="claude-sonnet-4-5", tool_errors=0)

    def test_input_has_the_cache_in_it_and_the_cache_is_told_apart(self):
        record = self.turn("claude-code", [answer("m1", 10, 3, read=90000, write=2000)])
        self.holds(record, 92013, input_tokens=92003, output_tokens=10, cache_read_tokens=90000, cache_write_tokens=2000,
                   model="claude-sonnet-4-5", tool_errors=0)

    def test_of_several_models_the_costliest_is_named(self):
        record = self.turn("claude-code", [answer("m1", 10, 900, "small-1", read=50000), answer("m2", 4000, 900, "large-1"),
                                           answer("m3", 0, 0, "<synthetic>"), answer("m4", 1, 1, "CANARY is not a model name")])
        self.assertEqual((record["metadata"]["model"], record["metadata"]["output_tokens"]), ("large-1", 4011))

    def test_failed_tools_are_counted(self):
        def result(use, failed):
            return json.dumps({"type": "user", "message": {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": use, "is_error": failed, "content": "CANARY \"is_error\":true"}]}})

        record = self.turn("claude-code", [result("u1", True), result("u1", True), result("u2", False), result("u3", True),
                                           answer("m1")])
        self.assertEqual(record["metadata"]["tool_errors"], 2)
        call = {"id": "g1", "type": "gemini", "model": "g", "tokens": {"input": 5, "output": 2, "cached": 1, "thoughts": 3,
                                                                       "tool": 4, "total": 14}}
        told = [json.dumps({**call, "toolCalls": [{"status": status, "result": "CANARY"}]}) for status in ("error", "error")]
        self.transcript = self.home / "gemini.jsonl"
        record = self.turn("gemini", [*told, json.dumps({**call, "id": "g2"})])
        self.holds(record, 28, input_tokens=18, output_tokens=10, cache_read_tokens=2, reasoning_tokens=6, model="g",
                   tool_errors=1)

    def test_codex_tells_a_count_again_and_it_is_counted_once(self):
        def count(total):
            usage = {"input_tokens": 100, "cached_input_tokens": 40, "output_tokens": 10, "reasoning_output_tokens": 4}
            return json.dumps({"type": "event_msg", "payload": {"type": "token_count", "rate_limits": {}, "info": {
                "total_token_usage": {"input_tokens": total, "output_tokens": 0}, "last_token_usage": usage}}})

        nothing = json.dumps({"type": "event_msg", "payload": {"type": "token_count", "info": None}})
        context = json.dumps({"type": "turn_context", "payload": {"model": "gpt-x", "cwd": "CANARY"}})
        one = dict(input_tokens=100, output_tokens=10, cache_read_tokens=40, reasoning_tokens=4, model="gpt-x")
        record = self.turn("codex", [nothing, context, count(110), count(110), nothing])
        self.holds(record, 110, **one)
        record = self.turn("codex", [count(110), context, count(220)])  # the first is of the turn before
        self.holds(record, 110, **one)

    def test_the_same_end_told_twice_is_the_same_turn_and_the_next_one_another(self):
        self.turn("claude-code", [answer("m1")])
        self.write([answer("m2")])
        self.assertEqual(len({json.dumps(self.end()) for _ in range(3)}), 1)
        self.holds(self.turn("claude-code", [answer("m3", 7)]), 1207, input_tokens=1200, output_tokens=7,
                   cache_read_tokens=0, cache_write_tokens=0, model="claude-sonnet-4-5", tool_errors=0)

    def test_a_start_told_twice_under_one_name_begins_once(self):
        self.begin("codex")
        lines = fixture("codex-two-turns")
        self.write(lines[:12])
        self.fire("codex", self.event("codex", "UserPromptSubmit", prompt=""))
        self.write(lines[12:19])
        self.assertEqual(self.end("codex")["tokens"], 2468)

    def test_without_its_start_the_last_prompt_in_the_transcript_begins_the_turn(self):
        def prompt(turn=None):
            return json.dumps({"type": "user", "promptId": turn, "message": {"role": "user", "content": "CANARY"}})

        self.write([answer("m0"), prompt("p1"), answer("m1"), prompt("p2"), answer("m2", 7), answer("m3", 1)])
        self.turns += 1
        self.assertEqual(self.end(prompt_id="p2")["tokens"], 2408)
        self.write([answer("m4", 1)])
        self.turns += 1
        self.assertEqual(self.end(prompt_id="p3")["tokens"], 1201)  # from where the turn before it ended
        for path, lines, more, tokens in (("b", [prompt(), answer("m1"), prompt(), answer("m2", 7)], {}, 1207),
                                          ("c", [prompt("p1"), answer("m1")], {"prompt_id": "p9"}, None),
                                          ("d", [answer("m1")], {}, None)):
            self.transcript = self.home / path
            self.write(lines)
            self.turns += 1
            self.assertEqual(self.end(session_id=path, **more).get("tokens"), tokens, path)
        self.assertIn("start was not seen", self.hook_log())
        self.transcript = self.home / "codex.jsonl"
        self.write(fixture("codex-two-turns"))
        turn = [line for line in fixture("codex-two-turns") if '"task_started"' in line][1]
        self.assertEqual(self.end("codex", turn_id=json.loads(turn)["payload"]["turn_id"])["tokens"], 1234)

    def test_in_a_file_that_was_put_in_its_place_the_turn_is_looked_for(self):
        def prompt(turn):
            return json.dumps({"type": "user", "promptId": turn, "message": {"content": "CANARY"}})

        def replace(*lines):
            written = self.transcript.with_suffix(".new")
            self.write(list(lines), written)
            written.rename(self.transcript)

        def begin_again(*lines):
            self.transcript.write_text("")
            self.write(list(lines))

        for rewrite, first, tokens in ((replace, answer("m1"), 1207), (replace, answer("m1" * 99), 1207),
                                       (begin_again, answer("m1"), 1207), (replace, None, None)):
            with self.subTest(rewrite=rewrite.__name__, first=first):
                self.tearDown()
                self.setUp()
                self.write([answer("m0"), answer("m1"), prompt("p0")])
                self.turns += 1
                self.fire("claude-code", self.event("claude-code", "UserPromptSubmit", prompt="CANARY", prompt_id="p1"))
                self.write([prompt("p1"), answer("m2", 7)])
                rewrite(*([first, prompt("p1")] if first else [prompt("p2"), answer("m1")]), answer("m2", 7))
                self.assertEqual(self.end(prompt_id="p1").get("tokens"), tokens, self.hook_log())

    def test_what_cannot_be_read_is_not_told(self):
        def fifo():
            os.mkfifo(self.transcript)

        def folder():
            self.transcript.mkdir()

        def rewritten():
            self.transcript.write_text("")

        def another_users():
            self.write([answer("m1")])
            os.chown(self.transcript, 1, 1)

        def torn():
            self.write([answer("m1"), answer("m2")[:-9]], end="")

        def unanswered():
            self.write([answer("m1"), json.dumps({"type": "user", "message": {"content": "CANARY"}})])

        def deep():
            self.write([answer("m1"), '{"type":"assistant","message":' + "[" * 400 + "]" * 400 + "}"])

        for case in (fifo, folder, rewritten, another_users, torn, unanswered, deep):
            if case is another_users and os.geteuid() != 0:
                continue
            with self.subTest(case.__name__):
                self.tearDown()
                self.setUp()
                if case is rewritten:
                    self.write([answer("m0")])
                self.begin()
                case()
                self.holds_nothing(self.end(), "usage unknown")

    def test_numbers_that_cannot_be_are_not_told(self):
        for bad in (-5, 1.5, "12", None, 10**15, True, [1]):
            with self.subTest(bad=bad):
                self.tearDown()
                self.setUp()
                record = self.turn("claude-code", [answer("m1", tokens=bad)])
                self.assertIsNone(record.get("tokens"))
                self.assertNotIn("input_tokens", record["metadata"])
                self.assertEqual(record["metadata"]["output_tokens"], 34)

    def test_a_call_that_cannot_be_counted_leaves_no_sum_of_the_others(self):
        for bad in (-5, "12", None, 9 * 10**18, 10**30):
            with self.subTest(bad=bad):
                record = self.turn("claude-code", [answer(f"m{self.turns}", read=7), answer(f"n{self.turns}", tokens=bad)])
                self.holds(record, None, output_tokens=68, cache_read_tokens=7, cache_write_tokens=0,
                           model="claude-sonnet-4-5", tool_errors=0)

    def test_input_whose_cached_part_cannot_be_read_is_not_told(self):
        for bad in (-5, "12", 9 * 10**18):
            with self.subTest(bad=bad):
                record = self.turn("claude-code", [answer(f"m{self.turns}", tokens=9 * 10**11, read=bad)])
                self.holds(record, None, output_tokens=34, cache_write_tokens=0, model="claude-sonnet-4-5",
                           tool_errors=0)

    def test_a_call_whose_output_cannot_be_read_is_not_left_out(self):
        record = self.turn("claude-code", [answer("m1"), answer("m2", output="34")])
        self.holds(record, None, input_tokens=2400, cache_read_tokens=0, cache_write_tokens=0,
                   model="claude-sonnet-4-5", tool_errors=0)

    def test_what_a_fork_copied_from_its_parent_is_not_its_own(self):
        def tool(use):
            return json.dumps({"type": "user", "promptId": "p", "message": {"content": [
                {"type": "tool_result", "tool_use_id": use, "is_error": True, "content": "CANARY"}]}})

        self.begin()  # before there is a transcript
        self.write([tool("u0"), answer("m0", sessionId="s", requestSessionId="parent"),
                    answer("m1", 7, sessionId="s", requestSessionId="s"), answer("m2", 5, sessionId="s")])
        self.holds(self.end(), 2412, input_tokens=2400, output_tokens=12, cache_read_tokens=0, cache_write_tokens=0,
                   model="claude-sonnet-4-5", tool_errors=0)

    def test_what_is_older_than_the_session_that_begins_was_copied(self):
        def at(seconds):
            return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).isoformat()

        for own, tokens in (([answer("m1", 7, timestamp=at(1000)), answer("m2", 5, timestamp=at(1001))], 2412),
                            ([answer("m1", 7), answer("m2", 5)], 3646), ([], 1234)):  # without times, nothing shows it
            with self.subTest(own=len(own), tokens=tokens):
                self.tearDown()
                self.setUp()
                self.begin()
                self.write([answer("m0", timestamp=at(-1000)), *own])
                self.assertEqual(self.end().get("tokens"), tokens)
                self.assertEqual(self.turn("claude-code", [answer("m9", timestamp=at(2000))])["tokens"], 1234)

    def test_a_call_that_says_nothing_of_tokens_is_no_call_without_any(self):
        codex = {"usage": {"input_tokens": 100, "output_tokens": 10}}
        counts = {"type": "token_count", "info": {"last_token_usage": codex["usage"]}}
        gemini = {"id": "g1", "type": "gemini", "model": "g", "content": "CANARY", "tokens": {"input": 100, "output": 10}}
        for host, call, names in (
                ("claude-code", json.loads(answer("m2")), ("message", "usage")),
                ("claude-code", json.loads(answer("m2")), ("message", "id")),
                ("codex", {"type": "token_usage_record", "payload": {"response_id": "r2", **codex}}, ("payload", "usage")),
                ("codex", {"type": "event_msg", "payload": counts}, ("payload", "info", "last_token_usage")),
                ("gemini", gemini, ("tokens",))):
            with self.subTest(host=host, names=names):
                self.tearDown()
                self.setUp()
                whole = json.dumps(call).replace('"m2"', '"m1"').replace('"r2"', '"r1"').replace('"g1"', '"g0"')
                place = call
                for name in names[:-1]:
                    place = place[name]
                del place[names[-1]]
                told = self.turn(host, [whole, json.dumps(call)])
                self.assertEqual([name for name in ("input_tokens", "output_tokens") if name in told["metadata"]], [])
                self.assertNotIn("tokens", told)

    def test_calls_without_an_id_are_different_calls(self):
        call = {"type": "gemini", "model": "g", "content": "CANARY", "tokens": {"input": 100, "output": 10}}
        self.assertEqual(self.turn("gemini", [json.dumps(call)] * 2)["tokens"], 220)
        record = {"type": "token_usage_record", "payload": {"usage": {"input_tokens": 100, "output_tokens": 10}}}
        self.transcript = self.home / "codex.jsonl"
        self.assertEqual(self.turn("codex", [json.dumps(record)] * 2)["tokens"], 220)

    def test_the_last_line_counts_without_its_newline(self):
        self.begin()
        self.write([answer("m1")], end="")
        self.assertEqual(self.end()["tokens"], 1234)

    def test_a_large_transcript_is_counted_whole_or_not_at_all(self):
        noise = json.dumps({"type": "attachment", "content": "CANARY " * 20000})
        record = self.turn("claude-code", [answer("m1"), *[noise] * 300, answer("m2")])
        self.assertIn(record.get("tokens"), (2468, None))

    def test_one_option_turns_it_off(self):
        self.begin()
        self.write([answer("m1")])
        self.holds(self.end("claude-code", "--no-usage"), None)

    def test_opencode_s_numbers_are_those_of_its_plugin(self):
        payload = self.payload("opencode/session-idle.json", tokens={
            "input": 92080, "output": 267, "reasoning": 67, "cacheRead": 90000, "cacheWrite": 2040})
        self.fire("opencode", payload)
        self.holds(self.record(), 92347, input_tokens=92080, output_tokens=267, cache_read_tokens=90000,
                   cache_write_tokens=2040, reasoning_tokens=67, model="anthropic/claude-sonnet-4-5")


if __name__ == "__main__":
    unittest.main()

# hook_runs.py - what the coding agents really send, event by event, becomes exactly the runs that there were.
#
# SPDX-License-Identifier: Apache-2.0
import json
import pathlib
import shutil
import unittest

from hook_support import HookTest

PROMPT_ID = "afa6bf3f-aeb7-4e5e-a9e1-2bda74194fbe"


class Runs(HookTest):
    def tell(self, host, name=None, /, *options, **members):
        document = {"cwd": str(self.project), **members}
        if name and host != "copilot":
            document["hook_event_name"] = name
        if name and host == "copilot":
            options = ("--event", name, *options)
        self.fire(host, json.dumps({name: value for name, value in document.items() if value is not ...}).encode(), *options)

    def runs(self):
        """(agent, success) of every record, in the order of the logs."""
        return sorted((record["agent"], record["success"]) for record in self.records())

    def check(self, *expected):
        self.assertEqual(self.runs(), sorted(expected), self.hook_log())

    def forget(self):
        shutil.rmtree(self.state)

    # ---- Claude Code

    def claude(self, name, **members):
        self.tell("claude-code", name, **{"session_id": "s-1", "transcript_path": "/home/u/.claude/projects/x/s-1.jsonl",
                                          "permission_mode": "default", "prompt_id": PROMPT_ID, **members})

    def test_a_subagent_without_a_name_is_no_run(self):
        for name in ("", None, ...):
            with self.subTest(name):
                self.tearDown()
                self.setUp()
                self.claude("UserPromptSubmit", prompt="hello")
                self.claude("Stop", last_assistant_message="hi")
                for agent_id in ("a0fa1a98d4a0d44cf", "a6b3e0b2f3a0d1c2e"):
                    self.claude("SubagentStop", agent_id=agent_id, agent_type=name, last_assistant_message="a title")
                self.check(("claude-code", True))

    def test_a_subagent_has_the_name_its_start_told(self):
        self.claude("SubagentStart", agent_id="a1", agent_type="Explore")
        self.claude("SubagentStop", agent_id="a1", agent_type="", last_assistant_message="found it")
        self.check(("Explore", True))
        long = "ö" * 80
        self.claude("SubagentStart", agent_id="a2", agent_type=long)
        self.claude("SubagentStop", agent_id="a2", agent_type="", last_assistant_message="found it")
        self.assertIn(long, [record["metadata"].get("agent_name") for record in self.records()], self.hook_log())

    def test_a_prompts_id_makes_one_turn_of_many_stops(self):
        self.claude("UserPromptSubmit", prompt="do it")
        for answer in ("draft 1", "draft 2", "final"):
            self.claude("Stop", stop_hook_active=False, last_assistant_message=answer)
        self.assertGreater(self.record()["execution_time_s"], 0)
        self.assertEqual(self.record()["idempotency_key"], f"claude-code:s-1:{PROMPT_ID}")

    def test_a_stop_told_again_after_the_state_was_lost_is_one_record(self):
        self.claude("UserPromptSubmit", prompt="do it")
        self.claude("SubagentStart", agent_id="a1", agent_type="Explore")
        for _ in range(2):
            self.claude("SubagentStop", agent_id="a1", agent_type="Explore", last_assistant_message="found it")
            self.claude("Stop", last_assistant_message="done")
            self.forget()
        self.check(("Explore", True), ("claude-code", True))

    def test_a_prompt_that_waits_does_not_move_the_clock_of_the_running_turn(self):
        self.claude("UserPromptSubmit", prompt="one")
        self.claude("UserPromptSubmit", prompt="two", prompt_id="another")
        self.claude("Stop", last_assistant_message="one done")
        self.claude("Stop", last_assistant_message="two done", prompt_id="another")
        for record in self.records():
            self.assertGreater(record["execution_time_s"], 0)
        self.check(("claude-code", True), ("claude-code", True))

    def test_a_subagent_that_runs_twice_in_one_prompt_is_two_records(self):
        for answer in ("first", "second"):
            self.claude("SubagentStart", agent_id="a1", agent_type="Explore")
            for _ in range(2):
                self.claude("SubagentStop", agent_id="a1", agent_type="Explore", last_assistant_message=answer)
        self.check(("Explore", True), ("Explore", True))

    def lost_failure(self, host, *lines):
        """A turn whose failure the host was killed over, and the end of its session."""
        transcript = self.scratch / f"{host}.jsonl"
        transcript.write_text("".join(json.dumps(line) + "\n" for line in lines))
        start = {"claude-code": "UserPromptSubmit", "gemini": "BeforeAgent"}[host]
        session = {"session_id": "s-1", "transcript_path": str(transcript), "timestamp": "2026-08-01T10:00:00.000Z"}
        self.tell(host, start, prompt="hello", **session)
        for _ in range(2):
            self.tell(host, "SessionEnd", reason="other", **session)

    def test_a_failure_that_was_not_told_is_found_in_the_transcript(self):
        prompt = {"type": "user", "message": {"role": "user", "content": "CANARY question"}}
        error = {"type": "assistant", "isApiErrorMessage": True, "error": "rate_limit",
                 "message": {"content": [{"type": "text", "text": "CANARY"}]}}
        self.lost_failure("claude-code", prompt, error)
        self.check(("claude-code", False))
        self.assertEqual(self.record()["metadata"]["error_type"], "rate_limit")
        self.claude("UserPromptSubmit", prompt="another")
        self.lost_failure("claude-code", prompt)
        self.lost_failure("gemini", {"type": "user", "content": [{"text": "CANARY"}]}, {"type": "error", "content": "CANARY"})
        self.check(("claude-code", False), ("gemini", False))
        for path in (*self.project.rglob("*"), *self.state.rglob("*")):
            self.assertNotIn(b"CANARY", path.read_bytes() if path.is_file() else b"")

    # ---- Copilot

    def copilot(self, name, timestamp, **members):
        self.tell("copilot", name, **{"sessionId": "c-1", "timestamp": timestamp, **members})

    def copilot_error(self, timestamp, **members):
        self.copilot("errorOccurred", timestamp, **{"errorContext": "model_call", "recoverable": True,
                                                    "error": {"name": "Error", "message": "CANARY"}, **members})

    def test_a_copilot_turn_that_fails_is_recorded_when_its_session_ends(self):
        self.copilot("userPromptSubmitted", 1000, prompt="hello")
        self.copilot_error(2000)
        self.copilot_error(3000)
        self.assertEqual(self.records(), [])
        for _ in range(2):
            self.copilot("sessionEnd", 4000, reason="error")
        self.check(("copilot", False))
        self.assertEqual(self.record()["metadata"]["error_type"], "Error")

    def test_a_copilot_turn_that_fails_is_recorded_at_the_next_prompt(self):
        self.copilot("userPromptSubmitted", 1000, prompt="hello")
        self.copilot_error(2000)
        self.copilot("userPromptSubmitted", 3000, prompt="again")
        self.copilot("agentStop", 4000, stopReason="end_turn")
        self.check(("copilot", False), ("copilot", True))

    def test_a_copilot_turn_that_goes_on_after_an_error_is_a_success(self):
        self.copilot("userPromptSubmitted", 1000, prompt="hello")
        self.copilot_error(2000)
        self.copilot("agentStop", 3000, stopReason="end_turn")
        self.copilot("sessionEnd", 4000, reason="complete")
        self.check(("copilot", True))

    def test_a_copilot_turn_that_is_interrupted_is_no_failure(self):
        for reason in ("abort", "user_exit", "complete"):
            self.copilot("userPromptSubmitted", 1000, prompt="hello", sessionId=reason)
            self.copilot("sessionEnd", 2000, reason=reason, sessionId=reason)
        self.copilot("userPromptSubmitted", 3000, prompt="hello")
        self.copilot("userPromptSubmitted", 4000, prompt="again")
        self.check()

    def test_an_error_of_a_tool_is_no_failure_in_either_notation(self):
        self.copilot("userPromptSubmitted", 1000, prompt="hello")
        self.copilot_error(2000, errorContext="tool_execution", recoverable=False)
        self.tell("copilot", None, session_id="c-1", timestamp="1970-01-01T00:00:02.000Z", error_context="tool_execution",
                  recoverable=False, error={"name": "Error"}, hook_event_name="ErrorOccurred")
        self.copilot("sessionEnd", 3000, reason="complete")
        self.check()

    def test_a_copilot_subagent_is_one_run_under_its_own_name(self):
        child = {"agentId": "a-1", "agentType": "explore", "parentAgentId": "c-1"}
        self.copilot("userPromptSubmitted", 1000, prompt="hello")
        self.copilot("userPromptSubmitted", 2000, prompt="below", **{**child, "sessionId": "a-1"})
        self.copilot("agentStop", 3000, stopReason="end_turn", **{**child, "sessionId": "a-1"})
        for _ in range(2):
            self.copilot("subagentStop", 3100, stopReason="end_turn", agentName="explore", response="CANARY", **child)
        self.copilot("agentStop", 4000, stopReason="end_turn")
        self.check(("copilot", True), ("explore", True))
        for record in self.records():
            self.assertGreater(record["execution_time_s"], 0, record)

    def test_a_copilot_subagent_whose_start_has_no_id_has_a_duration(self):
        self.copilot("subagentStart", 1000, agentName="explore")
        self.copilot("subagentStop", 2000, agentName="explore", agentType="explore", agentId="a-1", stopReason="end_turn")
        self.check(("explore", True))
        self.assertGreater(self.record()["execution_time_s"], 0)

    def test_of_subagents_that_cannot_be_told_apart_no_duration_is_known(self):
        for timestamp in (1000, 1001):
            self.copilot("subagentStart", timestamp, agentName="explore")
        for number in (1, 2):
            self.copilot("subagentStop", 2000 + number, agentName="explore", agentId=f"a-{number}", stopReason="end_turn")
        self.check(("explore", True), ("explore", True))
        for record in self.records():
            self.assertNotIn("execution_time_s", record)

    def test_a_subagent_of_vs_code_has_its_name(self):
        for host in ("copilot", "claude-code", "auto"):
            self.tell(host, None, hookEventName="SubagentStop", sessionId="vs-1", timestamp="2026-02-09T10:30:00.000Z",
                      transcript_path="/x.json", agent_id=host, agent_type="Plan", stop_hook_active=False,
                      hook_event_name="SubagentStop")
        self.assertEqual(len(self.records()), 3)
        self.assertEqual({record["metadata"].get("agent_name", record["agent"]) for record in self.records()}, {"Plan"})
        self.assertEqual({record["metadata"]["host"] for record in self.records()}, {"copilot"})

    def test_two_notations_of_one_moment_are_one_turn(self):
        for stamp in (1772445640000, "2026-03-02T10:00:40.000Z", "2026-03-02T11:00:40.000+01:00"):
            self.tell("copilot", None, hook_event_name="Stop", session_id="c-1", timestamp=stamp, stop_reason="end_turn")
            self.forget()
        self.record()

    # ---- Codex

    def codex(self, name, **members):
        self.tell("codex", name, **{"session_id": "x-1", "model": "gpt-5.2-codex", "permission_mode": "default",
                                    "transcript_path": "/home/u/.codex/sessions/x.jsonl", **members})

    def test_a_codex_turn_that_never_ends_is_a_failure(self):
        self.codex("UserPromptSubmit", turn_id="t-1", prompt="one")
        self.codex("UserPromptSubmit", turn_id="t-2", prompt="two")
        self.codex("SessionEnd", reason="other")
        self.codex("SessionEnd", reason="other")
        self.check(("codex", False), ("codex", False))
        self.assertEqual([record["idempotency_key"] for record in self.records()], ["codex:x-1:t-1", "codex:x-1:t-2"])
        for record in self.records():
            self.assertNotIn("execution_time_s", record)
            self.assertEqual(record["metadata"]["outcome"], "failed")

    def test_a_codex_turn_that_is_interrupted_is_no_failure(self):
        self.codex("UserPromptSubmit", turn_id="t-1", prompt="one")
        self.codex("Interrupt", turn_id="t-1")
        self.codex("SessionEnd", reason="other")
        self.check()

    def test_how_a_codex_turn_ended_that_was_not_reported_is_in_its_transcript(self):
        def line(kind, turn, **more):
            return json.dumps({"type": "event_msg", "payload": {"type": kind, "turn_id": turn, **more}}) + "\n"

        error = {"error": {"codex_error_info": "bad_request", "message": "CANARY"}}
        before, begun, after = (line("task_started", turn) for turn in ("t-0", "t-1", "t-2"))
        done = line("task_complete", "t-0")
        for end, expected, word in (
                (before + done + begun + line("task_complete", "root"), ("codex", True), None),  # a review
                (before + done + begun + line("task_complete", "t-1", **error), ("codex", False), "bad_request"),
                (begun + line("task_complete", "t-1", **error) + after + done, ("codex", False), "bad_request"),
                (begun + line("turn_aborted", "t-1"), None, None),
                (before + done + begun, ("codex", False), "unknown"), (begun + after + done, ("codex", False), "unknown"),
                (begun + line("token_count", "", info=None) + line("task_complete", "t-1"), ("codex", True), None),
                (before + line("token_count", "", info=None) + done + begun + line("task_complete", "t-1"), None, None),
                (before + done, None, None), ("x" * 3000000 + "\n" + done, ("codex", False), "unknown"),
                (None, ("codex", False), "unknown")):
            with self.subTest(end=end and end[-200:]):
                self.tearDown()
                self.setUp()
                for name in ("SessionEnd", "UserPromptSubmit"):
                    session = {"session_id": f"x-{name}", "transcript_path": str(self.home / f"rollout-x-{name}.jsonl")}
                    self.codex("UserPromptSubmit", turn_id="t-1", **session)
                    if end:
                        pathlib.Path(session["transcript_path"]).write_text(end)
                    self.codex(name, turn_id="t-2", **session)
                self.check(*[expected] * (2 if expected else 0))
                self.assertEqual({record["metadata"].get("error_type") for record in self.records()},
                                 {word} if expected else set())
                self.assertEqual(self.hook_log().count("is not a run; not recorded"),
                                 2 if not expected and "aborted" not in end else 0)

    def test_the_begin_of_a_codex_review_says_nothing_about_the_turn_before_it(self):
        own, review = ({"transcript_path": str(self.home / f"rollout-2026-{thread}.jsonl")} for thread in ("x-1", "y-1"))
        self.codex("UserPromptSubmit", turn_id="t-1", **own)
        self.codex("UserPromptSubmit", turn_id="t-2", **review)
        self.check()
        events = (("task_started", "t-1"), ("task_complete", "t-1"), ("task_started", "t-2"), ("task_complete", "root"))
        (self.home / "rollout-2026-x-1.jsonl").write_text("".join(json.dumps({"type": "event_msg", "payload": {
            "type": kind, "turn_id": turn, **({"error": {"message": "CANARY"}} if (kind, turn) == events[1] else {})}}) + "\n"
            for kind, turn in events))
        self.codex("SessionEnd", reason="other", **own)
        self.check(("codex", False), ("codex", True))

    def test_a_subagents_prompt_does_not_move_its_parents_clock(self):
        child = {"turn_id": "t-2", "agent_id": "a-1", "agent_type": "default"}
        self.codex("UserPromptSubmit", turn_id="t-1", prompt="one")
        self.codex("SubagentStart", **child)
        self.codex("UserPromptSubmit", prompt="below", **child)
        self.codex("SubagentStop", last_assistant_message="found", **child)
        self.codex("Stop", turn_id="t-1", last_assistant_message="done")
        self.check(("codex", True), ("default", True))
        times = {record["agent"]: record["execution_time_s"] for record in self.records()}
        self.assertGreater(times["codex"], times["default"])

    def test_codex_own_thread_for_a_title_is_no_run(self):
        document = {"type": "agent-turn-complete", "thread-id": "title", "turn-id": "t-1", "cwd": str(self.project),
                    "input-messages": ["Generate a concise, single-line task title of at most 40 characters"]}
        self.fire("codex-notify", json.dumps(document).encode())
        self.check()
        self.fire("codex-notify", json.dumps({**document, "input-messages": ["Generate a concise report"]}).encode())
        self.check(("codex", True))

    # ---- others

    def test_cursor_with_an_empty_list_of_folders_has_its_cwd(self):
        folder = self.home / ".cursor"
        folder.mkdir()
        stop = {"conversation_id": "c-1", "generation_id": "g-1", "hook_event_name": "stop", "status": "completed",
                "cursor_version": "3.7.21", "workspace_roots": []}
        self.fire("cursor", json.dumps(stop).encode(), cwd=folder)
        self.assertFalse((folder / ".kaizen").exists(), self.hook_log())
        self.fire("cursor", json.dumps({**stop, "cwd": str(self.project)}).encode(), cwd=folder)
        self.record()

    def test_a_folder_that_is_gone_was_in_a_project(self):
        settings = self.home / ".cursor"
        settings.mkdir()
        (self.project / ".git").mkdir()
        gone = self.project / "build" / "x"

        def end(turn, folder):
            self.fire("claude-code", json.dumps({"hook_event_name": "Stop", "session_id": "s", "prompt_id": turn,
                                                 "cwd": str(folder)}).encode(), cwd=settings)

        end("1", gone)
        self.assertEqual(len(self.records()), 1, self.hook_log())
        for folder in (self.home / "gone", "/gone", "gone", "../" * 2000 + "gone"):
            end("2", folder)
        self.assertEqual((len(self.records()), self.records(settings)), (1, []))
        self.assertEqual(self.hook_log().count("settings folder; not recorded"), 4)
        link = self.scratch / "link"
        link.symlink_to(self.home)
        for home in (f"{self.home}/", link):
            self.fire("cursor", json.dumps({"conversation_id": "c", "hook_event_name": "stop", "status": "completed"}).encode(),
                      cwd=settings, env={"HOME": str(home)})
        self.assertEqual(self.records(settings), [])

    # ---- ids

    def test_an_id_that_cannot_be_stored_is_still_an_id(self):
        odd = ("s" * 300, "Jo Doe <jo@example.com>", "ghp_" + "a1B2" * 9, "a\u0000b", "a\u0000c", "\u00e9" * 9, "../../etc")
        for session in odd:
            for _ in range(2):
                self.tell("claude-code", "UserPromptSubmit", session_id=session, prompt="x")
                self.tell("claude-code", "Stop", session_id=session, last_assistant_message="done", prompt_id="p" * 200)
        records = self.records()
        self.assertEqual(len(records), len(odd), self.hook_log())
        self.assertEqual(len({record["session_id"] for record in records}), len(odd))
        stored = self.stored()
        for text in (b"jo@example", b"ghp_", b"ppppp", b"ssss"):
            self.assertNotIn(text, stored)

    def test_a_subagent_whose_id_cannot_be_stored_is_not_the_main_agent(self):
        self.claude("SubagentStop", agent_id="x" * 300, agent_type="Explore", last_assistant_message="found it")
        self.claude("SubagentStop", agent_id="y" * 300, agent_type="Explore", last_assistant_message="found it")
        self.check(("Explore", True), ("Explore", True))
        self.tell("copilot", "agentStop", sessionId="a" * 300, agentId="a" * 300, agentType="explore", parentAgentId="b" * 300,
                  timestamp=1795742925121, stopReason="end_turn")
        self.check(("Explore", True), ("Explore", True), ("explore", True))

    def test_openclaws_last_answer_says_how_a_run_ended(self):
        for number, (reason, success) in enumerate((("stop", True), ("error", True), ("aborted", True), (None, False))):
            self.fire("openclaw", json.dumps({
                "type": "agent_end", "success": success, "stopReason": reason, "model": "stub/stub-1",
                "ctx": {"agentId": "main", "sessionKey": "agent:main:+49301234567", "runId": f"r-{number}",
                        "workspaceDir": str(self.project)}}).encode())
        self.check(("main", True), ("main", False), ("main", False))
        self.assertNotIn(b"+4930", self.stored())
        self.assertEqual(self.records()[0]["metadata"]["model"], "stub/stub-1")

    def test_a_prompt_that_is_empty_is_no_new_turn(self):
        qwen = {"session_id": "q-1", "transcript_path": "/home/u/.qwen/x.jsonl", "permission_mode": "auto",
                "timestamp": "2026-08-01T10:00:00.000Z", "prompt_id": "q-1########0"}
        for host in ("qwen", "auto", "claude-code"):
            with self.subTest(host):
                self.tearDown()
                self.setUp()
                self.tell(host, "UserPromptSubmit", prompt="hello", **qwen)
                self.tell(host, "UserPromptSubmit", prompt="", **qwen)
                for _ in range(2):
                    self.tell(host, "Stop", last_assistant_message="hi", **qwen)
                self.assertGreater(self.record()["execution_time_s"], 0)
                self.assertEqual(self.record()["metadata"]["host"], "qwen")

    # ---- whose payload it is

    def test_an_unknown_host_is_called_so(self):
        cases = {
            "another folder": {"session_id": "s", "transcript_path": "/home/u/.foo/s.jsonl", "permission_mode": "default",
                               "hook_event_name": "Stop", "stop_hook_active": False, "last_assistant_message": "x"},
            "the least": {"hook_event_name": "Stop", "session_id": "s"},
            "a time": {"hook_event_name": "Stop", "session_id": "s", "timestamp": "2026-02-09T10:30:00.000Z"},
            "another case": {"sessionId": "s", "hookEventName": "stop"},
            "a conversation": {"hook_event_name": "Stop", "conversation_id": "c", "workspace_roots": [str(self.project)],
                               "agent_stop_cause": "end_turn"},
        }
        for case, document in cases.items():
            with self.subTest(case):
                self.tearDown()
                self.setUp()
                self.fire("auto", json.dumps({"cwd": str(self.project), **document}).encode())
                self.check(("unknown-host", True))
                self.assertIn("unknown-host", self.run_host("doctor").stdout.decode())

    def test_fields_that_a_host_adds_do_not_make_it_another(self):
        added = {"timestamp": "2026-02-09T10:30:00.000Z", "turn_id": "t-9", "model": "m", "sessionId": "s",
                 "conversation_id": "c", "generation_id": "g", "stop_reason": "end_turn", "event": "Stop"}
        for fixture in ("claude-code/stop.json", "claude-code/stop-old.json", "claude-code/2.1.332-stop.json"):
            for name, value in added.items():
                with self.subTest(fixture, added=name):
                    self.tearDown()
                    self.setUp()
                    self.fire("auto", self.payload(fixture, **{name: value}))
                    self.check(("claude-code", True))


if __name__ == "__main__":
    unittest.main()

# hook_turns.py - which events are one turn, and how long it took: starts remembered, ends fired twice, sessions resumed.
#
# SPDX-License-Identifier: Apache-2.0
import fcntl
import json
import os
import subprocess
import time
import unittest

from hook_support import ENDS, FAILURES, HOSTS, STARTS, HookTest
from shim_support import clean_environment


class Turns(HookTest):
    def claude(self, event, session="s-1", **members):
        document = {"session_id": session, "cwd": str(self.project), "hook_event_name": event, **members}
        self.fire("claude-code", json.dumps(document).encode())

    def prompt(self, text, **more):
        self.claude("UserPromptSubmit", prompt=text, **more)

    def stop(self, answer, **more):
        self.claude("Stop", stop_hook_active=more.pop("continued", False), last_assistant_message=answer, **more)

    def turn(self, text, answer, **more):
        self.prompt(text, **more)
        self.stop(answer, **more)

    def parallel(self, host, payload, count):
        """The event as `count` configurations fire it at once."""
        command, stdin, _ = self.hook_call(host, payload)
        processes = [subprocess.Popen(command, cwd=self.project, env=clean_environment(self.home), stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(count)]
        for process in processes:  # only written to once all of them are there
            process.stdin.write(stdin or b"")
            process.stdin.flush()
        for process in processes:
            out, err = process.communicate()
            self.assertEqual((process.returncode, out, err), (0, b"", b""))

    # ---- durations

    def test_the_start_makes_the_duration(self):
        for host, start in STARTS.items():
            if host == "opencode":
                continue  # its plugin measures by itself
            with self.subTest(host):
                self.tearDown()
                self.setUp()
                before = time.monotonic()
                self.fire_fixture(start)
                between = time.monotonic()
                self.fire_fixture(ENDS[host])
                after = time.monotonic()
                found = self.record()["execution_time_s"]
                self.assertGreater(found, 0)
                self.assertLessEqual(found, after - before)
                self.assertLess(found - (after - between), between - before)

    def test_a_subagents_start_is_its_own(self):
        for start, end in (("claude-code/subagent-start.json", "claude-code/subagent-stop.json"),
                           ("codex/subagent-start.json", "codex/subagent-stop.json")):
            with self.subTest(end):
                self.tearDown()
                self.setUp()
                self.fire_fixture(start)
                self.fire_fixture(STARTS[start.split("/")[0]])
                self.fire_fixture(end)
                self.assertGreater(self.record()["execution_time_s"], 0)

    def test_without_a_start_there_is_no_duration_and_never_a_zero(self):
        for host, end in ENDS.items():
            if host in ("opencode", "openclaw"):
                continue  # theirs is in the payload
            with self.subTest(host):
                self.tearDown()
                self.setUp()
                self.fire_fixture(end)
                self.assertNotIn("execution_time_s", self.record())

    def test_the_start_of_another_turn_is_not_this_ones(self):
        self.fire("codex", self.payload("codex/user-prompt-submit.json", turn_id="another"))
        self.fire_fixture("codex/stop.json")
        self.assertNotIn("execution_time_s", self.record())

    # ---- one turn is one record

    def test_the_same_end_twice_is_one_record(self):
        for host, end in ENDS.items():
            for with_start in (False, True):
                if with_start and host not in STARTS:
                    continue
                # Nothing tells an end without start, id or answer from the next one.
                if not with_start and host in ("openhands", "kimi", "droid"):
                    continue
                with self.subTest(host, with_start=with_start):
                    self.tearDown()
                    self.setUp()
                    if with_start:
                        self.fire_fixture(STARTS[host])
                    for _ in range(3):
                        self.fire_fixture(end)
                    self.record()

    def test_an_end_fired_by_several_configurations_at_once_is_one_record(self):
        for host, end in ENDS.items():
            with self.subTest(host):
                self.tearDown()
                self.setUp()
                if host in STARTS:
                    self.parallel(host, self.payload(STARTS[host]), 3)
                self.parallel(host, self.payload(end), 6)
                self.record()

    def test_the_next_turn_is_another_record(self):
        for host, end in ENDS.items():
            with self.subTest(host):
                self.tearDown()
                self.setUp()
                changes = {"qwen": {"prompt_id": "q########7"}, "windsurf": {"execution_id": "e-2"},
                           "cline": {"timestamp": "2026-11-27T01:20:00.000Z"},
                           "codex": {"turn_id": "t-2"}, "codex-notify": {"turn-id": "t-2"},
                           "cursor": {"generation_id": "g-2"}, "opencode": {"messageID": "msg_9"},
                           "openclaw": {"ctx": {"sessionId": "8d1f", "runId": "run-0043",
                                                "workspaceDir": str(self.project)}}}.get(host, {})
                if host in STARTS:
                    self.fire_fixture(STARTS[host])
                self.fire_fixture(end)
                if host in STARTS:
                    later = {"timestamp": "2026-03-02T10:05:00.000Z"} if host == "gemini" else {}
                    later = {"timestamp": 1772445901250} if host == "copilot" else later
                    self.fire(host, self.payload(STARTS[host], **changes, **later))
                self.fire(host, self.payload(end, **changes) if changes else self.payload(end))
                self.assertEqual(len(self.records()), 2, self.hook_log())

    def test_codex_hooks_and_notify_tell_of_one_turn(self):
        self.fire_fixture("codex/stop.json")
        self.fire_fixture("codex-notify/agent-turn-complete.json")
        self.assertEqual(self.record()["agent"], "codex")

    def test_hosts_that_run_claude_codes_hooks_tell_of_one_turn(self):
        self.fire_fixture("cursor/stop-completed.json")
        self.fire("claude-code", self.payload("cursor/stop-claude-name.json"))
        self.assertEqual(self.record()["agent"], "cursor")
        self.tearDown()
        self.setUp()
        self.fire_fixture("copilot/user-prompt-submitted.json")
        self.fire("claude-code", self.payload("copilot/user-prompt-submit-snake.json"))
        self.fire_fixture("copilot/agent-stop.json")
        self.fire("claude-code", self.payload("copilot/agent-stop-snake.json"))
        self.assertEqual(self.record()["agent"], "copilot")

    def test_an_error_and_the_end_behind_it_are_one_failure(self):
        self.fire_fixture("copilot/user-prompt-submitted.json")
        self.fire_fixture("copilot/error-recoverable.json")
        self.fire_fixture("copilot/error-in-tool.json")
        self.assertEqual(self.records(), [])
        self.fire_fixture("copilot/error-occurred.json")
        self.fire_fixture("copilot/agent-stop.json")
        self.assertFalse(self.record()["success"])

    def test_a_turn_that_goes_on_after_its_end_is_one_record(self):
        self.turn("do it", "done")
        self.stop("done, and tested", continued=True)
        self.stop("done, and tested", continued=True)
        self.record()

    def test_turns_that_look_the_same_are_different_turns(self):
        for _ in range(4):
            self.turn("go on", "ok")
        self.assertEqual(len(self.records()), 4)

    def test_an_end_without_a_start_and_with_another_answer_is_another_turn(self):
        self.turn("do it", "started, it runs in the background")
        self.stop("it has finished")
        self.stop("it has finished")
        self.assertEqual(len(self.records()), 2)

    def test_an_interrupted_turn_is_not_recorded_and_the_next_one_is_timed_from_its_own_start(self):
        self.prompt("a question nobody waits for")
        self.turn("another", "answer")
        self.record()

    def test_sessions_and_subagents_are_counted_apart(self):
        for session in ("s-1", "s-2"):
            self.turn("same", "same", session=session)
            for agent_id in ("a", "b"):
                self.claude("SubagentStop", session=session, agent_id=agent_id, agent_type="Explore",
                            last_assistant_message="same")
        self.assertEqual(len(self.records()), 6)

    def test_a_subagent_that_is_called_again_is_another_record(self):
        for answer in ("first", "second"):
            self.claude("SubagentStart", agent_id="a", agent_type="Explore")
            for _ in range(2):
                self.claude("SubagentStop", agent_id="a", agent_type="Explore", last_assistant_message=answer)
        self.assertEqual(len(self.records()), 2)

    # ---- resumed sessions

    def test_what_a_resumed_session_repeats_is_recorded_once(self):
        turns = [(f"question {i}", f"answer {i}") for i in range(12)]
        for question, answer in turns:
            self.turn(question, answer)
        self.claude("SessionStart", source="resume")
        for question, answer in turns[4:]:
            self.turn(question, answer)
        self.turn("something new", "an answer to it")
        self.assertEqual(len(self.records()), 13)

    def test_repeated_ends_without_their_starts_are_recognised(self):
        for i in range(6):
            self.turn(f"question {i}", f"answer {i}")
        self.claude("SessionStart", source="resume")
        for i in range(6):
            self.stop(f"answer {i}")
        self.assertEqual(len(self.records()), 6)

    def test_the_same_question_after_a_resume_is_a_turn_when_its_answer_differs(self):
        self.turn("how far are you?", "half way")
        self.claude("SessionStart", source="resume")
        self.turn("how far are you?", "done")
        self.assertEqual(len(self.records()), 2)

    def test_a_session_that_is_only_compacted_repeats_nothing(self):
        self.turn("go on", "ok")
        self.claude("SessionStart", source="compact")
        self.turn("go on", "ok")
        self.assertEqual(len(self.records()), 2)

    def test_a_turn_open_when_the_agent_died_does_not_last_till_the_resume(self):
        self.prompt("a long task")
        self.claude("SessionStart", source="resume")
        self.stop("finished")
        self.assertNotIn("execution_time_s", self.record())

    def test_of_more_turns_than_are_kept_the_last_ones_are_recognised(self):
        for i in range(300):
            self.turn(f"question {i}", f"answer {i}")
        self.claude("SessionStart", source="resume")
        for i in range(280, 300):
            self.turn(f"question {i}", f"answer {i}")
        self.assertEqual(len(self.records()), 300)

    # ---- what is kept for that

    def test_state_is_small_the_users_own_and_bounded(self):
        self.turn("question", "answer")
        for path in self.state.rglob("*"):
            mode = path.stat().st_mode & 0o777
            self.assertEqual(mode, 0o700 if path.is_dir() else 0o600, path)
            self.assertLess(path.stat().st_size, 16384, path)
        self.expect_forgotten(50, days=31)

    def expect_forgotten(self, count, days):
        """So many sessions, last heard of that long ago, are gone after the next one."""
        turns, then = self.state / "turns", time.time() - days * 86400
        for i in range(count):
            path = turns / f"{i:016x}"
            path.write_bytes(b"x")
            os.utime(path, (then, then))
        os.utime(self.state / "cleaned", (then, then))
        self.turn("question", "answer", session="s-2")
        self.assertEqual(len(list(turns.iterdir())), 2)

    def test_of_very_many_sessions_those_of_yesterday_go(self):
        self.turn("question", "answer")
        self.expect_forgotten(1100, days=2)

    def look_at_clock_again(self, *, said=None):
        """The next call is an hour after the last look; `said`: what the clock said then."""
        cleaned = self.state / "cleaned"
        if said is not None:
            boot = int(time.clock_gettime(time.CLOCK_BOOTTIME))
            cleaned.write_text(f"{int(said)} {boot}\n")
        os.utime(cleaned, (time.time() - 7200,) * 2)

    def test_a_clock_that_is_wrong_for_a_moment_removes_no_living_state(self):
        self.turn("question", "answer")
        turns = self.state / "turns"
        month_ago = time.time() - 31 * 86400
        (turns / "0123456789abcdef").write_bytes(b"x")
        os.utime(turns / "0123456789abcdef", (month_ago, month_ago))
        self.look_at_clock_again(said=month_ago)  # so that it jumps by a month, for one call
        self.turn("question", "answer", session="s-2")
        self.assertEqual(len(list(turns.iterdir())), 3)
        self.look_at_clock_again(said=time.time() + 80 * 365 * 86400)  # the last look was the wrong one
        os.utime(turns / "0123456789abcdef", None)
        self.turn("question", "answer", session="s-3")
        self.assertEqual(len(list(turns.iterdir())), 4)
        os.utime(turns / "0123456789abcdef", (month_ago, month_ago))
        self.look_at_clock_again()  # two looks that agree
        self.turn("question", "answer", session="s-4")
        self.assertEqual(len(list(turns.iterdir())), 4)

    def test_state_that_was_written_by_a_clock_at_1970_lives_for_a_month_from_now(self):
        self.turn("question", "answer")
        (path,) = (self.state / "turns").iterdir()
        os.utime(path, (1000, 1000))
        self.look_at_clock_again()
        self.turn("question", "answer", session="s-2")
        self.assertEqual(len(list((self.state / "turns").iterdir())), 2)
        self.assertGreater(path.stat().st_mtime, time.time() - 86400)

    def test_damaged_state_costs_no_record(self):
        self.turn("question", "answer")
        for damage in (b"", b"garbage", b"\0" * 12384, os.urandom(12384)):
            for path in (self.state / "turns").iterdir():
                path.write_bytes(damage)
            (self.state / "key").write_bytes(damage[:8])
            before = len(self.records())
            self.turn("question", "answer")
            self.assertEqual(len(self.records()), before + 1, damage[:8])

    def test_state_that_somebody_holds_costs_the_key_and_not_the_record(self):
        self.turn("question", "answer")
        (path,) = (self.state / "turns").iterdir()
        with path.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.stop("another answer")
        self.assertEqual([("idempotency_key" in record) for record in self.records()], [True, False])

    def test_links_in_the_state_folder_are_not_followed(self):
        self.turn("question", "answer")
        victim = self.scratch / "victim"
        victim.write_text("mine")
        log = self.state / "hook.log"
        log.unlink()
        log.symlink_to(victim)
        self.turn("question", "another answer")
        self.assertEqual(victim.read_text(), "mine")
        self.assertEqual(len(self.records()), 2)

    def test_lost_state_never_brings_back_a_name_that_was_used(self):
        self.turn("question", "answer")
        for path in (self.state / "turns").iterdir():
            path.unlink()
        self.turn("question", "answer")
        self.assertEqual(len(self.records()), 2)

    def test_failures_are_told_by_the_hosts_that_know_them(self):
        for host, fixture in FAILURES.items():
            with self.subTest(host):
                self.tearDown()
                self.setUp()
                self.fire_fixture(fixture)
                self.assertFalse(self.record()["success"])
        self.assertEqual(set(HOSTS) - set(FAILURES), {"codex-notify", "gemini", "goose", "openhands", "qwen", "droid", "windsurf"})

    def test_the_end_of_a_session_is_no_execution_and_makes_no_folder(self):
        for host in ("claude-code/session-end-exit.json", "gemini/session-end.json", "cursor/session-end.json",
                     "copilot/session-end-error.json", "goose/session-end.json", "openhands/session-end.json"):
            with self.subTest(host):
                self.fire_fixture(host)
                self.assertFalse((self.project / ".kaizen").exists())


if __name__ == "__main__":
    unittest.main()

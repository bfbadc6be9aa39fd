# shim_import.py - the history that coding agents keep becomes records once, whatever hooks recorded before or after.
#
# SPDX-License-Identifier: Apache-2.0
import datetime
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from shim_support import HostTest, others_environment

TRANSCRIPTS = pathlib.Path(__file__).parents[1] / "hooks" / "transcripts"
YESTERDAY = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)
DATE = re.compile(r"2026-\d\d-\d\d(?=T)")


class Import(HostTest):
    def transcript(self, name, day=YESTERDAY, project=None):
        """What a real program wrote, on another day."""
        text = (TRANSCRIPTS / f"{name}.jsonl").read_text()
        return DATE.sub(str(day), text.replace("@PROJECT@", str(project or self.project)))

    def place(self, path, text):
        path = self.home / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def claude(self, name="claude-code-two-turns", to="session", **more):
        return self.place(f".claude/projects/-shop/{to}.jsonl", self.transcript(name, **more))

    def codex(self, name="codex-two-turns", to="a", **more):
        return self.place(f".codex/sessions/2026/11/27/rollout-{to}.jsonl", self.transcript(name, **more))

    def gemini(self, name="gemini-resumed", folder="shop", to="session-a.jsonl", marker=True, **more):
        if marker:
            self.place(f".gemini/tmp/{folder}/.project_root", str(self.project))
        return self.place(f".gemini/tmp/{folder}/chats/{to}", self.transcript(name, **more))

    def run_import(self, host, *options, status=0):
        return json.loads(self.expect(status, "-o", "json", "import", host, *options))

    def records(self, project=None):
        logs = sorted((project or self.project).glob(".kaizen/metrics/*/executions.jsonl"))
        return [json.loads(line) for log in logs for line in log.read_text().splitlines()]

    def tearDown(self):
        stored = b"".join(path.read_bytes() for path in self.project.rglob("*") if path.is_file())
        super().tearDown()
        self.assertNotIn(b"CANARY", stored)
        self.assertNotIn(b"example.com", stored)

    def holds(self, record, **expected):
        told = {**record, **record["metadata"]}
        self.assertEqual({name: told.get(name) for name in expected}, expected)

    def test_what_real_hosts_wrote_becomes_records_turn_by_turn(self):
        self.claude()
        self.claude("claude-code-failed", "failed")
        self.claude("claude-code-subagents", "parent")
        self.claude("claude-code-subagent", "parent/subagents/agent-a1")
        report = self.run_import("claude-code")
        self.assertEqual((report["recorded"], report["transcripts"], report["unfinished"]), (6, 4, 0))
        records = self.records()
        self.assertEqual([r["agent"] for r in records], ["claude-code"] * 5 + ["general-purpose"])
        self.assertEqual(sorted(r["tokens"] for r in records if "tokens" in r), [1234] * 4 + [2468])
        failed, = [r for r in records if not r["success"]]
        self.holds(failed, outcome="failed", error_type="server_error", tokens=None, event="import")
        self.holds(records[0], model="claude-sonnet-4-5", host="claude-code", host_version="2.1.332", outcome="completed",
                   tool_errors=0)
        self.assertGreater(records[0]["execution_time_s"], 0.01)
        self.assertEqual([r["timestamp"] for r in records[:5]], sorted(r["timestamp"] for r in records[:5]))

    def test_codex_and_gemini_the_same_way(self):
        self.codex()
        self.codex("codex-failed", "b")
        self.codex("codex-subagent", "c")
        report = self.run_import("codex")
        self.assertEqual([(a["agent"], a["turns"], a["failed"], a["tokens"]) for a in report["agents"]],
                         [("codex", 3, 1, 3702), ("default", 1, 0, 1234)])
        failed, = [r for r in self.records() if not r["success"]]
        self.holds(failed, error_type="internal_server_error", outcome="failed")
        self.gemini()
        report = self.run_import("gemini")
        self.assertEqual([(a["agent"], a["turns"], a["tokens"]) for a in report["agents"]], [("gemini", 2, 3702)])
        self.holds([r for r in self.records() if r["agent"] == "gemini"][0], outcome=None, success=True,
                   model="gemini-2.5-flash")

    def test_imported_again_nothing_is_recorded_again(self):
        self.claude()
        self.codex()
        self.gemini()
        for host in ("claude-code", "codex", "gemini"):
            self.assertEqual(self.run_import(host)["recorded"], 2)
            again = self.run_import(host)
            self.assertEqual((again["recorded"], again["recorded_before"], again["agents"]), (0, 2, []))
        self.assertEqual(len(self.records()), 6)

    def hook(self, host, **payload):
        self.expect(0, "hook", host, stdin=json.dumps({"cwd": str(self.project), **payload}))

    def test_a_hook_that_comes_later_repeats_nothing(self):
        self.claude()
        self.codex()
        self.run_import("claude-code")
        self.run_import("codex")
        before = self.records()
        for record in before:
            host, session, turn = record["idempotency_key"].split(":")
            self.hook(host, session_id=session, hook_event_name="Stop", last_assistant_message="x",
                      **({"turn_id": turn, "model": "m", "permission_mode": "x"} if host == "codex" else {"prompt_id": turn}))
        self.assertEqual(self.records(), before)

    def test_what_hooks_recorded_before_is_not_repeated(self):
        self.claude()
        self.gemini()
        self.run_import("claude-code")
        self.run_import("gemini")
        originals = self.records()
        for change in (lambda r: r.update(agent="team-a") if r["agent"] == "claude-code" else None,  # hook --agent team-a
                       lambda r: r.update(idempotency_key=r["idempotency_key"] + "x") if r["agent"] == "gemini" else None):
            shutil.rmtree(self.project / ".kaizen")
            records = json.loads(json.dumps(originals))
            for record in records:
                change(record)
            self.expect(0, "replay", "-", stdin="".join(json.dumps(record) + "\n" for record in records))
            for host in ("claude-code", "gemini"):
                report = self.run_import(host)
                self.assertEqual((report["recorded"], report["recorded_before"]), (0, 2), host)

    def test_a_turn_that_a_hook_missed_is_added_beside_those_it_did_not(self):
        path = self.gemini()
        path.write_text(re.sub(r"(T\d\d:\d\d:)\d\d", r"\g<1>30", path.read_text()))  # both within one second
        self.run_import("gemini")
        first = self.records()[0]
        shutil.rmtree(self.project / ".kaizen")
        first["idempotency_key"] = "gemini:x:another"
        self.expect(0, "replay", "-", stdin=json.dumps(first) + "\n")
        report = self.run_import("gemini")
        self.assertEqual((report["recorded"], report["recorded_before"]), (1, 1))

    def test_a_forked_session_repeats_no_turn(self):
        path = self.claude()
        text = path.read_text()
        session = re.search(r'"sessionId":"([^"]+)"', text)[1]
        self.place(".claude/projects/-shop/fork.jsonl", text.replace(session, "fork-" + session))
        self.assertEqual(self.run_import("claude-code")["recorded"], 2)
        self.assertEqual(len(self.records()), 2)

    def fork(self, path, own_turns=1, names_parent=True):
        """The transcript as Claude Code writes it with --fork-session: a copy under the fork's id, with the id of the fork's
        first prompt, and turns of the fork's own.  2.1.332 names the parent in the answers, 2.1.290 does not."""
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        parent = lines[0]["sessionId"]
        turn = [line for line in lines if line["type"] in ("user", "assistant")][-2:]
        copied = json.loads(json.dumps(lines))
        for line in copied:
            line.update(sessionId="fork", **({"promptId": "fork-1"} if line["type"] == "user" else {}),
                        **({"requestSessionId": parent} if line["type"] == "assistant" and names_parent else {}))
        stopped = {**turn[0], "sessionId": "fork", "promptId": "fork-1",
                   "message": {"content": [{"type": "text", "text": "[Request interrupted by user]"}]}}
        copied += [{**stopped, "message": {"content": "CANARY"}}, stopped]
        for i in range(1, own_turns + 1):
            stamp = f"{YESTERDAY}T20:0{i}:00."
            prompt, answer = json.loads(json.dumps(turn))
            prompt.update(sessionId="fork", promptId=f"fork-{i}", timestamp=stamp + "000Z")
            answer.update(sessionId="fork", timestamp=stamp + "250Z")
            answer["message"]["id"] = f"msg_of_fork_{i}"
            copied += [prompt, answer]
        return self.place(".claude/projects/-shop/fork.jsonl", "".join(json.dumps(line) + "\n" for line in copied))

    def test_a_fork_under_new_ids_has_its_own_turns_alone(self):
        parent = self.claude()
        text = parent.read_text()
        for keeps_parent, names_parent in ((True, True), (False, True), (True, False), (False, False)):
            parent.write_text(text)
            self.fork(parent, 2, names_parent)
            if not keeps_parent:
                parent.unlink()
            report = self.run_import("claude-code")
            self.assertEqual((report["recorded"], report["copied"], report["unfinished"]),
                             (4 if keeps_parent else 2, 2, 0))
            own = [record for record in self.records() if record["session_id"] == "fork"]
            self.assertEqual([(r["tokens"], r["execution_time_s"]) for r in own], [(1234, 0.25)] * 2)
            self.assertIn("2 turns copied by a fork", self.messages(0, "import", "claude-code"))
            shutil.rmtree(self.project / ".kaizen")

    def test_what_an_older_codex_copies_into_a_fork_is_recorded_once(self):
        parent = self.codex()
        text = parent.read_text()
        session = re.search(r'"session_id":"([^"]+)"', text)[1]
        head = text.splitlines()[0].replace(session, "fork-" + session)
        copies = re.sub(r'("timestamp":"[^"]*T)[^"]*"', r'\g<1>09:00:00.893Z"', text)  # written at one moment, by its clock
        fork = self.place(".codex/sessions/2026/11/27/rollout-0.jsonl", head + "\n" + copies)
        self.assertEqual(self.run_import("codex")["recorded"], 2)
        self.assertEqual({(r["session_id"], r["execution_time_s"] > 0.01) for r in self.records()}, {(session, True)})
        parent.rename(parent.with_suffix(".kept"))
        self.assertEqual(self.run_import("codex")["recorded"], 0)
        shutil.rmtree(self.project / ".kaizen")
        self.assertEqual(self.run_import("codex")["recorded"], 2)
        fork.write_text(copies)
        parent.with_suffix(".kept").rename(parent)
        self.assertEqual(self.run_import("codex")["recorded"], 0)

    def test_a_record_is_a_turn_by_its_id_before_it_is_one_by_its_time(self):
        self.claude()  # both turns end within two seconds
        self.run_import("claude-code")
        for kept in self.records():
            shutil.rmtree(self.project / ".kaizen")
            self.expect(0, "replay", "-", stdin=json.dumps(kept) + "\n")
            report = self.run_import("claude-code")
            self.assertEqual((report["recorded"], report["recorded_before"]), (1, 1))

    def test_sessions_that_number_their_turns_have_different_ones(self):
        text = self.transcript("codex-two-turns")
        for number, turn in enumerate(dict.fromkeys(re.findall(r'"turn_id":"([^"]+)"', text))):
            text = text.replace(turn, str(number))
        session = re.search(r'"session_id":"([^"]+)"', text)[1]
        for number in range(2):
            self.place(f".codex/sessions/rollout-{number}.jsonl", text.replace(session, f"session-{number}")
                       .replace(":48.", f":{48 - 9 * number}.").replace(":49.", f":{49 - 9 * number}."))
            self.assertEqual(self.run_import("codex")["recorded"], 2)
        self.assertEqual(len(self.records()), 4)

    def test_a_session_belongs_to_the_folder_it_began_in(self):
        part = self.project / "part"
        for folder in (self.project, part):
            (folder / ".git").mkdir(parents=True)
        path = self.claude()
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            if line["type"] == "assistant":
                line["cwd"] = str(part)  # the agent changed into it
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        report = self.run_import("claude-code")
        self.assertEqual((report["recorded"], report["of_other_projects"]), (2, 0))

    def test_what_may_still_go_on_is_left_for_the_next_time(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        path = self.gemini()
        text = path.read_text()
        for age_s, ended in ((20, 1), (1000, 2), (-1000, 1)):
            stamp = (now - datetime.timedelta(seconds=age_s)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
            path.write_text(re.sub(r'(?<="timestamp":")[^"]*:48\.[^"]*', stamp, text))
            shutil.rmtree(self.project / ".kaizen", ignore_errors=True)
            report = self.run_import("gemini")
            self.assertEqual((report["recorded"], report["unfinished"]), (ended, 2 - ended), age_s)
        silent = [json.loads(line) for line in text.splitlines()]
        silent[-2]["content"] = ""  # a tool runs, and will be written when it has finished
        path.write_text("".join(json.dumps(line) + "\n" for line in silent))
        shutil.rmtree(self.project / ".kaizen", ignore_errors=True)
        self.assertEqual(self.run_import("gemini")["recorded"], 1)
        path = self.claude()
        for reason, ended in (("tool_use", 1), (None, 1), ("end_turn", 2)):
            lines = [json.loads(line) for line in self.transcript("claude-code-two-turns").splitlines()]
            answer = [line for line in lines if line["type"] == "assistant"][-1]
            answer["message"]["stop_reason"] = reason
            answer["timestamp"] = now.strftime("%Y-%m-%dT%H:%M:%S.000Z")
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
            report = self.run_import("claude-code")
            self.assertEqual((report["recorded"] + report["recorded_before"], report["unfinished"]), (ended, 2 - ended))

    def test_what_codex_does_for_itself_is_no_run_of_its_user(self):
        path = self.codex()
        lines = path.read_text().splitlines()
        start = max(i for i, line in enumerate(lines) if '"task_started"' in line)
        compaction = [line.replace(re.search('"turn_id":"([^"]+)"', lines[start])[1], "compaction") for line in lines[start:]]
        stamp = json.loads(compaction[0])["timestamp"]
        compaction.insert(-1, json.dumps({"timestamp": stamp, "type": "compacted", "payload": {"message": "CANARY"}}))
        path.write_text("\n".join([*lines, *compaction]) + "\n")
        self.assertEqual(self.run_import("codex")["recorded"], 3)  # compacted on its way to an answer
        shutil.rmtree(self.project / ".kaizen")
        compaction[-1] = re.sub('"last_agent_message":"[^"]*"', '"last_agent_message":null', compaction[-1])
        path.write_text("\n".join([*lines, *compaction]) + "\n")
        self.assertEqual(self.run_import("codex")["recorded"], 2)
        for number, (source, runs) in enumerate((('{"subagent":"memory_consolidation"}', 0), ('{"subagent":{"other":"x"}}', 0),
                                                 ('{"subagent":"review"}', 2), ('"vscode"', 2))):
            text = re.sub(r'"source":("[^"]*"|{[^}]*})', f'"source":{source}', "\n".join(lines) + "\n", count=1)
            text = re.sub(r"01a21a9e-(8d46|8d59|90da)", rf"01a21a9e-{number}\1", text)  # session and turns
            self.place(f".codex/sessions/rollout-{number}.jsonl", text)
            report = self.run_import("codex")
            self.assertEqual((report["recorded"], report["nameless"] > 0), (runs, True), source)

    def test_only_this_project_s_turns_are_recorded(self):
        other = self.scratch / "other"
        other.mkdir()
        gone = self.project / "gone"
        self.claude()
        self.claude(to="b", project=other)
        self.codex(to="b", project=gone)
        self.codex("codex-failed", "c", project="/nowhere/" + self.project.name)
        report = self.run_import("claude-code")
        self.assertEqual((report["recorded"], report["of_other_projects"]), (2, 2))
        report = self.run_import("codex")
        self.assertEqual((report["recorded"], report["of_other_projects"]), (2, 1))
        self.assertEqual(self.records(other), [])

    def test_a_folder_that_is_gone_belongs_to_the_project_it_was_in(self):
        link, part = self.scratch / "link", self.project / "part"
        link.symlink_to(self.project)
        (part / ".git").mkdir(parents=True)
        self.claude(project=link / ".claude" / "worktrees" / "gone")
        self.claude("claude-code-failed", to="b", project=part / "gone")
        report = self.run_import("claude-code")
        self.assertEqual((report["recorded"], report["of_other_projects"]), (2, 1))

    @unittest.skipUnless(shutil.which("git"), "git is not here")
    def test_turns_in_a_work_tree_are_the_main_checkout_s(self):
        tree = self.scratch / "wt"
        for arguments in (("init", "-q"), ("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q",
                                           "--allow-empty", "-m", "x"), ("worktree", "add", "-q", str(tree))):
            subprocess.run(["git", *arguments], cwd=self.project, env={**others_environment(), "HOME": str(self.home)},
                           check=True, capture_output=True)
        self.claude(project=tree)
        self.assertEqual(self.run_import("claude-code")["recorded"], 2)
        shutil.rmtree(self.project / ".git")  # the name of its author is in it

    def test_since_agent_and_aborted(self):
        old = YESTERDAY - datetime.timedelta(days=20)
        self.claude()
        self.claude("claude-code-failed", "old", day=old)
        report = self.run_import("claude-code", "--since", str(YESTERDAY), "--agent", "Team A")
        self.assertEqual(report["recorded"], 2)
        self.assertEqual({r["metadata"]["agent_name"] for r in self.records()}, {"Team A"})
        self.assertEqual(self.run_import("claude-code")["recorded"], 1)
        lines = self.transcript("codex-failed").replace('"task_complete"', '"turn_aborted"')
        self.place(".codex/sessions/rollout-x.jsonl", lines)
        self.assertEqual(self.run_import("codex")["aborted"], 0)  # no model answered in it
        self.place(".codex/sessions/rollout-x.jsonl", self.transcript("codex-two-turns").replace("task_complete",
                                                                                                 "turn_aborted"))
        self.assertEqual(self.run_import("codex")["aborted"], 2)
        self.assertEqual(self.run_import("codex", "--aborted", "failure")["recorded"], 2)
        self.assertIn("not a time; write 2026-01-31", self.messages(2, "import", "codex", "--since", "last week"))
        self.assertIn("claude-code, codex, gemini", self.messages(2, "import", "cursor"))

    def test_a_turn_without_an_end_is_left_out_and_an_interruption_is_seen(self):
        lines = self.transcript("claude-code-subagents").splitlines()
        last = max(i for i, line in enumerate(lines) if '"end_turn"' in line)
        tool = next(i for i, line in enumerate(lines) if '"tool_use"' in line)
        path = self.place(".claude/projects/x/a.jsonl", "\n".join(lines[:tool + 1]) + "\n")
        report = self.run_import("claude-code")
        self.assertEqual((report["recorded"], report["unfinished"]), (0, 1))
        user = json.loads(lines[tool])
        user.update(type="user", message={"role": "user", "content": [{"type": "text", "text": "[Request interrupted by user]"}]})
        path.write_text("\n".join(lines[:tool + 1]) + "\n" + json.dumps(user) + "\n")
        report = self.run_import("claude-code")
        self.assertEqual((report["recorded"], report["unfinished"], report["aborted"]), (0, 0, 1))
        path.write_text("\n".join(lines[:last + 1]) + "\n")
        self.assertEqual(self.run_import("claude-code")["recorded"], 2)

    def test_what_is_older_than_the_retention_is_counted_and_no_failure(self):
        self.claude(day=YESTERDAY - datetime.timedelta(days=200))
        report = self.run_import("claude-code")
        self.assertEqual((report["recorded"], report["older_than_retention"], report["rejected"]), (0, 2, 0))

    def test_what_cannot_be_read_is_said_and_costs_nothing_else(self):
        self.claude()
        torn = self.transcript("claude-code-failed").splitlines()
        answer = next(i for i, line in enumerate(torn) if '"assistant"' in line)
        self.place(".claude/projects/x/torn.jsonl", "\n".join([*torn[:answer], torn[answer][:-5], *torn[answer:]]) + "\n")
        os.mkfifo(self.home / ".claude" / "projects" / "x" / "fifo.jsonl")
        os.symlink("/etc/passwd", self.home / ".claude" / "projects" / "x" / "link.jsonl")
        os.symlink(self.home / ".claude", self.home / ".claude" / "projects" / "x" / "circle")
        report = self.run_import("claude-code")
        self.assertEqual((report["recorded"], report["transcripts"], report["unreadable"]), (3, 2, 0))
        said = self.messages(0, "import", "claude-code")
        for name, why in (("fifo.jsonl", "not a regular file"), ("link.jsonl", "link"), ("circle", "link")):
            self.assertRegex(said, f"/{name}: .*{why}.*; its turns are not recorded")
        self.assertNotIn("tokens", [r for r in self.records() if not r["success"]][0])
        self.place(".gemini/tmp/x/.project_root", str(self.project))
        self.place(".gemini/tmp/x/chats/session-bad.json", "{")
        self.assertEqual(self.run_import("gemini", status=1)["unreadable"], 1)

    def test_a_line_that_is_too_long_costs_its_turn_alone(self):
        path = self.claude()
        lines = path.read_text().splitlines()
        prompts = [i for i, line in enumerate(lines) if '"type":"user"' in line]
        long = '"content":"' + "CANARY " * 5000000
        output = lines[prompts[1]].replace('"content":"', '"note":' + long[10:])
        for told, turns, tokens in (
                ([*lines[:prompts[1]], lines[prompts[1]].replace('"content":"', long), *lines[prompts[1] + 1:]], 1, []),
                ([*lines[:prompts[1] + 1], output, *lines[prompts[1] + 1:]], 2, [1234])):
            path.write_text("\n".join(told) + "\n")
            report = self.run_import("claude-code", status=1)
            self.assertEqual((report["recorded"], report["unreadable"]), (turns, 1))
            self.assertEqual([r["tokens"] for r in self.records() if "tokens" in r], tokens)
            self.assertLess(self.records()[0]["execution_time_s"], 1)  # by the transcript's own times
            self.assertIn("1 line too long", self.messages(1, "import", "claude-code"))
            shutil.rmtree(self.project / ".kaizen")

    def test_every_subagent_is_in_the_report(self):
        text = self.transcript("claude-code-subagent")
        name, agent = (re.search(rf'"{member}":"([^"]+)"', text)[1] for member in ("attributionAgent", "agentId"))
        for i in range(70):
            self.place(f".claude/projects/x/s/subagents/agent-{i}.jsonl",
                       text.replace(f'"{name}"', f'"helper-{i:02d}"').replace(f'"{agent}"', f'"a{i}"'))
        report = self.run_import("claude-code")
        self.assertEqual(sorted((a["agent"], a["turns"], a["tokens"]) for a in report["agents"]),
                         [(f"helper-{i:02d}", 1, 1234) for i in range(70)])

    def test_a_folder_that_is_too_deep_is_said_to_be(self):
        self.claude(to="/".join("abcdefghijkl"))
        self.assertEqual(self.run_import("claude-code", status=1)["unreadable"], 1)
        self.assertIn("/h: too deep; its turns are not recorded", self.messages(1, "import", "claude-code"))

    def test_a_folder_that_cannot_be_read_is_not_an_empty_one(self):
        path = self.place(".claude/projects", "no folder")
        self.assertEqual(self.run_import("claude-code", status=1)["unreadable"], 1)
        path.unlink()
        transcript = self.claude()
        if os.geteuid() == 0:
            os.chown(transcript, 65534, 65534)
        else:
            transcript.parent.chmod(0)
            self.addCleanup(transcript.parent.chmod, 0o700)
        report = self.run_import("claude-code", status=1)
        self.assertEqual((report["recorded"], report["unreadable"]), (0, 1))

    def test_a_session_that_is_packed_is_said_to_be(self):
        path = self.codex()
        packed = path.with_suffix(".jsonl.zst")
        packed.write_bytes(b"\x28\xb5\x2f\xfd")
        self.assertEqual(self.run_import("codex")["recorded"], 2)  # and it is unpacked beside it
        path.rename(path.with_name("rollout-b.jsonl"))
        self.assertEqual(self.run_import("codex", status=1)["unreadable"], 1)
        self.assertIn(f"{packed}: compressed; unpack it with 'zstd -d'", self.messages(1, "import", "codex"))
        self.assertEqual(self.run_import("codex", "--since", "2999-01-01")["unreadable"], 0)

    def test_the_agent_s_own_folder_is_where_its_variable_says(self):
        for host, write, variable, home in (("claude-code", self.claude, "CLAUDE_CONFIG_DIR", ".claude"),
                                            ("codex", self.codex, "CODEX_HOME", ".codex"),
                                            ("gemini", self.gemini, "GEMINI_CLI_HOME", ".")):
            write()
            moved = self.scratch / f"moved {host}"
            (self.home / home).rename(moved)
            (self.home).mkdir(exist_ok=True)
            found = json.loads(self.expect(0, "-o", "json", "import", host, env={variable: str(moved)}))
            self.assertEqual(found["recorded"], 2, host)
            said = self.messages(2, "import", host, env={variable: "~/x"})
            self.assertIn(f"{variable} is '~/x', which is not a full path", said)

    def test_an_older_gemini_s_document_in_a_folder_called_by_a_hash_is_read(self):
        messages = [json.loads(line) for line in self.transcript("gemini-resumed").splitlines()]
        session = messages[0]["sessionId"]
        document = {"sessionId": session, "startTime": "x", "messages": [m for m in messages if "type" in m]}
        for text, count in ((str(self.project), 2), ("/another", 0)):
            name = hashlib.sha256(text.encode()).hexdigest()
            path = self.place(f".gemini/tmp/{name}/chats/session-a.json", json.dumps(document))
            self.assertEqual(self.run_import("gemini")["recorded"], count)
            path.unlink()

    def test_no_history_is_no_failure_and_no_event_is_published(self):
        self.assertEqual(self.run_import("codex")["recorded"], 0)
        self.claude()
        self.expect(0, "--set", "emit_event=true", "import", "claude-code")
        self.assertNotIn("event_id", self.records()[0])
        shutil.rmtree(self.project / ".kaizen")
        self.expect(0, "import", "claude-code", "--emit-event")
        self.assertIn("event_id", self.records()[0])

    def test_the_text_says_what_came_of_it(self):
        self.claude()
        result = self.run_host("import", "claude-code")
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"claude-code: 2 turns recorded from 1 transcript\n", result.stdout)
        self.assertRegex(result.stdout.decode(), r"claude-code +2 +100% +2468")
        self.assertIn(b"kaizen-host show", result.stderr)
        self.assertIn(b"2 turns already recorded", self.run_host("import", "claude-code").stderr)


if __name__ == "__main__":
    unittest.main()

# hook_install.py - hooks are put into settings that belong to somebody, and taken out again, without a byte of what is
# theirs being lost.
#
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import tomllib
import unittest

from hook_support import HOSTS, HookTest
from shim_support import HOST

JSON_FILES = {  # of the user
    "claude-code": ".claude/settings.json",
    "codex": ".codex/hooks.json",
    "gemini": ".gemini/settings.json",
    "cursor": ".cursor/hooks.json",
    "openclaw": ".openclaw/openclaw.json",
}
EVENTS = {
    "claude-code": ["SessionStart", "UserPromptSubmit", "Stop", "StopFailure", "SubagentStart", "SubagentStop", "SessionEnd"],
    "codex": ["SessionStart", "UserPromptSubmit", "Stop", "Interrupt", "SubagentStart", "SubagentStop",
              "SessionEnd"],
    "gemini": ["SessionStart", "BeforeAgent", "AfterAgent", "SessionEnd"],
    "cursor": ["sessionStart", "beforeSubmitPrompt", "stop", "subagentStart", "subagentStop", "sessionEnd"],
}

OTHERS = {  # settings as people have them
    "empty": "",
    "an empty object": "{}",
    "an empty object on two lines": "{\n}\n",
    "one line": '{"a": 1, "b": [1, 2]}',
    "four spaces": '{\n    "model": "opus",\n    "hooks": {\n        "Stop": [\n            {"hooks": [{"type": "command", "command": "say done"}]}\n        ]\n    },\n    "number": 1.50\n}\n',
    "tabs": '{\n\t"hooks": {\n\t\t"PreToolUse": []\n\t}\n}\n',
    "no newline at the end": '{\n  "a": "b"\n}',
    "CR LF": '{\r\n  "a": "b",\r\n  "c": {\r\n    "d": []\r\n  }\r\n}\r\n',
    "comments": '// mine\n{\n  /* all of it */\n  "a": 1, // one\n  "hooks": {\n    // here they are\n    "Stop": [\n      { "hooks": [] } // none yet\n    ]\n    // and here they end\n  }\n}\n// the end\n',
    "commas at the end": '{\n  "a": [1, 2,],\n  "hooks": {\n    "Stop": [\n      {"hooks": [],},\n    ],\n  },\n}\n',
    "a byte order mark": '\ufeff{\n  "a": 1\n}\n',
    "other characters": '{\n  "ä": "\\u00fc \\" \\\\ ü 🙂",\n  "big": 12345678901234567890.12345678901234567890\n}\n',
    "the same name twice": '{\n  "a": 1,\n  "a": 2\n}\n',
    "hooks in one line": '{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "x"}]}]}}',
    "a comment before the first member": '{ // first\n  "a": 1\n}\n',
    "a comment between name and value": '{\n  "hooks": /* these */ { /* none */ }\n}\n',
    "comment signs in texts": '{\n  "url": "https://example.com/*x*/", // "quoted"\n  "b": "// no"\n}\n',
    "an empty array of the event": '{\n  "hooks": {\n    "Stop": [],\n    "SessionEnd": [\n    ]\n  }\n}\n',
    "everything nested in one line": '{"a": {"b": {"c": [[[{}]]]}}, "hooks": {"Stop": []}}\n',
    "brackets with blanks": '{ "a" : [ ] , "hooks" : { } }\n\n\n',
    "a tab after the comma": '{\n\t"a": 1,\t"b": 2\n}',
    "CR LF and a comma at the end": '{\r\n    "hooks": {\r\n        "Stop": [\r\n        ],\r\n    },\r\n}\r\n',
    "names with escapes": '{\n  "h\\u006foks2": 1,\n  "\\"hooks\\"": {}\n}\n',
    "numbers as people write them": '{\n  "a": -0, "b": 1e400, "c": 0.10, "d": 9007199254740993\n}\n',
    "an empty hooks object": '{\n  "hooks": {},\n  "z": 0\n}\n',
}
JSON5 = '{\n  // unquoted, as some people write it\n  plugins: {\n    entries: { other: { enabled: true }, },\n  },\n  name: \'it\\\'s mine\',\n}\n'


def is_kept_in(old, new):
    """Every byte of the old text is in the new one, in its order."""
    rest = iter(new)
    return all(byte in rest for byte in old)


def plain(text):
    """As a reader without comments would have it."""
    text = text.lstrip("\ufeff")
    text = re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', lambda m: m.group(1) or " ", text, flags=re.S)
    return json.loads(re.sub(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', lambda m: m.group(1) or "", text))


class Install(HookTest):
    def install(self, host, *options, status=0, **more):
        return self.expect(status, "install-hooks", host, *options, **more)

    def uninstall(self, host, *options, **more):
        return self.expect(0, "uninstall-hooks", host, *options, **more)

    def others(self):
        """Everything but the state folder, with modes."""
        return {str(path.relative_to(self.scratch)): (path.stat().st_mode, path.read_bytes() if path.is_file() else None)
                for top in (self.home, self.project) for path in sorted(top.rglob("*"))
                if ".local" not in path.relative_to(self.scratch).parts}

    def scopes(self, host):
        user = [] if host == "openhands" else ["--user"]
        project = [] if host in ("codex-notify", "openclaw", "cline", "kimi") else ["--project"]
        return user + project

    def commands(self, text):
        return re.findall(r'"(?:command|bash)": "((?:\\.|[^"\\])*)"', text)

    def test_every_host_is_installed_and_removed_without_a_trace(self):
        (self.project / ".git").mkdir()
        for host in HOSTS:
            for scope in self.scopes(host):
                with self.subTest(host, scope=scope):
                    before = self.others()
                    self.install(host, scope)
                    self.assertNotEqual(self.others(), before)
                    installed = self.others()
                    self.assertEqual(self.install(host, scope), "")
                    self.assertEqual(self.others(), installed)
                    self.uninstall(host, scope)
                    self.assertEqual(self.others(), before)
                    self.assertEqual(self.uninstall(host, scope), "")

    def test_where_nothing_was_installed_nothing_is_removed(self):
        path = self.home / ".claude" / "settings.json"
        path.parent.mkdir()
        for text in ("", "\n", "{}", '{"hooks":null}', '{"hooks":{}}\n', '{"hooks":{"Stop":[]}}'):
            with self.subTest(text):
                path.write_text(text)
                self.assertEqual(self.uninstall("claude-code"), "")
                self.assertEqual(path.read_text(), text)

    def test_a_dry_run_shows_what_would_be_written_and_writes_nothing(self):
        for host in HOSTS:
            for scope in self.scopes(host):
                with self.subTest(host, scope=scope):
                    before = self.others()
                    shown = self.install(host, scope, "--dry-run")
                    self.assertIn("+++ ", shown)
                    self.assertEqual(self.others(), before)
                    self.assertEqual(self.install(host, scope), shown)
                    kept = self.others()
                    removal = self.uninstall(host, scope, "--dry-run")
                    self.assertEqual(self.others(), kept)
                    self.assertEqual(self.uninstall(host, scope), removal)

    def test_nothing_of_other_peoples_settings_is_lost(self):
        for host, name in JSON_FILES.items():
            for case, text in OTHERS.items():
                if host == "openclaw" and "hooks" in case:
                    continue
                with self.subTest(host, case=case):
                    path = self.home / name
                    shutil.rmtree(self.home, ignore_errors=True)
                    path.parent.mkdir(parents=True)
                    path.write_bytes(text.encode())
                    self.install(host)
                    written = path.read_bytes()
                    self.assertTrue(is_kept_in(text.strip().encode() if text else b"", written), written.decode())
                    document = plain(written.decode())
                    for event in EVENTS.get(host, []):
                        self.assertEqual(str(document["hooks"][event]).count(f"hook {host}"), 1)
                    if "\r\n" in text:
                        self.assertEqual(written.count(b"\n"), written.count(b"\r\n"))
                    self.assertEqual(self.install(host), "")
                    self.uninstall(host)
                    self.assertEqual(path.read_bytes(), text.encode())

    def test_what_somebody_changed_since_stays_when_hooks_go(self):
        for host, name in JSON_FILES.items():
            for case in ("four spaces", "comments", "tabs", "one line", "CR LF", "commas at the end"):
                with self.subTest(host, case=case):
                    path = self.home / name
                    shutil.rmtree(self.home, ignore_errors=True)
                    path.parent.mkdir(parents=True)
                    path.write_bytes(OTHERS[case].encode())
                    self.install(host)
                    changed = path.read_bytes().replace(b"{", b'{ "new": true,', 1) if case != "comments" else \
                        path.read_bytes().replace(b'"a": 1,', b'"a": 1, "new": true,')
                    path.write_bytes(changed)
                    self.uninstall(host)
                    left = path.read_bytes()
                    self.assertNotIn(b"kaizen-host", left)
                    self.assertIn(b'"new": true', left)
                    self.assertEqual(left.replace(b' "new": true,', b""), OTHERS[case].encode())

    def test_random_settings_come_back_as_they_were(self):
        for seed in range(40):
            with self.subTest(seed=seed):
                rng = random.Random(seed)
                host = rng.choice(sorted(EVENTS))
                path = self.home / JSON_FILES[host]
                shutil.rmtree(self.home, ignore_errors=True)
                path.parent.mkdir(parents=True)
                text = random_settings(rng, EVENTS[host])
                path.write_text(text)
                self.install(host, "-q")
                written = path.read_text()
                self.assertTrue(is_kept_in(text.encode(), written.encode()), written)
                for event in EVENTS[host]:
                    self.assertEqual(str(plain(written)["hooks"][event]).count(f"hook {host}"), 1, written)
                # Somebody else's tool writes the file again: only meaning is left to go by.
                path.write_text(json.dumps(plain(written), indent=rng.choice([None, 2, 4])))
                self.uninstall(host, "-q")
                left, right = plain(path.read_text()), plain(text)
                self.assertEqual(left, right, written)

    def test_json5_of_openclaw_is_read_and_kept(self):
        path = self.home / ".openclaw" / "openclaw.json"
        path.parent.mkdir()
        path.write_text(JSON5)
        self.install("openclaw")
        self.assertTrue(is_kept_in(JSON5.encode(), path.read_bytes()))
        self.assertIn('"kaizen-host": { "enabled": true', path.read_text())
        path.write_text(path.read_text().replace("it\\'s mine", "not mine"))
        self.uninstall("openclaw")
        self.assertEqual(path.read_text(), JSON5.replace("it\\'s mine", "not mine"))

    def test_both_layouts_of_openhands_are_understood(self):
        path = self.project / ".openhands" / "hooks.json"
        path.parent.mkdir()
        own = '{\n  "pre_tool_use": [{ "matcher": "*", "hooks": [{ "command": "x" }] }]\n}\n'
        path.write_text(own)
        self.install("openhands")
        document = json.loads(path.read_text())
        self.assertEqual(sorted(document), ["pre_tool_use", "session_end", "session_start", "stop", "user_prompt_submit"])
        self.uninstall("openhands")
        self.assertEqual(path.read_text(), own)
        path.unlink()
        self.install("openhands")
        self.assertEqual(list(json.loads(path.read_text())), ["hooks"])

    def test_clines_files_are_programs_and_those_of_others_stay(self):
        self.install("cline")
        folder = self.home / ".cline" / "hooks"
        for path in folder.iterdir():
            self.assertTrue(os.access(path, os.X_OK), path)
        self.uninstall("cline")
        self.assertFalse(folder.exists())
        folder.mkdir(parents=True)
        mine = folder / "TaskError"
        mine.write_text("#!/bin/sh\nkaizen-host hook cline --event TaskError; afplay x\n")
        self.assertIn("not written by kaizen-host", self.messages(3, "install-hooks", "cline"))
        self.uninstall("cline")
        self.assertIn("afplay", mine.read_text())
        self.assertEqual(len(list(folder.iterdir())), 1)

    def test_kimis_tables_stand_between_two_marks_behind_everything_else(self):
        path = self.home / ".kimi" / "config.toml"
        path.parent.mkdir()
        for case, own in {"empty": "", "no newline": 'model = "x"', "tables": '[a]\nb = 1\n[[hooks]]\nevent = "Stop"\n',
                          "comments": "# mine\n\n# kaizen-host: beginning\n"}.items():
            with self.subTest(case):
                path.write_text(own)
                self.install("kimi")
                text = path.read_text()
                self.assertTrue(text.startswith(own), text)
                events = [hook["event"] for hook in tomllib.loads(text)["hooks"]]
                self.assertEqual(len(events), 7 + own.count("[[hooks]]"))
                self.install("kimi", "--agent", "team")
                self.assertEqual(path.read_text().count("--agent team"), 7)
                path.write_text(path.read_text() + "# added\n")
                self.uninstall("kimi")
                self.assertEqual(path.read_text().replace("# added\n", "").rstrip("\n"), own.rstrip("\n"))
        for other in ('hooks = [{ event = "Stop", command = "x" }]\n', "[hooks]\nx = 1\n", "[a]\nb = 1\n\n[hooks.c]\n",
                      '["hooks"]\n', "hooks.x = []\n", '[a]\nb = """\nno end\n'):
            path.write_text(other)
            self.assertIn("another notation", self.messages(3, "install-hooks", "kimi"))
            self.assertEqual(path.read_text(), other)

    def test_kimis_tables_have_the_line_endings_of_the_file(self):
        path = self.home / ".kimi" / "config.toml"
        path.parent.mkdir()
        own = b'model = "x"\r\n[a]\r\nb = 1\r\n'
        path.write_bytes(own)
        self.install("kimi")
        self.assertNotIn(b"\n", path.read_bytes().replace(b"\r\n", b""))
        self.uninstall("kimi")
        self.assertEqual(path.read_bytes(), own)

    def test_kimis_tables_are_found_after_an_editor_changed_all_line_endings(self):
        path = self.home / ".kimi" / "config.toml"
        path.parent.mkdir()
        path.write_bytes(b'model = "x"\n')
        self.install("kimi")
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        self.install("kimi", "--agent", "team")
        self.assertEqual(path.read_bytes().count(b"kaizen-host: begin"), 1)
        self.uninstall("kimi")
        self.assertEqual(path.read_bytes(), b'model = "x"\r\n')

    def test_openhands_has_a_file_of_the_user_too(self):
        self.install("openhands", "--user")
        self.assertEqual(list(json.loads((self.home / ".openhands" / "hooks.json").read_text())), ["hooks"])
        self.uninstall("openhands", "--user")
        self.assertFalse((self.home / ".openhands").exists())

    def test_notify_goes_in_front_of_the_first_table_and_only_where_it_is_free(self):
        path = self.home / ".codex" / "config.toml"
        path.parent.mkdir()
        cases = {
            "nothing": "",
            "a key": 'model = "x"\n',
            "no newline at the end": 'model = "x"',
            "a table": '# mine\n[mcp_servers.a]\ncommand = "b"\nnotify = ["theirs, in a table"]\n',
            "a key and a table": 'model = "x" # why\n\n[tools]\nweb = true\n',
            "an array over lines": 'a = [\n  "[x]", # ]\n  "y",\n]\nb = """\n[not a table]\n"""\n\n[t]\n',
        }
        for case, text in cases.items():
            with self.subTest(case):
                path.write_text(text)
                self.install("codex-notify")
                written = path.read_text()
                self.assertTrue(is_kept_in(text.encode(), written.encode()))
                top = re.split(r"^\[(?:mcp|tools|t\])", written, maxsplit=1, flags=re.M)[0]
                self.assertEqual(len(re.findall(r'^notify = \["/.*", "hook", "codex-notify"\]$', top, flags=re.M)), 1)
                self.assertEqual(self.install("codex-notify"), "")
                self.uninstall("codex-notify")
                self.assertEqual(path.read_text(), text)
        for broken in ('a = "x\n', 'a = ["x"\n[t]\n', 'b = """\n[t]\n', "no value\n", "a =\n", "a = [1]]\n"):
            path.write_text(broken)
            self.assertIn("cannot parse line", self.messages(3, "install-hooks", "codex-notify"))
            self.assertEqual(path.read_text(), broken)
        path.write_text('notify = ["/usr/bin/say", "done"]\n')
        message = self.messages(3, "install-hooks", "codex-notify")
        self.assertIn("another program already uses notify", message)
        self.assertEqual(path.read_text(), 'notify = ["/usr/bin/say", "done"]\n')

    def test_what_cannot_be_changed_safely_is_left_alone(self):
        path = self.home / ".claude" / "settings.json"
        path.parent.mkdir()
        for case, (text, said) in {
            "no JSON": ('{\n  "a": \n}\n', "line 3, column 1"),
            "an array": ("[]\n", "line 1, column 1"),
            "something after it": ("{} {}\n", "line 1, column 4"),
            "cut": ('{"hooks": {"Stop": [', ""),
            "hooks is a list": ('{"hooks": []}', '"hooks" must be an object'),
            "an event is not a list": ('{"hooks": {"Stop": {}}}', '"Stop" must be an array'),
            "too deep": ('{"a":' + "[" * 100 + "]" * 100 + "}", ""),
            "zero bytes": ('{"a": "\0"}', "zero bytes"),
        }.items():
            with self.subTest(case):
                path.write_text(text)
                message = self.messages(3, "install-hooks", "claude-code")
                self.assertIn(str(path), message)
                self.assertIn(said, message)
                self.assertEqual(path.read_text(), text)
        plugin = self.home / ".config" / "opencode" / "plugins" / "kaizen-host.js"
        plugin.parent.mkdir(parents=True)
        plugin.write_text("// somebody else's\n")
        self.messages(3, "install-hooks", "opencode")
        self.assertEqual(plugin.read_text(), "// somebody else's\n")

    def test_links_and_modes_stay(self):
        real = self.scratch / "dotfiles" / "claude.json"
        real.parent.mkdir()
        real.write_text('{"a": 1}\n')
        real.chmod(0o640)
        link = self.home / ".claude" / "settings.json"
        link.parent.mkdir()
        link.symlink_to(real)
        self.install("claude-code")
        self.assertTrue(link.is_symlink())
        self.assertEqual(real.stat().st_mode & 0o777, 0o640)
        self.assertIn("kaizen-host", real.read_text())
        self.uninstall("claude-code")
        self.assertEqual(real.read_text(), '{"a": 1}\n')

    def test_a_copy_of_the_file_as_it_was_is_kept(self):
        path = self.home / ".claude" / "settings.json"
        path.parent.mkdir()
        path.write_text('{"precious": true}\n')
        message = self.messages(0, "install-hooks", "claude-code")
        copy = pathlib.Path(re.search(r"backup of \S+: (\S+)", message).group(1))
        self.assertEqual(copy.read_text(), '{"precious": true}\n')
        # Installed again with something else: the copy is still what was there before any of it.
        self.install("claude-code", "--agent", "someone")
        self.assertEqual(copy.read_text(), '{"precious": true}\n')
        self.uninstall("claude-code")
        self.assertEqual(path.read_text(), '{"precious": true}\n')

    def test_installed_again_with_other_options_the_command_is_replaced(self):
        self.install("claude-code")
        self.install("claude-code", "--agent", "my agent", "--aborted", "failure", "--metadata", "team=web")
        text = (self.home / ".claude" / "settings.json").read_text()
        commands = set(self.commands(text))
        self.assertEqual(len(self.commands(text)), 7)
        self.assertEqual(commands, {f"{HOST} hook claude-code --agent 'my agent' --aborted failure --metadata team=web"})

    def test_our_part_goes_also_where_somebody_merged_it_with_theirs(self):
        path = self.home / ".claude" / "settings.json"
        self.install("claude-code")
        document = json.loads(path.read_text())
        document["hooks"]["Stop"][0]["hooks"].insert(0, {"type": "command", "command": "theirs"})
        path.write_text(json.dumps(document))
        self.uninstall("claude-code")
        self.assertEqual(json.loads(path.read_text()),
                         {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "theirs"}]}]}})

    def test_files_named_from_here_are_found_from_anywhere(self):
        (self.project / "own.json").write_text("{}")
        diff = self.expect(0, "--config", "own.json", "install-hooks", "claude-code", "--state-dir", "not-yet",
                           "--dry-run")
        self.assertIn(f"--config {self.project}/own.json ", diff)
        self.assertIn(f"--state-dir {self.project}/not-yet", diff)
        self.assertFalse((self.project / "not-yet").exists(), "a dry run made it")

    def test_the_command_survives_any_path(self):
        folder = self.scratch / "it's a \"folder\" with $HOME and ü"
        folder.mkdir()
        program = folder / "kaizen-host"
        shutil.copy(HOST, program)
        (self.project / ".git").mkdir()
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"]}
        subprocess.run([program, "--plugin", os.environ["KAIZEN_TEST_PLUGIN"], "install-hooks", "claude-code"],
                       env=environment, check=True, capture_output=True)
        command = json.loads((self.home / ".claude" / "settings.json").read_text())["hooks"]["Stop"][0]["hooks"][0]["command"]
        result = subprocess.run(["sh", "-c", command], input=self.payload("claude-code/stop.json"), env={"HOME": str(self.home)},
                                cwd="/", capture_output=True)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))
        self.assertEqual(self.record()["agent"], "claude-code")

    def test_a_projects_settings_name_the_program_and_not_this_machines_path(self):
        (self.project / ".git").mkdir()
        path = f"{os.path.dirname(HOST)}:{os.environ['PATH']}"
        message = self.messages(0, "install-hooks", "claude-code", "--project", env={"PATH": path})
        self.assertNotIn("warning", message)
        text = (self.project / ".claude" / "settings.json").read_text()
        self.assertEqual(set(self.commands(text)), {"kaizen-host hook claude-code"})
        self.uninstall("claude-code", "--project")
        message = self.messages(0, "install-hooks", "claude-code", "--project", env={"PATH": "/usr/bin:/bin"})
        self.assertIn("is not in PATH", message)

    def test_wrong_command_lines_say_what_is_wrong(self):
        self.assertIn("did you mean 'cursor'", self.messages(2, "install-hooks", "cusor"))
        self.assertIn("use --user", self.messages(2, "install-hooks", "openclaw", "--project"))
        self.assertIn("cannot be used together", self.messages(2, "install-hooks", "claude-code", "--user", "--project"))

    def test_each_hosts_page_shows_what_is_written(self):
        pages = pathlib.Path(__file__).parents[2] / "docs" / "hosts"
        shown = re.compile(r"<!-- (\S+), written by install-hooks (\S+) (--\w+) -->\n```\w+\n(.*?)```\n", re.S)
        seen = set()
        for page in sorted(pages.glob("*.md")):
            for name, host, scope, text in shown.findall(page.read_text()):
                with self.subTest(page.name, file=name):
                    self.install(host, scope, env={"PATH": "/usr/bin:/bin"})
                    top = self.home if scope == "--user" else self.project
                    written = (top / name.removeprefix("~/")).read_text()
                    self.assertEqual(text, written.replace(HOST, "/usr/bin/kaizen-host"))
                    seen.add(host)
        self.assertEqual(seen, set(HOSTS))

    def test_the_result_as_json(self):
        document = json.loads(self.install("gemini", "-o", "json"))
        self.assertEqual((document["host"], document["scope"], document["dry_run"]), ("gemini", "user", False))
        self.assertEqual([entry["action"] for entry in document["files"]], ["create"])
        self.assertIn("+++ ", document["files"][0]["diff"])
        document = json.loads(self.install("gemini", "-o", "json"))
        self.assertEqual([entry["action"] for entry in document["files"]], ["unchanged"])

    def test_doctor_says_which_hooks_are_in_place_and_when_they_fired(self):
        def findings():
            document = json.loads(self.run_host("doctor", "--no-broker", "-o", "json").stdout)
            return [(entry["level"], entry["finding"]) for entry in document["findings"] if entry["subject"] == "hooks"]

        self.assertEqual(len(findings()), 1)
        self.assertIn("none installed", findings()[0][1])
        self.install("claude-code")
        self.install("cursor", "--project")
        texts = [text for _, text in findings()]
        self.assertEqual(texts, ["claude-code: installed for the user; not fired yet",
                                 "cursor: installed for this project; not fired yet"])
        self.fire_fixture("claude-code/stop.json")
        self.assertRegex(findings()[0][1], r"^claude-code: installed for the user; last fired 20\d\d-\S+Z Stop$")
        path = self.home / ".claude" / "settings.json"
        document = json.loads(path.read_text())
        del document["hooks"]["Stop"]
        path.write_text(json.dumps(document))
        level, text = findings()[0]
        self.assertEqual((level, "but not all of them" in text), ("warning", True))
        self.uninstall("claude-code")
        self.assertIn("not installed for the user or this project; last fired", findings()[0][1])


def random_value(rng, depth):
    kind = rng.randrange(8 if depth > 0 else 5)
    if kind < 5:
        return rng.choice([None, True, False, 0, -1, 1.5, "", "text", "a // b", "/* c */", "quo\"te", "back\\slash", "ü", "]}"])
    if kind == 5:
        return [random_value(rng, depth - 1) for _ in range(rng.randrange(3))]
    return {f"k{i}": random_value(rng, depth - 1) for i in range(rng.randrange(4))}


def random_settings(rng, events):
    """A document with hooks of others in it or not, laid out in some way, with comments between its lines or not."""
    document = {f"m{i}": random_value(rng, 3) for i in range(rng.randrange(4))}
    if rng.random() < 0.6:
        document["hooks"] = {event: [{"hooks": [{"type": "command", "command": "theirs"}]} for _ in range(rng.randrange(1, 3))]
                             for event in rng.sample([*events, "Other"], rng.randrange(1, 4))}
    items = list(document.items())
    rng.shuffle(items)
    indent = rng.choice([None, 1, 2, 4, "\t"])
    text = json.dumps(dict(items), indent=indent, ensure_ascii=rng.random() < 0.5)
    if indent is not None and rng.random() < 0.5:
        text = "\n".join(line + (rng.choice(["", " // note", " /* note */"]) if line.endswith((",", "{", "[")) else "")
                         for line in text.split("\n"))
    return text + rng.choice(["", "\n"])


if __name__ == "__main__":
    unittest.main()

# hook_settings.py - what is the user's in a settings file stays the user's: lines, links, owner, and what the user
# writes at the same time; and a message says what keeps hooks from running.
#
# SPDX-License-Identifier: Apache-2.0
import ctypes
import json
import os
import pathlib
import re
import select
import shutil
import struct
import subprocess
import threading
import tomllib
import unittest

from hook_support import HookTest
from shim_support import HANGS_S, HOST, clean_environment, slowed

MIXED = [
    "kaizen-host hook claude-code 2>>/tmp/kz.log; /opt/mine.sh",
    "/opt/mine.sh && kaizen-host hook claude-code --agent team-a",
    "test -x /usr/bin/kaizen-host && exec kaizen-host hook claude-code || true",
    'bash -lc "kaizen-host hook claude-code; afplay x"',
    "kaizen-host hook claude-code --agent $TEAM",
    "kaizen-host hook claude-code > /dev/null",
    "kaizen-host hook claude-code &",
    "FOO=1 kaizen-host hook claude-code",
    "nice kaizen-host hook claude-code",
    "kaizen-host hook claude-code\n/opt/mine.sh",
    "kaizen-host hook claude-code # mine",
    "kaizen-host --verbose hook claude-code $(date)",
    "kaizen-host hook claude-code --agent x" + "y" * 5000 + "; /opt/mine.sh",
]
FOREIGN = [
    "kaizen-host hook claude-code-other",
    "kaizen-host doctor",
    "/opt/kaizen-host-wrapper hook claude",
    "echo kaizen-host",
]
OURS = [
    "/old/place/kaizen-host hook claude-code",
    "'/with blank/kaizen-host' --plugin '/a b/x.so' hook claude-code --agent 'it'\\''s'",
    '"/with blank/kaizen-host" hook claude-code --emit-event',
    "kaizen-host --config /etc/k.json --set nats_url=nats://x:4222 hook claude-code --metadata team=web",
]


def stop_with(command):
    return json.dumps({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": command}]}]}}, indent=2) + "\n"


def folder_events(folder):
    """What happens to files in a folder from now on: ("created" or "read", the name), see inotify(7).  Of a name that
    is made up, such as settings.json.Xy12, only what comes before that part."""
    names = {0x10: "read", 0x100: "created"}  # IN_CLOSE_NOWRITE, IN_CREATE
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init()
    if watch < 0 or libc.inotify_add_watch(watch, os.fsencode(folder), sum(names)) < 0:
        raise unittest.SkipTest(f"inotify: {os.strerror(ctypes.get_errno())}")

    def wait():
        with open(watch, "rb", buffering=0) as stream:
            while select.select([stream], [], [], HANGS_S)[0]:
                events = stream.read(65536)
                while events:
                    mask, length = struct.unpack_from("=4xI4xI", events)
                    name = events[16:16 + length].rstrip(b"\0").decode()
                    events = events[16 + length:]
                    yield names.get(mask, ""), re.sub(r"(?<=json\.).*", "", name)

    return wait()


class Settings(HookTest):
    def settings(self, text=None, name=".claude/settings.json"):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is not None:
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def install(self, host="claude-code", status=0):
        return self.messages(status, "install-hooks", host)

    def uninstall(self, host="claude-code"):
        self.expect(0, "uninstall-hooks", host)

    def commands(self, path, event="Stop"):
        return [hook["command"] for entry in json.loads(path.read_text())["hooks"][event] for hook in entry["hooks"]]

    def test_a_line_of_the_user_s_that_calls_us_is_left_as_it_is(self):
        for command in MIXED:
            with self.subTest(command=command):
                path = self.settings(stop_with(command))
                self.assertIn("left unchanged", self.install())
                self.assertEqual(self.commands(path), [command])
                self.assertEqual(len(self.commands(path, "SessionEnd")), 1)
                self.install()
                path.write_text(path.read_text() + "\n")  # no longer to the byte what was installed
                self.uninstall()
                self.assertEqual(self.commands(path), [command])
                self.assertNotIn("SessionEnd", json.loads(path.read_text())["hooks"])

    def test_a_line_that_does_not_call_us_is_left_and_ours_stands_beside_it(self):
        for command in FOREIGN:
            with self.subTest(command=command):
                path = self.settings(stop_with(command))
                self.install()
                self.assertEqual(len(self.commands(path)), 2)
                self.uninstall()
                self.assertEqual(path.read_text(), stop_with(command))

    def test_an_older_line_of_ours_is_replaced_and_goes(self):
        for command in OURS:
            with self.subTest(command=command):
                path = self.settings(stop_with(command))
                self.install()
                self.assertEqual(len(self.commands(path)), 1)
                self.assertNotIn(command, self.commands(path))
                self.uninstall()
                self.assertNotIn("kaizen-host", path.read_text() if path.exists() else "")

    def test_what_another_version_of_ours_left_elsewhere_goes(self):
        old = {"type": "command", "command": "/old/kaizen-host hook claude-code"}
        mine = {"type": "command", "command": "beep"}
        hooks = {"PreCompact": [{"hooks": [old]}], "Stop": [{"hooks": [old]}, {"hooks": [mine]}, {"hooks": [old]}],
                 "Notification": [{"matcher": "", "hooks": [old, mine]}], "disabled": ["kaizen-host"]}
        own = {"Stop": [{"hooks": [mine]}], "Notification": [{"matcher": "", "hooks": [mine]}], "disabled": ["kaizen-host"]}
        for installs in (True, False):
            path = self.settings(json.dumps({"hooks": hooks}, indent=2))
            if installs:
                self.install()
                self.assertNotIn("/old/", path.read_text())
                left = json.loads(path.read_text())["hooks"]
                self.assertNotIn("PreCompact", left)
                self.assertEqual((len(left["Stop"]), left["Notification"]), (2, own["Notification"]))
            self.uninstall()
            self.assertEqual(json.loads(path.read_text())["hooks"], own)

    def test_doctor_says_that_the_program_of_the_hooks_is_gone(self):
        moved = self.scratch / "moved to" / "kaizen-host"
        moved.parent.mkdir()
        shutil.copy(HOST, moved)
        (self.project / ".git").mkdir()
        for host, scope in (("claude-code", "--user"), ("cursor", "--project"), ("copilot", "--user")):
            subprocess.run([moved, "install-hooks", host, scope], cwd=self.project, env=clean_environment(self.home),
                           check=True, capture_output=True)
        before = self.run_host("doctor").stdout.decode()
        self.assertNotIn("which is not there", before)
        moved.rename(moved.with_name("another"))
        told = self.run_host("doctor").stdout.decode()
        for host, option in (("claude-code", ""), ("cursor", " --project"), ("copilot", "")):
            self.assertRegex(told, f"{host}: the hooks call {moved}, which is not there")
            self.assertIn(f"'kaizen-host install-hooks {host}{option}' names this program", told)
        self.install()
        self.assertNotIn("claude-code: the hooks call", self.run_host("doctor").stdout.decode())

    def test_hooks_that_stay_elsewhere_are_said_to(self):
        (self.project / ".git").mkdir()
        for scope, other in (("user", "project"), ("project", "user")):
            for one in (scope, other):
                self.expect(0, "install-hooks", "claude-code", f"--{one}")
            said = self.messages(0, "uninstall-hooks", "claude-code", f"--{scope}")
            self.assertIn(f"'kaizen-host uninstall-hooks claude-code --{other}' removes them", said)
            self.assertNotIn("removes them", self.messages(0, "uninstall-hooks", "claude-code", f"--{other}"))
        self.assertNotIn("removes them", self.messages(0, "uninstall-hooks", "kimi", cwd=self.home))

    def test_a_command_that_settings_cannot_hold_is_not_written(self):
        folder = os.fsencode(self.scratch) + b"/\xff"
        os.mkdir(folder)
        program = shutil.copy(os.fsencode(HOST), folder + b"/kaizen-host")
        for host in ("claude-code", "codex-notify", "opencode"):
            result = subprocess.run([program, "install-hooks", host], cwd=self.project, capture_output=True,
                                    env=clean_environment(self.home), timeout=HANGS_S, check=False)
            self.assertEqual((result.returncode, result.stdout), (2, b""))
            self.assertIn(b"bytes that are not UTF-8", result.stderr)
        self.assertEqual([path.name for path in self.home.iterdir()], [".local"])

    def test_codex_notify_wrapped_by_the_user_is_left_as_it_is(self):
        for line in ('notify = ["bash", "-lc", "kaizen-host hook codex-notify \\"$1\\"; afplay x", "--"]\n',
                     "notify = ['sh', '-c', 'kaizen-host hook codex-notify \"$0\"']\n",
                     'notify = ["env", "kaizen-host", "hook", "codex-notify"]\n'):
            with self.subTest(line):
                path = self.settings(line, ".codex/config.toml")
                self.assertIn("left unchanged", self.install("codex-notify"))
                self.uninstall("codex-notify")
                self.assertEqual(path.read_text(), line)

    def test_toml_is_edited_as_its_readers_read_it(self):
        for name, text in {"CR LF": 'model = "x"\r\n[features]\r\na = true\r\n', "no newline": 'a = 1\r\nmodel = "x"',
                           "quotes at the end of a text": 's = """a""""\nx = 1\n', "five": "s = '''a'''''\n[t]\n"}.items():
            with self.subTest(name):
                path = self.settings(text, ".codex/config.toml")
                self.install("codex-notify")
                installed = path.read_bytes()
                if "\r\n" in text:
                    self.assertEqual(installed.count(b"\n"), installed.count(b"\r\n"))
                self.assertEqual(installed.count(b"notify"), 2)
                self.uninstall("codex-notify")
                self.assertEqual(path.read_bytes(), text.encode())
        for text in ("notify.a = 1\n", 'notify = ["/o/kaizen-host", "hook", "codex-notify"]\nnotify = ["x"]\n'):
            path = self.settings(text, ".codex/config.toml")
            self.install("codex-notify", status=3)
            self.assertEqual(path.read_text(), text)

    def test_kimis_tables_are_ours_by_their_command_when_kimi_rewrote_the_file(self):
        path = self.settings('default_model = ""\nhooks = []\n\n[loop]\nmax = 3\n', ".kimi/config.toml")  # what Kimi writes for none
        self.expect(0, "install-hooks", "kimi", "--agent", "it's")
        parsed = tomllib.loads(path.read_text())
        self.assertEqual((len(parsed["hooks"]), parsed["loop"]), (7, {"max": 3}))
        theirs = '[[hooks]]\nevent = "Stop"\ncommand = "beep \\"x\\""\n'
        lines = [line for line in path.read_text().splitlines(keepends=True) if "# kaizen-host" not in line]
        for last in ("", "\n# mine\n[last]\nx = 1\n"):
            path.write_text("".join(lines[:4]) + theirs + "\n" + "".join(lines[4:]) + last)
            self.assertNotIn(b"missing", self.run_host("doctor").stdout)
            self.install("kimi")
            parsed = tomllib.loads(path.read_text())
            self.assertEqual([hook["command"] for hook in parsed["hooks"]].count('beep "x"'), 1)
            self.assertEqual(len(parsed["hooks"]), 8)
            path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if "# kaizen-host" not in line))
            self.uninstall("kimi")
            parsed = tomllib.loads(path.read_text())
            self.assertEqual([hook["command"] for hook in parsed["hooks"]], ['beep "x"'])
            self.assertEqual((parsed["loop"], "# mine" in path.read_text()), ({"max": 3}, bool(last)))

    def test_json_that_does_not_end_is_refused(self):
        for text in ('{ "a": 1 } /* never ends', '{ /* never ends\n  "a": 1 }', '{ "a": 1, /* } */', '{ "a": 1 /*/ }'):
            with self.subTest(text):
                path = self.settings(text)
                self.install(status=3)
                self.assertEqual(path.read_text(), text)

    def test_settings_that_are_not_a_file_hold_nothing_up(self):
        for host, name in (("claude-code", ".claude/settings.json"), ("codex-notify", ".codex/config.toml"),
                           ("kimi", ".kimi/config.toml"), ("opencode", ".config/opencode/plugins/kaizen-host.js")):
            path = self.settings(name=name)
            os.mkfifo(path)
            for command in ("install-hooks", "uninstall-hooks"):
                self.assertIn(f"{path}: not a regular file", self.messages(3, command, host))
        os.mkfifo(self.settings(name=".claude/settings.local.json"))
        for directory in (self.home, self.project):
            self.assertIn(self.run_host("doctor", cwd=directory).returncode, (0, 1, 2))

    def test_a_link_stays_a_link_also_to_a_file_that_is_not_there(self):
        path = self.settings()
        elsewhere = self.scratch / "dot" / "settings.json"
        for present in (None, "{}\n"):
            for target in (elsewhere, pathlib.Path("../../dot/settings.json"), pathlib.Path("second")):
                with self.subTest(present=present, target=target):
                    os.symlink(target, path)
                    if str(target) == "second":
                        os.symlink(elsewhere, path.parent / "second")
                    if present:
                        elsewhere.parent.mkdir(exist_ok=True)
                        elsewhere.write_text(present)
                    self.install()
                    self.assertTrue(path.is_symlink())
                    self.assertIn("kaizen-host", elsewhere.read_text())
                    self.uninstall()
                    self.assertTrue(path.is_symlink())
                    self.assertEqual(elsewhere.read_text() if elsewhere.exists() else None, present)
                    for link in (path, path.parent / "second", elsewhere):
                        link.unlink(missing_ok=True)
        os.symlink("settings.json", path)
        self.assertIn("too many levels of links", self.install(status=3))

    def test_a_second_name_mode_and_attributes_stay(self):
        path = self.settings("{}\n")
        path.chmod(0o640)
        os.link(path, self.scratch / "second")
        self.install()
        self.assertTrue(os.path.samefile(path, self.scratch / "second"))
        self.assertEqual(path.stat().st_mode & 0o777, 0o640)
        self.uninstall()
        self.assertEqual((self.scratch / "second").read_text(), "{}\n")
        (self.scratch / "second").unlink()
        try:
            os.setxattr(path, "user.kept", b"1")
        except OSError as error:
            self.skipTest(f"no attributes here: {error}")
        self.install()
        self.assertEqual(os.getxattr(path, "user.kept"), b"1")

    @unittest.skipUnless(os.geteuid() == 0, "only root can give files away")
    def test_a_user_s_file_stays_the_user_s_when_root_edits_it(self):
        for folder in (self.home / ".claude", self.home / ".cursor"):
            folder.mkdir()
            os.chown(folder, 1234, 1234)
        path = self.settings("{}\n")
        os.chown(path, 1234, 1235)
        path.chmod(0o600)
        self.install()
        entry = path.stat()
        self.assertEqual((entry.st_uid, entry.st_gid, entry.st_mode & 0o777), (1234, 1235, 0o600))
        self.install("cursor")
        self.assertEqual((self.home / ".cursor" / "hooks.json").stat().st_uid, 1234)
        os.chown(self.home, 1234, 1234)
        shutil.rmtree(self.home / ".local")
        (self.home / ".gemini").mkdir()
        os.chown(self.home / ".gemini", 1234, 1234)
        self.settings("{}\n", ".gemini/settings.json")
        os.chown(self.home / ".gemini" / "settings.json", 1234, 1234)
        for host in ("gemini", "copilot"):
            self.install(host)
        for path in self.home.rglob("*"):  # also what is remembered: the user's own hooks write there
            self.assertEqual((path, path.lstat().st_uid), (path, 1234))

    def test_an_agent_s_variable_moves_its_files(self):
        for host, variable, file in (("claude-code", "CLAUDE_CONFIG_DIR", "settings.json"),
                                     ("codex", "CODEX_HOME", "hooks.json"), ("codex-notify", "CODEX_HOME", "config.toml"),
                                     ("copilot", "COPILOT_HOME", "hooks/kaizen-host.json"),
                                     ("gemini", "GEMINI_CLI_HOME", ".gemini/settings.json"),
                                     ("qwen", "QWEN_HOME", "settings.json"), ("cline", "CLINE_DIR", "hooks/TaskStart"),
                                     ("openclaw", "OPENCLAW_STATE_DIR", "openclaw.json"),
                                     ("kimi", "KIMI_SHARE_DIR", "config.toml"),
                                     ("opencode", "XDG_CONFIG_HOME", "opencode/plugins/kaizen-host.js")):
            moved = self.scratch / f"moved {host}"
            for command, is_there in (("install-hooks", True), ("uninstall-hooks", False)):
                self.expect(0, command, host, env={variable: str(moved)})
                self.assertEqual((moved / file).exists(), is_there, host)
            if variable.startswith("XDG_"):
                continue  # by its specification, such a value has no meaning
            before = self.tree()
            said = self.messages(2, "install-hooks", host, "--dry-run", env={variable: "moved"})
            self.assertIn(f"{variable} is 'moved', which is not a full path; set it to one, or unset it", said)
            self.assertEqual(self.tree(), before)

    def test_an_edit_between_reading_and_writing_is_kept(self):
        path = self.settings('{\n  "n": 1\n}\n')
        events = folder_events(path.parent)
        process = subprocess.Popen(
            slowed(self.host_command("install-hooks", "claude-code"), "renameat2", 400), cwd=self.project,
            env=clean_environment(self.home), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        # the new file is complete, and the old one was looked at for the last time
        while next(events) != ("created", "settings.json."):
            pass
        while next(events) != ("read", "settings.json"):
            pass
        (path.parent / "mine").write_text('{\n  "n": 2\n}\n')
        os.rename(path.parent / "mine", path)
        _, messages = process.communicate(timeout=HANGS_S)
        self.assertEqual(process.returncode, 0, messages)
        document = json.loads(path.read_text())
        self.assertEqual(document["n"], 2)
        self.assertIn("Stop", document["hooks"])
        self.assertEqual([p.name for p in path.parent.iterdir()], ["settings.json"])

    def test_twenty_at_once_install_once(self):
        path = self.settings('{\n  "model": "x"\n}\n')
        threads = [threading.Thread(target=self.run_host, args=("install-hooks", "claude-code")) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(self.commands(path)), 1)
        self.assertEqual([p.name for p in path.parent.iterdir()], ["settings.json"])

    def test_the_last_of_two_members_of_one_name_is_used_and_said(self):
        path = self.settings('{ "hooks": { "PreToolUse": [] }, "hooks": { "Stop": [], "Stop": [] } }\n')
        messages = self.install()
        self.assertIn("hooks is set more than once", messages)
        self.assertIn("hooks sets Stop more than once", messages)
        self.assertEqual(len(self.commands(path)), 1)  # as json.loads() reads it
        self.uninstall()
        self.assertEqual(path.read_text(), '{ "hooks": { "PreToolUse": [] }, "hooks": { "Stop": [], "Stop": [] } }\n')

    def test_what_keeps_hooks_from_running_is_said_at_install_and_by_doctor(self):
        for host, name, text, word in (
                ("claude-code", ".claude/settings.json", '{"disableAllHooks": true}', "disableAllHooks"),
                ("gemini", ".gemini/settings.json", '{"hooksConfig": {"enabled": false}}', "hooksConfig.enabled"),
                ("gemini", ".gemini/settings.json", '{"hooksConfig": {"disabled": ["kaizen-host"]}}', "hooksConfig.disabled"),
                ("gemini", ".gemini/settings.json", '{"tools": {"enableHooks": false}}', "tools.enableHooks"),
                ("copilot", ".copilot/settings.json", '{"disableAllHooks": true}', "disableAllHooks"),
                ("openclaw", ".openclaw/openclaw.json", '{ plugins: { allow: ["telegram"] } }', "plugins.allow"),
                ("openclaw", ".openclaw/openclaw.json", '{ plugins: { deny: ["kaizen-host"] } }', "plugins.deny"),
                ("openclaw", ".openclaw/openclaw.json", '{ plugins: { enabled: false } }', "plugins.enabled")):
            with self.subTest(host=host, text=text):
                path = self.settings(text, name)
                self.assertIn(word, self.install(host))
                self.assertIn(word, self.run_host("doctor").stdout.decode())
                self.uninstall(host)
                path.write_text(text.replace("true", "0").replace("false", "0").replace("telegram", "kaizen-host")
                                .replace("disabled", "x").replace("deny", "x"))
                self.assertNotIn(word, self.install(host))
                self.assertNotIn(word, self.run_host("doctor").stdout.decode())
                self.uninstall(host)

    def test_codex_s_switch_is_found_in_its_table(self):
        for text, is_off in (('[features]\nhooks = false\n', True), ('[ features ] # x\r\na = [\n1]\r\n"hooks"=false # y\r\n', True),
                             ('hooks = false\n[features]\nhooks = true\n', False), ('[features]\n[other]\nhooks = false\n', False),
                             ('[features]\na = """\nhooks = false\n"""\n', False), ('[features]\nhooks2 = false\n', False)):
            with self.subTest(text):
                self.settings(text, ".codex/config.toml")
                self.assertEqual("features.hooks" in self.install("codex"), is_off)
                self.assertEqual("features.hooks" in self.run_host("doctor").stdout.decode(), is_off)

    def test_it_is_said_when_no_plugin_can_be_loaded(self):
        alone = self.scratch / "alone" / "kaizen-host"  # the built one finds the plugin beside it
        alone.parent.mkdir()
        shutil.copy(HOST, alone)
        result = subprocess.run([alone, "install-hooks", "claude-code"], cwd=self.project, capture_output=True, check=True,
                                env=clean_environment(self.home, {"KAIZEN_PLUGIN_PATH": str(self.scratch)}))
        self.assertIn(b"cannot record", result.stderr)
        self.assertNotIn("cannot record", self.install())


if __name__ == "__main__":
    unittest.main()

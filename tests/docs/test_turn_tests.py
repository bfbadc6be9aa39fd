#!/usr/bin/env python3
"""test_turn_tests.py - the recipe's hook of Claude Code records whether the tests pass, and never disturbs Claude Code.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import pathlib
import re
import subprocess
import unittest

from shim_support import HANGS_S, HOST, HostTest, clean_environment

TOP = pathlib.Path(os.environ.get("KAIZEN_TEST_SRCDIR") or pathlib.Path(__file__).resolve().parents[2])
PAYLOAD = TOP / "tests" / "hooks" / "fixtures" / "claude-code" / "2.1.332-stop.json"
AGENT = "claude-code-tests"
LIMIT = re.compile(r"--timeout (\d+) ")


def settings_of(page):
    """The first JSON block of a page that is a settings file of Claude Code."""
    return next(block for block in re.findall(r"```json\n(.*?)```", (TOP / page).read_text(), re.S) if '"hooks"' in block)


RECIPE = settings_of("docs/recipes.md")


def entry_of(settings):
    (group,) = json.loads(settings)["hooks"]["Stop"]
    (entry,) = group["hooks"]
    return entry


class TurnTests(HostTest):
    def setUp(self):
        super().setUp()
        (self.project / ".git").mkdir()
        self.folder = self.project / "src"
        self.folder.mkdir()
        self.write_tests("test -e fixed")

    def write_tests(self, command):
        (self.project / "Makefile").write_text(f"test:\n\t{command}\n")

    def stop(self, command):
        """Calls a hook as Claude Code does: by a shell, in the folder of the session, with the payload on standard input."""
        environment = clean_environment(self.home, {"CLAUDE_PROJECT_DIR": str(self.project)})
        environment["PATH"] = f"{pathlib.Path(HOST).parent}:{environment['PATH']}"
        payload = PAYLOAD.read_bytes().replace(b"@PROJECT@", str(self.folder).encode())
        ended = subprocess.run(["sh", "-c", command], input=payload, cwd=self.folder, env=environment, timeout=HANGS_S,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (0, b"", b""), command)

    def outcomes(self):
        records = [json.loads(line) for line in self.lines(AGENT)]
        return [(record["success"], record["metadata"]["exit_status"]) for record in records]

    def test_the_settings_have_the_form_that_claude_code_takes(self):
        ours = json.loads(settings_of("docs/hosts/claude-code.md"))["hooks"]
        entry, known = entry_of(RECIPE), ours["Stop"][0]["hooks"][0]
        self.assertEqual({name: type(value) for name, value in entry.items()},
                         {name: type(value) for name, value in known.items()})
        self.assertEqual(entry["type"], known["type"])
        self.assertLessEqual(set(json.loads(RECIPE)["hooks"]), set(ours))

    def test_each_turn_is_a_run_that_fails_when_the_tests_do(self):
        command = entry_of(RECIPE)["command"]
        self.stop(command)
        (self.project / "fixed").touch()
        self.stop(command)
        self.assertEqual(self.outcomes(), [(False, 2), (True, 0)])

    def test_tests_that_do_not_end_are_a_failure_before_claude_code_ends_the_hook(self):
        entry = entry_of(RECIPE)
        self.assertLess(int(LIMIT.search(entry["command"])[1]), entry["timeout"])
        self.write_tests("sleep 1000")
        self.stop(LIMIT.sub("--timeout 0.2 ", entry["command"]))
        self.assertEqual(self.outcomes(), [(False, 124)])

    def test_the_tests_do_not_read_the_payload(self):
        self.write_tests('test -z "$$(cat)"')
        self.stop(entry_of(RECIPE)["command"])
        self.assertEqual(self.outcomes(), [(True, 0)])

    def test_a_project_without_the_program_or_the_tests_does_not_disturb_claude_code(self):
        (self.project / "Makefile").unlink()
        self.stop(entry_of(RECIPE)["command"])
        self.stop(entry_of(RECIPE)["command"].replace("kaizen-host", "/nowhere/kaizen-host"))
        self.assertEqual(self.outcomes(), [(False, 2)])

    def test_install_hooks_leaves_it_alone(self):
        settings = self.project / ".claude" / "settings.json"
        settings.parent.mkdir()
        settings.write_text(RECIPE)
        self.expect(0, "install-hooks", "claude-code", "--project")
        commands = [group["hooks"][0]["command"] for group in json.loads(settings.read_text())["hooks"]["Stop"]]
        self.assertEqual(len(commands), 2, commands)
        for command in commands:
            self.stop(command)
        self.assertEqual(self.outcomes(), [(False, 2)])
        self.expect(0, "uninstall-hooks", "claude-code", "--project")
        self.assertEqual(settings.read_text(), RECIPE)


if __name__ == "__main__":
    unittest.main()

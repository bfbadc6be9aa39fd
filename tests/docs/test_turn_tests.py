#!/usr/bin/env python3
"""test_turn_tests.py - the recipe's command makes Claude Code's hook record whether the tests pass, and never disturbs it.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import pathlib
import re
import shlex
import subprocess
import time
import unittest

from shim_support import HANGS_S, HOST, HostTest, clean_environment

TOP = pathlib.Path(os.environ.get("KAIZEN_TEST_SRCDIR") or pathlib.Path(__file__).resolve().parents[2])
PAYLOAD = TOP / "tests" / "hooks" / "fixtures" / "claude-code" / "2.1.332-stop.json"
AGENT = "claude-code-tests"
RECIPE, = re.findall(r"```\n(kaizen-host install-hooks .*--test-cmd .*)\n```", (TOP / "docs" / "recipes.md").read_text())


class TurnTests(HostTest):
    def setUp(self):
        super().setUp()
        (self.project / ".git").mkdir()
        self.folder = self.project / "src"
        self.folder.mkdir()
        self.write_tests("test -e fixed")
        self.settings = self.project / ".claude" / "settings.json"
        self.shell(RECIPE)
        hooks = json.loads(self.settings.read_text())["hooks"]
        self.command = hooks["Stop"][0]["hooks"][0]["command"]
        self.turns = 0

    def shell(self, command, stdin=b""):
        environment = clean_environment(self.home, {"CLAUDE_PROJECT_DIR": str(self.project)})
        environment["PATH"] = f"{pathlib.Path(HOST).parent}:{environment['PATH']}"
        ended = subprocess.run(["sh", "-c", command], input=stdin, cwd=self.folder, env=environment, timeout=HANGS_S,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(ended.returncode, 0, (command, ended.stderr))
        return ended.stdout + ended.stderr

    def write_tests(self, command):
        (self.project / "Makefile").write_text(f"test:\n\t{command}\n")

    def hook_log(self):
        log = self.home / ".local" / "state" / "kaizen-host" / "hook.log"
        return log.read_text() if log.exists() else ""

    def stop(self):
        """Calls the hook as Claude Code does: by a shell, in the folder of the session, with the payload on standard
        input; answers what the tests left.  A hook that a busy machine gave no time is called again."""
        payload = json.loads(PAYLOAD.read_bytes().replace(b"@PROJECT@", str(self.folder).encode()))
        before = len(self.outcomes())
        started = self.hook_log().count("tests started as")
        while self.hook_log().count("tests started as") == started:
            self.turns += 1
            payload["prompt_id"] = f"turn-{self.turns}"
            self.assertEqual(self.shell(self.command, json.dumps(payload).encode()), b"")
        end = time.monotonic() + HANGS_S
        while len(self.outcomes()) == before:
            self.assertLess(time.monotonic(), end, self.hook_log())
            time.sleep(0.005)
        return self.outcomes()[-1]

    def outcomes(self):
        records = [json.loads(line) for line in self.lines(AGENT)] if self.log(AGENT).exists() else []
        return [(record["success"], record["metadata"]["exit_status"]) for record in records]

    def test_each_turn_is_followed_by_a_run_that_fails_when_the_tests_do(self):
        self.assertEqual(self.stop(), (False, 2))
        (self.project / "fixed").touch()
        self.assertEqual(self.stop(), (True, 0))
        self.write_tests('test -z "$$(cat)"')
        self.assertEqual(self.stop(), (True, 0), "the payload")
        (self.project / "Makefile").unlink()
        self.assertEqual(self.stop(), (False, 2))

    def test_the_command_of_the_page_is_in_every_entry_and_goes_with_the_hooks(self):
        wanted = shlex.split(RECIPE)[-2:]
        for groups in json.loads(self.settings.read_text())["hooks"].values():
            self.assertEqual(shlex.split(groups[0]["hooks"][0]["command"])[-2:], wanted)
        self.expect(0, "uninstall-hooks", "claude-code", "--project")
        self.assertFalse(self.settings.exists())


if __name__ == "__main__":
    unittest.main()

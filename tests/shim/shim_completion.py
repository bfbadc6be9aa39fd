# shim_completion.py - the shells complete command lines of kaizen-host: typed at a terminal, with a tab.
#
# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import pty
import re
import select
import shutil
import sys
import unittest

from shim_support import HOST, HostTest, clean_environment

TOP = pathlib.Path(os.environ.get("KAIZEN_TEST_SRCDIR") or pathlib.Path(__file__).resolve().parents[2])
SCRIPTS = TOP / "completions"
READY = "kaizen-shell-is-ready"

# What is typed after "kaizen-host ", \t for the tab; the arguments the program then gets.
TYPED = [
    ("a command", "rec\t", ["record"]),
    ("an agent and an option", "record coa\t--succ\t", ["record", "coach", "--success"]),
    ("an agent of the project of -C", "-C ../other sh\tgu\t", ["-C", "../other", "show", "guest"]),
    ("a folder", "-C ../oth\tlist", ["-C", "../other/list"]),
    ("a choice", "exec coach --aborted fai\t", ["exec", "coach", "--aborted", "failure"]),
    ("a choice after =", "status --output=js\t", ["status", "--output=json"]),
    ("a choice of a short option", "status -o js\t", ["status", "-o", "json"]),
    ("a setting and its value", "doctor --set fsy\talw\t", ["doctor", "--set", "fsync=always"]),
    ("a setting and its value after =", "doctor --set=emit\tfal\t", ["doctor", "--set=emit_event=false"]),
    ("a setting of config", "config se\tdeliv\trel\t", ["config", "set", "delivery", "relay"]),
    ("a file", "replay arch\t", ["replay", "archive.jsonl"]),
    ("a file with a space after =", "report --html=my\t", ["report", "--html=my report.html"]),
    ("an option with an option before it", "drain --timeout 3 --resend-s\tx", ["drain", "--timeout", "3", "--resend-since", "x"]),
    ("a command after --", "exec coach -- kaizen-unique-t\t", ["exec", "coach", "--", "kaizen-unique-tool"]),
    ("a command to be explained", "help veri\t", ["help", "verify"]),
    ("after metrics", "metrics reco\t", ["metrics", "record"]),
    ("one of a command's words", "dead-letters ret\t", ["dead-letters", "retry"]),
    ("a coding agent", "install-hooks claude-c\t", ["install-hooks", "claude-code"]),
    ("nothing after an unknown command", "frobnicate coa\t", ["frobnicate", "coa"]),
]

START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             f"PS1=; bind 'set bell-style none'; source '{SCRIPTS}/kaizen-host.bash'; unset PROMPT_COMMAND"),
    "zsh": (["zsh", "-f", "-i"],
            f"PS1=; unsetopt beep; fpath=('{SCRIPTS}' $fpath); autoload -Uz compinit; compinit -D -u"),
    "fish": (["fish", "--no-config", "-i"],
             f"function fish_prompt; end; set -g fish_greeting; source '{SCRIPTS}/kaizen-host.fish'"),
}


class Shell:
    """An interactive shell at a terminal of its own."""

    def __init__(self, name, folder, environment):
        command, setup = START[name]
        self.child, self.screen = pty.fork()
        if self.child == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, environment)
        self.type(f"{setup}\r")
        self.type(f"printf '%s-%s\\n' kaizen shell-is-ready\r")
        self.read_until(READY)

    def type(self, text):
        os.write(self.screen, text.encode())

    def read_until(self, end):
        seen = ""
        while end not in seen:
            if not select.select([self.screen], [], [], 60)[0]:
                raise AssertionError(f"no {end!r} in {seen!r}")
            seen += os.read(self.screen, 65536).decode(errors="replace")
        return seen

    def arguments_of(self, typed):
        """What the program is called with when this line is typed; its last tab may leave a space behind."""
        self.type(f"kaizen-host {typed}\r")
        self.read_until("<end>")
        return pathlib.Path(os.environ["TMPDIR"], "kaizen-arguments").read_text().split("\0")[:-1]

    def close(self):
        os.write(self.screen, b"exit\r")
        try:
            while os.read(self.screen, 65536):
                pass
        except OSError:
            pass
        os.waitpid(self.child, 0)
        os.close(self.screen)


class Completion(HostTest):
    def setUp(self):
        super().setUp()
        other = self.scratch / "other"
        other.mkdir()
        for agent in ("coach", "mentor"):
            self.expect(0, "record", agent, "--success")
        self.expect(0, "-C", other, "record", "guest", "--success")
        (other / "list").mkdir()
        (self.project / "archive.jsonl").touch()
        (self.project / "my report.html").touch()
        bin_folder = self.scratch / "bin"
        bin_folder.mkdir()
        # Answers for the real one, and otherwise writes down what it was called with.
        self.write_program(bin_folder / "kaizen-host",
                           f'[ "$1" = complete ] && exec "{HOST}" "$@"\n'
                           'printf "%s\\0" "$@" >"$TMPDIR/kaizen-arguments"\nprintf "<%s>\\n" end\n')
        self.write_program(bin_folder / "kaizen-unique-tool", "")
        self.environment = clean_environment(self.home, {
            "PATH": f"{bin_folder}:{os.environ['PATH']}", "TERM": "xterm", "COLUMNS": "200", "LINES": "50",
            "TMPDIR": os.environ.setdefault("TMPDIR", str(self.scratch))})

    @staticmethod
    def write_program(path, text):
        path.write_text(f"#!/bin/sh\n{text}")
        path.chmod(0o755)

    def complete(self, *words):
        return [line.split("\t")[0] for line in self.expect(0, "complete", "--", *words).splitlines()]

    def check_shell(self, name):
        if not shutil.which(name):
            self.skipTest(f"{name} is not installed")
        shell = Shell(name, self.project, self.environment)
        try:
            for what, typed, arguments in TYPED:
                with self.subTest(f"{name}: {what}"):
                    self.assertEqual(shell.arguments_of(typed), arguments)
        finally:
            shell.close()

    def test_bash(self):
        self.check_shell("bash")

    def test_zsh(self):
        self.check_shell("zsh")

    def test_fish(self):
        self.check_shell("fish")

    def test_every_command_and_every_option_of_the_help_is_offered(self):
        offered = self.complete("")
        commands = re.findall(r"^  ([a-z0-9-]+) {2,}", self.expect(0, "-h").split("\nUsage\n")[1].split("kaizen-host COMMAND -h")[0], re.M)
        self.assertEqual(set(commands) - set(offered), set())
        common = set(re.findall(r"--[a-z0-9-]+", self.expect(0, "-h").split("Options (")[1].split("Exit")[0]))
        for command in commands:
            text = self.expect(0, command, "-h")
            own = set(re.findall(r"^ +(?:-\w, )?(--[a-z0-9-]+)", text, re.M))
            self.assertEqual((own | common) - set(self.complete(command, "--")), set(), command)

    def test_nothing_is_said_of_a_project_or_a_plugin_that_cannot_be_used(self):
        for arguments in (["-C", "/nonexistent", "show", ""], ["show", ""]):
            result = self.run_host("--plugin", "/nonexistent.so", "complete", "--", *arguments)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))


if __name__ == "__main__":
    missing = [name for name in START if not shutil.which(name)]
    if len(missing) == len(START):
        print("skipped: neither bash nor zsh nor fish is installed")
        sys.exit(77)
    unittest.main()

#!/usr/bin/env python3
"""test_commands.py - every command line on the pages is one that its program takes.

SPDX-License-Identifier: Apache-2.0

Of kaizen-host the command, its options and their values are held to the program's own help, wherever a page shows
them: in a block or within a sentence.  Of ./bootstrap and make it is the mode and the target.  Blocks of shell are
read by a shell, blocks of JSON and Python by their parsers.  What commands print is held by test_console.py.
"""
import functools
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

from shim_support import HOST, clean_environment

TOP = pathlib.Path(os.environ.get("KAIZEN_TEST_SRCDIR") or pathlib.Path(__file__).resolve().parents[2])
PAGES = ("*.md", "docs/*.md", "docs/hosts/*.md", "event-types/*.md", "activity-definitions/*.md")
AUTOMAKE = {"all", "check", "clean", "dist", "distcheck", "distclean", "install", "uninstall", "check-TESTS"}
problems = []


@functools.cache
def help_of(*command):
    """The program's help of a command, or None when there is no such command."""
    with tempfile.TemporaryDirectory() as folder:
        asked = subprocess.run([HOST, "-C", folder, *command, "-h"], env=clean_environment(folder),
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return asked.stdout if asked.returncode == 0 else None


@functools.cache
def options_of(*command):
    """{option: takes a value} of a command's help."""
    found = {}
    for short, long, value in re.findall(r"^ +(?:(-\w)(?: [A-Z]\S*)?, )?(--[a-z0-9-]+)(?:[ =](\S+))?(?: {2,}|$)",
                                         help_of(*command) or "", re.M):
        found[long] = bool(value)
        if short:
            found[short] = bool(value)
    return found


def commands():
    listed = re.findall(r"^  ([a-z-]+) {2,}", help_of(), re.M)
    return {*listed, "help", "metrics"}


def words_of(line):
    """The words of the first command in a line of shell; None: it is not meant to be typed as it stands."""
    if "…" in line or "..." in line:
        line = line.replace("…", "").replace("...", "")
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
        lexer.whitespace_split = True
        words = []
        for word in lexer:
            if set(word) <= set("|&;<>()"):
                break
            words.append(word)
        return words
    except ValueError:
        return None


def check_host_line(where, line):
    words = words_of(line)
    if words is None:
        return
    general, command, own, skip = options_of(), None, {}, False
    for word in words[1:]:
        word = word.rstrip(",.:")
        if skip:
            skip = False
            continue
        if word == "--":
            break
        if word.startswith("-") and len(word) > 1 and not word[1].isdigit():
            name = word.split("=", 1)[0].rstrip("]")
            name = name if name.startswith("--") else name[:2]
            known = {**general, **own}
            if name not in known and name not in ("-h", "--help", "--version"):
                problems.append(f"{where}: '{line}': {command or 'kaizen-host'} has no {name}")
                return
            skip = known.get(name, False) and "=" not in word and not (len(word) > 2 and not word.startswith("--"))
        elif command is None:
            if not re.fullmatch(r"[a-z][a-z-]*", word):
                return  # a name to be put in, a path: no command is shown
            if word not in commands():
                problems.append(f"{where}: '{line}': there is no command {word}")
                return
            command = word
            if command in ("help", "metrics"):
                return
            own = options_of(command)


def check_make_line(where, line):
    makefile = (TOP / "Makefile.am").read_text()
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, re.M)) | AUTOMAKE
    words = words_of(line) or []
    skip = False
    for word in words[1:]:
        if skip or word.startswith("-") or "=" in word:
            skip = word in ("-C", "-f")
            continue
        word = word.rstrip(",.:;")
        if re.fullmatch(r"[a-z][\w-]*", word) and word not in targets:
            problems.append(f"{where}: '{line}': there is no target {word}")


def check_bootstrap_line(where, line):
    words = words_of(line) or []
    modes = re.search(r"usage: \./bootstrap \[([a-z|-]+)\]", (TOP / "bootstrap").read_text()).group(1).split("|")
    if len(words) > 1 and re.fullmatch(r"[a-z]+", words[1]) and words[1] not in modes:
        problems.append(f"{where}: '{line}': ./bootstrap has no {words[1]}")


CHECKS = {"kaizen-host": check_host_line, "make": check_make_line, "./bootstrap": check_bootstrap_line}


def check_line(where, line):
    """A line may begin with a prompt, variables and sudo; a command after a pipe or && counts as well."""
    count = 0
    for part in re.split(r"(?:\||&&|;|\bsudo\b)\s*", line):
        part = re.sub(r"^(?:\$ )?(?:[A-Z_]+=\S* +)*", "", part.strip())
        program = part.split(" ", 1)[0]
        if program in CHECKS:
            CHECKS[program](where, part)
            count += 1
    return count


def check_block(where, language, text):
    if language == "json":
        for line in [text] if text.lstrip().startswith(("{\n", "[\n")) else text.splitlines():
            try:
                json.loads(line)
            except ValueError as error:
                problems.append(f"{where}: a block of JSON: {error}")
    elif language == "python":
        try:
            if not text.lstrip().startswith(">>>"):
                compile(text, where, "exec")
        except SyntaxError as error:
            problems.append(f"{where}: a block of Python: {error}")
    elif language in ("sh", "bash"):
        read = subprocess.run([language, "-n"], input=text, text=True, stderr=subprocess.PIPE, check=False)
        if read.returncode:
            problems.append(f"{where}: a block of shell: {read.stderr.strip()}")


def check_page(page):
    where, text, count = str(page.relative_to(TOP)), page.read_text(), 0
    for language, block in re.findall(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", text, re.M | re.S):
        check_block(where, language, block)
        if language in ("", "sh", "bash", "console"):
            joined = re.sub(r"\\\n\s*", " ", block)
            shown = re.findall(r"^ *\$ (.*)$", joined, re.M) if language == "console" else joined.splitlines()
            count += sum(check_line(where, line.split(" #")[0]) for line in shown)
    if "```console" in text and f'"{where}"' not in (TOP / "tests" / "docs" / "test_console.py").read_text():
        problems.append(f"{where}: no test types its ```console blocks: name the page in test_console.py")
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S)
    return count + sum(check_line(where, " ".join(code.split())) for code in re.findall(r"`([^`]+)`", prose))


def main():
    count = sum(check_page(page) for pattern in PAGES for page in sorted(TOP.glob(pattern)))
    for text in problems:
        print(f"test_commands: {text}")
    if not problems:
        print(f"test_commands: {count} command lines are ones that their programs take")
    return 1 if problems or count < 100 else 0


if __name__ == "__main__":
    sys.exit(main())

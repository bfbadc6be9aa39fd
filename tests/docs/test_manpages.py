#!/usr/bin/env python3
"""test_manpages.py - the manual pages are well formed, name all there is, and show what comes.

SPDX-License-Identifier: Apache-2.0

Usage: test_manpages.py [--update]

mandoc and groff have nothing to say about them.  kaizen-host(1) has every command, option and value of the
program's own help, and no other; kaizen-host.json(5) every setting of the plugin's schema, with its default and
range.  The sessions in kaizen-host(1) are typed; with --update the page gets what came.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from shim_support import HOST, clean_environment, others_environment

TOP = pathlib.Path(os.environ.get("KAIZEN_TEST_SRCDIR") or pathlib.Path(__file__).resolve().parents[2])
MAN = TOP / "docs" / "man"
problems = []


def problem(text):
    problems.append(text)


def ask(*arguments):
    """The program's answer, in a clean surrounding."""
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run([HOST, "-C", folder, *arguments], env=clean_environment(folder), check=True,
                              stdout=subprocess.PIPE, text=True).stdout


def check_form(page):
    """What mandoc and groff have to say, except for manuals that are not installed here."""
    said = []
    if shutil.which("mandoc"):
        lint = subprocess.run(["mandoc", "-Tlint", page], env=others_environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        said += [line for line in lint.stdout.splitlines()
                 if "referenced manual not found" not in line and "outdated mandoc.db" not in line]
    if shutil.which("groff"):
        groff = subprocess.run(["groff", "-mdoc", "-ww", "-z", "-Tutf8", page], env=others_environment(),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        # newer ones also tell of a short line of which they cannot make a full one
        said += [line for line in groff.stdout.splitlines() if "cannot adjust line" not in line]
    for line in said:
        problem(f"{page.name}: {line}")


def sections_of(page):
    """Each command's part of the page, and under None the options of all."""
    text = page.read_text()
    found = {None: text.split(".Ss Options of every command")[1].split(".Sh COMMANDS")[0]}
    for part in text.split(".Sh COMMANDS")[1].split("\n.Sh ")[0].split("\n.Ss ")[1:]:
        name = part.split()[0]
        found[name] = found.get(name, "") + "\n.Ss " + part
    return found


def options_of_page(section):
    """{--name: (-letter or None, value or None)} of the .It lines."""
    found = {}
    for line in re.findall(r"^\.It Fl (.*)$", section, re.M):
        match = re.fullmatch(r"(?:(\w) (?:Ar \w+ )?, Fl )?-([a-z0-9-]+) ?(.*)", line)
        if not match:
            problem(f"kaizen-host.1: '.It Fl {line}' cannot be read")
            continue
        value = re.sub(r"Op / Ns Ar TARGET", "[/TARGET]", match.group(3))
        value = re.sub(r" ?\bNs ?| ?\b(?:Ar|Cm) ?", "", value).replace(" ", "")
        found[f"--{match.group(2)}"] = (f"-{match.group(1)}" if match.group(1) else None, value or None)
    return found


def options_of_help(text):
    return {long: (short or None, value or None)
            for short, long, value in re.findall(r"^ +(?:(-\w), )?(--[a-z0-9-]+)(?: (\S+))?(?: {2,}|$)", text, re.M)}


def check_options(name, documented, wanted):
    for option, what in wanted.items():
        if option not in documented:
            problem(f"kaizen-host.1: {name}: {option} is missing")
        elif documented[option] != what:
            problem(f"kaizen-host.1: {name}: {option} is {what}, not {documented[option]}")
    for option in documented.keys() - wanted.keys():
        problem(f"kaizen-host.1: {name}: there is no {option}")


def check_commands(page):
    sections = sections_of(page)
    overview = ask("-h")
    commands = re.findall(r"^  ([a-z-]+) {2,}", overview.split("\nUsage\n")[1].split("kaizen-host COMMAND -h")[0], re.M)
    check_options("every command", options_of_page(sections[None]),
                  options_of_help(overview.split("Options (")[1].split("\nExit")[0]))
    for command in commands:
        if command not in sections:
            problem(f"kaizen-host.1: the command {command} is missing")
            continue
        wanted = options_of_help(ask(command, "-h").partition("\nOptions\n")[2])
        documented = options_of_page(sections[command])
        # ".\" options: record": the page refers to that command's for the rest
        other = re.search(r'^\.\\" options: (\S+)$', sections[command], re.M)
        while other:
            section = sections[other.group(1)]
            documented = {**{option: what for option, what in options_of_page(section).items() if option in wanted},
                          **documented}
            other = re.search(r'^\.\\" options: (\S+)$', section, re.M)
        check_options(command, documented, wanted)
    for section in sections.keys() - set(commands) - {None}:
        problem(f"kaizen-host.1: there is no command {section}")


def check_exit_codes(page):
    listed = set(re.findall(r"\d+", " ".join(re.findall(r"^\.It (\d.*)$", page.read_text(), re.M))))
    source = (TOP / "host-shim" / "base" / "exit_code.h").read_text()
    for name, number in re.findall(r"EXIT_CODE_(\w+) = (\d+)", source):
        if number not in listed:
            problem(f"kaizen-host.1: exit status {number} ({name}) is missing")


def check_settings(page):
    text = page.read_text().split(".Ss Settings")[1]
    items = dict(re.findall(r"^\.It Li (\w+) (.*(?:\n(?!\.It |\.El).*)*)", text, re.M))
    settings = json.loads(ask("info", "--schema"))["properties"]
    for name in items.keys() - settings.keys():
        problem(f"kaizen-host.json.5: there is no setting {name}")
    for name, schema in settings.items():
        words = re.sub(r"\s+", " ", re.sub(r"^\.[A-Z][a-z] ", "", items.get(name, ""), flags=re.M))
        if not words:
            problem(f"kaizen-host.json.5: the setting {name} is missing")
        elif "minimum" in schema and f"Pq {schema['minimum']} to {schema['maximum']}" not in words:
            problem(f"kaizen-host.json.5: {name} is from {schema['minimum']} to {schema['maximum']}")
        elif isinstance(schema.get("default"), int) and f"Default: {json.dumps(schema['default'])}" not in words:
            problem(f"kaizen-host.json.5: the default of {name} is {json.dumps(schema['default'])}")
        for word in schema.get("enum", []):
            if f"Li {word}" not in words:
                problem(f"kaizen-host.json.5: {name} can be {word}")


def alike(text):
    """What may differ from run to run made equal; where a long line goes on depends on the length of such a thing."""
    text = re.sub(r"^kaizen-host: warning: events are pending.*\n(    .*\n)*", "", text, flags=re.M)
    for pattern, instead in ((r"\n    ", ""),
                             (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
                             (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
                             (r"\d+(\.\d+)? (ms|s|min)\b", "DURATION"),
                             (r"\"avg_execution_time_s\":[\d.]+", "DURATION")):
        text = re.sub(pattern, instead, text)
    return [re.sub(r"\s+", "", line) for line in text.splitlines()]


def run_sessions(blocks):
    """The blocks as they should read: one shell, in a new project."""
    with tempfile.TemporaryDirectory() as folder:
        project, tools = pathlib.Path(folder, "shop"), pathlib.Path(folder, "bin")
        (project / ".git").mkdir(parents=True)
        tools.mkdir()
        (tools / "kaizen-host").symlink_to(HOST)
        environment = clean_environment(folder, {"LC_ALL": "C", "PATH": f"{tools}:{os.environ['PATH']}"})
        commands = [re.findall(r"^\$ (.*)$", block, re.M) for block in blocks]
        script = "\n".join(f"status=$?; echo '<command>'; (exit $status)\n{command}" for block in commands for command in block)
        came = subprocess.run(["sh"], input=script, cwd=project, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True).stdout
        came = iter(came.replace(folder, "/home/me").replace("127.0.0.1:9", "localhost:4222").split("<command>\n")[1:])
        return ["".join(f"$ {command}\n{next(came)}" for command in block) for block in commands]


def wrapped(text):
    """For a page of 78 columns; a long line goes on further in."""
    lines = []
    for line in text.splitlines():
        while len(line) > 78:
            at = max(line.rfind(" ", 20, 78), line.rfind(",", 20, 77) + 1)
            at = at if at > 20 else 78
            lines.append(line[:at])
            line = "    " + line[at:].lstrip(" ")
        lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def check_sessions(page):
    text = page.read_text()
    stands = [block for block in re.findall(r"^\.Bd -literal\n(.*?)^\.Ed$", text, re.M | re.S) if block.startswith("$")]
    plain = [block.replace("\\e", "\\").replace("\\-", "-") for block in stands]
    came = [wrapped(block) for block in run_sessions([re.sub(r"\n    ", " ", block) for block in plain])]
    for shown, source, real in zip(plain, stands, came):
        if alike(shown) == alike(real):
            continue
        if "--update" in sys.argv:
            text = text.replace(source, real.replace("\\", "\\e"))
        else:
            problem(f"kaizen-host.1: it shows\n{shown}but this comes:\n{real}")
    if "--update" in sys.argv:
        page.write_text(text)


def main():
    for page in sorted(MAN.iterdir()):
        check_form(page)
    check_commands(MAN / "kaizen-host.1")
    check_exit_codes(MAN / "kaizen-host.1")
    check_settings(MAN / "kaizen-host.json.5")
    check_sessions(MAN / "kaizen-host.1")
    for text in problems:
        print(f"test_manpages: {text}")
    if not problems:
        print(f"test_manpages: {len(list(MAN.iterdir()))} pages hold")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

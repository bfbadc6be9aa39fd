#!/usr/bin/env python3
"""test_answers.py - four weeks of an agent that gets worse are played, and docs/answers.md finds each answer in it.

SPDX-License-Identifier: Apache-2.0
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from shim_support import HOST, clean_environment

TOP = pathlib.Path(os.environ.get("KAIZEN_TEST_SRCDIR") or pathlib.Path(__file__).resolve().parents[2])
sys.path.insert(0, str(TOP / "examples"))
import sample_weeks  # noqa: E402

PAGE = TOP / "docs" / "answers.md"
FAILS = ("check",)  # commands of the table whose answer is a status of 1 as well


def alike(text):
    """Times differ from day to day, columns with what stands in them."""
    return " ".join(re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "TIME", text).split())


def main():
    failures = []
    with tempfile.TemporaryDirectory() as scratch:
        project = pathlib.Path(scratch) / "shop"
        project.mkdir()
        environment = clean_environment(scratch)
        environment["PATH"] = f"{pathlib.Path(HOST).parent}:{environment['PATH']}"

        def shell(command, text=None, **more):
            return subprocess.run(["sh", "-c", command], cwd=project, env={**environment, **more}, input=text, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)

        played = shell("kaizen-host replay -q", sample_weeks.lines())
        failures += [f"replay: {played.stderr}"] if played.returncode else []
        (project / "roots").write_text(f"{project}\n")
        rows = re.findall(r"^\| (.+?) \| `(kaizen-host .+?)` \| `(.+?)` \|$", PAGE.read_text(), re.M)
        failures += ["the table has no rows"] if len(rows) < 10 else []
        for question, command, answer in rows:
            done = shell(command)
            expected = 1 if command.split()[1] in FAILS else 0
            if done.returncode != expected or alike(answer) not in alike(done.stdout):
                failures.append(f"{question} {command}: status {done.returncode}, nothing like {answer!r} in\n"
                                f"{done.stdout}{done.stderr}")
        recipe = re.search(r"```sh\n(.*?)```", PAGE.read_text(), re.S).group(1)
        summary = project / "summary.md"
        for more, status, lines in (({"GITHUB_STEP_SUMMARY": str(summary)}, 1, 8), ({}, 1, None)):
            done = shell(recipe, **more)
            told = [line for line in done.stdout.splitlines() if line.startswith("fixer: ")]
            if done.returncode != status or len(told) != 2 or (lines and len(summary.read_text().splitlines()) != lines):
                failures.append(f"the recipe: status {done.returncode}\n{done.stdout}{done.stderr}")
        done = shell(recipe.replace("--all", "coach"))
        failures += [f"the recipe for coach: {done.stdout}{done.stderr}"] if done.returncode else []
    for failure in failures:
        print("FAILED:", failure)
    print(f"{len(rows)} answers looked for")
    return 1 if failures else 0


sys.exit(main())

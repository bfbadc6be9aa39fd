#!/usr/bin/env python3
"""consumer_export.py - the packages of CloudEvents and OpenTelemetry read what `export` writes.

SPDX-License-Identifier: Apache-2.0

consumer-export/read.mjs makes a CloudEvent of each line, which validates it, and has OpenTelemetry's serializer write
the span that a line describes: it must be that line's.  Skipped when node is missing or npm cannot fetch them.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from shim_support import HOST, clean_environment, others_environment

HERE = pathlib.Path(__file__).resolve().parent
RECORDS = [
    {"timestamp": "2026-11-20T10:00:00Z", "agent": "coach", "session_id": "s-1", "execution_time_s": 12.5, "success": True,
     "quality_score": 0.81, "idempotency_key": "k-1", "metadata": {
         "model": "m-1", "cost_usd": 0.25, "input_tokens": 100, "output_tokens": 7, "outcome": "completed",
         "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "tokens": 107},
    {"timestamp": "2026-11-21T10:00:00Z", "agent": "coach", "success": False, "metadata": {"error_type": "\u00fc, \"x\"\n"}},
    {"timestamp": "2026-11-21T10:00:00Z", "agent": "coach", "success": True},
    {"timestamp": "2026-11-21T10:00:00Z", "agent": "coach", "success": True},
]


def install(folder):
    """The reader with its packages, or why it is unavailable."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are not installed"
    shutil.copytree(HERE / "consumer-export", folder)
    os.chmod(folder, 0o755)
    result = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"], cwd=folder,
                            env=others_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    return None if result.returncode == 0 else "npm cannot fetch the packages"


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder, project = pathlib.Path(scratch) / "reader", pathlib.Path(scratch) / "shop"
        missing = install(folder)
        if missing:
            print(f"skipped: {missing}")
            return 77
        project.mkdir()

        def host(*arguments, text=""):
            return subprocess.run([HOST, *arguments], cwd=project, env=clean_environment(scratch), input=text, text=True,
                                  stdout=subprocess.PIPE, check=True).stdout

        host("replay", "-q", text="".join(json.dumps(record) + "\n" for record in RECORDS))
        for style in ("cloudevents", "otlp-json"):
            exported = host("export", "--all", "--format", style)
            # the last one must show that a line that is wrong is found
            for text, fits in ((exported, True), (exported.replace('"source":"/kaizen/shop"', '"source":""').replace('"kind":1', '"kind":"x"'), False)):
                read = subprocess.run(["node", folder / "read.mjs", style], input=text, text=True, env=others_environment(),
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
                if (read.returncode == 0) != fits or (fits and len(read.stdout.splitlines()) != len(RECORDS)):
                    print(f"FAILED: {style}: {'' if fits else 'what is wrong is taken: '}{read.stdout}{read.stderr}")
                    failures += 1
            print(f"ok: {style}: {len(RECORDS)} records")
    return 1 if failures else 0


sys.exit(main())

"""played_sessions.py - sessions of Claude Code as it leaves them, in its own format, from the last days.

SPDX-License-Identifier: Apache-2.0

Each is one of tests/hooks/transcripts with other ids, times and counts; some turns have a tool that failed, and
those of the last days take longer.
"""
import datetime
import json
import pathlib
import random

TRANSCRIPTS = pathlib.Path(__file__).resolve().parents[1] / "hooks" / "transcripts"
NOW = datetime.datetime.now(datetime.timezone.utc)
SESSIONS = 11
FAILED = (3, 8)  # these end by an error of the provider
SLOWER_FROM = 6  # the sessions from here on


def tool_of(answer, number, failed):
    """A tool that the answer used, and what came of it."""
    use = f"toolu_{number}"
    shared = {name: answer[name] for name in ("sessionId", "timestamp", "version", "cwd", "isSidechain")}
    content = [{"type": "tool_use", "id": use, "name": "Bash", "input": {}}]
    yield {**answer, "uuid": f"{use}-call", "message": {**answer["message"], "content": content, "stop_reason": "tool_use"}}
    yield {**shared, "type": "user", "uuid": f"{use}-result", "message": {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": use, "is_error": failed, "content": "exit 1" if failed else "ok"}]}}


def lines_of(name, session, project, chance):
    """The lines of a transcript; a second of it becomes minutes."""
    began, stretch = NOW - datetime.timedelta(hours=13 * (SESSIONS - session)), 150 + 300 * chance.random()
    if session >= SLOWER_FROM:
        stretch *= 4
    first = None
    for number, text in enumerate((TRANSCRIPTS / f"{name}.jsonl").read_text().splitlines()):
        line = json.loads(text.replace("@PROJECT@", str(project)))
        line["sessionId"] = f"00000000-0000-4000-8000-{session:012}"
        if "timestamp" in line:
            time = datetime.datetime.fromisoformat(line["timestamp"].replace("Z", "+00:00"))
            first = first or time
            line["timestamp"] = f"{(began + (time - first) * stretch).isoformat(timespec='milliseconds')[:-6]}Z"
        for id_name in ("uuid", "parentUuid", "promptId"):
            if line.get(id_name):
                line[id_name] = f"{session:08}{line[id_name][8:]}"
        usage = line.get("message", {}).get("usage")
        if usage and usage["output_tokens"] > 0:
            line["message"]["id"] += f"-{session}"
            usage["input_tokens"] = int(4000 + 30000 * chance.random())
            usage["output_tokens"] = int(300 + 3000 * chance.random())
            yield from tool_of(line, f"{session}-{number}", chance.random() < 0.2)
        yield line


def place(home, project):
    """Where Claude Code keeps them."""
    folder = home / ".claude" / "projects" / "-shop"
    folder.mkdir(parents=True)
    chance = random.Random(5)
    for session in range(SESSIONS):
        name = "claude-code-failed" if session in FAILED else "claude-code-two-turns"
        (folder / f"session-{session}.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in lines_of(name, session, project, chance)))

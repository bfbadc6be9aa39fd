"""proof_world.py - the driver's processes, what was told, and what must then be true of a project.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import oracle
from figures import figures  # noqa: F401

AGENT = "coach"
HELD = {"copied": 1}  # marked lines that came with the tree
# Written by hand: not told by anybody, and to be kept whatever their age.
KEPT = {"prune": ["oldmark2", "oldmark3", "oldmark4", "timeless"], "unsynced": []}
BATCH = {"agent0": ["b0", "b3", "b6"], "agent1": ["b1", "b4", "b7"], "agent2": ["b2", "b5"]}


def environment(name):
    value = os.environ.get(name)
    if not value:
        sys.exit(f"{name} is not set: run this by make")
    return value


def work_folder():
    """Memory where there is some: what is on disk is decided by the model, not by this disk."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.mkdtemp(prefix="kaizen-proof-", dir=base)


class Facts:
    """What a transcript says."""

    def __init__(self):
        self.told = {}  # key: code; None while the call is not answered
        self.acked = []
        self.batch = None
        self.repaired = False

    def read(self, line):
        words = line.split(" ")
        if words[0] == "give" and self.told.get(words[2]) not in (0, 1):
            self.told[words[2]] = None
        elif words[0] == "told" and self.told.get(words[2]) not in (0, 1):
            self.told[words[2]] = int(words[3])
        elif words[0] == "acked":
            self.acked.append(words[2])
        elif words[0] == "told-batch":
            self.batch = int(words[1])
        elif words[0] == "told-repair":
            self.repaired = int(words[2]) == 0
        return self

    def copy(self):
        other = Facts()
        other.told, other.acked = dict(self.told), list(self.acked)
        other.batch, other.repaired = self.batch, self.repaired
        return other


class Driver:
    def __init__(self, preload=False, variables=None):
        self.plugin = environment("KAIZEN_TEST_PLUGIN")
        self.program = environment("KAIZEN_PROOF_DRIVER")
        self.variables = dict(os.environ, **(variables or {}))
        if preload:
            self.variables["LD_PRELOAD"] = environment("KAIZEN_PROOF_PRELOAD")
        self.process = subprocess.Popen([self.program, self.plugin], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env=self.variables)

    def ask(self, *words):
        """The lines of the answer, and its last one as (how, number)."""
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline().decode().rstrip("\n")
            if line.startswith("end "):
                return lines, (line.split()[1], int((line.split() + ["0"])[2]))
            if not line and self.process.poll() is not None:
                raise RuntimeError("the driver is gone")
            lines.append(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def fresh(root):
    shutil.rmtree(root, ignore_errors=True)
    os.mkdir(root)


def agent_folder(root, agent=AGENT):
    return os.path.join(root, ".kaizen", "metrics", agent)


def read_bytes(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def keys_of(scenario, facts, agent):
    if agent in BATCH:
        return BATCH[agent]
    return sorted(key for key in facts.told if not key.startswith("old"))


def delivery(lines):
    """The agents of the last delivery report."""
    reports = [line for line in lines if line.startswith("delivery {")]
    if not reports:
        return {}
    return {entry["agent"]: entry for entry in json.loads(reports[-1].split(" ", 1)[1])["agents"]}


def recover(driver, root, fsync, scenario, facts):
    """Real recovery: a new process gives everything again and one more.  Its complaints."""
    wrong = []
    for agent in (BATCH if scenario == "batch" else {AGENT: None}):
        keys = keys_of(scenario, facts, agent)
        lines, end = driver.ask("recover", root, fsync, 0, agent, *keys)
        if end[0] != "done":
            wrong.append(f"recovery ended by {end}")
            continue
        codes = {}
        for line in lines:
            words = line.split(" ")
            if words[0] == "told":
                codes.setdefault(words[2], []).append(int(words[3]))
        wrong += check_codes(agent, facts, codes, scenario)
        wrong += check_log(root, agent, facts, scenario)
        wrong += check_reports(root, agent, facts, scenario, lines)
    return wrong + check_folders(root)


def check_codes(agent, facts, codes, scenario):
    wrong = []
    for key, (code, *_) in ((key, given) for key, given in codes.items() if key != "after"):
        if code not in (0, 1):
            wrong.append(f"{key}: given again after recovery: {code}")
        known = facts.told.get(key) in (0, 1) or (scenario == "batch" and facts.batch == 0)
        if known and code != 1:
            wrong.append(f"promise 1: {key} was told {facts.told.get(key)} and then is not in the log")
    # of a recovery that was killed, a first "after" may stand in the log
    if codes.get("after", [])[1:] != [1] or codes["after"][0] not in (0, 1):
        wrong.append(f"the next record: {codes.get('after')}")
    return wrong


def check_log(root, agent, facts, scenario):
    wrong = []
    log = read_bytes(os.path.join(agent_folder(root, agent), "executions.jsonl"))
    counts = {}
    for record in oracle.read_log(log):
        if record.key is not None:
            counts[record.key] = counts.get(record.key, 0) + 1
        if record.marked and record.key and not record.key.startswith("old") and \
                record.event_id != oracle.key_event_id("proof", agent, record.key):
            wrong.append(f"promise 16: {record.key} has another id: {record.event_id}")
    for key, count in counts.items():
        if count > 1:
            wrong.append(f"promise 10: {count} records of {key}")
    for key in keys_of(scenario, facts, agent) + KEPT.get(scenario, []):
        if key not in counts:
            wrong.append(f"promise 1: no record of {key}")
    if log and not log.endswith(b"\n"):
        wrong.append("promise 5: the last line has no end")
    if scenario == "repair":
        folder = agent_folder(root, agent)
        saved = b"".join(read_bytes(os.path.join(folder, name)) for name in os.listdir(folder)
                         if name.startswith(".salvage"))
        for bad in (b"BAD1", b"BAD2"):
            if bad not in log + saved:
                wrong.append(f"promise 8: {bad} is neither in the log nor saved")
            if facts.repaired and bad in log:
                wrong.append(f"promise 8: {bad} is back in the log")
    return wrong


def check_reports(root, agent, facts, scenario, lines):
    wrong = []
    folder = agent_folder(root, agent)
    records = oracle.read_log(read_bytes(os.path.join(folder, "executions.jsonl")))
    if read_bytes(os.path.join(folder, "summary.json")) != oracle.summary_text(records):
        wrong.append("promise 12: summary.json is not a recount of the log")
    entry = delivery(lines).get(agent)
    if not entry:
        return wrong + ["no delivery report"]
    marked = sum(1 for record in records if record.marked)
    if entry["marked"] != marked or \
            marked != entry["acknowledged"] + entry["pending"] + entry["dead_lettered"]:
        wrong.append(f"promise 13: {entry} with {marked} marked lines")
    there = {record.event_id for record in records}
    acknowledged = sum(1 for event_id in facts.acked if event_id in there)
    if entry["acknowledged"] > acknowledged:
        wrong.append(f"promise 14: {entry['acknowledged']} count as acknowledged, {acknowledged} were")
    if entry["held"] != HELD.get(scenario, 0):
        wrong.append(f"promise 14: {entry['held']} events are held")
    for line in lines:
        if line.startswith("verify {"):
            verdict = json.loads(line.split(" ", 1)[1])
            if verdict["summary"] != "ok" or verdict["checkpoint"] != "ok" or verdict["state"] != "ok":
                wrong.append(f"promise 12: {line}")
    return wrong


def check_folders(root):
    if os.listdir(root) not in ([], [".kaizen"]) or \
            os.listdir(os.path.join(root, ".kaizen")) != ["metrics"]:
        return ["promise 23: something stands outside .kaizen/metrics"]
    return []


def check_reader(root):
    """What a reader may see at any moment that is not power loss."""
    path = os.path.join(agent_folder(root), "summary.json")
    if os.path.exists(path):
        text = read_bytes(path)
        try:
            json.loads(text)
        except ValueError:
            return [f"promise 11: summary.json reads {text[:60]!r}"]
    return []


def snapshot(root):
    """{path: bytes, None for a folder}, relative."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders:
            found[os.path.relpath(os.path.join(folder, name), root)] = None
        for name in files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, root)] = read_bytes(path)
    return found


def materialize(root, state):
    fresh(root)
    for path, content in sorted(state.items()):
        if content is None:
            os.mkdir(os.path.join(root, path), 0o700)
        else:
            fd = os.open(os.path.join(root, path), os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(fd, content)
            os.close(fd)


def write_inodes(root, inodes, path):
    """Which number what stands here had on the disk that it stands for; of logs, where it counts."""
    with open(path, "w", encoding="ascii") as file:
        for name, inode in inodes.items():
            if name.endswith("executions.jsonl"):
                file.write(f"{os.stat(os.path.join(root, name)).st_ino} {inode}\n")


def last_line_at(log):
    """Where the last line begins."""
    return log.rstrip(b"\n").rfind(b"\n") + 1


def shorten(text, limit=300):
    return re.sub(r"\s+", " ", text)[:limit]

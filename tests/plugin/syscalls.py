#!/usr/bin/env python3
"""syscalls.py - the exact system calls of one warm record, and what a reader does under the lock.

SPDX-License-Identifier: Apache-2.0

A record has a budget of a few microseconds, and nearly all of it is system calls.  The lists below are that
budget: a change of one says why in docs/performance.md.  strace counts, between two calls of getppid().
What depends on the time since the record before, and so on the load of the machine, stands in BY_TIME; what
depends on the C library is told by its version.
"""
import ctypes
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from shim_support import LINUX_CALLS

TOP = pathlib.Path(os.environ.get("KAIZEN_TEST_SRCDIR") or pathlib.Path(__file__).parents[2])
PLUGIN = os.environ.get("KAIZEN_TEST_PLUGIN", "")
SKIPPED = 77

ENTER = ["prlimit64"]             # a file size limit would raise SIGXFSZ in the host
LOCK = ["flock .next", "flock .lock", "flock .next"]
SAME_FILES = ["openat2 .kaizen/metrics/coach/executions.jsonl",  # by name, and through no link
              "newfstatat executions.jsonl", "close executions.jsonl", "geteuid",
              "newfstatat .lock",
              "pread64 executions.jsonl"]                        # the last line is the one we folded
APPEND = ["write executions.jsonl", "lseek executions.jsonl"]
SYNC = ["fdatasync executions.jsonl"]
SUMMARY = ["openat .summary.new",
           "pwrite64 .summary.new", "close .summary.new",
           "renameat2 .summary.new", "unlinkat .summary.new"]
UNLOCK = ["flock .lock"]
EVENT_ID = ["getrandom"]
RING = ["newfstatat .doorbell", "write .doorbell"]
FIND_KEY = ["pread64 .index-2"]
READ_LINE = ["pread64 executions.jsonl", "pread64 executions.jsonl"]  # the second finds the log's end
ADD_KEY = ["pwrite64 .index-2"]

OWN = []  # what the process owns, such as its count of descriptors, is not a forked child's
FIND_DOORBELL = ["poll", "openat2 .kaizen/metrics/.doorbell"]
if not LINUX_CALLS:
    OWN = ["getpid"]  # no page says that this is a forked child
    ENTER = OWN + ENTER
    UNLOCK = UNLOCK + OWN
    SAME_FILES = ["openat .kaizen", "openat metrics", "close .kaizen", "openat coach", "close metrics",
                  "newfstatat executions.jsonl", "close coach", "geteuid", "newfstatat .lock",
                  "pread64 executions.jsonl"]
    SUMMARY[3:] = ["renameat .summary.new"]
    EVENT_ID = ["openat /dev/urandom", "read urandom", "close urandom"]
    FIND_DOORBELL = ["poll", "openat .kaizen", "openat metrics", "close .kaizen", "openat .doorbell", "close metrics"]

ACQUIRE = OWN + LOCK + SAME_FILES
BY_TIME = [
    (LOCK, ["flock .lock"]),  # within 200 us of the last time through the turnstile
    (RING, ["write .doorbell"]),  # within a millisecond of the last look at it
    (RING, ["close .doorbell", *FIND_DOORBELL, "newfstatat .doorbell", "geteuid",
            *RING]),          # each second it is looked for by its name
]
LIBRARY = tuple(int(part) for part in os.confstr("CS_GNU_LIBC_VERSION").split()[1].split(".")[:2])
if LIBRARY >= (2, 41):
    BY_TIME.append((EVENT_ID, []))  # the kernel's page of code gives the bytes, where it has one
NOT_YET_ELECTED = "a marked record beside a publisher whose broker is away"
CASES = {
    "a record, fsync never, no event": ({}, None, ENTER + ACQUIRE + APPEND + SUMMARY + UNLOCK),
    "a record, fsync always, no event":
        ({"fsync": "always"}, None, ENTER + ACQUIRE + APPEND + SYNC + SUMMARY + UNLOCK),
    "a record with a key":
        ({}, "key", ENTER + ACQUIRE + FIND_KEY + APPEND + ADD_KEY + SUMMARY + UNLOCK),
    "a duplicate":
        ({}, "again", ENTER + ACQUIRE + FIND_KEY + READ_LINE + UNLOCK),
    "a marked record for a relay":
        ({"emit_event": True, "delivery": "relay"}, None,
         ENTER + EVENT_ID + ACQUIRE + APPEND + SUMMARY + UNLOCK + RING),
    NOT_YET_ELECTED:
        ({"emit_event": True, "nats_url": "nats://127.0.0.1:9"}, None,
         ENTER + EVENT_ID + ACQUIRE + APPEND + SUMMARY + UNLOCK),
}
# Nothing but the log's size is taken down under the lock: recorders wait for that, and no longer.
READER = "a summary that is read while its agent is recorded for"
GIVE_WAY = "clock_nanosleep"  # before the lock: the log was written within a tenth of a second
MEET = "futex"  # the publisher's thread was at the same mutex
READ_LOCKED = ["flock .next", "flock .lock", "flock .next", "newfstatat .lock",
               "newfstatat executions.jsonl", "newfstatat executions.jsonl", "flock .lock"]
TRIES = 20  # a record may meet the publisher of its own process at the lock, and wait
WARM = 5  # records before the one that is counted: far from the 64 after which the checkpoint is stored


def record(case, folder):
    """In the traced process: warms up, then one call between two marks."""
    from kaizen_ctypes import HAS_TIME, Execution, Kaizen, view

    config, key, _ = CASES.get(case, ({}, None, None))
    with Kaizen(PLUGIN, project_root=folder, **config) as kaizen:
        for number in range(WARM + 1):
            text = None if key is None else "again" if key == "again" else f"{key}-{number}"
            execution = Execution(struct_size=ctypes.sizeof(Execution), flags=HAS_TIME, outcome=1, execution_time_s=1.5, agent=view("coach"),
                                  idempotency_key=view(text))
            call, instance, given = kaizen.table.on_execution_end, kaizen.instance, ctypes.byref(execution)
            os.getppid()
            code = call(instance, given, None, None)
            os.getppid()
            if code < 0:
                sys.exit(f"the plugin answered {code}")
        if case == READER:
            read_summary(kaizen)


def read_summary(kaizen):
    """Between two marks, right after a record."""
    from kaizen_ctypes import Str, Summary, view

    table = ctypes.cast(kaizen.table.get_extension(b"kaizen.inspect/1"), ctypes.POINTER(ctypes.c_void_p))
    call = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, Str, ctypes.POINTER(Summary))(table[0])
    summary = Summary(struct_size=ctypes.sizeof(Summary))
    kaizen.record("coach", success=True)
    os.getppid()
    code = call(kaizen.instance, view("coach"), ctypes.byref(summary))
    os.getppid()
    if code != 0:
        sys.exit(f"the plugin answered {code}")


def named(line):
    """`call file` of one line of strace -y."""
    call = re.sub(r"^\d+ +", "", line).split("(", 1)[0]
    call = {"fstat": "newfstatat"}.get(call, call)  # C libraries differ in which one they make of fstat()
    quoted = re.search(r'"([^"]*)"', line) if call in ("openat", "openat2", "newfstatat", "renameat",
                                                         "renameat2", "unlinkat") else None
    file = quoted.group(1) if quoted else ""
    held = re.search(r"\(\d+<([^>]*)>", line)
    if not file and held:
        file = pathlib.Path(held.group(1)).name
    return f"{call} {file}".strip()


def calls_of(case):
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "trace")
        project = os.path.join(folder, "project")
        os.mkdir(project)
        subprocess.run(["strace", "-y", "-o", trace, sys.executable, __file__, "--record", case, project],
                       check=True)
        lines = pathlib.Path(trace).read_text().splitlines()
    marks = [i for i, line in enumerate(lines) if line.startswith("getppid(")]
    return [named(line) for line in lines[marks[-2] + 1:marks[-1]]]


def variants(calls):
    """The list as it stands, and with each part that depends on the time in its other form."""
    found = [calls]
    for part, other in BY_TIME:
        for known in list(found):
            for at in range(len(known) - len(part) + 1):
                if known[at:at + len(part)] == part:
                    found.append(known[:at] + other + known[at + len(part):])
                    break
    return found


def main():
    if sys.argv[1:2] == ["--record"]:
        record(sys.argv[2], sys.argv[3])
        return 0
    if not shutil.which("strace") or subprocess.run(["strace", "-o", os.devnull, "true"],
                                                    stderr=subprocess.DEVNULL).returncode != 0:
        print("skipped: strace is missing or may not trace here")
        return SKIPPED
    failed = 0
    for case, (_, _, expected) in CASES.items():
        for _ in range(TRIES):
            calls = calls_of(case)
            if GIVE_WAY not in calls and MEET not in calls:
                break
        known = calls in variants(expected)
        if case == NOT_YET_ELECTED:  # until the thread's first round another process may be the one that sends
            known = known or calls in variants(expected + RING)
        failed += not known
        print(f"{'ok' if known else 'FAILED'}: {case}: {len(calls)} system calls")
        if not known:
            print(f"  expected {expected}\n  found    {calls}")
    return 1 if failed or not reader_is_short() else 0


def reader_is_short():
    """The lock is asked for once, in line, and given back before anything else is done."""
    calls = calls_of(READER)
    begin = calls.index("flock .next") if "flock .next" in calls else 0
    locked, before = calls[begin:begin + len(READ_LOCKED)], calls[:begin]
    right = locked == READ_LOCKED and sum(call.startswith("flock") for call in calls) == 4
    # a machine so busy that the record was a tenth of a second ago shows nothing about the pause
    print(f"{'ok' if right else 'FAILED'}: {READER}: {len(calls)} system calls"
          f"{'' if GIVE_WAY in before else ', no pause'}")
    if not right:
        print(f"  expected {READ_LOCKED}\n  found    {calls}")
    return right


if __name__ == "__main__":
    sys.exit(main())

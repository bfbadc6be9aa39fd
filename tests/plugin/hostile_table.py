#!/usr/bin/env python3
"""hostile_table.py - every hostile value, name, file, configuration and environment, with what must be answered.

SPDX-License-Identifier: Apache-2.0

Each row is one call of the real plugin or the real kaizen-host in a process of its own.  After each: nothing
outside .kaizen/metrics was made, changed or removed; every line of every log loads in Python; the secret stands
nowhere; and the next record is recorded.  The whole table runs under strace, which lists what the calls opened for
writing, renamed or removed.
  KAIZEN_FIGURES   a file that the figures are appended to, as lines "name value unit"
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from hostile_support import BEGIN, NOBODY, SECRET, World, call_host, call_plugin, configure_text
from hostile_surroundings import CONFIGURATIONS, ENVIRONMENTS, FILES, GOOD, HARMLESS, clean
from hostile_values import JSON, NAMES, STRUCT

REFUSED_FILE = (-66, -3)
HOST_REFUSED = (1, 2, 3, 4, 5)
BAD_NAME = (2, 4)  # a name that reads as an option is a wrong command line


class Table:
    def __init__(self):
        self.world, self.rows, self.wrong, self.texts = World(), 0, 0, []
        self.before = self.world.outside()

    def complain(self, name, text):
        self.wrong += 1
        print(f"WRONG: {name}: {text}")

    def row(self, name, answer, codes, words=()):
        self.rows += 1
        codes = codes if isinstance(codes, tuple) else (codes,)
        if answer.code not in codes:
            self.complain(name, f"answered {answer.code}, not {codes}: {answer.text[:300]!r}")
        for word in words:
            if word not in answer.text:
                self.complain(name, f"{answer.text[:300]!r} does not name {word!r}")
        if answer.code != 0 and not answer.text.strip():
            self.complain(name, "refused without a word")
        if SECRET in answer.text:
            self.complain(name, "tells the secret")

    def settle(self, name):
        """What holds after every row."""
        if self.world.outside() != self.before:
            self.complain(name, "something outside the metrics folder was touched")
            self.before = self.world.outside()
        for log in self.world.logs():
            for line in log.read_bytes().splitlines():
                try:
                    json.loads(line.decode())
                except ValueError:
                    self.complain(name, f"Python cannot read {line[:200]!r}")
            if any(not line for line in log.read_text(errors="replace").splitlines()):
                self.complain(name, "a line that Python splits")

    def goes_on(self, name, config=None):
        answer = call_plugin(self.world, lambda kaizen: kaizen.record("coach", success=True), config)
        if answer.code != 0:
            self.complain(name, f"the next record answers {answer.code}: {answer.text[:300]}")

    # ---- the subjects

    def values(self):
        for name, text, code, words in JSON:
            answer = call_plugin(self.world, lambda kaizen: kaizen.record_json(text() if callable(text) else text))
            self.row(name, answer, code, words)
            self.settle(name)
        for name, given, code, words in STRUCT:
            given = {"agent": "coach", **given}
            answer = call_plugin(self.world, lambda kaizen: kaizen.record(success=True, **given))
            self.row(name, answer, code, words)
            self.settle(name)
        self.goes_on("values")

    def names(self):
        for name, agent in NAMES:
            answer = call_plugin(self.world, lambda kaizen: kaizen.record(agent, success=True))
            self.row(f"agent of {name}", answer, -6, ["agent"])
            self.row(f"agent of {name}, by the host",
                     call_host(self.world, [b"record", agent, b"--success"]), BAD_NAME)
            self.settle(name)
        self.goes_on("names")

    def place(self, place, put):
        path = self.world.project / place
        path.parent.mkdir(parents=True, exist_ok=True)
        os.chmod(self.world.project, 0o755)
        clean(path)
        put(self.world, path)
        return path

    def files(self):
        for places, harmless in ((FILES, False), (HARMLESS, True)):
            for place, kinds in places:
                for kind, put in kinds:
                    self.file(place, kind, put, harmless)

    def file(self, place, kind, put, harmless):
        name = f"{place} is {kind}"
        self.world.reset()
        try:
            path = self.place(place, put)
        except PermissionError as error:
            print(f"SKIP: {name}: only root can make that: {error.strerror}")
            return
        self.before = self.world.outside()
        record = lambda kaizen: kaizen.record("coach", success=True, idempotency_key="k", emit=True)  # noqa: E731
        config = {"delivery": "relay"}
        self.row(name, call_plugin(self.world, record, config), 0 if harmless else REFUSED_FILE,
                 () if harmless else [pathlib.Path(place).name])
        self.row(f"{name}, by the host", call_host(self.world, GOOD), 0 if harmless else HOST_REFUSED,
                 () if harmless else [pathlib.Path(place).name])
        self.settle_links(name)
        clean(path)
        self.before = self.world.outside()
        self.goes_on(name)
        self.world.reset()
        self.before = self.world.outside()

    def settle_links(self, name):
        if self.world.outside() != self.before:
            self.complain(name, "something outside the metrics folder was touched")

    def owners(self):
        if os.geteuid() != 0:
            print("SKIP: only root can record as somebody else")
            return
        self.goes_on("owners")
        record = lambda kaizen: kaizen.record("coach", success=True)  # noqa: E731
        self.row("a project of another user", call_plugin(self.world, record, uid=NOBODY), REFUSED_FILE)
        os.chown(self.world.project, NOBODY, NOBODY)
        self.row("a tree of another user below one's own root", call_plugin(self.world, record, uid=NOBODY),
                 REFUSED_FILE)
        self.world.reset()
        os.chmod(self.world.project, 0o555)
        self.row("a root that is read-only", call_plugin(self.world, record, uid=NOBODY), REFUSED_FILE)
        os.chmod(self.world.project, 0o755)
        os.chown(self.world.project, 0, 0)
        self.before = self.world.outside()

    def settings(self):
        root = str(self.world.project).encode()
        for name, text, words in CONFIGURATIONS:
            self.row(f"configuration: {name}", configure_text(self.world, text.replace(b"%ROOT%", root)), -3, words)
            self.settle(name)
            if self.world.metrics.exists() and not self.world.logs():
                self.complain(name, "configure() wrote something")
        for name, variables, status, words in ENVIRONMENTS:
            self.row(name, call_host(self.world, [*GOOD, "--time", "1.5"], variables), status, words)
            self.settle(name)
        self.goes_on("settings")

    def secrets(self):
        creds = self.world.home / "user.creds"
        creds.write_text(f"-----BEGIN NATS USER JWT-----\n{SECRET}\n------END NATS USER JWT------\n")
        key = self.world.home / "client.key"
        key.write_text(f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n")
        self.before = self.world.outside()
        url = f"nats://user:{SECRET}@127.0.0.1:9"

        def work(kaizen):
            kaizen.record("coach", success=True, idempotency_key="secret")
            kaizen.flush(300)

        for name, config in (("a secret in nats_url", {"nats_url": url}),
                             ("a secret in the second url", {"nats_url": f"nats://127.0.0.1:9,{url}"}),
                             ("a secret alone as user", {"nats_url": f"nats://{SECRET}@127.0.0.1:9"}),
                             ("a secret in nats_creds", {"nats_creds": str(creds)}),
                             ("a secret in nats_key", {"nats_cert": str(key), "nats_key": str(key)})):
            self.row(name, call_plugin(self.world, work, {"emit_event": True, **config}), 0)
            self.settle(name)
        for arguments in (["status"], ["status", "-o", "json"], ["doctor"], ["doctor", "-o", "json"],
                          ["config", "show"], ["config", "show", "-o", "json"], ["broker", "check"],
                          ["broker", "check", "-o", "json"], ["drain", "-t", "0.2"], [*GOOD, "--emit-event", "--wait", "0.2"],
                          ["config", "get", "nats_url"], ["verify", "coach"]):
            answer = call_host(self.world, arguments, {"NATS_URL": url})
            self.row(f"a secret in NATS_URL: {' '.join(arguments)}", answer, tuple(range(8)))
            self.settle("secrets")
        if SECRET.encode() in self.world.texts():
            self.complain("secrets", "a file of the project holds it")
        self.goes_on("secrets")

    def run(self):
        for subject in (self.values, self.names, self.settings, self.secrets, self.files, self.owners):
            subject()
        self.world.remove()
        figures = f"hostile_inputs {self.rows} inputs\nhostile_wrong {self.wrong} answers\n"
        print(f"{self.rows} inputs, {self.wrong} wrong answers")
        if os.environ.get("KAIZEN_FIGURES") and not self.wrong:
            with open(os.environ["KAIZEN_FIGURES"], "a") as out:
                out.write(figures)
        return 1 if self.wrong or self.rows < 150 else 0


# ---- what the calls wrote, by the trace ---------------------------------------------------------------

CALLS = "trace=openat,openat2,open,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat," \
        "symlink,symlinkat,mknod,mknodat,truncate,chmod,fchmodat,chown,fchownat,utimensat,newfstatat,stat,execve," \
        "clone,clone3,fork,vfork"
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")
NOT_FILES = re.compile(r'"(/dev/(null|shm/sem\.|tty)|/proc/)')


def trace_complaints(trace):
    """Lines in which a call wrote outside a .kaizen/metrics folder, and how many it wrote inside."""
    callers, bad, inside = set(), [], 0
    for line in open(trace, errors="replace"):
        found = re.match(r"(\d+) +(\w+)\((.*)", line)
        if not found:
            continue
        pid, call, rest = found.groups()
        if BEGIN in rest or (call == "execve" and "kaizen-host" in rest):
            callers.add(pid)
        if call in ("clone", "clone3", "fork", "vfork"):
            child = re.search(r"= (\d+)", rest)
            if child and pid in callers:
                callers.add(child.group(1))
        if pid not in callers or call in ("newfstatat", "stat", "execve", "clone", "clone3", "fork", "vfork") \
                or re.search(r"= -1 ", rest) or (call.startswith("open") and not WRITES.search(rest)) \
                or NOT_FILES.search(rest):
            continue
        # strace -y shows what a folder's descriptor is: <.../.kaizen/metrics/coach>, "summary.json"
        paths = re.findall(r'(?:<([^>]*)>, )?"([^"]*)"', rest)
        whole = [os.path.normpath(os.path.join(folder, name)) for folder, name in paths]
        if whole and all("/.kaizen/metrics" in path or path.endswith("/.kaizen") for path in whole):
            inside += 1
        else:
            bad.append(line.strip()[:200])
    return bad, inside


def main():
    if "--run" in sys.argv:
        return Table().run()
    strace = shutil.which("strace")
    if not strace or subprocess.run([strace, "-o", os.devnull, "true"], stderr=subprocess.DEVNULL).returncode != 0 \
            or "LD_PRELOAD" in os.environ:
        print("SKIP: no trace: strace is missing, may not trace here, or a sanitizer is in the way")
        return Table().run()
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "trace")
        result = subprocess.run([strace, "-f", "-y", "-s", "300", "--seccomp-bpf", "-e", CALLS, "-e", "signal=none",
                                 "-o", trace, sys.executable, "-B", __file__, "--run"]).returncode
        bad, inside = trace_complaints(trace)
    for line in bad[:20]:
        print(f"WRONG: written outside: {line}")
    print(f"{inside} writes by the calls, {len(bad)} outside of .kaizen/metrics")
    return 1 if result or bad or inside < 100 else 0


if __name__ == "__main__":
    sys.exit(main())

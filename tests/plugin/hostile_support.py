# hostile_support.py - what the hostile table runs on: a project beside a tree that nobody may touch, and one call.
#
# SPDX-License-Identifier: Apache-2.0
import ctypes
import hashlib
import json
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
import traceback

from shim_support import HANGS_S, HOST, PLUGIN, clean_environment

import kaizen_ctypes

BEGIN = "/hostile-call-begins"  # a stat of it marks, in a trace, the process that makes a call
SECRET = "s3cr3t-canary-7f31"
NOBODY = 65534


class Answer:
    """What a call said: a result code or an exit status, and every text that came out of it."""

    def __init__(self, code, text):
        self.code, self.text = code, text


class World:
    def __init__(self):
        # Kept open to others, so that a call can be made as another user.
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="kaizen-hostile-"))
        self.top.chmod(0o755)
        self.project, self.home, self.canary = self.top / "shop", self.top / "home", self.top / "canary"
        for folder in (self.project, self.home, self.canary, self.canary / "folder"):
            folder.mkdir()
        for name in ("file", "folder/file", "executions.jsonl", "summary.json", ".lock"):
            (self.canary / name).write_text("not yours\n")
        self.metrics = self.project / ".kaizen" / "metrics"
        self.folder = self.metrics / "coach"

    def reset(self):
        for path in (self.project / ".kaizen", self.metrics):
            if path.is_symlink() or path.is_file():
                path.unlink()
        shutil.rmtree(self.project / ".kaizen", ignore_errors=True)

    def remove(self):
        shutil.rmtree(self.top, ignore_errors=True)

    def outside(self):
        """Everything but what lies below .kaizen/metrics, as it is to the byte; links are not followed."""
        seen = {}
        for folder, folders, files in os.walk(self.top):
            for name in folders + files:
                path = pathlib.Path(folder, name)
                if self.metrics in path.parents or path in (self.metrics, self.project / ".kaizen"):
                    continue
                at = path.lstat()
                kept = hashlib.sha1(path.read_bytes()).hexdigest() if stat.S_ISREG(at.st_mode) else None
                # .kaizen itself is made in the project; a name of ours that was a hard link may go
                seen[str(path)] = (at.st_mode, at.st_uid, kept, at.st_mtime_ns if path != self.project else None)
        return seen

    def logs(self):
        return [path for path in self.metrics.glob("*/executions.jsonl") if path.is_file() and not path.is_symlink()]

    def texts(self):
        """The content of every file of the project."""
        return b"".join(path.read_bytes() for path in self.project.rglob("*") if path.is_file())


def in_child(work, uid=None):
    """Runs work() in a process of its own, so that a trace tells it from what the test does itself, and a crash
    costs one row."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if uid is not None:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            os.path.exists(BEGIN)
            answer = work()
            os.write(writing, json.dumps([answer.code, answer.text]).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, ended = os.waitpid(child, 0)
    if ended != 0 or not said:
        return Answer(f"ended with {ended}", "")
    return Answer(*json.loads(said))


def call_plugin(world, call, config=None, uid=None, environment=None):
    """call(kaizen) on a running instance; the code is that of the first call that failed."""
    def work():
        surroundings = clean_environment(world.home, environment)
        os.environ.clear()
        os.environ.update(surroundings)
        texts = []
        code = 0
        try:
            settings = {"project_root": str(world.project), **(config or {})}
            with kaizen_ctypes.Kaizen(PLUGIN, log=lambda level, number, text: texts.append(text), log_level=7,
                                      **settings) as kaizen:
                try:
                    call(kaizen)
                finally:
                    texts.append(kaizen.stats().publisher_reason.decode())
        except kaizen_ctypes.KaizenError as error:
            code = error.code
            texts.append(error.reason)
        return Answer(code, "\n".join(texts))
    return in_child(work, uid)


def configure_text(world, text):
    """The code of configure() for text as it is, and what last_error says."""
    def work():
        entry = ctypes.CDLL(PLUGIN).kaizen_plugin_v1
        entry.restype = ctypes.POINTER(kaizen_ctypes.Plugin)
        table = entry().contents
        host = kaizen_ctypes.Host(struct_size=ctypes.sizeof(kaizen_ctypes.Host), abi_version=1 << 16)
        instance, reason = ctypes.c_void_p(), ctypes.create_string_buffer(1024)
        table.create(ctypes.byref(host), ctypes.byref(instance))
        code = table.configure(instance, text, len(text))
        table.last_error(instance, reason, len(reason))
        table.destroy(instance)
        return Answer(code, reason.value.decode())
    return in_child(work)


def call_host(world, arguments, environment=None, stdin=b"", cwd=None, uid=None):
    def work():
        surroundings = clean_environment(world.home, environment)
        result = subprocess.run([HOST, *arguments], input=stdin, cwd=cwd or world.project, timeout=HANGS_S,
                                env={name: value for name, value in surroundings.items() if value is not None},
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return Answer(result.returncode, (result.stdout + result.stderr).decode(errors="replace"))
    return in_child(work, uid)

# shim_support.py - what the tests of kaizen-host share: a clean project, a clean environment, one call.
#
# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import unittest

from ports import free_ports

HOST = os.environ["KAIZEN_TEST_HOST"]
PLUGIN = os.environ["KAIZEN_TEST_PLUGIN"]
MOCKS = pathlib.Path(os.environ["KAIZEN_TEST_MOCKS"])

# False after configure --without-linux-calls.
LINUX_CALLS = "#define KAIZEN_LINUX_CALLS 0" not in pathlib.Path(
    os.environ["KAIZEN_TEST_BUILDDIR"], "build_config.h").read_text()

# Nobody listens there: port 9 of the loopback is not given out, and nothing here starts a server on it.
NO_BROKER = "nats://127.0.0.1:9"
HANGS_S = 200  # what takes longer hangs; no measure of anything
BROKER_INIT = ("broker", "init", "--timeout", "100")  # a busy server answers late


def clean_environment(home, extra=None):
    """What a test runs under: nothing of the caller's that the host or the plugin would read."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "KAIZEN_PLUGIN_PATH": str(pathlib.Path(PLUGIN).parent),
        "NATS_URL": NO_BROKER,
    }
    for name in ("LD_PRELOAD", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
        if name in os.environ:
            environment[name] = os.environ[name]
    environment.update(extra or {})
    return environment


def others_environment():
    """For programs that are not ours: without the sanitizer that a test of ours may run under."""
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def slowed(command, calls, milliseconds):
    """The command with each of the system calls taking that much longer; SkipTest where nothing may be traced.  Leak
    checking cannot be done under a tracer."""
    if "LD_PRELOAD" in os.environ:
        raise unittest.SkipTest("not under a sanitizer")
    tracer = ["strace", "-D", "-f", "-qq", "-o", os.devnull]
    if not shutil.which("strace") or subprocess.run([*tracer, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        raise unittest.SkipTest("strace is missing or may not trace here")
    return [*tracer, "-e", f"trace={calls}", "-e", f"inject={calls}:delay_enter={milliseconds * 1000}", *command]


class HostTest(unittest.TestCase):
    """A project folder and a home folder of its own for each test; self.run_host() calls the program."""

    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="kaizen-shim-"))
        self.home = self.scratch / "home"
        self.project = self.scratch / "shop"
        self.home.mkdir()
        self.project.mkdir()

    def tearDown(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def host_command(self, *arguments):
        return [HOST, *(a if isinstance(a, bytes) else str(a) for a in arguments)]

    def run_host(self, *arguments, stdin="", env=None, cwd=None, stdout=subprocess.PIPE):
        return subprocess.run(
            self.host_command(*arguments),
            input=stdin if isinstance(stdin, bytes) else stdin.encode(),
            cwd=cwd or self.project,
            env=clean_environment(self.home, env),
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=HANGS_S,
        )

    def expect(self, status, *arguments, **options):
        """Runs, holds the exit status to what is expected, answers standard output."""
        result = self.run_host(*arguments, **options)
        self.assertEqual(result.returncode, status, (arguments, result.stdout, result.stderr))
        return result.stdout.decode()

    def messages(self, status, *arguments, **options):
        """The same, answering standard error."""
        result = self.run_host(*arguments, **options)
        self.assertEqual(result.returncode, status, (arguments, result.stdout, result.stderr))
        return result.stderr.decode()

    def log(self, agent):
        return self.project / ".kaizen" / "metrics" / agent / "executions.jsonl"

    def lines(self, agent):
        return self.log(agent).read_text().splitlines()

    def tree(self):
        """Every file of project and home with its bytes: to show that nothing was written."""
        return {
            str(path.relative_to(self.scratch)): path.read_bytes() if path.is_file() else None
            for top in (self.project, self.home)
            for path in sorted(top.rglob("*"))
        }

    def write_config(self, text, name="host.json"):
        path = self.scratch / name
        path.write_text(text)
        return path


class Broker:
    """A nats-server with JetStream of its own: on the loopback, a free port, a store below `folder`."""

    def __init__(self, folder, config=""):
        self.folder = folder
        self.config = folder / "nats.conf"
        self.config.write_text(config)
        self.port = free_ports(1)[0]
        self.url = f"nats://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.folder / "store"),
             "-c", str(self.config)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for line in self.process.stderr:
            if b"Server is ready" in line:
                break
        else:
            raise RuntimeError("nats-server did not start")
        # Its log goes on; somebody has to take it.
        self.reader = threading.Thread(target=self.process.stderr.read, daemon=True)
        self.reader.start()
        return self

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.reader.join()
            self.process.stderr.close()
        self.process = None

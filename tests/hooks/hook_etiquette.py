# hook_etiquette.py - the manners of a hook, for each host: status 0, nothing on standard output, over in time, whatever
# it is given and whatever is missing; the record comes first.
#
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import time
import unittest

from hook_fixtures import all_fixtures
from hook_support import ENDS, HOSTS, LATE_TEXTS, STARTS, HookTest, plugin_options
from shim_support import clean_environment

TOP = pathlib.Path(__file__).parents[2]
BOUND = 16 * 1024 * 1024  # of a payload


class Etiquette(HookTest):
    def setUp(self):
        super().setUp()
        self.state_dir = self.scratch / "state"

    def bare_options(self):
        return (*plugin_options(), "hook")

    def ill_mannered(self, *defects):
        """A plugin with that defect."""
        plugin = self.scratch / f"{'_'.join(defects) or 'sound'}.so"
        subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-shared", "-fPIC", "-I", str(TOP / "include"),
                        *(f"-D{defect}" for defect in defects), "-o", str(plugin),
                        str(TOP / "tests" / "shim" / "mock_ill_mannered.c")], check=True)
        return plugin

    def start(self, *arguments, **options):
        options = {"cwd": self.project, "env": clean_environment(self.home), "stdin": subprocess.PIPE,
                   "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(self.host_command(*arguments), **options)

    def end(self, process, payload=b""):
        out, err = process.communicate(payload)
        self.assertEqual((process.returncode, out, err), (0, b"", b""))

    def test_what_no_host_should_send_changes_nothing_for_it(self):
        for host in (*HOSTS, "auto"):
            for fixture in all_fixtures("hostile"):
                with self.subTest(host, fixture=fixture):
                    payload = self.payload(fixture)
                    if host == "codex-notify" and b"\0" in payload:
                        continue  # no argument has one
                    self.fire(host, payload)

    def test_a_payload_cut_anywhere_changes_nothing_for_the_host(self):
        for host, fixture in ENDS.items():
            payload = self.payload(fixture)
            for length in range(0, len(payload), max(1, len(payload) // 12)):
                with self.subTest(host, length=length):
                    self.fire(host, payload[:length])

    def test_another_hosts_payload_is_no_accident(self):
        for host in HOSTS:
            for other, fixture in ENDS.items():
                if other != host:
                    with self.subTest(host, other=other):
                        self.fire(host, self.payload(fixture))

    def test_a_large_answer_is_no_reason_to_lose_the_turn(self):
        payload = self.payload("claude-code/stop.json", last_assistant_message="x" * (8 * 1024 * 1024))
        self.fire("claude-code", payload)
        self.assertEqual(self.record()["agent"], "claude-code")

    def test_a_payload_beyond_the_bound_is_read_to_its_end(self):
        payload = self.payload("claude-code/stop.json", last_assistant_message="x" * (BOUND + 3_000_000))
        process = self.start("hook", "claude-code")
        process.stdin.write(payload)  # would raise when the pipe broke before everything was taken
        process.stdin.flush()
        self.end(process)
        self.assertEqual(self.records(), [])
        self.assertIn("larger than 16 MiB", self.hook_log())

    def test_standard_input_that_is_never_closed_does_not_hold_the_host_up(self):
        process = self.start("hook", "claude-code")
        process.stdin.write(self.payload("claude-code/stop.json"))
        process.stdin.flush()
        self.assertEqual(process.wait(), 0)
        self.assertEqual((process.stdout.read(), process.stderr.read()), (b"", b""))
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()
        self.assertEqual(self.record()["agent"], "claude-code")

    def test_nothing_on_standard_input_is_nothing(self):
        process = self.start("hook", "claude-code")
        self.assertEqual(process.wait(), 0)
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()
        self.assertEqual(self.records(), [])

    def test_closed_standard_descriptors_are_not_taken_for_files(self):
        command = " ".join(shlex.quote(word) for word in self.host_command("hook", "claude-code"))
        (self.scratch / "payload").write_bytes(self.payload("claude-code/stop.json"))
        for closed in ("1>&-", "2>&-", "1>&- 2>&-", "0<&-", "0<&- 1>&- 2>&-"):
            with self.subTest(closed):
                source = "" if "0<&-" in closed else f" <{shlex.quote(str(self.scratch / 'payload'))}"
                result = subprocess.run(["sh", "-c", f"{command}{source} {closed}"], cwd=self.project,
                                        env=clean_environment(self.home), capture_output=True)
                self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))
        self.assertEqual(len(self.records()), 1, self.hook_log())
        # No line of the log went into the record's file, nor the other way round.
        json.loads(self.log("claude-code").read_text())

    def test_the_environment_may_be_empty_and_the_working_directory_anywhere(self):
        for host, fixture in ENDS.items():
            with self.subTest(host):
                project = self.scratch / f"project-{host}"
                (project / ".git").mkdir(parents=True)
                payload = self.payload(fixture).replace(str(self.project).encode(), str(project).encode())
                command, stdin, _ = self.hook_call(host, payload, "--state-dir", self.state_dir)
                command[1:1] = plugin_options()
                cwd = project if host in ("goose", "windsurf") else "/"
                result = subprocess.run(command, input=stdin or b"", cwd=cwd, env={}, capture_output=True)
                self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))
                self.assertEqual(len(self.records(project)), 1, (self.state_dir / "hook.log").read_text())

    def test_without_HOME_the_users_own_folder_is_used(self):
        """A preloaded getpwuid() says where that is, so that the test stays in its own."""
        library = self.scratch / "passwd.so"
        source = self.scratch / "passwd.c"
        source.write_text("#include <pwd.h>\n#include <unistd.h>\nstruct passwd *getpwuid(uid_t uid);\n"
                          "struct passwd *getpwuid(uid_t uid) { static struct passwd user; user.pw_uid = uid;\n"
                          f"  user.pw_dir = (char *)\"{self.home}\"; return &user; }}\n")
        subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-shared", "-fPIC", "-o", str(library), str(source)],
                       check=True)
        preload = {"LD_PRELOAD": ":".join(filter(None, [os.environ.get("LD_PRELOAD"), str(library)]))}
        for home in ({}, {"HOME": ""}, {"HOME": "relative"}):
            with self.subTest(home):
                command = self.host_command(*self.bare_options(), "claude-code")
                for fixture in (STARTS["claude-code"], ENDS["claude-code"]):
                    result = subprocess.run(command, input=self.payload(fixture), cwd="/", env={**preload, **home},
                                            capture_output=True)
                    self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))
        self.assertGreaterEqual(len(self.records()), 1)
        self.assertTrue((self.state / "turns").is_dir())

    def test_a_wrong_command_line_is_no_decision(self):
        for arguments in (["hook"], ["hook", "claude-code", "--no-such-option"], ["hook", "no-such-host"],
                          ["hook", "claude-code", "--aborted", "perhaps"], ["-o", "json", "hook", "claude-code", "--bad"],
                          ["hook", "claude-code", "--agent"]):
            with self.subTest(arguments):
                result = self.run_host(*arguments, stdin=self.payload(ENDS["claude-code"]))
                self.assertEqual((result.returncode, result.stdout), (0, b""))

    def test_what_is_missing_is_told_to_the_log_alone(self):
        end = ENDS["claude-code"]
        (self.scratch / "bad.json").write_text("{")
        (self.scratch / "file").write_text("")
        blocked = self.scratch / "blocked"
        (blocked / ".git").mkdir(parents=True)
        (blocked / ".kaizen").write_text("a file where a folder belongs")
        cases = {
            "no plugin": (["--plugin", "/nowhere/kaizen_metrics.so"], "/nowhere/kaizen_metrics.so"),
            "no plugin, but a file": (["--plugin", self.scratch / "bad.json"], ""),
            "no configuration": (["--config", "/nowhere/host.json"], "host.json"),
            "broken configuration": (["--config", self.scratch / "bad.json"], "bad.json"),
            "unknown setting": (["--set", "no_such_key=1"], "no_such_key"),
            "no project": (["-C", "/"], ""),
            "a project that cannot be written": (["-C", blocked], ""),
        }
        for name, (options, said) in cases.items():
            with self.subTest(name):
                result = self.run_host(*options, "hook", "claude-code", stdin=self.payload(end))
                self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))
                last = self.hook_log().splitlines()[-1]
                self.assertIn("NOT RECORDED", last)
                self.assertIn(said, last)
        self.assertEqual(self.records(), [])

    def test_without_a_place_for_its_state_a_turn_is_recorded_all_the_same(self):
        (self.scratch / "file").write_text("")
        self.fire("claude-code", ENDS["claude-code"], "--state-dir", self.scratch / "file" / "below")
        self.assertNotIn("idempotency_key", self.record())
        self.assertNotIn("execution_time_s", self.record())

    def test_a_full_disk_is_no_decision(self):
        process = self.start("hook", "claude-code",
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
        self.end(process, self.payload(ENDS["claude-code"]))
        self.assertEqual(self.records(), [])

    def test_a_signal_of_the_host_ends_it_quietly_and_costs_no_record(self):
        payload = self.payload(ENDS["claude-code"])
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number):
                shutil.rmtree(self.state, ignore_errors=True)
                shutil.rmtree(self.project / ".kaizen", ignore_errors=True)
                process = self.start("hook", "claude-code", "-v")
                process.stdin.write(payload[:40])
                process.stdin.flush()
                # The log is there once both processes are; before that, a signal is the shell's business.
                while not (self.state / "hook.log").exists():
                    pass
                process.send_signal(number)
                self.assertEqual(process.wait(), 0)
                self.end(process, payload[40:])
                while not self.records():  # the worker goes on alone
                    time.sleep(0.01)

    def test_a_host_that_kills_its_hooks_group_does_not_take_the_record_with_it(self):
        payload = self.payload(ENDS["claude-code"])
        process = self.start("hook", "claude-code", "-v", start_new_session=True)
        process.stdin.write(payload[:40])
        process.stdin.flush()
        while not (self.state / "hook.log").exists():
            pass
        os.killpg(process.pid, signal.SIGKILL)
        self.assertEqual(process.wait(), -signal.SIGKILL)
        process.stdin.write(payload[40:])
        process.stdin.close()
        while not self.records():  # the worker has a second; the test's own limit ends it otherwise
            pass
        self.record()
        process.stdout.close()
        process.stderr.close()

    def test_what_tells_these_tests_that_the_machine_was_too_slow_is_what_the_program_says(self):
        sources = "".join(path.read_text() for folder in ("host-shim", "plugin") for path in (TOP / folder).rglob("*.c"))
        self.assertEqual([text for text in LATE_TEXTS if text not in sources], [])

    def test_no_plugin_can_make_it_late_or_loud(self):
        for defect in ("HANGS", "CRASHES", "ABORTS", "EXITS", "TALKS", "HANGS_IN_FLUSH", "HANGS_IN_STOP"):
            with self.subTest(defect):
                process = self.start("--plugin", self.ill_mannered(defect), "hook", "claude-code")
                self.end(process, self.payload(ENDS["claude-code"]))
        log = self.hook_log()
        self.assertEqual(log.count("stopped after 900 ms"), 3, log)
        self.assertEqual(log.count("crashed"), 2, log)

    def test_a_broker_that_is_not_there_or_does_not_answer_costs_no_record(self):
        silent = socket.create_server(("127.0.0.1", 0))
        urls = {"absent": "nats://127.0.0.1:9", "silent": f"nats://127.0.0.1:{silent.getsockname()[1]}"}
        with silent:
            for name, url in urls.items():
                for host, fixture in ENDS.items():
                    with self.subTest(host, broker=name):
                        project = self.scratch / f"{name}-{host}"
                        (project / ".git").mkdir(parents=True)
                        payload = self.payload(fixture).replace(str(self.project).encode(), str(project).encode())
                        self.fire(host, payload, "--emit-event", env={"NATS_URL": url}, cwd=project)
                        records = self.records(project)
                        self.assertEqual([("event_id" in record) for record in records], [True])

    def test_the_log_is_bounded(self):
        log = self.state / "hook.log"
        self.fire("claude-code", b"garbage")
        for _ in range(3):
            log.write_text("x" * 200_000)
            self.fire("claude-code", b"garbage")
        self.assertLess(log.stat().st_size, 4096)
        self.assertEqual(sorted(path.name for path in self.state.glob("hook.log*")), ["hook.log", "hook.log.1"])


if __name__ == "__main__":
    unittest.main()

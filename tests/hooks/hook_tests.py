# hook_tests.py - the project's tests after each turn: when they are started, how apart from the coding agent they run,
# and what is recorded of them.
#
# SPDX-License-Identifier: Apache-2.0
import fcntl
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import time
import unittest

from hook_stubs import STUBS
from hook_support import ENDS, FAILURES, HOSTS, LATE, HookTest
from shim_support import HANGS_S, HOST, PLUGIN, clean_environment, others_environment

HOSTILE = """who="it's"; printf '%s' "$who \\"${HOME}\\" \\\\ & <x> ü" > said; exit 4"""
PROBE = """
import json, os, sys
links = {}
for name in os.listdir("/proc/self/fd"):
    try:
        links[name] = os.readlink(f"/proc/self/fd/{name}")
    except FileNotFoundError:
        pass  # the listing's own
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
found = {"links": links, "session": os.getsid(0), "folder": os.getcwd(), "blocked": int(status["SigBlk"], 16),
         "ignored": int(status["SigIgn"], 16), "variable": os.environ.get("GIVEN_BY_THE_HOST")}
json.dump(found, open(sys.argv[1], "w"))
"""


class Tests(HookTest):
    def setUp(self):
        super().setUp()
        (self.project / ".git").mkdir()
        self.processes = []

    def tearDown(self):
        for process in self.processes:
            os.kill(process, signal.SIGKILL)
        super().tearDown()

    def until(self, what):
        """Waits for it, and answers it; a test never measures that time.  What a hook has no time for never comes."""
        end = time.monotonic() + HANGS_S
        while not (result := what()):
            self.assertNotRegex(self.hook_log().encode(), LATE)
            self.assertLess(time.monotonic(), end, self.hook_log())
            time.sleep(0.005)
        return result

    def wait_for(self, gate):
        """For a shell; also over when the test is."""
        return f"until [ -e {gate} ] || [ ! -d {self.scratch} ]; do sleep 0.02; done"

    def text(self, path):
        return path.exists() and path.read_text()

    def runs(self, project=None):
        """The records of all test runs that were started, once they are over."""
        def ended():
            found = [record for record in self.records(project) if "-tests" in record["agent"]]
            return len(found) == self.hook_log().count("tests started as") and self.is_free()
        self.until(ended)
        return [record for record in self.records(project) if "-tests" in record["agent"]]

    def is_free(self):
        """No run has a lock any more."""
        for path in (self.state / "tests").glob("*"):
            with path.open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
        return True

    def stop(self, turn, command, *options, **more):
        self.fire("claude-code", self.payload("claude-code/stop.json", prompt_id=turn), "--test-cmd", command, *options,
                  **more)

    def test_after_a_turn_of_each_host_the_tests_are_a_run_of_that_turn(self):
        for host in HOSTS:
            with self.subTest(host):
                shutil.rmtree(self.project / ".kaizen", ignore_errors=True)
                shutil.rmtree(self.state, ignore_errors=True)
                self.fire(host, ENDS[host], "--test-cmd", "test -e missing", "--metadata", "team=web")
                run, = self.runs()
                turn, = (record for record in self.records() if record != run)
                self.assertEqual(run["agent"], f"{turn['agent']}-tests")
                for name in ("session_id", "idempotency_key"):
                    self.assertEqual(run.get(name), turn.get(name))
                self.assertEqual((run["success"], run["metadata"]),
                                 (False, {"team": "web", "outcome": "failed", "exit_status": 1, "error_type": "exit 1"}))

    def test_a_turn_that_failed_is_followed_by_the_tests_too(self):
        for host, fixture in FAILURES.items():
            with self.subTest(host):
                shutil.rmtree(self.project / ".kaizen", ignore_errors=True)
                shutil.rmtree(self.state, ignore_errors=True)
                self.fire(host, fixture, "--test-cmd", "true")
                self.assertEqual([run["success"] for run in self.runs()], [True])

    def test_the_result_is_the_status_of_the_command(self):
        for turn, command in enumerate(("true", "false", "no-such-program", "exit 7", "( unbalanced", "echo x; echo y >&2")):
            self.stop(f"t{turn}", command)
            self.runs()
        self.assertEqual([run["metadata"].get("error_type") for run in self.runs()],
                         [None, "exit 1", "exit 127", "exit 7", "exit 2", None])
        self.assertEqual([run["success"] for run in self.runs()], [True, False, False, False, False, True])

    def test_tests_that_do_not_end_are_stopped(self):
        self.stop("t1", "sleep 300 & sleep 300; true", "--test-timeout", "0.1")
        run, = self.runs()
        self.assertEqual((run["success"], run["metadata"]["error_type"]), (False, "timeout"))

    def test_a_turn_that_two_hooks_report_is_tested_once(self):
        """One in the user's settings, one with --test-cmd in the project's; whichever comes first."""
        stop = self.payload("claude-code/stop.json", prompt_id="t1")
        self.fire("claude-code", stop)
        self.assertNotIn("tests", self.hook_log())
        for _ in range(2):
            self.fire("claude-code", stop, "--test-cmd", "true")
            self.assertEqual(len(self.runs()), 1)
        self.stop("t2", "true")
        self.fire("claude-code", self.payload("claude-code/stop.json", prompt_id="t2"))
        self.assertEqual(len(self.runs()), 2)
        self.assertEqual(len(self.records()), 4)

    def test_only_a_turn_of_the_main_agent_is_followed_by_tests(self):
        options = ("--test-cmd", "touch ran", "--aborted", "failure")
        for fixture in ("claude-code/subagent-start.json", "claude-code/subagent-stop.json", "claude-code/interrupt.json",
                        "claude-code/session-start-startup.json", "claude-code/user-prompt-submit.json",
                        "claude-code/pre-tool-use.json", "claude-code/session-end-exit.json",
                        "codex/interrupt.json", "codex/subagent-stop.json", "cursor/stop-aborted.json",
                        "cursor/subagent-stop.json", "copilot/subagent-stop.json",
                        "copilot/1.0.102-agent-stop-subagent.json", "copilot/error-recoverable.json",
                        "copilot/session-end-complete.json"):
            self.fire_fixture(fixture, *options)
        # A turn that was never heard of again is recorded when the next one begins, with other files.
        self.fire("codex", self.payload("codex/user-prompt-submit.json", turn_id="lost"), *options)
        self.fire("codex", self.payload("codex/user-prompt-submit.json", turn_id="next"), *options)
        self.assertIn("lost", [record.get("idempotency_key", "").split(":")[-1] for record in self.records()])
        self.assertNotIn("tests", self.hook_log())
        self.assertFalse((self.project / "ran").exists())

    def test_the_tests_are_apart_from_the_coding_agent(self):
        (self.scratch / "probe.py").write_text(PROBE)
        (self.project / "src").mkdir()
        found, gate = self.scratch / "found", self.scratch / "gate"
        payload = self.payload("claude-code/stop.json", cwd=str(self.project / "src"))
        command = f"{shlex.quote(sys.executable)} {self.scratch}/probe.py {found}; {self.wait_for(gate)}"
        with open("/dev/zero", "rb") as file:
            inherited = fcntl.fcntl(file, fcntl.F_DUPFD, 20)
        process = subprocess.Popen(
            self.host_command("hook", "claude-code", "--test-cmd", command), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", start_new_session=True, pass_fds=(inherited,),
            env=clean_environment(self.home, {"GIVEN_BY_THE_HOST": "1"}),
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1}))
        os.close(inherited)
        self.assertEqual(process.communicate(payload, timeout=HANGS_S), (b"", b""))
        self.assertRaises(ProcessLookupError, os.killpg, process.pid, signal.SIGKILL)
        seen = json.loads(self.until(lambda: (text := self.text(found)) and text.endswith("}") and text))
        links = seen.pop("links")
        self.assertEqual({links.pop(name) for name in "012"}, {"/dev/null"})
        self.assertEqual(links, {}, "inherited")
        self.assertNotIn(seen.pop("session"), (process.pid, os.getsid(0)))
        ignored = {number for number in signal.Signals if seen["ignored"] >> (number - 1) & 1}
        self.assertEqual(ignored - {signal.SIGPIPE, signal.SIGXFSZ}, set())  # which Python itself ignores
        del seen["ignored"]
        self.assertEqual(seen, {"folder": str(self.project), "blocked": 0, "variable": "1"})
        gate.touch()
        self.assertEqual([run["success"] for run in self.runs()], [True])

    def test_while_the_tests_run_another_turn_starts_none(self):
        gate, begun = self.scratch / "gate", self.project / "begun"
        command = f"echo >> begun; {self.wait_for(gate)}"
        self.stop("t1", command)
        self.until(lambda: self.text(begun))
        self.stop("t2", command)
        self.assertIn("still running; none started", self.hook_log().splitlines()[-1])
        # Other tests are not these: of another agent, and of another project.
        other = self.scratch / "other"
        (other / ".git").mkdir(parents=True)
        payload = self.payload("claude-code/stop.json", cwd=str(other), prompt_id="t3")
        self.fire("claude-code", payload, "--test-cmd", "true")
        self.stop("t4", "true", "--agent", "reviewer")
        self.until(lambda: self.text(other / ".kaizen/metrics/claude-code-tests/executions.jsonl"))
        self.until(lambda: self.text(self.log("reviewer-tests")))
        gate.touch()
        self.until(lambda: self.text(self.log("claude-code-tests")) and self.is_free())
        self.stop("t5", command)
        self.until(lambda: self.text(self.log("claude-code-tests")).count("\n") == 2)
        self.assertEqual(begun.read_text(), "\n\n")

    def test_a_process_that_the_tests_leave_behind_does_not_count_as_a_run(self):
        left = self.project / "left"
        for turn in ("t1", "t2"):
            left.unlink(missing_ok=True)
            self.stop(turn, "sleep 300 & echo $! > left")
            process = int(self.until(lambda: (text := self.text(left)) and text.endswith("\n") and text))
            self.processes.append(process)
            self.assertEqual({os.readlink(link) for link in pathlib.Path(f"/proc/{process}/fd").iterdir()}, {"/dev/null"})
            self.runs()
        self.assertEqual(len(self.runs()), 2)

    def test_a_coding_agent_in_the_tests_starts_no_tests(self):
        inner = self.scratch / "inner"
        (inner / ".git").mkdir(parents=True)
        payload = self.scratch / "payload"
        payload.write_bytes(self.payload("codex/stop.json", cwd=str(inner)))
        self.stop("t1", f"{shlex.quote(HOST)} hook codex --test-cmd 'touch {inner}/ran' < {payload}")
        self.until(lambda: self.text(self.log("claude-code-tests")))
        self.assertEqual([record["agent"] for record in self.records(inner)], ["codex"])
        self.assertIn("part of a test run; no tests started", self.hook_log())
        self.assertFalse((inner / "ran").exists())

    def test_they_are_recorded_where_and_as_the_turn_is(self):
        other = self.scratch / "other"
        other.mkdir()
        plugin = self.scratch / "folder with blanks" / "kaizen_metrics.so"
        plugin.parent.mkdir()
        shutil.copy(PLUGIN, plugin)
        config = self.write_config(json.dumps({"config": {"project_root": str(other)}}))
        command = self.host_command("--config", config.name, "--plugin", plugin, "--set", "emit_event=true", "hook",
                                    "claude-code", "--test-cmd", "pwd > where")
        result = subprocess.run(command, input=self.payload("claude-code/stop.json"), cwd=self.scratch,
                                env={"HOME": str(self.home), "PATH": os.environ["PATH"]}, capture_output=True)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))
        self.assertIn("tests started as", self.hook_log())
        run, = self.runs(other)
        self.assertIn("event_id", run)
        self.assertEqual((other / "where").read_text(), f"{other}\n")
        self.assertEqual(self.records(), [])

    def test_the_longest_name_of_an_agent_makes_a_legal_one(self):
        for turn, name in (("t1", "a" * 58), ("t2", "a" * 59), ("t3", "a" * 64), ("t4", "b" + "a" * 63)):
            self.stop(turn, "true", "--agent", name)
        self.until(lambda: len(self.records()) == 8)
        runs = [record for record in self.records() if "exit_status" in record["metadata"]]
        self.assertEqual({run["metadata"].get("agent_name", run["agent"]) for run in runs},
                         {f"{'a' * 58}-tests", f"{'a' * 59}-tests", f"{'a' * 64}-tests", f"b{'a' * 63}-tests"})
        self.assertEqual(len({run["agent"] for run in runs}), 4)

    def test_why_they_were_not_started_is_told_to_the_log(self):
        self.state.mkdir(parents=True)
        (self.state / "tests").write_text("a file where a folder belongs")
        self.stop("t1", "touch ran")
        self.assertIn(f"tests NOT STARTED: no lock in {self.state}/tests: Not a directory", self.hook_log().splitlines()[-1])
        self.assertEqual([record["agent"] for record in self.records()], ["claude-code"])

    def test_what_goes_wrong_with_their_record_is_told_to_the_log(self):
        self.stop("t1", f"rm -rf {self.project}/.kaizen/metrics/*; touch {self.project}/.kaizen/x; "
                        f"mv {self.project}/.kaizen/metrics {self.project}/.kaizen/old; touch {self.project}/.kaizen/metrics")
        self.until(lambda: "kaizen-host: not recorded: " in self.hook_log())

    @unittest.skipUnless(shutil.which("git"), "git is not here")
    def test_in_a_linked_work_tree_its_own_files_are_tested(self):
        def git(*arguments):
            environment = {**others_environment(), "HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1"}
            subprocess.run(["git", "-c", "user.email=a@example.org", "-c", "user.name=a", "-C", self.project, *arguments],
                           env=environment, check=True, capture_output=True)
        shutil.rmtree(self.project / ".git")
        (self.project / "part" / "src").mkdir(parents=True)
        (self.project / "part" / "src" / "file").touch()
        git("init", "-q")
        git("add", "part")
        git("commit", "-q", "-m", "first")
        tree = self.scratch / "tree"
        git("worktree", "add", "-q", tree)
        for turn, folder, main, tested in (("t1", "part/src", self.project, tree),
                                           ("t2", "part/src", self.project / "part", tree / "part")):
            (main / ".kaizen").mkdir(exist_ok=True)
            self.fire("claude-code", self.payload("claude-code/stop.json", cwd=str(tree / folder), prompt_id=turn),
                      "--test-cmd", "pwd > where")
            self.until(lambda log=main / ".kaizen/metrics/claude-code-tests/executions.jsonl": self.text(log))
            self.assertEqual((tested / "where").read_text(), f"{tested}\n")


class Installed(Tests):
    """From the settings of each coding agent to the record, whatever the command has in it."""

    def check(self, host):
        if host in ("opencode", "openclaw") and shutil.which("node") is None:
            self.skipTest("node is not installed")
        install = ("--plugin", PLUGIN, "install-hooks", host)
        diff = self.expect(0, *install, "--dry-run", "--test-cmd", HOSTILE)
        self.assertIn("--test-cmd", diff)
        before = self.settings()
        self.expect(0, *install, "--test-cmd", HOSTILE, "--test-timeout", "100")
        STUBS[host](self.home, self.project).session()
        runs = self.runs()
        self.assertGreater(len(runs), 0, self.hook_log())
        self.assertLessEqual({run["agent"] for run in runs}, {f"{name}-tests" for name in self.main_agents(host)})
        self.assertEqual({run["metadata"]["error_type"] for run in runs}, {"exit 4"})
        self.assertEqual((self.project / "said").read_text(), f"it's \"{self.home}\" \\ & <x> ü")
        written = self.settings()
        self.expect(0, *install, "--test-cmd", "another command")
        again = "".join(self.settings().values())
        self.assertIn("another command", again)
        self.assertNotIn("said", again)
        self.expect(0, *install, "--test-cmd", HOSTILE, "--test-timeout", "100")
        self.assertEqual(self.settings(), written)
        self.expect(0, "uninstall-hooks", host)
        self.assertEqual(self.settings(), before)

    def main_agents(self, host):
        return {"codex-notify": ["codex"], "opencode": ["build", "explore"], "openclaw": ["main"]}.get(host, [host])

    def settings(self):
        """Texts of the coding agent's files, of the user and of the project."""
        return {str(path): path.read_text() for top in (self.home, self.project) for path in sorted(top.rglob("*"))
                if path.is_file() and not {".local", ".kaizen", "driver", "said"} & set(path.relative_to(top).parts)}


for name in HOSTS:
    setattr(Installed, f"test_{name.replace('-', '_')}_passes_any_command_on", lambda self, name=name: self.check(name))
for name in [name for name in dir(Tests) if name.startswith("test_")]:
    setattr(Installed, name, None)


class Expanded(HookTest):
    def test_no_coding_agent_finds_a_variable_in_the_command(self):
        for host, settings in (("gemini", ".gemini/settings.json"), ("qwen", ".qwen/settings.json")):
            self.expect(0, "--set", "project=$who", "install-hooks", host, "--test-cmd", HOSTILE, "--metadata", "a=${b}$$c")
            self.assertIn("--test-cmd", (self.home / settings).read_text())
            self.assertNotRegex((self.home / settings).read_text(), r"\$[\w{]")


class Refused(HookTest):
    def test_what_settings_cannot_hold_is_refused_by_name(self):
        for options, said in ((("--test-cmd", "make\nmake"), "line break"), (("--test-cmd", "a\tb"), "control character"),
                              (("--metadata", "a=b\x01c"), "control character"), (("--test-cmd", "x" * 4100), "4095"),
                              (("--test-cmd", "'" * 1400), "4095"), (("--metadata", "a=" + "x" * 4100), "4095"),
                              (("--test-cmd", " "), "--test-cmd"),
                              (("--test-cmd=--agent",), "--test-cmd: '--agent'"), (("--agent=--aborted",), "--agent: '--"), (("--test-timeout", "5"), "--test-cmd"),
                              (("--test-cmd", "x", "--test-timeout", "0"), "--test-timeout")):
            for host in ("claude-code", "codex-notify", "cline", "kimi"):
                with self.subTest(options, host=host):
                    self.assertIn(said, self.messages(2, "install-hooks", host, *options))
        self.assertEqual([path for path in self.home.iterdir() if path.name != ".local"], [])
        for option in (("--test-cmd", "make"), ("--test-timeout", "5")):
            self.assertIn(option[0], self.messages(2, "install-hooks", "nemo-relay", *option))

    def test_the_longest_command_can_be_replaced_and_removed(self):
        for host in ("claude-code", "codex-notify", "cline", "kimi", "copilot"):
            with self.subTest(host):
                self.expect(0, "install-hooks", host, "--test-cmd", "x" * 3700)
                self.expect(0, "install-hooks", host, "--test-cmd", "y" * 3700)
                texts = [path.read_text() for path in self.home.rglob("*") if path.is_file() and b"hook" in path.read_bytes()
                         and ".local" not in path.relative_to(self.home).parts]
                self.assertTrue(any("y" * 3700 in text for text in texts))
                self.assertFalse(any("xxx" in text for text in texts))
                self.expect(0, "uninstall-hooks", host)
                left = [path for path in self.home.rglob("*") if path.is_file() and
                        ".local" not in path.relative_to(self.home).parts]
                self.assertEqual(left, [])


if __name__ == "__main__":
    unittest.main()

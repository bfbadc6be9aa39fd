# shim_exec.py - exec: the command keeps its status, its signals and its streams, and is recorded.
#
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import pty
import shlex
import signal
import subprocess
import sys
import unittest

from shim_support import HANGS_S, HostTest, clean_environment


class Exec(HostTest):
    def record(self):
        return json.loads(self.lines("coach")[-1])

    def test_the_status_is_passed_through_and_decides_the_outcome(self):
        for status, success, outcome in ((0, True, "completed"), (1, False, "failed"), (77, False, "failed")):
            self.expect(status, "exec", "coach", "--", "sh", "-c", f"exit {status}")
            record = self.record()
            expected = {"outcome": outcome, "exit_status": status}
            if not success:
                expected["error_type"] = f"exit {status}"
            self.assertEqual((record["success"], record["metadata"]), (success, expected))
            self.assertGreaterEqual(record["execution_time_s"], 0)

    def test_a_given_reason_stands_before_the_exit_status(self):
        self.expect(3, "exec", "coach", "-m", "error_type=tests_failed", "--", "sh", "-c", "exit 3")
        self.assertEqual(self.record()["metadata"]["error_type"], "tests_failed")

    def test_what_the_caller_says_of_the_outcome_stands_before_the_exit_status(self):
        said = json.dumps({"type": "result", "subtype": "error_max_turns", "is_error": True, "session_id": "s-1"})
        for options, status, success, outcome in ((["--success"], 3, True, "completed"), (["--failure"], 0, False, "failed"),
                                                  (["--success", "--result", "claude-json"], 1, True, "completed")):
            with self.subTest(options):
                self.expect(status, "exec", "coach", *options, "--", "sh", "-c", f"echo {shlex.quote(said)}; exit {status}")
                metadata = self.record()["metadata"]
                self.assertEqual((self.record()["success"], metadata["outcome"], metadata["exit_status"], "error_type" in metadata),
                                 (success, outcome, status, False))

    def test_the_streams_are_the_commands_alone(self):
        result = self.run_host("exec", "coach", "--", "sh", "-c", "cat; echo err >&2", stdin="in")
        self.assertEqual((result.stdout, result.stderr), (b"in", b"err\n"))

    def test_with_json_the_result_goes_to_standard_error(self):
        result = self.run_host("exec", "coach", "-o", "json", "--quality", "0.5", "-k", "k1", "--", "echo", "-n", "out")
        self.assertEqual(result.stdout, b"out")
        self.assertEqual(json.loads(result.stderr)["summary"]["avg_quality_score"], 0.5)
        self.assertEqual(self.record()["idempotency_key"], "k1")

    def test_a_command_ended_by_a_signal_is_a_failure_named_after_it(self):
        self.expect(128 + signal.SIGKILL, "exec", "coach", "--", "sh", "-c", "kill -KILL $$")
        self.assertEqual((self.record()["success"], self.record()["metadata"]["error_type"]), (False, "SIGKILL"))
        number = int(signal.SIGRTMIN) + 6  # it has no name
        self.expect(128 + number, "exec", "coach", "--", "python3", "-c", f"import os; os.kill(os.getpid(), {number})")
        self.assertEqual(self.record()["metadata"]["error_type"], f"signal {number}")

    def test_an_aborted_command_is_skipped_unless_asked_for(self):
        for name in ("INT", "TERM"):
            status = 128 + getattr(signal, "SIG" + name)
            self.expect(status, "exec", "coach", "--", "sh", "-c", f"kill -{name} $$")
        self.assertFalse(self.log("coach").exists())
        self.expect(143, "exec", "coach", "--aborted", "failure", "--", "sh", "-c", "kill -TERM $$")
        self.assertEqual((self.record()["success"], self.record()["metadata"]["outcome"]), (False, "aborted"))

    def start(self, script, *arguments, **options):
        """Starts exec with a command that says when it is ready."""
        process = subprocess.Popen(
            self.host_command("exec", "coach", "--aborted", "failure", *arguments, "--", "sh", "-c", script),
            cwd=self.project, env=clean_environment(self.home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def test_signals_are_handed_on_to_the_command(self):
        for name, status in (("TERM", 7), ("HUP", 7), ("USR1", 7), ("INT", 7)):
            process = self.start(f'trap "exit 7" {name}; echo ready; while :; do sleep 0.02; done', start_new_session=True)
            process.send_signal(getattr(signal, "SIG" + name))
            process.communicate(timeout=30)
            self.assertEqual(process.returncode, status, name)
            self.assertEqual(self.record()["metadata"]["outcome"], "failed" if name == "USR1" else "aborted")

    def test_ctrl_c_is_left_to_the_terminal_that_tells_the_command_itself(self):
        # A command in a session of its own gets nothing from the terminal: what arrives, exec has handed on.
        script = ("import os, select\n"
                  "os.setsid()\n" + self.SIGNALS +
                  "print('ready', flush=True)\n"
                  "handed_on = bool(select.select([signals], [], [], 0.5)[0])\n"
                  "raise SystemExit(41 if handed_on else 40)\n")
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.project)
            command = self.host_command("exec", "coach", "--aborted", "failure", "--", sys.executable, "-c", script)
            os.execve(command[0], command, clean_environment(self.home))
        output = b""
        while b"ready" not in output:
            output += os.read(terminal, 100)
        os.write(terminal, b"\x03")
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(status), 40)
        self.assertEqual(self.record()["metadata"]["exit_status"], 40)

    # What comes before a command reads is not missed, as it is by one that pauses or waits for a line.
    SIGNALS = ("import os, signal\n"
               "signals, w = os.pipe()\n"
               "os.set_blocking(w, False)\n"
               "signal.set_wakeup_fd(w)\n"
               "signal.signal(signal.SIGINT, lambda *_: None)\n"
               "signal.signal(signal.SIGUSR1, lambda *_: None)\n")

    # Tells each SIGINT that it gets before SIGUSR1.
    COUNTER = SIGNALS + ("print('ready', flush=True)\n"
                         "while (number := os.read(signals, 1)[0]) != signal.SIGUSR1:\n"
                         "    print('told', number, flush=True)\n"
                         "raise SystemExit(9)\n")

    def count(self, send):
        process = subprocess.Popen(
            self.host_command("exec", "coach", "--aborted", "failure", "--", sys.executable, "-c", self.COUNTER),
            cwd=self.project, env=clean_environment(self.home), stdout=subprocess.PIPE, start_new_session=True)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        send(process)
        first = process.stdout.readline()
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGUSR1)  # handed on after what came before it
        rest, _ = process.communicate(timeout=60)
        return (first + rest).splitlines()

    def test_a_signal_to_the_group_reaches_the_command_once(self):
        # Exec is stopped until the command has reported its own: a signal that is passed on then is reported again.
        def to_group(process):
            process.send_signal(signal.SIGSTOP)
            os.killpg(process.pid, signal.SIGINT)

        def as_timeout_does(process):
            process.send_signal(signal.SIGSTOP)
            process.send_signal(signal.SIGINT)
            os.killpg(process.pid, signal.SIGINT)

        def to_exec_alone(process):
            process.send_signal(signal.SIGINT)

        for send in (to_group, as_timeout_does, to_exec_alone):
            with self.subTest(send.__name__):
                self.assertEqual(self.count(send), [b"told 2"])

    def wait_until_it_polls(self, pid, count):
        """exec polls its signals alone, and the terminal, too, between a Ctrl-C and what is typed next."""
        while True:
            call = pathlib.Path(f"/proc/{pid}/syscall").read_text().split()
            if len(call) > 2 and int(call[2], 16) == count:
                return

    def on_terminal(self, script, after_interrupt, *options):
        """The record of a command that is interrupted by Ctrl-C and then gets this input; None: there is none."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.project)
            command = self.host_command("exec", "coach", *options, "--", sys.executable, "-c", script)
            os.execve(command[0], command, clean_environment(self.home))
        output = b""
        while b"ready" not in output:
            output += os.read(terminal, 100)
        os.write(terminal, b"\x03")
        while b"handled" not in output:
            output += os.read(terminal, 100)
        if after_interrupt:
            self.wait_until_it_polls(pid, 2)
            os.write(terminal, after_interrupt)
            self.wait_until_it_polls(pid, 1)
            (self.project / "go-on").touch()
        while True:
            try:
                if not os.read(terminal, 100):
                    break
            except OSError:
                break
        os.waitpid(pid, 0)
        os.close(terminal)
        return self.record() if self.log("coach").exists() else None

    INTERRUPTED = SIGNALS + ("print('ready', flush=True)\n"
                             "os.read(signals, 1)\n"
                             "print('handled', flush=True)\n")

    def test_a_command_that_dealt_with_a_ctrl_c_and_fails_later_is_a_failure(self):
        repl = (self.INTERRUPTED +
                "import time\n"
                "while not os.path.exists('go-on'):\n"  # a person types while the command works
                "    time.sleep(0.01)\n"
                "input()\n"
                "raise SystemExit(7)\n")
        record = self.on_terminal(repl, b"quit\n")
        self.assertEqual((record["success"], record["metadata"]["outcome"]), (False, "failed"))

    def test_a_command_that_ends_by_its_own_answer_to_a_ctrl_c_is_aborted(self):
        script = self.INTERRUPTED + "raise SystemExit(7)\n"
        self.assertIsNone(self.on_terminal(script, b""))
        self.assertEqual(self.on_terminal(script, b"", "--aborted", "failure")["metadata"]["outcome"], "aborted")

    def stopped(self, script, *options, limit_s=0.3):
        """Runs the script without a terminal until its time is over; all that holds its output has then ended."""
        process = subprocess.Popen(
            self.host_command("exec", "coach", "--timeout", limit_s, *options, "--", "sh", "-c", script), cwd=self.project,
            env=clean_environment(self.home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        _, err = process.communicate(timeout=HANGS_S)
        self.assertEqual(process.returncode, 124)
        record = self.record()
        self.assertFalse(record["success"])
        self.assertEqual({name: record["metadata"][name] for name in ("outcome", "error_type", "exit_status")},
                         {"outcome": "timeout", "error_type": "timeout", "exit_status": 124})
        return record, err

    def test_a_command_whose_time_is_over_is_stopped_with_all_that_it_started(self):
        record, err = self.stopped("sleep 300 & sleep 300 & wait")
        self.assertEqual(err, b"")
        self.assertGreaterEqual(record["execution_time_s"], 0.3)

    def test_a_command_that_ignores_the_end_of_its_time_is_killed_with_all_that_it_started(self):
        self.stopped('trap "" TERM; sleep 300 & sleep 300')

    def test_a_result_that_came_before_the_time_was_over_does_not_hide_that(self):
        result = {"type": "result", "subtype": "success", "is_error": False, "session_id": "s-1", "duration_ms": 5}
        for limit_s in (0.3, 3, 30):  # a busy machine may not have printed it in time
            record, err = self.stopped(f"echo {shlex.quote(json.dumps(result))}; sleep 300", "--result", "claude-json",
                                       limit_s=limit_s)
            if b"no result" not in err:
                break
        self.assertEqual(record["session_id"], "s-1")

    def test_a_command_that_ends_in_time_keeps_its_status_and_its_signals(self):
        self.expect(3, "exec", "coach", "--timeout", "100", "--", "sh", "-c", "exit 3")
        self.assertEqual(self.record()["metadata"]["error_type"], "exit 3")
        process = self.start('trap "exit 7" TERM; echo ready; while :; do sleep 0.02; done', "--timeout", "1000",
                             start_new_session=True)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=HANGS_S)
        self.assertEqual((process.returncode, self.record()["metadata"]["outcome"]), (7, "aborted"))

    def test_a_limit_does_not_spread_a_signal_that_was_sent_to_exec_alone(self):
        # of two signals that wait, the lower number ends it
        script = 'sleep 600 & trap "kill $!; wait $!; exit \\$((\\$? - 128))" USR1; echo ready; while :; do wait; done'
        for options in ((), ("--timeout", "1000")):
            process = self.start(script, *options, start_new_session=True)
            process.send_signal(signal.SIGUSR1)
            process.communicate(timeout=HANGS_S)
            self.assertEqual(process.returncode, signal.SIGTERM, options)

    def test_a_command_with_a_limit_can_read_from_its_terminal(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.project)
            command = self.host_command("exec", "coach", "--timeout", "60", "--", "sh", "-c", "read answer; exit $answer")
            os.execve(command[0], command, clean_environment(self.home))
        os.write(terminal, b"7\n")
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(status), 7)

    def test_a_judge_that_is_interrupted_does_not_take_the_record_along(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                mark = self.scratch / f"judge-{number}"
                process = subprocess.Popen(
                    self.host_command("exec", "coach", "--quality-cmd", f"touch {mark}; sleep 600; echo 1", "--", "true"),
                    cwd=self.project, env=clean_environment(self.home), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    start_new_session=True)
                while not mark.exists():
                    self.assertIsNone(process.poll())
                os.killpg(process.pid, number)
                _, message = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 0)
                self.assertIn(b"interrupted; recording no quality", message)
                self.assertNotIn("quality_score", self.record())
        self.assertEqual(len(self.lines("coach")), 3)

    def test_a_recording_that_fails_changes_nothing_but_says_so(self):
        self.expect(0, "record", "coach", "--success")
        self.log("coach").unlink()
        self.log("coach").mkdir()
        for status in (0, 3):
            message = self.messages(status, "exec", "coach", "--", "sh", "-c", f"exit {status}")
            self.assertIn("not recorded", message)
        self.assertEqual(self.open_runs("coach"), [])
        self.assertIn("not recorded", self.messages(0, "--plugin", "nope.so", "exec", "coach", "--", "true"))

    def test_require_record_is_a_gate(self):
        self.expect(0, "record", "coach", "--success")
        self.log("coach").unlink()
        self.log("coach").mkdir()
        self.expect(125, "exec", "coach", "--require-record", "--", "true")
        self.expect(3, "exec", "coach", "--require-record", "--", "sh", "-c", "exit 3")
        self.assertEqual(self.expect(125, "--plugin", "nope.so", "exec", "coach", "--require-record", "--", "echo", "ran"), "")

    # What could never be recorded, and what the message names.
    NEVER = (
        (["bad name"], "bad name"),
        ([""], "agent"),
        (["optimizer"], "optimizer"),
        (["coach", "--quality", "90"], "quality_score is 90"),
        (["coach", "--quality", "-0.5"], "quality_score"),
        (["coach", "--time", "-1"], "execution_time_s"),
        (["coach", "-k", ""], "idempotency_key"),
        (["coach", "-k", "k" * 513], "idempotency_key"),
        (["coach", "--metadata", "idempotency_key="], "idempotency_key"),
        (["coach", "--metadata", "a={\"b\":1,\"b\":2}"], "b"),
        (["coach", "--metadata", "a=" + "x" * 70000], "bytes"),
        (["coach", "--session-id", b"\xff"], "UTF-8"),
        (["coach", "--primary", "=1"], "primary"),
        (["coach", "--timestamp", "1999-01-01T00:00:00Z"], "timestamp"),
        (["coach", "--success", "--failure"], "--failure"),
        (["", "--map-agent"], "agent"),
    )

    def test_what_could_never_be_recorded_is_refused_before_the_command_runs(self):
        mark = self.scratch / "ran"
        for arguments, named in self.NEVER:
            for required in ([], ["--require-record"]):
                with self.subTest([argument[:40] for argument in arguments]):
                    mark.unlink(missing_ok=True)
                    message = self.messages(125, "exec", *arguments, *required, "--", "touch", mark)
                    self.assertIn(named, message)
                    self.assertFalse(mark.exists())
        self.assertFalse(self.log("coach").exists())
        self.assertEqual(self.open_runs("coach"), [])

    def test_a_session_id_longer_than_a_span_keeps_is_recorded(self):
        self.expect(0, "exec", "coach", "--session-id", "s" * 2000, "--", "true")
        self.assertEqual(self.record()["session_id"], "s" * 2000)

    def test_a_name_that_is_mapped_is_no_bad_name(self):
        self.expect(0, "exec", "Triage Agent", "--map-agent", "--", "true")
        (agent,) = (path.name for path in (self.project / ".kaizen/metrics").iterdir() if path.is_dir())
        record, = map(json.loads, self.lines(agent))
        self.assertEqual((record["agent"], record["metadata"]["agent_name"]), (agent, "Triage Agent"))

    def open_runs(self, agent):
        return [path.name for path in self.log(agent).parent.glob(".open-*")]

    def kill_in_the_middle(self, *options):
        mark = self.scratch / "running"
        process = subprocess.Popen(self.host_command("exec", "coach", *options, "--", "sh", "-c", f"echo $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 600"),
                                   cwd=self.project, env=clean_environment(self.home))
        while not mark.exists():
            self.assertIsNone(process.poll())
        process.kill()
        process.wait()
        os.kill(int(mark.read_text()), signal.SIGKILL)
        mark.unlink()

    def test_an_exec_that_is_killed_is_one_failure(self):
        self.kill_in_the_middle("--session-id", "s1")
        self.assertEqual(len(self.open_runs("coach")), 1)
        self.expect(0, "record", "coach", "--success", "-k", "next")
        lost, = (record for record in map(json.loads, self.lines("coach")) if not record["success"])
        self.assertEqual((lost["metadata"]["outcome"], lost["session_id"]), ("lost", "s1"))
        self.assertEqual((len(self.lines("coach")), self.open_runs("coach")), (2, []))

    def test_an_exec_that_is_killed_and_done_again_is_one_record(self):
        for options in (["-k", "night-1"], ["-m", "idempotency_key=night-2"]):
            self.kill_in_the_middle(*options)
            self.expect(0, "exec", "coach", *options, "--", "true")
        records = list(map(json.loads, self.lines("coach")))
        self.assertEqual([record["success"] for record in records], [True, True])
        self.expect(0, "record", "other", "--success")
        self.assertEqual(self.open_runs("coach"), [])

    def test_a_run_that_ended_is_not_open_any_more(self):
        for status, command in ((0, ["true"]), (3, ["sh", "-c", "exit 3"]), (127, ["no-such-program"]),
                                (143, ["sh", "-c", "kill -TERM $$"])):
            self.expect(status, "exec", "coach", "--", *command)
            self.assertEqual(self.open_runs("coach"), [], command)
        self.assertEqual([json.loads(line)["success"] for line in self.lines("coach")], [True, False])

    def test_a_command_that_was_not_run_leaves_no_agent_behind(self):
        self.expect(127, "exec", "coach", "--", "no-such-program")
        self.assertIn("nothing is recorded", self.messages(0, "list"))

    def test_an_aborted_first_run_leaves_no_folder_and_one_with_records_or_runs_stays(self):
        folder = self.log("coach").parent
        abort = ("exec", "coach", "--", "sh", "-c", "kill -TERM $$")
        self.expect(143, *abort)
        self.assertFalse(folder.exists())
        inner = shlex.join(self.host_command(*abort))
        self.expect(0, "exec", "coach", "--", "sh", "-c", f"{inner}; true")
        self.expect(143, *abort)
        self.assertEqual(len(self.lines("coach")), 1)

    def test_the_key_that_the_command_gives_is_the_records(self):
        said = {"type": "result", "subtype": "success", "is_error": False, "session_id": "s-1", "uuid": "u-1",
                "duration_ms": 5, "num_turns": 1, "total_cost_usd": 0.1, "usage": {"input_tokens": 1, "output_tokens": 2}}
        for _ in range(2):
            self.expect(0, "exec", "coach", "--result", "claude-json", "--", "echo", json.dumps(said))
        self.assertEqual((len(self.lines("coach")), self.open_runs("coach")), (1, []))
        self.assertNotIn("span:", self.record()["idempotency_key"])


if __name__ == "__main__":
    unittest.main()

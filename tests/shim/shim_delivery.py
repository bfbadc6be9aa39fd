# shim_delivery.py - events from the command line to a real broker and back.
#
# SPDX-License-Identifier: Apache-2.0
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import unittest
import urllib.parse

from broker_support import SUBJECT, Client, stop
from shim_support import BROKER_INIT, HANGS_S, LINUX_CALLS, Broker, HostTest, clean_environment, slowed


def nice_of_threads(pid):
    """By the threads' names; proc(5), stat: the 19th member, counted after the name."""
    stats = [path.read_text() for path in pathlib.Path(f"/proc/{pid}/task").glob("*/stat")]
    return {stat[stat.index("(") + 1:stat.rindex(")")]: int(stat.rsplit(")", 1)[1].split()[16]) for stat in stats}


class Delivery(HostTest):
    def setUp(self):
        super().setUp()
        os.environ["PATH"] += ":/usr/sbin"
        self.broker = Broker(self.scratch).start()
        self.env = {"NATS_URL": self.broker.url}

    def tearDown(self):
        self.broker.stop()
        super().tearDown()

    def document(self, status, *arguments, **options):
        return json.loads(self.expect(status, *arguments, "-o", "json", env=self.env, **options))

    def emit(self, *arguments):
        return self.document(0, "record", "coach", "--success", "--emit-event", "--wait", "120", *arguments)

    def start(self, *arguments, limit=None):
        """`limit`: of descriptors, soft and hard, or both."""
        soft, hard = limit if isinstance(limit, tuple) else (limit, limit)
        below = ["prlimit", f"--nofile={soft}:{hard}"] if limit else []
        return subprocess.Popen([*below, *self.host_command(*arguments)], cwd=self.project, env=clean_environment(self.home, self.env),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def wait_until(self, condition):
        """Looks again until the condition holds; the test runner's own limit ends what never does."""
        while not condition():
            time.sleep(0.02)

    def test_a_stream_name_that_cannot_be_is_a_wrong_command_line(self):
        self.assertIn("--stream: 'a b' has the character ' '", self.messages(2, "broker", "init", "--stream", "a b", env=self.env))
        for name in ("a\x01b", "a" * 256):  # kaizen-host lets them through
            self.assertIn('stream name "a', self.messages(2, "broker", "init", "--stream", name, env=self.env))

    def test_a_stream_is_made_once_and_looked_at(self):
        self.assertFalse(self.document(6, "broker", "check")["ok"])
        self.assertEqual(self.document(0, "broker", "init", "--dry-run")["action"], "would-create")
        self.assertFalse(self.document(6, "broker", "check")["ok"])
        self.assertEqual(self.document(0, "broker", "init")["action"], "created")
        self.assertEqual(self.document(0, "broker", "init")["action"], "exists")
        report = self.document(0, "broker", "check")
        self.assertEqual((report["stream"], report["subjects"]), ("ACTIVITY_EVENTS", ["activity.>", "org.>"]))

    def test_an_event_is_acknowledged_within_the_wait(self):
        self.expect(0, *BROKER_INIT, env=self.env)
        result = self.emit()
        self.assertEqual((result["event"], result["reason"]), ("acknowledged", None))
        status = self.document(0, "status", "--set", "emit_event=true")
        self.assertEqual((status["agents"][0]["acknowledged"], status["broker"]["ok"]), (1, True))

    def test_what_was_recorded_without_a_broker_is_drained_later(self):
        self.broker.stop()
        self.assertEqual(self.document(5, "record", "coach", "--success", "--emit-event", "--wait", "1")["event"], "pending")
        self.assertEqual(self.document(5, "drain", "--timeout", "0.3")["ended"], "timeout")
        self.broker.start()
        self.expect(0, *BROKER_INIT, env=self.env)
        result = self.document(0, "drain")
        self.assertEqual((result["ended"], result["acknowledged"], result["pending"]), ("done", 1, 0))

    def test_a_repeat_says_what_became_of_the_first_event(self):
        self.broker.stop()
        first = self.document(0, "record", "coach", "--success", "-e", "-k", "k")
        self.assertEqual(first["event"], "pending")
        repeat = self.document(0, "record", "coach", "--success", "-k", "k")  # publishes nothing by itself
        self.assertEqual((repeat["result"], repeat["event"], repeat["event_id"]), ("DUPLICATE", "pending", first["event_id"]))
        self.assertEqual(self.document(5, "record", "coach", "--success", "-k", "k", "-w", "0.1")["event"], "pending")
        self.broker.start()
        self.expect(0, *BROKER_INIT, env=self.env)
        sent = self.document(0, "record", "coach", "--success", "-e", "-k", "k", "-w", "120")
        self.assertEqual((sent["result"], sent["event"]), ("DUPLICATE", "acknowledged"))
        self.assertEqual(self.document(0, "status", "--no-broker")["agents"][0]["acknowledged"], 1)
        self.assertEqual(self.document(0, "record", "coach", "--success", "-k", "k")["event"], "acknowledged")

    def test_a_refused_event_is_not_called_acknowledged(self):
        self.broker.stop()
        self.broker = Broker(self.scratch, "max_payload: 350\n").start()
        self.env = {"NATS_URL": self.broker.url}
        self.expect(0, *BROKER_INIT, env=self.env)
        long_name = "a" * 64
        self.assertEqual(self.document(0, "record", "b", "--success", "-e", "-w", "120")["event"], "acknowledged")
        refused = self.document(6, "record", long_name, "--success", "-e", "-k", "k", "-w", "120")
        self.assertEqual((refused["result"], refused["event"]), ("RECORDED", "dead-lettered"))
        self.assertEqual(self.document(0, "record", "b", "--success", "-e", "-w", "120")["event"], "acknowledged")
        repeat = self.run_host("record", long_name, "--success", "-k", "k", env=self.env)
        self.assertEqual(repeat.returncode, 0)
        self.assertIn(b": dead-lettered\n", repeat.stdout)
        self.assertIn(b"dead-letters list", repeat.stderr)

    def test_a_broker_far_away_is_no_broker_that_is_down(self):
        self.expect(0, *BROKER_INIT, env=self.env)
        self.run_host("record", "coach", "--success", "-e", "--set", "delivery=relay", env=self.env)
        drain = subprocess.run(slowed(self.host_command("drain", "-o", "json"), "connect", 500), cwd=self.project,
                               env=clean_environment(self.home, self.env), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(json.loads(drain.stdout)["ended"], "done", drain)
        self.assertEqual(drain.returncode, 0)

    def test_a_broker_that_refuses_ends_the_wait_at_once_and_is_named_once(self):
        self.broker.stop()
        # Were it waited for, the test runner would end the test.
        result = self.run_host("record", "coach", "--success", "--emit-event", "--wait", "86400", env=self.env)
        self.assertEqual(result.returncode, 5, result.stderr)
        for arguments in (["drain", "-t", "1"], ["drain", "-t", "1", "-q"]):
            drained = self.run_host(*arguments, env=self.env)
            self.assertEqual((drained.returncode, drained.stdout), (5, b"0 of 1 event acknowledged, 1 pending, 0 dead letters\n"))
            self.assertEqual(drained.stderr.decode().count("no broker answers"), 1, drained.stderr)

    def test_a_drain_waits_for_a_broker_that_restarts(self):
        self.expect(0, *BROKER_INIT, env=self.env)
        self.broker.stop()
        self.run_host("record", "coach", "--success", "-e", "-w", "0", env=self.env)
        drain = self.start("drain", "-o", "json")
        self.assertIn(b"no broker answers", drain.stderr.readline())  # it has met nobody
        self.document(5, "drain", "--timeout", "0.5")  # another one's time passes, and this one goes on
        self.assertIsNone(drain.poll())
        self.broker.start()
        output = json.loads(drain.communicate()[0])
        self.assertEqual((drain.returncode, output["ended"], output["acknowledged_now"]), (0, "done", 1))

    def test_what_a_drain_sent_is_unknown_when_an_agent_was_counted_at_its_end_only(self):
        self.expect(0, *BROKER_INIT, env=self.env)
        self.broker.stop()
        for agent in ("coach", "judge"):
            self.run_host("record", agent, "--success", "-e", "-w", "0", env=self.env)
        with open(self.project / ".kaizen/metrics/judge/.lock", "r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            drain = self.start("drain", "-o", "json")
            self.assertIn(b"no broker answers", drain.stderr.readline())  # it has counted
        self.broker.start()
        output = json.loads(drain.communicate()[0])
        self.assertEqual((drain.returncode, output["ended"], output["acknowledged"]), (0, "done", 2))
        self.assertIsNone(output["acknowledged_now"])
        self.assertIsNone(output["dead_lettered_now"])

    def test_a_drain_ends_in_time_where_very_many_agents_cannot_be_counted(self):
        self.run_host("record", "coach", "--success", "-e", "-w", "0")
        folder = self.project / ".kaizen/metrics"
        for number in range(250):
            shutil.copytree(folder / "coach", folder / f"a{number}")
        with contextlib.ExitStack() as held:
            for path in folder.glob("a*/.lock"):
                fcntl.flock(held.enter_context(open(path, "r+b")), fcntl.LOCK_EX)
            drain = self.document(5, "drain", "--timeout", "0.2")
        self.assertEqual((drain["ended"], drain["complete"]), ("timeout", False))
        self.assertEqual((drain["held"], drain["duplicates_now"], len(drain["unreadable"])), (None, None, 1), drain)

    def test_a_service_records_the_runs_whose_process_died(self):
        self.expect(0, "record", "coach", "--success")
        mark = self.scratch / "running"
        run = self.start("exec", "coach", "--", "sh", "-c", f"echo $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 600")
        self.wait_until(mark.exists)
        run.kill()
        os.kill(int(mark.read_text()), signal.SIGKILL)
        run.communicate()
        service = self.start("drain", "--follow")
        self.wait_until(lambda: len(self.lines("coach")) == 2)
        service.terminate()
        self.assertIn(b"1 lost run recorded", service.communicate()[1])
        self.assertEqual(json.loads(self.lines("coach")[-1])["metadata"]["outcome"], "lost")

    def test_what_a_frozen_broker_keeps_is_pending_everywhere(self):
        self.expect(0, *BROKER_INIT, env=self.env)
        self.emit()
        stop(self.broker.process)
        try:
            recorded = self.document(5, "record", "coach", "--success", "-e", "-w", "0.2")
            self.assertEqual(recorded["event"], "pending")
            for timeout in ("0", "0.05", "0.2", "0.5", "1", "2"):
                drained = self.document(5, "drain", "-t", timeout)
                self.assertEqual(drained["pending"], 1)
                self.assertTrue(drained["reason"])
                self.assertNotIn("recorded yet", drained["reason"] + recorded["reason"])
            self.assertIn("1 event pending", self.expect(6, "status", env=self.env))
            findings = self.document(6, "doctor")["findings"]
            self.assertEqual([finding["subject"] for finding in findings if finding["level"] == "problem"], ["broker"])
            self.assertIn("1 pending", [finding["finding"] for finding in findings if finding["subject"] == "events"][0])
        finally:
            self.broker.process.send_signal(signal.SIGCONT)

    def test_a_drain_ends_at_once_where_waiting_cannot_help(self):
        """Were it waited for, it would end with 5."""
        self.run_host("record", "coach", "--success", "-e", "-w", "0", env=self.env)
        document = self.document(6, "drain")
        self.assertEqual(document["ended"], "broker")
        self.assertIn("broker init", document["reason"])

    def test_a_drain_counts_its_own_events_and_the_history_apart(self):
        self.expect(0, *BROKER_INIT, env=self.env)
        self.emit()
        self.run_host("record", "coach", "--success", "-e", "-w", "0", "--set", "delivery=relay", env=self.env)
        result = self.run_host("drain", env=self.env)
        self.assertEqual(result.stdout, b"1 of 1 event acknowledged, 0 pending, 0 dead letters; in all 2 of 2 acknowledged, 0 dead letters\n")

    def test_a_resend_says_what_the_stream_did_with_it(self):
        self.expect(0, *BROKER_INIT, env=self.env)
        self.emit()
        self.emit()
        again = self.run_host("drain", "--resend-all", env=self.env).stderr.decode()
        self.assertIn("2 of the events sent again have ids that the stream knows", again)
        self.assertNotIn("no longer stores some of them", again)
        client = Client(self.broker.url)
        self.addCleanup(client.close)
        client.ask("$JS.API.STREAM.PURGE.ACTIVITY_EVENTS")
        gone = self.run_host("drain", "--resend-all", env=self.env)
        self.assertEqual(gone.returncode, 0)
        self.assertIn("no longer stores some of them", gone.stderr.decode())
        self.assertIn("duplicate_window", gone.stderr.decode())
        self.assertEqual(self.document(0, "drain", "--resend-all")["duplicates_now"], 2)

    def test_watch_shows_each_event_with_its_id(self):
        self.expect(0, *BROKER_INIT, env=self.env)
        watch = self.start("watch", "-n", "2", "-o", "json")
        sent = []
        # A plain subscription sees what comes after it: events go out until it has seen its two.
        while watch.poll() is None:
            sent.append(self.emit()["event_id"])
        events = [json.loads(line) for line in watch.communicate()[0].splitlines()]
        self.assertEqual(watch.returncode, 0)
        self.assertEqual(len(events), 2)
        self.assertTrue({event["id"] for event in events} <= set(sent))
        self.assertEqual(events[0]["attributes"]["project"], "shop")

    def test_watch_shows_any_count_of_64_bits(self):
        most = 2**64 - 1
        event = json.dumps({"id": "x", "attributes": {"agent": "coach", "summary": {"execution_count": most}}}).encode()
        watch = self.start("watch", "-n", "1")
        with socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(self.broker.url).port)) as connection:
            connection.sendall(b"CONNECT {}\r\n")
            while watch.poll() is None:  # a plain subscription sees what comes after it
                connection.sendall(b"PUB %s %d\r\n%s\r\n" % (SUBJECT.encode(), len(event), event))
                time.sleep(0.01)
        self.assertIn(f" of {most}, ", watch.communicate()[0].decode())

    def test_watch_says_when_its_user_may_not_see_the_events(self):
        self.broker.stop()
        self.broker = Broker(self.scratch, 'authorization { users: [{user: blind, password: p, permissions: '
                                           '{subscribe: {deny: ["activity.>"]}}}] }').start()
        self.env = {"NATS_URL": self.broker.url.replace("//", "//blind:p@")}
        self.assertIn("does not permit this user to subscribe", self.messages(6, "watch", "--timeout", "30", env=self.env))

    def test_what_a_broker_does_not_tell_is_shown(self):
        core = ("--set", "publish=core")
        shown = self.expect(0, "broker", "check", *core, env=self.env)
        self.assertRegex(shown, "(?m)^unknown +permission to publish: not asked with publish: core")
        self.assertRegex(self.expect(0, "doctor", *core, env=self.env), "(?m)^ok +broker +nats://[^ ]*; 'broker check' says")
        self.expect(0, *BROKER_INIT, env=self.env)
        # What is waited for but shortly may be unknown once, on a machine that is busy.
        self.wait_until(lambda: self.document(0, "broker", "check")["unknown"] == [])
        self.wait_until(lambda: "unknown" not in self.expect(0, "broker", "check", env=self.env))
        self.wait_until(lambda: "broker check" not in self.expect(0, "doctor", env=self.env))

    def test_a_stream_that_was_not_made_is_no_success_without_a_stream_either(self):
        self.broker.stop()
        self.broker = Broker(self.scratch, 'authorization { users: [{user: deaf, password: p, permissions: '
                                           '{subscribe: {deny: ["_INBOX.>"]}}}] }').start()
        self.env = {"NATS_URL": self.broker.url.replace("//", "//deaf:p@")}
        self.document(0, "broker", "check", "--set", "publish=core")
        report = self.document(6, "broker", "init", "--set", "publish=core")
        self.assertEqual((report["action"], report["ok"]), ("refused", False))
        self.assertIn("no stream was made: this user may not ask", report["reason"])

    def test_watch_ends_clean_on_ctrl_c(self):
        watch = self.start("watch")
        self.assertIn(b"Ctrl-C", watch.stderr.readline())
        watch.send_signal(signal.SIGINT)
        self.assertEqual((watch.communicate(timeout=HANGS_S)[0], watch.returncode), (b"", 0))

    def test_a_service_publishes_for_the_roots_in_its_file_and_for_those_added(self):
        self.expect(0, *BROKER_INIT, env=self.env)
        roots = [self.scratch / name for name in ("one", "two")]
        for root in roots:
            root.mkdir()
            self.run_host("-C", root, "record", "coach", "--success", "-e", "--set", "delivery=relay", "-w", "0")
        table = self.scratch / "roots"
        table.write_text(f"# projects\n{roots[0]}\n\n/nonexistent/project\n")
        service = self.start("drain", "--follow", "--roots", table)

        def acknowledged(root):
            return self.document(0, "-C", root, "status", "--no-broker")["agents"][0]["acknowledged"]

        self.wait_until(lambda: acknowledged(roots[0]) == 1)
        self.assertEqual(acknowledged(roots[1]), 0)
        table.write_text(f"{roots[0]}\n{roots[1]}\n")
        self.wait_until(lambda: acknowledged(roots[1]) == 1)
        status = self.document(0, "-C", roots[1], "status", "--no-broker")
        self.assertEqual(status["publisher"]["holder_pid"], service.pid)
        self.assertIn(f"publisher  process {service.pid}\n", self.expect(0, "-C", roots[1], "status", "--no-broker", env=self.env))
        if LINUX_CALLS:  # else nobody can tell that a process is stopped
            stop(service)
            try:
                self.wait_until(lambda: self.document(0, "-C", roots[1], "status", "--no-broker")["publisher"]["holder_stopped"])
                status = self.expect(0, "-C", roots[1], "status", "--no-broker")
                doctor = self.run_host("-C", roots[1], "doctor", env=self.env).stdout.decode()
            finally:
                service.send_signal(signal.SIGCONT)
            self.assertIn(f"process {service.pid}, which is stopped", status)
            self.assertIn(f"process {service.pid}, which publishes, is stopped", doctor)
        if LINUX_CALLS:  # else no thread has a name, or a priority of its own
            priorities = nice_of_threads(service.pid)
            ours = os.getpriority(os.PRIO_PROCESS, 0)
            self.assertEqual(priorities.pop("kaizen-host"), ours)
            self.assertEqual(priorities["kaizen-pub"], min(ours + 10, 19))  # it, and whom it started
            self.assertEqual(len(set(priorities.values())), 1, priorities)
        service.send_signal(signal.SIGTERM)
        message = service.communicate(timeout=HANGS_S)[1].decode()
        self.assertEqual(service.returncode, 0, message)
        self.assertEqual(self.document(0, "-C", roots[1], "status", "--no-broker")["publisher"]["holder_pid"], 0)
        self.assertIn("/nonexistent/project", message)

    def test_a_service_serves_a_project_once_however_its_root_is_written(self):
        root, late = self.scratch / "one", self.scratch / "late"
        root.mkdir()
        table = self.scratch / "roots"
        table.write_text(f"{root}\n{root}/\n{root}/../one\n{late}\n")
        service = self.start("drain", "--follow", "--roots", table)
        said = []

        def read_until(text):
            while not said or text not in said[-1]:
                said.append(service.stderr.readline().decode())
                self.assertNotEqual(said[-1], "", said)
                self.assertLessEqual("".join(said).count("publishing for"), 1, said)

        read_until(f"{late}: ")
        late.symlink_to(root)
        read_until(f"{late}: the same project as {root}")
        service.send_signal(signal.SIGTERM)
        said.append(service.communicate(timeout=HANGS_S)[1].decode())
        self.assertEqual(service.returncode, 0)
        self.assertEqual("".join(said).count("publishing for"), 1, said)

    def serve_roots(self, count, **options):
        """So many new projects, and a service that publishes for them."""
        roots = [self.scratch / f"root{number}" for number in range(count)]
        for root in roots:
            root.mkdir()
        table = self.scratch / "roots"
        table.write_text("".join(f"{root}\n" for root in roots))
        return roots, self.start("drain", "--follow", "--roots", table, **options)

    def test_a_service_for_many_roots_hears_each_of_them(self):
        """Four or more are watched; nobody looks at their doorbells by the clock."""
        self.expect(0, *BROKER_INIT, env=self.env)
        roots, service = self.serve_roots(6)
        for count in (1, 2):
            for root in roots:
                self.run_host("-C", root, "record", "coach", "--success", "-e", "--set", "delivery=relay", "-w", "0", env=self.env)
            self.wait_until(lambda: all(
                self.document(0, "-C", root, "status", "--no-broker")["agents"][0]["acknowledged"] == count for root in roots))
        if LINUX_CALLS:
            self.assertIn("kaizen-watch", nice_of_threads(service.pid))
        service.send_signal(signal.SIGTERM)
        self.assertEqual(service.wait(timeout=HANGS_S), 0)
        service.communicate()

    def test_a_service_with_more_roots_than_descriptors_serves_them_in_turn(self):
        """Those that rest are closed, and opened again when they ring."""
        self.expect(0, *BROKER_INIT, env=self.env)
        roots, service = self.serve_roots(40, limit=64)
        most = 0

        def acknowledged(root):
            agents = self.document(0, "-C", root, "status", "--no-broker")["agents"]
            return agents[0]["acknowledged"] if agents else 0

        for count in (1, 2):
            for root in roots:
                self.run_host("-C", root, "record", "coach", "--success", "-e", "--set", "delivery=relay", "-w", "0", env=self.env)
            for root in roots:
                self.wait_until(lambda: acknowledged(root) == count)
                most = max(most, len(os.listdir(f"/proc/{service.pid}/fd")))
        self.assertLess(most, 64)
        service.send_signal(signal.SIGTERM)
        message = service.communicate(timeout=HANGS_S)[1].decode()
        self.assertEqual(service.returncode, 0, message)
        self.assertIn("40 roots, and descriptors for 8 at a time", message)
        self.assertNotIn("oo many open files", message)

    def test_a_service_takes_as_many_descriptors_as_it_is_allowed(self):
        self.expect(0, *BROKER_INIT, env=self.env)
        self.run_host("record", "coach", "--success", "-e", "--set", "delivery=relay", "-w", "0", env=self.env)
        service = self.start("drain", "--follow", limit=(64, 200))
        self.wait_until(lambda: self.document(0, "status", "--no-broker")["publisher"]["holder_pid"] == service.pid)
        limits = pathlib.Path(f"/proc/{service.pid}/limits").read_text()
        self.assertRegex(limits, r"Max open files +200 +200 ")
        service.send_signal(signal.SIGTERM)
        self.assertEqual(service.wait(timeout=HANGS_S), 0)
        service.communicate()

    def test_events_are_sent_again_only_when_asked_for(self):
        self.expect(0, *BROKER_INIT, env=self.env)
        self.emit()
        self.assertEqual(self.document(0, "drain")["acknowledged_now"], 0)
        result = self.document(0, "drain", "--resend-all")
        self.assertEqual((result["changed"], result["pending"]), (1, 0))
        for since in ("2020-01-01", "1h"):
            self.assertEqual(self.document(0, "drain", "--resend-since", since)["changed"], 1, since)

    def test_a_copy_of_pending_events_is_held_until_somebody_decides(self):
        self.broker.stop()
        self.run_host("record", "coach", "--success", "-e", env=self.env)
        copy = self.scratch / "copy"
        shutil.copytree(self.project, copy)
        self.broker.start()
        self.expect(0, *BROKER_INIT, env=self.env)
        held = self.document(6, "-C", copy, "drain")
        self.assertEqual((held["held"], held["acknowledged"], held["reason"]), (1, 0, None))
        result = self.run_host("-C", copy, "drain", env=self.env)
        self.assertEqual(result.stdout, b"0 of 1 event acknowledged, 1 pending (1 of them held back), 0 dead letters\n")
        self.assertEqual([line for line in result.stderr.decode().splitlines() if "held" not in line], [])
        self.assertIn("--assume-sent", self.expect(6, "-C", copy, "status", env=self.env))
        self.assertEqual(self.document(0, "-C", copy, "drain", "--assume-sent")["held"], 0)
        self.assertEqual(self.document(0, "drain")["acknowledged"], 1)


if __name__ == "__main__":
    unittest.main()

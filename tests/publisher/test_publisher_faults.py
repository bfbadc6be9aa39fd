#!/usr/bin/env python3
# test_publisher_faults.py - calls of the publisher on a project's files fail, once and forever after.
#
# SPDX-License-Identifier: Apache-2.0
#
# tests/proof makes the recorder's calls fail; these are the publisher's, below a real broker.  strace makes them
# fail, in one process for each case; the events come from another process, which is left alone.
import time
import unittest

from broker_support import BrokerTest, may_trace, wait_for

FILES = ("", "/.id", "/.publisher.lock", "/.doorbell", "/coach", "/coach/executions.jsonl", "/coach/.state",
         "/coach/.lock", "/coach/.next")
CASES = [("openat2", "EMFILE"), ("pread64", "EIO"), ("pwrite64", "ENOSPC"), ("fdatasync", "EIO"), ("fcntl", "ENOLCK"),
         ("newfstatat", "EIO"), ("close", "EIO")]
# Not forever: giving a lock back would fail too, which it cannot.
FOR_A_WHILE = [*CASES, ("flock", "ENOLCK")]


@unittest.skipUnless(may_trace(), "strace is missing or may not trace here")
class Faults(BrokerTest):
    def begin(self, server, cases, when):
        """A publisher for each case, on a project of its own that has five events and gets three more."""
        begun = []
        for number, (call, error) in enumerate(cases):
            root = self.scratch / f"{when.strip('+')}-{number}"
            root.mkdir()
            writer = self.make_driver(root)
            writer.ok("append coach 5")
            below = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                     "-e", f"inject={call}:error={error}:when={when}"]
            for file in FILES:
                below += ["-P", f"{root}/.kaizen/metrics{file}"]
            driver = self.make_driver(root, below)
            driver.ok(f"attach 0 {server.url} sync")
            begun.append((f"{call} {error}", root, writer, driver))
        for _, _, writer, _ in begun:
            writer.ok("append coach 3")
        return begun

    def received(self, client):
        return [payload["id"] for _, payload in client.messages()]

    def check(self, case, root, writer, received):
        """Nothing was sent that the log does not mark, nothing out of order, and the numbers add up."""
        marked = self.marked_ids("coach", root)
        mine = [event_id for event_id in received if event_id in set(marked)]
        self.assertEqual(mine, marked[:len(mine)], case)
        view = writer.view("coach")
        self.assertEqual(view["marked"], 8, case)
        self.assertEqual(view["acknowledged"] + view["pending"], 8, case)
        self.assertEqual((view["held"], view["dead"], view["lost"]), (0, 0, 0), case)
        return mine

    def test_a_call_that_fails_for_a_while_delays_events_and_loses_none(self):
        server, client = self.make_broker()
        begun = self.begin(server, FOR_A_WHILE, "2..4")
        for case, root, writer, driver in begun:
            if not case.startswith("fdatasync"):
                driver.flush()
                wait_for(lambda: writer.view("coach")["pending"] == 0, f"{case}: all acknowledged")
        received = self.received(client)
        for case, root, writer, _ in begun:
            mine = self.check(case, root, writer, received)
            if case.startswith("fdatasync"):  # what could not be made durable once is not sent by this process
                self.assertLess(len(mine), 8, case)
            else:
                self.assertEqual(len(mine), 8, case)

    def test_events_arrive_from_the_next_process_when_a_call_fails_for_ever(self):
        server, client = self.make_broker()
        begun = self.begin(server, CASES, "2+")
        for case, root, writer, driver in begun:
            driver.flush(ms=500)
            driver.kill()
        received = self.received(client)
        for case, root, writer, _ in begun:
            self.check(case, root, writer, received)
        for case, root, writer, _ in begun:
            writer.ok(f"attach 0 {server.url} sync")
        for case, _, writer, _ in begun:
            self.assertEqual(writer.flush(), (0, 0), case)
        received = self.received(client)
        for case, root, writer, _ in begun:
            self.assertEqual(len(set(self.check(case, root, writer, list(dict.fromkeys(received))))), 8, case)

    def test_a_state_that_cannot_be_stored_is_tried_now_and_then_and_its_letters_are_written_once(self):
        calls = self.scratch / "calls"
        server = self.make_server(config="max_payload: 1024")
        self.make_client(server).make_stream()
        writer = self.make_driver()
        writer.ok("append coach 200 1200")
        driver = self.make_driver(below=["strace", "-f", "-qq", "-o", str(calls), "-e", "trace=pwrite64", "-P",
                                         f"{self.root}/.kaizen/metrics/coach/.state", "-e",
                                         "inject=pwrite64:error=EIO"])
        begin_s = time.monotonic()
        driver.ok(f"attach 0 {server.url}")

        def tries():
            return calls.read_text().count("pwrite64(")

        wait_for(lambda: tries() >= 3, "three tries to store")
        made, in_s = tries(), time.monotonic() - begin_s
        self.assertLessEqual(made, 3 + in_s)
        self.assertIn(".state", driver.call("said"))
        view = writer.view("coach")
        self.assertEqual((view["pending"], view["dead"]), (200, 0))
        letters = self.folder("coach") / ".dead-letter.jsonl"
        self.assertLessEqual(letters.read_text().count("\n"), 200)
        driver.kill()
        writer.ok(f"attach 0 {server.url}")
        self.assertEqual(writer.flush(), (0, 0))
        self.assertEqual(writer.view("coach")["dead"], 200)
        self.assertLessEqual(letters.read_text().count("\n"), 400)

    def test_letters_have_a_limit_and_then_the_agents_events_wait(self):
        server = self.make_server(config="max_payload: 1024")
        client = self.make_client(server)
        client.make_stream()
        driver = self.make_driver()
        driver.ok("append coach 1")
        letters = self.folder("coach") / ".dead-letter.jsonl"
        letters.write_text("\n" * (16 << 20))
        driver.ok("append coach 1 1200")
        driver.ok("append coach 1")
        driver.ok("append other 2")
        driver.ok(f"attach 0 {server.url}")
        wait_for(lambda: "have reached the limit of 16 MiB" in driver.call("said"), "the limit is told")
        wait_for(lambda: driver.view("other")["pending"] == 0, "the other agent's events")
        wait_for(lambda: driver.view("coach")["acknowledged"] == 1, "the event before the refused one")
        view = driver.view("coach")
        self.assertEqual((view["pending"], view["dead"]), (2, 0))
        self.assertEqual(letters.stat().st_size, 16 << 20)
        driver.call("detach 0 5000")
        letters.write_text("")
        driver.ok(f"attach 0 {server.url}")
        self.assertEqual(driver.flush(), (0, 0))
        view = driver.view("coach")
        self.assertEqual((view["acknowledged"], view["dead"]), (2, 1))


if __name__ == "__main__":
    unittest.main()

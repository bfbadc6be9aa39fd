#!/usr/bin/env python3
# test_publisher_delivery.py - events reach a real broker once, in order, whatever becomes of it.
#
# SPDX-License-Identifier: Apache-2.0
import fcntl
import time
import unittest
import uuid

from broker_support import BrokerTest, may_trace, wait_for


class Delivery(BrokerTest):
    def ids_in_stream(self, client):
        return [payload["id"] for _, payload in client.messages()]

    def test_events_arrive_once_and_in_the_order_of_their_log(self):
        server, client = self.make_broker()
        driver = self.make_publisher(server)
        for _ in range(10):
            for agent in ("coach", "scribe", "judge"):
                driver.ok(f"append {agent} 7")
        self.assertEqual(driver.flush(), (0, 0))
        found = client.messages()
        for agent in ("coach", "scribe", "judge"):
            ids = [payload["id"] for _, payload in found if payload["attributes"]["agent"] == agent]
            self.assertEqual(ids, self.marked_ids(agent))
        self.assertEqual(len(found), 210)
        for headers, payload in found:
            self.assertEqual(headers["Nats-Msg-Id"], payload["id"])

    def test_a_broker_that_starts_later_gets_everything_in_order(self):
        server, client = self.make_broker()
        server.kill()
        driver = self.make_publisher(server)
        driver.ok("append coach 300")
        wait_for(lambda: "no broker answers" in driver.json("status 0")["reason"], "the reason in the status")
        self.assertFalse(driver.json("status 0")["hopeless"], "it may come back")
        wait_for(lambda: driver.flush(ms=1) == (1, 300), "a flush that had the time to count")
        server.start()
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(self.ids_in_stream(self.make_client(server)), self.marked_ids("coach"))

    def test_events_wait_for_a_stream_and_then_keep_their_order(self):
        server = self.make_server()
        client = self.make_client(server)
        driver = self.make_publisher(server)
        driver.ok("append coach 500")
        driver.ok("append scribe 500")
        wait_for(lambda: "no stream takes" in driver.json("status 0")["reason"], "the reason in the status")
        wait_for(lambda: driver.json("status 0")["failures"] > 3, "some probes")
        self.assertEqual(driver.view("coach")["dead"], 0)
        client.make_stream()
        self.assertEqual(driver.flush(), (0, 0))
        found = client.messages()
        for agent in ("coach", "scribe"):
            ids = [payload["id"] for _, payload in found if payload["attributes"]["agent"] == agent]
            self.assertEqual(ids, self.marked_ids(agent))

    def test_a_stream_made_while_the_first_events_are_sent_keeps_their_order(self):
        for round_number in range(8):
            root = self.scratch / f"round{round_number}"
            root.mkdir()
            server = self.make_server()
            client = self.make_client(server)
            driver = self.make_driver(root)
            driver.ok("append coach 4000")
            driver.ok(f"attach 0 {server.url}")
            until = time.monotonic() + round_number * 0.0015  # the moment of the making is what varies
            while time.monotonic() < until:
                pass
            client.make_stream()
            self.assertEqual(driver.flush(), (0, 0))
            self.assertEqual(self.ids_in_stream(client), self.marked_ids("coach", root))
            driver.close()
            server.kill()

    def test_a_broker_killed_again_and_again_gets_every_event_once(self):
        server = self.make_server()
        self.make_client(server).make_stream()
        driver = self.make_publisher(server)
        for _ in range(6):
            driver.ok("append coach 3000")
            server.kill()
            driver.ok("append coach 200")
            server.start()
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(self.ids_in_stream(self.make_client(server)), self.marked_ids("coach"))
        view = driver.view("coach")
        self.assertEqual((view["marked"], view["acknowledged"]), (19200, 19200))

    def test_a_restarted_process_goes_on_behind_what_was_acknowledged(self):
        server, client = self.make_broker(duplicate_window=100_000_000)
        for _ in range(3):
            driver = self.make_publisher(server)
            driver.ok("append coach 100")
            self.assertEqual(driver.flush(), (0, 0))
            driver.kill()
        self.assertEqual(self.ids_in_stream(client), self.marked_ids("coach"))

    def test_a_marked_line_without_the_doorbell_is_found_at_take_over(self):
        server, client = self.make_broker()
        writer = self.make_driver()
        writer.ok("append coach 10")
        self.folder(".doorbell").unlink()
        driver = self.make_publisher(server)
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(client.count(), 10)

    def test_core_publish_needs_no_stream(self):
        server = self.make_server(jetstream=False)
        driver = self.make_driver()
        driver.ok(f"attach 0 {server.url} core")
        client = self.make_client(server)
        client.subscribe()
        driver.ok("append coach 5000")
        self.assertEqual(driver.flush(), (0, 0))
        for expected in self.marked_ids("coach"):
            self.assertEqual(client.next_event()["id"], expected)

    def test_core_publish_stays_pending_while_the_broker_denies_it(self):
        server = self.make_server(config='''authorization { users: [
          {user: mute, password: p, permissions: {publish: {deny: ["activity.>"]}}}] }''', jetstream=False)
        driver = self.make_driver()
        driver.ok(f"attach 0 nats://mute:p@127.0.0.1:{server.port} core")
        driver.ok("append coach 2")
        wait_for(lambda: "does not permit" in driver.json("status 0")["reason"], "the reason")
        self.assertEqual(driver.flush(ms=500), (1, 2))

    def test_core_publish_stays_pending_while_there_is_no_broker(self):
        server = self.make_server(jetstream=False)
        server.kill()
        driver = self.make_driver()
        driver.ok(f"attach 0 {server.url} core")
        driver.ok("append coach 5")
        wait_for(lambda: "no broker answers" in driver.json("status 0")["reason"], "the first refused connection")
        wait_for(lambda: driver.flush(ms=1) == (1, 5), "a flush that had the time to count")
        server.start()
        self.assertEqual(driver.flush(), (0, 0))

    def test_a_durable_log_is_sent_all_the_same(self):
        server, client = self.make_broker()
        driver = self.make_driver()
        driver.ok(f"attach 0 {server.url} sync")
        for _ in range(20):
            driver.ok("append coach 5")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(client.count(), 100)

    @unittest.skipUnless(may_trace(), "strace is missing or may not trace here")
    def test_what_a_killed_recorder_left_is_durable_before_it_is_sent(self):
        server, client = self.make_broker()
        # every fdatasync of this process fails; it appends without one, as a recorder that was killed before it
        driver = self.make_driver(below=["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync",
                                         "-e", "inject=fdatasync:error=EIO"])
        driver.ok(f"attach 0 {server.url} sync")
        driver.ok("append coach 3")
        said = []

        def judged():
            said.append(driver.call("said"))
            return client.count() or "fdatasync of the log" in said[-1]

        wait_for(judged, "the event, or that it cannot be sent")
        self.assertEqual(client.count(), 0, said)
        self.assertEqual(driver.view("coach")["pending"], 3)

    def test_bytes_that_are_not_committed_are_not_sent(self):
        server, client = self.make_broker()
        driver = self.make_publisher(server)
        driver.ok("append coach 1")
        driver.ok("append scribe 1")
        self.assertEqual(driver.flush(), (0, 0))
        log = self.folder("coach") / "executions.jsonl"
        committed = log.read_bytes()
        line = committed.replace(self.marked_ids("coach")[0].encode(), str(uuid.uuid4()).encode())
        with open(self.folder("coach") / ".lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with open(log, "ab") as file:
                file.write(line)
            driver.ok("ring coach")
            for _ in range(20):  # the publisher makes its rounds meanwhile
                driver.ok("append scribe 1")
                wait_for(lambda: driver.view("scribe")["pending"] == 0, "the other agent's event")
            with open(log, "wb") as file:
                file.write(committed)
        driver.ok("append coach 1")
        self.assertEqual(driver.flush(), (0, 0))
        ids = [payload["id"] for _, payload in client.messages() if payload["attributes"]["agent"] == "coach"]
        self.assertEqual(ids, self.marked_ids("coach"))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# test_publisher_processes.py - several processes on one project, and trees that are copied.
#
# SPDX-License-Identifier: Apache-2.0
import os
import signal
import subprocess
import unittest

from broker_support import BrokerTest, wait_for

ELSEWHERE, CONNECTED = 1, 3


class Elected(BrokerTest):
    def two(self, server):
        first, second = self.make_driver(), self.make_driver()
        first.ok(f"attach 0 {server.url}")
        first.ok("append coach 1")
        self.assertEqual(first.flush(), (0, 0))
        second.ok(f"attach 0 {server.url}")
        wait_for(lambda: second.json("status 0")["state"] == ELSEWHERE, "the second to stand by")
        return first, second

    def test_one_of_two_processes_publishes_what_both_record(self):
        server, client = self.make_broker()
        first, second = self.two(server)
        for _ in range(20):
            first.ok("append coach 3")
            second.ok("append coach 3")
            second.ok("append scribe 2")
        self.assertEqual(second.flush(), (0, 0))
        self.assertEqual(first.flush(), (0, 0))
        self.assertEqual(second.json("status 0")["holder"], first.process.pid)
        found = client.messages()
        self.assertEqual(len(found), 161)
        for agent in ("coach", "scribe"):
            ids = [payload["id"] for _, payload in found if payload["attributes"]["agent"] == agent]
            self.assertEqual(ids, self.marked_ids(agent))

    def test_a_process_standing_by_does_not_load_libnats(self):
        server = self.make_server()
        self.make_client(server).make_stream()
        first, second = self.two(server)

        def maps(driver):
            with open(f"/proc/{driver.process.pid}/maps", encoding="ascii") as file:
                return file.read()

        self.assertIn("libnats", maps(first))
        self.assertNotIn("libnats", maps(second))

    def test_a_killed_publisher_is_replaced_also_when_its_children_live_on(self):
        server, client = self.make_broker()
        first, second = self.two(server)
        child = int(first.call("fork"))
        try:
            first.kill()
            second.ok("append coach 50")
            self.assertEqual(second.flush(), (0, 0))
            self.assertEqual([payload["id"] for _, payload in client.messages()], self.marked_ids("coach"))
        finally:
            os.kill(child, signal.SIGKILL)

    def test_of_two_that_both_think_they_are_elected_one_moves_the_cursor(self):
        server = self.make_server()
        client = self.make_client(server)
        first, second = self.make_driver(), self.make_driver()
        first.ok(f"attach 0 {server.url}")
        first.ok("append coach 10")
        wait_for(lambda: first.json("status 0")["state"] == CONNECTED, "the first to try")
        first.ok(f"open_and_close {os.path.dirname(self.folder('coach'))}/.publisher.lock")
        second.ok(f"attach 0 {server.url}")
        wait_for(lambda: second.json("status 0")["state"] == CONNECTED, "the second to try, too")
        self.assertEqual(first.json("status 0")["state"], CONNECTED)
        client.make_stream()
        self.assertEqual((first.flush(), second.flush()), ((0, 0), (0, 0)))
        first.ok("append coach 5")
        second.ok("append coach 5")
        self.assertEqual((first.flush(), second.flush()), ((0, 0), (0, 0)))
        found = first.view("coach")
        self.assertEqual((found["marked"], found["acknowledged"], found["pending"]), (20, 20, 0))
        self.assertEqual([payload["id"] for _, payload in client.messages()], self.marked_ids("coach"))

    def test_an_unattached_process_is_heard_by_its_ring(self):
        server, client = self.make_broker()
        first, _ = self.two(server)
        writer = self.make_driver()
        writer.ok("append newcomer 4")
        self.assertIn("newcomer\n", self.folder(".doorbell").read_text())
        wait_for(lambda: client.count() == 5, "the new agent's events, before the next round of all agents")

    def test_a_process_that_dies_right_after_a_record_has_rung(self):
        """Its own thread would ring a moment later, and all agents are looked at twice a minute only."""
        server = self.make_server()
        client = self.make_client(server)
        client.make_stream()
        _, second = self.two(server)
        with self.assertRaises(AssertionError):
            second.call("append_and_die newcomer 4")
        self.drivers.remove(second)
        second.close()
        self.assertIn("newcomer\n", self.folder(".doorbell").read_text())
        wait_for(lambda: client.count() == 5, "its events")

    def test_a_publisher_with_a_wrong_url_gives_way_to_one_with_the_right(self):
        server, client = self.make_broker()
        wrong, right = self.make_driver(), self.make_driver()
        wrong.ok("attach 0 nats://127.0.0.1:9")
        wrong.ok("append coach 5")
        wait_for(lambda: "no broker answers" in wrong.json("status 0")["reason"], "its refused connection")
        right.ok(f"attach 0 {server.url}")
        right.ok("append coach 5")
        self.assertEqual(right.flush(), (0, 0))
        self.assertIn("[5:208]", wrong.call("said"))
        self.assertEqual([payload["id"] for _, payload in client.messages()], self.marked_ids("coach"))

    def test_two_configurations_in_one_process_elect_one_publisher(self):
        server, client = self.make_broker()
        driver = self.make_publisher(server)
        driver.ok("append coach 1")
        self.assertEqual(driver.flush(0), (0, 0))
        driver.ok(f"attach 1 {server.url},nats://127.0.0.1:9")
        driver.ok("append coach 100")
        self.assertEqual(driver.flush(1), (0, 0))
        states = sorted((driver.json("status 0")["state"], driver.json("status 1")["state"]))
        self.assertEqual(states, [ELSEWHERE, CONNECTED])
        driver.call("detach 0 10000")
        driver.ok("append coach 100")
        self.assertEqual(driver.flush(1), (0, 0))
        self.assertEqual([payload["id"] for _, payload in client.messages()], self.marked_ids("coach"))

    def test_two_instances_on_one_project_share_thread_and_connection(self):
        server, client = self.make_broker()
        driver = self.make_driver()
        for slot in range(4):
            driver.ok(f"attach {slot} {server.url}")
        driver.ok("append coach 10")
        for slot in range(4):
            self.assertEqual(driver.flush(slot), (0, 0))
            self.assertEqual(driver.json(f"status {slot}")["state"], CONNECTED)
        self.assertEqual(client.count(), 10)
        tasks = os.listdir(f"/proc/{driver.process.pid}/task")
        self.assertLessEqual(len(tasks), 1 + 1 + 7)
        for slot in range(4):
            driver.call(f"detach {slot} 10000")

    def test_a_child_that_attaches_for_itself_publishes(self):
        server, client = self.make_broker()
        first, second = self.two(server)
        second.call("become_child")
        second.ok(f"attach 0 {server.url}")
        first.kill()
        second.ok("append coach 7")
        self.assertEqual(second.flush(), (0, 0))
        self.assertEqual(client.count(), 8)


class Copied(BrokerTest):
    def copied(self, server):
        driver = self.make_publisher(server)
        driver.ok("append coach 30")
        self.assertEqual(driver.flush(), (0, 0))
        copy = self.scratch / "copy"
        subprocess.run(["cp", "-a", self.root, copy], check=True)
        other = self.make_publisher(server, copy)
        return driver, other, copy

    def test_a_copied_tree_does_not_send_its_history_again(self):
        server, client = self.make_broker(duplicate_window=100_000_000)
        _, other, _ = self.copied(server)
        other.ok("append coach 3")
        self.assertEqual(other.flush(), (0, 0))
        view = other.view("coach")
        self.assertEqual((view["marked"], view["held"], view["pending"], view["acknowledged"]), (33, 30, 30, 3))
        self.assertEqual(client.count(), 33)
        self.assertIn("[4:207]", other.call("said"))

    def test_what_a_copied_tree_brings_along_is_held_before_anybody_writes_there(self):
        server = self.make_server()
        self.make_client(server).make_stream()
        driver, other, copy = self.copied(server)
        view = other.view("coach")
        self.assertEqual((view["marked"], view["held"], view["pending"], view["acknowledged"]), (30, 30, 30, 0))
        self.assertEqual(other.flush(), (0, 0))  # nobody waits for what is held
        self.assertEqual(driver.view("coach")["acknowledged"], 30)
        state = (self.folder("coach", copy) / ".state").read_bytes()
        self.assertEqual(state, (self.folder("coach") / ".state").read_bytes())

    def test_a_copied_tree_does_not_send_what_its_original_still_had_to(self):
        server = self.make_server()
        client = self.make_client(server)
        writer = self.make_driver()
        writer.ok("append coach 5")
        copy = self.scratch / "copy"
        subprocess.run(["cp", "-a", self.root, copy], check=True)
        client.make_stream()
        other = self.make_publisher(server, copy)
        other.ok("append scribe 2")
        other.ok("ring coach")
        self.assertEqual(other.flush(), (0, 0))
        other.ok("append scribe 2")
        self.assertEqual(other.flush(), (0, 0))
        self.assertEqual({payload["attributes"]["agent"] for _, payload in client.messages()}, {"scribe"})
        self.assertEqual(other.view("coach")["held"], 5)

    def test_held_events_are_sent_when_somebody_says_so(self):
        server, client = self.make_broker()
        _, other, copy = self.copied(server)
        client.subscribe()  # the stream keeps no id twice: the original sent the same
        self.assertEqual(other.call("resend 0"), "30")
        self.assertEqual(other.flush(), (0, 0))
        view = other.view("coach")
        self.assertEqual((view["held"], view["pending"], view["acknowledged"]), (0, 0, 30))
        self.assertEqual([client.next_event()["id"] for _ in range(30)], self.marked_ids("coach", copy))

    def test_held_events_are_taken_as_sent_when_somebody_says_so(self):
        server, client = self.make_broker(duplicate_window=100_000_000)
        _, other, _ = self.copied(server)
        self.assertEqual(other.call("assume"), "30")
        self.assertEqual(other.view("coach")["acknowledged"], 30)
        other.ok("append coach 1")
        self.assertEqual(other.flush(), (0, 0))
        self.assertEqual(client.count(), 31)

    def test_held_events_stay_held_when_newer_ones_are_sent_again(self):
        server, client = self.make_broker(duplicate_window=100_000_000)
        _, other, copy = self.copied(server)
        other.ok("append coach 5")
        self.assertEqual(other.flush(), (0, 0))
        subscriber = self.make_client(server)
        subscriber.subscribe()
        self.assertEqual(other.call("resend 1"), "5")
        ids = self.marked_ids("coach", copy)[30:]
        self.assertEqual([subscriber.next_event()["id"] for _ in ids], ids)
        self.assertEqual(other.flush(), (0, 0))
        self.assertEqual(other.view("coach")["held"], 30)

    def test_marked_lines_without_a_state_are_not_sent(self):
        server, client = self.make_broker()
        writer = self.make_driver()
        writer.ok("append coach 5")
        (self.folder("coach") / ".state").unlink()
        driver = self.make_publisher(server)
        driver.ok("append scribe 1")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(client.count(), 1)
        self.assertEqual(driver.view("coach")["held"], 5)


if __name__ == "__main__":
    unittest.main()

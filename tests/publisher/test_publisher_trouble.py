#!/usr/bin/env python3
# test_publisher_trouble.py - what a broker refuses, and brokers that freeze, forget or are the wrong one.
#
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import socket
import unittest

from broker_support import BrokerTest, wait_for

USERS = """
authorization {
  users = [
    {user: admin, password: admin-secret}
    {user: mute, password: mute-secret, permissions: {publish: {deny: ["activity.>"]}}}
    {user: deaf, password: deaf-secret, permissions: {subscribe: {deny: ["_INBOX.>"]}}}
  ]
}
"""


class Refused(BrokerTest):
    def test_an_event_larger_than_the_broker_takes_becomes_a_dead_letter_and_blocks_nobody(self):
        server = self.make_server(config="max_payload: 1024")
        client = self.make_client(server)
        client.make_stream()
        driver = self.make_publisher(server)
        driver.ok("append coach 5")
        driver.ok("append coach 2 1200")
        driver.ok("append coach 5")
        self.assertEqual(driver.flush(), (0, 0))
        view = driver.view("coach")
        self.assertEqual((view["marked"], view["acknowledged"], view["dead"], view["pending"]), (12, 10, 2, 0))
        letters = [json.loads(line) for line in driver.call("letters").split("\t") if line]
        ids = self.marked_ids("coach")
        self.assertEqual([letter["event_id"] for letter in letters], ids[5:7])
        self.assertEqual(list(letters[0]), ["event_id", "agent", "reason", "time", "event"])
        self.assertEqual(letters[0]["event"]["id"], ids[5])
        self.assertIn("1024", letters[0]["reason"])
        self.assertEqual([payload["id"] for _, payload in client.messages()], ids[:5] + ids[7:])

    def test_dead_letters_that_are_retried_arrive_once_the_broker_takes_them(self):
        server, client = self.make_broker(max_msg_size=600)
        driver = self.make_publisher(server)
        driver.ok("append coach 50")
        driver.ok("append coach 1 900")
        driver.ok("append coach 50")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(driver.view("coach")["dead"], 1)
        self.assertIn("10054", driver.call("letters"))
        self.assertEqual(client.count(), 100)
        client.ask("$JS.API.STREAM.UPDATE.ACTIVITY_EVENTS",
                   {**client.ask("$JS.API.STREAM.INFO.ACTIVITY_EVENTS")["config"], "max_msg_size": -1})
        self.assertEqual(driver.call("retry"), "1")
        wait_for(lambda: client.count() == 101, "the retried event")
        self.assertEqual(driver.flush(), (0, 0))
        view = driver.view("coach")
        self.assertEqual((view["acknowledged"], view["dead"]), (101, 0))
        self.assertEqual(driver.call("letters"), "")

    def test_a_marked_line_of_which_no_event_can_be_made_becomes_a_dead_letter(self):
        server, client = self.make_broker()
        driver = self.make_publisher(server)
        driver.ok('raw coach {"timestamp":"2025-01-02T03:04:05Z","agent":"coach","success":true,'
                  '"event_id":"3b241101-e2bb-4255-8caf-4136c566a962","event":{"project":7}}')
        driver.ok("append coach 1")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(driver.view("coach")["dead"], 1)
        letter = json.loads(driver.call("letters").split("\t")[0])
        self.assertEqual(letter["event"], {"project": 7})
        self.assertEqual(client.count(), 1)

    def expect_pending(self, url, reason, *stream):
        driver = self.make_driver()
        driver.ok(" ".join(["attach 0", url, *stream]))
        driver.ok("append coach 20")
        wait_for(lambda: reason in driver.json("status 0")["reason"] or driver.view("coach")["dead"], f"the reason: {reason}")
        self.assertEqual(driver.view("coach")["dead"], 0)
        wait_for(lambda: driver.json("status 0")["hopeless"], "hopeless")
        view = driver.view("coach")
        self.assertEqual((view["pending"], view["dead"], view["acknowledged"]), (20, 0, 0))
        self.assertNotIn("secret", driver.call("said"))
        self.assertNotIn("secret", driver.json("status 0")["reason"])
        return driver

    def expect_still_pending(self, driver):
        """Also after it was tried again."""
        tries = driver.json("status 0")["failures"] + 2
        wait_for(lambda: driver.json("status 0")["failures"] > tries, "three more tries")
        view = driver.view("coach")
        self.assertEqual((view["pending"], view["dead"], view["acknowledged"]), (20, 0, 0))

    def test_a_refused_login_leaves_events_pending(self):
        server = self.make_server(config=USERS)
        self.expect_pending(f"nats://admin:wrong-secret@127.0.0.1:{server.port}", "refused the login")

    def test_a_missing_permission_to_publish_leaves_events_pending(self):
        server = self.make_server(config=USERS)
        client = self.make_client(server, user="admin", password="admin-secret")
        client.make_stream()
        driver = self.expect_pending(f"nats://mute:mute-secret@127.0.0.1:{server.port}", "does not permit")
        self.expect_still_pending(driver)

    def test_a_missing_permission_to_hear_the_answer_leaves_events_pending(self):
        server = self.make_server(config=USERS)
        client = self.make_client(server, user="admin", password="admin-secret")
        client.make_stream()
        driver = self.expect_pending(f"nats://deaf:deaf-secret@127.0.0.1:{server.port}", "does not permit")
        self.expect_still_pending(driver)

    def test_another_stream_than_the_configured_one_leaves_events_pending(self):
        server, client = self.make_broker("OTHER")
        self.expect_still_pending(self.expect_pending(server.url, "another stream", "EXPECTED"))
        self.assertEqual(client.count("OTHER"), 0)

    def test_a_broker_without_jetstream_leaves_events_pending(self):
        server = self.make_server(jetstream=False)
        self.expect_pending(server.url, "no JetStream")

    def test_a_broker_without_a_stream_says_how_to_make_one(self):
        self.expect_pending(self.make_server().url, "broker init")

    def test_each_stream_that_takes_nothing_says_why(self):
        cases = {
            "acknowledges nothing (no_ack)": {"no_ack": True},
            "full (max_bytes)": {"max_bytes": 300, "discard": "new"},
            "full (max_msgs)": {"max_msgs": 1, "discard": "new"},
            "is sealed": {},
        }
        for number, (words, config) in enumerate(cases.items()):
            with self.subTest(words):
                server, self.root = self.make_server(), self.scratch / f"root{number}"
                self.root.mkdir()
                client = self.make_client(server)
                made = client.make_stream(**config)["config"]
                if "max_msgs" in config:
                    client.ask("activity.other", {"any": "message"})
                if not config:
                    client.ask("$JS.API.STREAM.UPDATE.ACTIVITY_EVENTS", dict(made, sealed=True))
                self.expect_pending(server.url, words)

    def test_what_no_event_fits_into_leaves_events_pending(self):
        self.expect_still_pending(self.expect_pending(self.make_broker(max_msg_size=300)[0].url, "raise its max_msg_size"))

    def test_a_server_that_no_event_fits_into_leaves_events_pending(self):
        for number, (words, config) in enumerate((("raise its max_payload", "max_payload: 300"),
                                                  ("remove no_header_support", "no_header_support: true"))):
            with self.subTest(words):
                self.root = self.scratch / f"root{number}"
                self.root.mkdir()
                self.expect_pending(self.make_server(config=config).url, words)

    def test_a_stream_that_acknowledges_and_stores_nothing_is_told_of(self):
        for number, (words, config) in enumerate((("has no consumer", {"retention": "interest"}),
                                                  ("no room for a single event", {"max_bytes": 300}))):
            with self.subTest(words):
                self.root = self.scratch / f"root{number}"
                self.root.mkdir()
                server, client = self.make_broker(**config)
                said = self.append_until_told(self.make_publisher(server))
                self.assertEqual((said.count("acknowledged, but not stored"), client.count()), (1, 0), said)
                self.assertIn(words, said)

    def test_a_stream_that_drops_what_nobody_wants_is_told_of_at_a_resend(self):
        server, client = self.make_broker(retention="interest")
        driver = self.make_publisher(server)
        driver.ok("append coach 3")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(driver.call("resend 0"), "3")
        driver.ok("ring coach")
        # servers of later generations acknowledge it once more
        wait_for(lambda: "has no consumer" in driver.json("status 0")["reason"] or driver.view("coach")["pending"] == 0,
                 "the cause, or another acknowledgement")
        self.assertEqual(driver.view("coach")["dead"], 0)

    def test_a_full_stream_leaves_events_pending_until_there_is_room(self):
        server, client = self.make_broker(max_msgs=10, discard="new")
        driver = self.make_publisher(server)
        driver.ok("append coach 30")
        wait_for(lambda: "is full (max_msgs)" in driver.json("status 0")["reason"], "the reason")
        client.ask("$JS.API.STREAM.UPDATE.ACTIVITY_EVENTS",
                   {**client.ask("$JS.API.STREAM.INFO.ACTIVITY_EVENTS")["config"], "max_msgs": -1})
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual([payload["id"] for _, payload in client.messages()], self.marked_ids("coach"))


class Unreliable(BrokerTest):
    def test_a_frozen_broker_does_not_hold_detach_and_a_new_attachment_works(self):
        server, client = self.make_broker()
        driver = self.make_publisher(server)
        driver.ok("append coach 1")
        self.assertEqual(driver.flush(), (0, 0))
        server.freeze()
        driver.ok("append coach 5000")
        wait_for(lambda: driver.flush(ms=50) == (1, 5000), "a flush that had the time to count")
        driver.call("detach 0 100")  # comes back although the broker never does
        driver.ok(f"attach 0 {server.url}")
        server.thaw()
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual([payload["id"] for _, payload in client.messages()], self.marked_ids("coach"))
        self.assertLess(int(driver.call("detach 0 10000")), 10000)
        self.assertEqual(driver.close(), 0)

    def test_detach_leaves_behind_a_thread_that_waits_for_a_silent_broker(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            driver = self.make_driver()
            driver.ok(f"attach 0 nats://127.0.0.1:{silent.getsockname()[1]}")
            driver.ok("append coach 1")
            accepted, _ = silent.accept()
            driver.call("detach 0 50")
            accepted.setblocking(False)
            self.assertRaises(BlockingIOError, accepted.recv, 1)  # not closed yet: it still waits
            accepted.close()

    def test_a_broker_that_thaws_gets_what_it_did_not_answer(self):
        server, client = self.make_broker()
        driver = self.make_publisher(server)
        driver.ok("append coach 10")
        self.assertEqual(driver.flush(), (0, 0))
        server.freeze()
        driver.ok("append coach 20000")
        wait_for(lambda: driver.json("status 0")["failures"] > 0, "the publisher to notice")
        server.thaw()
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual([payload["id"] for _, payload in client.messages()], self.marked_ids("coach"))

    def test_a_stream_that_begins_again_is_told(self):
        server = self.make_server()
        self.make_client(server).make_stream()
        driver = self.make_publisher(server)
        driver.ok("append coach 100")
        self.assertEqual(driver.flush(), (0, 0))
        server.kill()
        server.forget_store()
        server.start()
        client = self.make_client(server)
        client.make_stream()
        driver.ok("append coach 40")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(driver.view("coach")["store_lost"], 1)
        self.assertIn("[3:204]", driver.call("said"))
        self.assertEqual(driver.call("resend 0"), "140")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual({payload["id"] for _, payload in client.messages()}, set(self.marked_ids("coach")))

    def test_others_that_publish_there_too_do_not_hide_that_a_stream_began_again(self):
        server, client = self.make_broker()
        driver = self.make_publisher(server)
        driver.ok("append coach 20")
        self.assertEqual(driver.flush(), (0, 0))
        for _ in range(5):  # theirs among ours: no loss
            client.ask("activity.other", {"any": "message"})
        driver.ok("append coach 1")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertNotIn(":204]", driver.call("said"))
        server.kill()
        server.forget_store()
        server.start()
        client = self.make_client(server)
        client.make_stream()
        for _ in range(100):
            client.ask("activity.other", {"any": "message"})
        driver.ok("append coach 1")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(driver.view("coach")["store_lost"], 1)
        self.assertIn("[3:204]", driver.call("said"))

    def test_attaching_a_hundred_times_leaves_nothing_growing(self):
        server = self.make_server()
        self.make_client(server).make_stream()
        driver = self.make_driver()

        def turn():
            driver.ok(f"attach 0 {server.url}")
            driver.ok("append coach 1")
            self.assertEqual(driver.flush(), (0, 0))
            self.assertLess(int(driver.call("detach 0 10000")), 10000)

        def footprint():
            process = pathlib.Path("/proc") / str(driver.process.pid)
            return len(os.listdir(process / "fd")), len(os.listdir(process / "task"))

        for _ in range(5):
            turn()
        # the library's own subscription threads end a moment after their connection
        before = footprint()
        for _ in range(100):
            turn()
        wait_for(lambda: footprint() <= before, f"descriptors and threads as before: {before}, {footprint()}")

    def test_the_host_keeps_its_random_numbers_its_signals_and_its_dispositions(self):
        server = self.make_server()
        self.make_client(server).make_stream()
        driver = self.make_publisher(server)
        driver.ok("append coach 1")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(driver.json("host"), {"rand": True, "sigpipe": True})
        for task in (pathlib.Path("/proc") / str(driver.process.pid) / "task").iterdir():
            if int(task.name) == driver.process.pid:
                continue
            status = (task / "status").read_text()
            blocked = int(status.split("SigBlk:")[1].split()[0], 16)
            # SIGTERM, SIGINT, SIGCHLD, SIGPIPE, SIGALRM, SIGUSR1: none of the host's handlers runs there
            for number in (15, 2, 17, 13, 14, 10):
                self.assertTrue(blocked >> (number - 1) & 1, (task.name, number, status))

    def test_a_program_that_the_host_starts_inherits_no_connection(self):
        server = self.make_server()
        self.make_client(server).make_stream()
        driver = self.make_publisher(server)
        driver.ok("append coach 1")
        self.assertEqual(driver.flush(), (0, 0))
        process = pathlib.Path("/proc") / str(driver.process.pid)
        inherited = [os.readlink(process / "fd" / info.name) for info in (process / "fdinfo").iterdir()
                     if int(info.name) > 2 and not int(info.read_text().split("flags:")[1].split()[0], 8) & os.O_CLOEXEC]
        # what is not a file belongs to the library from its first use on, and leads nowhere
        self.assertEqual(inherited, [])


if __name__ == "__main__":
    unittest.main()

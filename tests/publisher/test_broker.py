#!/usr/bin/env python3
# test_broker.py - looking at a broker, making its stream, watching its events.
#
# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import threading
import unittest

from broker_support import BrokerTest

REPORT = ["url", "connected", "server_version", "jetstream", "stream", "subjects", "replicas",
          "duplicate_window_s", "ok", "reason", "verdict"]


class Broker(BrokerTest):
    def report(self, command, result):
        answer = self.driver.json(command)
        self.assertEqual(answer["result"], result, answer)
        return answer["report"]

    def setUp(self):
        super().setUp()
        self.driver = self.make_driver()

    def test_a_check_names_the_stream_that_takes_the_subject(self):
        server = self.make_server()
        self.make_client(server).make_stream("ANY", subjects=["activity.kaizen.>"])
        report = self.report(f"check {server.url}", 0)
        self.assertEqual(list(report), REPORT)
        self.assertEqual((report["connected"], report["jetstream"], report["ok"]), (True, True, True))
        self.assertEqual((report["stream"], report["subjects"]), ("ANY", ["activity.kaizen.>"]))
        self.assertEqual((report["replicas"], report["duplicate_window_s"]), (1, 120))
        version = subprocess.run(["nats-server", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
        self.assertEqual(report["server_version"], version.strip().rpartition(" v")[2])

    def test_a_check_says_what_is_missing(self):
        server, plain = self.make_server(), self.make_server(jetstream=False)
        gone = self.make_server()
        gone.kill()
        self.assertIn("no stream takes", self.report(f"check {server.url}", -1)["reason"])
        self.assertIn("no JetStream", self.report(f"check {plain.url}", -1)["reason"])
        report = self.report(f"check {gone.url}", -1)
        self.assertIn("no broker answers", report["reason"])
        self.assertEqual((report["connected"], report["ok"]), (False, False))
        self.make_client(server).make_stream("OTHER")
        self.assertIn("another stream", self.report(f"check {server.url} EXPECTED", -1)["reason"])

    def test_a_check_reads_what_a_stream_would_do_with_an_event(self):
        cases = {
            "acknowledges nothing": {"no_ack": True},
            "max_msg_size": {"max_msg_size": 100},
            "full (max_msgs)": {"max_msgs": 1, "discard": "new"},
            "full (max_bytes)": {"max_bytes": 300, "discard": "new"},
            "no consumer": {"retention": "interest"},
        }
        server = self.make_server()
        client = self.make_client(server)
        for words, config in cases.items():
            with self.subTest(words):
                client.make_stream(**config)
                if "max_msgs" in config:
                    client.ask("activity.other", {"any": "message"})
                report = self.report(f"check {server.url}", -1)
                self.assertIn(words, report["reason"])
                self.assertEqual((report["verdict"], report["stream"]), ("no", "ACTIVITY_EVENTS"))
                client.delete_stream()
        client.make_stream(max_msgs=1, discard="old")
        client.ask("activity.other", {"any": "message"})
        self.report(f"check {server.url}", 0)

    def test_a_sealed_stream_is_no_place_for_events(self):
        server = self.make_server()
        client = self.make_client(server)
        config = client.make_stream()["config"]
        client.ask("$JS.API.STREAM.UPDATE.ACTIVITY_EVENTS", dict(config, sealed=True))
        self.assertIn("is sealed", self.report(f"check {server.url}", -1)["reason"])

    def test_a_stream_that_cannot_be_asked_is_tried_and_stores_nothing(self):
        mapped = self.make_server(config='mappings = { "activity.>": "eu.activity.>" }')
        mapped_client = self.make_client(mapped)
        mapped_client.make_stream(subjects=["eu.activity.>"])
        imported = self.make_server(config='''accounts {
          HUB { jetstream: enabled, users: [{user: h, password: h}],
                exports: [{service: "activity.>", response_type: Singleton}] }
          APP { users: [{user: a, password: a}], imports: [{service: {account: HUB, subject: "activity.>"}}] } }''')
        imported_client = self.make_client(imported, user="h", password="h")
        imported_client.make_stream()
        barred = self.make_server(config='''authorization { users: [
          {user: a, password: a, permissions: {publish: ["activity.>"], subscribe: ["_INBOX.>"]}}, {user: h, password: h}] }''')
        barred_client = self.make_client(barred, user="h", password="h")
        barred_client.make_stream()
        login = "nats://a:a@127.0.0.1:"
        for url, client in ((mapped.url, mapped_client), (f"{login}{imported.port}", imported_client),
                            (f"{login}{barred.port}", barred_client)):
            with self.subTest(url):
                report = self.report(f"check {url}", 0)
                self.assertEqual((report["verdict"], report["stream"]), ("yes", "ACTIVITY_EVENTS"))
                self.assertEqual(client.count(), 0)
                self.assertEqual(self.report(f"init {url} ACTIVITY_EVENTS 1", 0)["action"], "exists")

    def test_a_listener_that_stores_nothing_is_not_taken_for_a_stream(self):
        server = self.make_server()
        self.make_client(server).subscribe()
        report = self.report(f"check {server.url}", -1)
        self.assertEqual(report["verdict"], "unknown")
        self.assertIn("something listens", report["reason"])

    def test_a_login_means_the_same_whatever_the_library_decodes(self):
        server = self.make_server(config='authorization { user: "u", password: "p@s,s %41/" }')
        self.make_client(server, user="u", password="p@s,s %41/").make_stream()
        self.report(f"check nats://u:p%40s%2Cs%20%2541%2F@127.0.0.1:{server.port}/", 0)
        report = self.report(f"check nats://u:p%41@127.0.0.1:{server.port}", -1)
        self.assertIn("refused the login", report["reason"])
        self.assertIn("write % as %25", self.report(f"check nats://u:p%@127.0.0.1:{server.port}", -1)["reason"])

    def test_init_makes_the_routers_layout_once(self):
        server = self.make_server()
        self.assertEqual(self.report(f"init {server.url} ACTIVITY_EVENTS 1 dry", 0)["action"], "would-create")
        self.assertIn("no stream takes", self.report(f"check {server.url}", -1)["reason"])
        report = self.report(f"init {server.url} ACTIVITY_EVENTS 1", 0)
        self.assertEqual(report["action"], "created")
        self.assertEqual(report["subjects"], ["activity.>", "org.>"])
        self.assertEqual(report["duplicate_window_s"], 86400)
        self.assertEqual(self.report(f"init {server.url} ACTIVITY_EVENTS 1", 0)["action"], "exists")
        config = self.make_client(server).ask("$JS.API.STREAM.INFO.ACTIVITY_EVENTS")["config"]
        self.assertEqual((config["storage"], config["num_replicas"]), ("file", 1))

    def test_init_refuses_where_another_stream_is_in_the_way(self):
        server, client = self.make_broker("OTHER", subjects=["activity.kaizen.metrics.*"])
        report = self.report(f"init {server.url} ACTIVITY_EVENTS 1", -1)
        self.assertEqual(report["action"], "refused")
        self.assertIn("OTHER", report["reason"])
        client.delete_stream("OTHER")
        client.make_stream("PART", subjects=["org.elsewhere"])
        self.assertEqual(self.report(f"init {server.url} ACTIVITY_EVENTS 1", -1)["action"], "refused")
        client.delete_stream("PART")
        client.make_stream("ACTIVITY_EVENTS", subjects=["something.else"])
        report = self.report(f"init {server.url} ACTIVITY_EVENTS 1", -1)
        self.assertIn("does not take", report["reason"])

    def test_init_refuses_more_replicas_than_there_are_servers(self):
        server = self.make_server()
        report = self.report(f"init {server.url} ACTIVITY_EVENTS 3", -1)
        self.assertEqual((report["action"], report["ok"]), ("refused", False))

    def test_watch_hands_out_events_as_they_are_published(self):
        server = self.make_server()
        self.make_client(server).make_stream()
        fifo = self.scratch / "ready"
        os.mkfifo(fifo)
        watcher, seen = self.make_driver(), []
        thread = threading.Thread(target=lambda: seen.append(watcher.call(f"watch {server.url} 3 {fifo}")))
        thread.start()
        with open(fifo, encoding="ascii") as ready:
            ready.read()
        self.driver.ok(f"attach 0 {server.url}")
        self.driver.ok("append coach 3")
        self.assertEqual(self.driver.flush(), (0, 0))
        thread.join()
        for event_id in self.marked_ids("coach"):
            self.assertIn(event_id, seen[0])


if __name__ == "__main__":
    unittest.main()

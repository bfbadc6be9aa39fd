#!/usr/bin/env python3
# test_broker.py - looking at a broker, making its stream, watching its events.
#
# SPDX-License-Identifier: Apache-2.0
import json
import os
import subprocess
import threading
import unittest

from broker_support import PATIENCE_S, SUBJECT, CheckTest, wait_for
from fake_broker import INFO, FakeBroker

REPORT = ["url", "connected", "server_version", "jetstream", "stream", "subjects", "replicas",
          "duplicate_window_s", "ok", "reason", "verdict", "unknown"]


class Greeter(FakeBroker):
    """Says these words to everybody who comes, and closes."""

    def __init__(self, greeting):
        self.greeting = greeting
        super().__init__(None)

    def greet(self, connection):
        connection.sendall(self.greeting)
        raise OSError("that is all")


class Refuser(FakeBroker):
    """Refuses each login with these words."""

    def __init__(self, words):
        self.words = words
        super().__init__(None)

    def talk(self, connection, reader):
        while line := reader.readline():
            if line.startswith(b"PING"):  # the whole login is read: nothing that is left resets the connection
                connection.sendall(b"-ERR '%s'\r\n" % self.words.encode())


class Counted(FakeBroker):
    """Has a stream, and keeps what it is asked for; about the account's room it is silent, or says that it denies it."""

    ROOM = b"$JS.API.INFO"
    ANSWERS = ((b"$JS.API.STREAM.NAMES", b'{"streams":["S"]}'), (b"$JS.API.STREAM.INFO.", b'{"config":{},"state":{}}'))

    def __init__(self, denies):
        self.denies, self.asked = denies, []
        super().__init__(None)

    def tell(self, connection, subscriptions, words):
        if words[1] == self.ROOM and self.denies:
            connection.sendall(b"-ERR 'Permissions Violation for Publish to \"%s\"'\r\n" % words[1])
        for number in self.matching(subscriptions, words):
            self.asked.append(words[1])
            for subject, answer in self.ANSWERS:
                if words[1].startswith(subject):
                    self.send(connection, words[2], number, answer)


class Late(FakeBroker):
    """Greets later than a watch has patience for events."""

    def greet(self, connection):
        threading.Event().wait(0.2)
        super().greet(connection)


class Broker(CheckTest):
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
            "no room for a single event": {"max_bytes": 100},
            "full (max_msgs_per_subject)": {"max_msgs_per_subject": 1, "discard_new_per_subject": True,
                                            "discard": "new"},
        }
        server = self.make_server()
        client = self.make_client(server)
        for words, config in cases.items():
            with self.subTest(words):
                client.make_stream(**config)
                if "max_msgs" in config:
                    client.ask("activity.other", {"any": "message"})
                if "max_msgs_per_subject" in config:
                    client.ask("activity.other", {"any": "message"})
                    self.report(f"check {server.url}", 0)
                    client.ask(SUBJECT, {"any": "message"})
                report = self.report(f"check {server.url}", -1)
                self.assertIn(words, report["reason"])
                self.assertEqual((report["verdict"], report["stream"]), ("no", "ACTIVITY_EVENTS"))
                client.delete_stream()
        client.make_stream(max_msgs=1, discard="old")
        client.ask("activity.other", {"any": "message"})
        self.report(f"check {server.url}", 0)

    def test_a_stream_that_takes_some_events_only_is_not_called_usable(self):
        server, client = self.make_broker(max_msg_size=330)
        report = self.report(f"check {server.url}", -1)
        self.assertEqual(report["verdict"], "unknown")
        self.assertIn("max_msg_size to 768", report["reason"])
        client.delete_stream()
        client.make_stream(max_msg_size=768)
        self.report(f"check {server.url}", 0)

    def test_what_a_stream_does_not_tell_is_not_told_as_none(self):
        gone, silent = self.make_server(), FakeBroker(lambda event_id, number: None)
        self.addCleanup(silent.close)
        gone.kill()
        mapped = self.make_server(config='mappings = { "activity.>": "eu.activity.>" }')
        self.make_client(mapped).make_stream(subjects=["eu.activity.>"])
        for url, result, jetstream in ((gone.url, -1, None), (silent.url, -1, None), (mapped.url, 0, True)):
            with self.subTest(url):
                report = self.report(f"check {url}", result)
                self.assertEqual((report["replicas"], report["duplicate_window_s"]), (None, None))
                self.assertEqual(report["jetstream"], jetstream)
        server, _client = self.make_broker(duplicate_window=1_500_000_000)
        self.assertEqual(self.report(f"check {server.url}", 0)["duplicate_window_s"], 1.5)

    def test_an_answer_that_means_nothing_is_not_taken_for_no_stream(self):
        for answer in (b"{}", b"[]", b"", b"\xff{", b'{"streams":7}', b'{"streams":["A.B"]}', b'{"streams":["A B"]}',
                       b'{"streams":["%s"]}' % (b"A" * 300)):
            with self.subTest(answer):
                broker = FakeBroker(lambda event_id, number: None, question=answer)
                self.addCleanup(broker.close)
                report = self.report(f"check {broker.url}", -1)
                self.assertEqual((report["verdict"], report["jetstream"], report["stream"]), ("unknown", None, ""))
                self.assertNotIn("no stream takes", report["reason"])

    def test_a_connection_that_fails_names_its_address_and_no_source_file(self):
        for words, greeting in (("no answer that a NATS server would give", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
                                ("the connection broke off", b"")):
            with self.subTest(words):
                broker = Greeter(greeting)
                self.addCleanup(broker.close)
                reason = self.report(f"check {broker.url}", -1)["reason"]
                self.assertIn(f"nats://broker: {words}", reason)
                self.assertNotIn(".c:", reason)

    def test_credentials_are_a_regular_file(self):
        server = self.make_server()
        os.mkfifo(self.scratch / "fifo")
        for path in (self.scratch / "fifo", self.scratch):
            self.assertIn(f"nats_creds: cannot read {path}: it is not a regular file",
                          self.report(f"check {server.url} - {path}", -1)["reason"])

    def test_an_account_that_may_not_store_more_is_full(self):
        config = f'''jetstream {{ store_dir: "{self.scratch}/limited" }}
          accounts {{ A {{ jetstream: {{ max_file: 4KB, max_mem: 0 }}
                           users: [{{user: a, password: p}}] }} }}'''
        server = self.make_server(config=config, jetstream=False)
        client = self.make_client(server, user="a", password="p")
        client.make_stream()
        url = f"nats://a:p@127.0.0.1:{server.port}"
        self.report(f"check {url}", 0)
        for _ in range(100):  # the last of them are refused
            client.ask("activity.other", {"any": "message"})
        report = self.report(f"check {url}", -1)
        self.assertEqual(report["verdict"], "no")
        self.assertIn("raise its JetStream limits", report["reason"])

    def test_whether_the_account_has_room_is_not_waited_for(self):
        hour_ms = 3_600_000
        guard = threading.Timer(PATIENCE_S, self.driver.process.kill)
        guard.start()
        self.addCleanup(guard.cancel)
        for denies in (False, True):
            with self.subTest(denies=denies):
                broker = Counted(denies)
                self.addCleanup(broker.close)
                self.assertEqual(self.report(f"check {broker.url} - - {hour_ms}", 0)["stream"], "S")
                self.assertEqual(broker.asked.count(Counted.ROOM), 0 if denies else 1)

    def test_a_user_who_may_not_ask_about_the_account_may_use_its_stream(self):
        server = self.make_server(config='''authorization { users: [{user: free, password: p},
          {user: a, password: p, permissions: {publish: ["activity.>", "$JS.API.STREAM.>"], subscribe: ["_INBOX.>"]}}] }''')
        self.make_client(server, user="free", password="p").make_stream()
        report = self.report(f"check nats://a:p@127.0.0.1:{server.port}", 0)
        self.assertEqual((report["verdict"], report["stream"]), ("yes", "ACTIVITY_EVENTS"))
        self.assertEqual(self.unknown_of(report)["the account's room"], "this user may not ask on $JS.API.INFO")

    def test_what_a_user_may_not_ask_is_neither_there_nor_missing(self):
        server = self.make_server(config='''authorization { users: [{user: free, password: p},
          {user: lister, password: p, permissions: {publish: ["activity.>", "$JS.API.STREAM.NAMES"], subscribe: ["_INBOX.>"]}},
          {user: barred, password: p, permissions: {publish: ["activity.>"], subscribe: ["_INBOX.>"]}},
          {user: deaf, password: p, permissions: {publish: ["activity.>"], subscribe: ["other"]}}] }''')
        check = f"check nats://%s:p@127.0.0.1:{server.port}"
        report = self.report(check % "barred", -1)  # nobody listens on the subject: there is no stream
        self.assertEqual((report["verdict"], report["jetstream"]), ("no", None))
        self.assertIn("JetStream", self.unknown_of(report))
        self.make_client(server, user="free", password="p").make_stream()
        report = self.report(check % "lister", -1)
        self.assertEqual(report["verdict"], "unknown")
        self.assertIn("may not ask", self.unknown_of(report)["the stream's settings"])
        self.assertIn("may not ask", report["reason"])
        report = self.report(check % "deaf", -1)
        self.assertEqual(report["verdict"], "no")
        self.assertIn("the stream", self.unknown_of(report))
        self.assertIn("to receive the answer", report["reason"])

    def test_credentials_that_are_none_are_what_is_named(self):
        server, creds = self.make_server(), self.scratch / "user.creds"
        creds.write_text("-----BEGIN USER NKEY SEED-----\r\nnonsense\r\n------END USER NKEY SEED------\r\n")
        for text in ("nonsense", creds.read_text()):
            creds.write_text(text)
            report = self.report(f"check {server.url} - {creds}", -1)
            self.assertEqual(report["verdict"], "no")
            self.assertIn("nats_creds cannot be used", report["reason"])

    def test_a_name_that_nobody_has_is_no_broker_that_is_down(self):
        reason = self.report("check nats://[fe80::1%nowhere]:4222", -1)["reason"]  # for which no name server is asked
        self.assertRegex(reason, r"^no broker answers at .*\(.+\)$")

    def test_a_server_that_no_event_fits_into_is_no_place_for_events(self):
        for words, config in (("max_payload", "max_payload: 300"), ("no_header_support", "no_header_support: true")):
            with self.subTest(words):
                report = self.report(f"check {self.make_server(config=config).url}", -1)
                self.assertEqual((report["verdict"], report["connected"]), ("no", True))
                self.assertIn(words, report["reason"])

    def test_a_user_whom_no_answer_may_reach_is_told_so(self):
        server = self.make_server(config='''authorization { users: [
          {user: deaf, password: p, permissions: {subscribe: {deny: ["_INBOX.>"]}}}, {user: free, password: p}] }''')
        self.make_client(server, user="free", password="p").make_stream()
        report = self.report(f"check nats://deaf:p@127.0.0.1:{server.port}", -1)
        self.assertEqual(report["verdict"], "no")
        self.assertIn("to receive the answer", report["reason"])

    def test_the_brokers_own_words_reach_the_reason_but_no_login(self):
        class Ends(FakeBroker):
            def respond(self, connection, subject, number, body):
                connection.sendall(b"-ERR '%s'\r\n" % self.words)
                raise OSError("that is all")

        for words, quoted in (("maximum account active connections exceeded", True), ("the password is pa55 word", False)):
            with self.subTest(words):
                broker = Ends(None)
                broker.words = words.encode()
                self.addCleanup(broker.close)
                driver = self.make_driver()
                driver.ok(f"attach 0 {broker.url.replace('//', '//count:pa55@')}")
                driver.ok("append coach 1")
                wait_for(lambda driver=driver: "the connection broke off" in driver.json("status 0")["reason"], "the reason")
                self.assertEqual(words in driver.json("status 0")["reason"], quoted)
                self.assertNotIn("pa55", driver.call("said"))
                driver.close()

    def test_no_part_of_a_token_is_in_what_is_told(self):
        token = "".join(chr(ord("a") + (i * 7 + i // 26) % 26) for i in range(146))
        for part in ("weather", token, token[:100], token[40:60]):
            with self.subTest(part):
                broker = Refuser(f"bad {part}")
                self.addCleanup(broker.close)
                url = broker.url.replace("//", f"//{token}@")
                told = [self.report(f"check {url}", -1)["reason"]]
                driver = self.make_driver()
                driver.ok(f"attach 0 {url}")
                driver.ok("append coach 1")
                wait_for(lambda driver=driver: driver.json("status 0")["reason"], "the reason")
                told += [driver.json("status 0")["reason"], driver.call("said")]
                driver.close()
                self.assertEqual("bad" in told[0], part == "weather")
                for text in told:
                    self.assertFalse([i for i in range(len(token) - 7) if token[i:i + 8] in text], text)

    def test_a_name_that_no_stream_has_is_refused_before_anybody_is_asked(self):
        broker = FakeBroker(None)
        self.addCleanup(broker.close)
        for name in ("a.b", "a*", ">", "a/b", "a\\b", "a\x7f", "a" * 256):
            self.assertEqual(self.driver.json(f"init {broker.url} {name} 1"), {"result": -1, "report": None})
        self.assertEqual(broker.connections, [])

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

    def test_a_user_who_may_not_publish_is_told_so_whatever_else_he_may(self):
        server = self.make_server(config='''authorization { users: [
          {user: mute, password: p, permissions: {publish: {deny: ["activity.>"]}}},
          {user: blind, password: p, permissions: {publish: ["other"], subscribe: ["_INBOX.>"]}},
          {user: lodger, password: p, permissions: {publish: {deny: ["$JS.API.STREAM.CREATE.>"]}}},
          {user: free, password: p}] }''')
        report = self.report(f"init nats://lodger:p@127.0.0.1:{server.port} ACTIVITY_EVENTS 1", -1)
        self.assertIn("does not permit this user to create stream ACTIVITY_EVENTS", report["reason"])
        client = self.make_client(server, user="free", password="p")
        client.make_stream()
        for user, expected in (("mute", -1), ("blind", -1), ("free", 0)):
            with self.subTest(user):
                report = self.report(f"check nats://{user}:p@127.0.0.1:{server.port}", expected)
                self.assertEqual(report["verdict"], "yes" if expected == 0 else "no")
                self.assertEqual("does not permit" in report["reason"], expected != 0, report)
        self.assertEqual(client.count(), 0)

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
        user, password = 'a"b', 'q"\\ \t{}'
        odd = self.make_server(config=f"authorization {{ user: {json.dumps(user)}, password: {json.dumps(password)} }}")
        self.make_client(odd, user=user, password=password).make_stream()
        self.report(f"check nats://a%22b:q%22%5C%20%09%7B%7D@127.0.0.1:{odd.port}", 0)
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

    def test_init_does_not_call_a_stream_usable_for_who_may_not_publish(self):
        server = self.make_server(config='''authorization { users: [
          {user: mute, password: p, permissions: {publish: {deny: ["activity.>"]}}}] }''')
        for dry, action in ((" dry", "would-create"), ("", "created"), ("", "exists")):
            report = self.report(f"init nats://mute:p@127.0.0.1:{server.port} ACTIVITY_EVENTS 1{dry}", -1)
            self.assertEqual((report["action"], report["verdict"]), (action, "no"))
            self.assertIn("does not permit", report["reason"])

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

    def test_a_login_may_take_longer_than_the_patience_for_an_event(self):
        broker = Late(None)
        self.addCleanup(broker.close)
        self.assertEqual(self.driver.call(f"watch {broker.url} 1 /dev/null 1"), "")


if __name__ == "__main__":
    unittest.main()

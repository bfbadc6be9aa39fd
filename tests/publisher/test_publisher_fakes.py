#!/usr/bin/env python3
# test_publisher_fakes.py - brokers that lie, and brokers whose word must be encrypted.
#
# SPDX-License-Identifier: Apache-2.0
import json
import shutil
import subprocess
import time
import unittest

from broker_support import BrokerTest, names_of, wait_for
from fake_broker import FakeBroker
from ports import free_ports


TOO_LARGE = b'{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"}}'


class FakeTest(BrokerTest):
    def make_fake(self, answer, question=None):
        broker = FakeBroker(answer, question=question)
        self.addCleanup(broker.close)
        return broker


class Lying(FakeTest):
    def expect_pending(self, text, question=None):
        broker = self.make_fake(lambda event_id, number: text, question)
        driver = self.make_driver()
        driver.ok(f"attach 0 {broker.url}")
        driver.ok("append coach 3")
        wait_for(lambda: len(broker.published) > 2, "some publishes")
        wait_for(lambda: driver.json("status 0")["failures"] > 2, "as many refused answers")
        view = driver.view("coach")
        self.assertEqual((view["acknowledged"], view["dead"], view["pending"]), (0, 0, 3))
        reason = driver.json("status 0")["reason"]
        self.assertNotEqual(reason, "")
        return reason

    def test_answers_that_mean_nothing_do_not_say_that_there_is_no_stream(self):
        reason = self.expect_pending(b"{}", question=b"{}")
        self.assertIn("without a sequence", reason)

    def test_an_answer_that_is_no_object_is_called_that(self):
        self.assertIn("not a stream's", self.expect_pending(b"[]", question=b"[]"))

    def test_a_duplicate_without_a_sequence_is_no_acknowledgement(self):
        self.expect_pending(b'{"stream":"S","seq":0,"duplicate":true}')

    def test_an_answer_that_is_no_json_is_no_acknowledgement(self):
        self.expect_pending(b"+OK {{{")

    def test_an_empty_answer_is_no_acknowledgement(self):
        self.expect_pending(b"")

    def test_a_message_id_in_process_is_no_acknowledgement(self):
        self.expect_pending(b'{"error":{"code":503,"err_code":10158,"description":"in process"}}')

    def test_an_event_that_is_declined_for_ever_does_not_hold_the_others_back(self):
        taken = set()

        def answer(event_id, number):
            if event_id == broker.published[0]:
                return b'{"error":{"code":400,"err_code":10999,"description":"not this one"}}'
            taken.add(event_id)
            return b'{"stream":"S","seq":%d}' % number

        broker = self.make_fake(answer)
        driver = self.make_driver()
        driver.ok(f"attach 0 {broker.url}")
        driver.ok("append coach 1")
        wait_for(lambda: len(broker.published) > 1, "its second try")
        driver.ok("append coach 100")
        wait_for(lambda: len(taken) == 100, "all but the first")
        view = driver.view("coach")
        self.assertEqual((view["dead"], view["pending"], view["acknowledged"]), (0, 101, 0))


    def test_an_id_that_the_stream_knows_and_does_not_store_stops_nobody(self):
        """As nats-server 2.10 answers for a day about an id that it refused while the stream was full."""
        def answer(event_id, number):
            if event_id == broker.published[0]:
                return b'{"stream":"S","seq":0,"duplicate":true}'
            return b'{"stream":"S","seq":%d}' % number

        broker = self.make_fake(answer)
        driver = self.make_driver()
        driver.ok(f"attach 0 {broker.url}")
        driver.ok("append coach 1")
        wait_for(lambda: "does not store it" in driver.json("status 0")["reason"], "the cause")
        driver.ok("append coach 100")
        wait_for(lambda: len(set(broker.published)) == 101, "all of them")
        self.assertEqual(driver.view("coach")["dead"], 0, "it may be taken yet")
        tries = driver.json("status 0")["failures"]
        wait_for(lambda: driver.json("status 0")["failures"] > tries, "one more try of the first, the only one left")
        driver.ok("append coach 5000")
        self.assertEqual(driver.flush(ms=60000), (0, 0))
        view = driver.view("coach")
        self.assertEqual((view["dead"], view["acknowledged"]), (1, 5100))
        self.assertIn("does not store it", driver.call("letters"))

    def test_an_event_that_is_never_answered_does_not_hold_the_others_back(self):
        def answer(event_id, number):
            silent = len(broker.published) > 1 and event_id == broker.published[1]
            return None if silent else b'{"stream":"S","seq":%d}' % number

        broker = self.make_fake(answer)
        driver = self.make_driver()
        driver.ok("append coach 3")
        driver.ok(f"attach 0 {broker.url}")
        wait_for(lambda: "does not answer" in driver.json("status 0")["reason"], "the first time-out")
        driver.ok("append coach 50")
        wait_for(lambda: len(set(broker.published)) == 53, "the others")
        self.assertEqual(driver.view("coach")["dead"], 0)

    def test_an_event_that_is_never_answered_is_not_the_first_that_is_tried(self):
        def answer(event_id, number):
            silent = len(first.published) > 1 and event_id == first.published[1]
            return None if silent else b'{"stream":"S","seq":%d}' % number

        port = free_ports(1)[0]
        first = FakeBroker(answer, port)
        self.addCleanup(first.close)
        driver = self.make_driver()
        driver.ok("append coach 3")
        driver.ok(f"attach 0 {first.url}")
        wait_for(lambda: "does not answer" in driver.json("status 0")["reason"], "the first time-out")
        first.close()
        driver.ok("append coach 50")
        time.sleep(3)  # the length of the fault: longer than that event is put off
        second = FakeBroker(answer, port)
        self.addCleanup(second.close)
        wait_for(lambda: second.published, "an event")
        self.assertNotEqual(second.published[0], first.published[1])
        wait_for(lambda: len(set(first.published + second.published)) == 53, "the others")

    def test_another_stream_that_answers_is_no_loss(self):
        names = (b"HUB", b"LEAF")

        def answer(event_id, number):
            return b'{"stream":"%s","domain":"%s","seq":%d}' % (names[number % 2], names[number % 2], 1000 * (number % 2) + number)

        broker = self.make_fake(answer)
        driver = self.make_driver()
        driver.ok(f"attach 0 {broker.url}")
        for _ in range(4):
            driver.ok("append coach 1")
            self.assertEqual(driver.flush(), (0, 0))
        second = self.make_driver()  # goes by what the first one stored
        driver.call("detach 0 5000")
        second.ok(f"attach 0 {broker.url}")
        second.ok("append coach 1")
        self.assertEqual(second.flush(), (0, 0))
        self.assertEqual(second.view("coach")["store_lost"], 0)
        self.assertNotIn(":204]", driver.call("said") + second.call("said"))


class Useless(FakeTest):
    """A stream that takes no event, or stores none, and a broker that says so late or never."""

    def silent_first(self, count, config):
        """Answers questions about the stream after `count` of them."""
        asked = []

        def question(subject):
            asked.append(subject)
            if len(asked) <= count:
                return None
            if subject.endswith("STREAM.NAMES"):
                return b'{"total":1,"streams":["S"]}'
            return json.dumps({"config": {"name": "S", **config}, "state": {"consumer_count": 0}}).encode()

        return question

    def test_an_event_waits_until_the_broker_says_whether_the_stream_takes_any(self):
        broker = self.make_fake(lambda event_id, number: TOO_LARGE, self.silent_first(2, {"max_msg_size": 300}))
        driver = self.make_driver()
        driver.ok(f"attach 0 {broker.url}")
        driver.ok("append coach 3")
        wait_for(lambda: "raise its max_msg_size" in driver.json("status 0")["reason"] or driver.view("coach")["dead"],
                 "the cause")
        view = driver.view("coach")
        self.assertEqual((view["pending"], view["dead"], view["acknowledged"]), (3, 0, 0))

    def test_an_event_is_at_fault_when_the_broker_never_says(self):
        def answer(event_id, number):
            return TOO_LARGE if event_id == broker.published[0] else b'{"stream":"S","seq":%d}' % number

        broker = self.make_fake(answer)
        driver = self.make_driver()
        driver.ok(f"attach 0 {broker.url}")
        driver.ok("append coach 3")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertIn("does not say whether it takes any", driver.call("said"))
        view = driver.view("coach")
        self.assertEqual((view["dead"], view["acknowledged"]), (1, 2))
        self.assertIn("10054", driver.call("letters"))
        self.assertGreaterEqual(broker.published.count(broker.published[0]), 3)

    def test_a_stream_that_stores_nothing_is_told_of_once_the_broker_says_so(self):
        broker = self.make_fake(lambda event_id, number: b'{"stream":"S","seq":%d}' % number,
                                self.silent_first(1, {"retention": "interest"}))
        driver = self.make_driver()
        driver.ok(f"attach 0 {broker.url}")
        driver.ok("append coach 1")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertNotIn("not stored", driver.call("said"))
        self.append_until_told(driver)


@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
class Encrypted(BrokerTest):
    def certificate(self, name, host):
        """A certificate for `host`, a name or an address, that is its own authority."""
        key, cert = self.scratch / f"{name}.key", self.scratch / f"{name}.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-days", "2", "-keyout", key, "-out", cert, "-subj", f"/CN={host}",
                        "-addext", f"subjectAltName={names_of(host)}"],
                       check=True, capture_output=True)
        return key, cert

    def tls_server(self, host):
        key, cert = self.certificate("server", host)
        server = self.make_server(config=f'tls {{ cert_file: "{cert}", key_file: "{key}" }}')
        return server, cert

    def test_events_go_over_tls_to_a_broker_of_a_known_authority(self):
        server, cert = self.tls_server("127.0.0.1")
        driver = self.make_driver()
        driver.ok(f"attach 0 tls://127.0.0.1:{server.port} ca={cert}")
        driver.ok("append coach 3")
        wait_for(lambda: "no stream takes" in driver.json("status 0")["reason"], "an answer over TLS")
        self.assertEqual(driver.json("host"), {"rand": True, "sigpipe": True})

    def expect_insecure(self, url, *more):
        driver = self.make_driver()
        driver.ok(" ".join([f"attach 0 {url}", *more]))
        driver.ok("append coach 3")
        wait_for(lambda: driver.json("status 0")["hopeless"], "a refused connection")
        status = driver.json("status 0")
        self.assertIn("secure connection", status["reason"])
        self.assertEqual(driver.view("coach")["pending"], 3)

    def test_an_unknown_authority_is_refused(self):
        server, _ = self.tls_server("127.0.0.1")
        self.expect_insecure(f"tls://127.0.0.1:{server.port}")

    def test_a_certificate_for_another_host_is_refused(self):
        server, cert = self.tls_server("elsewhere.example")
        self.expect_insecure(f"tls://127.0.0.1:{server.port}", f"ca={cert}")

    def test_a_tls_url_is_not_spoken_to_in_plain_text(self):
        server = self.make_server()
        self.expect_insecure(f"tls://127.0.0.1:{server.port}")

    def test_unreadable_credentials_leave_events_pending_and_are_named(self):
        server = self.make_server()
        driver = self.make_driver()
        driver.ok(f"attach 0 {server.url} creds=/nowhere/user.creds")
        driver.ok("append coach 1")
        wait_for(lambda: "/nowhere/user.creds" in driver.json("status 0")["reason"], "the file's name")
        self.assertTrue(driver.json("status 0")["hopeless"])


if __name__ == "__main__":
    unittest.main()

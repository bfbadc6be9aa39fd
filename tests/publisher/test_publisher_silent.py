#!/usr/bin/env python3
# test_publisher_silent.py - brokers that fall silent, at each step of a conversation.
#
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import socket
import threading
import unittest

from broker_support import BrokerTest, wait_for
from fake_broker import INFO, FakeBroker


class SilentBroker(FakeBroker):
    """Says nothing from the step on: greeting, tls, login, pong, question, or never."""

    def __init__(self, step):
        self.step = step
        self.met = threading.Semaphore(0)
        super().__init__(lambda event_id, number: b'{"stream":"S","seq":%d}' % number)

    def keep_silent(self, connection):
        self.met.release()
        while connection.recv(65536):
            pass

    def serve(self, connection):
        try:
            if self.step == "greeting":
                self.keep_silent(connection)
            greeting = dict(INFO, tls_required=self.step == "tls")
            connection.sendall(b"INFO " + json.dumps(greeting).encode() + b"\r\n")
            if self.step in ("tls", "login"):
                self.keep_silent(connection)
            if self.step == "pong":
                connection.recv(65536)
                connection.sendall(b"PO")
                self.keep_silent(connection)
            reader = connection.makefile("rb")
            if self.step == "question":
                while b"PING" not in reader.readline():
                    pass
                connection.sendall(b"PONG\r\n")
                self.keep_silent(connection)
            self.talk(connection, reader)
        except OSError:
            pass
        finally:
            connection.close()


STEPS = ("greeting", "tls", "login", "pong", "question")


class Silent(BrokerTest):
    def make_fake(self, step):
        broker = SilentBroker(step)
        self.addCleanup(broker.close)
        return broker

    @staticmethod
    def busy_threads(driver):
        """Threads that are running right now; those that wait are none of them."""
        states = [path.read_text().rsplit(")", 1)[1].split()[0]
                  for path in pathlib.Path(f"/proc/{driver.process.pid}/task").glob("*/stat")]
        return states.count("R")

    def test_a_check_ends_whenever_the_broker_falls_silent(self):
        for step in STEPS:
            with self.subTest(step):
                broker, driver = self.make_fake(step), self.make_driver()
                answer = driver.json(f"check {broker.url.replace('nats:', 'tls:') if step == 'tls' else broker.url}")
                self.assertEqual((answer["result"], answer["report"]["ok"]), (-1, False))
                self.assertEqual(answer["report"]["connected"], step == "question")
                if step != "question":
                    self.assertIn("no answer in time", answer["report"]["reason"])
                self.assertEqual(answer["report"]["verdict"], "unknown")
                wait_for(lambda: self.busy_threads(driver) == 0, "nothing left behind that spins")

    def test_the_publisher_goes_on_to_the_server_that_answers(self):
        """In the same attempt, whichever of them is tried first: several at once, as the order is random."""
        several = []
        for name in [f"{step}-{number}" for step in ("greeting", "login", "pong") for number in range(3)]:
            silent, well = self.make_fake(name.split("-")[0]), self.make_fake("never")
            driver = self.make_driver(self.fresh_root(name))
            driver.ok("append coach 3")
            driver.ok(f"attach 0 {silent.url},{well.url}")
            several.append((name, driver, well, set()))

        def all_sent():
            for _, driver, _, reasons in several:
                reasons.add(driver.json("status 0")["reason"])
            return all(len(set(well.published)) == 3 for _, _, well, _ in several)

        wait_for(all_sent, "the events of all of them")
        for name, driver, _, reasons in several:
            with self.subTest(name):
                self.assertEqual(driver.flush(), (0, 0))
                self.assertFalse([reason for reason in reasons if "no answer" in reason])

    def test_a_login_that_is_slower_than_the_servers_first_ping_works(self):
        """As a server does that computes a slow hash: it pings before it has let anybody in."""
        class Slow(FakeBroker):
            def talk(self, connection, reader):
                while b"CONNECT" not in reader.readline():  # what came with INFO, the library would throw away
                    pass
                connection.sendall(b"PING\r\n")
                while b"PONG" not in reader.readline():
                    pass
                connection.sendall(b"PONG\r\n")
                super().talk(connection, reader)

        broker = Slow(lambda event_id, number: b'{"stream":"S","seq":%d}' % number)
        self.addCleanup(broker.close)
        driver = self.make_driver()
        self.assertTrue(driver.json(f"check {broker.url}")["report"]["connected"])
        driver.ok(f"attach 0 {broker.url}")
        driver.ok("append coach 500")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(len(set(broker.published)), 500)
        self.assertEqual(driver.call("detach 0 5000").isdigit(), True)

    def fresh_root(self, name):
        root = self.scratch / name
        root.mkdir()
        return root

    def test_a_silent_broker_is_told_of_and_does_not_keep_the_publisher_for_ever(self):
        broker, driver = self.make_fake("login"), self.make_driver()
        driver.ok(f"attach 0 {broker.url}")
        driver.ok("append coach 1")
        wait_for(lambda: "no answer in time" in driver.json("status 0")["reason"], "the reason")
        for _ in range(3):
            self.assertTrue(broker.met.acquire(timeout=60), "it tries again")
        broker.step = "never"
        self.assertEqual(driver.flush(), (0, 0))
        wait_for(lambda: self.busy_threads(driver) == 0, "nothing left behind that spins")

    def test_a_publisher_that_meets_silence_lets_another_process_try(self):
        silent, well = self.make_fake("login"), self.make_fake("never")
        first, second = self.make_driver(), self.make_driver()
        first.ok(f"attach 0 {silent.url}")
        first.ok("append coach 2")
        self.assertTrue(silent.met.acquire(timeout=60))
        second.ok(f"attach 0 {well.url}")
        self.assertEqual(second.flush(ms=60000), (0, 0))

    def test_a_hosts_own_connection_to_the_broker_is_left_alone(self):
        """The driver inherits one to the very address that falls silent."""
        broker = self.make_fake("login")
        own = socket.create_connection(("127.0.0.1", int(broker.url.rsplit(":", 1)[1])))
        self.addCleanup(own.close)
        os.set_inheritable(own.fileno(), True)
        driver = self.make_driver(pass_fds=(own.fileno(),))
        driver.ok(f"attach 0 {broker.url}")  # a check goes by a relay, to another address
        driver.ok("append coach 1")
        wait_for(lambda: "no answer in time" in driver.json("status 0")["reason"], "the end of the login")
        own.setblocking(False)
        greeting = own.recv(65536)
        self.assertTrue(greeting.startswith(b"INFO"), greeting)
        with self.assertRaises(BlockingIOError, msg="still open in both directions"):
            own.recv(1)


if __name__ == "__main__":
    unittest.main()

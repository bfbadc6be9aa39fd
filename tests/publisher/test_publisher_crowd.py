#!/usr/bin/env python3
# test_publisher_crowd.py - a project with many agents: descriptors, locks that others hold, rest.
#
# SPDX-License-Identifier: Apache-2.0
import contextlib
import fcntl
import os
import unittest

from broker_support import BrokerTest, wait_for

AGENTS, LIMIT = 300, 256


class Crowd(BrokerTest):
    def open_files(self, driver):
        return len(os.listdir(f"/proc/{driver.process.pid}/fd"))

    def test_events_of_more_agents_than_descriptors_are_all_sent(self):
        server = self.make_server()
        client = self.make_client(server)
        driver = self.make_publisher(server, below=("prlimit", f"--nofile={LIMIT}:{LIMIT}"))
        for i in range(AGENTS):  # every one of them waits in the window: there is no stream yet
            driver.ok(f"append agent-{i} 2")
        wait_for(lambda: "no stream" in driver.json("status 0")["reason"], "the first to be refused")
        self.assertLess(self.open_files(driver), LIMIT / 2 + 32)
        client.make_stream()
        self.assertEqual(driver.flush(), (0, 0))
        self.assertLess(self.open_files(driver), LIMIT / 2 + 32)
        self.assertEqual(client.count(), 2 * AGENTS)
        self.assertNotIn("oo many open files", driver.call("said"))

    def test_locks_that_others_hold_delay_no_other_agent(self):
        server, client = self.make_broker()
        driver = self.make_publisher(server)
        for i in range(60):
            driver.ok(f"append agent-{i} 1")
        self.assertEqual(driver.flush(), (0, 0))
        with contextlib.ExitStack() as held:
            for i in range(59):
                lock = held.enter_context(open(self.folder(f"agent-{i}") / ".lock", "rb"))
                fcntl.flock(lock, fcntl.LOCK_EX)
                driver.ok(f"ring agent-{i}")
            driver.ok("append agent-59 200")
            wait_for(lambda: client.count() == 260, "the events of the agent that nobody holds")
            wait_for(lambda: driver.view("agent-59")["acknowledged"] == 201, "its progress to be stored")

    def test_an_agent_that_was_at_rest_goes_on_under_the_same_token(self):
        server, client = self.make_broker()
        driver = self.make_publisher(server)
        for i in range(40):  # more than are kept open: those before are put to rest at once
            driver.ok(f"append agent-{i} 1")
        self.assertEqual(driver.flush(), (0, 0))
        for i in range(40):
            driver.ok(f"append agent-{i} 1")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(client.count(), 80)
        self.assertEqual([driver.view(f"agent-{i}")["acknowledged"] for i in range(40)], [2] * 40)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""consumer_tasks.py - examples/consumer.py on events from a real broker: one open task an agent, closed on recovery.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import subprocess
import sys
import unittest

from broker_support import Client
from consumer_support import HERE, BrokerRun, Kaizen, wait_until

CONSUMER = HERE.parents[1] / "examples" / "consumer.py"


class OneTaskAnAgent(unittest.TestCase):
    def setUp(self):
        self.run_ = BrokerRun()
        self.run_.__enter__()
        self.addCleanup(self.run_.__exit__)

    def record(self, agent, outcomes):
        """Answers once the stream has them."""
        with Kaizen(os.environ["KAIZEN_TEST_PLUGIN"], project_root=str(self.run_.root), project="shop",
                    nats_url=self.run_.server.url, emit_event=True) as kaizen:
            for outcome in outcomes:
                kaizen.record(agent, success=outcome == "+")
            self.assertEqual(kaizen.flush(30000), 0)

    def consume(self):
        """What the consumer does now, as (action, agent)."""
        done = subprocess.run([sys.executable, CONSUMER, self.run_.server.url, self.run_.scratch / "state.json", "--once"],
                              check=True, stdout=subprocess.PIPE, text=True, timeout=120)
        decided = [json.loads(line) for line in done.stdout.splitlines()]
        return [(decision["action"], decision["agent"]) for decision in decided]

    def test_an_agent_that_stays_bad_opens_one_task_whoever_sends_again(self):
        self.record("coach", "-" * 20)
        self.record("scribe", "----")
        self.assertEqual(self.consume(), [("open", "shop/coach")])
        self.record("coach", "-" * 10)
        self.assertEqual(self.consume(), [])
        payloads = list(self.run_.listener.payloads)
        self.assertEqual(self.run_.host("drain", "--resend-all", "--timeout", "120").returncode, 0)
        client = Client(self.run_.server.url)
        stored = client.count()
        client.close()
        self.assertGreater(stored, 34, "the stream's own window of ids has passed")
        self.assertEqual(len({json.loads(payload)["id"] for payload in payloads}), 34)
        self.assertEqual(self.consume(), [], "a consumer that looks at ids does nothing twice")

    def test_recovery_closes_it_and_the_next_fall_opens_another(self):
        self.record("coach", "-----")
        self.assertEqual(self.consume(), [("open", "shop/coach")])
        self.record("coach", "+" * 40)
        self.assertEqual(self.consume(), [("close", "shop/coach")])
        self.record("coach", "-" * 20)
        self.assertEqual(self.consume(), [("open", "shop/coach")])

    def test_a_consumer_that_was_killed_goes_on_where_it_was(self):
        self.record("coach", "-----")
        consumer = subprocess.Popen([sys.executable, CONSUMER, self.run_.server.url, self.run_.scratch / "state.json"],
                                    stdout=subprocess.PIPE, text=True)
        self.assertEqual(json.loads(consumer.stdout.readline())["action"], "open")
        self.assertTrue(wait_until(lambda: (self.run_.scratch / "state.json").exists()))
        consumer.kill()
        consumer.communicate()
        self.record("coach", "-----")
        self.record("judge", "-----")
        self.assertEqual(self.consume(), [("open", "shop/judge")])


if __name__ == "__main__":
    unittest.main()

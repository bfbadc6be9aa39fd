#!/usr/bin/env python3
"""test_router.py - the customer's rule on events from a real broker: which executions open a task.

SPDX-License-Identifier: Apache-2.0
"""
import os
import unittest

from consumer_support import HERE, BrokerRun, Kaizen, wait_until
from router import Definition, Router

RULE = HERE.parents[1] / "activity-definitions" / "low-success-rate-review.md"


class LowSuccessRate(unittest.TestCase):
    def setUp(self):
        self.run_ = BrokerRun()
        self.run_.__enter__()
        self.addCleanup(self.run_.__exit__)
        self.router = Router([Definition(RULE.read_text())])
        self.taken = 0

    def record(self, agent, outcomes):
        """Records these outcomes ("+" and "-"), waits for their events, answers the tasks each of them opened."""
        with Kaizen(os.environ["KAIZEN_TEST_PLUGIN"], project_root=str(self.run_.root),
                    nats_url=self.run_.server.url, emit_event=True) as kaizen:
            for outcome in outcomes:
                kaizen.record(agent, success=outcome == "+")
            self.assertEqual(kaizen.flush(30000), 0)
        return self.take(len(outcomes))

    def take(self, count):
        payloads = self.run_.listener.payloads
        self.assertTrue(wait_until(lambda: len(payloads) >= self.taken + count), "the events arrive")
        new, self.taken = payloads[self.taken:], len(payloads)
        return [self.router.take(payload) for payload in new]

    def test_the_fifth_bad_execution_opens_one_task_and_a_repeat_of_its_event_none(self):
        self.assertEqual(self.record("coach", "----"), [[], [], [], []])
        [opened] = self.record("coach", "-")
        self.assertEqual([(task["priority"], task["type"], task["rule"]) for task in opened],
                         [("high", "optimization", "flag-low-success-rate")])
        self.assertIn("coach", opened[0]["title"])
        self.assertIn("shop", opened[0]["title"])

        again = self.run_.host("drain", "--resend-all", "--timeout", "120")
        self.assertEqual(again.returncode, 0, again.stdout)
        self.assertEqual(self.take(5), [[]] * 5)
        self.assertEqual((len(self.router.tasks), self.router.refused), (1, 5))

    def test_at_the_threshold_nothing_is_opened(self):
        self.assertEqual(self.record("coach", "++++-"), [[]] * 5)  # 0.8 of five
        self.assertEqual(len(self.record("scribe", "+++--")[-1]), 1)  # 0.6 of five

    def test_recovery_above_the_threshold_opens_nothing(self):
        self.assertEqual(len(self.record("coach", "----" + "-")[-1]), 1)
        opened = self.record("coach", "+" * 20)  # 0.8 is reached with the last of them
        self.assertEqual(opened[-1], [])
        before = len(self.router.tasks)
        self.assertEqual(self.record("coach", "+++"), [[], [], []])
        self.assertEqual(len(self.router.tasks), before)

    def test_each_agent_is_judged_by_its_own_log(self):
        self.assertEqual(self.record("coach", "---"), [[]] * 3)
        self.assertEqual(self.record("scribe", "---"), [[]] * 3)


class Definitions(unittest.TestCase):
    EVENT = ('{"id": "%s", "type": "%s", "attributes": {"agent": "a", "project": "p", '
             '"summary": {"success_rate": 0.1, "execution_count": 9, "avg_quality": 0.0}}}')

    def tasks(self, text, event_type="kaizen.metrics.recorded"):
        return Router([Definition(text)]).take(self.EVENT % ("1", event_type))

    def test_only_an_enabled_definition_of_that_type_is_evaluated(self):
        text = RULE.read_text()
        self.assertEqual(len(self.tasks(text)), 1)
        self.assertEqual(self.tasks(text, "another.type"), [])
        self.assertEqual(self.tasks(text.replace("enabled: true", "enabled: false")), [])
        self.assertEqual(self.tasks(text.replace("status: active", "status: draft")), [])

    def test_an_event_without_attributes_is_an_error_not_a_task(self):
        with self.assertRaises(KeyError):
            Router([Definition(RULE.read_text())]).take('{"id": "1", "type": "kaizen.metrics.recorded"}')


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""foreign_writer_marked.py - a rewrite without the lock takes marked lines before the broker had them.

SPDX-License-Identifier: Apache-2.0
"""
import os
import unittest

import oracle
from consumer_support import BrokerRun, Kaizen, wait_until

LOG_REWRITTEN, LOST_BY_REWRITE = 110, 205  # message ids, docs/operations.md


class MarkedLines(unittest.TestCase):
    def setUp(self):
        self.run_ = BrokerRun()
        self.run_.__enter__()
        self.addCleanup(self.run_.__exit__)
        self.log = self.run_.root / ".kaizen" / "metrics" / "coach" / "executions.jsonl"
        self.told = []

    def kaizen(self):
        return Kaizen(os.environ["KAIZEN_TEST_PLUGIN"], project_root=str(self.run_.root), emit_event=True,
                      nats_url=self.run_.server.url,
                      log=lambda level, number, text: self.told.append((number, text)))

    def rewrite(self, how):
        """Without the lock: every line that `how` keeps, in a new file under the old name."""
        lines = oracle.split_lines(self.log.read_bytes())
        self.log.with_suffix(".tmp").write_bytes(b"".join(line + b"\n" for i, line in enumerate(lines) if how(i)))
        self.log.with_suffix(".tmp").rename(self.log)

    def messages(self, kaizen, number):
        kaizen.stats()  # messages are handed over in a call
        return [text for told, text in self.told if told == number]

    def check_conservation(self, kaizen):
        stats = kaizen.stats()
        self.assertEqual(stats.marked, stats.acknowledged + stats.pending + stats.dead_lettered)

    def test_what_is_left_arrives_and_the_rewrite_is_told_with_its_numbers(self):
        self.run_.server.kill()
        with self.kaizen() as kaizen:
            for number in range(10):
                kaizen.record("coach", success=True, idempotency_key=f"run-{number}")
            self.rewrite(lambda i: i % 2 or i == 0)  # four of ten go
            kaizen.record("coach", success=True, idempotency_key="run-10")
            [text] = self.messages(kaizen, LOG_REWRITTEN)
            self.assertIn("records: 10 before, 6 after; marked for events: 10 before, 6 after", text)
            self.run_.server.start()
            self.assertEqual(kaizen.flush(30000), 0)
            self.check_conservation(kaizen)
            self.assertEqual(kaizen.stats().acknowledged, 7)

    def test_lines_that_were_acknowledged_before_are_not_counted_as_lost(self):
        with self.kaizen() as kaizen:
            for number in range(10):
                kaizen.record("coach", success=True, idempotency_key=f"run-{number}")
            self.assertEqual(kaizen.flush(30000), 0)
            self.rewrite(lambda i: i >= 5)
            for number in range(10, 13):
                kaizen.record("coach", success=True, idempotency_key=f"run-{number}")
            self.assertEqual(kaizen.flush(30000), 0)
            self.assertTrue(wait_until(lambda: len(self.run_.listener.payloads) >= 13), "the events arrive")
            self.assertEqual(self.messages(kaizen, LOST_BY_REWRITE), [])
            self.check_conservation(kaizen)


if __name__ == "__main__":
    unittest.main()

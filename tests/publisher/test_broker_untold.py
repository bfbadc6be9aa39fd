#!/usr/bin/env python3
# test_broker_untold.py - what a check makes of what a broker does not tell, or tells and cannot be read.
#
# SPDX-License-Identifier: Apache-2.0
import json
import unittest

from broker_support import SUBJECT, CheckTest
from fake_broker import INFO, FakeBroker

CONFIG = {"num_replicas": 1, "duplicate_window": 120_000_000_000, "max_msgs": -1, "max_bytes": -1, "storage": "file",
          "discard": "old", "retention": "limits", "subjects": [SUBJECT]}
STATE = {"messages": 0, "bytes": 0, "consumer_count": 0}
ACCOUNT = {"memory": 0, "storage": 1000, "limits": {"max_memory": -1, "max_storage": 100_000}}


class Teller(FakeBroker):
    """Has a stream, and tells of it and of the account what it is given: JSON, bytes as they are, None for nothing."""

    def __init__(self, config=None, state=None, account=None, info=None):
        told = {"config": {**CONFIG, **(config or {})}, "state": {**STATE, **(state or {})}} if info is None else info
        self.answers = {"STREAM.NAMES": {"streams": ["S"]}, "STREAM.INFO.S": told,
                        "INFO": ACCOUNT if account is None else account}
        super().__init__(None, question=self.tell_of)

    def tell_of(self, subject):
        answer = self.answers.get(subject.removeprefix("$JS.API."))
        if isinstance(answer, dict):  # what is Ellipsis is left out
            answer = json.dumps({key: {k: v for k, v in value.items() if v is not ...} if isinstance(value, dict) else value
                                 for key, value in answer.items() if value is not ...}).encode()
        return answer or None


class Untold(CheckTest):
    def look_at(self, broker, silent=()):
        """The verdict, the reason and what is unknown; again where only this machine was too slow for a short patience."""
        self.addCleanup(broker.close)
        while True:
            report = self.driver.json(f"check {broker.url}")["report"]
            unknown = self.unknown_of(report)
            self.assertEqual(report["ok"], report["verdict"] == "yes")
            if not [what for what in unknown if what not in silent and what in ("the account's room", "the server's version")
                    and ("in time" in unknown[what] or "half a second" in unknown[what])]:
                return report["verdict"], report["reason"], unknown

    def test_all_that_is_asked_may_be_told(self):
        self.assertEqual(self.look_at(Teller()), ("yes", "", {}))

    def test_room_that_is_not_told_is_unknown_and_says_why(self):
        for account, why in ((b"", "no answer in time"), (b"{", "not an account's"), (b"[]", "not an account's"),
                             ({"error": {"code": 503, "err_code": 10039}}, "error 10039"),
                             ({**ACCOUNT, "limits": ...}, "limit of files cannot be read"),
                             ({**ACCOUNT, "storage": -5}, "use of files cannot be read"),
                             ({**ACCOUNT, "limits": {"max_storage": 0}, "tiers": {"R1": {}}}, "per tier")):
            with self.subTest(account=account):
                verdict, _, unknown = self.look_at(Teller(account=account), silent=() if account else ("the account's room",))
                self.assertEqual((verdict, list(unknown)), ("yes", ["the account's room"]))
                self.assertIn(why, unknown["the account's room"])
        verdict, reason, unknown = self.look_at(Teller(account={**ACCOUNT, "storage": 99_999}))
        self.assertEqual((verdict, unknown), ("no", {}))
        self.assertIn("stores 99999 of 100000", reason)

    def test_settings_that_are_not_told_are_unknown_and_say_which(self):
        for changed in ("num_replicas", "duplicate_window", "max_msgs", "max_bytes", "storage", "discard", "retention",
                        "subjects"):
            with self.subTest(changed):
                verdict, _, unknown = self.look_at(Teller(config={changed: ...}))
                self.assertEqual((verdict, unknown), ("yes", {"the stream's settings": f"it does not tell {changed}"}))
                verdict, reason, unknown = self.look_at(Teller(config={changed: {"any": "thing"}}))
                self.assertEqual((verdict, unknown), ("unknown", {"the stream's settings": f"its {changed} cannot be read"}))
                self.assertIn(changed, reason)
        for changed, value in (("no_ack", "yes"), ("sealed", 1), ("max_msg_size", "1e3"), ("max_msgs", 1.5), ("max_bytes", -7)):
            with self.subTest(changed, value=value):
                self.assertEqual(self.look_at(Teller(config={changed: value}))[0], "unknown")

    def test_a_stream_with_a_limit_that_tells_not_what_it_holds_is_not_called_usable(self):
        new = {"discard": "new"}
        for config, state, verdict in (({**new, "max_msgs": 9}, {"messages": ...}, "unknown"),
                                       ({**new, "max_bytes": 9999}, {"bytes": ...}, "unknown"),
                                       ({**new, "max_bytes": 9999}, {"bytes": "many"}, "unknown"),
                                       ({**new, "max_bytes": 9999}, {"bytes": 2 ** 63 - 1}, "no"),
                                       ({"retention": "interest"}, {"consumer_count": ...}, "unknown"),
                                       ({"retention": "interest"}, {"consumer_count": 1}, "yes"),
                                       ({**new, "max_msgs": 9}, {"messages": 8}, "yes")):
            with self.subTest(config=config, state=state):
                self.assertEqual(self.look_at(Teller(config, state))[0], verdict)

    def test_a_subjects_part_of_a_stream_that_is_not_told_is_unknown(self):
        class Once(Teller):
            def tell_of(self, subject):
                told = super().tell_of(subject)
                if subject.endswith("STREAM.INFO.S"):
                    self.answers["STREAM.INFO.S"] = self.second
                return told

        for second, verdict in ((b"", "unknown"), (b"{", "unknown"), ({"config": CONFIG, "state": STATE}, "yes"),
                                ({"state": {"subjects": {SUBJECT: "many"}}}, "unknown"),
                                ({"state": {"subjects": {SUBJECT: 1}}}, "no")):
            with self.subTest(second=second):
                broker = Once({"discard": "new", "discard_new_per_subject": True, "max_msgs_per_subject": 1})
                broker.second = second
                self.assertEqual(self.look_at(broker)[0], verdict)

    def test_a_stream_whose_answer_means_nothing_is_not_said_to_elect_a_leader(self):
        for info in (b"{", b"[]", {"config": 7}):
            with self.subTest(info=info):
                verdict, reason, unknown = self.look_at(Teller(info=info))
                self.assertEqual((verdict, list(unknown)), ("unknown", ["the stream's settings"]))
                self.assertIn("not those of a NATS server", reason)
        self.assertIn("does not answer: its leader", self.look_at(Teller(info=b""))[1])

    def test_a_server_that_tells_no_version_is_of_unknown_version(self):
        class Nameless(Teller):
            def greet(self, connection):
                connection.sendall(b"INFO " + json.dumps({k: v for k, v in INFO.items() if k != "version"}).encode() + b"\r\n")

        verdict, _, unknown = self.look_at(Nameless(), silent=("the server's version",))
        self.assertEqual((verdict, list(unknown)), ("yes", ["the server's version"]))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""test_sync_event_types.py - the registry's gate takes this checkout, and no damaged one.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import shutil
import tempfile
import unittest
from unittest import mock

TOP = pathlib.Path(__file__).resolve().parents[2]
TYPE = "event-types/kaizen.metrics.recorded.md"
RULE = "activity-definitions/low-success-rate-review.md"

LOADER = importlib.machinery.SourceFileLoader("sync_event_types", str(TOP / "qa" / "sync-event-types"))
GATE = importlib.util.module_from_spec(importlib.util.spec_from_loader(LOADER.name, LOADER))
LOADER.exec_module(GATE)

DEFECTS = [  # name, file, text, its replacement, what the message has to say
    ("no front matter", TYPE, "---\n", "", "no front matter"),
    ("another type id", TYPE, "type_id: kaizen.metrics.recorded", "type_id: kaizen.metrics", "not the file's name"),
    ("a version that is a number", TYPE, 'version: "1.0"', "version: 1.0", "quoted MAJOR.MINOR"),
    ("no governance", TYPE, "governance: publisher-declared\n", "", "lacks governance"),
    ("a section missing", TYPE, "## Consumers", "## Readers", "the sections are"),
    ("a row of an unknown type", TYPE, "| `agent` | string |", "| `agent` | text |", "text is not a type"),
    ("a row too many", TYPE, "| `project` | string |", "| `team` | string |", "team: the example lacks it"),
    ("a row with too few cells", TYPE, "| `agent` | string | yes |", "| `agent` | string |", "number of cells"),
    ("an example that is not JSON", TYPE, '"summary": {', '"summary": ', "Expecting"),
    ("an example with another key", TYPE, '"publisher": "kaizen-agentic",', '"producer": "x",', "the example's keys"),
    ("an example that breaks the schema", TYPE, '"success_rate": 0.75', '"success_rate": 1.75', "schema.json"),
    ("an example with an attribute of its own", TYPE, '"agent": "coach",', '"agent": "coach", "mood": "x",', "mood"),
    ("a rule on an unknown attribute", RULE, "context.metrics.summary.success_rate <",
     "context.metrics.success <", "not in the context"),
    ("a condition nobody understands", RULE, "< 0.8\n", "is low\n", "not understood"),
    ("an unregistered event type", RULE, "event_type: kaizen.metrics.recorded", "event_type: other", "not registered"),
    ("no rule block", RULE, "```rule", "```text", "no ```rule block"),
    ("another context source", RULE, "type: event-payload", "type: database", "not known"),
]


class Gate(unittest.TestCase):
    def setUp(self):
        self.checkout = pathlib.Path(tempfile.mkdtemp(prefix="checkout-"))
        self.addCleanup(shutil.rmtree, self.checkout)
        for folder in ("event-types", "activity-definitions"):
            shutil.copytree(TOP / folder, self.checkout / folder)
            os.chmod(self.checkout / folder, 0o755)

    def gate(self, *checkouts, environment=None):
        said = io.StringIO()
        with mock.patch("sys.argv", ["sync-event-types", *map(str, checkouts)]), \
                mock.patch.dict(os.environ, environment or {}), \
                contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return GATE.main(), said.getvalue()

    def test_this_checkout_is_taken(self):
        status, said = self.gate(environment={"ACTIVITY_DEFINITION_DIRS": str(TOP)})
        self.assertEqual(status, 0, said)
        self.assertIn("1 event types, 1 definitions", said)

    def test_each_defect_is_refused_with_the_file_and_the_reason(self):
        for name, file, text, replacement, message in DEFECTS:
            with self.subTest(name):
                path, original = self.checkout / file, (TOP / file).read_text()
                self.assertIn(text, original)
                path.unlink()
                path.write_text(original.replace(text, replacement, 1))
                status, said = self.gate(self.checkout)
                path.write_text(original)
                self.assertEqual(status, 1, said)
                self.assertIn(str(path), said)
                self.assertIn(message, said)
        self.assertEqual(self.gate(self.checkout)[0], 0)

    def test_a_definition_may_rest_on_another_checkouts_event_type(self):
        customer = self.checkout / "customer"
        (customer / "event-types").mkdir(parents=True)
        shutil.move(self.checkout / "activity-definitions", customer / "activity-definitions")
        self.assertEqual(self.gate(customer)[0], 1)
        directories = f"{self.checkout}:{customer}"
        self.assertEqual(self.gate(environment={"ACTIVITY_DEFINITION_DIRS": directories})[0], 0)

    def test_no_checkout_is_a_usage_error_and_an_empty_one_is_refused(self):
        self.assertEqual(self.gate(environment={"ACTIVITY_DEFINITION_DIRS": ""})[0], 2)
        empty = self.checkout / "empty"
        empty.mkdir()
        self.assertEqual(self.gate(empty)[0], 1)


if __name__ == "__main__":
    unittest.main()

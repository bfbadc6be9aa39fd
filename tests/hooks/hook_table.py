# hook_table.py - what each coding agent reports, as a table made by trying it; docs/hosts/README.md shows the same.
#
# SPDX-License-Identifier: Apache-2.0
import json
import pathlib
import unittest

from hook_fixtures import all_fixtures
from hook_support import ENDS, FAILURES, HOSTS, STARTS, HookTest

README = pathlib.Path(__file__).parents[2] / "docs" / "hosts" / "README.md"
HEADINGS = ("host", "recorded", "outcome known", "duration known", "safe against duplicates", "harmless")
AFTER = {  # what makes the same events those of the next turn
    "codex": {"turn_id": "t-2"}, "codex-notify": {"turn-id": "t-2"}, "cursor": {"generation_id": "g-2"},
    "opencode": {"messageID": "msg_9"}, "gemini": {"timestamp": "2026-03-02T10:05:00.000Z"},
    "copilot": {"timestamp": 1772445901250}, "qwen": {"prompt_id": "q########7"}, "windsurf": {"execution_id": "e-2"},
    "cline": {"timestamp": "2026-11-27T01:20:00.000Z"},
}


class Table(HookTest):
    maxDiff = None

    def fresh(self):
        self.tearDown()
        self.setUp()

    def after(self, host, *fixtures):
        """The records left by these events, from nothing."""
        self.fresh()
        for fixture in fixtures:
            self.fire_fixture(fixture)
        return self.records()

    def recorded(self, host):
        return "yes" if len(self.after(host, ENDS[host])) == 1 else "no"

    def outcome(self, host):
        ends_well = self.after(host, ENDS[host])[0]
        if "outcome" not in ends_well["metadata"]:
            return "no: an end counts as a success"
        if host not in FAILURES:
            return "completions only"
        failed = self.after(host, FAILURES[host])[0]
        told = (ends_well["metadata"]["outcome"], ends_well["success"], failed["metadata"]["outcome"], failed["success"])
        return "yes" if told == ("completed", True, "failed", False) else "no"

    def duration(self, host):
        if "execution_time_s" in self.after(host, ENDS[host])[0]:
            return "yes, the host's own"
        if host in STARTS and "execution_time_s" in self.after(host, STARTS[host], ENDS[host])[0]:
            return "yes, from the start event"
        return "no"

    def duplicates(self, host):
        start = [STARTS[host]] if host in STARTS else []
        self.after(host, *start, *start, ENDS[host], ENDS[host], ENDS[host])
        if len(self.records()) != 1:
            return "no"
        for fixture in (*start, ENDS[host]):
            changes = dict(AFTER.get(host, {}))
            if host == "openclaw":
                changes["ctx"] = {**json.loads(self.payload(fixture))["ctx"], "runId": "run-0043"}
            self.fire(host, self.payload(fixture, **changes) if changes else self.payload(fixture))
        return "yes" if len(self.records()) == 2 else "no: turns are lost"

    def harmless(self, host):
        """self.fire() holds each call to status 0 and silence."""
        tried = 0
        for fixture in all_fixtures("hostile") + all_fixtures(host):
            payload = self.payload(fixture)
            if host == "codex-notify" and b"\0" in payload:
                continue
            self.fire(host, payload)
            tried += 1
        for options in (["--plugin", "/nowhere.so"], ["--config", "/nowhere.json"], ["-C", "/nowhere"]):
            result = self.run_host(*options, "hook", host, stdin=self.payload(ENDS[host]))
            self.assertEqual((result.returncode, result.stdout), (0, b""))
            tried += 1
        return f"{tried} of {tried}"

    def test_the_table_of_the_docs_is_what_trying_it_gives(self):
        rows = [HEADINGS, ["---"] * len(HEADINGS)]
        for host in HOSTS:
            rows.append([f"[{host}]({host}.md)", self.recorded(host), self.outcome(host), self.duration(host),
                         self.duplicates(host), self.harmless(host)])
        table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
        print(table)
        shown = README.read_text().split("<!-- made by tests/hooks/hook_table.py -->\n", 1)[1].split("\n\n", 1)[0]
        self.assertEqual(shown.strip(), table.strip())


if __name__ == "__main__":
    unittest.main()

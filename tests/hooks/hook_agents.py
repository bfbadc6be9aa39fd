# hook_agents.py - from the installed settings to the event on the wire, for each coding agent: a stub fires the hooks as
# the agent does, a real broker takes the events, an independent subscriber counts them.
#
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

from hook_stubs import STUBS
from hook_support import HOSTS, HookTest
from shim_support import BROKER_INIT, PLUGIN, Broker

SUBJECT = "activity.kaizen.metrics.recorded"
SUBSCRIBER = pathlib.Path(__file__).parents[1] / "support" / "subscriber.py"


class Subscriber:
    """tests/support/subscriber.py in the background: it knows nothing of ours."""

    def __init__(self, url, count):
        self.process = subprocess.Popen(
            [sys.executable, SUBSCRIBER, "--count", str(count), "--idle", "60", url, SUBJECT], stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n"

    def events(self):
        """By id, as they came first: a hook that is ended before the answer came leaves its event to be sent again."""
        out, _ = self.process.communicate()
        messages = [json.loads(line) for line in out.splitlines()]
        found = {}
        for message in messages:
            found.setdefault(message["headers"].get("Nats-Msg-Id"), json.loads(message["payload"]))
        return list(found.items())


class Agents(HookTest):
    def setUp(self):
        super().setUp()
        os.environ["PATH"] += ":/usr/sbin"
        self.broker = Broker(self.scratch).start()
        (self.project / ".git").mkdir()
        self.expect(0, *BROKER_INIT, env={"NATS_URL": self.broker.url})

    def tearDown(self):
        self.broker.stop()
        super().tearDown()

    def check(self, host):
        if host in ("opencode", "openclaw") and shutil.which("node") is None:
            self.skipTest("node is not installed")
        # What the agents hand down of the environment is not enough to find plugin or broker: it stands in the settings.
        self.expect(0, "--plugin", PLUGIN, "--set", f"nats_url={self.broker.url}", "install-hooks", host, "--emit-event")
        agent = STUBS[host](self.home, self.project)
        subscriber = Subscriber(self.broker.url, len(STUBS[host].expected))
        agent.session()
        expected = agent.expected
        records = self.records()
        self.assertEqual(sorted((record["agent"], record["success"]) for record in records), sorted(expected),
                         self.hook_log())
        self.expect(0, "drain", "--timeout", "120", env={"NATS_URL": self.broker.url})
        events = subscriber.events()
        self.assertEqual({event_id for event_id, _ in events}, {record["event_id"] for record in records})
        self.assertEqual(sorted(event["attributes"]["agent"] for _, event in events),
                         sorted(agent for agent, _ in expected))
        self.assertNotIn(b"CANARY", b"".join(json.dumps(event).encode() for _, event in events))
        for folder in (self.project, self.state):
            self.assertNotIn(b"CANARY", b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file()))
        # The same session once more, as a host that repeats itself: nothing new.
        agent.session()
        repeated = [record.get("idempotency_key") for record in self.records()]
        self.assertEqual(len(repeated), len(set(repeated)))
        self.expect(0, "uninstall-hooks", host)
        return records

    def test_opencodes_plugin_adds_up_a_turns_answers(self):
        records = self.check("opencode")
        metadata = [record for record in records if record["agent"] == "build" and record["success"]][0]["metadata"]
        self.assertEqual((metadata["cost_usd"], metadata["input_tokens"], metadata["output_tokens"], metadata["model"]),
                         (0.03, 7000, 54, "anthropic/claude-sonnet-4-5"))


def add_test(host):
    def test(self):
        self.check(host)
    setattr(Agents, f"test_{host.replace('-', '_')}_from_its_settings_to_the_broker", test)


for name in set(HOSTS) - {"opencode"}:
    add_test(name)


if __name__ == "__main__":
    unittest.main()

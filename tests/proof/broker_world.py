# broker_world.py - one project, its host process and its broker, and what both have to show at the end.
#
# SPDX-License-Identifier: Apache-2.0
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

from ack_spy import heard_by
from broker_support import Client, Server, wait_for

PLUGIN = os.environ["KAIZEN_TEST_PLUGIN"]
HOST = os.environ["KAIZEN_TEST_HOST"]
HOST_PROGRAM = str(pathlib.Path(__file__).with_name("broker_host.py"))
AGENTS = ["coach", "judge", "scribe"]
SETTLE_S = 60  # until everything is acknowledged once the broker is well again; never how long it takes
SHORT_WINDOW_NS = 100_000_000  # the least a stream may have: what is sent twice shall be seen twice
COLUMNS = ("marked", "acknowledged", "pending", "dead_lettered", "received", "lost", "twice", "after_dedup",
           "p50_us", "p99_us")


class HostProcess:
    """tests/proof/broker_host.py, and what it answers."""

    def __init__(self, root, **config):
        self.root = root
        self.process = subprocess.Popen(
            [sys.executable, HOST_PROGRAM, PLUGIN, json.dumps({"project_root": str(root), "emit_event": True, **config})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, do, **more):
        self.process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        answer = self.process.stdout.readline()
        assert answer, f"the host ended in {do}: status {self.process.wait()}"
        return json.loads(answer)

    def stats(self):
        """The equation holds whenever somebody looks."""
        stats = self.ask("stats")
        parts = stats["acknowledged"] + stats["pending"] + stats["dead_lettered"]
        assert stats["marked"] == parts, f"marked is not the sum of the rest: {stats}"
        return stats

    def wait_for(self, condition, what):
        wait_for(lambda: condition(self.stats()), what)

    def close(self):
        self.process.stdin.close()
        status = self.process.wait()
        self.process.stdout.close()
        assert status == 0, f"the host ended with {status}"


def expected_payload(line):
    """The event of a line of the log, written down from the contract and not from our code."""
    record = json.loads(line, parse_float=Number, parse_int=Number)
    event = record["event"]
    summary = ",".join(f'"{name}":{event[name]}' for name in ("success_rate", "execution_count", "avg_quality"))
    return (f'{{"id":"{record["event_id"]}","type":"kaizen.metrics.recorded","version":"1.0",'
            f'"timestamp":"{record["timestamp"]}","publisher":"kaizen-agentic","attributes":{{'
            f'"agent":"{record["agent"]}","project":"{event["project"]}","summary":{{{summary}}}}}}}').encode()


class Number(str):
    """A number by its text: the event has the line's own digits."""


def folder_name(name):
    return re.sub("[^a-z0-9]+", "-", name.lower())


class World:
    """A scenario's project, server and host process."""

    def __init__(self, name, scratch, *, server=None, make_stream=True, url=None, **config):
        self.name, self.folder = name, scratch / folder_name(name)
        self.root = self.folder / "shop"
        self.root.mkdir(parents=True)
        self.server = server or Server(self.folder)
        if self.server.process is None:
            self.server.start()
        self.client_options = {}
        if make_stream:
            self.make_stream()
        self.config = {"nats_url": url or self.server.url, **config}
        self.host = HostProcess(self.root, **self.config)
        self.latency = {}
        self.spies = []  # who listens to the servers
        self.told = 0  # executions that the host was told are recorded

    # ---- the broker --------------------------------------------------------------------------------

    def client(self):
        return Client(self.server.url, **self.client_options)

    def with_client(self, work):
        client = self.client()
        try:
            return work(client)
        finally:
            client.close()

    def make_stream(self, **more):
        self.with_client(lambda client: client.make_stream(**{"duplicate_window": SHORT_WINDOW_NS, **more}))

    def delete_stream(self):
        self.with_client(lambda client: client.delete_stream())

    def reconfigure(self, config):
        """Stops the server and starts it with another configuration, and its store."""
        self.server.kill()
        self.server.config = config
        self.server.start()

    def payloads(self):
        return self.with_client(lambda client: client.payloads())

    # ---- the host ----------------------------------------------------------------------------------

    def begin(self, agents=None, pause_s=0.001):
        self.host.ask("begin", agents=agents or AGENTS, pause_s=pause_s)

    def end(self):
        """Every call answered, and each execution is in the log."""
        result = self.host.ask("end")
        assert not result["refused"], f"{self.name}: {len(result['refused'])} calls failed: {result['refused'][:3]}"
        self.told += result["recorded"]
        self.latency = result
        return result

    def record(self, count, agents=None):
        self.host.ask("record", agents=agents or AGENTS, count=count)
        self.end()

    def record_more(self, count):
        """Waits until the thread that records has recorded so many more."""
        begin = self.host.stats()["marked"]
        self.host.wait_for(lambda stats: stats["marked"] >= begin + count, "more recordings")

    def wait_for_trouble(self, text):
        """Events are pending and the cause stands in the status; none became a dead letter for it."""
        self.host.wait_for(lambda stats: text in stats["reason"] and stats["pending"] > 0, f"the reason: {text}")
        stats = self.host.stats()
        assert stats["dead_lettered"] == 0, f"{self.name}: dead letters for a wrong setting: {stats}"

    def settle(self):
        """Until nothing is pending."""
        left = self.host.ask("flush", ms=SETTLE_S * 1000)
        assert left == 0, f"{self.name}: {left} events still pending: {self.host.stats()}"
        return self.host.stats()

    def command(self, *arguments):
        """kaizen-host, as an operator has it."""
        settings = [text for name, value in self.config.items() for text in ("--set", f"{name}={value}")]
        return subprocess.run([HOST, "--plugin", PLUGIN, "-C", str(self.root), *settings, "-o", "json", *arguments],
                              capture_output=True, text=True, check=False)

    def heard_of(self, missing):
        """What the servers said of them, where somebody listened."""
        if not self.spies:
            return ""
        heard = heard_by(self.spies)
        acknowledged = [heard[event_id] for event_id in missing if event_id in heard]
        return (f"; the servers were heard to acknowledge {len(acknowledged)} of the {len(missing)} that they do not have, "
                f"{sum(duplicate for _, duplicate in acknowledged)} of these as duplicates")

    # ---- the judgement -----------------------------------------------------------------------------

    def marked_lines(self):
        """event id -> line, per agent, in the order of the log."""
        logs = {}
        for log in sorted((self.root / ".kaizen" / "metrics").glob("*/executions.jsonl")):
            lines = [line for line in log.read_bytes().split(b"\n") if b'"event_id"' in line]
            logs[log.parent.name] = {json.loads(line)["event_id"]: line for line in lines}
        return logs

    def judge(self, payloads=None, *, in_order=True):
        """One row of the table; what must hold whatever happened is asserted here."""
        stats, logs = self.host.stats(), self.marked_lines()
        expected = {event_id: expected_payload(line) for lines in logs.values() for event_id, line in lines.items()}
        received = collections.Counter()
        order = collections.defaultdict(dict)
        for payload in self.payloads() if payloads is None else payloads:
            event = json.loads(payload)
            assert payload == expected.get(event.get("id")), f"{self.name}: {payload} is not the event of its line"
            received[event["id"]] += 1
            order[event["attributes"]["agent"]].setdefault(event["id"])
        assert self.told == stats["marked"] == len(expected), (self.name, self.told, stats, len(expected))
        for agent, lines in logs.items():
            wanted = [event_id for event_id in lines if event_id in received]
            if in_order and list(order[agent]) != wanted:
                first = next(i for i, pair in enumerate(zip(order[agent], wanted)) if pair[0] != pair[1])
                raise AssertionError(f"{self.name}: {agent}: not in the order of its log from event {first} on")
        lost = len(expected) - len(received) - stats["pending"] - stats["dead_lettered"]
        assert lost <= 0, (f"{self.name}: {lost} events are neither received nor pending nor dead letters"
                           f"{self.heard_of(set(expected) - set(received))}")
        return {"fault": self.name, **{name: stats[name] for name in COLUMNS[:4]},
                "received": sum(received.values()), "lost": max(lost, 0),
                "twice": sum(count - 1 for count in received.values()), "after_dedup": len(received),
                "p50_us": self.latency.get("p50_us", 0), "p99_us": self.latency.get("p99_us", 0)}

    def close(self):
        try:
            self.host.close()
        finally:
            self.server.kill()
            shutil.rmtree(self.folder, ignore_errors=True)


def pause_for(seconds):
    """The length of a fault, not a wait for anything."""
    time.sleep(seconds)

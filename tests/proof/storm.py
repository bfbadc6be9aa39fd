#!/usr/bin/env python3
"""storm.py - recording processes and the broker are killed again and again; the log and the stream are compared.

SPDX-License-Identifier: Apache-2.0

Usage: storm.py [--kills N] [--seed N] | storm.py --crowd [--threads N] [--processes N] [--executions N] [--agents N]

The first form kills a recording process (tests/proof/stress.c, "fsync: always", publishing in-process) N times at
random moments, every second time after it has recorded something; every seventh round the broker is killed too, and comes back later with its store.  The second
form lets many threads and processes finish undisturbed.  Either way, at the end: what a host was told is in the
log, no key stands there twice, and after the last drain the stream holds the event of every marked line, in the
order of each agent's log, each id once.  KAIZEN_TEST_PLUGIN is the plugin, KAIZEN_TEST_HOST is kaizen-host.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

from broker_support import Client, Server, wait_for
from figures import figures

BUILD = os.environ.get("KAIZEN_TEST_BUILDDIR", ".")
STRESS = os.environ.get("KAIZEN_TEST_STRESS") or BUILD + "/tests/proof/stress"
HOST = os.environ.get("KAIZEN_TEST_HOST") or BUILD + "/kaizen-host"
BROKER_EVERY = 7
DRAIN_S = 120


def stored_events(url):
    """Every message of the stream, in its order."""
    client = Client(url)
    try:
        return [json.loads(payload) for payload in client.payloads()]
    finally:
        client.close()


class Storm:
    def __init__(self, options, scratch):
        self.options, self.scratch = options, scratch
        self.root, self.told = scratch / "shop", scratch / "told"
        self.root.mkdir()
        self.told.touch()
        self.broker_kills = 0
        self.server = Server(scratch / "server")
        (scratch / "server").mkdir()
        self.server.start()
        client = Client(self.server.url)
        client.make_stream()
        client.close()

    def command(self, *arguments):
        return [STRESS, os.environ["KAIZEN_TEST_PLUGIN"], str(self.root), "-a", str(self.options.agents),
                "-o", str(self.told), "-s", "emit_event=true", "-s", "fsync=always", "-s", "lock_timeout_ms=60000",
                "-s", f"nats_url={self.server.url}", *arguments]

    def kill_recorders(self, rng):
        for number in range(self.options.kills):
            if number % BROKER_EVERY == 0:
                self.server.kill()
                self.broker_kills += 1
            process = subprocess.Popen(self.command("-t", "4", "-n", "100000", "-g", f"round-{number}"),
                                       stdout=subprocess.DEVNULL)
            if number % 2:
                told = self.told.stat().st_size
                wait_for(lambda: self.told.stat().st_size > told or process.poll() is not None, "a record")
            time.sleep(rng.uniform(0.01, 0.12))  # the moment of the kill is what varies
            process.kill()
            process.wait()
            if number % BROKER_EVERY == 2 and self.server.process is None:
                self.server.start()
        if self.server.process is None:
            self.server.start()

    def crowd(self):
        running = [subprocess.Popen(self.command("-t", str(self.options.threads), "-n", str(self.options.executions),
                                                 "-g", f"process-{number}"), stdout=subprocess.PIPE)
                   for number in range(self.options.processes)]
        counts = [json.loads(process.communicate()[0]) for process in running]
        assert all(process.returncode == 0 for process in running), [process.returncode for process in running]
        return {name: sum(count[name] for count in counts) for name in counts[0]}

    def drain(self):
        result = subprocess.run([HOST, "--plugin", os.environ["KAIZEN_TEST_PLUGIN"], "-C", str(self.root), "--set",
                                 f"nats_url={self.server.url}", "drain", "--timeout", str(DRAIN_S)],
                                capture_output=True, text=True, check=False)
        assert result.returncode == 0, result

    def logs(self):
        for folder in sorted((self.root / ".kaizen" / "metrics").glob("agent-*")):
            records, log = [], folder / "executions.jsonl"
            if not log.exists() and self.options.kills:
                continue  # killed between the folder and the log
            for line in log.read_bytes().split(b"\n"):
                try:
                    records.append(json.loads(line))
                except ValueError:
                    assert not line.strip() or self.options.kills, (folder.name, line)
            yield folder.name, records

    def judge(self):
        by_agent = collections.defaultdict(list)
        events = stored_events(self.server.url)
        for event in events:
            by_agent[event["attributes"]["agent"]].append(event["id"])
        told = {tuple(line.split(" ")[:2]) for line in self.told.read_text().splitlines()}
        lines = 0
        for agent, records in self.logs():
            keys = [record["idempotency_key"] for record in records]
            ids = [record["event_id"] for record in records]
            assert len(keys) == len(set(keys)), f"{agent}: a key stands in the log twice"
            assert by_agent[agent] == ids, (
                f"{agent}: the stream holds {len(by_agent[agent])} events ({len(set(by_agent[agent]))} ids), the log "
                f"marks {len(ids)}; first difference at "
                f"{next((i for i, pair in enumerate(zip(by_agent[agent], ids)) if pair[0] != pair[1]), 'the end')}")
            told -= {(agent, key) for key in keys}
            lines += len(records)
        assert not told, f"told, and not in a log: {sorted(told)[:5]}"
        assert lines, "nothing was recorded"
        return {"lines": lines, "events": len(events), "told": len(self.told.read_text().splitlines())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=14)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--crowd", action="store_true")
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--executions", type=int, default=500)
    parser.add_argument("--agents", type=int, default=8)
    options = parser.parse_args()
    if options.crowd:
        options.kills = 0
    print(f"seed {options.seed}", flush=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="kaizen-storm-"))
    storm = Storm(options, scratch)
    try:
        if options.crowd:
            print(json.dumps(storm.crowd()))
        else:
            storm.kill_recorders(random.Random(options.seed))
        storm.drain()
        counts = storm.judge()
        shape = "crowd" if options.crowd else "storm"
        kills = [("storm_kills", options.kills, "kills"), ("storm_broker_kills", storm.broker_kills, "kills")]
        figures(([] if options.crowd else kills) +
                [(f"{shape}_events_marked", counts["lines"], "events"),
                 (f"{shape}_events_received", counts["events"], "events"),
                 (f"{shape}_events_lost", counts["lines"] - counts["events"], "events")])
    finally:
        storm.server.kill()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

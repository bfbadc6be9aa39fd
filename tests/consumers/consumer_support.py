"""consumer_support.py - one run of agents, plugin and broker for the consumers that look at it from outside.

SPDX-License-Identifier: Apache-2.0

As a program it is one recording process: consumer_support.py ROOT URL PREFIX THREADS RECORDS.
"""
import collections
import contextlib
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

import oracle
from broker_support import Client, Server
from raw_nats import SUBJECT, RawClient, frame_errors

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = HERE.parents[1] / "event-types" / "kaizen.metrics.recorded.schema.json"
STREAM = "ACTIVITY_EVENTS"
AGENTS = ["coach", "scribe", "judge-2", "_a.b"]
PROJECT = "größe \"shop\""

from kaizen_ctypes import Kaizen


def record(root, url, prefix, threads, records):
    """Executions of every kind a consumer may meet: keys, repeats, other scripts, marked and not."""
    def work(kaizen, worker):
        rng = random.Random(f"{prefix}{worker}")
        for number in range(records):
            kaizen.record(
                rng.choice(AGENTS), success=rng.random() < 0.7,
                quality_score=rng.choice([None, 0.0, 1.0, 0.1, 0.81, rng.random()]),
                execution_time_s=rng.choice([None, 1.5, rng.random() * 1000]),
                idempotency_key=rng.choice([None, f"{prefix}-{worker}-{number}", f"shared-{rng.randint(0, records)}"]),
                metadata=rng.choice([None, {"note": "naïve \u2028 \U0001f680"}]), emit=rng.random() < 0.8)

    with Kaizen(os.environ["KAIZEN_TEST_PLUGIN"], project_root=root, nats_url=url, project=PROJECT) as kaizen:
        workers = [threading.Thread(target=work, args=(kaizen, worker)) for worker in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        kaizen.flush(30000)


class Listener(threading.Thread):
    """The raw client in a thread of its own; connects again when the broker went away."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.client = url, None
        self.payloads, self.errors = [], []
        self.ends, self.listens = threading.Event(), threading.Event()

    def run(self):
        while not self.ends.is_set():
            try:
                self.client = RawClient(self.url, SUBJECT, idle_s=None)
                self.listens.set()
                for frame in self.client.frames():
                    self.payloads.append(frame.payload)
                    self.errors += frame_errors(frame)
            except OSError:
                pass
            self.listens.clear()
            if self.client:
                self.client.close()
            self.ends.wait(0.05)

    def stop(self):
        self.ends.set()
        if self.client:
            with contextlib.suppress(OSError):
                self.client.socket.shutdown(socket.SHUT_RDWR)
        self.join()


class BrokerRun:
    """A project, a broker with the stream, a raw subscriber; everything is gone after `with`."""

    def __init__(self, duplicate_window_s=0.1):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="consumers-"))
        self.root = self.scratch / "shop"
        (self.scratch / "server").mkdir(parents=True)
        self.root.mkdir()
        self.server = Server(self.scratch / "server")
        self.window_ns = int(duplicate_window_s * 1e9)

    def __enter__(self):
        self.server.start()
        client = Client(self.server.url)
        client.make_stream(STREAM, duplicate_window=self.window_ns)
        client.close()
        self.listener = Listener(self.server.url)
        self.listener.start()
        if not self.listener.listens.wait(30):
            raise RuntimeError("the raw subscriber cannot connect")
        return self

    def __exit__(self, *error):
        self.listener.stop()
        self.server.kill()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def record(self, processes=2, threads=4, records=100, restarts=0):
        """Records from several processes; the broker is killed and started again meanwhile."""
        running = [subprocess.Popen([sys.executable, HERE / "consumer_support.py", self.root, self.server.url,
                                     f"p{number}", str(threads), str(records)]) for number in range(processes)]
        for _ in range(restarts):
            seen = len(self.listener.payloads)
            wait_until(lambda: len(self.listener.payloads) >= seen + 50
                       or all(process.poll() is not None for process in running))
            self.server.kill()
            self.server.start()
        return [process.wait() for process in running]

    def host(self, *arguments):
        """kaizen-host on this project and broker."""
        return subprocess.run(
            [os.environ["KAIZEN_TEST_HOST"], "-C", self.root, "--plugin", os.environ["KAIZEN_TEST_PLUGIN"],
             "--set", f"nats_url={self.server.url}", "--set", f"project={PROJECT}", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)

    def expected(self):
        """{agent: [event...]}: what the oracle says of the logs, line by line."""
        return {folder.name: oracle.events((folder / "executions.jsonl").read_bytes())
                for folder in oracle.agent_folders(self.root)}

    def recounted(self):
        return {folder.name: oracle.events((folder / "executions.jsonl").read_bytes(), recount=True)
                for folder in oracle.agent_folders(self.root)}


def wait_until(condition, limit_s=60):
    deadline = threading.Event()
    timer = threading.Timer(limit_s, deadline.set)
    timer.start()
    try:
        while not condition() and not deadline.wait(0.01):
            pass
        return bool(condition())
    finally:
        timer.cancel()


def first_of_each(payloads):
    """The payloads by agent, each id once, in order of arrival; and messages about ids whose bytes changed."""
    by_id, by_agent, changed = {}, collections.defaultdict(list), []
    for payload in payloads:
        event = json.loads(payload)
        if event["id"] not in by_id:
            by_id[event["id"]] = payload
            by_agent[event["attributes"]["agent"]].append(payload)
        elif by_id[event["id"]] != payload:
            changed.append(f"{event['id']} came with other bytes")
    return dict(by_agent), changed


def differences(received, expected):
    """What consumers got against the oracle, per agent: what is missing, unexpected, out of order."""
    found = []
    for agent in sorted({*received, *expected}):
        got, wanted = received.get(agent, []), expected.get(agent, [])
        missing, extra = set(wanted) - set(got), set(got) - set(wanted)
        if missing or extra:
            found.append(f"{agent}: {len(missing)} events missing, {len(extra)} not expected, such as "
                         f"{next(iter(missing or extra))!r}")
        elif got != wanted:
            found.append(f"{agent}: events out of order")
    return found


if __name__ == "__main__":
    record(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))

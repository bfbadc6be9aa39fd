#!/usr/bin/env python3
"""cluster_bare.py - what a cluster that loses its leader takes from a bare publisher.

SPDX-License-Identifier: Apache-2.0

Usage: PYTHONPATH=tests/support cluster_bare.py [RUNS]     nats-server is found by PATH; 5 runs

No code of ours takes part.  Ten connections publish to a stream of three replicas, each message with an id, and
keep the acknowledgements; what is not acknowledged is sent again with the same id.  The leader is killed ten
times.  A message that was acknowledged and is not in the stream at the end was lost by the servers:
docs/reliability.md, "Brokers of three generations".
"""
import collections
import json
import pathlib
import shutil
import socket
import sys
import tempfile
import threading
import time

from broker_support import Client
from nats_cluster import Cluster

RUNS, LOSSES, CONNECTIONS, WINDOW = 5, 10, 10, 64
DUPLICATE_WINDOW_NS = 120_000_000_000
SILENCE_S = 3
QUIET_S = 0.003  # without an answer for so long, the next message is sent


class Publisher(threading.Thread):
    """One connection at a time, to whichever server answers."""

    def __init__(self, cluster, number):
        super().__init__()
        self.cluster, self.number = cluster, number
        self.made, self.ended = 0, threading.Event()
        self.waiting = collections.OrderedDict()  # ids that are not acknowledged
        self.acknowledged = {}  # id -> sequence

    def run(self):
        while not self.ended.is_set() or self.waiting:
            try:
                self.publish()
            except (OSError, ValueError):
                time.sleep(0.05)

    def publish(self):
        ports = list(self.cluster.ports.values())
        with socket.create_connection(("127.0.0.1", ports[self.number % len(ports)]), timeout=SILENCE_S) as connection:
            self.number += 1
            connection.sendall(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB to.%d.> 1\r\n'
                               % id(self))
            reader = connection.makefile("rb")
            for message in list(self.waiting):
                self.send(connection, message)
            while not self.ended.is_set() or self.waiting:
                if not self.ended.is_set() and len(self.waiting) < WINDOW:
                    self.made += 1
                    message = f"{self.name}-{self.made}"
                    self.waiting[message] = None
                    self.send(connection, message)
                    connection.settimeout(QUIET_S)
                else:
                    connection.settimeout(SILENCE_S)
                try:
                    self.take_answers(connection, reader)
                except TimeoutError:
                    if self.ended.is_set() or len(self.waiting) >= WINDOW:
                        raise  # and everything is sent again
                    reader = connection.makefile("rb")

    def send(self, connection, message):
        head = f"NATS/1.0\r\nNats-Msg-Id: {message}\r\n\r\n"
        connection.sendall(f"HPUB activity.bare to.{id(self)}.{message} {len(head)} {len(head) + len(message)}\r\n"
                           f"{head}{message}\r\n".encode())

    def take_answers(self, connection, reader):
        line = reader.readline()
        if not line:
            raise ConnectionError("the server is gone")
        words = line.split()
        if words[0] == b"PING":
            connection.sendall(b"PONG\r\n")
        if words[0] not in (b"MSG", b"HMSG"):
            return
        connection.settimeout(SILENCE_S)
        body = reader.read(int(words[-1]) + 2)
        message = words[1].split(b".")[2].decode()
        if words[0] == b"HMSG":
            raise ConnectionError("nobody answers for the stream")
        answer = json.loads(body)
        if "seq" in answer and message in self.waiting:
            del self.waiting[message]
            self.acknowledged[message] = (answer["seq"], answer.get("duplicate", False))


def run(folder):
    cluster = Cluster(folder)
    try:
        cluster.start()
        cluster.make_stream(DUPLICATE_WINDOW_NS)
        publishers = [Publisher(cluster, number) for number in range(CONNECTIONS)]
        for publisher in publishers:
            publisher.start()
        for _ in range(LOSSES):
            time.sleep(1)  # some messages between two losses
            cluster.lose_leader()
        for publisher in publishers:
            publisher.ended.set()
        for publisher in publishers:
            publisher.join()
        return judge(cluster, publishers)
    finally:
        cluster.kill()


def judge(cluster, publishers):
    acknowledged = {message: answer for publisher in publishers for message, answer in publisher.acknowledged.items()}
    client = Client(cluster.url)
    stored = {number: payload.decode() for number, payload in client.numbered_payloads().items()}
    client.close()
    there = set(stored.values())
    lost = [message for message in acknowledged if message not in there]
    known = sum(acknowledged[message][1] for message in lost)
    numbers = collections.Counter(sequence for sequence, duplicate in acknowledged.values() if not duplicate)
    print(f"{len(acknowledged)} acknowledged, {len(lost)} of them not in the stream: {known} acknowledged as duplicates, "
          f"{len(lost) - known} as new; "
          f"{sum(count > 1 for count in numbers.values())} sequence numbers acknowledged for two messages", flush=True)
    for message in lost[:5]:
        sequence, duplicate = acknowledged[message]
        print(f"  {message} was acknowledged with number {sequence}{' as a duplicate' if duplicate else ''}; "
              f"there is {stored.get(sequence)}")
    return len(lost)


def main():
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="kaizen-bare-"))
    try:
        lost = 0
        for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS):
            folder = scratch / str(number)
            folder.mkdir()
            lost += run(folder)
        print(f"{lost} lost")
        return 1 if lost else 0
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

# broker_links.py - what becomes of events when the link to the broker is cut, or slow.
#
# SPDX-License-Identifier: Apache-2.0
import itertools
import os
import queue
import socket
import threading
import time

from broker_faults import run
from broker_world import World, folder_name, pause_for
from broker_support import Server, wait_for

CUT_STEP = int(os.environ.get("BROKER_CUT_STEP", "16"))  # bytes between two places where a connection is cut
TOWARDS_BROKER, FROM_BROKER = 4000, 2400  # the range of both: login, a probe, and some events with their answers
CHUNK = 65536


class Proxy:
    """Passes connections on to a server.  `plan` is asked for each: a Link, or None for an untroubled one."""

    def __init__(self, port, plan):
        self.port, self.plan = port, plan
        self.accepted = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"nats://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                if self.listener.fileno() < 0:
                    return
                client.close()
                continue
            self.accepted += 1
            link = self.plan() or Link()
            for side, source, target in (("up", client, server), ("down", server, client)):
                threading.Thread(target=link.carry, args=(side, source, target), daemon=True).start()

    def close(self):
        self.listener.close()


class Link:
    """One connection: cut after so many bytes of one direction, or every piece held up for delay_s."""

    def __init__(self, cut=None, side="up", delay_s=0.0):
        self.left, self.side, self.delay_s = cut, side, delay_s

    def carry(self, side, source, target):
        pieces = queue.Queue()
        sender = threading.Thread(target=self.send, args=(pieces, source, target), daemon=True)
        sender.start()
        try:
            while data := source.recv(CHUNK):
                last = False
                if self.left is not None and side == self.side:
                    data, last = data[:self.left], len(data) >= self.left
                    self.left -= len(data)
                pieces.put((time.monotonic() + self.delay_s, data))
                if last:
                    break
        except OSError:
            pass
        pieces.put((0, b""))

    @staticmethod
    def send(pieces, source, target):
        """Also closes both, so that the other direction ends too."""
        try:
            while True:
                due, data = pieces.get()
                if not data:
                    break
                time.sleep(max(0, due - time.monotonic()))
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


def world_behind(scratch, name, plan):
    folder = scratch / folder_name(name)
    folder.mkdir(parents=True)
    server = Server(folder).start()
    proxy = Proxy(server.port, plan)
    world = World(name, scratch, server=server, url=proxy.url)
    return world, proxy


def far_apart(count, step):
    """0, step, 2 step ..., the near ones between the far ones: a link that is cut before anything was
    acknowledged makes the publisher wait longer each time."""
    places = range(0, count, step)
    half = (len(places) + 1) // 2
    return [place for pair in itertools.zip_longest(places[half:], places[:half]) for place in pair if place is not None]


def cut(scratch):
    """Each connection is cut after so many bytes, of the one direction and of the other."""
    cuts = [(place, "up") for place in far_apart(TOWARDS_BROKER, CUT_STEP)]
    cuts += [(place, "down") for place in far_apart(FROM_BROKER, CUT_STEP)]
    left = iter(cuts)
    done = threading.Event()

    def plan():
        for place, side in left:
            return Link(place, side)
        done.set()
        return None

    def work(world):
        world.begin(pause_s=0.02)
        deadline = time.monotonic() + 600
        while not done.wait(0.1):
            assert time.monotonic() < deadline, f"{proxy.accepted} of {len(cuts)} cuts in ten minutes"
        world.end()
        world.settle()

    world, proxy = world_behind(scratch, "cut", plan)
    try:
        row = run(world, work)
    finally:
        proxy.close()
    return {**row, "fault": f"cut at {len(cuts)} places"}


def slow(scratch):
    """150 ms each way: slow, and no fault."""
    def work(world):
        world.begin()
        world.record_more(3000)
        world.end()
        world.settle()

    world, proxy = world_behind(scratch, "slow link", lambda: Link(delay_s=0.15))
    try:
        return run(world, work)
    finally:
        proxy.close()


def too_slow(scratch):
    """Answers come when nobody waits for them any more, until the link is as it should be."""
    delay = {"s": 4.0}

    def work(world):
        world.begin(pause_s=0.01)
        wait_for(lambda: proxy.accepted >= 3, "it to connect again")
        pause_for(1)
        delay["s"] = 0.0
        world.end()
        world.settle()

    world, proxy = world_behind(scratch, "too slow a link", lambda: Link(delay_s=delay["s"]))
    try:
        return run(world, work)
    finally:
        proxy.close()


FAULTS = [cut, slow, too_slow]

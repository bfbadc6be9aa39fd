# broker_cluster.py - a cluster of three, whose stream loses its leader again and again.
#
# SPDX-License-Identifier: Apache-2.0
import contextlib
import re
import subprocess

from ack_spy import spy_on
from broker_faults import run
from broker_support import wait_for
from broker_world import AGENTS, SHORT_WINDOW_NS, HostProcess, World
from nats_cluster import PATIENCE_S, Cluster

LOSSES, CHANGES, PROCESSES = 10, 40, 10


@contextlib.contextmanager
def others_recording(world, count):
    """So many more host processes, which record for the same agents."""
    others = []
    try:
        for _ in range(count):
            others.append(HostProcess(world.root, **world.config))
            others[-1].ask("begin", agents=AGENTS, pause_s=0.01)
        yield
        for other in others:
            ended = other.ask("end")
            assert not ended["refused"], ended["refused"][:3]
            world.told += ended["recorded"]
    finally:
        for other in others:
            other.close()


def with_cluster(scratch, name, work, processes=1):
    """A stream with three replicas, and `work` while events flow."""
    folder = scratch / "cluster"
    folder.mkdir()
    cluster = Cluster(folder)

    def record_meanwhile(world):
        world.begin(pause_s=0.001)
        with others_recording(world, processes - 1):
            work(world, cluster)
        world.end()
        world.settle()

    try:
        cluster.start()
        cluster.make_stream(SHORT_WINDOW_NS)
        world = World(name, scratch, server=cluster, make_stream=False, url=cluster.every_url, lock_timeout_ms=60000)
        return run(world, record_meanwhile)
    finally:
        cluster.kill()


def lose_leaders(world, cluster):
    """kill -9 of the stream's leader, ten times.  What the servers acknowledge is heard by others, too: an event that
    was, and that no replica has at the end, was lost by them."""
    world.spies = spy_on(cluster.ports.values())
    for _ in range(LOSSES):
        world.record_more(100)
        cluster.lose_leader()


def leaders_lost(scratch):
    return with_cluster(scratch, f"{LOSSES} leaders lost", lose_leaders)


def server_version():
    said = subprocess.run(["nats-server", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return tuple(int(part) for part in re.search(r"(\d+)\.(\d+)", said).groups())


def leaders_lost_by_a_crowd(scratch):
    if server_version() < (2, 10):
        print("SKIP: leaders lost by a crowd: nats-server 2.9.10 then loses events that it acknowledged")
        return []
    return with_cluster(scratch, f"{LOSSES} leaders, {PROCESSES} processes", lose_leaders, PROCESSES)


def leaders_changed(scratch):
    """The leader steps down, with a window in flight: for a moment nobody answers."""
    def work(world, cluster):
        for _ in range(CHANGES):
            world.record_more(300)
            wait_for(cluster.leader, "a leader", PATIENCE_S)
            cluster.ask("$JS.API.STREAM.LEADER.STEPDOWN.ACTIVITY_EVENTS")
    return with_cluster(scratch, f"{CHANGES} leaders step down", work)


FAULTS = [leaders_changed, leaders_lost, leaders_lost_by_a_crowd]

# broker_cluster.py - a cluster of three, whose stream loses its leader again and again.
#
# SPDX-License-Identifier: Apache-2.0
import contextlib
import json
import re
import subprocess

from broker_faults import run
from broker_support import Client, wait_for
from broker_world import AGENTS, SHORT_WINDOW_NS, HostProcess, World
from ports import free_ports

LOSSES, CHANGES, PROCESSES = 10, 40, 10
PATIENCE_S = 180  # three servers and an election, on a machine that has other things to do
NODES = ("n1", "n2", "n3")
CONFIG = """
server_name: {name}
listen: 127.0.0.1:{port}
jetstream {{ store_dir: "{store}" }}
cluster {{ name: kaizen, listen: 127.0.0.1:{route}, routes: [{routes}] }}
"""


class Cluster:
    """Three nodes; `url` names them all.  Has what World wants of a server."""

    def __init__(self, folder):
        ports = free_ports(6)
        self.folder, self.processes = folder, {}
        self.ports, routes = dict(zip(NODES, ports)), ports[3:]
        self.every_url = ",".join(f"nats://127.0.0.1:{port}" for port in self.ports.values())
        for name, route in zip(NODES, routes):
            (folder / f"{name}.conf").write_text(CONFIG.format(
                name=name, port=self.ports[name], store=folder / name, route=route,
                routes=", ".join(f'"nats-route://127.0.0.1:{port}"' for port in routes)))

    @property
    def process(self):
        return self.processes or None

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.ports[next(iter(self.processes))]}"

    def start(self):
        for name in NODES:
            self.start_node(name)
        wait_for(lambda: "error" not in self.ask("$JS.API.INFO"), "the cluster to elect its leader", PATIENCE_S)

    def start_node(self, name):
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(["nats-server", "-c", str(self.folder / f"{name}.conf")],
                                                    stdout=log, stderr=log)

    def ask(self, subject, question=None):
        """An error, while there is nobody to answer."""
        try:
            client = Client(self.url)
            client.socket.settimeout(3)
            try:
                return client.ask(subject, question)
            finally:
                client.close()
        except (OSError, RuntimeError, json.JSONDecodeError) as error:
            return {"error": str(error)}

    def about_stream(self):
        return self.ask("$JS.API.STREAM.INFO.ACTIVITY_EVENTS")

    def leader(self):
        return self.about_stream().get("cluster", {}).get("leader")

    def whole(self):
        """Every replica is there and up to date."""
        about = self.about_stream().get("cluster", {})
        replicas = about.get("replicas", [])
        return about.get("leader") and len(replicas) == 2 and all(
            replica.get("current") and not replica.get("offline") for replica in replicas)

    def kill_node(self, name):
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def kill(self):
        for name in list(self.processes):
            self.kill_node(name)


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
        wait_for(lambda: "error" not in cluster.ask("$JS.API.STREAM.CREATE.ACTIVITY_EVENTS", {
            "name": "ACTIVITY_EVENTS", "subjects": ["activity.>"], "storage": "file", "retention": "limits",
            "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_age": 0, "max_msg_size": -1,
            "num_replicas": 3, "discard": "old", "duplicate_window": SHORT_WINDOW_NS}), "the stream", PATIENCE_S)
        wait_for(cluster.whole, "its replicas", PATIENCE_S)
        world = World(name, scratch, server=cluster, make_stream=False, url=cluster.every_url, lock_timeout_ms=60000)
        return run(world, record_meanwhile)
    finally:
        cluster.kill()


def lose_leaders(world, cluster):
    """kill -9 of the stream's leader, ten times."""
    for _ in range(LOSSES):
        world.record_more(100)
        leader = wait_for(cluster.leader, "a leader", PATIENCE_S)
        cluster.kill_node(leader)
        wait_for(lambda lost=leader: (cluster.leader() or lost) != lost, "another leader", PATIENCE_S)
        cluster.start_node(leader)
        wait_for(cluster.whole, "the replicas to be up to date", PATIENCE_S)


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

# nats_cluster.py - three servers with a stream that has a replica on each of them.
#
# SPDX-License-Identifier: Apache-2.0
import json
import subprocess

from broker_support import Client, wait_for
from ports import free_ports

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

    def make_stream(self, window_ns):
        """Three replicas of it, all of them there."""
        wait_for(lambda: "error" not in self.ask("$JS.API.STREAM.CREATE.ACTIVITY_EVENTS", {
            "name": "ACTIVITY_EVENTS", "subjects": ["activity.>"], "storage": "file", "retention": "limits",
            "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_age": 0, "max_msg_size": -1,
            "num_replicas": 3, "discard": "old", "duplicate_window": window_ns}), "the stream", PATIENCE_S)
        wait_for(self.whole, "its replicas", PATIENCE_S)

    def lose_leader(self):
        """kill -9 of the stream's leader, which comes back once there is another."""
        leader = wait_for(self.leader, "a leader", PATIENCE_S)
        self.kill_node(leader)
        wait_for(lambda: (self.leader() or leader) != leader, "another leader", PATIENCE_S)
        self.start_node(leader)
        wait_for(self.whole, "the replicas to be up to date", PATIENCE_S)

# broker_support.py - what the tests with a real nats-server share: the server, a client of its own, the driver process.
#
# SPDX-License-Identifier: Apache-2.0
import base64
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse

from ports import free_ports

DRIVER = os.environ.get("KAIZEN_TEST_DRIVER", os.path.join(
    os.environ.get("KAIZEN_TEST_BUILDDIR", "."), "tests", "publisher", "publisher_driver"))
SUBJECT = "activity.kaizen.metrics.recorded"
PATIENCE_S = 120  # what a condition may take on a loaded machine; never what it takes


def wait_for(condition, what, patience_s=PATIENCE_S):
    """Looks again and again until condition() is true; answers its value."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {patience_s} s: {what}")


def names_of(host):
    """What a certificate calls it.  Tests name the loopback by its address: a machine without /etc/hosts knows no
    "localhost", and libraries differ in whether they look for an address among the names."""
    return f"DNS:{host}" + (f",IP:{host}" if host[0].isdigit() else "")


def may_trace():
    """Whether strace is there and works."""
    return shutil.which("strace") and subprocess.run(["strace", "-o", "/dev/null", "true"], check=False,
                                                     stderr=subprocess.DEVNULL).returncode == 0


def stop(process):
    """Stops a child; none of its threads does anything more when this returns."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)


class Server:
    """One nats-server on a free port of the loopback, with a store of its own."""

    def __init__(self, folder, config="", jetstream=True):
        self.folder = pathlib.Path(folder)
        self.store = self.folder / "store"
        self.config = config
        self.jetstream = jetstream
        self.port = free_ports(1)[0]
        self.process = None

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["nats-server", "-a", "127.0.0.1", "-p", str(self.port)]
        if self.jetstream:
            command += ["-js", "-sd", str(self.store)]
        if self.config:
            (self.folder / "server.conf").write_text(self.config)
            command += ["-c", str(self.folder / "server.conf")]
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self.accepts, "the server to accept connections")
        return self

    def accepts(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"nats-server ended: {(self.folder / 'server.log').read_text()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def freeze(self):
        stop(self.process)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def forget_store(self):
        shutil.rmtree(self.store, ignore_errors=True)


class Client:
    """The NATS protocol over a plain socket, enough to ask JetStream."""

    def __init__(self, url, user=None, password=None, tls=None):
        """`tls`: an ssl.SSLContext for a server that wants to be spoken to in TLS."""
        at = urllib.parse.urlsplit(url)
        self.another = lambda: Client(url, user, password, tls)
        self.socket = socket.create_connection((at.hostname, at.port), timeout=PATIENCE_S)
        if tls:
            while self.socket.recv(1) != b"\n":  # INFO: the last that is not encrypted
                pass
            self.socket = tls.wrap_socket(self.socket)
        self.reader = self.socket.makefile("rb")
        self.taken = set()
        if not tls:
            self.reader.readline()
        options = {"verbose": False, "pedantic": False, "headers": True, "lang": "python", "no_responders": True}
        if user:
            options.update({"user": user, "pass": password})
        self.socket.sendall(b"CONNECT " + json.dumps(options).encode() + b"\r\nSUB answer 1\r\n")

    def close(self):
        self.reader.close()
        self.socket.close()

    def ask(self, subject, question=None):
        body = json.dumps(question).encode() if question is not None else b""
        self.socket.sendall(f"PUB {subject} answer {len(body)}\r\n".encode() + body + b"\r\n")
        while line := self.reader.readline():
            words = line.split()
            if words[0] == b"PING":
                self.socket.sendall(b"PONG\r\n")
            elif words[0] in (b"MSG", b"HMSG"):
                data = self.reader.read(int(words[-1]) + 2)[:-2]
                if words[0] == b"HMSG":
                    raise RuntimeError(data[: int(words[-2])].decode())
                return json.loads(data)
            elif words[0] == b"-ERR":
                raise RuntimeError(line.decode())
        raise RuntimeError("the server closed the connection")

    def subscribe(self):
        """From here on next_event() answers what is published, stored or not."""
        self.socket.sendall(f"SUB {SUBJECT} 9\r\nPING\r\n".encode())
        while self.reader.readline() != b"PONG\r\n":
            pass

    def next_event(self):
        """Those that are sent again, as after an answer that was late, are left out."""
        while line := self.reader.readline():
            words = line.split()
            if words[0] == b"PING":
                self.socket.sendall(b"PONG\r\n")
            elif words[0] == b"HMSG":
                event = json.loads(self.reader.read(int(words[-1]) + 2)[int(words[-2]):-2])
                if event["id"] not in self.taken:
                    self.taken.add(event["id"])
                    return event
        raise RuntimeError("the server closed the connection")

    def make_stream(self, name="ACTIVITY_EVENTS", **more):
        config = {"name": name, "subjects": ["activity.>"], "storage": "file", "retention": "limits",
                  "max_consumers": -1, "max_msgs": -1, "max_bytes": -1, "max_age": 0, "max_msg_size": -1,
                  "num_replicas": 1, "discard": "old", "duplicate_window": 120_000_000_000}
        config.update(more)
        answer = self.ask(f"$JS.API.STREAM.CREATE.{name}", config)
        assert "error" not in answer, answer
        return answer

    def delete_stream(self, name="ACTIVITY_EVENTS"):
        return self.ask(f"$JS.API.STREAM.DELETE.{name}")

    def count(self, name="ACTIVITY_EVENTS"):
        answer = self.ask(f"$JS.API.STREAM.INFO.{name}")
        return answer["state"]["messages"] if "state" in answer else 0

    def payloads(self, name="ACTIVITY_EVENTS"):
        """What the stream holds, as bytes and in its order."""
        return [payload for _, payload in sorted(self.numbered_payloads(name).items())]

    def numbered_payloads(self, name="ACTIVITY_EVENTS"):
        """The same by sequence number, by a push consumer."""
        wanted = self.count(name)
        consumer = self.another()  # its messages and the answers to questions do not mix
        consumer.socket.sendall(b"SUB events 2\r\nPING\r\n")
        while consumer.reader.readline() != b"PONG\r\n":
            pass
        answer = self.ask(f"$JS.API.CONSUMER.CREATE.{name}", {
            "stream_name": name, "config": {"deliver_subject": "events", "deliver_policy": "all", "ack_policy": "none",
                                            "replay_policy": "instant"}})
        assert "error" not in answer, answer
        found = {}  # by sequence: in a cluster the consumer may deliver one of them again
        while len(found) < wanted:
            words = consumer.reader.readline().split()
            if words[0] == b"PING":
                consumer.socket.sendall(b"PONG\r\n")
            elif words[0] in (b"MSG", b"HMSG"):
                body = consumer.reader.read(int(words[-1]) + 2)[:-2]
                if words[2] == b"2":  # not the answer to somebody's question
                    sequence = int(words[3].split(b".")[5])  # $JS.ACK.STREAM.CONSUMER.DELIVERED.SEQUENCE...
                    found[sequence] = body[int(words[-2]) if words[0] == b"HMSG" else 0:]
        consumer.close()
        return found

    def messages(self, name="ACTIVITY_EVENTS"):
        """Every stored message: (headers, payload), in order."""
        state = self.ask(f"$JS.API.STREAM.INFO.{name}")["state"]
        found = []
        for sequence in range(state["first_seq"], state["last_seq"] + 1):
            message = self.ask(f"$JS.API.STREAM.MSG.GET.{name}", {"seq": sequence})["message"]
            headers = base64.b64decode(message.get("hdrs", "")).decode()
            found.append((dict(re.findall(r"([\w-]+): ?(.*)\r\n", headers)), json.loads(base64.b64decode(message["data"]))))
        return found


class Driver:
    """One process with publishers: tests/publisher/publisher_driver.c."""

    def __init__(self, root, below=(), pass_fds=()):
        self.process = subprocess.Popen([*below, DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                        pass_fds=pass_fds)
        self.ok(f"open {root}")

    def call(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise AssertionError(f"the driver ended in: {command} (status {self.process.wait()})")
        return answer.rstrip("\n")

    def ok(self, command):
        answer = self.call(command)
        assert answer == "ok", (command, answer)

    def json(self, command):
        return json.loads(self.call(command))

    def view(self, agent):
        return self.json(f"view {agent}")

    def flush(self, slot=0, ms=PATIENCE_S * 1000):
        result, pending = self.call(f"flush {slot} {ms}").split()
        return int(result), int(pending)

    def kill(self):
        self.process.kill()
        self.close()

    def close(self):
        """Ends it; answers its exit status."""
        if not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        status = self.process.wait(timeout=PATIENCE_S)
        self.process.stdout.close()
        return status


class BrokerTest(unittest.TestCase):
    """A project folder, servers and driver processes, all gone after the test."""

    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="kaizen-broker-"))
        self.root = self.scratch / "shop"
        self.root.mkdir()
        self.servers = []
        self.drivers = []
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            client.close()
        statuses = [driver.close() for driver in self.drivers if driver.process.poll() is None]
        for server in self.servers:
            server.kill()
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.assertEqual(statuses, [0] * len(statuses), "exit statuses of the drivers")

    def make_server(self, start=True, **options):
        folder = self.scratch / f"server{len(self.servers)}"
        folder.mkdir()
        server = Server(folder, **options)
        self.servers.append(server)
        return server.start() if start else server

    def make_client(self, server, **options):
        client = Client(server.url, **options)
        self.clients.append(client)
        return client

    def make_broker(self, *name, **stream):
        """A server with a stream for the events, and a client of it."""
        server = self.make_server()
        client = self.make_client(server)
        client.make_stream(*name, **stream)
        return server, client

    def make_publisher(self, server, *arguments, **options):
        """A driver that publishes to the server."""
        driver = self.make_driver(*arguments, **options)
        driver.ok(f"attach 0 {server.url}")
        return driver

    def append_until_told(self, driver):
        """Publishes to a stream that stores nothing until it is said, as a busy broker may not answer the first
        question; what was said.  Some servers never acknowledge an event that they dropped when it is sent again, as
        one is whose answer came late: a flush may leave it."""
        def told():
            driver.ok("append coach 3")
            driver.flush(ms=1000)
            said = driver.call("said")
            return said if "acknowledged, but not stored" in said else None

        return wait_for(told, "that nothing is stored")

    def make_driver(self, root=None, below=(), pass_fds=()):
        """below: a command it runs under; pass_fds: what it inherits."""
        driver = Driver(root or self.root, below, pass_fds)
        self.drivers.append(driver)
        return driver

    def folder(self, agent, root=None):
        return (root or self.root) / ".kaizen" / "metrics" / agent

    def marked_ids(self, agent, root=None):
        lines = (self.folder(agent, root) / "executions.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines if line.startswith("{")]
        return [record["event_id"] for record in records if "event_id" in record]


class CheckTest(BrokerTest):
    """A test of what a check reports about a broker."""

    def report(self, command, result):
        answer = self.driver.json(command)
        self.assertEqual(answer["result"], result, answer)
        return answer["report"]

    def setUp(self):
        super().setUp()
        self.driver = self.make_driver()

    @staticmethod
    def unknown_of(report):
        return {one["what"]: one["why"] for one in report["unknown"]}

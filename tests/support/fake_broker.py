# fake_broker.py - a broker that speaks the protocol and answers each event as it is told.
#
# SPDX-License-Identifier: Apache-2.0
import contextlib
import json
import socket
import threading

INFO = {"server_id": "FAKE", "version": "2.9.10", "proto": 1, "headers": True, "max_payload": 1048576,
        "jetstream": True, "host": "127.0.0.1", "port": 4222}


class FakeBroker(threading.Thread):
    """Takes connections and answers each event as `answer` says, which gets its id and its number; and each
    question about streams by `question`, None: not at all; a function gets the subject."""

    def __init__(self, answer, port=0, question=None):
        super().__init__(daemon=True)
        self.answer, self.question = answer, question
        self.listener = socket.create_server(("127.0.0.1", port))
        self.url = f"nats://127.0.0.1:{self.listener.getsockname()[1]}"
        self.published, self.connections = [], []
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            self.greet(connection)
            self.talk(connection, connection.makefile("rb"))
        except OSError:
            pass
        finally:
            connection.close()

    def greet(self, connection):
        connection.sendall(b"INFO " + json.dumps(INFO).encode() + b"\r\n")

    def talk(self, connection, reader):
        subscriptions = {}
        while line := reader.readline():
            words = line.split()
            if words[0] == b"PING":
                connection.sendall(b"PONG\r\n")
            elif words[0] == b"SUB":
                subscriptions[words[1]] = words[-1]
            elif words[0] == b"PUB":
                reader.read(int(words[-1]) + 2)
                self.tell(connection, subscriptions, words)
            elif words[0] == b"HPUB":
                body = reader.read(int(words[-1]) + 2)[int(words[-2]):-2]
                if not body:  # somebody asks whether a stream listens
                    self.tell(connection, subscriptions, words)
                    continue
                self.published.append(json.loads(body)["id"])
                for number in self.matching(subscriptions, words):
                    self.respond(connection, words[2], number, body)

    def tell(self, connection, subscriptions, words):
        text = self.question(words[1].decode()) if callable(self.question) else self.question
        for number in self.matching(subscriptions, words) if text is not None else ():
            self.send(connection, words[2], number, text)

    @staticmethod
    def matching(subscriptions, words):
        """The numbers of the subscriptions to where the answer goes."""
        return [number for subject, number in subscriptions.items() if words[2].startswith(subject.rstrip(b"*"))]

    @staticmethod
    def send(connection, subject, number, text):
        connection.sendall(b"MSG %s %s %d\r\n%s\r\n" % (subject, number, len(text), text))

    def respond(self, connection, subject, number, body):
        """To the event `body`, on the subject of its answers, which has this subscription number."""
        text = self.answer(json.loads(body)["id"], len(self.published))
        if text is None:  # no answer at all
            return
        self.send(connection, subject, number, text)

    def close(self):
        with contextlib.suppress(OSError):  # closed before
            self.listener.shutdown(socket.SHUT_RDWR)  # the thread that accepts would take one more
        self.listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):  # it is closed
                connection.shutdown(socket.SHUT_RDWR)

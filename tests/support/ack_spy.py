# ack_spy.py - hears what the servers of a cluster answer to others: which ids they acknowledged.
#
# SPDX-License-Identifier: Apache-2.0
import json
import socket
import threading
import time

SUBJECTS = b"SUB activity.> 1\r\nSUB _INBOX.> 2\r\n"


class AckSpy(threading.Thread):
    """One server's connection, made again when the server comes back."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.ended = port, threading.Event()
        self.ids = {}  # where the answer to a message goes -> its id
        self.acknowledged = {}  # id -> (sequence, was it a duplicate)

    def run(self):
        while not self.ended.is_set():
            try:
                self.listen()
            except (OSError, ValueError, IndexError):
                time.sleep(0.05)

    def listen(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(b'CONNECT {"verbose":false,"headers":true}\r\n' + SUBJECTS)
            connection.settimeout(60)
            reader = connection.makefile("rb")
            while not self.ended.is_set() and (line := reader.readline()):
                words = line.split()
                if words[0] == b"PING":
                    connection.sendall(b"PONG\r\n")
                elif words[0] in (b"MSG", b"HMSG"):
                    self.take(words, reader.read(int(words[-1]) + 2))

    def take(self, words, body):
        if words[2] == b"1":  # HMSG SUBJECT SID REPLY HEADER TOTAL
            if words[0] == b"HMSG" and len(words) == 6:
                self.ids[words[3]] = body.split(b"Nats-Msg-Id:", 1)[1].split(b"\r\n", 1)[0].strip().decode()
            return
        event_id = self.ids.get(words[1])
        if event_id and words[0] == b"MSG":
            answer = json.loads(body)
            if answer.get("seq"):
                self.acknowledged[event_id] = (answer["seq"], answer.get("duplicate", False))


def spy_on(ports):
    spies = [AckSpy(port) for port in ports]
    for spy in spies:
        spy.start()
    return spies


def heard_by(spies):
    """id -> (sequence, was it a duplicate), as any of them heard it."""
    heard = {}
    for spy in spies:
        spy.ended.set()
        heard.update(dict(spy.acknowledged))  # a copy at once: its thread may still listen
    return heard

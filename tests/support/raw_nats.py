#!/usr/bin/env python3
"""raw_nats.py - a subscriber made of a socket and the protocol's own words, strict about every byte.

SPDX-License-Identifier: Apache-2.0

Usage: raw_nats.py [--count N] [--idle S] URL SUBJECT

Prints each event's payload; what is wrong with a frame goes to standard error and makes the exit status
1.  An event has to come as HMSG, on the subject to the letter, with lengths that are true, and with this
header and no other:

    NATS/1.0\\r\\nNats-Msg-Id: <the payload's id>\\r\\n\\r\\n
"""
import argparse
import collections
import json
import socket
import sys
import urllib.parse

SUBJECT = "activity.kaizen.metrics.recorded"
Frame = collections.namedtuple("Frame", "verb subject header payload ends_well")


class RawClient:
    """One connection with one subscription."""

    def __init__(self, url, subject, idle_s=10):
        at = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((at.hostname, at.port or 4222), timeout=idle_s)
        self.stream = self.socket.makefile("rb")
        info = self.stream.readline()
        if not info.startswith(b"INFO {"):
            raise ConnectionError(f"no INFO but {info!r}")
        self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":true,"headers":true,"lang":"raw","version":"1"}\r\n'
                            + f"SUB {subject} 7\r\nPING\r\n".encode())
        while (line := self.stream.readline()) != b"PONG\r\n":  # the subscription stands
            if not line or line.startswith(b"-ERR"):
                raise ConnectionError(line.decode())

    def frames(self):
        """What the server sends, until it is silent for idle_s or the connection ends."""
        while line := self.stream.readline():
            if line == b"PING\r\n":
                self.socket.sendall(b"PONG\r\n")
            elif line.startswith((b"MSG ", b"HMSG ")):
                yield self.message(line[:-2].decode().split(" "))
            elif line not in (b"PONG\r\n", b"+OK\r\n"):
                raise ConnectionError(f"the server says {line!r}")

    def message(self, words):
        total = int(words[-1])
        head = int(words[-2]) if words[0] == "HMSG" else 0
        body = self.stream.read(total)
        return Frame(words[0], words[1], body[:head], body[head:], self.stream.read(2) == b"\r\n")

    def close(self):
        self.stream.close()
        self.socket.close()


def frame_errors(frame):
    """What is wrong with an event's frame."""
    try:
        event_id = json.loads(frame.payload)["id"]
    except (ValueError, KeyError, TypeError):
        return [f"the payload has no id: {frame.payload!r}"]
    wanted = f"NATS/1.0\r\nNats-Msg-Id: {event_id}\r\n\r\n".encode()
    return [message for wrong, message in (
        (frame.verb != "HMSG", f"it comes as {frame.verb}"),
        (frame.subject != SUBJECT, f"its subject is {frame.subject}"),
        (frame.header != wanted, f"its header is {frame.header!r}, not {wanted!r}"),
        (not frame.ends_well, "its length is not what it says"),
    ) if wrong]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--idle", type=float, default=10)
    parser.add_argument("url")
    parser.add_argument("subject", nargs="?", default=SUBJECT)
    args = parser.parse_args()

    received = wrong = 0
    client = RawClient(args.url, args.subject, args.idle)
    try:
        for frame in client.frames():
            received += 1
            for message in frame_errors(frame):
                print(f"event {received}: {message}", file=sys.stderr)
                wrong += 1
            sys.stdout.buffer.write(frame.payload + b"\n")
            if received == args.count:
                break
    except TimeoutError:
        pass
    return 1 if wrong or received < args.count else 0


if __name__ == "__main__":
    sys.exit(main())

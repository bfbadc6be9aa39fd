#!/usr/bin/env python3
"""subscriber.py - an independent subscriber: the NATS protocol over a plain socket, nothing of ours.

SPDX-License-Identifier: Apache-2.0

Usage: subscriber.py [--count N] [--idle S] [--payload] URL SUBJECT

Prints "ready" once the server has taken the subscription, then each message as one line of JSON,
{"subject", "headers", "payload"}, or with --payload the payload alone.  Ends after N different
messages (one that is sent again has the same id), or when S seconds (10) passed without one: the exit
status is 1 when fewer than N came.
"""
import argparse
import json
import re
import socket
import sys
import urllib.parse


def parse_headers(block):
    lines = block.decode().split("\r\n")[1:]
    return dict(re.split(r":\s*", line, maxsplit=1) for line in lines if line)


def connect(url, idle):
    at = urllib.parse.urlsplit(url)
    stream = socket.create_connection((at.hostname, at.port or 4222), timeout=idle)
    reader = stream.makefile("rb")
    reader.readline()  # INFO
    options = {"verbose": False, "pedantic": False, "headers": True, "lang": "python"}
    if at.username:
        options.update(user=at.username, **{"pass": at.password or ""})
    stream.sendall(b"CONNECT " + json.dumps(options).encode() + b"\r\n")
    return stream, reader


def messages(stream, reader, subject):
    stream.sendall(f"SUB {subject} 1\r\nPING\r\n".encode())
    while line := reader.readline():
        words = line.split()
        if words[0] == b"PING":
            stream.sendall(b"PONG\r\n")
        elif words[0] == b"PONG":
            print("ready", flush=True)
        elif words[0] in (b"MSG", b"HMSG"):
            total = int(words[-1])
            head = int(words[-2]) if words[0] == b"HMSG" else 0
            body = reader.read(total + 2)[:-2]
            yield {"subject": words[1].decode(),
                   "headers": parse_headers(body[:head]) if head else {},
                   "payload": body[head:].decode()}
        elif words[0] == b"-ERR":
            sys.exit(f"subscriber: {line.decode().strip()}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--idle", type=float, default=10)
    parser.add_argument("--payload", action="store_true")
    parser.add_argument("url")
    parser.add_argument("subject")
    args = parser.parse_args()

    seen = set()
    stream, reader = connect(args.url, args.idle)
    try:
        for message in messages(stream, reader, args.subject):
            print(message["payload"] if args.payload else json.dumps(message), flush=True)
            seen.add(message["headers"].get("Nats-Msg-Id", message["payload"]))
            if len(seen) == args.count:
                break
    except TimeoutError:
        pass
    return 0 if len(seen) >= args.count else 1


if __name__ == "__main__":
    sys.exit(main())

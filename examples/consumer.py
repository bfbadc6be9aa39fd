#!/usr/bin/env python3
"""consumer.py - a consumer of kaizen.metrics.recorded: one open task per agent, closed when the agent recovers.

SPDX-License-Identifier: Apache-2.0

Usage: consumer.py NATS_URL STATE_FILE [--once]      prints what it opens and closes, one JSON object per line
  --once    ends when the stream has nothing more for it

A rule on success_rate is true for every event while an agent is bad; a consumer that opens a task for each of them
opens hundreds.  This program shows what a consumer needs.  It speaks the protocol over a plain socket:

  a durable pull consumer    the broker keeps its place while it is away; at least once
  a check of `id`            an event that comes again, after a resend or a lost acknowledgement, does nothing
  one open task per agent    by (project, agent), until success_rate is above the threshold again
  state before ack           what it decided is on disk before the broker may forget the event
"""
import json
import os
import pathlib
import socket
import sys
import urllib.parse

STREAM, DURABLE, SUBJECT = "ACTIVITY_EVENTS", "low-success-rate", "activity.kaizen.metrics.recorded"
BELOW, AT_LEAST = 0.8, 5  # success_rate, execution_count
RECOVERED = 0.85          # a little above, so that an agent at the threshold does not open and close all day
IDS_KEPT = 100_000        # far more than the broker sends twice


class Broker:
    def __init__(self, url):
        at = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((at.hostname, at.port or 4222), timeout=30)
        self.reader = self.socket.makefile("rb")
        self.reader.readline()  # INFO
        login = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "lang": "python"}
        if at.username:
            login.update(user=urllib.parse.unquote(at.username), **{"pass": urllib.parse.unquote(at.password or "")})
        self.send(f"CONNECT {json.dumps(login)}\r\nSUB _INBOX.consumer.* 1")

    def send(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def publish(self, subject, body, reply=""):
        self.send(f"PUB {subject} {reply} {len(body.encode())}\r\n{body}")

    def next_message(self):
        """(reply subject, headers, payload)"""
        while line := self.reader.readline():
            words = line.split()
            if words[0] == b"PING":
                self.send("PONG")
            elif words[0] == b"-ERR":
                raise SystemExit(f"consumer: the broker says {line.decode().strip()}")
            elif words[0] in (b"MSG", b"HMSG"):
                body = self.reader.read(int(words[-1]) + 2)[:-2]
                header_len = int(words[-2]) if words[0] == b"HMSG" else 0
                has_reply = len(words) == (6 if header_len else 5)
                return words[3].decode() if has_reply else "", body[:header_len], body[header_len:]
        raise SystemExit("consumer: the broker closed the connection")

    def ask(self, subject, question):
        self.publish(subject, json.dumps(question), "_INBOX.consumer.answer")
        _, headers, body = self.next_message()
        answer = json.loads(body) if body else {"error": headers.decode().strip()}
        if "error" in answer:
            raise SystemExit(f"consumer: {subject}: {answer['error']}")

    def make_durable(self):
        self.ask(f"$JS.API.CONSUMER.DURABLE.CREATE.{STREAM}.{DURABLE}", {"stream_name": STREAM, "config": {
            "durable_name": DURABLE, "filter_subject": SUBJECT, "deliver_policy": "all", "ack_policy": "explicit",
            "ack_wait": 30_000_000_000, "max_ack_pending": 256, "replay_policy": "instant"}})

    def pull(self, batch, no_wait):
        """Messages, until the batch is full or the stream has no more; `no_wait`: has none right now."""
        wanted = {"batch": batch, "no_wait": True} if no_wait else {"batch": batch, "expires": 20_000_000_000}
        self.publish(f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{DURABLE}", json.dumps(wanted), "_INBOX.consumer.next")
        for _ in range(batch):
            reply, headers, body = self.next_message()
            if headers.split(b" ", 2)[1:2] in ([b"404"], [b"408"], [b"409"]) or not reply:
                return  # no messages, time is up
            yield reply, body


class Tasks:
    """What is open, and which events were seen: one file, replaced as a whole."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        stored = json.loads(self.path.read_text()) if self.path.exists() else {"open": {}, "newest": {}, "ids": []}
        self.open, self.newest = stored["open"], stored["newest"]
        self.ids = dict.fromkeys(stored["ids"])

    def save(self):
        aside = self.path.with_suffix(".new")
        with open(aside, "w", encoding="utf-8") as file:
            json.dump({"open": self.open, "newest": self.newest, "ids": list(self.ids)[-IDS_KEPT:]}, file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self.path)

    def take(self, event):
        """What this event opens or closes, or None."""
        if event["id"] in self.ids:
            return None
        self.ids[event["id"]] = None
        attributes, summary = event["attributes"], event["attributes"]["summary"]
        agent = f"{attributes['project']}/{attributes['agent']}"
        if event["timestamp"] < self.newest.get(agent, ""):
            return None  # it comes late: a newer one has decided
        self.newest[agent] = event["timestamp"]
        bad = summary["success_rate"] < BELOW and summary["execution_count"] >= AT_LEAST
        if bad and agent not in self.open:
            self.open[agent] = event["id"]
            return {"action": "open", "agent": agent, "success_rate": summary["success_rate"], "task": event["id"]}
        if summary["success_rate"] >= RECOVERED and agent in self.open:
            return {"action": "close", "agent": agent, "success_rate": summary["success_rate"], "task": self.open.pop(agent)}
        return None


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[3:] not in ([], ["--once"]):
        sys.exit(__doc__)
    once = sys.argv[3:] == ["--once"]
    broker, tasks = Broker(sys.argv[1]), Tasks(sys.argv[2])
    broker.make_durable()
    while True:
        replies = []
        for reply, body in broker.pull(100, once):
            decided = tasks.take(json.loads(body))
            if decided:
                print(json.dumps(decided), flush=True)
            replies.append(reply)
        if replies:
            tasks.save()
        for reply in replies:
            broker.publish(reply, "+ACK")
        if once and not replies:
            return


if __name__ == "__main__":
    main()

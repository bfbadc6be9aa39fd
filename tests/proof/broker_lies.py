# broker_lies.py - brokers that lie and brokers that talk nonsense, and what they may not achieve.
#
# SPDX-License-Identifier: Apache-2.0
#
# Each lies until its lie has been seen to cost nothing but time, and is honest from then on.
import json
import os

from broker_faults import run
from broker_support import wait_for
from broker_world import World
from fake_broker import INFO, FakeBroker

STREAM = "ACTIVITY_EVENTS"
TRIES = 6
RSS_MAX_KIB = 65536  # what nonsense may make the host's process grow by


def acknowledgement(sequence, stream=STREAM):
    return json.dumps({"stream": stream, "seq": sequence}).encode()


def failure(code):
    return json.dumps({"error": {"code": 503 if code == 10158 else 400, "err_code": code, "description": "no"}}).encode()


def describe(subject):
    """What a broker whose stream takes events of any size answers to a question about streams."""
    if subject.endswith("STREAM.NAMES"):
        return json.dumps({"total": 1, "streams": [STREAM]}).encode()
    return json.dumps({"config": {"name": STREAM, "max_msg_size": -1}, "state": {"consumer_count": 0}}).encode()


class Liar(FakeBroker):
    """`lie(broker, connection, subject, number)` answers in place of an honest acknowledgement, while it lies."""
    process = True  # as a Server has one

    def __init__(self, lie=None, greeting=None):
        self.lie, self.greeting = lie, greeting
        self.lies, self.stored, self.connections = 0, [], []
        super().__init__(None)

    def greet(self, connection):
        self.connections.append(connection)
        if self.greeting:
            self.lies += 1
            self.greeting(connection)
        super().greet(connection)

    def respond(self, connection, subject, number, body):
        if self.lie:
            self.lies += 1
            self.lie(self, connection, subject, number)
            return
        self.stored.append(body)
        self.say(connection, subject, number, acknowledgement(len(self.stored)))

    @staticmethod
    def say(connection, subject, number, text):
        connection.sendall(b"MSG %s %s %d\r\n%s\r\n" % (subject, number, len(text), text))

    def become_honest(self):
        """On new connections: what was said on the old ones was said."""
        self.lie = self.greeting = None
        for connection in self.connections:
            try:
                connection.shutdown(2)
            except OSError:
                pass
        self.connections.clear()

    def kill(self):
        self.become_honest()
        self.close()


def told(text):
    """The same answer to every event."""
    return lambda broker, connection, subject, number: broker.say(connection, subject, number, text)


def say_of_others(broker, connection, subject, number):
    """Good acknowledgements, of events that nobody sent."""
    for _ in range(3):
        stranger = subject.rsplit(b".", 1)[0] + b"." + os.urandom(4).hex().encode()
        broker.say(connection, stranger, number, acknowledgement(len(broker.published)))


def talk_nonsense(_broker, connection, _subject, _number):
    connection.sendall(os.urandom(4096) + b"\r\n")


def announce_gigabytes(_broker, connection, subject, number):
    connection.sendall(b"MSG %s %s 2000000000\r\n" % (subject, number) + b"x" * 65536)


def inform_without_end(connection):
    """Whole ones, then one that does not end."""
    line = b"INFO " + json.dumps(INFO).encode() + b"\r\n"
    for _ in range(2000):
        connection.sendall(line)
    connection.sendall(b"INFO {\"server_id\":\"" + b"F" * (8 << 20))


def inform_for_ever(_broker, connection, _subject, _number):
    inform_without_end(connection)


def say_nothing(connection):
    connection.recv(1)


def greet_and_say_nothing(connection):
    """Where libnats 3.4 waits forever."""
    connection.sendall(b"INFO " + json.dumps(INFO).encode() + b"\r\n")
    while connection.recv(65536):
        pass


LIES = {
    "never sent": say_of_others,
    "another stream": told(acknowledgement(7, "OTHER")),
    "sequence 0": told(acknowledgement(0)),
    "duplicate, no sequence": told(json.dumps({"stream": STREAM, "seq": 0, "duplicate": True}).encode()),
    "negative sequence": told(b'{"stream":"ACTIVITY_EVENTS","seq":-5}'),
    "sequence as text": told(b'{"stream":"ACTIVITY_EVENTS","seq":"17"}'),
    "nothing": told(b""),
    "no JSON": told(b"+OK {{{"),
    "error 10158": told(failure(10158)),
    "error 10077": told(failure(10077)),
    "error 10071": told(failure(10071)),
    "unknown error": told(failure(65000)),
    "nonsense": talk_nonsense,
    "two gigabytes": announce_gigabytes,
    "INFO after INFO": inform_for_ever,
}
GREETINGS = {"INFO without end": inform_without_end, "silence": say_nothing, "silence after INFO": greet_and_say_nothing}


def lie_to(scratch, name, broker):
    """Nothing is acknowledged, nothing is given up, no call fails; and then everything arrives."""
    def work(world):
        world.begin(pause_s=0.01)
        before_kib = world.host.ask("rss")
        wait_for(lambda: broker.lies >= (TRIES if broker.lie else 2), "lies")
        world.host.wait_for(lambda stats: stats["publish_failures"] > 0 or stats["reason"], "them to be noticed")
        stats = world.host.stats()
        assert (stats["acknowledged"], stats["dead_lettered"]) == (0, 0), (name, stats)
        grown_kib = world.host.ask("rss") - before_kib
        assert grown_kib < RSS_MAX_KIB, f"{name}: grown by {grown_kib} KiB"
        broker.become_honest()
        world.end()
        world.settle()

    world = World(name, scratch, server=broker, make_stream=False, url=broker.url, stream=STREAM)
    world.payloads = lambda: broker.stored
    return run(world, work)


def make_fault(name, **liar):
    def fault(scratch):
        return lie_to(scratch, f"lie: {name}", Liar(**liar))
    fault.__name__ = "lie: " + name
    return fault


def twice(scratch):
    """Each acknowledgement twice: counted once."""
    def say_twice(connection, subject, number, text):
        for _ in range(2):
            connection.sendall(b"MSG %s %s %d\r\n%s\r\n" % (subject, number, len(text), text))

    def work(world):
        world.begin()
        world.record_more(1000)
        world.end()
        world.settle()

    broker = Liar()
    broker.say = say_twice
    world = World("lie: twice", scratch, server=broker, make_stream=False, url=broker.url)
    world.payloads = lambda: broker.stored
    return run(world, work)


def refused_for_good(scratch):
    """10054 to every event: dead letters, and all of them come back by a retry."""
    def work(world):
        world.record(200)
        stats = world.settle()
        assert stats["dead_lettered"] == 200, stats
        broker.become_honest()
        assert world.command("dead-letters", "retry").returncode == 0
        world.settle()

    broker = Liar(told(failure(10054)))
    broker.question = describe  # or it would take long: each is tried again while nobody knows whose fault it is
    world = World("lie: error 10054", scratch, server=broker, make_stream=False, url=broker.url)
    world.payloads = lambda: broker.stored
    return run(world, work)


FAULTS = [*(make_fault(name, lie=lie) for name, lie in LIES.items()),
          *(make_fault(name, greeting=greeting) for name, greeting in GREETINGS.items()), twice, refused_for_good]

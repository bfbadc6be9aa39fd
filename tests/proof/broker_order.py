# broker_order.py - a stream that comes and goes while many events are on their way: each agent's arrive in order.
#
# SPDX-License-Identifier: Apache-2.0
import collections
import json
import os
import random

from broker_faults import run
from broker_world import World, pause_for

ROUNDS = int(os.environ.get("BROKER_ORDER_ROUNDS", "120"))
LONGEST_S = 0.15  # between two changes of the stream
QUIET_LOOKS = 5  # at the number of failures, all alike: nothing is on its way any more


def order_errors(payloads, places):
    """Agents whose events do not stand in the order of their log, going by the first copy of each."""
    last, seen, wrong = collections.defaultdict(int), set(), set()
    for payload in payloads:
        event = json.loads(payload)
        if event["id"] in seen:
            continue
        seen.add(event["id"])
        agent, place = places[event["id"]]
        if place < last[agent]:
            wrong.add(f"{agent}: {place} after {last[agent]}")
        last[agent] = max(place, last[agent])
    return wrong


def wait_until_declined(world):
    """Until what was sent to the stream that went is declined: where the next one is made before the server has read
    all of it, that one begins with the last of these events, and the declined ones follow (docs/delivery.md, "order")."""
    failures = []

    def is_quiet(stats):
        failures.append(stats["publish_failures"])
        return ("no stream takes" in stats["reason"] and len(failures) > QUIET_LOOKS
                and failures[-QUIET_LOOKS] == failures[-1])

    world.host.wait_for(is_quiet, "what was in flight to be declined")


def come_and_go(scratch):
    """Made and deleted at random moments; what each stream held is looked at before it goes."""
    seed = int.from_bytes(os.urandom(4), "big")
    rng = random.Random(seed)

    def work(world):
        held = []
        world.begin(pause_s=0.0002)
        for _ in range(ROUNDS):
            pause_for(rng.uniform(0, LONGEST_S))
            world.make_stream()
            pause_for(rng.uniform(0, LONGEST_S))
            held.append(world.payloads())
            world.delete_stream()
            wait_until_declined(world)
        world.make_stream()
        world.end()
        world.settle()
        held.append(world.payloads())
        places = {event_id: (agent, place) for agent, lines in world.marked_lines().items()
                  for place, event_id in enumerate(lines, 1)}
        for number, payloads in enumerate(held):
            wrong = order_errors(payloads, places)
            assert not wrong, f"seed {seed}, stream {number} of {len(held)}: {wrong}"
        assert world.command("drain", "--timeout", "120", "--resend-all").returncode == 0
        world.settle()

    row = run(World("come and go", scratch, make_stream=False), work, in_order=False)
    return {**row, "fault": f"{ROUNDS} streams come and go"}


FAULTS = [come_and_go]

# broker_faults.py - what becomes of events when the broker is killed, frozen, emptied or set up wrongly.
#
# SPDX-License-Identifier: Apache-2.0
#
# Each function is one fault: it gets an empty folder and answers one row of the table.
import time

from broker_support import Server
from broker_world import World, expected_payload, folder_name, pause_for

LONG_NAME = "l" * 64  # an agent whose events are larger than others'
HEADER_BYTES = len("NATS/1.0\r\nNats-Msg-Id: \r\n\r\n") + 36
PUBLISH_DEADLINE_S = 2.5

USERS = """
authorization {{
  users = [
    {{user: admin, password: admin-secret}}
    {{user: shop, password: {password}{permissions}}}
  ]
}}
"""
DENIED = ', permissions: {publish: {deny: ["activity.>"]}}'


def run(world, work, **judging):
    """The world is closed whatever happens in it."""
    try:
        work(world)
        return world.judge(**judging)
    finally:
        world.close()


def quiet(scratch):
    """No fault: what the others are compared with."""
    def work(world):
        world.begin()
        world.record_more(3000)
        world.end()
        world.settle()
    return run(World("quiet", scratch), work)


def killed(scratch):
    """kill -9 while it takes events, five times; it comes back with its store."""
    def work(world):
        world.begin()
        for _ in range(5):
            world.record_more(300)
            world.server.kill()
            world.record_more(200)
            world.server.start()
        world.end()
        world.settle()
    return run(World("killed", scratch), work)


def down_all_along(scratch):
    """Away from before the first execution to after the last."""
    def work(world):
        world.server.kill()
        world.begin()
        world.record_more(2000)
        world.end()
        world.wait_for_trouble("no broker answers")
        world.server.start()
        world.settle()
    return run(World("away all along", scratch), work)


def frozen(scratch):
    """SIGSTOP for longer than a publish may take, twice."""
    def work(world):
        world.begin()
        for _ in range(2):
            world.record_more(300)
            failures = world.host.stats()["publish_failures"]
            world.server.freeze()
            begin = time.monotonic()
            world.host.wait_for(lambda stats, before=failures: stats["publish_failures"] > before, "it to be noticed")
            pause_for(max(0, PUBLISH_DEADLINE_S + 1.5 - (time.monotonic() - begin)))
            world.server.thaw()
        world.end()
        world.settle()
    return run(World("frozen", scratch), work)


def frozen_at_stop(scratch):
    """stop(100 ms) before a frozen broker; a process of its own sends the rest later."""
    def work(world):
        world.record(300)
        world.server.freeze()
        world.record(300)
        answer = world.host.ask("stop", ms=100)
        assert answer["code"] >= 0, answer
        world.server.thaw()
        drained = world.command("drain", "--timeout", "60")
        assert drained.returncode == 0, drained
    return run(World("frozen at stop", scratch), work)


def emptied(scratch):
    """Restarted without its store: detected, told, and sent again when the operator says so."""
    def work(world, everything):
        world.begin()
        world.record_more(600)
        world.end()
        world.settle()
        before_loss = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))
        world.server.kill()
        world.server.forget_store()
        world.server.start()
        world.make_stream()
        world.begin()
        world.record_more(150)
        world.end()
        world.settle()
        assert any(number == 204 for _, number, _ in world.host.ask("said")), "nobody told that the stream lost its store"
        assert world.with_client(lambda client: client.count()) < world.host.stats()["marked"]
        arguments = ["--resend-all"] if everything else ["--resend-since", before_loss]
        drained = world.command("drain", "--timeout", "60", *arguments)
        assert drained.returncode == 0, drained
        world.settle()
    first = run(World("emptied, resend-all", scratch), lambda world: work(world, True), in_order=False)
    second = run(World("emptied, resend-since", scratch), lambda world: work(world, False), in_order=False)
    return [first, second]


def no_stream(scratch):
    """A broker on which nobody has made a stream yet."""
    def work(world):
        world.begin()
        world.record_more(1000)
        world.wait_for_trouble("no stream takes")
        world.make_stream()
        world.end()
        world.settle()
    return run(World("no stream", scratch, make_stream=False), work)


def stream_made_anew(scratch):
    """Deleted and made again while events flow; what the first one held comes by resending."""
    def work(world):
        world.begin()
        world.record_more(500)
        world.delete_stream()
        world.wait_for_trouble("no stream takes")
        world.record_more(200)
        world.make_stream()
        world.end()
        world.settle()
        assert any(number == 204 for _, number, _ in world.host.ask("said")), "nobody told that the stream began again"
        assert world.command("drain", "--timeout", "60", "--resend-all").returncode == 0
        world.settle()
    return run(World("stream rebuilt", scratch), work, in_order=False)


def make_users(scratch, name, password, permissions=""):
    server = Server(scratch / folder_name(name), USERS.format(password=password, permissions=permissions))
    server.folder.mkdir(parents=True)
    server.start()
    return server


def with_users(scratch, name, trouble, *, password="shop-secret", permissions="", heal):
    """Events of user `shop`, whom the server does not let publish until `heal`."""
    def work(world):
        world.begin()
        world.record_more(600)
        world.wait_for_trouble(trouble)
        heal(world)
        world.end()
        world.settle()
        assert "secret" not in str(world.host.ask("said")) + world.host.stats()["reason"], "a password was told"

    server = make_users(scratch, name, password, permissions)
    world = World(name, scratch, server=server, make_stream=False, url=f"nats://shop:shop-secret@127.0.0.1:{server.port}")
    world.client_options = {"user": "admin", "password": "admin-secret"}
    world.make_stream()
    return run(world, work)


def wrong_password(scratch):
    return with_users(scratch, "wrong password", "refused the login", password="another-secret",
                      heal=lambda world: world.reconfigure(USERS.format(password="shop-secret", permissions="")))


def missing_permission(scratch):
    # not by SIGHUP: nats-server 2.9.10 then answers "no responders" for the account's streams
    return with_users(scratch, "missing permission", "does not permit", permissions=DENIED,
                      heal=lambda world: world.reconfigure(USERS.format(password="shop-secret", permissions="")))


def too_large(scratch):
    """max_payload below the events of one agent: those alone become dead letters, and are retried."""
    def work(world):
        world.record(2, ["coach", LONG_NAME])
        world.settle()
        sizes = [len(expected_payload(line)) for lines in world.marked_lines().values() for line in lines.values()]
        world.reconfigure(f"max_payload: {sum(sizes) // 2 + HEADER_BYTES}\n")
        world.begin(["coach", LONG_NAME])
        world.record_more(600)
        world.end()
        stats = world.settle()
        large = len(world.marked_lines()[LONG_NAME]) - 1
        assert stats["dead_lettered"] == large > 100, (stats, large)
        rows.append(world.judge())
        world.reconfigure("")
        retried = world.command("dead-letters", "retry")
        assert retried.returncode == 0, retried
        world.settle()

    rows = []
    world = World("max_payload", scratch)
    last = run(world, work, in_order=False)
    return [rows[0], {**last, "fault": "max_payload, retried"}]


def full_stream(scratch):
    """A stream that discards what is new: no dead letters, and everything once there is room."""
    def work(world):
        world.make_stream(max_msgs=200, discard="new")
        world.begin()
        world.record_more(600)
        world.wait_for_trouble("is full (max_msgs)")

        def make_room(client):
            config = client.ask("$JS.API.STREAM.INFO.ACTIVITY_EVENTS")["config"]
            client.ask("$JS.API.STREAM.UPDATE.ACTIVITY_EVENTS", {**config, "max_msgs": -1})
        world.with_client(make_room)
        world.end()
        world.settle()
    return run(World("full stream", scratch, make_stream=False), work)


def no_ack(scratch):
    """A stream that acknowledges nothing: it is named, nothing is given up, and everything is through once it does."""
    def work(world):
        world.make_stream(no_ack=True)
        world.begin(pause_s=0.01)
        world.wait_for_trouble("no_ack")

        def fix(client):
            config = client.ask("$JS.API.STREAM.INFO.ACTIVITY_EVENTS")["config"]
            client.ask("$JS.API.STREAM.UPDATE.ACTIVITY_EVENTS", {**config, "no_ack": False})
        world.with_client(fix)
        world.end()
        world.settle()
    return run(World("no_ack", scratch, make_stream=False), work)


FAULTS = [quiet, killed, down_all_along, frozen, frozen_at_stop, emptied, no_stream, stream_made_anew,
          wrong_password, missing_permission, too_large, full_stream, no_ack]

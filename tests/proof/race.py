#!/usr/bin/env python3
"""race.py - threads, forks, signals, limits and clocks around the plugin, with a real broker; judged by the files.

SPDX-License-Identifier: Apache-2.0

Usage: race.py [--full] [--only-threads] [SCENARIO]...

--full: the shape that was promised; without it the run is short.  The program is KAIZEN_TEST_RACE, or
tests/proof/race below KAIZEN_TEST_BUILDDIR.  --only-threads: what ThreadSanitizer
can follow; it does not see through forks and other clocks.  Figures go to KAIZEN_FIGURES.
"""
import collections
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

from broker_support import Client, Server

RACE = os.environ.get("KAIZEN_TEST_RACE") or os.environ["KAIZEN_TEST_BUILDDIR"] + "/tests/proof/race"
PLUGIN = os.environ["KAIZEN_TEST_PLUGIN"]
FAKETIME = next((str(path) for path in pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
CLOCKS = ["1970-01-02 00:00:00", "2001-09-09 01:46:40", "2038-01-19 03:14:07", "9999-12-30 00:00:00"]
LIMIT_S = 300
FULL = "--full" in sys.argv
RELOADS, FORKS, SIGNALLED_MS = ("100", "40", "10000") if FULL else ("16", "4", "800")
RESIDENT_MAX_KIB = 2048  # what fifty reloads may add: libnats keeps a little of each thread that ended


class World:
    """A project, and a broker with a stream that takes every copy."""

    def __init__(self, scratch):
        self.root = scratch / "shop"
        self.root.mkdir()
        (scratch / "server").mkdir()
        self.server = Server(scratch / "server").start()
        client = Client(self.server.url)
        client.make_stream(duplicate_window=100_000_000)
        client.close()

    def run(self, *arguments, url=None, **environment):
        """The program's figures."""
        result = subprocess.run([RACE, PLUGIN, str(self.root), url or self.server.url, *arguments],
                                capture_output=True, text=True, check=False, timeout=LIMIT_S,
                                env={**os.environ, **environment})
        assert result.returncode == 0, (arguments, environment, result.returncode, result.stderr[-4000:])
        assert "WARNING: ThreadSanitizer" not in result.stderr, result.stderr[-8000:]
        return {name: int(value) for name, value in (line.split() for line in result.stdout.splitlines())}

    def lines(self):
        """The records of each agent; every line is one, and no key stands there twice."""
        found = {}
        for log in sorted((self.root / ".kaizen" / "metrics").glob("*/executions.jsonl")):
            found[log.parent.name] = [json.loads(line) for line in log.read_bytes().splitlines()]
        keys = collections.Counter(record["idempotency_key"] for lines in found.values() for record in lines)
        assert set(keys.values()) <= {1}, [key for key, count in keys.items() if count > 1]
        return found

    def events(self):
        client = Client(self.server.url)
        try:
            return [json.loads(payload) for payload in client.payloads()]
        finally:
            client.close()

    def arrived(self):
        return {event["id"] for event in self.events()}

    def judge(self, recorded=None):
        """Each record's event is in the stream, each agent's in the order of its log; answers how many."""
        arrived = collections.defaultdict(dict)
        for event in self.events():
            arrived[event["attributes"]["agent"]].setdefault(event["id"])
        logs = self.lines()
        for agent, lines in logs.items():
            ids = [record["event_id"] for record in lines]
            assert list(arrived[agent]) == ids, (agent, len(arrived[agent]), len(ids))
        count = sum(map(len, logs.values()))
        assert recorded is None or recorded == count, (recorded, count)
        return count


def together(world):
    """64 threads, two instances, others that come, go, look and flush."""
    figures = world.run("together")
    world.judge()
    return figures


def extensions(world):
    """Runs, batches, JSON with flags and queries, while the instance is stopped and started again."""
    figures = world.run("extensions")
    world.judge(figures["recorded"])
    return figures


def signalled(world):
    """A signal every millisecond, for the process and for the threads that record."""
    figures = world.run("signalled", SIGNALLED_MS)
    assert figures["signals"] > int(SIGNALLED_MS) // 10, figures
    world.judge(figures["recorded"])
    return figures


def reload_in_any_weather(world):
    """dlopen to dlclose again and again; with the broker up, down, frozen, and one that says nothing."""
    figures = {"reloads": 0}

    def reload(wait_ms, url=None):
        grown = world.run("reload", RELOADS, wait_ms, url=url)
        assert grown["threads_grown"] <= 0 and grown["descriptors_grown"] <= 0, (url, grown)
        assert not FULL or grown["resident_grown"] < RESIDENT_MAX_KIB, (url, grown)
        figures["reloads"] += grown["reloads"]
        figures["resident_grown"] = max(figures.get("resident_grown", 0), grown["resident_grown"])

    reload("5000")
    world.judge(int(RELOADS))
    reload("20", url="nats://127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0), backlog=512) as silent:
        reload("20", url=f"nats://127.0.0.1:{silent.getsockname()[1]}")
    world.server.freeze()
    reload("20")
    world.server.thaw()
    return figures


def forked(world):
    """With the broker up, down and frozen."""
    figures = world.run("forked", "up", FORKS)
    figures["forks"] += world.run("forked", "down", FORKS, url="nats://127.0.0.1:9")["forks"]
    world.server.freeze()
    figures["forks"] += world.run("forked", "frozen", FORKS)["forks"]
    world.server.thaw()
    world.lines()
    return figures


def started(world):
    """Programs that the host starts inherit nothing of ours."""
    return world.run("started")


def few_files(world):
    figures = world.run("few_files")
    world.judge(figures["recorded"])
    return figures


def small_files(world):
    figures = world.run("small_files")
    world.judge(figures["recorded"])
    return figures


def clocks(world):
    """Back and forth, 1970, 2038, 9999: no event is lost or comes twice, and retention takes no more than what
    two readings of the clock, a day apart, agree has expired: the records of 1970."""
    if not FAKETIME:
        print("SKIP: other clocks: libfaketime is not installed")
        return {}
    seen, recorded = {}, 0
    # what a deadline is measured by moves along in the last but one
    back_and_forth = [(clock, "1") for clock in (None, *CLOCKS, *reversed(CLOCKS))]
    for clock, monotonic in [*back_and_forth, (CLOCKS[1], "0"), (None, "1")]:
        fake = {"LD_PRELOAD": FAKETIME, "FAKETIME": f"@{clock}", "DONT_FAKE_MONOTONIC": monotonic} if clock else {}
        recorded += world.run("count", "20", **fake)["recorded"]
        now = {record["event_id"]: record["timestamp"] for lines in world.lines().values() for record in lines}
        fresh = [now[event_id] for event_id in now if event_id not in seen]
        year = "2262" if clock and clock.startswith("9999") else (clock or "")[:4]  # as far as nanoseconds go
        assert len(fresh) == 20 and all(stamp.startswith(year) for stamp in fresh), (clock, fresh)
        seen.update(now)
        assert all(seen[gone].startswith("1970") for gone in set(seen) - set(now)), (clock, len(seen), len(now))
        assert world.arrived() == set(seen), clock
    return {"recorded": recorded, "clocks": len(CLOCKS)}


THREADED = [together, extensions, signalled]
OTHERS = [reload_in_any_weather, forked, started, few_files, small_files, clocks]


def main():
    wanted = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    scenarios = THREADED + ([] if "--only-threads" in sys.argv else OTHERS)
    prefix = "race_watched" if "--only-threads" in sys.argv else "race"
    totals, failed = collections.Counter(), 0
    for scenario in scenarios:
        if wanted and scenario.__name__ not in wanted:
            continue
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="kaizen-race-"))
        world = World(scratch)
        try:
            figures = scenario(world)
            totals.update(figures)
            print(f"{scenario.__name__}: {json.dumps(figures)}", flush=True)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            failed = 1
            print(f"FAILED: {scenario.__name__}: {error}", flush=True)
        finally:
            world.server.kill()
            shutil.rmtree(scratch, ignore_errors=True)
    if failed == 0 and os.environ.get("KAIZEN_FIGURES"):
        with open(os.environ["KAIZEN_FIGURES"], "a", encoding="ascii") as file:
            for name in ("executions", "forks", "reloads", "signals"):
                if totals[name]:
                    file.write(f"{prefix}_{name} {totals[name]} {name}\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())

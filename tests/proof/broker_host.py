#!/usr/bin/env python3
"""broker_host.py - a host process that records through the real plugin while something happens to the broker.

SPDX-License-Identifier: Apache-2.0

Usage: broker_host.py PLUGIN CONFIG          (CONFIG: the plugin's keys as JSON)

Reads one command a line, as JSON, and answers one line of JSON each:
  {"do": "begin", "agents": [...], "pause_s": S}   records in turn for the agents, in a thread, until "end"
  {"do": "end"}        what that came to: calls that recorded, codes of those that did not, latencies
  {"do": "record", "agents": [...], "count": N}    the same at once, as fast as it goes
  {"do": "stats"}, {"do": "flush", "ms": N}, {"do": "said"}, {"do": "rss"}, {"do": "stop", "ms": N}
"""
import ctypes
import itertools
import json
import os
import sys
import threading
import time

import kaizen_ctypes


class Recording:
    """Calls of on_execution_end and what became of them.  The latency includes what ctypes costs."""

    def __init__(self, kaizen):
        self.kaizen, self.keys = kaizen, itertools.count()
        self.enough, self.thread = threading.Event(), None
        self.forget()

    def forget(self):
        self.recorded, self.refused, self.latencies_us = 0, [], []

    def call(self, agent):
        key = f"{os.getpid()}-{next(self.keys)}"
        begin = time.perf_counter_ns()
        try:
            self.kaizen.record(agent, success=True, quality_score=0.5, idempotency_key=key)
            self.recorded += 1
        except kaizen_ctypes.KaizenError as error:
            self.refused.append([error.code, error.reason])
        self.latencies_us.append((time.perf_counter_ns() - begin) // 1000)

    def begin(self, agents, pause_s):
        self.enough.clear()
        self.thread = threading.Thread(target=self.run, args=(agents, pause_s), daemon=True)
        self.thread.start()

    def run(self, agents, pause_s):
        for agent in itertools.cycle(agents):
            if self.enough.wait(pause_s):
                return
            self.call(agent)

    def end(self):
        if self.thread:
            self.enough.set()
            self.thread.join()
            self.thread = None
        ordered = sorted(self.latencies_us) or [0]
        result = {"recorded": self.recorded, "refused": self.refused, "p50_us": ordered[len(ordered) // 2],
                  "p99_us": ordered[len(ordered) * 99 // 100], "max_us": ordered[-1]}
        self.forget()
        return result


def show_stats(kaizen):
    stats = kaizen.stats()
    shown = {name: getattr(stats, name) for name in
             ("recorded", "marked", "acknowledged", "pending", "dead_lettered", "publish_failures", "publisher")}
    return {**shown, "reason": stats.publisher_reason.decode()}


def stop(kaizen, timeout_ms):
    begin = time.monotonic()
    code = kaizen.table.stop(kaizen.instance, timeout_ms)
    return {"code": code, "took_s": time.monotonic() - begin}


def resident_kib():
    with open("/proc/self/status", encoding="ascii") as file:
        return int(file.read().split("VmRSS:")[1].split()[0])


def main():
    said = []
    kaizen = kaizen_ctypes.Kaizen(sys.argv[1], log=lambda level, number, text: said.append([level, number, text]),
                                  log_level=6, **json.loads(sys.argv[2]))
    recording = Recording(kaizen)
    answers = {
        "begin": lambda at: recording.begin(at["agents"], at["pause_s"]),
        "end": lambda at: recording.end(),
        "record": lambda at: [recording.call(agent)
                              for agent in itertools.islice(itertools.cycle(at["agents"]), at["count"])] and None,
        "stats": lambda at: show_stats(kaizen),
        "flush": lambda at: kaizen.flush(at["ms"]),
        "said": lambda at: list(said),
        "rss": lambda at: resident_kib(),
        "stop": lambda at: stop(kaizen, at["ms"]),
    }
    for line in sys.stdin:
        command = json.loads(line)
        print(json.dumps(answers[command["do"]](command)), flush=True)
    kaizen.close(0)
    return 0


if __name__ == "__main__":
    assert ctypes.sizeof(ctypes.c_void_p) == 8
    sys.exit(main())

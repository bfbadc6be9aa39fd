#!/usr/bin/env python3
"""naive_log.py - P6, peers: how a plain program keeps the same two files.

SPDX-License-Identifier: Apache-2.0

Usage: naive_log.py FOLDER RECORDS APPENDS     prints the seconds that APPENDS appends took, each of which
                                                 reads the log again
       naive_log.py --kept FOLDER APPENDS      the same with keys and sums kept in memory

Makes a log of RECORDS records first.  Each append writes its line, reads the whole log again to see
whether the key is new and what the summary is, and replaces summary.json.
"""
import json
import os
import sys
import time


def append(folder, record):
    log = os.path.join(folder, "executions.jsonl")
    with open(log, encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    if any(other["idempotency_key"] == record["idempotency_key"] for other in records):
        return
    with open(log, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    records.append(record)
    scores = [other["quality_score"] for other in records]
    summary = {"execution_count": len(records),
               "success_rate": sum(other["success"] for other in records) / len(records),
               "avg_quality_score": sum(scores) / len(scores),
               "avg_execution_time_s": sum(other["execution_time_s"] for other in records) / len(records),
               "last_execution": max(other["timestamp"] for other in records)}
    with open(os.path.join(folder, "summary.new"), "w", encoding="utf-8") as file:
        json.dump(summary, file, indent=2)
    os.replace(os.path.join(folder, "summary.new"), os.path.join(folder, "summary.json"))


def record(number):
    return {"timestamp": "2026-01-02T03:04:05Z", "agent": "bench", "execution_time_s": 1.5, "success": True,
            "quality_score": 0.9, "idempotency_key": f"n-{number}"}


class Kept:
    """The logger that somebody writes who thought of the length of the log."""

    def __init__(self, folder):
        self.folder, self.keys = folder, set()
        self.count = self.successes = 0
        self.score = self.seconds = 0.0
        self.log = open(os.path.join(folder, "executions.jsonl"), "a", encoding="utf-8", buffering=1)

    def append(self, record):
        if record["idempotency_key"] in self.keys:
            return
        self.log.write(json.dumps(record) + "\n")
        self.keys.add(record["idempotency_key"])
        self.count += 1
        self.successes += record["success"]
        self.score += record["quality_score"]
        self.seconds += record["execution_time_s"]
        summary = {"execution_count": self.count, "success_rate": self.successes / self.count,
                   "avg_quality_score": self.score / self.count,
                   "avg_execution_time_s": self.seconds / self.count, "last_execution": record["timestamp"]}
        with open(os.path.join(self.folder, "summary.new"), "w", encoding="utf-8") as file:
            json.dump(summary, file, indent=2)
        os.replace(os.path.join(self.folder, "summary.new"), os.path.join(self.folder, "summary.json"))


def main():
    if sys.argv[1] == "--kept":
        kept, appends = Kept(sys.argv[2]), int(sys.argv[3])
        begin = time.perf_counter()
        for number in range(appends):
            kept.append(record(number))
        print(time.perf_counter() - begin)
        return
    folder, records, appends = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open(os.path.join(folder, "executions.jsonl"), "w", encoding="utf-8") as file:
        file.writelines(json.dumps(record(number)) + "\n" for number in range(records))
    begin = time.perf_counter()
    for number in range(records, records + appends):
        append(folder, record(number))
    print(time.perf_counter() - begin)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""naive_log.py - P6: the plainest way to keep the same files, for comparison: re-read the log on each append.

SPDX-License-Identifier: Apache-2.0

Usage: naive_log.py FOLDER RECORDS APPENDS     prints the seconds that APPENDS appends took

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


def main():
    folder, records, appends = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open(os.path.join(folder, "executions.jsonl"), "w", encoding="utf-8") as file:
        file.writelines(json.dumps(record(number)) + "\n" for number in range(records))
    begin = time.perf_counter()
    for number in range(records, records + appends):
        append(folder, record(number))
    print(time.perf_counter() - begin)


if __name__ == "__main__":
    main()

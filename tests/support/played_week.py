"""played_week.py - a made-up week: fixer does well for six days, then gets a preview model.

SPDX-License-Identifier: Apache-2.0
"""
import datetime
import json

NOW = datetime.datetime.now(datetime.timezone.utc)


def run_of(agent, hours_ago, success, seconds, model, cost, reason):
    ended = (NOW - datetime.timedelta(hours=hours_ago, minutes=-30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = {"model": model, "cost_usd": cost, "input_tokens": 9000, "output_tokens": 1000}
    if not success:
        metadata["error_type"] = reason
    return {"timestamp": ended, "agent": agent, "success": success, "execution_time_s": seconds,
            "quality_score": 0.9 if success else 0.3, "metadata": metadata}


def runs():
    for i in range(200):
        yield run_of("fixer", 165 - i * 0.695, i % 12 != 0, 40 + i % 7, "stable", 0.2, "test_failed")
        if i % 2 == 0:
            yield run_of("coach", 165 - i * 0.695, i % 24 != 0 or i > 168, 90 + i % 5, "stable", 0.1, "timeout")
    for i in range(25):
        yield run_of("fixer", 25 - i, i % 5 > 2, 120 + i % 9, "preview", 0.3, "rate_limit")


def lines():
    """What 'kaizen-host replay' reads."""
    return "".join(json.dumps(run) + "\n" for run in runs())

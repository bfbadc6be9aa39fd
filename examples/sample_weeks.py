"""sample_weeks.py - four made-up weeks: fixer does well, then its model is replaced and more of its tests fail.

SPDX-License-Identifier: Apache-2.0

Usage: sample_weeks.py | kaizen-host replay -q

The history is random from a fixed seed and is placed before now, so that every run of it has the same numbers.
"""
import datetime
import json
import random

NOW = datetime.datetime.now(datetime.timezone.utc)
SEED = 12
FIRST_HOUR, REPLACED_HOUR = 27 * 24, 46  # hours ago
# No run ends where a window begins: which side it is on would depend on how long the test takes.
EDGES_HOURS = (24, 48, 7 * 24)

# For each agent and model: how often a run succeeds, seconds, USD and quality of a good run, mean hours between runs,
# and why runs fail.
USUAL = {
    "fixer": ("m4-large", 0.92, 45, 0.19, 0.90, 3.0, ("tests_failed", "tests_failed", "timeout", "rate_limit")),
    "coach": ("m4-large", 0.94, 95, 0.09, 0.86, 6.5, ("timeout", "rate_limit", "tests_failed")),
}
REPLACED = {
    "fixer": ("m5-preview", 0.45, 110, 0.40, 0.82, 1.7, ("tests_failed",) * 7 + ("timeout",)),
}
# What a run that failed took of a good run's time and cost, and its quality.
FAILED = {"tests_failed": (1.6, 1.5, 0.35), "timeout": (4, 1.9, 0.15), "rate_limit": (0.15, 0.1, None)}


def near_edge(hours_ago):
    return any(abs(hours_ago - edge) < 0.25 for edge in EDGES_HOURS)


def run_of(chance, agent, kind, hours_ago):
    model, rate, seconds, usd, quality, _, reasons = kind
    success = chance.random() < rate
    spread = 0.6 + 0.9 * chance.random() ** 2
    metadata = {"model": model}
    if not success:
        metadata["error_type"] = reasons[int(chance.random() * len(reasons))]
        longer, dearer, quality = FAILED[metadata["error_type"]]
        seconds, usd = seconds * longer, usd * dearer
    usd = round(usd * spread, 3)
    metadata.update(cost_usd=usd, input_tokens=int(usd * 45000), output_tokens=int(usd * 9000 * spread))
    run = {"timestamp": (NOW - datetime.timedelta(hours=hours_ago)).strftime("%Y-%m-%dT%H:%M:%SZ"), "agent": agent,
           "success": success, "execution_time_s": round(seconds * spread, 1), "metadata": metadata}
    if quality is not None:
        run["quality_score"] = round(quality + 0.16 * (chance.random() - 0.5), 2)
    return run


def runs_of(agent):
    """Close together at times and with hours without a run, as work comes."""
    chance = random.Random(f"{agent} {SEED}")
    hours_ago = FIRST_HOUR
    while hours_ago > 0.5:
        kind = REPLACED.get(agent, USUAL[agent]) if hours_ago < REPLACED_HOUR else USUAL[agent]
        if not near_edge(hours_ago):
            yield run_of(chance, agent, kind, hours_ago)
        hours_ago -= kind[5] * (0.1 + 2.7 * chance.random() ** 2)


def lines():
    """What 'kaizen-host replay' reads."""
    return "".join(json.dumps(run) + "\n" for agent in USUAL for run in runs_of(agent))


if __name__ == "__main__":
    print(lines(), end="")

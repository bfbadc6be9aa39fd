"""property_generate.py - random histories of one project, as plain data that can be kept and shrunk.

SPDX-License-Identifier: Apache-2.0

A history is {"options": {...}, "steps": [step...]}; each step is a dict with "do".  Bytes are kept as
latin-1 text, so that a history is JSON and can be given back with --replay.
"""
import json

import oracle

DAY = 86400
EPOCH_S = 1780000000  # where the host's clock begins: in 2026

KEYS = ["k", "run-1", "run-2", "run-3", "schlüssel", "鍵\U0001f511", "a\"b\\c", "x" * 512, "tab\tkey",
        "\u2028", "\x7f", "0"]
TEXTS = ["", "plain", "naïve", "日本語", "\U0001f680", "quote\"back\\slash", "tab\tnew\nline\rfeed\f",
         "\u0085\u2028\u2029\x7f", "\u0001\u001f", "a/b", "<>&'", "x" * 300]
TIMES = [0.0, -0.0, 0.1, 0.2, 1 / 3, 1.5, 42.0, 120.0, 340.5, 1e-7, 5e-324, 1e15, 1e16, 123456789012345680.0,
         1e22, 0.0001, 0.00001, 2.5e-310]
QUALITIES = [0.0, 1.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.75, 0.81, 0.9, 1 / 3, 0.45, 0.95, 1e-9]
NUMBER_TEXTS = ["0", "-0", "1", "1.0", "1.50", "1e5", "1E+5", "0.81000000000000005", "9007199254740993", "-12",
                "1" * 400, "123456789012345678901234567890", "1e-400"]
AGENTS = ["coach", "tdd_1", "_a.b-c", "A" * 64]
ILLEGAL_AGENTS = ["", "optimizer", "../x", "a/b", "a.", ".a", "-a", "é", "a b", "A" * 65, "a\nb"]


def metadata_text(rng, depth=0):
    """Text of a JSON object with its own order, number texts, escapes and white space."""
    def blank():
        return rng.choice(["", "", "", " ", "\n", "\t "])

    def string():
        text = rng.choice(TEXTS)
        return json.dumps(text, ensure_ascii=rng.random() < 0.5)

    def value(level):
        kind = rng.random()
        if kind < 0.3 and level < 3:
            items = [value(level + 1) for _ in range(rng.randint(0, 3))]
            return "[" + blank() + ("," + blank()).join(items) + blank() + "]"
        if kind < 0.4 and level < 3:
            return metadata_text(rng, level + 1)
        if kind < 0.6:
            return rng.choice(NUMBER_TEXTS)
        return string() if kind < 0.85 else rng.choice(["true", "false", "null"])

    names = rng.sample(["outcome", "model", "größe", "z", "a", "cost_usd", "\u2028", ""], rng.randint(0, 4))
    members = [blank() + json.dumps(name, ensure_ascii=rng.random() < 0.5) + blank() + ":" + blank()
               + value(depth + 1) for name in names]
    return "{" + ",".join(members) + blank() + "}"


def stamp(rng, now_s, retention_days):
    """Seconds near what matters: ties, disorder, the border of the retention."""
    border = now_s - (retention_days or 180) * DAY
    return rng.choice([now_s, now_s, now_s - 1, now_s - rng.randint(0, 5), now_s - rng.randint(0, 3 * DAY),
                       now_s + rng.randint(0, 2 * DAY), border, border - 1, border + 1, border + 60,
                       border + rng.randint(0, 2 * DAY), border - rng.randint(0, 9 * DAY)])


DEFECTS = ["quality above 1", "quality below 0", "quality NaN", "time below 0", "time infinite", "agent illegal",
           "key empty", "key too long", "no outcome", "metadata no object", "metadata broken",
           "metadata too deep", "metadata duplicate name", "year 1969", "not UTF-8"]
STRUCT_DEFECTS = ["number without its bit", "emit and not emit"]
JSON_DEFECTS = ["unknown key", "duplicate key", "no time zone", "success no boolean", "tokens below 0",
                "tokens no integer", "lone surrogate", "quality text", "not JSON"]


def fields(rng, now_s, retention_days):
    """The fields of one valid execution."""
    chosen = {"success": rng.random() < 0.6}
    maybe = {
        "timestamp_s": lambda: stamp(rng, now_s, retention_days),
        "session_id": lambda: rng.choice(TEXTS[1:]),
        "time": lambda: rng.choice(TIMES + [rng.random() * 1000]),
        "quality": lambda: rng.choice(QUALITIES + [rng.random()]),
        "primary": lambda: [rng.choice(TEXTS[1:]), rng.choice([-1.5, 0.0, 3.0, 1e300])]
                           + ([rng.random()] if rng.random() < 0.5 else []),
        "metadata": lambda: metadata_text(rng),
        "key": lambda: rng.choice(KEYS),
        "extra": lambda: {name: value for name, value in {
            "helix_session_uid": rng.choice(TEXTS[1:]), "repo": "shop", "flavor": rng.choice(TEXTS[1:]),
            "tokens": rng.choice([0, 7, 2**53 + 1, 2**63 - 1]),
            "infra_overhead_share": rng.choice([0.25, 1.0, -0.5])}.items() if rng.random() < 0.5},
        "emit": lambda: rng.random() < 0.7,
    }
    odds = {"timestamp_s": 0.5, "quality": 0.7, "key": 0.4, "primary": 0.15, "extra": 0.15, "session_id": 0.2,
            "metadata": 0.25, "time": 0.6, "emit": 0.4}
    for name, make in maybe.items():
        if rng.random() < odds[name]:
            chosen[name] = make()
    return chosen


def record_step(rng, agents, now_s, options):
    step = {"do": "record", "via": rng.choice(["struct", "json"]), "instance": rng.choice([0, 0, 0, 1]),
            "agent": rng.choice(agents), "fields": fields(rng, now_s, options["retention_days"])}
    if step["via"] == "json":
        step["fields"].pop("emit", None)  # this call has no flags: as configured
        # How the given time is written, and whether the key stands in the metadata.
        step["form"] = rng.choice(["Z", "Z", "+00:00", "+05:30", "-0800", "fraction", "space"])
        if "key" in step["fields"] and rng.random() < 0.3:
            step["key_in_metadata"] = True
    if rng.random() < 0.06:
        step["defect"] = rng.choice(DEFECTS + (STRUCT_DEFECTS if step["via"] == "struct" else JSON_DEFECTS))
        if step["defect"] == "agent illegal":
            step["agent"] = rng.choice(ILLEGAL_AGENTS)
    return step


def foreign_record(rng, agent, now_s, retention_days):
    """A line as another program might write it, without its newline."""
    seconds = stamp(rng, now_s, retention_days)
    iso = oracle.write_timestamp(seconds)
    record = {"timestamp": rng.choice([iso, iso, iso, iso[:-1] + "+00:00", iso[:-1] + ".999999+00:00",
                                       iso[:-1] + "-03:30", iso.replace("T", " "), iso[:-1], "yesterday", "",
                                       None, 1780000000]),
              "agent": rng.choice([agent, agent, "another", "optimizer", ""]),
              "success": rng.random() < 0.6}
    if rng.random() < 0.1:
        del record["timestamp"]
    if rng.random() < 0.7:
        record["quality_score"] = rng.choice(QUALITIES + [None, "0.9", 85, -1, True, [], 1e300, float("nan"),
                                                          float("inf"), float("-inf"), 10**400])
    if rng.random() < 0.5:
        record["execution_time_s"] = rng.choice(TIMES + [None, "3", 7, -2.5, float("nan")])
    if rng.random() < 0.3:
        record["idempotency_key"] = rng.choice(KEYS + [None, 7, ""])
    if rng.random() < 0.3:
        record["metadata"] = rng.choice([{}, None, [], {"idempotency_key": rng.choice(KEYS)}, {"a": {"b": [1]}},
                                         {"big": "y" * 70000} if rng.random() < 0.1 else {"note": "n"}])
    if rng.random() < 0.1:
        record["event_id"] = f"{rng.getrandbits(128):032x}"
        record["event_id"] = "-".join(record["event_id"][a:b] for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))
        if rng.random() < 0.7:
            record["event"] = {"project": "elsewhere", "success_rate": 0.5, "execution_count": 2, "avg_quality": 0.25}
    if rng.random() < 0.2:
        record[rng.choice(["note", "schema", "größe"])] = rng.choice(TEXTS + [None, {"x": 1}])
    items = list(record.items())
    if rng.random() < 0.2:
        rng.shuffle(items)
    text = json.dumps(dict(items), ensure_ascii=rng.random() < 0.5,
                      separators=rng.choice([(", ", ": "), (",", ":")]))
    if rng.random() < 0.1:  # a name twice: the last one wins
        text = '{"success": "maybe", "quality_score": 0.123, ' + text[1:]
    return text.encode() + rng.choice([b"", b"", b"", b"\r", b" \t"])


GARBAGE = [b"", b"  ", b"\r", b"{", b"}", b"null", b"true", b"[1,2]", b'"text"', b"\0" * 40, b"\xff\xfe{}",
           b'{"success": 1, "agent": "coach"}', b'{"success": true}', b'{"success": true, "agent": 7}',
           b'{"success": true, "agent": "coach"', b'{"success": true, "agent": "coach"} x',
           b'{"success": true, "agent": "coach"}{"success": true, "agent": "coach"}',
           b'\xef\xbb\xbf{"success": true, "agent": "coach"}', b'{"success": true, "agent": "caf\xe9"}',
           b'{"success": True, "agent": "coach"}', b"{'success': true, 'agent': 'coach'}",
           b'{"success": true, "agent": "coach",}', b'{"success": true, "agent": "a\x01b"}',
           b'{"success": true, "agent": "coach", "quality_score": .5}',
           b'{"success": true, "agent": "coach", "quality_score": 05}',
           b'{"success": true, "agent": "coach", "x": "\\x41"}',
           b"\x0b{\"success\": true, \"agent\": \"coach\"}", b"[" * 5000]
ODD_RECORDS = [b'{"success": true, "agent": "\\ud800"}', b'{"success": false, "agent": "coach", "x": "\\ud83d"}',
               b'{"agent": "coach", "success": true, "quality_score": 1e999}',
               b'{"agent": "coach", "success": true, "quality_score": -0.0, "x": [[[[[[]]]]]]}',
               b'\t{"agent":"coach","success":false,"quality_score":2e-1}\t',
               b'{"agent":"a\xe2\x80\xa8b","success":false,"quality_score":0.25}',
               b'{"agent":"a\xc2\x85b\x7f","success":true,"quality_score":0.5E0}',
               b'{"\\u0061gent":"coach","\\u0073uccess":true,"quality_score":0.6}']


def foreign_line(rng, agent, now_s, retention_days):
    kind = rng.random()
    if kind < 0.7:
        return foreign_record(rng, agent, now_s, retention_days)
    return rng.choice(GARBAGE if kind < 0.88 else ODD_RECORDS)


def append_step(rng, agents, now_s, options):
    agent = rng.choice(agents)
    lines = [foreign_line(rng, agent, now_s, options["retention_days"]) for _ in range(rng.choice([1, 1, 2, 5, 30]))]
    torn = rng.random() < 0.15
    if torn and rng.random() < 0.5:
        lines[-1] = lines[-1][:rng.randint(0, len(lines[-1]))]
    text = b"\n".join(lines) + (b"" if torn else b"\n")
    return {"do": "append", "agent": agent, "text": text.decode("latin-1")}


def history(rng):
    options = {"retention_days": rng.choice([180, 180, 30, 1, 0]), "emit_event": rng.random() < 0.5,
               "project": rng.choice(["shop", "größe", "a b", "quote\"s"])}
    agents = rng.sample(AGENTS, rng.choice([1, 1, 1, 2]))
    now_s, steps = EPOCH_S, []
    ages = rng.random() < 0.4  # days pass, so that retention has something to do
    for _ in range(rng.choice([3, 8, 15, 25])):
        kind = rng.random()
        if ages and rng.random() < 0.3:
            step = {"do": "clock", "by": rng.choice([DAY, DAY, 2 * DAY, 3 * DAY])}
            now_s += step["by"]
        elif kind < 0.6:
            step = record_step(rng, agents, now_s, options)
        elif kind < 0.76:
            step = append_step(rng, agents, now_s, options)
        elif kind < 0.82:
            step = {"do": "prune", "agent": rng.choice(agents), "how": rng.choice(["rename", "in place"]),
                    "drop": rng.choice([1, 2, 3, 10, 1000]), "seed": rng.randint(0, 99)}
        elif kind < 0.85:
            step = {"do": "edit", "agent": rng.choice(agents), "how": rng.choice(["rename", "in place"]),
                    "line": rng.randint(0, 9)}
        elif kind < 0.90:
            step = {"do": "reopen", "instance": rng.choice([0, 1])}
        elif kind < 0.96:
            step = {"do": "clock", "by": rng.choice([1, 59, 3600, DAY, DAY, 2 * DAY, 20 * DAY, -3600, -40 * DAY])}
            now_s += step["by"]
        else:
            step = {"do": "damage", "agent": rng.choice(agents),
                    "what": rng.choice(["summary gone", "summary wrong", "index gone", "index wrong", "state gone",
                                        "state wrong", "folder gone"])}
        steps.append(step)
    return {"options": options, "steps": steps}

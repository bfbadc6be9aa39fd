#!/usr/bin/env python3
"""test_registry.py - holds the registered event type to its schema, to the code, and to real events.

SPDX-License-Identifier: Apache-2.0

Usage: test_registry.py [EVENT]...

EVENT is a file ("-": standard input) with one envelope, or with one per line; a line of tests/support/subscriber.py,
{"subject", "headers", "payload"}, is taken apart, and its subject and message id are checked too.  Without
arguments the registry file is checked by itself.  Needs no module besides the standard library; where
jsonschema is installed it judges everything a second time.
"""
import copy
import json
import os
import pathlib
import re
import sys

try:
    import jsonschema
except ImportError:
    jsonschema = None

TOP = pathlib.Path(os.environ.get("KAIZEN_TEST_SRCDIR") or pathlib.Path(__file__).parents[2])
TYPE_ID = "kaizen.metrics.recorded"
REGISTRY = TOP / "event-types" / f"{TYPE_ID}.md"
SCHEMA = TOP / "event-types" / f"{TYPE_ID}.schema.json"
FRONT_MATTER = {"type_id": TYPE_ID, "version": "1.0", "publisher": "kaizen-agentic",
                "governance": "publisher-declared", "status": "active"}
SECTIONS = ["Intent", "When Published", "Attributes", "Envelope example", "Consumers"]
KEYS = ["id", "type", "version", "timestamp", "publisher", "attributes"]
ATTRIBUTE_KEYS = ["agent", "project", "summary"]
SUMMARY_KEYS = ["success_rate", "execution_count", "avg_quality"]
TYPES = {"string": str, "object": dict, "integer": int, "number": (int, float)}

failures = []


def expect(fact, what):
    if not fact:
        failures.append(what)


def is_type(value, name):
    return isinstance(value, TYPES[name]) and not isinstance(value, bool)


# ---- the registry file -----------------------------------------------------------------------------


def read_registry(text):
    """(front matter, {section: text}, section names in order)"""
    match = re.match(r"---\n(.*?)\n---\n(.*)", text, re.S)
    if not match:
        sys.exit(f"{REGISTRY.name}: no front matter")
    front = {}
    for line in match.group(1).splitlines():
        key, _, value = line.partition(":")
        front[key.strip()] = value.strip().strip('"')
    parts = re.split(r"^## (.+)$", match.group(2), flags=re.M)
    return front, dict(zip(parts[1::2], parts[2::2])), parts[1::2]


def read_table(section):
    """{name: (type, required)} of the attribute table."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in section.splitlines() if line.startswith("|")]
    expect(rows and rows[0] == ["Name", "Type", "Required", "Description"],
           "the attribute table has the columns Name, Type, Required, Description")
    table = {}
    for row in rows[2:]:
        expect(len(row) == 4 and all(row), f"the attribute table's row {row} has four cells")
        table[row[0].strip("`")] = (row[1], row[2])
    return table


def read_example(section):
    match = re.search(r"```json\n(.*?)```", section, re.S)
    if not match:
        sys.exit(f"{REGISTRY.name}: the section Envelope example has no ```json block")
    return json.loads(match.group(1))


# ---- an event against schema and table ----------------------------------------------------------------


def violations(schema, value, place="$"):
    """What breaks the schema, for the keywords this schema uses; an unknown keyword is a violation."""
    found = []
    rules = {
        "type": lambda rule: is_type(value, rule),
        "const": lambda rule: value == rule,
        "pattern": lambda rule: isinstance(value, str) and re.search(rule, value) is not None,
        "minLength": lambda rule: isinstance(value, str) and len(value) >= rule,
        "minimum": lambda rule: is_type(value, "number") and value >= rule,
        "maximum": lambda rule: is_type(value, "number") and value <= rule,
        "required": lambda rule: isinstance(value, dict) and all(name in value for name in rule),
        "additionalProperties": lambda rule: rule is False and isinstance(value, dict)
        and all(name in schema["properties"] for name in value),
    }
    for keyword, rule in schema.items():
        if keyword in ("$schema", "title", "description"):
            continue
        if keyword == "properties":
            for name, inner in rule.items():
                if isinstance(value, dict) and name in value:
                    found += violations(inner, value[name], f"{place}.{name}")
        elif keyword not in rules or not rules[keyword](rule):
            found.append(f"{place}: {keyword} {json.dumps(rule)}")
    return found


def flatten(attributes):
    """{"agent": ..., "summary": ..., "summary.success_rate": ...}"""
    flat = dict(attributes)
    for name, value in attributes.items():
        if isinstance(value, dict):
            flat.update({f"{name}.{inner}": item for inner, item in value.items()})
    return flat


def table_violations(table, event):
    flat = flatten(event.get("attributes") or {})
    found = [f"{name} is not a row of the attribute table" for name in flat if name not in table]
    for name, (kind, required) in table.items():
        if name not in flat:
            found += [f"{name} is missing"] if required == "yes" else []
        elif not is_type(flat[name], kind):
            found.append(f"{name} is not of type {kind}: {flat[name]!r}")
    return found


def order_violations(event):
    attributes = event.get("attributes") or {}
    summary = attributes.get("summary") or {}
    return [f"keys are {list(got)}, not {wanted}"
            for got, wanted in ((event, KEYS), (attributes, ATTRIBUTE_KEYS), (summary, SUMMARY_KEYS))
            if list(got) != wanted]


def judge(schema, table, event):
    found = violations(schema, event) + table_violations(table, event) + order_violations(event)
    if jsonschema:
        found += [f"jsonschema: {error.message}"
                  for error in jsonschema.Draft7Validator(schema).iter_errors(event)]
    return found


# ---- what is checked -----------------------------------------------------------------------------------


def check_closed(schema, place="the schema"):
    if schema.get("type") == "object":
        expect(schema.get("additionalProperties") is False, f"{place} is closed")
        expect(schema.get("required") == list(schema["properties"]), f"{place} requires all its members")
    for name, inner in schema.get("properties", {}).items():
        check_closed(inner, name)


def check_constants():
    """The numbers in plugin/record/event.h, when the sources are at hand."""
    header = TOP / "plugin" / "record" / "event.h"
    if not header.exists():
        return
    defined = dict(re.findall(r'#define (EVENT_\w+) "([^"]+)"', header.read_text()))
    expect(defined.get("EVENT_SUBJECT") == f"activity.{TYPE_ID}", "the code publishes on the type's subject")
    expect(f"`activity.{TYPE_ID}`" in REGISTRY.read_text(), "the registry file names the subject")
    expect([defined.get(name) for name in ("EVENT_TYPE", "EVENT_VERSION", "EVENT_PUBLISHER")] ==
           [FRONT_MATTER[name] for name in ("type_id", "version", "publisher")],
           "the code's type, version and publisher are those of the front matter")


def broken(event):
    """(name, event that must be refused), so that these checks are seen to bite."""
    def changed(change):
        other = copy.deepcopy(event)
        change(other)
        return other
    yield "without an id", changed(lambda e: e.pop("id"))
    yield "with another key", changed(lambda e: e.update(source="x"))
    yield "of another type", changed(lambda e: e.update(type="kaizen.metrics"))
    yield "with a fraction of a second", changed(lambda e: e.update(timestamp="2026-06-18T12:00:00.5Z"))
    yield "with an id that is not a UUID", changed(lambda e: e.update(id="1"))
    yield "without a project", changed(lambda e: e["attributes"].pop("project"))
    yield "with another attribute", changed(lambda e: e["attributes"].update(session="x"))
    yield "with a rate as text", changed(lambda e: e["attributes"]["summary"].update(success_rate="0.9"))
    yield "with a rate above 1", changed(lambda e: e["attributes"]["summary"].update(success_rate=75))
    yield "with half an execution", changed(lambda e: e["attributes"]["summary"].update(execution_count=1.5))
    yield "with true for a count", changed(lambda e: e["attributes"]["summary"].update(execution_count=True))
    yield "without a quality", changed(lambda e: e["attributes"]["summary"].update(avg_quality=None))
    yield "with its keys in another order", dict(reversed(event.items()))


def check_registry(schema, text):
    front, sections, names = read_registry(text)
    expect(front == FRONT_MATTER, f"the front matter is {FRONT_MATTER}, found {front}")
    expect(names == SECTIONS, f"the sections are {SECTIONS}, found {names}")
    table = read_table(sections.get("Attributes", ""))
    for name, (kind, required) in table.items():
        expect(kind in TYPES, f"{name}: {kind} is a type of JSON")
        expect(required in ("yes", "no"), f"{name}: Required is yes or no")
    example = read_example(sections.get("Envelope example", ""))
    for violation in judge(schema, table, example):
        failures.append(f"the registry file's example: {violation}")
    for name, event in broken(example):
        expect(judge(schema, table, event), f"an event {name} is refused")
    return table


def read_events(text, origin):
    """Each envelope's text in the file."""
    try:
        documents = [json.loads(text)]
    except ValueError:
        documents = [json.loads(line) for line in text.splitlines() if line.strip()]
    expect(documents, f"{origin} holds an event")
    for document in documents:
        if "payload" not in document:
            yield document
            continue
        event = json.loads(document["payload"])
        expect(document.get("subject") == f"activity.{TYPE_ID}", f"{origin}: subject {document.get('subject')}")
        headers = document.get("headers") or {}
        expect(headers.get("Nats-Msg-Id") == event.get("id"), f"{origin}: the header Nats-Msg-Id is the id")
        expect(document["payload"] == json.dumps(event, separators=(",", ":"), ensure_ascii=False),
               f"{origin}: the payload has no white space and Python's number texts: {document['payload']}")
        yield event


def main():
    schema = json.loads(SCHEMA.read_text())
    if jsonschema:
        jsonschema.Draft7Validator.check_schema(schema)
    check_closed(schema)
    check_constants()
    table = check_registry(schema, REGISTRY.read_text())
    count = 0
    for origin in sys.argv[1:]:
        text = sys.stdin.read() if origin == "-" else pathlib.Path(origin).read_text()
        for event in read_events(text, origin):
            count += 1
            for violation in judge(schema, table, event):
                failures.append(f"{origin}, event {count}: {violation}")
    for failure in failures:
        print(f"test_registry: not so: {failure}")
    if not failures:
        print(f"test_registry: the registry file holds, {count} events with it"
              f"{'' if jsonschema else ' (python3-jsonschema is not installed: judged once)'}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

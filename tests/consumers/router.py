#!/usr/bin/env python3
"""router.py - a stand-in for the event router: an ActivityDefinition evaluated on events.

SPDX-License-Identifier: Apache-2.0

Usage: router.py DEFINITION... < EVENTS     one envelope a line; prints each task that is opened as JSON

It does what is publicly known of activity-core: one workflow an event id, a repeat refused; the event-payload
source binds `attributes` to the name the definition gives; a rule opens its task when all conditions hold.
"""
import json
import operator
import pathlib
import re
import sys

from definitions import Unreadable, fenced, parse_yaml, split_front_matter

COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
           "==": operator.eq, "!=": operator.ne}
CONDITION = re.compile(r"(context(?:\.\w+)+) (<=|>=|==|!=|<|>) (-?\d+(?:\.\d+)?)")


def look_up(context, path):
    value = context
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            raise KeyError(f"{path} is not in the context")
        value = value[name]
    return value


def bind(context, path, value):
    *folders, name = path.split(".")
    for folder in folders:
        context = context.setdefault(folder, {})
    context[name] = value


class Definition:
    """One activity-definitions/*.md."""

    def __init__(self, text):
        front, body = split_front_matter(text)
        for key in ("id", "name", "enabled", "owner", "governance", "status", "trigger", "context_sources"):
            if key not in front:
                raise Unreadable(f"the front matter lacks {key}")
        if front["trigger"].get("type") != "event" or not front["trigger"].get("event_type"):
            raise Unreadable("the trigger is not an event with an event_type")
        self.name, self.event_type = front["id"], front["trigger"]["event_type"]
        self.active = front["enabled"] is True and front["status"] == "active"
        self.sources = front["context_sources"]
        for source in self.sources:
            if source.get("type") != "event-payload" or not source.get("bind_to"):
                raise Unreadable(f"context source {source} is not known")
        self.rule = parse_yaml(fenced(body, "rule"))
        self.conditions = [self.condition(text) for text in (self.rule.get("when") or {}).get("all") or []]
        self.task = (self.rule.get("then") or {}).get("create_task")
        if not self.rule.get("id") or not self.conditions or not self.task:
            raise Unreadable("the rule needs id, when.all and then.create_task")

    @staticmethod
    def condition(text):
        match = CONDITION.fullmatch(text)
        if not match:
            raise Unreadable(f"condition {text!r} is not understood")
        path, compare, number = match.groups()
        return path, COMPARE[compare], float(number)

    def context(self, event):
        context = {}
        for source in self.sources:
            if source.get("required") and not event.get("attributes"):
                raise KeyError(f"{event.get('id')}: the event has no attributes")
            bind(context, source["bind_to"], event.get("attributes"))
        return context

    def evaluate(self, event):
        """The task this event opens, or None."""
        context = self.context(event)
        if not all(compare(look_up(context, path), number) for path, compare, number in self.conditions):
            return None
        title = re.sub(r"\{([\w.]+)\}", lambda match: str(look_up(context, match[1])), self.task["title"])
        return {**self.task, "title": title, "rule": self.rule["id"], "event": event["id"]}


class Router:
    def __init__(self, definitions):
        self.definitions, self.started, self.tasks, self.refused = definitions, set(), [], 0

    def take(self, payload):
        """The tasks one event opens."""
        event = json.loads(payload)
        if event["id"] in self.started:
            self.refused += 1
            return []
        self.started.add(event["id"])
        found = [definition.evaluate(event) for definition in self.definitions
                 if definition.active and definition.event_type == event["type"]]
        opened = [task for task in found if task]
        self.tasks += opened
        return opened


def main():
    router = Router([Definition(pathlib.Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]])
    for line in sys.stdin:
        for task in router.take(line):
            print(json.dumps(task))
    return 0


if __name__ == "__main__":
    sys.exit(main())

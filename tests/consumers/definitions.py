"""definitions.py - reads the markdown files of the registry: front matter, sections, tables, fenced blocks.

SPDX-License-Identifier: Apache-2.0

The front matter and the rule block are YAML; the small part of it that these files use is read here: nested
maps and lists in block style, and scalars.  Whatever else stands there is an error with its line.
"""
import json
import re


class Unreadable(Exception):
    """The file is not what its kind has to be."""


# ---- YAML, as far as it is used ----------------------------------------------------------------------

def scalar(text):
    if text.startswith(('"', "'")):
        if len(text) < 2 or text[-1] != text[0]:
            raise Unreadable(f"the quote of {text} does not end")
        return json.loads(text) if text[0] == '"' else text[1:-1].replace("''", "'")
    if text in ("true", "false"):
        return text == "true"
    if text in ("", "null", "~"):
        return None
    if text[0] in "{[&*!|>%@`":
        raise Unreadable(f"{text}: only block style is read")
    try:
        return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
    except ValueError:
        return text


def parse_yaml(text):
    lines = [(len(line) - len(line.lstrip()), line.strip()) for line in text.splitlines()
             if line.strip() and not line.lstrip().startswith("#")]
    value, rest = _block(lines, lines[0][0] if lines else 0)
    if rest:
        raise Unreadable(f"{rest[0][1]}: indented as nothing before it")
    return value


def _block(lines, indent):
    """The map or list that begins with lines[0] at this indent, and the lines after it."""
    if not lines or lines[0][0] < indent:
        return None, lines
    return (_list if lines[0][1].startswith("- ") else _map)(lines, lines[0][0])


def _list(lines, indent):
    items = []
    while lines and lines[0][0] == indent and lines[0][1].startswith("- "):
        item = lines[0][1][2:].strip()
        if re.match(r"[\w.-]+:( |$)", item):  # a map whose first key stands after the dash
            value, lines = _map([(indent + 2, item)] + lines[1:], indent + 2)
        else:
            value, lines = scalar(item), lines[1:]
        items.append(value)
    return items, lines


def _map(lines, indent):
    members = {}
    while lines and lines[0][0] == indent and not lines[0][1].startswith("- "):
        match = re.fullmatch(r"([\w.-]+):(?: +(.*))?", lines[0][1])
        if not match:
            raise Unreadable(f"{lines[0][1]}: no key")
        key, text = match.groups()
        if key in members:
            raise Unreadable(f"{key} stands twice")
        lines = lines[1:]
        if text:
            members[key] = scalar(text)
        else:  # a list may stand as far left as its key
            nested = indent if lines and lines[0][1].startswith("- ") else indent + 1
            members[key], lines = _block(lines, nested)
    return members, lines


# ---- markdown ----------------------------------------------------------------------------------------

def split_front_matter(text):
    match = re.match(r"---\n(.*?)\n---\n(.*)", text, re.S)
    if not match:
        raise Unreadable("no front matter between two lines of ---")
    front = parse_yaml(match.group(1))
    if not isinstance(front, dict):
        raise Unreadable("the front matter is not a map")
    return front, match.group(2)


def sections(body):
    """{name: text} of the second-level sections, in order."""
    parts = re.split(r"^## (.+)$", body, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def table(text):
    """The rows of the first table as dicts by column."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in text.splitlines() if line.startswith("|")]
    if len(rows) < 3:
        raise Unreadable("no table with rows")
    if any(len(row) != len(rows[0]) for row in rows):
        raise Unreadable("a row of the table has another number of cells")
    return [dict(zip(rows[0], row)) for row in rows[2:]]


def fenced(text, kind):
    match = re.search(rf"^```{kind}\n(.*?)^```$", text, re.S | re.M)
    if not match:
        raise Unreadable(f"no ```{kind} block")
    return match.group(1)

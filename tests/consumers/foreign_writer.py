#!/usr/bin/env python3
"""foreign_writer.py - a stand-in for the other program that writes the same log: appends and prunes.

SPDX-License-Identifier: Apache-2.0

Usage: foreign_writer.py [--lock] [--count N] [--style single|pieces] [--prune none|rename|in-place]
                         [--every K] FOLDER

Appends N records to FOLDER/executions.jsonl, each with "metadata": {"foreign": i}: `single` with
f.write(json.dumps(r) + "\\n"), `pieces` with json.dump() on an unbuffered file, which makes many writes of
one record.  Every K records it appends one that has expired and prunes all expired ones: by a new file
and a rename, or by writing the same file again.  Without --lock it knows nothing of anybody else; with it
it follows the protocol of docs/format.md.  It says "begins" on standard output before the first record.
"""
import argparse
import contextlib
import fcntl
import io
import json
import os
import sys

EXPIRED = "2020-01-01T00:00:00Z"
RECENT = "2026-06-01T00:00:00Z"


@contextlib.contextmanager
def locked(folder):
    """The documented protocol: the turnstile, then the lock; again when somebody removed the lock."""
    while True:
        turnstile = os.open(os.path.join(folder, ".next"), os.O_RDWR | os.O_CREAT, 0o600)
        lock = os.open(os.path.join(folder, ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(turnstile, fcntl.LOCK_EX)
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.close(turnstile)
            turnstile = -1
            held = os.fstat(lock)
            with contextlib.suppress(FileNotFoundError):
                named = os.stat(os.path.join(folder, ".lock"))
                if (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino):
                    yield
                    return
        finally:
            if turnstile >= 0:
                os.close(turnstile)
            os.close(lock)


class Pieces(io.FileIO):
    """An unbuffered file for json.dump(): each piece of text is a write of its own."""

    def write(self, text):
        return super().write(text.encode())


class Writer:
    def __init__(self, folder, style, prune, lock):
        self.folder, self.style, self.prune_how = folder, style, prune
        self.log = os.path.join(folder, "executions.jsonl")
        self.turn = (lambda: locked(folder)) if lock else contextlib.nullcontext
        self.ends_torn_lines = lock

    def append(self, record):
        with self.turn():
            if self.ends_torn_lines and self.is_torn():
                with open(self.log, "a", encoding="utf-8") as file:
                    file.write("\n")
            if self.style == "single":
                with open(self.log, "a", encoding="utf-8") as file:
                    file.write(json.dumps(record) + "\n")
            else:
                with Pieces(self.log, "a") as file:
                    json.dump(record, file)
                    file.write("\n")

    def is_torn(self):
        with open(self.log, "ab+") as file:
            size = file.seek(0, os.SEEK_END)
            return size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"

    def prune(self):
        with self.turn():
            with open(self.log, "rb") as file:
                lines = file.readlines()
            kept = [line for line in lines if EXPIRED.encode() not in line]
            if self.prune_how == "in-place":
                with open(self.log, "wb") as file:
                    file.writelines(kept)
                return
            with open(self.log + ".tmp", "wb") as file:
                file.writelines(kept)
            os.rename(self.log + ".tmp", self.log)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--lock", action="store_true")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--style", choices=["single", "pieces"], default="single")
    parser.add_argument("--prune", choices=["none", "rename", "in-place"], default="none")
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("folder")
    args = parser.parse_args()

    writer = Writer(args.folder, args.style, args.prune, args.lock)
    print("begins", flush=True)
    for number in range(args.count):
        writer.append({"timestamp": RECENT, "agent": "coach", "success": number % 3 != 0, "quality_score": 0.5,
                       "metadata": {"foreign": number}})
        if args.prune != "none" and number % args.every == 0:
            writer.append({"timestamp": EXPIRED, "agent": "coach", "success": False})
            writer.prune()
    return 0


if __name__ == "__main__":
    sys.exit(main())

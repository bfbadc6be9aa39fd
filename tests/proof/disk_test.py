#!/usr/bin/env python3
"""disk_test.py - real disks that are full, or become read-only, and what comes after.

SPDX-License-Identifier: Apache-2.0

Usage: disk_test.py [--quick]

Needs to mount: a tmpfs of 80 KiB, and an ext4 image of 8 MB on a loop device; what cannot be mounted here is
skipped, visibly.  On each: records until the disk is full, space freed (by little and by much), the refused
record given again, records go on; a remount read-only between records, and back.  Checked by the same checks
as the interruptions: no line fused with another, every record told once, no refused one, summary a recount.
"""
import argparse
import os
import shutil
import subprocess
import sys

import proof_world as world

BALLAST = "ballast"
CANNOT_START = -3  # KAIZEN_E_CONFIG: the project root is refused


class Disk:
    """A small file system on a folder of its own."""

    def __init__(self, folder, name, options, image=None):
        self.mount_point = os.path.join(folder, name)
        self.root = os.path.join(self.mount_point, "project")
        os.mkdir(self.mount_point)
        source = image or "none"
        self.problem = run("mount", *options, source, self.mount_point)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.problem:
            run("umount", self.mount_point)

    def fill(self, leave):
        """All but about `leave` bytes are taken."""
        path = os.path.join(self.mount_point, BALLAST)
        size = os.statvfs(self.mount_point)
        free = size.f_bavail * size.f_frsize - leave
        with open(path, "ab", buffering=0) as file:
            try:
                while free > 0:
                    free -= file.write(bytes(min(free, 4096)))
            except OSError:
                pass

    def free(self):
        os.unlink(os.path.join(self.mount_point, BALLAST))


def run(*command):
    """Why it failed, or None."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return (done.stderr.strip() or f"{command[0]} failed") if done.returncode else None


class Test:
    def __init__(self):
        self.failures, self.rounds, self.records = 0, 0, 0
        self.driver = world.Driver()

    def fail(self, where, wrong):
        self.failures += 1
        for message in wrong:
            print(f"FAILED {where}: {world.shorten(message)}", flush=True)

    def give(self, root, fsync, most, facts):
        lines, end = self.driver.ask("fill", root, fsync, most)
        codes = []
        for line in lines:
            facts.read(line)
            words = line.split(" ")
            if words[0] == "told":
                codes.append(int(words[3]))
        self.records += sum(1 for code in codes if code == 0)
        return codes, ([] if end == ("done", 0) else [f"ended by {end}"])

    def check_refusal(self, root, facts):
        """Promise 3, while the disk is still full."""
        log = world.read_bytes(os.path.join(world.agent_folder(root), "executions.jsonl"))
        keys = [record.key for record in world.oracle.read_log(log)]
        wrong = []
        for key, code in facts.told.items():
            if code in (0, 1) and keys.count(key) != 1:
                wrong.append(f"promise 1: {key} was told {code}, {keys.count(key)} records")
            elif code is not None and -95 <= code < 0 and f'"{key}"'.encode() in log:
                wrong.append(f"promise 3: {key} was answered {code} and is in the log")
        return wrong

    def full(self, disk, name, fsync, leave):
        where = f"{name}, fsync {fsync}, {leave} bytes left"
        world.fresh(disk.root)
        facts = world.Facts()
        _, wrong = self.give(disk.root, fsync, 3, facts)
        disk.fill(leave)
        codes, more = self.give(disk.root, fsync, 100000, facts)
        wrong += more
        if not codes or codes[-1] >= 0 or codes[-1] > -64:
            wrong.append(f"a full disk was answered {codes[-1:]}")
        wrong += self.check_refusal(disk.root, facts)
        disk.free()
        wrong += world.recover(self.driver, disk.root, fsync, "disk", only_some(facts))
        self.rounds += 1
        if wrong:
            self.fail(where, wrong)

    def read_only(self, disk, name, fsync):
        world.fresh(disk.root)
        facts = world.Facts()
        _, wrong = self.give(disk.root, fsync, 3, facts)
        problem = run("mount", "-o", "remount,ro", disk.mount_point)
        if problem:
            print(f"SKIP {name} read-only: {problem}")
            return
        before = world.snapshot(disk.root)
        lines, _ = self.driver.ask("fill", disk.root, fsync, 10)
        if any(line.startswith("told") and int(line.split(" ")[3]) >= 0 and line.split(" ")[2] not in facts.told
               for line in lines):
            wrong.append("recorded on a read-only disk")
        if lines != [f"open {CANNOT_START}"]:  # nothing that is open for writing lives on such a disk
            wrong.append(f"a read-only disk was answered {lines[-1:]}")
        if world.snapshot(disk.root) != before:
            wrong.append("a read-only disk changed")
        run("mount", "-o", "remount,rw", disk.mount_point)
        wrong += world.recover(self.driver, disk.root, fsync, "disk", facts)
        self.rounds += 1
        if wrong:
            self.fail(f"{name}, fsync {fsync}, read-only", wrong)

    def on(self, disk, name, leaves):
        if disk.problem:
            print(f"SKIP {name}: {disk.problem}")
            return
        for fsync in ("never", "always"):
            for leave in leaves:
                self.full(disk, name, fsync, leave)
            self.read_only(disk, name, fsync)


def only_some(facts):
    """As many of the told keys as one command takes, the last ones (and the refused one) among them."""
    fewer = facts.copy()
    fewer.told = dict(list(facts.told.items())[:10] + list(facts.told.items())[-30:])
    return fewer


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()

    folder = world.work_folder()
    test = Test()
    # what is freed must hold more than a checkpoint and its successor
    leaves = [0, 5000, 20000] if args.quick else list(range(0, 26000, 500))
    with Disk(folder, "tmpfs", ["-t", "tmpfs", "-o", "size=80k"]) as disk:
        test.on(disk, "tmpfs of 80 KiB", leaves)
    image = os.path.join(folder, "image")
    with open(image, "wb") as file:
        file.truncate(8 << 20)
    problem = run("mkfs.ext4", "-q", "-F", image)
    if problem:
        print(f"SKIP ext4 of 8 MB: {problem}")
    else:
        with Disk(folder, "ext4", ["-o", "loop"], image) as disk:
            test.on(disk, "ext4 of 8 MB", leaves if args.quick else leaves[::4])
    test.driver.close()
    shutil.rmtree(folder, ignore_errors=True)
    world.figures([("full_disk_rounds", test.rounds, "rounds"), ("full_disk_records", test.records, "records")])
    if test.rounds == 0:
        return 77
    print(f"disk_test: {test.failures} failures" if test.failures else "disk_test: all promises held")
    return 1 if test.failures else 0


if __name__ == "__main__":
    sys.exit(main())

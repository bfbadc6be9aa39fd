#!/usr/bin/env python3
"""shutdown_bare.py - what a forced shutdown of ext4 takes from a bare loop of append and fdatasync.

SPDX-License-Identifier: Apache-2.0

Usage: shutdown_bare.py [ROUNDS]         as root; 10 rounds

No code of ours takes part.  Threads append a line and sync it, and count a line when fdatasync() has answered
0.  Then the file system is shut down without its journal (EXT4_IOC_SHUTDOWN, no flush), unmounted and mounted
again.  A line that was counted and is not there was lost by the kernel: docs/reliability.md, "Not ours".
"""
import fcntl
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
THREADS = 8
SKIPPED = 77


def append_until_it_fails(path, number, answered):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        while True:
            os.write(fd, b"%d %d %020d\n" % (number, answered[number], 0))
            os.fdatasync(fd)
            answered[number] += 1
    except OSError:
        os.close(fd)


def lines_in(folder):
    found = set()
    for name in os.listdir(folder):
        if name.startswith("f"):
            with open(os.path.join(folder, name), "rb") as file:
                found |= {tuple(line.split()[:2]) for line in file if line.count(b" ") == 2}
    return found


def lose_power(image, folder, seconds):
    """How many lines were answered, and how many of them are gone."""
    with open(image, "wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    answered = [0] * THREADS
    for number in range(THREADS):
        open(os.path.join(folder, f"f{number}"), "wb").close()
    os.sync()
    threads = [threading.Thread(target=append_until_it_fails,
                                args=(os.path.join(folder, f"f{number}"), number, answered))
               for number in range(THREADS)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    fd = os.open(folder, os.O_RDONLY)
    fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
    os.close(fd)
    for thread in threads:
        thread.join()
    subprocess.run(["umount", folder], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    there = lines_in(folder)
    subprocess.run(["umount", folder], check=True)
    told = {(b"%d" % number, b"%d" % line) for number in range(THREADS) for line in range(answered[number])}
    return len(told), len(told - there)


def main():
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        print("SKIP: wants root and mkfs.ext4")
        return SKIPPED
    work = tempfile.mkdtemp(prefix="kaizen-shutdown-")
    folder = os.path.join(work, "disk")
    os.mkdir(folder)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with_loss = 0
    for number in range(rounds):
        told, gone = lose_power(os.path.join(work, "image"), folder, 0.8 + 0.17 * number)
        print(f"round {number}: {told} lines answered, {gone} of them gone", flush=True)
        with_loss += gone > 0
    shutil.rmtree(work, ignore_errors=True)
    print(f"rounds with loss: {with_loss} of {rounds}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

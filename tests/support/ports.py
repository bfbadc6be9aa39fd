# ports.py - ports of the loopback for servers that have to know theirs beforehand, or come back to it.
#
# SPDX-License-Identifier: Apache-2.0
import pathlib
import random
import socket

LOWEST = 10000
RANGE = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count):
    """Ports that nobody has, and that the kernel gives to no connection while a server is away: another test could get
    the port, and a client that tries a dead server again and again could connect to itself."""
    try:
        highest = int(RANGE.read_text().split()[0]) - 1
    except OSError:
        highest = 32767
    ports = []
    for port in random.sample(range(LOWEST, max(highest, LOWEST + 1000)), 500):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError(f"fewer than {count} free ports of the loopback")

#!/usr/bin/env python3
"""plot.py - the lines of bench_latency as a picture: one panel a number of threads and fsync setting.

SPDX-License-Identifier: Apache-2.0

Usage: plot.py [FILE] > docs/latency.svg     FILE: what `qa/bench bench_latency` printed; else standard input
       plot.py --table [FILE]                the same as a Markdown table
"""
import math
import sys

STATES = ["off", "up", "down", "frozen", "draining"]
FSYNCS = ["never", "always"]
SHARES = ["p50", "p99", "p999", "max"]
LABELS = {"p50": "p50", "p99": "p99", "p999": "p99.9", "max": "max"}
THREADS = [1, 4, 16, 64]
COLOURS = {"p50": "#1b6ca8", "p99": "#3a9d5d", "p999": "#d98c1f", "max": "#b23a48"}
WIDTH, HEIGHT, LEFT, TOP, GAP, BELOW = 240, 170, 56, 46, 18, 44


def read(file):
    values = {}
    for line in file:
        words = line.split()
        parts = words[0].split(".") if words else []
        if len(parts) == 5 and parts[0] == "latency":
            values[parts[1], parts[2], int(parts[3]), parts[4]] = float(words[1])
    return values


def shown(us):
    return f"{us:.0f} us" if us < 1000 else f"{us / 1000:.1f} ms" if us < 100_000 else f"{us / 1000:.0f} ms"


def axis(power):
    """The name of 10**power us."""
    return f"{10 ** (power % 3)} {('us', 'ms', 's')[power // 3]}"


def table(values):
    print("| broker | fsync | threads | p50 | p99 | p99.9 | max |\n|---|---|---|---|---|---|---|")
    for state in STATES:
        for fsync in FSYNCS:
            for threads in THREADS:
                row = [values.get((state, fsync, threads, share)) for share in SHARES]
                if None not in row:
                    print(f"| {state} | {fsync} | {threads} | " + " | ".join(map(shown, row)) + " |")


def panel(values, fsync, threads, x, y, low, high):
    def height(us):
        return y + HEIGHT - HEIGHT * (math.log10(us) - low) / (high - low)

    out = [f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>',
           f'<text x="{x + WIDTH / 2}" y="{y - 6}" text-anchor="middle">{threads} '
           f'thread{"s" if threads > 1 else ""}, fsync {fsync}</text>']
    for power in range(low, high + 1):
        at = height(10 ** power)
        out.append(f'<line x1="{x}" x2="{x + WIDTH}" y1="{at:.1f}" y2="{at:.1f}" stroke="#eee"/>')
        if x == LEFT:
            out.append(f'<text x="{x - 6}" y="{at + 4:.1f}" text-anchor="end">{axis(power)}</text>')
    step = WIDTH / len(STATES)
    for place, state in enumerate(STATES):
        middle = x + step * (place + 0.5)
        out.append(f'<text x="{middle:.1f}" y="{y + HEIGHT + 13}" text-anchor="middle">{state}</text>')
        found = [(share, values[state, fsync, threads, share]) for share in SHARES
                 if (state, fsync, threads, share) in values]
        if found:
            out.append(f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="{height(found[0][1]):.1f}" '
                       f'y2="{height(found[-1][1]):.1f}" stroke="#bbb"/>')
        for share, us in found:
            out.append(f'<circle cx="{middle:.1f}" cy="{height(us):.1f}" r="4" fill="{COLOURS[share]}">'
                       f'<title>{state}, {LABELS[share]}: {shown(us)}</title></circle>')
    return out


def picture(values):
    low = math.floor(math.log10(min(values.values())))
    high = math.ceil(math.log10(max(values.values())))
    width = LEFT + len(THREADS) * (WIDTH + GAP)
    height = TOP + len(FSYNCS) * (HEIGHT + BELOW) - BELOW // 2
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
          f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">')
    print('<rect width="100%" height="100%" fill="white"/>')
    for place, share in enumerate(SHARES):
        print(f'<circle cx="{LEFT + 8 + 70 * place}" cy="14" r="4" fill="{COLOURS[share]}"/>'
              f'<text x="{LEFT + 16 + 70 * place}" y="18">{LABELS[share]}</text>')
    for row, fsync in enumerate(FSYNCS):
        for column, threads in enumerate(THREADS):
            print("\n".join(panel(values, fsync, threads, LEFT + column * (WIDTH + GAP),
                                  TOP + row * (HEIGHT + BELOW), low, high)))
    print("</svg>")


def main():
    arguments = [word for word in sys.argv[1:] if word != "--table"]
    with open(arguments[0], encoding="utf-8") if arguments else sys.stdin as file:
        values = read(file)
    if not values:
        sys.exit("plot.py: no line begins with latency.")
    (table if "--table" in sys.argv else picture)(values)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""first_hour.py - a new user's first hour: installed, tried out, connected to a broker, looked after.

SPDX-License-Identifier: Apache-2.0

Usage: first_hour.py [PREFIX]     what is installed there, as it is; without it, the build installs to a folder

Prints the session as the user sees it; of every command the exit status and what it says are held to what is
expected, with the broker going up and down in between.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from broker_support import Server, wait_for

BUILD = os.environ.get("KAIZEN_TEST_BUILDDIR")
ID = r"[0-9a-f]{8}-[0-9a-f-]{27}"
failures = []


class Desk:
    """A user's home with a project, and a shell in it."""

    def __init__(self, folder, prefix, installed):
        self.home = folder / "home"
        self.project = self.home / "shop"
        (self.project / ".git").mkdir(parents=True)
        self.environment = {"PATH": f"{prefix}/bin:{os.environ['PATH']}", "HOME": str(self.home), "LC_ALL": "C.UTF-8",
                            "TERM": "dumb", "TMPDIR": str(folder)}
        if not installed:
            # It was configured for another prefix, where it looks for its plugin.
            self.environment["KAIZEN_PLUGIN_PATH"] = f"{prefix}/lib/kaizen/plugins"
        self.count = 0

    def step(self, command, status=0, *patterns, stays_silent=False):
        """Types a line; its status and all it says are as expected."""
        ended = subprocess.run(["sh", "-c", command], cwd=self.project, env=self.environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        said = ended.stdout
        print(f"$ {command}\n{said}", end="" if ended.returncode == 0 else f"(exit status {ended.returncode})\n")
        self.count += 1
        wrong = []
        if ended.returncode != status:
            wrong.append(f"status {ended.returncode}, not {status}")
        wrong += [f"nothing like {pattern!r}" for pattern in patterns if not re.search(pattern, said, re.M)]
        if stays_silent and said:
            wrong.append("it says something")
        failures.extend(f"{command}: {what}" for what in wrong)
        for what in wrong:
            print(f"FAILED: {what}")
        return said

    def start(self, command):
        print(f"$ {command} &")
        return subprocess.Popen(["sh", "-c", f"exec {command}"], cwd=self.project, env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def log(self, agent="coach"):
        return self.project / ".kaizen" / "metrics" / agent / "executions.jsonl"


def chapter(title):
    print(f"\n# {title}")


def looking_around(desk):
    chapter("What is this?")
    desk.step("kaizen-host --version", 0, r"^kaizen-host \d+\.\d+\.\d+$")
    desk.step("kaizen-host", 2, "no command; kaizen-host -h lists them")
    desk.step("kaizen-host -h", 0, "Examples", "^  record +record one run", "Exit status")
    desk.step("kaizen-host record -h", 0, "Examples\n.*\n  kaizen-host record coach --success")
    desk.step("kaizen-host info", 0, r"^plugin +kaizen.metrics", r"^file +/.*/kaizen_metrics.so$", "kaizen.inspect/1")
    desk.step("kaizen-host doctor", 0, r"project +.*/home/shop", "events are off by default", "0 problems")
    desk.step("kaizen-host show", 0, "nothing is recorded in .*/home/shop")


def first_records(desk):
    chapter("An agent has finished")
    desk.step("kaizen-host recrod coach", 2, "did you mean 'record'")
    desk.step("kaizen-host record coach", 2, "give --success or --failure")
    desk.step("kaizen-host record coach --success --time 120 --quality 0.9", 0,
              "^recorded coach: 1 run, 100.0% success →, quality 0.90 →$")
    desk.step("kaizen-host record coach --failure --time 340.5 -m error_type=timeout", 0, "2 runs, 50.0%")
    desk.step("kaizen-host record coach --success --quality 1.2", 4, "not recorded: quality_score is 1.2")
    desk.step("kaizen-host exec coach --quality 0.7 -- sh -c 'echo working; exit 0'", 0, "^working$")
    desk.step("kaizen-host exec coach -- sh -c 'exit 3'", 3, stays_silent=True)
    desk.step("kaizen-host exec coach -- no-such-program", 127, "no-such-program", "not recorded")
    desk.step("""echo '{"success": true, "quality_score": 0.8}' | kaizen-host record mentor --json -k run-17""", 0,
              "^recorded mentor: 1 run")
    desk.step("""echo '{"success": true, "quality_score": 0.8}' | kaizen-host record mentor --json -k run-17""", 0,
              "^duplicate of a record of mentor: 1 run")
    desk.step("kaizen-host metrics record mentor --success --time 3", 0, "^recorded mentor: 2 runs")


def looking_at_them(desk):
    chapter("How is it going?")
    desk.step("kaizen-host show coach", 0, "^coach  4 runs$", r"^  success  █▁█▁$", r"failure +6 min +timeout")
    desk.step("kaizen-host show cuach", 1, "no agent 'cuach'", "did you mean 'coach'")
    desk.step("kaizen-host list", 0, r"^agent +runs +success", r"^coach +4 +50.0% +50.0% +50.0% +0.80 .* too few to tell$", r"^mentor +2")
    desk.step("kaizen-host status", 0, "^events are off by default, 0 of 6 records marked$", r"^coach +4 +0")
    desk.step("kaizen-host report", 0, "coach  4 runs", r"  failed 2.*Z  timeout")
    desk.step("kaizen-host report --html report.html && grep -c '<svg' report.html", 0, "report.html: 2 agents", r"^([4-9]|\d\d)$")
    desk.step("kaizen-host openmetrics", 0, r'^kaizen_success_ratio\{project="shop",agent="coach"\} 0.5$', "^# EOF$")
    desk.step("kaizen-host openmetrics --textfile kaizen.prom && head -1 kaizen.prom", 0, "^# HELP kaizen_executions ")
    desk.step("kaizen-host list -o json", 0, r'^\{"agents":\[\{"agent":"coach","execution_count":4')
    desk.step("cat .kaizen/metrics/coach/summary.json", 0, r'^  "execution_count": 4,$')


def settings(desk):
    chapter("Settings")
    desk.step("kaizen-host config path", 0, "no configuration file; built-in defaults")
    desk.step("kaizen-host config set nats_ulr x", 3, "nats_url")
    desk.step("kaizen-host config set retention_days 365", 0, r"/home/.config/kaizen-host/config.json: retention_days is set")
    desk.step("kaizen-host config show", 0, r"^retention_days +365 +file /.*config.json", r"^fsync +never +default")
    desk.step("kaizen-host config get retention_days", 0, "^365$")
    desk.step("kaizen-host config unset retention_days && kaizen-host config get retention_days", 0, "^180$")
    desk.step("kaizen-host --set fsync=sometimes status", 3, "fsync", "sometimes")


def moving(desk):
    chapter("Out, and in again elsewhere")
    desk.step("kaizen-host export --all > all.jsonl; wc -l < all.jsonl", 0, "^6$")
    desk.step("mkdir ../copy; kaizen-host -C ../copy replay --derive-keys all.jsonl", 0,
              "^6 lines: 6 recorded, 0 duplicates, 0 rejected$")
    desk.step("kaizen-host -C ../copy replay --derive-keys all.jsonl", 0, "^6 lines: 0 recorded, 6 duplicates, 0 rejected$")
    desk.step("kaizen-host export coach >out && cmp out .kaizen/metrics/coach/executions.jsonl", 0, stays_silent=True)
    desk.step("echo '{\"agent\":\"coach\"}' | kaizen-host -C ../copy replay", 4, "1 line: 0 recorded", "line 1: .*success")


def damage(desk):
    chapter("Something went wrong in a file")
    desk.step("kaizen-host verify", 0, "^coach: 4 records, consistent$", "^mentor: 2 records, consistent$")
    desk.step("printf 'garbage\\n' >> .kaizen/metrics/coach/executions.jsonl; kaizen-host verify coach", 1,
              "^coach: 4 records, inconsistent$", "^  line 5: ")
    desk.step("kaizen-host status", 0, "1 line of the logs is not a record; 'verify' shows it")
    desk.step("kaizen-host verify coach --repair --dry-run", 1, "--repair would save and remove the bad lines")
    said = desk.step("kaizen-host verify coach --repair", 0, "consistent after the repair", "removed lines are in ")
    saved = re.search(r"are in (\S+)", said)
    if not saved or (desk.log().parent / saved.group(1)).read_text() != "garbage\n":
        failures.append("verify --repair: what was taken out is not where it says")
    desk.step("kaizen-host verify", 0, "^coach: 4 records, consistent$")


def without_a_broker(desk):
    chapter("An event, and nobody to take it")
    # A wait of ten minutes would end the test.
    desk.step("kaizen-host record coach --success --emit-event --wait 600", 5, "no broker answers at nats://127.0.0.1:",
              f"^event {ID}: pending$")
    desk.step("kaizen-host record coach --success --emit-event", 0, "the event stays in the log and is sent later")
    desk.step("kaizen-host status", 6, "^2 events pending, the oldest for ",
              "^events are off by default, 2 of 8 records marked$", "not reached")
    desk.step("kaizen-host drain --timeout 1", 5, "^0 of 2 events acknowledged, 2 pending, 0 dead letters$")
    desk.step("kaizen-host doctor", 6, "no broker answers")


def with_a_broker(desk, server):
    chapter("A broker")
    desk.step("kaizen-host broker check", 6, ": connected, .*JetStream on$", "cannot be published: no stream")
    desk.step("kaizen-host broker init --dry-run", 0, "would-create")
    desk.step("kaizen-host broker init", 0, "^action +created$", "can be published$")
    desk.step("kaizen-host broker check", 0, "^stream +ACTIVITY_EVENTS: activity.>, org.>; 1 replica")
    desk.step("kaizen-host drain", 0, "^2 of 2 events acknowledged, 0 pending, 0 dead letters$")
    desk.step("kaizen-host config set emit_event true", 0, "emit_event is set")
    desk.step("kaizen-host record mentor --success", 0, f"^event {ID}: acknowledged$")
    desk.step("kaizen-host record mentor --success --no-emit-event", 0, "^recorded mentor: 4 runs")
    desk.step("kaizen-host status", 0, "^everything is sent: 3 events acknowledged, 3 of 10 records marked$", "can be published$")
    desk.step("kaizen-host dead-letters list", 0, "no dead letters in ")
    desk.step("kaizen-host doctor", 0, r"broker +nats://127.0.0.1:\d+, stream ACTIVITY_EVENTS", "0 problems")
    desk.step("kaizen-host drain --resend-all", 0, "^3 of 3 events acknowledged")

    watch = desk.start("kaizen-host watch -n 1")
    while watch.poll() is None:  # it sees what comes after it
        desk.step("kaizen-host record coach --failure -q", 0, stays_silent=True)
    seen = watch.communicate()[0]
    print(seen, end="")
    if not re.fullmatch(rf"2\S+Z  shop coach  [\d.]+% of \d+, quality 0\.80  {ID}\n", seen):
        failures.append(f"watch: {seen!r}")


def a_relay(desk):
    chapter("A relay publishes for all projects, and hosts only record")
    roots = desk.home / "roots"
    roots.write_text(f"# my projects\n{desk.project}\n")
    desk.step("kaizen-host config set delivery relay", 0, "delivery is set")
    relay = desk.start(f"kaizen-host drain --follow --roots {roots}")
    first = relay.stderr.readline()
    print(first, end="")
    if f"publishing for {desk.project}" not in first:
        failures.append(f"drain --follow: {first!r}")
    desk.step("kaizen-host record relayed --success --wait 60", 0, f"^event {ID}: acknowledged$")
    desk.step("kaizen-host status --no-broker", 0, r"^publisher  process \d+$")
    relay.send_signal(signal.SIGTERM)
    relay.communicate(timeout=60)
    if relay.returncode != 0:
        failures.append(f"drain --follow ends with {relay.returncode} on SIGTERM")


def a_coding_agent(desk):
    chapter("The coding agent that is in use anyway")
    desk.step("kaizen-host install-hooks claude-code --dry-run", 0, r"^\+.*kaizen-host hook claude-code", "nothing written")
    desk.step("kaizen-host install-hooks claude-code", 0, "hooks installed")
    settings_file = desk.home / ".claude" / "settings.json"
    json.loads(settings_file.read_text())
    desk.step("kaizen-host uninstall-hooks claude-code", 0, "hooks removed")
    if settings_file.exists():
        failures.append("uninstall-hooks leaves a file that was not there before")


def in_the_end(desk, server):
    chapter("In the end")
    server.kill()
    wait_for(lambda: not server.process, "the server to end")
    desk.step("kaizen-host verify", 0, "^coach: .* consistent$", "^mentor: .* consistent$", "^relayed: 1 record, consistent$")
    desk.step("kaizen-host complete -- show ''", 0, "^coach\t$", "^mentor\t$")
    desk.step("find . -name .kaizen -prune -o -type f -print | sort", 0, r"^\./all.jsonl$")
    outside = [path for path in desk.home.rglob("*") if path.is_file() and ".kaizen" not in path.parts
               and path.parent not in (desk.project, desk.home) and ".config/kaizen-host" not in str(path)
               and ".local/state/kaizen-host" not in str(path)]
    if outside:
        failures.append(f"it left {outside}")


def install(folder):
    prefix = folder / "prefix"
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "DESTDIR")}
    subprocess.run([os.environ.get("MAKE", "make"), "-C", BUILD, "-s", "install", f"prefix={prefix}"], env=environment,
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"$ make install prefix={prefix}")
    return prefix


def main():
    if not shutil.which("nats-server"):
        print("first_hour: skipped: nats-server is not installed")
        return 77
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        installed = len(sys.argv) > 1
        desk = Desk(folder, pathlib.Path(sys.argv[1]) if installed else install(folder), installed)
        server = Server(folder / "broker").start()
        desk.environment["NATS_URL"] = server.url
        server.kill()
        try:
            for play in (looking_around, first_records, looking_at_them, settings, moving, damage, without_a_broker):
                play(desk)
            server.start()
            with_a_broker(desk, server)
            a_relay(desk)
            a_coding_agent(desk)
            in_the_end(desk, server)
        finally:
            server.kill()
    for text in failures:
        print(f"first_hour: {text}")
    if not failures:
        print(f"first_hour: {desk.count} commands did what they should")
    return 1 if failures else 0


sys.exit(main())

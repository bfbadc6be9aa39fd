#!/usr/bin/env python3
"""nemo_relay_real.py - the real NeMo Relay loads the plugin by install-hooks' package, and its runs become records.

SPDX-License-Identifier: Apache-2.0

The unmodified npm package nemo-relay-node, on the Node.js it wants, as './bootstrap extras' puts them into
build/extras/nemo-relay; skipped without them.  It runs in a network namespace with nothing but the loopback, where a
nats-server stands for the scene with events.
"""
import base64
import fcntl
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import unittest

from broker_support import Client, Server
from shim_support import HostTest

HERE = pathlib.Path(__file__).resolve().parent
PLUGIN = os.environ["KAIZEN_TEST_PLUGIN"]
MODULES = pathlib.Path(os.environ["KAIZEN_TEST_BUILDDIR"]) / "extras" / "nemo-relay" / "node_modules"
NODE = MODULES / "node" / "bin" / "node"
INTEGRITY_ONLY = '[plugins.policy.defaults]\nattestation = "integrity_only"\n'


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def enter_namespace():
    """Starts again in a network namespace of its own, the loopback up."""
    if os.environ.get("KAIZEN_TEST_ALONE"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            request = fcntl.ioctl(any_socket, 0x8913, struct.pack("16sh22x", b"lo", 0))  # SIOCGIFFLAGS
            flags = struct.unpack("16sh22x", request)[1] | 1  # IFF_UP
            fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", flags))  # SIOCSIFFLAGS
        return
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        skip("no network namespace can be made here")
    os.execvpe(unshare[0], [*unshare, sys.executable, *sys.argv], {**os.environ, "KAIZEN_TEST_ALONE": "1"})


class Relay(HostTest):
    def setUp(self):
        super().setUp()
        self.settings = self.home / ".config" / "nemo-relay"
        # A library of this test's own: its digest, and what it is signed with, may change.
        self.module = self.home / "kaizen_metrics.so"
        shutil.copy(PLUGIN, self.module)

    def kaizen(self, *arguments):
        return self.expect(0, "--plugin", self.module, *arguments)

    def install(self, more="", policy=INTEGRITY_ONLY):
        told = self.kaizen("install-hooks", "nemo-relay")
        lines = re.search(r"^\[\[plugins\.dynamic\]\]\n(?:.+\n)+", told, re.M)
        if lines:
            (self.settings / "lines").write_text(lines.group())
        lines = (self.settings / "lines").read_text()
        (self.settings / "plugins.toml").write_text(f"version = 1\n{policy}\n{lines}{more}")

    def scene(self, name, argument="", status=0):
        """What the scene said, as JSON; nothing of ours may be on its standard output."""
        result = subprocess.run([NODE, HERE / "scene.mjs", MODULES, self.settings / "plugins.toml", name, argument],
                                env={"HOME": str(self.home), "PATH": os.environ["PATH"]}, text=True, check=False, timeout=120,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        self.errors = result.stderr
        return json.loads(result.stdout) if result.stdout else None

    def records(self):
        found = []
        for log in sorted(self.project.glob(".kaizen/metrics/*/executions.jsonl")):
            text = log.read_text()
            self.assertNotIn("CANARY", text)
            found += [json.loads(line) for line in text.splitlines()]
        return found

    def by_agent(self):
        return {record["metadata"].get("agent_name", record["agent"]): record for record in self.records()}

    def test_each_kind_of_run_is_one_record(self):
        self.install()
        self.scene("kinds")
        found = self.by_agent()
        self.assertEqual(sorted(found), ["Triage Agent", "claude-code-turn", "coach", "helper"])
        self.assertEqual(len(self.records()), 4)
        triage, coach = found["Triage Agent"], found["coach"]
        self.assertEqual((triage["success"], triage["session_id"], triage["tokens"]), (True, "s-1", 18))
        self.assertEqual(triage["metadata"]["model"], "gpt-4.1-mini")
        self.assertEqual(triage["metadata"]["outcome"], "completed")
        self.assertEqual(found["helper"]["tokens"], 18)
        self.assertEqual((coach["success"], coach["metadata"]["outcome"]), (False, "failed"))
        self.assertEqual(found["claude-code-turn"]["session_id"], "s-2")
        for record in found.values():
            self.assertGreaterEqual(record["execution_time_s"], 0)
            self.assertRegex(record["idempotency_key"], r"^[0-9a-f-]{36}$")
            self.assertEqual(record["metadata"]["host"], "nemo-relay")
            self.assertIn("host_version", record["metadata"])

    def test_a_crowd_loses_none(self):
        self.install()
        self.scene("crowd")
        found = self.records()
        self.assertEqual(len(found), 400)
        self.assertEqual(len({record["idempotency_key"] for record in found}), 400)
        self.assertEqual(sum(not record["success"] for record in found), 80)

    def test_what_is_closed_or_flushed_is_all_there(self):
        self.install()
        self.scene("ends", "close")
        self.assertEqual(len(self.records()), 200)
        self.scene("ends", "flush")
        self.assertEqual(len(self.records()), 400)
        self.scene("ends", "exit")  # the host forgets what it still has queued: not ours to promise
        kept = len(self.records()) - 400
        print(f"of 200 runs before an exit without close() or a flush, {kept} were recorded")
        self.assertLessEqual(kept, 200)
        self.scene("ends", "close")  # whatever the exit interrupted is right again with the next record
        self.assertEqual(len(self.records()), 600 + kept)
        self.kaizen("verify")

    def test_close_under_load_loses_none(self):
        self.install()
        self.assertEqual(self.scene("close_under_load")["ended"], len(self.records()))

    def test_runs_across_the_ends_of_a_component(self):
        self.install()
        self.scene("open_at_close")
        self.assertEqual([record["agent"] for record in self.records()], ["started-before"])
        self.assertNotIn("execution_time_s", self.records()[0])
        self.assertIn("runs that had not ended at close: 1;", self.errors)
        self.install('aborted = "failure"\n')
        self.scene("open_at_close")
        left = self.by_agent()["left-open"]
        self.assertEqual((left["success"], left["metadata"]["outcome"]), (False, "aborted"))

    def test_reloads_leave_nothing_behind(self):
        self.install()
        said = self.scene("reloads")
        self.assertEqual(said["before"], said["after"])
        self.assertEqual(len(self.records()), 30)

    def test_refusals_are_the_hosts_own_errors(self):
        for more, says in (('projekt = "x"\n', "projekt"), ("nested = 1\n", "nested"), ('aborted = "maybe"\n', "aborted"),
                           ("retention_days = -1\n", "retention_days")):
            self.install(more)
            self.assertIn(says, self.scene("refused").get("refused", "loaded"), more)
        self.install()
        text = (self.settings / "plugins.toml").read_text()
        (self.settings / "plugins.toml").write_text(re.sub("project_root = .*\n", "", text))
        self.assertIn("project_root", self.scene("refused").get("refused", "loaded"))
        self.assertEqual(self.records(), [])

    def test_a_changed_library_is_told_by_doctor_and_refused_by_the_host(self):
        self.install()
        self.assertIn("the digest matches", self.kaizen("doctor", "--no-broker"))
        with open(self.module, "ab") as library:
            library.write(b"more")
        self.assertIn("the digest does not match", self.kaizen("doctor", "--no-broker"))
        self.assertIn("refused", self.scene("refused"))
        self.install()
        self.assertIn("the digest matches", self.kaizen("doctor", "--no-broker"))
        self.assertIn("loaded", self.scene("refused"))

    def test_the_default_policy_wants_a_signature(self):
        if not shutil.which("openssl"):
            self.skipTest("no openssl")
        key, raw = self.home / "key.pem", self.home / "signature"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True,
                                stdout=subprocess.PIPE).stdout[-32:]
        subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", self.module, "-out", raw], check=True)
        self.install(policy="")
        self.assertIn("refused", self.scene("refused"))
        pathlib.Path(f"{self.module}.sig").write_text(base64.b64encode(raw.read_bytes()).decode())
        trusted = base64.b64encode(public).decode()
        self.install(policy=f'[plugins.policy.defaults]\ntrusted_public_keys = ["ed25519:{trusted}"]\n')
        self.assertIn("loaded", self.scene("refused"))

    def test_a_broker_gets_each_event_once(self):
        if not shutil.which("nats-server"):
            self.skipTest("no nats-server")
        server = Server(self.home / "broker").start()
        self.addCleanup(server.kill)
        client = Client(server.url)
        self.addCleanup(client.close)
        client.make_stream()
        self.install(f'emit_event = true\nnats_url = "{server.url}"\n')
        self.scene("crowd")
        self.kaizen("--set", f"nats_url={server.url}", "drain", "--timeout", "120")
        sent = [event["id"] for _, event in client.messages()]
        self.assertEqual(sorted(sent), sorted(record["event_id"] for record in self.records()))


if __name__ == "__main__":
    if not NODE.is_file():
        skip("no NeMo Relay here; './bootstrap extras' fetches it")
    enter_namespace()
    print("seen with", json.dumps({name: json.loads((MODULES / name / "package.json").read_text())["version"]
                                   for name in ("node", "nemo-relay-node")}), flush=True)
    unittest.main(verbosity=2)

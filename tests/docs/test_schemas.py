# test_schemas.py - what kaizen-host prints with -o json has the shape docs/schemas/ gives it, and no member more.
#
# SPDX-License-Identifier: Apache-2.0
import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

from broker_support import Server
from shim_support import BROKER_INIT, HostTest, clean_environment

try:
    import jsonschema
except ImportError:
    print("skipped: python3-jsonschema is not installed")
    sys.exit(77)

TOP = pathlib.Path(os.environ.get("KAIZEN_TEST_SRCDIR") or pathlib.Path(__file__).resolve().parents[2])
EVENT = "kaizen.metrics.recorded"
GARBAGE = b'{"agent":"coach"\n'


def closed(schema):
    """The same without room for members that the schema does not mention."""
    if isinstance(schema, dict):
        schema = {name: closed(value) for name, value in schema.items()}
        if isinstance(schema.get("properties"), dict):
            schema["additionalProperties"] = False
    elif isinstance(schema, list):
        schema = [closed(value) for value in schema]
    return schema


class Schemas(HostTest):
    def setUp(self):
        super().setUp()
        self.expect(0, "record", "coach", "--success", "--time", "1.5", "--quality", "0.9", "--primary", "tests=41/50",
                    "-m", "model=m", "--session-id", "s", "-k", "k", "--emit-event",
                    env={"HELIX_REPO": "r", "HELIX_TOKENS": "7", "HELIX_INFRA_OVERHEAD_SHARE": "0.1"})
        self.expect(0, "record", "mentor", "--failure")

    def fits(self, name, text):
        folder = TOP / "event-types" if name == EVENT else TOP / "docs" / "schemas"
        schema = json.loads((folder / f"{name}.schema.json").read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        document = json.loads(text)
        jsonschema.Draft7Validator(closed(schema)).validate(document)
        return document

    def document(self, name, status, *arguments, **options):
        return self.fits(name, self.expect(status, *arguments, "-o", "json", **options))

    def test_recording_whatever_comes_of_it(self):
        self.document("record", 0, "record", "coach", "--success")
        self.assertEqual(self.document("record", 0, "record", "coach", "--success", "-k", "k")["result"], "DUPLICATE")
        self.assertEqual(self.document("record", 4, "record", "coach", "--success", "--quality", "2")["result"], "E_REJECTED")
        self.assertEqual(self.document("record", 3, "--plugin", "/nowhere/x.so", "record", "coach", "--success")["result"],
                         "NOT_RECORDED")
        told = self.messages(0, "exec", "coach", "-q", "-o", "json", "--", "true")
        self.fits("record", told.splitlines()[-1])
        self.document("import", 0, "import", "codex")
        self.document("replay", 4, "replay", stdin='{"agent":"coach","success":true}\n{"agent":"coach"}\n')

    def test_the_plugin_and_the_schema_of_its_input_agree(self):
        schema = json.loads((TOP / "docs" / "schemas" / ("execution-input" + ".schema.json")).read_text())
        judge = jsonschema.Draft7Validator(schema)
        values = {
            "timestamp": ["2026-03-04T05:06:07Z", "2026-03-04T05:06:07+02:00", None, 7, "yesterday"],
            "agent": ["a", "_", "a.b-c", ".a", "-a", "a.", "a b", "", "optimizer", "x" * 64, "x" * 65, None, 7],
            "session_id": ["", "s", None, 7], "execution_time_s": [0, 1.5, -1, "1", None],
            "success": [True, False, None, 1, "true"], "quality_score": [0, 1, 0.5, 85, -1, "0.9", None],
            "primary_metric": [{"name": "n", "value": 1}, {"name": "n", "value": 1, "target": None}, {"name": "", "value": 1},
                               {"name": "n"}, {"name": "n", "value": 1, "unit": "s"}, [], None],
            "metadata": [{}, {"a": [1]}, [], "m", None], "idempotency_key": ["k", "", "k" * 512, "k" * 513, 7, None],
            "tokens": [0, 7, -1, 1.5, "7", None], "infra_overhead_share": [0.5, "0.5", None], "repo": ["r", 7, None],
            "x_ticket": ["A-1", 1.5, True, None, [], {}], "x_": [1], "reviewer": ["r"], "event": [{}, 7], "event_id": ["x", 7]}
        sys.path.insert(0, str(TOP / "examples"))
        import kaizen_ctypes  # the table's own call, which takes the agent from the text
        with kaizen_ctypes.Kaizen(os.environ["KAIZEN_TEST_PLUGIN"], project_root=str(self.project), retention_days=0) as kaizen:
            for name, given in values.items():
                for value in given:
                    record = {"agent": "coach", "success": True, name: value}
                    why = None
                    try:
                        kaizen.record_json(json.dumps(record))
                    except kaizen_ctypes.KaizenError as refused:
                        why = refused.reason
                    self.assertEqual(why is None, judge.is_valid(record), (record, why))

    def test_the_plugin_and_the_schema_of_its_settings_agree(self):
        sys.path.insert(0, str(TOP / "examples"))
        import kaizen_ctypes
        root = {"project_root": str(self.project)}
        with kaizen_ctypes.Kaizen(os.environ["KAIZEN_TEST_PLUGIN"], **root) as kaizen:
            table, instance = kaizen.table, kaizen.instance
            table.stop(instance, 0)
            schema = json.loads(table.config_schema)
            jsonschema.Draft202012Validator.check_schema(schema)
            judge = jsonschema.Draft202012Validator(schema)

            def agree(settings, name):
                text = json.dumps(settings).encode()
                taken = table.configure(instance, text, len(text)) == 0
                if name == "nats_url" and not taken and isinstance(settings[name], str):
                    return  # its form is more than a schema can say
                self.assertEqual(taken, judge.is_valid(settings), settings)

            for name, rule in schema["properties"].items():
                low, high, longest = rule.get("minimum"), rule.get("maximum"), rule.get("maxLength")
                values = [True, False, None, 0, 5, 5.0, 1e1, 5.5, -1, "", "x", "true", "5", [], {}, "a/b", "/a/b", "a b",
                          "a.b", "a*", "a>", "a\\b", "\u0007", "a\u0085b", "\u00e9", *rule.get("enum", [])]
                if low is not None:
                    values += [low - 1, low, high, high + 1, float(high)]
                if longest is not None and name != "project_root":  # which has to be there
                    values += [start + letter * length for start in ("", "/") for letter in ("x", "\u00e9")
                               for length in (longest - 1, longest, longest + 1)]
                for value in values:
                    if name == "project_root" and isinstance(value, str) and value.startswith("/"):
                        continue
                    agree(root | {name: value}, name)
            for settings in ({}, {"projekt": "x"}, root | {"x_ours": 1}):
                agree(settings, "")

    def test_runs_that_are_open(self):
        sys.path.insert(0, str(TOP / "examples"))
        import kaizen_ctypes
        sink_type = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t)
        told = []
        sink = sink_type(lambda ctx, data, length: told.append(data[:length]) or 0)
        begin_type = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)
        list_type = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, sink_type, ctypes.c_void_p)

        class Span(ctypes.Structure):
            _fields_ = [("struct_size", ctypes.c_uint32), ("flags", ctypes.c_uint32), ("agent", kaizen_ctypes.Str),
                        ("idempotency_key", kaizen_ctypes.Str), ("session_id", kaizen_ctypes.Str)]

        with kaizen_ctypes.Kaizen(os.environ["KAIZEN_TEST_PLUGIN"], project_root=str(self.project)) as kaizen:
            span = ctypes.cast(kaizen.table.get_extension(b"kaizen.span/1"), ctypes.POINTER(ctypes.c_void_p))
            for session in (None, "s-1"):
                run = Span(ctypes.sizeof(Span), 0, kaizen_ctypes.view("coach"), kaizen_ctypes.view(None), kaizen_ctypes.view(session))
                token = ctypes.create_string_buffer(40)
                self.assertEqual(begin_type(span[0])(kaizen.instance, ctypes.addressof(run), token), 0)
            self.assertEqual(list_type(span[3])(kaizen.instance, None, 0, sink, None), 0)
        self.assertEqual({self.fits("open-run", line)["session_id"] for line in told}, {None, "s-1"})

    def test_looking(self):
        for agent in ("coach", "mentor"):
            for line in self.expect(0, "export", agent).splitlines():
                self.fits("execution", line)
        self.document("show", 0, "show", "coach")
        self.document("list", 0, "list")
        self.document("report", 0, "report")
        self.document("check", 0, "check", "coach", "--min-success", "0.5")
        self.document("check", 1, "check", "--all", "--min-success", "1", "--max-p95", "1s", "--no-worse-than", "1d")
        self.document("compare", 0, "compare", "coach", "mentor")
        open_runs = self.fits("top", self.expect(0, "exec", "coach", "--", *self.host_command("top", "-o", "json")))["open_runs"]
        self.assertEqual([run["agent"] for run in open_runs], ["coach"])
        for command in (["list"], ["check", "--all", "--min-success", "0"], ["report"]):
            roots = self.scratch / "roots"
            roots.write_text(f"{self.project}\n{self.scratch}/none\n")
            self.document(command[0], 1, *command, "--roots", roots)
        self.document("info", 0, "info")
        self.document("error", 1, "show", "nobody")

    def test_an_agent_that_cannot_be_read(self):
        os.link(self.log("coach"), self.project / "backup")
        for name, status, *arguments in (("list", 1, "list"), ("show", 1, "show"), ("report", 1, "report"),
                                         ("verify", 1, "verify"), ("status", 6, "status", "--no-broker"),
                                         ("drain", 6, "drain")):
            document = self.document(name, status, *arguments)
            self.assertEqual(len(document["unreadable"]), 1)

    def test_settings(self):
        self.document("config-show", 0, "config", "show")
        self.document("config-get", 0, "config", "get", "retention_days")
        self.document("config-path", 0, "config", "path")
        self.assertTrue(self.document("config-set", 0, "config", "set", "fsync", "always")["set"])
        self.assertFalse(self.document("config-set", 0, "config", "unset", "fsync")["set"])
        self.document("doctor", 0, "doctor", "--no-broker")

    def test_hooks_of_coding_agents(self):
        for host in ("claude-code", "codex", "opencode"):
            for arguments, action in ((["--dry-run"], "create"), ([], "create"), ([], "unchanged")):
                document = self.document("install-hooks", 0, "install-hooks", host, "--project", *arguments)
                self.assertIn(action, [file["action"] for file in document["files"]])
            self.document("install-hooks", 0, "uninstall-hooks", host, "--project")

    def test_delivery_without_a_broker(self):
        report = self.document("status", 0, "status", "--no-broker")
        del report["broker"]
        self.fits("delivery", json.dumps(report))
        self.assertIsNotNone(self.document("status", 6, "status")["broker"])
        self.document("drain", 5, "drain", "--timeout", "0.2")
        self.document("broker", 6, "broker", "check")
        self.document("dead-letters-retry", 0, "dead-letters", "retry")

    def test_what_status_says_of_the_broker_is_what_a_broker_check_says(self):
        broker, status = (json.loads((TOP / "docs" / "schemas" / f"{name}.schema.json").read_text())["properties"]
                          for name in ("broker", "status"))
        status = status["broker"]["properties"]
        self.assertLessEqual({"url", "jetstream", "replicas", "verdict"}, status.keys())
        for name, told in status.items():
            self.assertEqual({**told, "description": ""}, {**broker[name], "description": ""}, name)

    def test_a_repair_and_what_it_saved(self):
        with open(self.log("coach"), "ab") as log:
            log.write(GARBAGE)
        self.document("verify", 1, "verify")
        repaired = self.document("verify", 0, "verify", "coach", "--repair")["agents"][0]
        self.assertEqual((self.log("coach").parent / repaired["saved_to"]).read_bytes(), GARBAGE)

    @unittest.skipUnless(shutil.which("nats-server"), "nats-server is not installed")
    def test_delivery_with_a_broker_and_with_dead_letters(self):
        server = Server(self.scratch, config="max_payload: 350\n").start()
        self.addCleanup(server.kill)
        broker = {"NATS_URL": server.url}
        self.document("broker", 0, "broker", "init", "--dry-run", env=broker)
        self.document("broker", 0, *BROKER_INIT, env=broker)
        self.expect(0, "record", "a" * 64, "--success", "--emit-event", env=broker)
        self.assertEqual(self.document("drain", 0, "drain", env=broker)["dead_lettered"], 1)
        letters = self.expect(6, "dead-letters", "list", "-o", "json").splitlines()
        self.assertEqual(len(letters), 1)
        self.fits("dead-letter", letters[0])
        self.document("status", 6, "status", "--set", "emit_event=true", env=broker)
        watch = subprocess.Popen(self.host_command("watch", "-n", "1", "-o", "json"), cwd=self.project, stdout=subprocess.PIPE,
                                 env=clean_environment(self.home, broker), stderr=subprocess.DEVNULL, text=True)
        while watch.poll() is None:  # a plain subscription sees what comes after it
            self.expect(0, "record", "b", "--success", "--emit-event", env=broker)
        self.fits(EVENT, watch.communicate()[0])

    def test_settings_of_a_component_in_nemo_relay(self):
        name = "nemo-relay-config"
        schema = json.loads((TOP / "docs" / "schemas" / f"{name}.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        holds = jsonschema.Draft202012Validator(schema).is_valid
        root = {"project_root": "/p"}
        self.assertTrue(holds(root | {"scopes": ["turn"], "nested": False, "aborted": "failure", "emit_event": True}))
        for wrong in ({}, root | {"scopes": []}, root | {"scopes": ["tool"]}, root | {"nested": "yes"},
                      root | {"aborted": "maybe"}, root | {"projekt": "x"}, {"project_root": "relative"}):
            self.assertFalse(holds(wrong), wrong)

    def test_each_schema_is_held_to_something(self):
        named = {path.name.removesuffix(".schema.json") for path in (TOP / "docs" / "schemas").glob("*.json")}
        source = pathlib.Path(__file__).read_text()
        self.assertEqual({name for name in named if f'"{name}"' not in source}, set())


if __name__ == "__main__":
    unittest.main()

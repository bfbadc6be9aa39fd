# call_states.py - each call answers in each state what docs/abi.md says of it, and E_ARGUMENT without an instance.
#
# SPDX-License-Identifier: Apache-2.0
import ctypes as c
import os
import pathlib
import re
import sys
import tempfile
import unittest

TOP = pathlib.Path(os.environ.get("KAIZEN_TEST_SRCDIR") or pathlib.Path(__file__).resolve().parents[2])
sys.path.insert(0, str(TOP / "examples"))
import kaizen_ctypes  # noqa: E402  the table's layout

STATES = ("created", "configured", "running", "stopped")
NTS = c.c_size_t(kaizen_ctypes.NTS)
U32, U64, I64, PTR, NAME = c.c_uint32, c.c_uint64, c.c_int64, c.c_void_p, c.c_char_p
SINK = c.CFUNCTYPE(c.c_int32, PTR, PTR, c.c_size_t)
TAKE = SINK(lambda ctx, data, length: 0)
COACH = (b"coach", NTS)
LINE = b'{"agent":"coach","success":true}'
TOKEN = b"00000000-0000-4000-8000-000000000000"


def sized(words, *values):
    """A struct of so many 64-bit words that begins with its size."""
    struct = (U64 * words)(*[0] * words)
    struct[0] = 8 * words
    for place, value in values:
        struct[place] = value
    return struct


def execution():
    made = kaizen_ctypes.Execution(outcome=1, agent=kaizen_ctypes.view("coach"))
    made.struct_size = c.sizeof(made)
    return made


def query():
    made = sized(12, (1, c.cast(COACH[0], PTR).value), (2, NTS.value))
    return made


# The places of the tables' functions, and what they are called with after the instance.
CALLS = {
    "kaizen_plugin_v1": {
        "configure": lambda: (b'{"project_root":"%s","nats_url":"nats://127.0.0.1:9"}' % ROOT, NTS),
        "configure_key": lambda: (b"fsync", b"never", NTS), "start": tuple,
        "on_execution_end": lambda: (c.byref(execution()), None, None),
        "on_execution_end_json": lambda: (LINE, NTS, U32(0), None, None),
        "flush": lambda: (U32(0), None), "stats": lambda: (c.byref(sized(54)),), "stop": lambda: (U32(0),)},
    "kaizen.inspect/1": {"summary": lambda: (*COACH, c.byref(sized(7))), "recent": lambda: (*COACH, U64(1), TAKE, None),
                         "delivery": lambda: (TAKE, None), "config": lambda: (TAKE, None)},
    "kaizen.query/1": {"agents": lambda: (TAKE, None), "records": lambda: (c.byref(query()), TAKE, None, None)},
    "kaizen.batch/1": {"record": lambda: (LINE, NTS, U32(0), U32(0), None, None, c.byref(sized(7)))},
    "kaizen.delivery/1": {"resend": lambda: (I64(0), c.byref(U64())), "assume_sent": lambda: (c.byref(U64()),),
                          "dead_letters": lambda: (TAKE, None), "retry_dead_letters": lambda: (c.byref(U64()),)},
    "kaizen.broker/1": {"check": lambda: (U32(1), TAKE, None), "init": lambda: (None, U32(1), U32(1), U32(1), TAKE, None),
                        "watch": lambda: (U32(1), TAKE, None)},
    "kaizen.repair/1": {"verify": lambda: (*COACH, TAKE, None), "repair": lambda: (*COACH, TAKE, None)},
    "kaizen.span/1": {"begin": lambda: (c.byref(sized(7, (1, c.cast(COACH[0], PTR).value), (2, NTS.value))),
                                        c.create_string_buffer(40)),
                      "end": lambda: (TOKEN, c.byref(execution()), None, None), "cancel": lambda: (*COACH, TOKEN),
                      "list": lambda: (None, c.c_size_t(0), TAKE, None), "sweep": lambda: (None,)},
}
ANSWERS_NO_CODE = {("kaizen_plugin_v1", "last_error"), ("kaizen_plugin_v1", "destroy")}


class CallStates(unittest.TestCase):
    def setUp(self):
        global ROOT
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        ROOT = os.fsencode(folder.name)
        library = c.CDLL(os.environ["KAIZEN_TEST_PLUGIN"])
        library.kaizen_plugin_v1.restype = c.POINTER(kaizen_ctypes.Plugin)
        self.table = library.kaizen_plugin_v1().contents
        self.host = kaizen_ctypes.Host(abi_version=1 << 16)
        self.host.struct_size = c.sizeof(self.host)

    def instance_in(self, state):
        instance = PTR()
        self.assertEqual(self.table.create(c.byref(self.host), c.byref(instance)), 0)
        self.addCleanup(self.table.destroy, instance)
        if state != "created":
            text, length = CALLS["kaizen_plugin_v1"]["configure"]()
            self.assertEqual(self.table.configure(instance, text, length), 0)
        if state in ("running", "stopped"):
            self.assertEqual(self.table.start(instance), 0)
            self.assertEqual(self.table.on_execution_end_json(instance, LINE, NTS, 0, None, None), 0)
        if state == "stopped":
            self.assertEqual(self.table.stop(instance, 0), 0)
        return instance

    def call(self, owner, name, instance):
        if owner == "kaizen_plugin_v1":
            function = c.cast(getattr(self.table, name), PTR).value
        else:
            table = self.table.get_extension(owner.encode())
            function = c.cast(table, c.POINTER(PTR))[list(CALLS[owner]).index(name)]
        given = CALLS[owner][name]()  # it has to live until the call returns
        kinds = [type(value) if type(value) in (U32, U64, I64, c.c_size_t) else PTR for value in given]
        arguments = [c.cast(value, PTR) if kind is PTR and value is not None else value for kind, value in zip(kinds, given)]
        code = c.CFUNCTYPE(c.c_int32, PTR, *kinds)(function)(instance, *arguments)
        return self.table.code_name(code).decode()

    def documented(self):
        """{(owner, call): its cells by state} of the page, except for the calls that need no instance."""
        section = (TOP / "docs" / "abi.md").read_text().split("\n## Calls\n", 1)[1].split("\n## ", 1)[0]
        found = {}
        for line in re.findall(r"^\| (`.*) \|$", section, re.M):
            first, _, *cells = [cell.strip() for cell in line.split("|")]
            names = re.findall(r"`([^`]+)`", first)
            owner = names.pop(0) if "/" in names[0] else "kaizen_plugin_v1"
            for name in names:
                if cells[0] != "–":
                    found[owner, name] = dict(zip(STATES, cells))
        return found

    def test_each_call_in_each_state(self):
        documented = self.documented()
        self.assertEqual(documented.keys() - ANSWERS_NO_CODE,
                         {(owner, name) for owner, calls in CALLS.items() for name in calls})
        for (owner, name), cells in documented.items():
            if (owner, name) in ANSWERS_NO_CODE:
                continue
            for state in STATES:
                answer = self.call(owner, name, self.instance_in(state))
                shown = answer if answer in ("E_STATE", "E_STOPPED") else "yes"
                self.assertEqual(shown, cells[state], f"{owner} {name} in state {state} answers {answer}")

    def test_without_an_instance(self):
        for owner, calls in CALLS.items():
            for name in calls:
                self.assertEqual(self.call(owner, name, None), "E_ARGUMENT", f"{owner} {name}")


if __name__ == "__main__":
    unittest.main()

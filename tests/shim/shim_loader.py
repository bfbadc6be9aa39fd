# shim_loader.py - plugins with one defect each: every check of the loader has a message of its own.
#
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from shim_support import HOST, MOCKS, PLUGIN, HostTest, clean_environment

TOP = pathlib.Path(os.environ.get("KAIZEN_TEST_SRCDIR") or pathlib.Path(__file__).resolve().parents[2])
DEFECTS = [
    ("no_symbol", ["no symbol kaizen_plugin_v1"]),
    ("null", ["NULL", "instead of a table"]),
    ("wrong_major", ["ABI 9.4", "ABI 1.0"]),
    ("absurd_size", ["1073741824 bytes", "65536"]),
    ("small_size", ["128 bytes", "needs 136"]),
    ("missing_function", ["configure is NULL"]),
]


class Loader(HostTest):
    def test_each_defect_has_its_message_with_both_values(self):
        for name, contains in DEFECTS:
            plugin = MOCKS / f"mock_{name}.so"
            message = self.messages(3, "--plugin", plugin, "record", "coach", "--success")
            for part in [str(plugin), *contains]:
                with self.subTest(name, part=part):
                    self.assertIn(part, message)
        self.assertEqual(list(self.project.iterdir()), [])

    def test_a_file_that_is_no_shared_object_is_named(self):
        path = self.scratch / "text.so"
        path.write_text("this is not an ELF file, but long enough for its header to be read as one\n" * 9)
        message = self.messages(3, "--plugin", path, "info")
        self.assertIn(str(path), message)
        self.assertIn("ELF", message)

    def test_one_that_was_built_on_a_newer_system_says_what_to_do(self):
        path = self.scratch / "newer.so"
        image = pathlib.Path(PLUGIN).read_bytes()
        path.write_bytes(re.sub(rb"GLIBC_2\.\d\d\0", b"GLIBC_9.99\0", image, count=1))
        message = self.messages(3, "--plugin", path, "info")
        for part in (str(path), "GLIBC_9.99", "use one that was built on this one or on an older one"):
            self.assertIn(part, message)

    def test_a_library_of_the_broker_that_is_missing_is_named_with_its_package(self):
        name = re.search(rb"libnats\.so[.0-9]+", pathlib.Path(PLUGIN).read_bytes()).group().decode()
        (self.scratch / name).write_text("no library")
        said = self.messages(0, "record", "coach", "--success", "--emit-event", env={"LD_LIBRARY_PATH": str(self.scratch)})
        package = name.replace(".so.", "")
        self.assertIn(f"{name} cannot be loaded; install it (Debian: apt install {package}), or use a plugin", said)

    def test_a_program_that_is_not_installed_finds_the_plugin_built_with_it(self):
        program, plugin = self.scratch / "kaizen-host", self.scratch / ".libs" / "kaizen_metrics.so"
        plugin.parent.mkdir()
        shutil.copy(HOST, program)
        shutil.copy(PLUGIN, plugin)
        environment = clean_environment(self.home)
        del environment["KAIZEN_PLUGIN_PATH"]
        told = subprocess.run([program, "info", "-o", "json"], cwd=self.project, env=environment, stdout=subprocess.PIPE, check=True)
        self.assertIn(str(plugin), told.stdout.decode())

    def test_a_bare_name_is_looked_up_in_KAIZEN_PLUGIN_PATH_in_order(self):
        first, second = self.scratch / "first", self.scratch / "second"
        for folder in (first, second):
            folder.mkdir()
        shutil.copy(MOCKS / "mock_plugin.so", second / "mine.so")
        path = f"{first}::{second}"
        info = json.loads(self.expect(0, "--plugin", "mine.so", "info", "-o", "json", env={"KAIZEN_PLUGIN_PATH": path}))
        self.assertEqual(info["plugin"]["file"], str(second / "mine.so"))
        shutil.copy(MOCKS / "mock_plugin.so", first / "mine.so")
        info = json.loads(self.expect(0, "--plugin", "mine.so", "info", "-o", "json", env={"KAIZEN_PLUGIN_PATH": path}))
        self.assertEqual(info["plugin"]["file"], str(first / "mine.so"))

    def test_a_relative_folder_in_the_path_is_never_searched(self):
        shutil.copy(MOCKS / "mock_plugin.so", self.project / "mine.so")
        self.expect(3, "--plugin", "mine.so", "info", env={"KAIZEN_PLUGIN_PATH": ".:"})

    def test_a_name_with_a_slash_in_the_configuration_is_meant_from_the_file(self):
        (self.project / "p").mkdir()
        shutil.copy(MOCKS / "mock_null.so", self.project / "p" / "mine.so")
        (self.scratch / "p").mkdir()
        shutil.copy(MOCKS / "mock_plugin.so", self.scratch / "p" / "mine.so")
        config = self.write_config('{"plugins": [{"path": "p/mine.so"}]}')
        info = json.loads(self.expect(0, "--config", config, "info", "-o", "json"))
        self.assertEqual(info["plugin"]["file"], os.path.realpath(self.scratch / "p" / "mine.so"))

    def test_a_plugin_without_extensions_still_records_and_says_what_it_lacks(self):
        mock = MOCKS / "mock_plugin.so"
        self.assertIn("recorded coach", self.expect(0, "--plugin", mock, "record", "coach", "--success"))
        for arguments, extension in (
            (["show"], "kaizen.query/1"),
            (["status", "--no-broker"], "kaizen.inspect/1"),
            (["replay", "/dev/null"], "kaizen.batch/1"),
            (["dead-letters", "list"], "kaizen.delivery/1"),
            (["broker", "check"], "kaizen.broker/1"),
            (["verify", "coach"], "kaizen.repair/1"),
            (["record", "a b", "--success", "--map-agent"], "kaizen.names/1"),
        ):
            self.assertIn(extension, self.messages(3, "--plugin", mock, *arguments))

    def test_info_shows_every_extension_of_the_header(self):
        header = TOP / "include" / "kaizen" / "extensions.h"
        known = re.findall(r'^#define KAIZEN_\w+_1 "(kaizen\.\w+/1)"$', header.read_text(), re.M)
        self.assertIn("kaizen.inspect/1", known)
        info = json.loads(self.expect(0, "--plugin", PLUGIN, "info", "-o", "json"))
        self.assertEqual(info["plugin"]["extensions"], known)
        self.assertIn(f"\nextensions  {' '.join(known)}\n", self.expect(0, "info"))
        self.assertEqual(info["plugin"]["abi_version"], info["host_abi_version"])
        schema = json.loads(self.expect(0, "info", "--schema"))
        self.assertIn("emit_event", schema["properties"])


if __name__ == "__main__":
    unittest.main()

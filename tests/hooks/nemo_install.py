# nemo_install.py - install-hooks nemo-relay: the package for the host that loads the plugin itself.
#
# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
import os
import pathlib
import shutil
import sys
import threading
import unittest

from shim_support import PLUGIN, HostTest

try:
    import tomllib
except ImportError:
    print("skipped: this Python has no tomllib")
    sys.exit(77)

TOP = pathlib.Path(os.environ["KAIZEN_TEST_SRCDIR"])


class NemoInstall(HostTest):
    def setUp(self):
        super().setUp()
        self.module = self.home / "lib" / "kaizen_metrics.so"
        self.module.parent.mkdir()
        shutil.copy(PLUGIN, self.module)
        self.folder = self.home / ".config" / "nemo-relay"
        self.manifest = self.folder / "kaizen-metrics" / "relay-plugin.toml"
        (self.project / ".kaizen").mkdir()

    def install(self, *arguments, status=0, **options):
        return self.run_checked(status, "install-hooks", "nemo-relay", *arguments, **options)

    def run_checked(self, status, *arguments, **options):
        result = self.run_host("--plugin", self.module, *arguments, **options)
        self.assertEqual(result.returncode, status, (arguments, result.stdout, result.stderr))
        return result.stdout.decode(), result.stderr.decode()

    def files(self):
        return {path: path.read_bytes() for path in self.home.rglob("*")
                if path.is_file() and path != self.module and ".local" not in path.parts}

    def read_manifest(self):
        return tomllib.loads(self.manifest.read_text())

    def doctor(self, **options):
        return self.run_checked(0, "doctor", "--no-broker", **options)[0]

    def test_the_manifest_is_what_the_host_asks_for(self):
        self.install()
        manifest = self.read_manifest()
        self.assertEqual(manifest["manifest_version"], 1)
        self.assertEqual(manifest["plugin"], {"id": "kaizen.metrics", "kind": "rust_dynamic"})
        self.assertEqual(manifest["compat"], {"relay": ">=0.8.0,<1.0", "native_api": "1"})
        self.assertEqual(manifest["defaults"], {"enabled": False})
        self.assertEqual(manifest["load"], {"library": str(self.module), "symbol": "nemo_relay_register_plugin"})
        self.assertEqual(manifest["source"]["artifact"], str(self.module))
        self.assertEqual(list(manifest["integrity"]), ["sha256"])

    def test_the_digest_is_the_librarys_whatever_its_length(self):
        for more in (*range(65), 100_000):  # each place in a block
            shutil.copy(PLUGIN, self.module)
            with open(self.module, "ab") as library:
                library.write(b"x" * more)
            self.install()
            wanted = "sha256:" + hashlib.sha256(self.module.read_bytes()).hexdigest()
            self.assertEqual(self.read_manifest()["integrity"]["sha256"], wanted, more)

    def test_the_lines_for_plugins_toml_are_shown_until_they_stand_there(self):
        told, notes = self.install("--emit-event", "--aborted", "failure")
        lines = told[told.index("[[plugins.dynamic]]"):]
        self.assertIn(str(self.folder / "plugins.toml"), notes)
        self.assertEqual(tomllib.loads(lines)["plugins"]["dynamic"], [{
            "manifest": str(self.manifest),
            "config": {"project_root": str(self.project), "emit_event": True, "aborted": "failure"}}])
        told, _ = self.run_checked(0, "--set", "retention_days=30", "--set", 'project=a "b"', "install-hooks", "nemo-relay")
        config = tomllib.loads(told)["plugins"]["dynamic"][0]["config"]
        self.assertEqual((config["retention_days"], config["project"]), (30, 'a "b"'))
        self.assertNotIn("attestation", told)  # whom to trust is the user's choice
        (self.folder / "plugins.toml").write_text(lines)
        told, notes = self.install()
        self.assertEqual(told, "")
        self.assertIn("already installed", notes)

    def test_twice_is_once_and_undone_it_is_gone(self):
        before = self.files()
        self.install("--dry-run")
        self.assertEqual(self.files(), before)
        self.install()
        once = self.files()
        self.assertEqual(len(once), len(before) + 2)
        self.install()
        self.assertEqual(self.files(), once)
        with open(self.module, "ab") as library:
            library.write(b"more")
        self.install()
        self.assertNotEqual(self.files(), once)
        (self.folder / "plugins.toml").write_text(f'manifest = "{self.manifest}"\n')
        _, notes = self.run_checked(0, "uninstall-hooks", "nemo-relay")
        self.assertIn("still names", notes)
        (self.folder / "plugins.toml").unlink()
        self.assertEqual(self.files(), before)
        self.assertFalse(self.manifest.parent.exists())
        self.run_checked(0, "uninstall-hooks", "nemo-relay")

    def test_ten_at_once_make_one_package(self):
        results = []
        threads = [threading.Thread(target=lambda: results.append(self.install())) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(results), 10)
        self.assertEqual(len(list(self.manifest.parent.iterdir())), 2)

    def test_what_is_not_ours_stays(self):
        self.manifest.parent.mkdir(parents=True)
        self.manifest.write_text("mine = true\n")
        self.assertIn("not written by kaizen-host", self.install(status=3)[1])
        self.assertIn("not written by kaizen-host", self.run_checked(3, "uninstall-hooks", "nemo-relay")[1])
        self.assertEqual(self.manifest.read_text(), "mine = true\n")

    def test_a_link_to_the_library_is_followed(self):
        link = self.home / "link.so"
        link.symlink_to(self.module)
        self.expect(0, "--plugin", link, "install-hooks", "nemo-relay")
        self.assertEqual(self.read_manifest()["load"]["library"], str(self.module))

    def test_a_signature_beside_the_library_is_named(self):
        self.install()
        pathlib.Path(f"{self.module}.sig").write_text("c2ln")
        self.install()
        self.assertEqual(self.read_manifest()["integrity"]["signature"], f"{self.module}.sig")

    def test_a_plugin_without_the_entry_is_refused(self):
        mock = pathlib.Path(os.environ["KAIZEN_TEST_MOCKS"]) / "mock_plugin.so"
        result = self.run_host("--plugin", mock, "install-hooks", "nemo-relay")
        self.assertEqual(result.returncode, 3)
        self.assertIn(b"no entry for NeMo Relay", result.stderr)
        self.assertFalse(self.folder.exists())

    def test_options_that_have_no_use_are_refused(self):
        for arguments in (["--project"], ["--agent", "x"], ["--metadata", "a=b"], ["--metadata-allow", "a"]):
            self.install(*arguments, status=2)
        self.assertFalse(self.folder.exists())

    def test_the_settings_folder_is_the_one_the_host_reads(self):
        elsewhere = self.home / "settings"
        self.install(env={"XDG_CONFIG_HOME": str(elsewhere)})
        self.assertTrue((elsewhere / "nemo-relay" / "kaizen-metrics" / "relay-plugin.toml").is_file())

    def test_doctor_tells_whether_the_package_fits(self):
        self.assertNotIn("nemo-relay", self.doctor())
        told, _ = self.install()
        self.assertIn("the user's plugins.toml does not name it", self.doctor())
        (self.folder / "plugins.toml").write_text(told[told.index("[[plugins.dynamic]]"):])
        self.assertIn("the digest matches", self.doctor())
        with open(self.module, "ab") as library:
            library.write(b"more")
        self.assertIn("the digest does not match", self.doctor())
        self.install()
        self.assertIn("the digest matches", self.doctor())
        self.manifest.write_text(self.manifest.read_text().replace("sha256", "sha512"))
        self.assertIn("no digest", self.doctor())
        self.install()
        moved = self.module.rename(self.home / "moved.so")
        self.module = moved
        self.assertIn("cannot read", self.doctor())

    def test_the_shipped_schema_is_the_one_in_the_docs(self):
        self.install()
        shipped = json.loads((self.manifest.parent / "config.schema.json").read_text())
        documented = json.loads((TOP / "docs" / "schemas" / "nemo-relay-config.schema.json").read_text())
        self.assertEqual(shipped, documented)
        self.assertEqual(list(shipped["properties"])[:3], ["scopes", "nested", "aborted"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

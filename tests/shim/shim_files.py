# shim_files.py - files that the user names for output: written, not replaced, unless they are regular.
#
# SPDX-License-Identifier: Apache-2.0
import os
import stat
import subprocess
import threading
import unittest

from shim_support import HANGS_S, HostTest, clean_environment

WRITERS = (("report", "--html"), ("openmetrics", "--textfile"))
LAST = {"report": "</html>\n", "openmetrics": "# EOF\n"}


class OutputFiles(HostTest):
    def setUp(self):
        super().setUp()
        self.expect(0, "record", "coach", "--success")
        self.folder = self.scratch / "out"
        self.folder.mkdir()
        self.file = self.folder / "file"

    def each(self):
        for command, option in WRITERS:
            for path in self.folder.iterdir():
                path.unlink()
            with self.subTest(command):
                yield command, option

    def write(self, command, option, path, status=0, mask=0o022):
        done = subprocess.run(self.host_command(command, option, path), cwd=self.project, env=clean_environment(self.home),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=HANGS_S, preexec_fn=lambda: os.umask(mask))
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr.decode()

    def is_whole(self, command, text):
        self.assertIn("coach", text)
        self.assertTrue(text.endswith(LAST[command]), text[-80:])

    def only(self, *names):
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), sorted(names))

    def test_a_new_file_has_the_mode_that_the_umask_leaves(self):
        for command, option in self.each():
            for mask, mode in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
                self.write(command, option, self.file, mask=mask)
                self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), mode)
                self.is_whole(command, self.file.read_text())
                self.only("file")
                self.file.unlink()

    def test_an_existing_file_keeps_its_mode_and_is_replaced_as_a_whole(self):
        for command, option in self.each():
            self.file.write_text("x" * 100000)
            self.file.chmod(0o640)
            with self.file.open() as reader:
                self.write(command, option, self.file, mask=0o077)
                self.assertEqual(reader.read(), "x" * 100000)
            self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o640)
            self.is_whole(command, self.file.read_text())
            self.only("file")

    @unittest.skipIf(os.geteuid() != 0, "only root gives files away")
    def test_an_existing_file_keeps_its_owner(self):
        for command, option in self.each():
            self.file.touch()
            os.chown(self.file, 1234, 1235)
            self.write(command, option, self.file)
            self.assertEqual((self.file.stat().st_uid, self.file.stat().st_gid), (1234, 1235))
            self.is_whole(command, self.file.read_text())

    def test_links_stand(self):
        for command, option in self.each():
            link, chain, hard = self.folder / "link", self.folder / "chain", self.folder / "hard"
            link.symlink_to("file")  # to a file that is not there yet
            chain.symlink_to(link)
            for _ in range(2):
                self.write(command, option, chain)
                self.assertTrue(link.is_symlink() and chain.is_symlink())
                self.is_whole(command, self.file.read_text())
                self.file.write_text("x" * 100000)
            os.link(self.file, hard)
            self.write(command, option, hard)
            self.assertTrue(self.file.samefile(hard))
            self.is_whole(command, self.file.read_text())
            self.only("file", "link", "chain", "hard")

    def test_a_fifo_is_written_to(self):
        for command, option in self.each():
            os.mkfifo(self.file)
            texts = []
            reader = threading.Thread(target=lambda: texts.append(self.file.read_text()))
            reader.start()
            self.write(command, option, self.file)
            reader.join()
            self.is_whole(command, texts[0])
            self.assertTrue(self.file.is_fifo())
            self.only("file")

    def test_a_device_is_written_to(self):
        for command, option in self.each():
            devices = [self.folder / "link"]
            devices[0].symlink_to("/dev/null")
            try:
                os.mknod(self.file, stat.S_IFCHR | 0o666, os.makedev(1, 3))
                os.close(os.open(self.file, os.O_WRONLY))
                devices.append(self.file)
            except PermissionError:
                self.file.unlink(missing_ok=True)
            for device in devices:
                self.write(command, option, device)
                self.assertTrue(device.is_char_device())
            self.only(*(device.name for device in devices))
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))

    def test_a_name_of_a_descriptor_goes_on_where_the_descriptor_is(self):
        for command, option in self.each():
            link = self.folder / "link"
            link.symlink_to("/dev/stdout")
            for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "-", link):
                with self.file.open("w") as out:
                    out.write("before\n")
                    out.flush()
                    subprocess.run(self.host_command(command, option, name), cwd=self.project, check=True,
                                   env=clean_environment(self.home), stdout=out, stderr=subprocess.DEVNULL)
                text = self.file.read_text()
                self.assertTrue(text.startswith("before\n"), (name, text[:80]))
                self.is_whole(command, text)
            self.assertTrue(link.is_symlink())
        self.assertIn("standard output", self.messages(2, "report", "--html", link, "-o", "json"))

    def test_a_folder_on_the_way_is_never_made(self):
        for command, option in self.each():
            message = self.write(command, option, self.folder / "typo" / "deep" / "file", status=1)
            self.assertIn(f"no folder {self.folder}/typo/deep", message)
            self.only()

    @unittest.skipIf(os.geteuid() == 0, "root may write everything")
    def test_what_the_user_may_not_write_is_refused_and_what_he_may_is_written(self):
        for command, option in self.each():
            self.file.touch()
            self.file.chmod(0o444)
            self.assertIn("Permission denied", self.write(command, option, self.file, status=1))
            self.file.chmod(0o644)
            self.folder.chmod(0o555)
            self.write(command, option, self.file)
            self.folder.chmod(0o755)
            self.is_whole(command, self.file.read_text())
            self.only("file")

    def test_a_configuration_file_that_is_not_regular_is_refused(self):
        self.file.symlink_to("/dev/stdin")
        message = self.messages(1, "--config", self.file, "config", "set", "project", "x", stdin="{}")
        self.assertIn("not a regular file", message)
        self.assertTrue(self.file.is_symlink())


if __name__ == "__main__":
    unittest.main()

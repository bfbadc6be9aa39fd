# shim_reading.py - reading needs no right to write: another user's project, a read-only mount, a backup.
#
# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import subprocess
import unittest

from shim_support import HANGS_S, HostTest, clean_environment

COMMANDS = (["show"], ["show", "coach"], ["list"], ["report"], ["export", "--all"], ["verify"],
            ["status", "--no-broker"], ["check", "--all", "--min-success", "0.5"], ["compare", "coach", "mentor"], ["openmetrics"])
OWNER, READER = 12345, 12346


class Reading(HostTest):
    def setUp(self):
        super().setUp()
        for agent in ("coach", "mentor"):
            for _ in range(3):
                self.expect(0, "record", agent, "--success", "--time", "2")
        self.expected = [self.expect(0, *command) for command in COMMANDS]

    def reads(self, *prefix, cwd=None, **options):
        project = cwd or self.project
        for command, expected in zip(COMMANDS, self.expected):
            done = subprocess.run([*prefix, *self.host_command("-C", project, *command)], cwd="/", stdout=subprocess.PIPE,
                                  env=clean_environment("/nonexistent"), stderr=subprocess.PIPE, timeout=HANGS_S, **options)
            told = done.stdout.decode().replace(str(project), str(self.project))
            self.assertEqual((done.returncode, told), (0, expected), (command, done.stderr))

    def give_away(self):
        for path in (self.project, *self.project.rglob("*")):
            os.lchown(path, OWNER, OWNER)

    def test_a_project_that_may_not_be_written_to_is_read(self):
        for path in self.project.rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
        self.project.chmod(0o555)
        before = self.tree()
        self.reads()
        self.assertEqual(self.tree(), before)
        for path in (self.project, *self.project.rglob("*")):
            path.chmod(0o755)

    def test_a_backup_is_read(self):
        shutil.copytree(self.project, self.scratch / "backup" / "shop")
        self.reads(cwd=self.scratch / "backup" / "shop")

    @unittest.skipIf(os.geteuid() != 0, "only root reads what is another's")
    def test_root_reads_a_users_project_and_does_not_record_there(self):
        self.give_away()
        before = self.tree()
        self.reads()
        for command in (["record", "coach", "--success"], ["verify", "--repair"], ["drain", "-t", "0"]):
            self.assertIn(f"belongs to user {OWNER}", self.messages(3, *command))
        self.assertEqual(self.tree(), before)

    @unittest.skipIf(os.geteuid() != 0, "only root gives files away")
    def test_an_operator_in_the_group_reads(self):
        self.give_away()
        for path in (self.project, *self.project.rglob("*")):
            path.chmod(0o750 if path.is_dir() else 0o640)
        self.scratch.chmod(0o755)
        probe = subprocess.run(["ls", self.project], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=READER, group=OWNER,
                               extra_groups=[])
        if probe.returncode != 0:
            self.skipTest("the temporary folder is closed to other users")
        self.reads(user=READER, group=OWNER, extra_groups=[])

    @unittest.skipIf(os.geteuid() != 0, "only root gives files away")
    def test_a_file_of_a_third_user_is_refused(self):
        self.give_away()
        os.chown(self.log("coach"), READER, READER)
        self.assertIn(f"belongs to user {READER}", self.messages(1, "show", "coach"))

    def test_a_read_only_mount_is_read(self):
        mounted = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"', self.project]
        if subprocess.run([*mounted, "true"], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("nothing may be mounted here")
        self.reads(*mounted)


if __name__ == "__main__":
    unittest.main()

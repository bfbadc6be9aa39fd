# shim_reading.py - reading needs no right to write: another user's project, a read-only mount, a backup.
#
# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import subprocess
import unittest

from shim_support import HANGS_S, HOST, PLUGIN, HostTest, clean_environment

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

    @unittest.skipIf(os.geteuid() != 0, "only root reads what is another's")
    def test_an_operator_looks_at_settings_dead_letters_and_the_set_up_of_another_users_project(self):
        self.give_away()
        before = self.tree()
        self.assertIn("no dead letters", self.messages(0, "dead-letters", "list"))
        self.assertIn(f"belongs to user {OWNER}", self.messages(3, "dead-letters", "retry"))
        for command in (["config", "show"], ["config", "get", "fsync"], ["info"]):
            self.expect(0, *command)
        found = self.expect(3, "doctor", "--no-broker")
        self.assertRegex(found, f"problem +project +.*belongs to another user: it is user {OWNER}'s and group {OWNER}'s")
        self.assertRegex(found, "ok +agents +2, all readable")
        self.assertEqual(self.tree(), before)

    def test_a_read_only_mount_is_read(self):
        mounted = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"', self.project]
        if subprocess.run([*mounted, "true"], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("nothing may be mounted here")
        self.reads(*mounted)


@unittest.skipIf(os.geteuid() != 0, "only root becomes other users")
class SharedByAGroup(HostTest):
    """owner: group: containers whose user is a random one, on a volume that their group may write to."""
    GROUP, OTHER_GROUP = 23456, 23457
    USERS = (1000610000, 1000620001, 1000630002)

    def setUp(self):
        super().setUp()
        for folder in (self.scratch, *self.scratch.parents):  # what qa/run-test made is closed to others
            if folder == self.scratch or "/kaizen-test-" in str(folder):
                folder.chmod(0o755)
        self.program = self.scratch / "kaizen-host"
        shutil.copy(HOST, self.program)
        shutil.copy(PLUGIN, self.scratch)
        if subprocess.run([self.program, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=self.USERS[0],
                          group=self.USERS[0], extra_groups=[], cwd="/", check=False).returncode != 0:
            self.skipTest("other users may run nothing here")
        os.chown(self.project, 0, self.GROUP)
        self.project.chmod(0o2775)
        self.metrics = self.project / ".kaizen" / "metrics"

    def start(self, user, *arguments, group=GROUP, umask=0o077):
        environment = clean_environment("/nonexistent", {"KAIZEN_PLUGIN_PATH": str(self.scratch)})
        return subprocess.Popen([self.program, "-C", self.project, *arguments], env=environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, user=user, group=user, extra_groups=[group],
                                cwd="/", umask=umask, text=True)

    def run_as(self, user, status, *arguments, **options):
        done = self.start(user, *arguments, **options)
        said = done.communicate(timeout=HANGS_S)
        self.assertEqual(done.returncode, status, (arguments, said))
        return said[0] + said[1]

    def record(self, user, *more, status=0, owner="group", **options):
        return self.run_as(user, status, "record", "coach", "--success", "--set", f"owner={owner}", *more, **options)

    def test_each_user_of_the_group_records_reads_repairs_and_sees_the_others_keys(self):
        for user in self.USERS:
            for at in range(3):
                self.record(user, "-k", f"{user}-{at}", "--emit-event", umask=0o077 if at else 0o022)
        self.assertIn("duplicate of a record", self.record(self.USERS[0], "-k", f"{self.USERS[2]}-1"))
        self.assertEqual(len(self.lines("coach")), 9)
        for path in self.project.rglob("*"):
            status = path.stat()
            self.assertEqual((status.st_gid, status.st_mode & 0o7777), (self.GROUP, 0o2770 if path.is_dir() else 0o660), path)
        with self.log("coach").open("a") as log:
            log.write("damage\n")
        for user in self.USERS:
            self.assertIn("9 runs", self.run_as(user, 0, "show", "coach", "--set", "owner=group"))
        self.run_as(self.USERS[1], 0, "verify", "--repair", "--set", "owner=group")
        self.record(self.USERS[2])
        self.assertIn("10 runs", self.expect(0, "show", "coach"))  # root reads what the group has
        self.assertRegex(self.run_as(self.USERS[0], 0, "doctor", "--no-broker", "--set", "owner=group"),
                         f"ok +project +{self.project}, shared by its group")

    def test_the_first_records_of_many_users_at_once_are_all_there(self):
        running = [self.start(self.USERS[i % 3], "record", f"agent-{i % 4}", "--success", "--set", "owner=group")
                   for i in range(24)]
        said = [process.communicate(timeout=HANGS_S) for process in running]
        self.assertEqual([process.returncode for process in running], [0] * 24, said)
        self.assertEqual(sum(len(self.lines(f"agent-{i}")) for i in range(4)), 24)

    def test_nobody_else_is_let_in(self):
        told = self.record(self.USERS[0], status=3, owner="self")
        self.assertIn('set owner to "group" where a group shares it', told)
        self.assertFalse((self.project / ".kaizen").exists())
        self.record(self.USERS[0])
        self.assertIn(f"belongs to group {self.GROUP}, of which this process is not a member",
                      self.record(self.USERS[1], status=3, group=self.OTHER_GROUP))
        log = self.log("coach")
        for user, group, mode in ((self.USERS[1], self.OTHER_GROUP, 0o666), (self.USERS[1], self.USERS[1], 0o666)):
            os.chown(log, user, group)
            log.chmod(mode)
            self.assertIn(f"belongs to user {user}", self.record(self.USERS[0], status=1))
        os.chown(log, self.USERS[0], self.GROUP)
        os.link(log, self.project / "second-name")
        self.assertIn("hard links", self.record(self.USERS[0], status=1))

    def test_a_tree_of_one_user_and_one_of_a_group_are_not_taken_for_each_other(self):
        os.chown(self.project, self.USERS[0], self.GROUP)
        self.record(self.USERS[0], owner="self")
        self.assertEqual(self.metrics.stat().st_mode & 0o777, 0o700)
        self.assertIn("chmod -R g+rwX,g+s .kaizen", self.record(self.USERS[1], status=1))
        self.record(self.USERS[0])  # whose it is opens it to the group
        self.record(self.USERS[1])
        self.assertEqual(len(self.lines("coach")), 3)
        self.assertIn('set owner to "group"', self.record(self.USERS[0], status=1, owner="self"))
        self.assertRegex(self.run_as(self.USERS[0], 1, "doctor", "--no-broker"), "problem +project .* is shared with its group")
        subprocess.run(["chmod", "-R", "g-ws", self.project / ".kaizen"], check=True)
        self.record(self.USERS[0], owner="self")


if __name__ == "__main__":
    unittest.main()

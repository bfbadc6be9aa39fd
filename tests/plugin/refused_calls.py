# refused_calls.py - a sandbox or an older kernel refuses a system call: another way is taken, or the call is named.
#
# SPDX-License-Identifier: Apache-2.0
#
# strace makes every use of the call fail, as seccomp filters of containers do.  What is recorded, kept pending and
# shown must be the same as without; what is weaker, doctor says.
import itertools
import json
import os
import shutil
import subprocess
import unittest

from shim_support import HANGS_S, LINUX_CALLS, HostTest, clean_environment

REFUSALS = ("ENOSYS", "EPERM", "EACCES")
# Linux has these and POSIX does not, or containers are known to refuse them.
REPLACED = ("openat2", "renameat2", "statx", "getrandom", "fallocate", "prlimit64", "madvise", "prctl")
WEAKER = {"openat2": "created outside the project", "statx": "only by its inode number"}
# There is no other way: the message says which call it was.
NAMED = {"flock": ["flock"], "fdatasync": ["sync"], "fsync": ["sync"],
         "mkdirat": ["create the folder"], "ftruncate": ["ftruncate"], "fstatfs": ["fstatfs"]}
# glibc 2.36 and newer end a process that asks arc4random() where getrandom() is forbidden and not merely missing;
# json-c asks, as of Debian 13.  There a host that runs with such a filter has to do without json-c.
LIBRARYS_END = b"cannot get entropy for arc4random"


def tracer(call, error):
    return ["strace", "-D", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={call}:error={error}"]


def may_trace():
    return "LD_PRELOAD" not in os.environ and shutil.which("strace") and \
        subprocess.run([*tracer("statx", "EPERM"), "true"], stderr=subprocess.DEVNULL).returncode == 0


@unittest.skipUnless(may_trace(), "strace is missing or may not trace here")
class RefusedCalls(HostTest):
    def run_refused(self, call, error, *arguments):
        return subprocess.run([*tracer(call, error), *self.host_command(*arguments)], cwd=self.project, timeout=HANGS_S,
                              env=clean_environment(self.home, {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def expect_refused(self, status, call, error, *arguments):
        result = self.run_refused(call, error, *arguments)
        self.assertEqual(result.returncode, status, (call, error, arguments, result.stdout, result.stderr))
        return result.stdout.decode()

    def renew_project(self):
        shutil.rmtree(self.project)
        self.project.mkdir()

    def test_recording_and_looking_are_the_same_where_there_is_another_way(self):
        event = ["record", "coach", "--success", "--emit-event", "-k", "one", "-o", "json"]
        for call, error in itertools.product(REPLACED, REFUSALS):
            self.renew_project()
            with self.subTest(f"{call} {error}"):
                if LIBRARYS_END in self.run_refused(call, error, "show").stderr:
                    self.skipTest("the C library ends every program that uses json-c")
                ids = {json.loads(self.expect_refused(0, call, error, *event))["event_id"] for _ in range(2)}
                self.assertEqual(len(ids), 1)
                self.expect_refused(0, call, error, "record", "coach", "--failure", "--emit-event")
                self.assertEqual(len(self.lines("coach")), 2)
                self.expect_refused(0, call, error, "verify")
                status = json.loads(self.expect_refused(0, call, error, "status", "--no-broker", "-o", "json"))
                counts = status["agents"][0]
                self.assertEqual((counts["execution_count"], counts["pending"], counts["held"]), (2, 2, 0))

    def test_a_boot_without_a_name_costs_the_index_alone(self):
        event = ["record", "coach", "--success", "--emit-event", "-k"]
        hidden = ["strace", "-D", "-f", "-qq", "-o", os.devnull, "-P", "/proc/sys/kernel/random/boot_id",
                  "-e", "trace=openat", "-e", "inject=openat:error=ENOENT"]
        for key in ("one", "two", "one"):
            subprocess.run([*hidden, *self.host_command(*event, key)], cwd=self.project, check=True,
                           env=clean_environment(self.home, {}), stdout=subprocess.DEVNULL)
        self.assertEqual(len(self.lines("coach")), 2)
        self.expect(0, "verify")

    def test_doctor_tells_which_promise_is_weaker(self):
        self.expect(0, "record", "coach", "--success")
        usual = self.expect(0, "doctor", "--no-broker")
        for call, effect in WEAKER.items():
            for error in REFUSALS:
                told = self.expect_refused(0, call, error, "doctor", "--no-broker")
                self.assertRegex(told, rf"{call}: .*{effect}", (call, error))
            self.assertEqual(effect in usual, not LINUX_CALLS, usual)

    def test_events_stay_this_projects_own_for_those_who_may_not_ask_for_its_birth(self):
        self.expect(0, "record", "coach", "--success", "--emit-event")
        identity = (self.project / ".kaizen/metrics/.id").read_bytes()
        for error in REFUSALS:
            self.expect_refused(0, "statx", error, "record", "coach", "--success", "--emit-event")
        self.assertEqual((self.project / ".kaizen/metrics/.id").read_bytes(), identity)
        report = json.loads(self.expect(0, "status", "--no-broker", "-o", "json"))["agents"][0]
        self.assertEqual((report["pending"], report["held"]), (4, 0))

    def test_where_there_is_no_other_way_the_call_is_named_and_nothing_is_recorded(self):
        self.expect(0, "record", "coach", "--success")
        calls = [call for call in NAMED if call != "fstatfs" or LINUX_CALLS]
        record = ["record", "coach", "--success", "--emit-event", "--set", "fsync=always"]
        for call, error in itertools.product(calls, REFUSALS):
            self.renew_project()
            with self.subTest(f"{call} {error}"):
                result = self.run_refused(call, error, *record)
                self.assertNotIn(result.returncode, (0, 2), result.stderr)
                for part in NAMED[call]:
                    self.assertIn(part, result.stderr.decode())
                self.assertEqual(self.log("coach").read_text() if self.log("coach").exists() else "", "")

    def test_a_thread_that_may_not_be_made_costs_the_sending_alone(self):
        record = ["record", "coach", "--success", "--emit-event"]
        self.expect_refused(0, "clone3", "ENOSYS", *record)
        for error in ("EPERM", "EACCES"):
            message = self.run_refused("clone3", error, *record).stderr.decode()
            self.assertIn("pthread_create", message)
        self.assertEqual(len(self.lines("coach")), 3)


if __name__ == "__main__":
    unittest.main()

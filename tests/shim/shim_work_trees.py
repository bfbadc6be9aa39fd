# shim_work_trees.py - a repository stays clean, and a linked git work tree records into the main checkout's project.
#
# SPDX-License-Identifier: Apache-2.0
import json
import shutil
import subprocess
import unittest

from shim_support import HostTest, others_environment


@unittest.skipUnless(shutil.which("git"), "git is not here")
class WorkTrees(HostTest):
    def git(self, *arguments, cwd=None, status=0):
        environment = {**others_environment(), "HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1"}
        result = subprocess.run(
            ["git", "-c", "user.email=a@example.org", "-c", "user.name=a", "-c", "protocol.file.allow=always", *arguments],
            cwd=cwd or self.project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(result.returncode, status, (arguments, result.stdout))
        return result.stdout.decode()

    def repository(self, *options, folder=None):
        folder = folder or self.project
        folder.mkdir(exist_ok=True)
        self.git("init", "-q", *options, cwd=folder)
        self.git("commit", "-q", "--allow-empty", "-m", "first", cwd=folder)
        return folder

    def work_tree(self, name="wt", of=None):
        path = self.scratch / name
        self.git("worktree", "add", "-q", path, cwd=of or self.project)
        return path

    def record_in(self, folder, *options):
        self.expect(0, *options, "record", "coach", "--success", cwd=folder)

    def has_records(self, folder, count=1):
        log = folder / ".kaizen" / "metrics" / "coach" / "executions.jsonl"
        self.assertEqual(len(log.read_text().splitlines()) if log.exists() else 0, count, folder)

    def test_git_sees_nothing_of_the_metrics(self):
        self.repository()
        self.record_in(self.project)
        self.assertEqual(self.git("status", "--porcelain", "--untracked-files=all"), "")

    def test_a_linked_work_tree_records_into_the_main_checkout_and_can_be_removed(self):
        self.repository()
        tree = self.work_tree()
        (tree / "src").mkdir()
        self.record_in(tree)
        self.record_in(tree / "src")
        self.record_in(self.scratch, "-C", tree)
        stop = {"session_id": "s", "cwd": str(tree), "hook_event_name": "Stop", "last_assistant_message": "x"}
        self.expect(0, "hook", "claude-code", "--agent", "coach", stdin=json.dumps(stop))
        self.has_records(self.project, 4)
        self.assertIn("coach", self.expect(0, "list", cwd=tree))
        shutil.rmtree(tree / "src")
        self.git("worktree", "remove", tree)
        self.assertFalse(tree.exists())

    def test_each_way_to_lay_out_work_trees_is_understood(self):
        def nested():
            self.repository(folder=self.scratch / "nested")
            path = self.scratch / "nested" / ".claude" / "worktrees" / "x"
            self.git("worktree", "add", "-q", path, cwd=self.scratch / "nested")
            return path, self.scratch / "nested"

        def relative():
            main = self.repository(folder=self.scratch / "relative")
            tree = self.work_tree("relative-wt", main)
            (tree / ".git").write_text("gitdir: ../relative/.git/worktrees/relative-wt\r\n")
            return tree, main

        def bare_beside():
            top = self.scratch / "beside"
            source = self.repository(folder=self.scratch / "source")
            top.mkdir()
            self.git("clone", "-q", "--bare", source, top / ".bare")
            (top / ".git").write_text("gitdir: ./.bare\n")
            self.git("worktree", "add", "-q", top / "feature", "-b", "feature", cwd=top)
            return top / "feature", top

        def configured():
            main = self.repository(folder=self.scratch / "odd name; 1")
            shutil.move(main / ".git", self.scratch / "elsewhere")
            (main / ".git").write_text(f"gitdir: {self.scratch}/elsewhere\n")
            self.git("config", "core.worktree", f"../{main.name}", cwd=main)
            tree = self.scratch / "configured-wt"
            self.git("worktree", "add", "-q", tree, cwd=main)
            return tree, main

        def of_a_submodule():
            outer, inner = self.repository(folder=self.scratch / "outer"), self.repository(folder=self.scratch / "inner")
            self.git("submodule", "--quiet", "add", inner, "sub", cwd=outer)
            tree = self.scratch / "submodule-wt"
            self.git("worktree", "add", "-q", tree, cwd=outer / "sub")
            return tree, outer / "sub"

        def submodule_within():
            outer, inner = self.repository(folder=self.scratch / "outer2"), self.repository(folder=self.scratch / "inner2")
            self.git("submodule", "--quiet", "add", inner, "sub", cwd=outer)
            self.git("commit", "-q", "-m", "sub", cwd=outer)
            tree = self.work_tree("within", outer)
            self.git("submodule", "--quiet", "update", "--init", cwd=tree)
            return tree / "sub", outer / "sub"

        for layout in (nested, relative, bare_beside, configured, of_a_submodule, submodule_within):
            with self.subTest(layout.__name__):
                tree, main = layout()
                self.record_in(tree)
                self.has_records(main)
                self.has_records(tree, 0)

    def test_the_same_folder_of_the_main_checkout_is_taken_as_far_as_it_is_there(self):
        self.repository()
        (self.project / "web" / ".kaizen").mkdir(parents=True)
        tree = self.work_tree()
        (tree / "web" / "new" / ".kaizen").mkdir(parents=True)
        self.record_in(tree / "web" / "new")
        self.has_records(self.project / "web")

    def test_what_is_no_linked_work_tree_is_itself(self):
        def submodule():
            outer, inner = self.repository(folder=self.scratch / "outer"), self.repository(folder=self.scratch / "inner")
            self.git("submodule", "--quiet", "add", inner, "sub", cwd=outer)
            return outer / "sub"

        def bare():
            source = self.repository(folder=self.scratch / "source")
            self.git("clone", "-q", "--bare", source, self.scratch / "r.git")
            tree = self.scratch / "bare-wt"
            self.git("worktree", "add", "-q", tree, "-b", "x", cwd=self.scratch / "r.git")
            return tree

        def gone():
            main = self.repository(folder=self.scratch / "gone")
            tree = self.work_tree("gone-wt", main)
            shutil.rmtree(main)
            return tree

        def text(content):
            def layout():
                folder = self.scratch / f"text{len(content)}"
                folder.mkdir()
                (folder / ".git").write_bytes(content)
                return folder
            return layout

        for layout in (submodule, bare, gone, text(b""), text(b"gitdir: /dev/null\n"), text(b"gitdir: \xff" + b"x" * 9000)):
            with self.subTest(layout.__name__):
                folder = layout()
                self.record_in(folder)
                self.has_records(folder)

    def test_the_home_folder_never_becomes_the_project(self):
        self.repository(folder=self.home)
        tree = self.work_tree(of=self.home)
        self.record_in(tree)
        self.has_records(tree)
        self.has_records(self.home, 0)

    def test_the_settings_of_a_work_tree_are_its_own(self):
        self.repository()
        tree = self.work_tree()
        self.record_in(tree)
        self.expect(0, "install-hooks", "claude-code", "--project", cwd=tree)
        self.assertTrue((tree / ".claude" / "settings.json").exists())
        self.assertFalse((self.project / ".claude").exists())
        self.assertIn("claude-code: installed for this project", self.expect(0, "doctor", cwd=tree))
        self.assertNotIn("this project", self.expect(0, "doctor").partition("hooks ")[2])


if __name__ == "__main__":
    unittest.main()

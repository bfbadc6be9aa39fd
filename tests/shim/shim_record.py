# shim_record.py - record: from the command line and standard input into the log.
#
# SPDX-License-Identifier: Apache-2.0
import json
import shlex
import time
import unittest

from shim_support import MOCKS, HostTest

HELIX = {
    "HELIX_SESSION_UID": "uid-7",
    "HELIX_REPO": 'shop "x"',
    "HELIX_FLAVOR": "blue",
    "HELIX_TOKENS": "1234",
    "HELIX_INFRA_OVERHEAD_SHARE": "0.25",
}


class Record(HostTest):
    def record(self, agent="coach", at=-1):
        return json.loads(self.lines(agent)[at])

    def test_the_two_command_lines_of_the_contract_work_word_for_word(self):
        line = "metrics record coach --success --time 120 --quality 0.9 --emit-event"
        self.expect(0, *shlex.split(line))
        record = self.record()
        self.assertEqual((record["success"], record["execution_time_s"], record["quality_score"]), (True, 120.0, 0.9))
        self.assertIn("event_id", record)
        stdin = '{"success": true, "execution_time_s": 42, "quality_score": 0.9}\n'
        line = "metrics record coach --json --idempotency-key K"
        for _ in range(2):
            self.expect(0, *shlex.split(line), stdin=stdin)
        self.assertEqual(len(self.lines("coach")), 2)
        self.assertEqual(self.record()["idempotency_key"], "K")

    def test_options_are_the_same_before_and_behind_the_command(self):
        for arguments in (
            ["-o", "json", "-C", self.project, "record", "coach", "--success"],
            ["record", "-o", "json", "coach", "--success", "-C", self.project],
            ["record", "coach", "-sojson", f"-C{self.project}"],
            ["record", "coach", "--success", "--output=json", f"--directory={self.project}"],
        ):
            self.assertEqual(json.loads(self.expect(0, *arguments, cwd=self.home))["result"], "RECORDED")

    def test_every_option_lands_in_its_member(self):
        self.expect(0, "record", "coach", "-f", "--time", "1.5", "--quality", "0", "--session-id", "s-1", "-k", "k-1",
                    "--primary", "tests=12.5/20", "-m", "model=gpt", "-m", "turns=3", "-m", "cost_usd=1.50", "-m",
                    "cached=true", "-m", "version=v1.2", "-m", 'tags=["a"]', "-m", "equation=a=b",
                    "--timestamp", "2026-11-02T03:04:05.9+02:00")
        self.assertEqual(self.record(), {
            "timestamp": "2026-11-02T01:04:05Z", "agent": "coach", "session_id": "s-1", "execution_time_s": 1.5,
            "success": False, "quality_score": 0.0, "primary_metric": {"name": "tests", "value": 12.5, "target": 20.0},
            "metadata": {"model": "gpt", "turns": 3, "cost_usd": 1.5, "cached": True, "version": "v1.2", "tags": ["a"],
                         "equation": "a=b"},
            "idempotency_key": "k-1"})
        self.assertIn('"cost_usd":1.50', self.lines("coach")[0])

    def test_a_time_is_read_the_same_from_an_option_and_from_the_record(self):
        for text, read in (("2026-11-02T03:04Z", "2026-11-02T03:04:00Z"), ("20261102T030405Z", "2026-11-02T03:04:05Z"),
                           ("2026-11-02t03:04:60Z", "2026-11-02T03:05:00Z"),
                           ("2026-11-02 03:04:05+02", "2026-11-02T01:04:05Z"),
                           ("2026-11-02T03:04:05,9-0130", "2026-11-02T04:34:05Z"), ("2026-11-02", None),
                           ("2026-11-02T03:04", None), ("2026-02-30T03:04Z", None), ("2026-11-02T24:00Z", None),
                           ("tomorrow", None)):
            with self.subTest(text=text):
                by_option = self.run_host("record", "option", "--success", "--timestamp", text)
                by_json = self.run_host("record", "json", "--json",
                                        stdin=json.dumps({"success": True, "timestamp": text}))
                self.assertEqual([by_option.returncode == 0, by_json.returncode == 0], [read is not None] * 2,
                                 (by_option.stderr, by_json.stderr))
                if read:
                    self.assertEqual([json.loads(self.lines(agent)[-1])["timestamp"] for agent in ("option", "json")],
                                     [read, read])

    def test_the_environment_is_merged_and_an_explicit_value_wins(self):
        self.expect(0, "record", "coach", "--success", env=HELIX)
        record = self.record()
        self.assertEqual((record["helix_session_uid"], record["repo"], record["flavor"], record["tokens"],
                          record["infra_overhead_share"]), ("uid-7", 'shop "x"', "blue", 1234, 0.25))
        self.expect(0, "record", "coach", "--json", stdin='{"success":true,"tokens":9,"repo":"mine"}', env=HELIX)
        record = self.record()
        self.assertEqual((record["tokens"], record["repo"], record["flavor"]), (9, "mine", "blue"))

    def test_options_win_over_the_record_on_standard_input(self):
        stdin = '\ufeff {"agent":"other", "success" : false, "execution_time_s":1e2, "metadata":{"a":1.50,"b":"x"}}'
        self.expect(0, "record", "coach", "--json", "--success", "-m", "b=2", "-m", "c=z", stdin=stdin)
        record = self.record()
        self.assertEqual((record["agent"], record["success"], record["execution_time_s"]), ("coach", True, 100.0))
        self.assertIn('"metadata":{"a":1.50,"b":2,"c":"z"}', self.lines("coach")[0])

    def test_standard_input_reaches_the_plugin_as_text(self):
        stdin = '{"success":true,"execution_time_s":0.10000000000000000555,"metadata":{"n":12345678901234567890123,"n2":1.0e2}}'
        message = self.messages(0, "--plugin", MOCKS / "mock_plugin.so", "record", "coach", "--json", stdin=stdin)
        self.assertIn(stdin[:-1] + ',"agent":"coach"}', message)

    def test_without_an_agent_the_record_names_it(self):
        result = json.loads(self.expect(0, "record", "--json", "-o", "json", stdin='{"agent":"m\\u0065ntor","success":true}'))
        self.assertEqual(result["agent"], "mentor")
        self.assertEqual(len(self.lines("mentor")), 1)

    def test_a_mapped_agent_keeps_its_raw_name_in_the_metadata(self):
        result = json.loads(self.expect(0, "record", "Triage Agent", "--success", "--map-agent", "-o", "json"))
        self.assertRegex(result["agent"], "^triage-agent-[0-9a-f]+$")
        self.assertEqual(self.record(result["agent"])["metadata"], {"agent_name": "Triage Agent"})
        self.expect(0, "record", "coach", "--success", "--map-agent")
        self.assertNotIn("metadata", self.record())

    def test_the_json_result_has_one_shape(self):
        result = json.loads(self.expect(0, "record", "coach", "--success", "--quality", "0.81", "-o", "json"))
        self.assertEqual(result, {
            "result": "RECORDED", "agent": "coach", "project": "shop", "project_root": str(self.project.resolve()),
            "event": "off", "event_id": None, "reason": None,
            "summary": {"execution_count": 1, "success_rate": 1.0, "avg_quality_score": 0.81, "avg_execution_time_s": 0.0,
                        "trend": {"success_rate": "stable", "quality_score": "stable"},
                        "last_execution": self.record()["timestamp"]}})
        duplicate = ["record", "coach", "--success", "-k", "k", "-o", "json"]
        self.expect(0, *duplicate)
        self.assertEqual(json.loads(self.expect(0, *duplicate))["result"], "DUPLICATE")

    def test_a_refused_connection_ends_the_wait_at_once_and_the_event_stays(self):
        started = time.monotonic()
        result = json.loads(self.expect(0, "record", "coach", "--success", "-e", "-o", "json"))
        self.assertEqual((result["result"], result["event"]), ("RECORDED", "pending"))
        self.assertRegex(result["event_id"], "^[0-9a-f-]{36}$")
        self.expect(5, "record", "coach", "--success", "-e", "--wait", "50")
        self.assertLess(time.monotonic() - started, 50)
        self.expect(0, "record", "coach", "--success", "--set", "emit_event=true", "--no-emit-event")
        self.assertNotIn("event_id", self.record())

    def test_the_emission_options_work_for_a_record_on_standard_input_too(self):
        self.expect(0, "record", "coach", "--json", "--emit-event", stdin='{"success":true}')
        self.assertIn("event_id", self.record())
        self.expect(0, "record", "coach", "--json", "--no-emit-event", "--set", "emit_event=true", stdin='{"success":true}')
        self.assertNotIn("event_id", self.record())

    def test_a_failure_is_said_once(self):
        self.log("coach").parent.mkdir(parents=True, mode=0o700)
        self.log("coach").symlink_to("/nowhere")
        for arguments in ([], ["-v"], ["-q"]):
            message = self.messages(1, "record", "coach", "--success", *arguments)
            self.assertEqual(message.count("executions.jsonl"), 1, message)
        message = self.messages(1, "replay", stdin='{"agent":"coach","success":true}')
        self.assertIn("0 lines done, then E_IO: agent coach: executions.jsonl", message)
        self.assertIn("--skip 0", message)

    def test_quiet_prints_nothing(self):
        result = self.run_host("-q", "record", "coach", "--success", "--emit-event")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))


class Project(HostTest):
    def root(self, cwd, *arguments, **options):
        return json.loads(self.expect(0, "record", "coach", "--success", "-o", "json", *arguments, cwd=cwd, **options))["project_root"]

    def test_the_nearest_kaizen_folder_wins_over_a_nearer_git(self):
        inner = self.project / "a" / "b"
        inner.mkdir(parents=True)
        (self.project / ".kaizen").mkdir()
        (self.project / "a" / ".git").mkdir()
        self.assertEqual(self.root(inner), str(self.project.resolve()))

    def test_else_the_nearest_git_also_when_it_is_a_file(self):
        inner = self.project / "a" / "b"
        inner.mkdir(parents=True)
        (self.project / "a" / ".git").write_text("gitdir: elsewhere\n")
        self.assertEqual(self.root(inner), str((self.project / "a").resolve()))

    def test_else_the_working_directory(self):
        self.assertEqual(self.root(self.project), str(self.project.resolve()))

    def test_the_home_folder_counts_only_when_it_is_named(self):
        (self.home / ".kaizen").mkdir()
        inner = self.home / "shop"
        inner.mkdir()
        self.assertEqual(self.root(inner), str(inner.resolve()))
        self.assertEqual(self.root(inner, "-C", self.home), str(self.home.resolve()))


class Configuration(HostTest):
    def window(self, *arguments, **options):
        return self.expect(0, *arguments, "config", "get", "trend_window", **options).strip()

    def test_the_first_file_found_wins(self):
        user = self.home / ".config" / "kaizen-host" / "config.json"
        user.parent.mkdir(parents=True)
        user.write_text('{"config": {"trend_window": 2}}')
        xdg = self.scratch / "xdg" / "kaizen-host" / "config.json"
        xdg.parent.mkdir(parents=True)
        xdg.write_text('{"config": {"trend_window": 3}}')
        variable = self.write_config('{"config": {"trend_window": 4}}', "variable.json")
        given = self.write_config('{"plugins": [{"path": "kaizen_metrics.so", "config": {"trend_window": 5}}]}', "given.json")
        env = {}
        self.assertEqual(self.window(), "2")
        env["XDG_CONFIG_HOME"] = str(self.scratch / "xdg")
        self.assertEqual(self.window(env=env), "3")
        env["KAIZEN_HOST_CONFIG"] = str(variable)
        self.assertEqual(self.window(env=env), "4")
        self.assertEqual(self.window("--config", given, env=env), "5")
        self.assertEqual(self.window("--config", given, "--set", "trend_window=6", env=env), "6")

    def test_a_file_in_the_project_is_never_read(self):
        for name in ("config.json", ".kaizen/config.json", ".kaizen/kaizen-host.json", "kaizen-host/config.json"):
            path = self.project / name
            path.parent.mkdir(exist_ok=True)
            path.write_text('{"config": {"trend_window": 9}}')
        self.assertEqual(self.window(), "10")

    def test_set_and_unset_change_the_file_and_nothing_else_in_it(self):
        config = self.write_config('{"plugins": [{"path": "kaizen_metrics.so", "config": {"fsync": "always"}}]}')
        self.expect(0, "--config", config, "config", "set", "emit_event", "true")
        self.expect(0, "--config", config, "config", "set", "retention_days", "30")
        self.expect(0, "--config", config, "config", "set", "project", "true")
        self.assertEqual(json.loads(config.read_text())["plugins"][0]["config"],
                         {"fsync": "always", "emit_event": True, "retention_days": 30, "project": "true"})
        self.expect(0, "--config", config, "config", "unset", "retention_days")
        self.assertEqual(self.expect(0, "--config", config, "config", "get", "retention_days").strip(), "180")

    def test_the_first_set_makes_the_users_file_for_its_owner_alone(self):
        self.expect(0, "config", "set", "trend_window", "7")
        path = self.home / ".config" / "kaizen-host" / "config.json"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.expect(0, "config", "path").strip(), str(path))

    def test_a_bad_setting_can_be_taken_out_again(self):
        config = self.write_config('{"config": {"nats_ulr": "x"}}')
        self.expect(3, "--config", config, "status")
        self.expect(0, "--config", config, "config", "unset", "nats_ulr")
        self.expect(0, "--config", config, "status", "--no-broker")

    def test_show_says_where_each_value_comes_from(self):
        config = self.write_config('{"config": {"fsync": "always"}}')
        report = json.loads(self.expect(0, "--config", config, "--set", "trend_window=3", "config", "show", "-o", "json"))
        self.assertEqual(report["fsync"], {"value": "always", "origin": f"file {config}"})
        self.assertEqual(report["trend_window"], {"value": 3, "origin": "--set"})
        self.assertEqual(report["nats_url"]["origin"], "environment")
        self.assertEqual(report["retention_days"], {"value": 180, "origin": "default"})
        self.assertEqual(report["project_root"]["origin"], "working directory")


if __name__ == "__main__":
    unittest.main()

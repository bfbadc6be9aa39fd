#!/usr/bin/env python3
# test_publisher_rewritten.py - logs that others rewrite, cut or remove under a publisher.
#
# SPDX-License-Identifier: Apache-2.0
import json
import shutil
import signal
import unittest

from broker_support import BrokerTest, stop, wait_for


class Rewritten(BrokerTest):
    def publish(self, count, **stream):
        """A broker, a client of it, and a publisher that has sent so many events of one agent."""
        server, client = self.make_broker(**stream)
        driver = self.make_publisher(server)
        driver.ok(f"append coach {count}")
        self.assertEqual(driver.flush(), (0, 0))
        return server, client, driver

    def rewrite(self, agent, keep):
        """As the Python program prunes: a new file over the old one, without our lock."""
        log = self.folder(agent) / "executions.jsonl"
        lines = log.read_text().splitlines(keepends=True)
        spare = log.with_name("spare")
        spare.write_text("".join(line for number, line in enumerate(lines) if keep(number)))
        spare.rename(log)

    def test_after_a_prune_by_others_new_events_go_on_and_old_ones_stay_sent(self):
        _, client, driver = self.publish(200, duplicate_window=100_000_000)
        before = self.marked_ids("coach")
        self.rewrite("coach", lambda number: number >= 150)
        driver.ok("append coach 30")
        self.assertEqual(driver.flush(), (0, 0))
        view = driver.view("coach")
        self.assertEqual((view["marked"], view["acknowledged"], view["pending"]), (80, 80, 0))
        self.assertEqual([payload["id"] for _, payload in client.messages()],
                         before + self.marked_ids("coach")[50:])

    def test_a_view_counts_the_dead_letters_and_held_lines_that_a_rewrite_left(self):
        server = self.make_server(config="max_payload: 1024")
        client = self.make_client(server)
        client.make_stream()
        driver = self.make_driver()
        driver.ok("append coach 4")
        (self.folder("coach") / ".state").unlink()  # these four are held
        driver.ok(f"attach 0 {server.url}")
        driver.ok("append coach 3 1200")
        driver.ok("append coach 9")
        self.assertEqual(driver.flush(), (0, 0))
        driver.call("detach 0 10000")  # nobody fixes .state from here on
        names = ("marked", "held", "pending", "dead", "acknowledged")

        def counts():
            view = driver.view("coach")
            return tuple(view[name] for name in names)

        self.assertEqual(counts(), (16, 4, 4, 3, 9))
        self.rewrite("coach", lambda number: number >= 1)
        self.assertEqual(counts(), (15, 3, 3, 3, 9))
        self.rewrite("coach", lambda number: number >= 5)
        self.assertEqual(counts(), (10, 0, 0, 1, 9))
        driver.ok(f"attach 0 {server.url}")
        driver.ok("append coach 1")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(counts(), (11, 0, 0, 1, 10))

    def test_a_prune_between_append_and_publish_changes_no_number(self):
        server = self.make_server(start=False)
        driver = self.make_driver()
        driver.ok("attach 0 nats://127.0.0.1:9")
        driver.ok("append coach 8")  # each line with an execution_count of its own
        with open(self.folder("coach") / "executions.jsonl", encoding="utf-8") as log:
            written = {line["event_id"]: line["event"] for line in map(json.loads, log)}
        self.rewrite("coach", lambda number: number >= 5)
        driver.call("detach 0 10000")
        server.start()
        client = self.make_client(server)
        client.make_stream()
        driver.ok(f"attach 0 {server.url}")
        self.assertEqual(driver.flush(), (0, 0))
        sent = {payload["id"]: dict(payload["attributes"]["summary"], project=payload["attributes"]["project"])
                for _, payload in client.messages()}
        self.assertEqual(list(sent), self.marked_ids("coach"))
        self.assertEqual(sent, {event_id: written[event_id] for event_id in sent})

    def test_when_every_known_line_is_gone_the_rest_is_sent_from_the_beginning(self):
        _, client, driver = self.publish(100, duplicate_window=100_000_000)
        driver.ok("append scratch 7")
        self.assertEqual(driver.flush(), (0, 0))
        log = self.folder("coach") / "executions.jsonl"
        self.replace_log(log, self.with_new_ids(log.read_text(), 2).replace("2025-", "2099-"))
        driver.ok("ring coach")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual([payload["id"] for _, payload in client.messages()][-2:], self.marked_ids("coach"))

    @staticmethod
    def with_new_ids(text, count):
        """That many lines of the log, with ids that nobody has seen."""
        line = text.splitlines()[0]
        begin = line.index('"event_id":"') + len('"event_id":"')
        return "".join(f"{line[:begin]}{number:08x}{line[begin + 8:]}\n" for number in range(count))

    @staticmethod
    def replace_log(log, text):
        spare = log.with_name("spare")
        spare.write_text(text)
        spare.rename(log)

    def test_what_a_rewritten_log_does_not_tell_is_held_and_nothing_is_passed_over(self):
        for name, rewritten in (
                ("newest first", lambda lines: lines[::-1]),
                ("what was sent at the end", lambda lines: lines[10:] + lines[:10]),
                ("an older log alone", lambda lines: lines[:4]),
                ("one that waits among those sent", lambda lines: lines[:5] + lines[12:13] + lines[5:12] + lines[13:])):
            with self.subTest(name):
                agent = name.replace(" ", "-")
                server, client = self.make_broker(duplicate_window=100_000_000)
                (self.scratch / agent).mkdir()
                driver = self.make_publisher(server, self.scratch / agent)
                driver.ok(f"append {agent} 80")
                self.assertEqual(driver.flush(), (0, 0))
                driver.call("detach 0 10000")
                sent = len(client.messages())
                driver.ok(f"append {agent} 30")
                log = self.scratch / agent / ".kaizen" / "metrics" / agent / "executions.jsonl"
                lines = [line.replace("03:04:05", f"03:{number // 60:02}:{number % 60:02}")
                         for number, line in enumerate(log.read_text().splitlines(True))]
                self.replace_log(log, "".join(lines[:70] + rewritten(lines[70:])
                                              if name.startswith("one") else rewritten(lines)))
                driver.ok(f"attach 0 {server.url}")
                wait_for(lambda: driver.json(f"view {agent}")["held"] > 0, "what is not known to be held")
                view = driver.json(f"view {agent}")
                self.assertEqual(view["marked"], view["acknowledged"] + view["pending"] + view["dead"])
                self.assertGreaterEqual(view["pending"], view["marked"] - 80)
                self.assertEqual(len(client.messages()), sent, "no history was sent again")
                driver.call("detach 0 10000")

    def test_dead_letters_and_held_events_are_counted_anew_after_a_rewrite(self):
        server, client = self.make_broker()
        driver = self.make_driver()
        driver.ok("append coach 6")  # nobody has sent them
        copy = self.scratch / "copy"
        shutil.copytree(self.root, copy)
        other = self.make_publisher(server, copy)
        other.ok('raw coach {"timestamp":"2025-01-02T03:04:05Z","agent":"coach","success":true,'
                 '"event_id":"3b241101-e2bb-4255-8caf-4136c566a962","event":{"project":7}}')
        other.ok("append coach 4")

        def numbers():
            view = other.view("coach")
            return tuple(view[name] for name in ("marked", "held", "pending", "dead", "acknowledged"))

        wait_for(lambda: numbers() == (11, 6, 6, 1, 4), "held, refused and acknowledged events")
        self.root = copy
        self.rewrite("coach", lambda number: number >= 2)
        other.ok("append coach 1")
        wait_for(lambda: numbers() == (10, 4, 4, 1, 5), "two held events fewer")
        self.rewrite("coach", lambda number: number >= 5)
        other.ok("append coach 1")
        wait_for(lambda: numbers() == (6, 0, 0, 0, 6), "no held event and no dead letter")
        self.assertEqual(client.count(), 6)

    def test_a_rewrite_that_takes_events_along_is_counted(self):
        server = self.make_server()
        client = self.make_client(server)
        driver = self.make_publisher(server)
        driver.ok("append coach 10")
        wait_for(lambda: driver.json("status 0")["failures"] > 1, "an event in the window")
        self.rewrite("coach", lambda number: number % 3 > 0)
        driver.ok("append coach 2")
        wait_for(lambda: "[3:205]" in driver.call("said"), "the loss to be told")
        client.make_stream()
        self.assertEqual(driver.flush(), (0, 0))
        view = driver.view("coach")
        self.assertEqual((view["marked"], view["acknowledged"], view["pending"]), (8, 8, 0))
        self.assertGreater(view["lost"], 0)
        self.assertEqual([payload["id"] for _, payload in client.messages()], self.marked_ids("coach"))

    def test_a_log_that_lost_its_tail_goes_on_with_the_next_record(self):
        server, client, driver = self.publish(10)
        driver.kill()
        log = self.folder("coach") / "executions.jsonl"
        lines = log.read_text().splitlines(keepends=True)
        log.write_text("".join(lines[:9]))
        driver = self.make_driver()
        driver.ok("append coach 1")
        driver.ok(f"attach 0 {server.url}")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(client.messages()[-1][1]["id"], self.marked_ids("coach")[-1])
        view = driver.view("coach")
        self.assertEqual((view["marked"], view["acknowledged"]), (10, 10))

    def test_a_removed_metrics_folder_is_begun_anew(self):
        _, client, driver = self.publish(10)
        shutil.rmtree(self.root / ".kaizen")
        driver.ok("append coach 10")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(client.count(), 20)

    def test_lines_that_are_appended_a_second_time_are_sent_again_under_their_ids(self):
        _, client, driver = self.publish(5)
        log = self.folder("coach") / "executions.jsonl"
        with log.open("ab") as appending:
            appending.write(log.read_bytes())
        driver.ok("append coach 1")
        self.assertEqual(driver.flush(), (0, 0))
        view = driver.view("coach")
        self.assertEqual((view["marked"], view["acknowledged"], view["held"], view["lost"]), (11, 11, 0, 0))
        self.assertEqual(client.count(), 6)

    def test_an_id_that_is_removed_or_damaged_is_written_again(self):
        _, client, driver = self.publish(5)
        file = self.root / ".kaizen" / "metrics" / ".id"
        before = file.read_text()
        for harm in (file.unlink, lambda: file.write_text("nonsense"), lambda: file.write_text("")):
            harm()
            wait_for(lambda: file.exists() and file.read_text() == before, "the id is written again")
        self.assertIn(".id was removed, damaged or replaced: it was written again", driver.call("said"))
        driver.ok("append other 3")
        driver.ok("append coach 2")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(client.count(), 10)

    def test_an_id_that_was_made_anew_meanwhile_is_taken_and_events_go_on(self):
        _, client, driver = self.publish(5)
        writer = self.make_driver()
        file = self.root / ".kaizen" / "metrics" / ".id"
        stop(driver.process)
        file.unlink()
        writer.ok("append other 3")
        driver.process.send_signal(signal.SIGCONT)
        wait_for(lambda: "its new content is used" in driver.call("said"), "the new id is told")
        wait_for(lambda: client.count() == 8, "the events of the new agent")
        driver.ok("append coach 2")
        self.assertEqual(driver.flush(), (0, 0))
        self.assertEqual(client.count(), 10)
        view = writer.view("coach")
        self.assertEqual((view["acknowledged"], view["held"]), (7, 0))

    def test_unacknowledged_events_survive_a_lost_state_page(self):
        server, client, driver = self.publish(10)
        driver.ok("append coach 10")
        self.assertEqual(driver.flush(), (0, 0))
        driver.kill()
        state = bytearray((self.folder("coach") / ".state").read_bytes())
        pages = [int.from_bytes(state[at + 16:at + 24], "little") for at in (0, 4096)]
        newest = pages.index(max(pages)) * 4096
        state[newest + 100] ^= 1
        (self.folder("coach") / ".state").write_bytes(state)
        driver = self.make_publisher(server)
        driver.ok("append coach 1")
        self.assertEqual(driver.flush(), (0, 0))
        view = driver.view("coach")
        self.assertEqual((view["marked"], view["acknowledged"], view["held"]), (21, 21, 0))
        self.assertEqual({payload["id"] for _, payload in client.messages()}, set(self.marked_ids("coach")))


if __name__ == "__main__":
    unittest.main()

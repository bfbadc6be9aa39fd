/* test_retention.c - which lines leave a log, when, and what nobody may lose by it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "retention_log.h"

TestSuite(retention, .init = enter_project, .fini = leave_project);

/* When. */

Test(retention, a_first_look_only_reads_the_clock) {
  put_log(OLD TEN(NEW));
  cr_assert_eq(look_at(TODAY_S), 0, "%s", error.text);
  cr_assert_eq(look_at(TODAY_S + DAY_S - 1), 0, "%s", error.text);
  cr_assert_eq(lines_of_file(file()), 11);
  if (!tells_birth(file())) /* the clock begins with the oldest record: a look more */
    cr_assert_eq(look_at(TODAY_S + DAY_S), 0, "%s", error.text);
  cr_assert_eq(look_at(TODAY_S + (tells_birth(file()) ? 1 : 2) * DAY_S), 1, "%s", error.text);
  cr_assert_eq(dropped, 1);
  cr_assert_str_eq(text_of_file(file()), TEN(NEW));
}

Test(retention, most_of_a_log_is_taken_when_three_looks_agree) {
  put_log(TEN(OLD) NEW);
  cr_assert_eq(look_at(TODAY_S), 0, "%s", error.text);
  cr_assert_eq(look_at(TODAY_S + DAY_S), 0, "%s", error.text);
  cr_assert_eq(lines_of_file(file()), 11);
  cr_assert_eq(look_at(TODAY_S + 2 * DAY_S), 1, "%s", error.text);
  cr_assert_str_eq(text_of_file(file()), NEW);
}

Test(retention, prunes_at_most_once_a_day) {
  put_log(TEN(OLD) NEW);
  cr_assert_eq(prune(), 1);
  put_log(TEN(OLD) NEW);
  cr_assert_eq(look_at(TODAY_S), 0);
  cr_assert_eq(look_at(TODAY_S + DAY_S - 1), 0);
  cr_assert_eq(look_at(TODAY_S + DAY_S), 1);
}

#define AMENDMENT(of) "{\"agent\":\"coach\",\"amends\":\"" of "\",\"quality_score\":0.4}\n"

Test(retention, an_amendment_goes_with_the_record_that_it_names) {
  put_log(TEN(OLD) "{\"timestamp\":\"2020-01-01T00:00:00Z\",\"agent\":\"coach\",\"success\":true,"
                   "\"idempotency_key\":\"gone\"}\n" AMENDMENT("gone") NEW AMENDMENT("stays")
                       AMENDMENT("gone"));
  cr_assert_eq(prune(), 1, "%s", error.text);
  cr_expect_eq(lines_of_file(file()), 2);
  cr_expect(strstr(text_of_file(file()), "\"amends\":\"stays\""));
  cr_expect_not(strstr(text_of_file(file()), "\"amends\":\"gone\""));
}

Test(retention, does_not_rewrite_a_log_for_a_trifle) {
  put_log(OLD TEN(NEW) TEN(NEW));
  cr_assert_eq(prune(), 0, "%s", error.text);
  cr_assert_eq(lines_of_file(file()), 21);
  append_to_file(file(), OLD OLD);
  cr_assert_eq(look_at(TODAY_S + DAY_S), 1);
  cr_assert_eq(lines_of_file(file()), 20);
}

Test(retention, nothing_expired_is_nothing_to_do) {
  put_log(TEN(NEW));
  cr_assert_eq(prune(), 0);
  put_log("");
  cr_assert_eq(look_at(TODAY_S + 5 * DAY_S), 0);
}

/* What stays. */

Test(retention, lines_that_cannot_be_dated_or_read_stay) {
  put_log(TEN(OLD) "garbage\n"
                   "{\"agent\":\"coach\",\"success\":true}\n"
                   "{\"timestamp\":\"yesterday\",\"agent\":\"coach\",\"success\":true}\n"
                   "\n" NEW);
  cr_assert_eq(prune(), 1, "%s", error.text);
  cr_assert_eq(dropped, 10);
  cr_assert_str_eq(text_of_file(file()),
                   "garbage\n"
                   "{\"agent\":\"coach\",\"success\":true}\n"
                   "{\"timestamp\":\"yesterday\",\"agent\":\"coach\",\"success\":true}\n"
                   "\n" NEW);
}

Test(retention, events_that_are_not_acknowledged_stay_and_so_does_the_cursors_line) {
  put_log(TEN(OLD) MARKED("1") OLD MARKED("2") MARKED("3") OLD MARKED("4") NEW);
  with_agent(acknowledge_two);
  cr_assert_eq(prune(), 1, "%s", error.text);
  cr_assert_str_eq(text_of_file(file()), MARKED("2") MARKED("3") MARKED("4") NEW);
}

Test(retention, the_cursor_follows_its_line) {
  unsigned char id[16];
  struct agent_state state;
  bool damaged;
  int folder;

  put_log(TEN(OLD) MARKED("1") MARKED("2") MARKED("3") NEW);
  with_agent(acknowledge_two);
  cr_assert_eq(prune(), 1, "%s", error.text);
  folder = open(in_sandbox(".kaizen/metrics/coach"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  cr_assert_eq(agent_state_load(folder, &state, &damaged, &error), 0);
  (void)close(folder);
  cr_assert_eq(state.cursor.end, strlen(MARKED("2")));
  cr_assert_eq(state.cursor.marked, 1);
  uuid_pack("00000000-0000-4000-8000-000000000002", id);
  cr_assert_arr_eq(state.cursor.recent[0], id, 16);
}

Test(retention, the_dead_letters_whose_lines_go_are_no_longer_counted) {
  put_log(MARKED("1") MARKED("2") MARKED("3") MARKED("4") MARKED("5"));
  put_file(agent_file("coach", ".dead-letter.jsonl"),
           LETTER("2") LETTER("2") LETTER("4") LETTER("5"));
  with_agent(refuse_three_of_five);
  cr_assert_eq(prune(), 1, "%s", error.text);
  cr_assert_eq(dropped, 4);
  with_agent(expect_one_dead_letter);
}

Test(retention, held_events_and_events_of_a_lost_state_stay) {
  put_log(TEN(OLD) MARKED("1") MARKED("2") NEW);
  cr_assert_eq(prune(), 1, "%s", error.text);
  cr_assert_str_eq(text_of_file(file()), MARKED("1") MARKED("2") NEW);
}

Test(retention, a_line_of_three_megabytes_is_kept_byte_for_byte) {
  size_t len = 3 << 20, size;
  const char *text = line_of_length(len), *kept;

  put_log("");
  append_to_file(file(), text);
  for (size_t i = 0; i < len; i += 10 * strlen(OLD))
    append_to_file(file(), TEN(OLD));
  append_to_file(file(), NEW);
  cr_assert_eq(prune(), 1, "%s", error.text);
  kept = bytes_of_file(file(), &size);
  cr_assert_eq(size, len + strlen(NEW));
  cr_assert_eq(memcmp(kept, text, len), 0);
}

/* Who else is there. */

Test(retention, what_a_killed_prune_left_is_in_nobodys_way) {
  put_log(TEN(OLD) NEW);
  put_file(agent_file("coach", ".executions.new"),
           "half of it, and longer than what will be left, "
           "so that nothing of it may stay behind: " TEN(NEW));
  cr_assert_eq(prune(), 1, "%s", error.text);
  cr_assert_str_eq(text_of_file(file()), NEW);
  cr_assert_not(is_there(agent_file("coach", ".executions.new")));
}

Test(retention, of_two_prunes_at_once_one_gives_way) {
  int fd;

  put_log(TEN(OLD) NEW);
  put_file(agent_file("coach", ".executions.new"), "the other's");
  fd = open(agent_file("coach", ".executions.new"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(fd, LOCK_EX), 0);
  cr_assert_eq(prune(), -1);
  cr_assert_eq(error.code, KAIZEN_E_BUSY);
  cr_assert_eq(lines_of_file(file()), 11);
  cr_assert_str_eq(text_of_file(agent_file("coach", ".executions.new")), "the other's");
  (void)close(fd);
}

Test(retention, one_that_was_killed_after_a_fork_is_in_nobodys_way) {
  pid_t child;
  int result;

  put_log(TEN(OLD) NEW);
  put_file(agent_file("coach", ".executions.new"), "half of it");
  child = legacy_lock_leave(agent_file("coach", ".executions.new"), O_CLOEXEC);
  result = prune();
  for (int64_t day = 1; result < 0 && day < 100; day++) /* the look takes long on a busy machine */
    result = look_at(TODAY_S + day * DAY_S);
  cr_assert_eq(result, 1, "%s", error.text);
  cr_assert_str_eq(text_of_file(file()), NEW);
  (void)kill(child, SIGKILL);
}

Test(retention, a_link_in_the_way_is_refused_and_the_log_stays) {
  put_log(TEN(OLD) NEW);
  put_file(in_sandbox("outside"), "outside\n");
  cr_assert_eq(symlink("../../../outside", agent_file("coach", ".executions.new")), 0);
  cr_assert_eq(prune(), -1);
  cr_assert(strstr(error.text, ".executions.new: a symbolic link"), "%s", error.text);
  cr_assert_str_eq(text_of_file(in_sandbox("outside")), "outside\n");
  cr_assert_eq(lines_of_file(file()), 11);
}

Test(retention, a_lock_not_had_in_time_leaves_the_log_as_it_was) {
  int fd;

  put_log(TEN(OLD) NEW);
  cr_assert_eq(look_at(TODAY_S - DAY_S), 0);
  fd = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(fd, LOCK_EX), 0);
  {
    const struct retention_look today = {.wall_s = TODAY_S};
    int64_t wait_ns = 20000000;

    cr_assert_eq(
        retention_prune(&project, "coach", 180, &today, &wait_ns, false, NULL, &dropped, &error),
        -1);
    cr_assert_eq(error.code, KAIZEN_E_BUSY);
    cr_assert_leq(wait_ns, 0, "the time it waited was not counted");
  }
  cr_assert_eq(lines_of_file(file()), 11);
  (void)close(fd);
}

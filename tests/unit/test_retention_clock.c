/* test_retention_clock.c - when the wall clock is believed, and what it costs when it is wrong.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "retention_world.h"

#include <time.h>

#define BEGIN_S (TODAY_S - 50 * DAY_S)

/* ---- the clock alone ------------------------------------------------------------------------- */

static struct retention_clock given;

static bool see(int64_t wall_s, int64_t boot_s, uint64_t boot) {
  const struct retention_look look = {.wall_s = wall_s, .boot_s = boot_s, .boot = boot};
  bool changed;

  return retention_clock_look(&given, &look, BEGIN_S, &changed);
}

static void begin(void) {
  given = (struct retention_clock){0};
  cr_assert_not(see(TODAY_S, 100, 1));
  cr_assert_eq(given.clock_s, BEGIN_S);
}

Test(retention_clock, times_that_no_look_can_have_left_are_not_believed) {
  static const struct retention_clock cases[] = {
      {.clock_s = BEGIN_S, .read_s = INT64_MIN, .boot_s = 100, .boot = 1, .looks = 3},
      {.clock_s = BEGIN_S, .read_s = INT64_MAX, .boot_s = 100, .boot = 1, .looks = 3},
      {.clock_s = BEGIN_S, .read_s = TODAY_S - DAY_S, .boot_s = INT64_MIN, .boot = 1, .looks = 3},
      {.clock_s = INT64_MAX, .read_s = TODAY_S - DAY_S, .boot_s = 100, .boot = 1},
      {.clock_s = INT64_MIN, .read_s = TODAY_S - DAY_S, .boot_s = 100, .boot = 1},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    given = cases[i];
    (void)see(TODAY_S, 100 + DAY_S, 1);
    cr_expect(given.clock_s >= BEGIN_S && given.clock_s <= BEGIN_S + DAY_S, "%zu: %ld", i,
              (long)given.clock_s);
    cr_expect_not(retention_clock_is_sure(&given), "%zu", i);
    cr_expect_eq(given.read_s, TODAY_S, "%zu", i);
  }
}

Test(retention_clock, moves_within_a_boot_as_far_as_both_clocks_went) {
  static const struct {
    const char *what;
    int64_t wall_s, boot_s, moved_s;
  } cases[] = {
      {"a day", DAY_S, DAY_S, DAY_S},
      {"the wall clock jumped", 400 * DAY_S, 60, 60},
      {"it jumped while a day went by", 400 * DAY_S, DAY_S, DAY_S},
      {"another time namespace", DAY_S, 9999 * DAY_S, DAY_S},
      {"the wall clock fell back", -400 * DAY_S, DAY_S, 0},
  };

  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    begin();
    (void)see(TODAY_S + cases[i].wall_s, 100 + cases[i].boot_s, 1);
    if (cases[i].wall_s > 0)
      cr_expect_eq(given.clock_s, BEGIN_S + cases[i].moved_s, "%s", cases[i].what);
    else
      cr_expect_leq(given.clock_s, BEGIN_S, "%s", cases[i].what);
  }
}

Test(retention_clock, reaches_the_wall_clock_when_looks_agree_over_boots) {
  begin();
  for (int64_t day = 1; day < 10; day++) {
    cr_assert(see(TODAY_S + day * DAY_S, 100, (uint64_t)day + 1));
    cr_expect_eq(given.clock_s, day < 2 ? BEGIN_S : TODAY_S + (day - 1) * DAY_S, "day %d",
                 (int)day);
  }
}

Test(retention_clock, does_not_believe_one_boot_with_a_wrong_clock) {
  static const int64_t ahead_days[] = {2, 25, 31, 400, 73 * 365};

  for (unsigned i = 0; i < sizeof ahead_days / sizeof *ahead_days; i++) {
    begin();
    for (int64_t day = 1; day < 5; day++)
      (void)see(TODAY_S + day * DAY_S, 100, (uint64_t)day + 1);
    (void)see(TODAY_S + (5 + ahead_days[i]) * DAY_S, 100, 9);
    cr_expect_leq(given.clock_s, TODAY_S + 4 * DAY_S, "%d days", (int)ahead_days[i]);
    (void)see(TODAY_S + 5 * DAY_S, 200, 9);
    cr_expect_leq(given.clock_s, TODAY_S + 4 * DAY_S, "%d days", (int)ahead_days[i]);
  }
}

Test(retention_clock, without_a_boot_that_is_known_only_days_of_looks_count) {
  begin();
  given.boot = 0;
  (void)see(TODAY_S + DAY_S, 100 + DAY_S, 0);
  cr_assert_eq(given.clock_s, BEGIN_S);
  (void)see(TODAY_S + 2 * DAY_S, 100 + 2 * DAY_S, 0);
  cr_assert_eq(given.clock_s, TODAY_S + DAY_S);
  cr_assert(retention_clock_is_sure(&given));
}

Test(retention_clock, that_stands_ahead_of_the_wall_clock_begins_again_with_the_log) {
  given = (struct retention_clock){.clock_s = TODAY_S + 73 * 365 * DAY_S, .read_s = TODAY_S};
  (void)see(TODAY_S + DAY_S, 100, 1);
  cr_assert_eq(given.clock_s, BEGIN_S);
}

Test(retention_clock, follows_the_days_of_a_log_up_to_a_gap) {
  static const struct {
    const char *what;
    int64_t days[6], reached;
  } cases[] = {
      {"daily", {1, 2, 3, 4}, 4},        {"every third day", {3, 6, 9}, 6},
      {"one far ahead", {1, 2, 20}, 2},  {"in 73 years", {1, 73 * 365}, 1},
      {"before the clock", {-5, -1}, 0},
  };

  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct retention_clock clock = {.clock_s = TODAY_S};
    struct retention_clock_days days;

    retention_clock_days_begin(&days, &clock);
    for (unsigned n = 0; n < 6 && cases[i].days[n] != 0; n++)
      retention_clock_days_add(&days, TODAY_S + cases[i].days[n] * DAY_S + 5);
    retention_clock_follow_days(&clock, &days);
    cr_expect_eq(clock.clock_s, TODAY_S + cases[i].reached * DAY_S, "%s: %lld s", cases[i].what,
                 (long long)(clock.clock_s - TODAY_S));
  }
}

/* ---- what it spares -------------------------------------------------------------------------- */

TestSuite(retention_clock, .init = enter_project, .fini = leave_project);

/* One record a day, from `from_day` days before today to `to_day`. */
static void append_days(int64_t from_day, int64_t to_day) {
  for (int64_t day = from_day; day >= to_day; day--) {
    char line[128], stamp[32];
    time_t at = (time_t)(TODAY_S - day * DAY_S);
    struct tm tm;

    (void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
    (void)snprintf(line, sizeof line,
                   "{\"timestamp\":\"%s\",\"agent\":\"coach\",\"success\":true}\n", stamp);
    append_to_file(file(), line);
  }
}

Test(retention_clock, a_clock_that_jumps_ahead_takes_nothing_however_often_it_is_asked) {
  static const int64_t ahead_days[] = {30, 100, 400, 70 * 365};
  size_t kept;

  put_log("");
  append_days(199, 0);
  for (int64_t day = 3; day >= 0; day--)
    cr_assert_geq(look_at(TODAY_S - day * DAY_S), 0, "%s", error.text);
  kept = lines_of_file(file());
  for (unsigned i = 0; i < sizeof ahead_days / sizeof *ahead_days; i++)
    for (int64_t jump = 0; jump < 20; jump++) {
      int64_t wrong_s = TODAY_S + (ahead_days[i] + 2 * jump) * DAY_S;

      cr_assert_eq(look(wrong_s, TODAY_S + 60 * jump), 0, "%s", error.text);
      cr_assert_eq(look(TODAY_S + jump, TODAY_S + 60 * jump), 0, "%s", error.text);
    }
  cr_assert_eq(lines_of_file(file()), kept);
}

Test(retention_clock, a_log_younger_than_the_retention_is_not_emptied_by_two_looks_a_day_apart) {
  int64_t wrong_s = TODAY_S + 73 * 365 * DAY_S;

  put_log("");
  append_days(170, 0);
  append_to_file(file(), "{\"timestamp\":\"2098-12-31T00:00:00Z\",\"agent\":\"coach\","
                         "\"success\":true}\n");
  cr_assert_eq(look(wrong_s, 1000), 0);
  cr_assert_eq(look(wrong_s + 25 * 3600, 1001), 0);
  cr_assert_eq(look(TODAY_S, 1002), 0);
  cr_assert_eq(look(TODAY_S + 2 * DAY_S, 1003), 0);
  cr_assert_eq(lines_of_file(file()), 172);
}

Test(retention_clock, the_days_of_the_log_show_that_time_has_passed) {
  put_log("");
  append_days(400, 300);
  cr_assert_eq(look(TODAY_S - 300 * DAY_S, 1000), 0);
  append_days(299, 181);
  for (int i = 0; i < 3; i++)
    append_days(180, 0);
  cr_assert_eq(look(TODAY_S, 1001), 1, "%s", error.text);
  cr_assert_eq(lines_of_file(file()), 3 * 181);
  append_days(-1, -50);
  cr_assert_eq(look(TODAY_S + 50 * DAY_S, 1002), 1, "%s", error.text);
  cr_assert_eq(lines_of_file(file()), 3 * 131 + 50,
               "the clock went back with the lines that moved it");
}

Test(retention_clock, a_clock_that_falls_back_to_1970_prunes_nothing_and_goes_on_later) {
  put_log("");
  append_days(400, 390);
  append_days(0, 0);
  cr_assert_eq(look_at(TODAY_S), 0);
  cr_assert_eq(look(0, TODAY_S), 0);
  cr_assert_eq(look(-5, TODAY_S), 0);
  cr_assert_eq(look(100, TODAY_S), 0);
  cr_assert_eq(look_at(TODAY_S), 0, "the clock has just come back");
  cr_assert_eq(look_at(TODAY_S + DAY_S), 0);
  cr_assert_eq(lines_of_file(file()), 12);
  cr_assert_eq(look_at(TODAY_S + 2 * DAY_S), 1);
  cr_assert_eq(lines_of_file(file()), 1);
}

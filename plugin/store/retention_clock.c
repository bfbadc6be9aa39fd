/* retention_clock.c - the clock that retention goes by.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/retention_clock.h"

#include <string.h>

#define DAY_S RETENTION_CLOCK_DAY_S
#define APART_S INT64_C(3600) /* of two clocks that agree on how much time has passed */
#define AWAY_S (30 * DAY_S)   /* a machine is not believed to have been off for longer */
#define DAYS_PER_DAY 2
#define GAP_DAYS 14
#define LATEST_S INT64_C(253402300799) /* the end of the year 9999 */
#define DAYS_SEEN ((int64_t)sizeof((struct retention_clock_days *)0)->seen * 8)

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

bool retention_clock_is_sure(const struct retention_clock *clock) {
  return clock->looks >= RETENTION_CLOCK_SURE;
}

static bool is_time(int64_t time_s) {
  return time_s >= 0 && time_s <= LATEST_S;
}

/* Within a boot both clocks must have gone on by the same time; over a boot the wall clock must
 * have gone on, and not too far. */
static bool agrees(const struct retention_clock *clock, const struct retention_look *look,
                   bool same_boot) {
  int64_t passed_s = look->wall_s - clock->read_s;
  int64_t apart_s = passed_s - (look->boot_s - clock->boot_s);

  if (passed_s < 0)
    return false;
  return same_boot ? apart_s <= APART_S && apart_s >= -APART_S : passed_s <= AWAY_S;
}

bool retention_clock_look(struct retention_clock *clock, const struct retention_look *look,
                          int64_t begin_s, bool *changed) {
  bool first, same_boot, believed;
  int64_t passed_s;

  *changed = false;
  if (look->wall_s <= 0 || !is_time(look->wall_s))
    return false;
  if (!is_time(clock->read_s) || !is_time(clock->boot_s))
    *clock = (struct retention_clock){.clock_s = clock->clock_s}; /* no look has left that */
  if (!is_time(clock->clock_s))
    clock->clock_s = begin_s;
  first = clock->read_s == 0;
  passed_s = look->wall_s - clock->read_s;
  if (!first && passed_s >= 0 && passed_s < DAY_S)
    return false;
  *changed = true;
  same_boot = look->boot != 0 && look->boot == clock->boot && look->boot_s >= clock->boot_s;
  believed = !first && agrees(clock, look, same_boot);
  clock->looks = believed ? clock->looks + (clock->looks < RETENTION_CLOCK_SURE) : 1;
  /* what the looks before this one suggest: so one more look is needed to believe this one */
  if (retention_clock_is_sure(clock) && clock->clock_s < clock->read_s)
    clock->clock_s = clock->read_s;
  if (same_boot && passed_s > 0)
    clock->clock_s += smaller(passed_s, look->boot_s - clock->boot_s);
  if (clock->clock_s == 0 || clock->clock_s > look->wall_s + DAY_S)
    clock->clock_s = begin_s; /* one of the two is wrong: the log shows how far time has come */
  clock->read_s = look->wall_s;
  clock->boot_s = look->boot_s;
  clock->boot = look->boot;
  return !first;
}

int64_t retention_clock_cutoff_s(const struct retention_clock *clock,
                                 const struct retention_look *look, int64_t retention_days) {
  return smaller(clock->clock_s, look->wall_s) - retention_days * DAY_S;
}

void retention_clock_days_begin(struct retention_clock_days *days,
                                const struct retention_clock *clock) {
  memset(days->seen, 0, sizeof days->seen);
  days->first = clock->clock_s / DAY_S;
}

void retention_clock_days_add(struct retention_clock_days *days, int64_t timestamp_s) {
  int64_t day = timestamp_s / DAY_S - days->first;

  if (timestamp_s >= 0 && day >= 0 && day < DAYS_SEEN)
    days->seen[day / 8] |= (unsigned char)(1u << (day % 8));
}

void retention_clock_follow_days(struct retention_clock *clock,
                                 const struct retention_clock_days *days) {
  int64_t before = 0;

  for (int64_t day = 1; day < DAYS_SEEN && day - before <= GAP_DAYS; day++) {
    if (!(days->seen[day / 8] & (1u << (day % 8))))
      continue;
    clock->clock_s += smaller(day - before, DAYS_PER_DAY) * DAY_S;
    clock->clock_s = smaller(clock->clock_s, (days->first + day + 1) * DAY_S - 1);
    before = day;
  }
}

/* retention_clock.h - the clock that retention goes by: on what evidence it moves.  Pure: no file,
 * no clock of the system.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The wall clock may be wrong for a minute or for days, and what retention removes is gone.  So
 * this clock begins with the log, and moves on evidence that time has passed: the time since the
 * boot, the days on which the log has records, and, as a last resort, looks at the wall clock that
 * agree with each other over days. */
#ifndef KAIZEN_RETENTION_CLOCK_H
#define KAIZEN_RETENTION_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds between two looks that count. */
#define RETENTION_CLOCK_DAY_S INT64_C(86400)
/* So many looks in a row that agree are believed. */
#define RETENTION_CLOCK_SURE 3

struct retention_clock { /* kept in .state */
  int64_t clock_s;       /* 0: not yet set */
  int64_t read_s;        /* what the wall clock said at the last look that counted; 0: none did, */
  int64_t boot_s;        /* how long after the boot that was, */
  uint64_t boot;         /* and which boot; 0: not known */
  uint32_t looks;        /* how many agree, this one included */
};

struct retention_look {
  int64_t wall_s, boot_s; /* boot_s: since the boot, sleep included */
  uint64_t boot;          /* tells one boot from another; 0: not known */
};

/* A look at the wall clock counts when the clock says that a day has passed since the last one, or
 * that it is earlier.  `begin_s`: the clock's first value.  True when expired lines may be looked
 * for; *changed: it is to be stored. */
bool retention_clock_look(struct retention_clock *clock, const struct retention_look *look,
                          int64_t begin_s, bool *changed);
/* Do enough looks agree to remove most of a log? */
bool retention_clock_is_sure(const struct retention_clock *clock);
/* What is older has expired, by this clock and by the wall clock. */
int64_t retention_clock_cutoff_s(const struct retention_clock *clock,
                                 const struct retention_look *look, int64_t retention_days);

/* The days on which a log has records, from where the clock stands. */
struct retention_clock_days {
  int64_t first;
  unsigned char seen[128];
};
void retention_clock_days_begin(struct retention_clock_days *days,
                                const struct retention_clock *clock);
void retention_clock_days_add(struct retention_clock_days *days, int64_t timestamp_s);
/* Moves the clock along them: by two days per day at most, and not over a gap of a fortnight.
 * However far ahead the wall clock was, that is only one day with records. */
void retention_clock_follow_days(struct retention_clock *clock,
                                 const struct retention_clock_days *days);

#endif

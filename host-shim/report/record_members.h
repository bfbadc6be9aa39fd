/* record_members.h - members of a line of the log, read in place: all that Python's
 * json.loads() takes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_RECORD_MEMBERS_H
#define KAIZEN_HOST_RECORD_MEMBERS_H

#include <stdio.h>

#include "common/json_reader.h"

struct record_member {
  const char *name; /* NULL: none is wanted */
  struct json_value *value;
};

/* Fills the value of each named member; of several of the same name the last.  One that the object
 * does not have stays as it is: raw.ptr NULL. */
void record_members_find(struct span object, const struct record_member *wanted, size_t count);
/* NAN for what is not a finite number. */
double record_members_number(const struct json_value *value);
/* A decoded string, or the text of any other plain value, cut between characters where it does not
 * fit, NUL-terminated; "" for null, an array, an object. */
void record_members_text(const struct json_value *value, char *out, size_t size);

/* A line of the log as it is, number texts included, except NaN and Infinity: JSON has none, so
 * null stands there. */
void record_members_print(FILE *out, const char *line, size_t len);

/* What people are shown of one run. */
enum { RECORD_TEXT_MAX = 400, RECORD_TIME_MAX = 64 };
struct record_told {
  bool success;
  double duration_s, quality;   /* NAN: none */
  char ended[RECORD_TIME_MAX];  /* as it is in the log */
  char reason[RECORD_TEXT_MAX]; /* metadata error_type, else outcome, else "" */
  char session_id[80];
};
void record_members_tell(struct span line, struct record_told *told);

#endif

/* record.h - one line of executions.jsonl read back, by any writer.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The rules for foreign lines are those of docs/format.md, "Lines that others wrote". */
#ifndef KAIZEN_RECORD_H
#define KAIZEN_RECORD_H

#include "common/buffer.h"
#include "common/json_reader.h"

struct record {
  int64_t timestamp_s; /* -1: absent or unreadable */
  double quality_score, execution_time_s;
  bool success, has_quality, has_time;
  bool marked;              /* has a valid event_id and an event object */
  char event_id[37];        /* "" unless marked */
  struct span agent;        /* raw text between the quotes */
  struct json_value event;  /* the object, unless !marked */
  struct json_value amends; /* of an amendment: the line it amends; a JSON string */
  struct json_value key;    /* a JSON string; raw.ptr NULL: none.  Top level wins over metadata */
};

enum record_kind {
  RECORD_OK,
  RECORD_BLANK,
  RECORD_GARBAGE,
  /* A line with "amends" (text) and without "success": reserved, neither a record nor garbage.  Of
   * *record only `amends` is set. */
  RECORD_AMENDMENT
};

/* `line` has no newline. Spans of *record point into it. *why (may be NULL) names what is wrong
 * with GARBAGE, static text. */
enum record_kind record_read(struct span line, struct record *record, const char **why);
/* Decodes the key, appended to *out (cleared first).  False: the record has none. */
bool record_key(const struct record *record, struct buffer *out);

#endif

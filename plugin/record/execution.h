/* execution.h - one execution on its way into the log: checked, normalised, as a line.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything a record can be refused for is found here, before any lock is taken. */
#ifndef KAIZEN_EXECUTION_H
#define KAIZEN_EXECUTION_H

#include <kaizen/plugin.h>

#include "base/error.h"
#include "record/agent_name.h"

#define EXECUTION_KEY_MAX 512

struct execution_limits {
  int64_t now_s;    /* taken as the timestamp when none is given */
  int64_t oldest_s; /* an older given timestamp is refused (retention); INT64_MIN: none is */
  /* Of the line without event_id, event and newline.  Input texts may be 8 times as long. */
  size_t max_record_bytes;
  bool emit_default; /* what neither EMIT nor NO_EMIT means */
};

struct execution {       /* zero it, fill it any number of times, then execution_fini() */
  struct buffer line;    /* the record's object, complete except for its closing brace */
  struct buffer key;     /* decoded idempotency key; len 0: none */
  struct buffer scratch; /* decoded strings of JSON input, kept between fillings for its memory */
  struct buffer others;  /* members that are kept as they were given: ,"name":value each */
  char agent[AGENT_NAME_MAX + 1];
  int64_t timestamp_s; /* -1: kept as it was given, and cannot be read */
  double quality_score, execution_time_s;
  bool success, has_quality, has_time;
  bool marked; /* it is to be emitted */
};

/* What the event says of the agent's log as of its line (docs/delivery.md). */
struct event_numbers {
  double success_rate, avg_quality;
  uint64_t execution_count;
};

void execution_fini(struct execution *execution);

/* For an execution without a key: one made from the bytes of the JSON text that it came from, so
 * that the same line is the same execution wherever a replay begins.  It is put where a given one
 * stands, at the end of the record.  -1 with *error, KAIZEN_E_REJECTED when the record is then too
 * long. */
int execution_derive_key(struct execution *execution, struct span text,
                         const struct execution_limits *limits, struct error *error);

/* Appends the whole line with its newline; event_id NULL: not marked, the last three arguments are
 * ignored. */
void execution_append_line(const struct execution *execution, const char *event_id,
                           struct span project, const struct event_numbers *numbers,
                           struct buffer *out);

#endif

/* execution.h - one execution on its way into the log: checked, normalised, as a line.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything a record can be refused for is found here, before any lock is taken (contract,
 * "executions.jsonl" and "Read the same way by everyone"). */
#ifndef KAIZEN_EXECUTION_H
#define KAIZEN_EXECUTION_H

#include <kaizen/plugin.h>

#include "base/error.h"
#include "base/uuid_text.h"
#include "common/buffer.h"

#define EXECUTION_AGENT_MAX 64
#define EXECUTION_KEY_MAX 512

struct execution_limits {
  int64_t now_s;    /* taken as the timestamp when none is given */
  int64_t oldest_s; /* an older given timestamp is refused (retention); INT64_MIN: none is */
  /* Of the line without event_id, event and newline.  Input texts may be 8 times as long. */
  size_t max_record_bytes;
  bool emit_default; /* what neither EMIT nor NO_EMIT means */
};

struct execution {       /* zero it, fill it any number of times, then execution_fini() */
  struct buffer line;    /* the record's object, complete but for its closing brace */
  struct buffer key;     /* decoded idempotency key; len 0: none */
  struct buffer scratch; /* decoded strings of JSON input, kept between fillings for its memory */
  char agent[EXECUTION_AGENT_MAX + 1];
  int64_t timestamp_s;
  double quality_score, execution_time_s;
  bool success, has_quality, has_time;
  bool marked; /* it is to be emitted */
};

/* What the event says of the agent's log as of its line (contract, "The event"). */
struct event_numbers {
  double success_rate, avg_quality;
  uint64_t execution_count;
};

/* 0, or -1 with *error: KAIZEN_E_REJECTED (the text names the field, the value and the rule),
 * KAIZEN_E_UNSUPPORTED (unknown low flag bit), KAIZEN_E_NOMEM. `in` has at least its 1.0 layout. */
int execution_from_struct(struct execution *execution, const struct kaizen_execution *in,
                          const struct execution_limits *limits, struct error *error);
/* The same from one JSON object with the log's keys. Unknown top-level keys are refused, the
 * nearest known one named. event_id and event are ignored (an exported log can be given back).
 * exec_flags: KAIZEN_EXEC_EMIT, _NO_EMIT or 0. */
int execution_from_json(struct execution *execution, struct span text, uint32_t exec_flags,
                        const struct execution_limits *limits, struct error *error);
void execution_fini(struct execution *execution);

/* Appends the whole line with its newline; event_id NULL: not marked, the last three arguments are
 * ignored. */
void execution_append_line(const struct execution *execution, const char *event_id,
                           struct span project, const struct event_numbers *numbers,
                           struct buffer *out);

/* 0 when legal; else -1 with *error saying which character or length breaks the grammar. */
int execution_check_agent(struct span agent, struct error *error);
/* kaizen.names/1: see kaizen/extensions.h. */
int execution_map_agent(struct span name, char out[EXECUTION_AGENT_MAX + 1]);

#endif

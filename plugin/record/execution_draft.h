/* execution_draft.h - what both forms of input, struct and JSON, come down to before the line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_EXECUTION_DRAFT_H
#define KAIZEN_EXECUTION_DRAFT_H

#include "common/json_reader.h"
#include "record/execution.h"

struct execution_draft {
  uint32_t flags;                                   /* KAIZEN_EXEC_MAP_AGENT, _KEEP_UNKNOWN */
  struct span agent, session_id, primary_name, key; /* ptr NULL: not given */
  struct span helix_session_uid, repo, flavor;
  struct json_value metadata; /* raw.ptr NULL: not given; else an object that was checked */
  double execution_time_s, quality_score, primary_value, primary_target, infra_overhead_share;
  int64_t timestamp_s, tokens;
  bool has_timestamp, has_time, has_quality, has_primary, has_target, has_tokens, has_share;
  bool success;
  bool timestamp_kept; /* it cannot be read, and is in execution->others as it was given */
};

/* Takes over the call's flags; `known`: the bits this form of input has. */
int execution_draft_read_flags(struct execution *execution, struct execution_draft *draft,
                               uint32_t flags, uint32_t known,
                               const struct execution_limits *limits, struct error *error);
/* Refuses a text that cannot be a record, before time is spent on it: too long, or with a byte
 * order mark. */
int execution_draft_check_text(const char *field, struct span text, size_t max,
                               struct error *error);
/* One JSON object to check, of what may stand inside `depth` others in the record. */
int execution_draft_check_json(const char *field, struct span text, unsigned depth,
                               struct json_value *value, struct error *error);
/* Checks what the two forms have in common and writes the line. */
int execution_draft_finish(struct execution *execution, const struct execution_draft *draft,
                           const struct execution_limits *limits, struct error *error);

/* White space and escapes make input longer than the record. */
enum { EXECUTION_DRAFT_TEXT_FACTOR = 8 };

#endif

/* execution_from_json.h - one execution from JSON text with the log's own keys.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_EXECUTION_FROM_JSON_H
#define KAIZEN_EXECUTION_FROM_JSON_H

#include "record/execution.h"
#include "record/execution_draft.h"

/* 0, or -1 with *error as execution_from_struct(). Unknown top-level keys are refused, the nearest
 * known one named. event_id and event are ignored (an exported log can be given back).
 * exec_flags: KAIZEN_EXEC_EMIT, _NO_EMIT or 0. */
int execution_from_json(struct execution *execution, struct span text, uint32_t exec_flags,
                        const struct execution_limits *limits, struct error *error);
/* The members of a struct's extra_json, into *draft.  Decoded strings stand in
 * execution->scratch. */
int execution_from_json_extra(struct execution *execution, struct execution_draft *draft,
                              struct span text, struct error *error);

#endif

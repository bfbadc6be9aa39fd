/* execution_from_struct.h - one execution from the host's struct.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_EXECUTION_FROM_STRUCT_H
#define KAIZEN_EXECUTION_FROM_STRUCT_H

#include "record/execution.h"

/* 0, or -1 with *error: KAIZEN_E_REJECTED (the text names the field, the value and the rule),
 * KAIZEN_E_UNSUPPORTED (unknown low flag bit), KAIZEN_E_NOMEM. `in` has at least its 1.0 layout. */
int execution_from_struct(struct execution *execution, const struct kaizen_execution *in,
                          const struct execution_limits *limits, struct error *error);

#endif

/* agent_name.h - the grammar of agent names, and the mapping of any name into it.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_AGENT_NAME_H
#define KAIZEN_AGENT_NAME_H

#include "base/error.h"
#include "common/buffer.h"

#define AGENT_NAME_MAX 64

/* 0 when legal; else -1 with *error saying which character or length breaks the grammar. */
int agent_name_check(struct span agent, struct error *error);
/* kaizen.names/1's mapping: 1 when `out` differs from the name, 0 when not, -1 with *error when no
 * name can be made of it; `out` is then "". */
int agent_name_map(struct span name, char out[AGENT_NAME_MAX + 1], struct error *error);

#endif

/* unreadable.h - the agents that an answer had to leave out, and why.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_UNREADABLE_H
#define KAIZEN_HOST_UNREADABLE_H

#include <json-c/json.h>

#include "base/problem.h"

/* Agents whose logs could not be read, while the others were. */
struct unreadable {
  struct json_object *list;
};
/* Says so on standard error, and keeps it for the document. */
void unreadable_add(struct unreadable *unreadable, const char *agent,
                    const struct problem *problem);
/* Adds "complete" and "unreadable" to a document. */
void unreadable_add_json(struct unreadable *unreadable, struct json_object *document);
/* EXIT_CODE_OK, or EXIT_CODE_FAILED when there is one; frees. */
int unreadable_finish(struct unreadable *unreadable);

#endif

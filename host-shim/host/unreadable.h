/* unreadable.h - what an answer had to leave out, and why: {"agent","why"} each.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_UNREADABLE_H
#define KAIZEN_HOST_UNREADABLE_H

#include <json-c/json.h>

#include "base/problem.h"

/* Agents whose logs could not be read, while the others were.  Zero it first. */
struct unreadable {
  struct json_object *list; /* NULL: none */
};
/* Reports one on standard error, and keeps it for the document.  `root` is given when the answer
 * covers several projects, else NULL; without an agent it is the whole project. */
void unreadable_add(struct unreadable *unreadable, const char *root, const char *agent,
                    const struct problem *problem);
/* EXIT_CODE_OK, or EXIT_CODE_FAILED when there is one; frees. */
int unreadable_finish(struct unreadable *unreadable);

/* Those whose events a delivery report does not know; an empty array when it is complete.
 * Borrowed. */
struct json_object *unreadable_in(struct json_object *report);
/* Reports each of a list on standard error.  Answers how many there are. */
size_t unreadable_tell(struct json_object *list);
/* Adds "complete" and "unreadable" to a document; `list` may be NULL and is not taken over. */
void unreadable_add_json(struct json_object *list, struct json_object *document);

#endif

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
/* Says so on standard error, and keeps it for the document.  `root` is named when the answer is of
 * several projects, else NULL; without an agent it is all of that project. */
void unreadable_add(struct unreadable *unreadable, const char *root, const char *agent,
                    const struct problem *problem);
/* EXIT_CODE_OK, or EXIT_CODE_FAILED when there is one; frees. */
int unreadable_finish(struct unreadable *unreadable);

/* Those of which a delivery report cannot tell; an empty array where it is complete.  Borrowed. */
struct json_object *unreadable_in(struct json_object *report);
/* Says each of a list on standard error.  Answers how many they are. */
size_t unreadable_tell(struct json_object *list);
/* Adds "complete" and "unreadable" to a document; `list` may be NULL and is not taken over. */
void unreadable_add_json(struct json_object *list, struct json_object *document);

#endif

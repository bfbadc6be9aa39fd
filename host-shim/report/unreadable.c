/* unreadable.c - the agents that an answer had to leave out, and why.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/unreadable.h"

#include "base/json_text.h"
#include "base/output.h"

void unreadable_add(struct unreadable *unreadable, const char *agent,
                    const struct problem *problem) {
  struct json_object *entry = json_object_new_object();

  output_error("%s", problem->text);
  if (!unreadable->list)
    unreadable->list = json_object_new_array();
  json_object_object_add(entry, "agent", json_text_new_string(agent));
  json_object_object_add(entry, "why", json_text_new_string(problem->text));
  json_object_array_add(unreadable->list, entry);
}

void unreadable_add_json(struct unreadable *unreadable, struct json_object *document) {
  json_object_object_add(document, "complete", json_object_new_boolean(!unreadable->list));
  json_object_object_add(document, "unreadable",
                         unreadable->list ? json_object_get(unreadable->list)
                                          : json_object_new_array());
}

int unreadable_finish(struct unreadable *unreadable) {
  int status = unreadable->list ? EXIT_CODE_FAILED : EXIT_CODE_OK;

  json_object_put(unreadable->list);
  unreadable->list = NULL;
  return status;
}

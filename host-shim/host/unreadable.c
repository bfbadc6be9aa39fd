/* unreadable.c - what an answer had to leave out, and why.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "host/unreadable.h"

#include <string.h>

#include "base/json_text.h"
#include "base/output.h"
#include "host/report_text.h"

void unreadable_add(struct unreadable *unreadable, const char *root, const char *agent,
                    const struct problem *problem) {
  struct json_object *entry = json_object_new_object();
  bool says_where = !root || strstr(problem->text, root);

  output_error("%s%s%s", says_where ? "" : root, says_where ? "" : ": ", problem->text);
  if (!unreadable->list)
    unreadable->list = json_object_new_array();
  if (root)
    json_object_object_add(entry, "project_root", json_text_new_string(root));
  json_object_object_add(entry, "agent", agent ? json_text_new_string(agent) : NULL);
  json_object_object_add(entry, "why", json_text_new_string(problem->text));
  json_object_array_add(unreadable->list, entry);
}

int unreadable_finish(struct unreadable *unreadable) {
  int status = unreadable->list ? EXIT_CODE_FAILED : EXIT_CODE_OK;

  json_object_put(unreadable->list);
  unreadable->list = NULL;
  return status;
}

struct json_object *unreadable_in(struct json_object *report) {
  struct json_object *list = report_text_member(report, "unreadable");

  if (json_object_is_type(list, json_type_array))
    return list;
  list = json_object_new_array();
  json_object_object_add(report, "unreadable", list);
  return list;
}

size_t unreadable_tell(struct json_object *list) {
  size_t count = json_object_array_length(list);

  for (size_t i = 0; i < count; i++) {
    const char *why = report_text_string(json_object_array_get_idx(list, i), "why", "");

    if (!output_has_said(why))
      output_error("%s", why);
  }
  return count;
}

void unreadable_add_json(struct json_object *list, struct json_object *document) {
  bool is_complete = !list || json_object_array_length(list) == 0;

  json_object_object_add(document, "complete", json_object_new_boolean(is_complete));
  json_object_object_add(document, "unreadable",
                         list ? json_object_get(list) : json_object_new_array());
}

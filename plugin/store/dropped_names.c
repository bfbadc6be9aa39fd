/* dropped_names.c - the names by which amendments may refer to the records that a rewrite leaves
 * out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/dropped_names.h"

#include "common/buffer.h"

void dropped_names_add(struct dropped_names *names, const struct record *record) {
  struct buffer key = {0};

  if (record_key(record, &key) && !key.failed)
    (void)name_table_put(&names->hashes, buffer_span(&key));
  if (record->marked)
    (void)name_table_put(&names->hashes,
                         (struct span){record->event_id, sizeof record->event_id - 1});
  buffer_fini(&key);
}

bool dropped_names_has(const struct dropped_names *names, struct json_value amends) {
  struct buffer name = {0};
  bool found = false;

  json_value_decode(amends, &name);
  if (!name.failed && name.len > 0)
    found = name_table_find(&names->hashes, buffer_span(&name)) != NULL;
  buffer_fini(&name);
  return found;
}

void dropped_names_fini(struct dropped_names *names) {
  name_table_fini(&names->hashes);
}

/* event_id.c - the id of an event that has an idempotency key.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/event_id.h"

int event_id_from_key(struct span project, struct span agent, struct span key,
                      char out[UUID_TEXT_SIZE]) {
  struct buffer name = {0};
  int result;

  buffer_append(&name, project.ptr, project.len);
  buffer_append_byte(&name, '\0');
  buffer_append(&name, agent.ptr, agent.len);
  buffer_append_byte(&name, '\0');
  buffer_append(&name, key.ptr, key.len);
  result = name.failed ? -1 : 0;
  if (result == 0)
    uuid_from_name(EVENT_ID_NAMESPACE, buffer_span(&name), out);
  buffer_fini(&name);
  return result;
}

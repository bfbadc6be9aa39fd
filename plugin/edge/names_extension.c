/* names_extension.c - kaizen.names/1.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "edge/extension_tables.h"
#include "record/agent_name.h"

static int32_t names_map(struct kaizen_str name, char *out) {
  if (!name.ptr || !out)
    return KAIZEN_E_ARGUMENT;
  return agent_name_map(
      (struct span){name.ptr, name.len == KAIZEN_NTS ? strlen(name.ptr) : name.len}, out);
}

const struct kaizen_names_1 names_extension = {.map = names_map};

/* names_extension.c - kaizen.names/1.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "edge/extension_tables.h"
#include "edge/out_struct.h"
#include "record/agent_name.h"

static int32_t names_map(const char *name, size_t len, char *out, char *reason,
                         size_t reason_size) {
  struct error error = {0};
  int result;

  if (!name || !out)
    return KAIZEN_E_ARGUMENT;
  result = agent_name_map((struct span){name, len == KAIZEN_NTS ? strlen(name) : len}, out, &error);
  if (reason && reason_size > 0)
    out_struct_set_text(reason, reason_size, error.text);
  return result < 0 ? error.code : result;
}

const struct kaizen_names_1 names_extension = {.map = names_map};

/* hook_toml_edit.h - one top-level key of somebody's TOML settings, every other byte as it is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_TOML_EDIT_H
#define KAIZEN_HOST_HOOK_TOML_EDIT_H

#include <stdbool.h>
#include <stddef.h>

struct hook_toml_key { /* offsets into the text */
  size_t start, end;   /* from the key to behind the newline of its value */
  size_t value, value_end;
};

/* Finds the key in front of the first table; false: it is not there, and *insert_at is where a line
 * for it belongs. */
bool hook_toml_find(const char *text, size_t len, const char *name, struct hook_toml_key *key,
                    size_t *insert_at);

#endif

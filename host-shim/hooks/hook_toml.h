/* hook_toml.h - edits one top-level key of TOML settings; all other bytes stay.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_TOML_H
#define KAIZEN_HOST_HOOK_TOML_H

#include <stdbool.h>
#include <stddef.h>

struct hook_toml_key { /* offsets into the text */
  size_t start, end;   /* from the key to after the newline of its value */
  size_t value, value_end;
};

/* Looks for the key, or for members of it (NAME.x), before the first table.  1: *key; 0: it is
 * missing, and *at is where a line for it belongs; -1: the text before the first table cannot be
 * read from *at on. */
int hook_toml_find(const char *text, size_t len, const char *name, struct hook_toml_key *key,
                   size_t *at);
struct hook_toml_table {
  size_t start, body, end; /* the header, what is after it, and the place after the last key */
};
/* The next [[name]] at or after `from`.  0: there is none; -1: the text cannot be parsed, or uses
 * the name for a table that is not in an array. */
int hook_toml_next_table(const char *text, size_t len, const char *name, size_t from,
                         struct hook_toml_table *table);
/* True when `name` of the table [table] has this value, such as "false". */
bool hook_toml_is(const char *text, size_t len, const char *table, const char *name,
                  const char *value);

#endif

/* hook_tables.h - our [[hooks]] in TOML settings; all other bytes stay.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_TABLES_H
#define KAIZEN_HOST_HOOK_TABLES_H

#include <stdbool.h>

/* Those between our marks, and those that are left without, because a program rewrote the file. */
bool hook_tables_found(const char *text, const char *host);
/* A copy of the text without them; NULL without memory. */
char *hook_tables_cut(const char *text, const char *host);
/* A copy with `tables` as our only ones, after everything else: what follows them would be part of
 * them.  An empty "hooks = []" makes room.  NULL: without memory, and then *fits; else the text has
 * hooks in another notation, or cannot be parsed. */
char *hook_tables_put(const char *text, const char *tables, const char *host, bool *fits);

#endif

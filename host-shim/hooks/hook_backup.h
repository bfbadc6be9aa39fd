/* hook_backup.h - settings files as they were before hooks were installed.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Kept in the state folder, below backups/: beside the file it would end up in somebody's
 * repository. */
#ifndef KAIZEN_HOST_HOOK_BACKUP_H
#define KAIZEN_HOST_HOOK_BACKUP_H

#include <stdbool.h>

#include <json-c/json.h>

#include "hooks/hook_state.h"

struct hook_backup {
  bool is_exact;               /* putting `original` back undoes the installation to the byte */
  bool is_unchanged;           /* loaded: the file is to the byte as it was written then */
  bool was_there;              /* false: the file was made */
  char *original;              /* NULL when it was not there */
  struct json_object *made;    /* members that were made in it (hook_entries.h) */
  struct json_object *folders; /* folders that were made for it, from the outside in */
};

/* Keeps what is known of `file`, into which `installed` is about to be written; the original as
 * well unless it is NULL. */
int hook_backup_keep(const struct hook_state *state, const char *file,
                     const struct hook_backup *backup, const char *installed,
                     struct problem *problem);
/* Where the original of a file is kept. */
void hook_backup_name(const struct hook_state *state, const char *file, char name[PATH_MAX]);
/* False: nothing is known of that file.  `present` is what stands in it. */
bool hook_backup_load(const struct hook_state *state, const char *file, const char *present,
                      struct hook_backup *backup);
void hook_backup_free(struct hook_backup *backup);
/* What was known is no longer true; the original stays. */
void hook_backup_forget(const struct hook_state *state, const char *file);

#endif

/* hook_backup.h - settings files as they were before hooks were installed.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Kept in the state folder, below backups/: beside the file a backup would end up in somebody's
 * repository. */
#ifndef KAIZEN_HOST_HOOK_BACKUP_H
#define KAIZEN_HOST_HOOK_BACKUP_H

#include <stdbool.h>

#include <json-c/json.h>

#include "hooks/hook_state.h"

struct hook_backup {
  bool is_exact;               /* putting `original` back undoes the installation to the byte */
  bool is_unchanged;           /* loaded: the file is still exactly as it was written then */
  bool was_there;              /* false: the file was made */
  char *original;              /* NULL when it was not there */
  struct json_object *made;    /* members that were made in it (hook_entries.h) */
  struct json_object *folders; /* folders that were made for it, from the outside in */
};

/* Stores what is known of `file`, into which `installed` is about to be written, and the original
 * unless it is NULL. */
int hook_backup_keep(const struct hook_state *state, const char *file,
                     const struct hook_backup *backup, const char *installed,
                     struct problem *problem);
/* Where the original of a file is kept. */
void hook_backup_name(const struct hook_state *state, const char *file, char name[PATH_MAX]);
/* False: nothing is known of that file.  `present` is its present content. */
bool hook_backup_load(const struct hook_state *state, const char *file, const char *present,
                      struct hook_backup *backup);
void hook_backup_free(struct hook_backup *backup);
/* Forgets what was known, which is no longer true; the original stays. */
void hook_backup_forget(const struct hook_state *state, const char *file);

#endif

/* history_files.h - where a coding agent keeps the transcripts of its sessions.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HISTORY_FILES_H
#define KAIZEN_HOST_HISTORY_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/problem.h"

struct history_file {
  char *path;
  char *folder; /* the project's, when the file's path shows it; else NULL */
  uint64_t bytes;
  bool is_agents_own; /* of a subagent */
};
struct history_files {
  struct history_file *list;
  size_t count, room;
  size_t unreadable; /* folders, and files of others; a warning said which and why */
  uint64_t bytes;
};

#define HISTORY_FILES_HOSTS "claude-code", "codex", "gemini"

/* All files of this user that were written at or after `since_ns`, sorted by name.  None for a host
 * that keeps no transcripts.  -1: no home folder, no memory. */
int history_files_find(const char *host, const char *project_root, int64_t since_ns,
                       struct history_files *files, struct problem *problem);
void history_files_free(struct history_files *files);

#endif

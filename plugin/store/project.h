/* project.h - one project root on disk: its metrics folder, its agents' folders.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_PROJECT_H
#define KAIZEN_PROJECT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define PROJECT_METRICS_PATH ".kaizen/metrics" /* below the root */
#define PROJECT_ID_SIZE 16                     /* of its identity: project_identity.h */

struct project { /* read-only after project_open(), except the lazily made identity */
  char *root;    /* real path */
  int root_fd;
  struct project_users *users; /* of root_fd, which copies share */
  bool sync;                   /* make new folders durable up to the root */
  bool only_reads;             /* and so may read what it could not record into */
  bool of_group;               /* the setting `owner` is "group": its users share it */
  unsigned char boot_id[16];   /* of this boot; all zero when it cannot be read */
  /* random: the time for which root_fd keeps the file system `device` mounted; all zero without
   * entropy */
  unsigned char life[16];
  dev_t device; /* of the root */
  ino_t inode;
};

/* 0 or -1 with *error (KAIZEN_E_CONFIG: not there, no folder, foreign owner, not writable, network
 * file system). */
int project_open(struct project *project, const char *root, bool allow_network_fs, bool sync,
                 struct error *error);
/* The same for a project that the users of the root's group share. */
int project_open_for_group(struct project *project, const char *root, bool allow_network_fs,
                           bool sync, struct error *error);
/* The same for a process that only reads: of any owner, writable or not. */
int project_open_to_read(struct project *project, const char *root, struct error *error);
void project_close(struct project *project);
/* Another object of the same folder, with the same descriptor, which the last one closes.  -1: out
 * of memory. */
int project_share(const struct project *project, struct project *copy);

/* .kaizen/metrics: 0 with *fd to be closed by the caller, 1 when it is not there (create false),
 * -1.  A folder that is made gets a .gitignore of one line, "*". */
int project_metrics_folder(const struct project *project, bool create, int *fd,
                           struct error *error);
/* .kaizen/metrics/<agent>, the same way.  `agent` is legal (agent_name_check). */
int project_agent_folder(const struct project *project, const char *agent, bool create, int *fd,
                         struct error *error);
/* Removes it again where nothing is in it. */
void project_drop_agent_folder(const struct project *project, const char *agent);
/* Calls `each` with every legal agent name that has a folder, until it answers non-zero (returned).
 * -1 with *error: not all of them could be found.  Sorted when `sorted`.  A symbolic link to a
 * folder is named, too, and refused when it is opened, so that it does not go unnoticed. */
int project_each_agent(const struct project *project, bool sorted,
                       int (*each)(void *ctx, const char *agent), void *ctx, struct error *error);

#endif

/* roots.h - many projects at once: a file that lists their roots, one per line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_ROOTS_H
#define KAIZEN_HOST_ROOTS_H

#include "host/session.h"
#include "host/unreadable.h"

struct roots {
  char **list; /* absolute paths, one for each project, in the order of the file */
  size_t count;
};
/* Blank lines and lines that begin with # are left out; a path that is not absolute is left out
 * with a warning. */
int roots_read(const char *file, struct roots *roots, struct problem *problem);
void roots_free(struct roots *roots);

/* --roots FILE, for a command that only reads. */
extern const struct option_spec roots_options[];
bool roots_are_given(const struct host *host);
/* Calls visit with the project of `host` opened, and NULL for its name; with --roots with each root
 * of the file, one after another, and the project's name.  Of many roots one that cannot be opened,
 * or whose visit fails, is listed in *unreadable and hides no other. */
int roots_each(const struct host *host,
               int (*visit)(void *ctx, struct session *session, const char *project,
                            struct problem *problem),
               void *ctx, struct unreadable *unreadable, struct problem *problem);
/* Opens one root again. */
int roots_open(const struct host *host, const char *root, struct session *session,
               struct problem *problem);

#endif

/* hook_state.h - the folder in which hooks remember things between calls.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * $XDG_STATE_HOME/kaizen-host/, without that variable ~/.local/state/kaizen-host/. Everything in it
 * is small, bounded, the user's own (folders 0700, files 0600), and can be deleted at any time:
 * that loses running durations, the numbering of turns in open sessions, and the log of
 * diagnostics. */
#ifndef KAIZEN_HOST_HOOK_STATE_H
#define KAIZEN_HOST_HOOK_STATE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hook_fingerprint.h"
#include "base/problem.h"

struct hook_state {
  int folder; /* -1: closed */
  char path[PATH_MAX];
  uint8_t key[HOOK_FINGERPRINT_KEY_BYTES]; /* random, one per folder: fingerprints mean nothing
                                            * without it */
};

/* The folder's name: `given` when it is not NULL.  -1: there is no home folder. */
int hook_state_path(const char *given, char path[PATH_MAX], struct problem *problem);
/* Opens the folder; with `make` a missing one is made first.  -1: EXIT_CODE_FAILED. */
int hook_state_open(const char *given, bool make, struct hook_state *state,
                    struct problem *problem);
/* Any state, also a failed one. */
void hook_state_close(struct hook_state *state);

/* Its folders with a file for each session, and for each project and agent whose tests were run. */
#define HOOK_STATE_TURNS "turns"
#define HOOK_STATE_TESTS "tests"

/* A file of the folder (`name` may be "folder/file"; the folder is made): a regular file of this
 * user, close-on-exec, 0600. `flags` as open(2). The descriptor, or -1 with errno. */
int hook_state_file(const struct hook_state *state, const char *name, int flags);
/* Removes files that were not touched for a month, and, when there are many, the oldest. Works at
 * most once an hour.  One look at a wrong clock removes nothing: it takes two, an hour apart. */
void hook_state_clean(const struct hook_state *state);
uint64_t hook_state_mark(const struct hook_state *state, const void *data, size_t len);

#endif

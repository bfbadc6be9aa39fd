/* hook_plan.h - what installing or removing the hooks of a host changes, before it is done.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_PLAN_H
#define KAIZEN_HOST_HOOK_PLAN_H

#include <json-c/json.h>

#include "hooks/hook_state.h"
#include "hooks/hook_target.h"

struct hook_change { /* of one file */
  char file[PATH_MAX];
  char *before, *after;        /* its text; NULL: it is missing */
  bool has_mixed;              /* a line of the user's calls the hook; it is left alone */
  bool had_ours;               /* something of ours was in it before */
  bool is_program;             /* has to be executable */
  struct json_object *made;    /* members to be made (hook_entries.h) */
  struct json_object *folders; /* folders that are made for the file, or removed with it, outermost
                                * first */
  char backup[PATH_MAX]; /* once applied: where the original is kept; "" when there was none */
};
struct hook_plan {
  const char *host;
  enum hook_scope scope;
  const char *project_root; /* borrowed; for the project's scope */
  bool removes;             /* made by hook_plan_uninstall() */
  struct hook_change changes[HOOK_TARGETS_MAX];
  size_t count;
};

/* Both fill the plan's changes; host, scope and project_root are set by the caller. -1:
 * EXIT_CODE_REFUSED when a file is not what it should be, EXIT_CODE_FAILED when one cannot be
 * read. */
int hook_plan_install(struct hook_plan *plan, const struct hook_command *command,
                      struct problem *problem);
int hook_plan_uninstall(struct hook_plan *plan, const struct hook_state *state,
                        struct problem *problem);
/* True when no file needs a change. */
bool hook_plan_is_done(const struct hook_plan *plan);
bool hook_plan_changes(const struct hook_change *change);
/* Writes the files, backups first.  1: somebody changed a file since the plan was made, and that
 * change stays; plan again. */
int hook_plan_apply(struct hook_plan *plan, const struct hook_state *state,
                    struct problem *problem);
void hook_plan_free(struct hook_plan *plan);

/* The scope named by --user or --project, or the host's usual one. -1: EXIT_CODE_USAGE, the host
 * has no hooks there. */
int hook_plan_scope(const char *host, bool user, bool project, enum hook_scope *scope,
                    struct problem *problem);

enum hook_presence { HOOK_ABSENT, HOOK_PARTLY, HOOK_IN_PLACE };
/* Which of the host's hooks are in place. */
enum hook_presence hook_plan_presence(const char *host, enum hook_scope scope,
                                      const char *project_root);
/* True when the hooks call a program that is not there, as after it was moved; its name is
 * *program.  Only of hooks in JSON. */
bool hook_plan_lost_program(const char *host, enum hook_scope scope, const char *project_root,
                            char program[PATH_MAX]);

#endif

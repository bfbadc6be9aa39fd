/* hook_install.h - what install-hooks and uninstall-hooks share: their options, and how a plan is
 * carried out and shown.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_INSTALL_H
#define KAIZEN_HOST_HOOK_INSTALL_H

#include "hooks/hook_plan.h"
#include "host/command.h"

extern const struct option_spec hook_install_options[];

/* Host, scope and project root from the command line; root is the caller's. -1: EXIT_CODE_USAGE. */
int hook_install_begin(const struct host *host, struct hook_plan *plan, char root[PATH_MAX],
                       struct problem *problem);
/* The state folder, where backups are; --dry-run makes none and does without. */
int hook_install_open_state(const struct host *host, struct hook_state *state,
                            struct problem *problem);
/* Plans by `make` (0 or -1) and, unless with --dry-run, applies the plan: again when somebody else
 * changed a file meanwhile. */
int hook_install_carry_out(const struct host *host, struct hook_plan *plan,
                           const struct hook_state *state,
                           int (*make)(const struct host *host, struct hook_plan *plan,
                                       const struct hook_state *state, struct problem *problem),
                           struct problem *problem);
/* The plan as diffs on standard output, or as one document with -o json:
 * {"host","scope","dry_run","files":[{"file","action", "diff","backup"}],"note"}; then, as notes,
 * what was done, and `note` (NULL: none), which is what the user still has to do. Answers the exit
 * status. */
int hook_install_report(const struct host *host, const struct hook_plan *plan, const char *note);

#endif

/* nemo_package.h - the package by which NeMo Relay finds the plugin: its manifest and its schema.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The two files are in nemo-relay/kaizen-metrics/ beside the user's plugins.toml, and name the
 * installed library by its full path and its digest.  plugins.toml belongs to the user and is never
 * written. */
#ifndef KAIZEN_HOST_NEMO_PACKAGE_H
#define KAIZEN_HOST_NEMO_PACKAGE_H

#include "base/doctor_findings.h"
#include "hooks/hook_plan.h"
#include "host/loader.h"

#define NEMO_PACKAGE_HOST "nemo-relay"

/* $XDG_CONFIG_HOME/nemo-relay/NAME, else below ~/.config.  -1: there is no home folder. */
int nemo_package_file(const char *name, char file[PATH_MAX], struct problem *problem);
/* The user's plugins.toml names the manifest. */
bool nemo_package_is_named(void);

/* Fills the plan's changes.  -1: EXIT_CODE_REFUSED when the plugin has no entry for NeMo Relay, or
 * a file there is not ours. */
int nemo_package_install(struct hook_plan *plan, const struct loaded_plugin *plugin,
                         struct problem *problem);
int nemo_package_uninstall(struct hook_plan *plan, const struct hook_state *state,
                           struct problem *problem);
/* For doctor: whether the digest matches the library.  Says nothing when there is no package. */
void nemo_package_check(struct doctor_findings *findings);

#endif

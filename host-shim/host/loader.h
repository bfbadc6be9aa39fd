/* loader.h - a plugin's file opened and checked against the ABI this host was compiled with.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_LOADER_H
#define KAIZEN_HOST_LOADER_H

#include <limits.h>

#include <kaizen/plugin.h>

#include "base/problem.h"

struct loaded_plugin {
  void *handle;
  const struct kaizen_plugin_v1 *table;
  char file[PATH_MAX];
};

/* `name` with a slash is a file; a bare name is looked up in KAIZEN_PLUGIN_PATH (absolute
 * folders separated by colons; not for a privileged process) and then in the folder plugins are
 * installed to.  NULL: the default plugin. -1: EXIT_CODE_REFUSED, the text naming the file and,
 * for a failed check, what was found and what is needed. */
int loader_open(const char *name, struct loaded_plugin *plugin, struct problem *problem);
/* After every instance is destroyed. */
void loader_close(struct loaded_plugin *plugin);

#endif

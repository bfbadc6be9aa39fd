/* nemo_install.h - install-hooks and uninstall-hooks for NeMo Relay, which loads the plugin itself.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_NEMO_INSTALL_H
#define KAIZEN_HOST_NEMO_INSTALL_H

#include <stdbool.h>

#include "host/command.h"

/* Whether the command line is about it. */
bool nemo_install_is_meant(const struct host *host);
/* Both answer the exit status. */
int nemo_install_run(const struct host *host);
int nemo_install_undo(const struct host *host);

#endif

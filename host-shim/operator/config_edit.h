/* config_edit.h - settings with their origin, and changes to the host's configuration file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_CONFIG_EDIT_H
#define KAIZEN_HOST_CONFIG_EDIT_H

#include <json-c/json.h>

#include "host/session.h"

/* As session_open(), but also works where there is no project: settings are about the host. */
int config_edit_open(const struct host *host, struct session *session, struct problem *problem);
/* {"KEY":{"value","origin"}...}; the origin is "file NAME", "--set", "-C", "working directory",
 * "environment" or "default". */
int config_edit_report(const struct host *host, struct session *session,
                       struct json_object **report, struct problem *problem);
/* Puts KEY into the file in use (the user's when there is none); value NULL: removes it.  The
 * plugin checks key and value first; the file is replaced as a whole. */
int config_edit_apply(struct session *session, const char *key, const char *value,
                      struct problem *problem);

#endif

/* hook_detect.h - which coding agent sent a payload, judged by all of its fields.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Coding agents adopted each other's names: no single field decides. A table gives each host points
 * for the fields it sends; the host with the most is taken, when it has enough. */
#ifndef KAIZEN_HOST_HOOK_DETECT_H
#define KAIZEN_HOST_HOOK_DETECT_H

#include <json-c/json.h>

#include "hooks/hook_host.h"

/* hook_host_unknown when no host has enough points. */
const struct hook_host *hook_detect_host(struct json_object *payload);
/* The same where the command line names the host: that one, except that several agents also run the
 * hooks of Claude Code's settings, and then the turn belongs to the agent that ran it. */
const struct hook_host *hook_detect_guest(struct json_object *payload,
                                          const struct hook_host *given);

#endif

/* hook_switch.h - settings of a coding agent that prevent its hooks from running.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_SWITCH_H
#define KAIZEN_HOST_HOOK_SWITCH_H

/* Calls `say` for each setting of the user and of the project (`project_root`, "": none) that turns
 * off all hooks or ours, or that makes part of a file ineffective. */
void hook_switch_check(const char *host, const char *project_root,
                       void (*say)(void *ctx, const char *file, const char *reason), void *ctx);

#endif

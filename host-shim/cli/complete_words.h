/* complete_words.h - candidates that have to be asked for: a project's agents, a plugin's settings.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A project or a plugin that cannot be used has none; nothing is said about it. */
#ifndef KAIZEN_HOST_COMPLETE_WORDS_H
#define KAIZEN_HOST_COMPLETE_WORDS_H

#include <stdbool.h>

#include "host/command.h"

void complete_words_agents(const struct host *host);
/* The settings' names, `prefix` before each.  With `of` (a key, or "KEY=..."), the values of that
 * one, when only certain ones are allowed.  `as_pairs`: as KEY=VALUE. */
void complete_words_settings(const struct host *host, const char *prefix, const char *of,
                             bool as_pairs);

#endif

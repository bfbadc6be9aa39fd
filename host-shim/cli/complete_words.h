/* complete_words.h - candidates that are not in a table: a project's agents, a plugin's settings.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A project or a plugin that cannot be used has none, and no message is printed. */
#ifndef KAIZEN_HOST_COMPLETE_WORDS_H
#define KAIZEN_HOST_COMPLETE_WORDS_H

#include <stdbool.h>

#include "host/command.h"

void complete_words_agents(const struct host *host);
/* The settings' names, `prefix` before each.  With `of` (a key, or "KEY=..."): the values of that
 * key, when only certain values are allowed.  `as_pairs`: as KEY=VALUE. */
void complete_words_settings(const struct host *host, const char *prefix, const char *of,
                             bool as_pairs);

#endif

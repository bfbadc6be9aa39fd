/* result_codex.h - the events that `codex exec --json` prints, one per line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_RESULT_CODEX_H
#define KAIZEN_HOST_RESULT_CODEX_H

#include <stddef.h>

#include "record/result_said.h"

/* -1: there is no result in the text. */
int result_codex_read(const char *text, size_t len, struct result_said *said);

#endif

/* result_claude.h - what `claude -p --output-format json` or stream-json prints; `qwen` does the
 * same.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_RESULT_CLAUDE_H
#define KAIZEN_HOST_RESULT_CLAUDE_H

#include <stddef.h>

#include "record/result_said.h"

/* -1: there is no result in the text. */
int result_claude_read(const char *text, size_t len, struct result_said *said);

#endif

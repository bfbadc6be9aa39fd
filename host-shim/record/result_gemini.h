/* result_gemini.h - what `gemini -p --output-format json` or stream-json prints.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_RESULT_GEMINI_H
#define KAIZEN_HOST_RESULT_GEMINI_H

#include <stddef.h>

#include "record/result_said.h"

/* -1: there is no result in the text. */
int result_gemini_read(const char *text, size_t len, struct result_said *said);

#endif

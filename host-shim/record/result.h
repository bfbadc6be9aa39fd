/* result.h - what a coding agent says about its own run when it is told to print JSON.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Only ids, counts, costs and words are taken; the answer itself is not used. */
#ifndef KAIZEN_HOST_RESULT_H
#define KAIZEN_HOST_RESULT_H

#include "host/record_request.h"
#include "record/result_said.h"

#define RESULT_FORMATS "claude-json|codex-json|copilot-json|gemini-json|qwen-json"

/* Reads what was printed; `format` is one of RESULT_FORMATS. -1: EXIT_CODE_REJECTED, there is no
 * such result in it. */
int result_read(const char *format, const char *text, size_t len, struct result_said *said,
                struct problem *problem);
/* Fills in what the options did not give; `said` must live as long as the request.  -1: no
 * memory. */
int result_apply(const struct result_said *said, struct record_request *request);

#endif

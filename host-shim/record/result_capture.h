/* result_capture.h - passes a command's standard output through and keeps a copy.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_RESULT_CAPTURE_H
#define KAIZEN_HOST_RESULT_CAPTURE_H

#include <stddef.h>

#include "base/problem.h"

struct result_capture;

/* From here on standard output is passed through and copied, for a child that is started next. NULL
 * with *problem. */
struct result_capture *result_capture_begin(struct problem *problem);
/* Restores standard output. What a process that the command left behind writes later is lost. *text
 * is the copy, its last 16 MiB, borrowed until result_capture_free(). */
void result_capture_end(struct result_capture *capture, const char **text, size_t *len);
void result_capture_free(struct result_capture *capture);

#endif

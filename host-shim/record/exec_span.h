/* exec_span.h - the run of a command from its beginning: kaizen.span/1 for exec.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_EXEC_SPAN_H
#define KAIZEN_HOST_EXEC_SPAN_H

#include <kaizen/extensions.h>

#include "host/command.h"
#include "host/record_request.h"

/* Checks what is known of the record before the command runs, and begins its run, so that an exec
 * that is killed leaves a failure "lost".  `token` is "" when nothing was begun: the plugin has no
 * spans, or the project cannot be written now.  -1: the record would be rejected whatever the
 * command does; with --require-record also when it could not be written now. */
int exec_span_begin(const struct host *host, struct record_request *request,
                    char token[KAIZEN_SPAN_TOKEN_SIZE], struct problem *problem);
/* Nothing is recorded of the run. */
void exec_span_cancel(const struct host *host, const struct record_request *request,
                      char token[KAIZEN_SPAN_TOKEN_SIZE]);

#endif

/* result_copilot.h - the events that `copilot -p --output-format json` prints, one per line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_RESULT_COPILOT_H
#define KAIZEN_HOST_RESULT_COPILOT_H

#include <stddef.h>

#include "record/result_said.h"

/* -1: there is no result in the text. */
int result_copilot_read(const char *text, size_t len, struct result_said *said);

#endif

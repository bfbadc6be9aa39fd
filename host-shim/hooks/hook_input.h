/* hook_input.h - the payload of a hook, read to its end within limits of size and time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_INPUT_H
#define KAIZEN_HOST_HOOK_INPUT_H

#include <stdbool.h>
#include <stddef.h>

struct hook_input {
  char *text; /* NUL-terminated; the caller's to free */
  size_t len;
  bool is_cut;  /* the payload is too long; the rest was read and dropped, so that the host is never
                 * blocked */
  bool is_open; /* no end came in time; what is there may still be complete */
};

/* Reads the descriptor until its end or the deadline (time_text_monotonic_s()), the later one for
 * the part that is only dropped.  -1: no memory. */
int hook_input_read(int fd, double deadline_s, double drop_deadline_s, struct hook_input *input);

#endif

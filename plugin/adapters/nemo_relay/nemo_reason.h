/* nemo_reason.h - why something was refused, for the host.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_NEMO_REASON_H
#define KAIZEN_NEMO_REASON_H

struct nemo_reason {
  char text[512]; /* UTF-8, one line, NUL-terminated */
};

/* Always answers -1, so that `return nemo_reason_set(...)` reads well. */
int nemo_reason_set(struct nemo_reason *reason, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

/* os_limits.h - which promises are weaker here, because a system call is missing or refused.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_BASE_OS_LIMITS_H
#define KAIZEN_BASE_OS_LIMITS_H

#include <stddef.h>

#define OS_LIMITS_MAX 3

struct os_limit {
  const char *call;
  int os_error;       /* what a try of it answers now */
  const char *effect; /* one clause, for the operator */
};

/* Tries the calls of os_files.h on the folder; changes nothing.  Answers how many limits there
 * are. */
size_t os_limits_find(int directory_fd, struct os_limit limits[OS_LIMITS_MAX]);

#endif

/* process_identity.h - which process something belongs to, so that others can tell when it is gone.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A pid alone is handed out again, means another process in another pid namespace, and nothing
 * after a boot: the identity holds what tells these apart. */
#ifndef KAIZEN_BASE_PROCESS_IDENTITY_H
#define KAIZEN_BASE_PROCESS_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

enum { PROCESS_BOOT_SIZE = 40 };

struct process_identity {
  char boot[PROCESS_BOOT_SIZE]; /* the text that names the boot, NUL-terminated; "": not known */
  uint64_t pid_namespace;       /* 0: not known */
  int64_t pid;
  uint64_t start_ticks; /* since the boot; 0: not known */
};

enum process_fate {
  PROCESS_RUNS,
  PROCESS_GONE,
  PROCESS_UNKNOWN /* of another pid namespace, or of a system that does not tell */
};

void process_identity_own(struct process_identity *own);
/* What became of a process, seen from this one, which is `own`. */
enum process_fate process_identity_fate(const struct process_identity *of,
                                        const struct process_identity *own);

#endif

/* process_identity.c - which process something belongs to, so that others can tell when it is gone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/process_identity.h"

#include <string.h>
#include <unistd.h>

#include "base/os_process.h"

void process_identity_own(struct process_identity *own) {
  *own =
      (struct process_identity){.pid = (int64_t)getpid(), .pid_namespace = os_process_namespace()};
  os_process_boot_text(own->boot, sizeof own->boot);
  own->boot[strcspn(own->boot, "\n")] = '\0';
  (void)os_process_start(getpid(), &own->start_ticks);
}

enum process_fate process_identity_fate(const struct process_identity *of,
                                        const struct process_identity *own) {
  uint64_t start_ticks;
  int found;

  if (of->boot[0] != '\0' && own->boot[0] != '\0' && strcmp(of->boot, own->boot) != 0)
    return PROCESS_GONE;
  if (of->pid <= 0 || of->pid_namespace != own->pid_namespace)
    return PROCESS_UNKNOWN;
  found = os_process_start((pid_t)of->pid, &start_ticks);
  if (found == 1)
    return PROCESS_GONE;
  if (found < 0 || of->start_ticks == 0)
    return PROCESS_UNKNOWN;
  return start_ticks == of->start_ticks ? PROCESS_RUNS : PROCESS_GONE;
}

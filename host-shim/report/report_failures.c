/* report_failures.c - an agent's last failures, each with its reason and session.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_failures.h"

#include <string.h>

void report_failures_of(const struct run_lines *lines, struct report_failures *failures) {
  failures->count = 0;
  for (size_t i = lines->count; i > 0 && failures->count < REPORT_FAILURES_MAX; i--) {
    const char *line = lines->list[i - 1].text;

    record_members_tell((struct span){line, strlen(line)}, &failures->list[failures->count++]);
  }
}

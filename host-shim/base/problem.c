/* problem.c - why something did not work, and the exit status that follows from it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/problem.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <kaizen/plugin.h>

int problem_set(struct problem *problem, enum exit_code exit_code, const char *format, ...) {
  va_list arguments;

  problem->exit_code = exit_code;
  va_start(arguments, format);
  vsnprintf(problem->text, sizeof problem->text, format, arguments);
  va_end(arguments);
  return -1;
}

int problem_about(struct problem *problem, enum exit_code exit_code, const char *subject,
                  const char *reason) {
  size_t len = strlen(subject);
  bool says_so = strncmp(reason, subject, len) == 0 && reason[len] == ':';

  return problem_set(problem, exit_code, "%s%s%s", says_so ? "" : subject, says_so ? "" : ": ",
                     reason);
}

int problem_no_memory(struct problem *problem) {
  return problem_set(problem, EXIT_CODE_FAILED, "out of memory");
}

enum exit_code problem_exit_code(int32_t result) {
  if (result >= 0)
    return EXIT_CODE_OK;
  if (result == KAIZEN_E_REJECTED)
    return EXIT_CODE_REJECTED;
  if (result == KAIZEN_E_CONFIG || result == KAIZEN_E_UNSUPPORTED)
    return EXIT_CODE_REFUSED;
  return result <= -96 && result >= -127 ? EXIT_CODE_UNKNOWN : EXIT_CODE_FAILED;
}

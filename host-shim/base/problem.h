/* problem.h - why something did not work, and the exit status that follows from it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Functions of the shim answer 0, or -1 with *problem filled.  The text names the thing, the
 * value and what to do; it is printed once, by the command or by main(). */
#ifndef KAIZEN_HOST_PROBLEM_H
#define KAIZEN_HOST_PROBLEM_H

#include <stdint.h>

#include "base/exit_code.h"

enum { PROBLEM_TEXT_MAX = 1024 };

struct problem {
  enum exit_code exit_code;
  char text[PROBLEM_TEXT_MAX];
};

/* Fills *problem; always answers -1, so that `return problem_set(...)` reads well. */
int problem_set(struct problem *problem, enum exit_code exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with a plugin's reason, which may begin with the subject itself. */
int problem_about(struct problem *problem, enum exit_code exit_code, const char *subject,
                  const char *reason);
int problem_no_memory(struct problem *problem);
/* The exit status a result code of kaizen/plugin.h stands for, also one added after 1.0. */
enum exit_code problem_exit_code(int32_t result);

#endif

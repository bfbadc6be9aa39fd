/* agent_home.c - the variable by which a coding agent's folder is moved.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "usage/agent_home.h"

#include <stdlib.h>
#include <string.h>

int agent_home_read(const char *variable, const char **folder, struct problem *problem) {
  const char *named = variable ? getenv(variable) : NULL;

  *folder = named && *named == '/' ? named : NULL;
  if (*folder || !named || *named == '\0' || strncmp(variable, "XDG_", 4) == 0)
    return 0;
  return problem_set(problem, EXIT_CODE_USAGE,
                     "%s is '%s', which is not a full path; set it to one, or unset it", variable,
                     named);
}

/* os_limits.c - which promises are weaker here, because a system call is missing or refused.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/os_limits.h"

#include "base/os_files.h"

size_t os_limits_find(int directory_fd, struct os_limit limits[OS_LIMITS_MAX]) {
  const struct os_limit tried[OS_LIMITS_MAX] = {
      {"openat2", os_files_try_open(directory_fd),
       "if another program moves a folder away at the wrong moment, a file may be created outside "
       "the project"},
      {"statx", os_files_try_mark(directory_fd),
       "a copy of the project is recognised only by its inode number, and lines that were already "
       "old at the first check of retention stay longer"},
      {"fstatfs", os_files_try_network(directory_fd),
       "a project on a network file system is not refused"},
  };
  size_t count = 0;

  for (size_t i = 0; i < OS_LIMITS_MAX; i++)
    if (tried[i].os_error != 0)
      limits[count++] = tried[i];
  return count;
}

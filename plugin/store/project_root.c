/* project_root.c - what became of an open project's root.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/project_root.h"

#include <sys/stat.h>

#include <kaizen/plugin.h>

#include "base/directory.h"

int project_root_check(int root_fd, dev_t device, ino_t inode, const char *root,
                       struct error *error) {
  struct stat status;
  bool is_ours = directory_is_file(root_fd, device, inode);

  if (is_ours && (fstat(root_fd, &status) != 0 || status.st_nlink > 0))
    return 0;
  if (error)
    *error = (struct error){0};
  if (!is_ours)
    return error_set(error, KAIZEN_E_IO,
                     "project_root \"%s\": this program has closed descriptors that it did not "
                     "open, such as this folder's; create the instance after that, or restart",
                     root);
  return error_set(error, KAIZEN_E_IO,
                   "project_root \"%s\" was removed while it was in use, and its records with it; "
                   "make it again and restart this program",
                   root);
}

bool project_root_is_in_place(int root_fd, const char *root) {
  struct stat named, held;

  return fstat(root_fd, &held) != 0 || held.st_nlink == 0 ||
         (stat(root, &named) == 0 && named.st_ino == held.st_ino && named.st_dev == held.st_dev);
}

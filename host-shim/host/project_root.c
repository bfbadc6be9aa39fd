/* project_root.c - which project a command is about.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "host/project_root.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/work_tree.h"

static bool same_folder(const char *a, const char *b) {
  struct stat a_stat, b_stat;

  return a && *a != '\0' && stat(a, &a_stat) == 0 && stat(b, &b_stat) == 0 &&
         a_stat.st_dev == b_stat.st_dev && a_stat.st_ino == b_stat.st_ino;
}

static bool is_excluded(const char *folder) {
  return same_folder("/", folder) || same_folder(getenv("HOME"), folder);
}

/* .git is a file in a worktree and in a submodule. */
static bool has_marker(const char *folder, const char *marker, bool may_be_file) {
  char path[PATH_MAX + 16];
  struct stat entry;

  snprintf(path, sizeof path, "%s/%s", folder, marker);
  return lstat(path, &entry) == 0 &&
         (S_ISDIR(entry.st_mode) || (may_be_file && S_ISREG(entry.st_mode)));
}

bool project_root_is_marked(const char *root) {
  return has_marker(root, ".kaizen", false) || has_marker(root, ".git", true);
}

static bool find_upwards(const char *from, const char *marker, bool may_be_file,
                         char root[PATH_MAX]) {
  strcpy(root, from);
  for (;;) {
    if (!is_excluded(root) && has_marker(root, marker, may_be_file))
      return true;
    char *slash = strrchr(root, '/');
    if (!slash || slash == root)
      return false;
    *slash = '\0';
  }
}

static int given_root(const char *directory, char root[PATH_MAX], struct problem *problem) {
  struct stat entry;

  if (!realpath(directory, root))
    return problem_set(problem, EXIT_CODE_USAGE, "-C %s: %s", directory, strerror(errno));
  if (stat(root, &entry) != 0 || !S_ISDIR(entry.st_mode))
    return problem_set(problem, EXIT_CODE_USAGE, "-C %s: not a folder", directory);
  return 0;
}

/* The nearest project: `here` or a folder above it. */
static int search(const char *here, char root[PATH_MAX], struct problem *problem) {
  if (find_upwards(here, ".kaizen", false, root) || find_upwards(here, ".git", true, root))
    return 0;
  if (is_excluded(here))
    return problem_set(problem, EXIT_CODE_USAGE,
                       "%s is not used as a project by default; name the project with -C DIR",
                       here);
  strcpy(root, here);
  return 0;
}

/* The folder where a search begins. */
static int read_here(char here[PATH_MAX], struct problem *problem) {
  return getcwd(here, PATH_MAX)
             ? 0
             : problem_set(problem, EXIT_CODE_USAGE,
                           "cannot read the working directory (%s); name the project with -C DIR",
                           strerror(errno));
}

/* The folder in the main checkout that corresponds to `here`, when that is in a linked work
 * tree. */
static void leave_work_tree(char here[PATH_MAX]) {
  char top[PATH_MAX], main[PATH_MAX];

  if (work_tree_find(here, top, main) && !is_excluded(main))
    strcpy(here, main);
}

int project_root_of(const char *folder, char root[PATH_MAX], struct problem *problem) {
  char here[PATH_MAX];

  if (!realpath(folder, here))
    return problem_set(problem, EXIT_CODE_FAILED, "%s: %s", folder, strerror(errno));
  leave_work_tree(here);
  return search(here, root, problem);
}

int project_root_of_gone(const char *folder, char root[PATH_MAX], struct problem *problem) {
  char path[PATH_MAX];

  if (*folder != '/' || strlen(folder) >= sizeof path)
    return problem_set(problem, EXIT_CODE_FAILED, "%.200s: not a full path", folder);
  strcpy(path, folder);
  for (char *slash; access(path, X_OK) != 0 && (slash = strrchr(path, '/')) != path;)
    *slash = '\0';
  return project_root_of(path, root, problem);
}

int project_root_find(const char *directory, char root[PATH_MAX], struct problem *problem) {
  char here[PATH_MAX];
  int result = directory ? given_root(directory, here, problem) : read_here(here, problem);

  if (result < 0)
    return -1;
  leave_work_tree(here);
  if (!directory)
    return search(here, root, problem);
  strcpy(root, here);
  return 0;
}

int project_root_checkout(const char *directory, char root[PATH_MAX], struct problem *problem) {
  char here[PATH_MAX], main[PATH_MAX];

  if (directory)
    return given_root(directory, root, problem);
  if (read_here(here, problem) < 0)
    return -1;
  return work_tree_find(here, root, main) ? 0 : search(here, root, problem);
}

void project_root_folder(const char *directory, const char *root, char folder[PATH_MAX]) {
  char here[PATH_MAX], top[PATH_MAX], main[PATH_MAX];
  struct problem ignored;
  int result = directory ? given_root(directory, here, &ignored) : read_here(here, &ignored);

  snprintf(folder, PATH_MAX, "%s", root);
  while (result == 0 && work_tree_find(here, top, main)) {
    if (same_folder(main, root))
      strcpy(folder, here);
    if (strcmp(here, top) == 0)
      return;
    *strrchr(here, '/') = '\0';
  }
}

/* work_tree.c - linked git work trees (git worktree add), recognised by their files; git is not
 * run.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The .git of a linked work tree is a file, "gitdir: FOLDER"; FOLDER/commondir names the
 * repository's own folder, usually the main checkout's .git.  A submodule's .git is a file as well,
 * and its folder has no commondir. */
#include "host/work_tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_BYTES_MAX = 256 * 1024 };

/* `path` below `folder`, or `path` itself when it begins with a slash; false: too long. */
static bool join(const char *folder, const char *path, char out[PATH_MAX]) {
  int len = *path == '/' ? snprintf(out, PATH_MAX, "%s", path)
                         : snprintf(out, PATH_MAX, "%s/%s", folder, path);

  return len < PATH_MAX;
}

/* At most room - 1 bytes of a regular file, NUL-terminated; false: there is none. */
static bool read_file(const char *path, char *text, size_t room) {
  struct stat entry;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  ssize_t len = -1;

  if (fd < 0)
    return false;
  if (fstat(fd, &entry) == 0 && S_ISREG(entry.st_mode))
    len = read(fd, text, room - 1);
  close(fd);
  text[len > 0 ? len : 0] = '\0';
  return len >= 0;
}

/* The folder that the one line of folder/file names after `prefix`, as a real path. */
static bool read_pointer(const char *folder, const char *file, const char *prefix,
                         char out[PATH_MAX]) {
  char path[PATH_MAX], text[PATH_MAX];

  if (!join(folder, file, path) || !read_file(path, text, sizeof text) ||
      strncmp(text, prefix, strlen(prefix)) != 0)
    return false;
  text[strcspn(text, "\r\n")] = '\0';
  return join(folder, text + strlen(prefix), path) && realpath(path, out);
}

static bool is_same(const char *a, const char *b) {
  struct stat a_stat, b_stat;

  return stat(a, &a_stat) == 0 && stat(b, &b_stat) == 0 && a_stat.st_dev == b_stat.st_dev &&
         a_stat.st_ino == b_stat.st_ino;
}

/* A value as git writes it, without quotes, backslashes and a comment. */
static void take_value(const char *text, char value[PATH_MAX]) {
  size_t len = 0, kept = 0;
  bool is_quoted = false;

  for (text += strspn(text, " \t"); *text != '\0' && *text != '\n' && len + 1 < PATH_MAX; text++) {
    if (*text == '"') {
      is_quoted = !is_quoted;
      continue;
    }
    if (!is_quoted && (*text == '#' || *text == ';'))
      break;
    if (*text == '\\' && (text[1] == '"' || text[1] == '\\'))
      text++;
    value[len++] = *text;
    if (is_quoted || !strchr(" \t\r", *text))
      kept = len;
  }
  value[kept] = '\0';
}

/* core.worktree of a configuration file: where the main checkout of a repository is whose folder
 * is not in it, such as a submodule's. */
static bool read_core_worktree(const char *common, const char *file, char value[PATH_MAX]) {
  char path[PATH_MAX];
  char *text = malloc(CONFIG_BYTES_MAX);
  bool is_core = false, found = false;

  if (text && join(common, file, path) && read_file(path, text, CONFIG_BYTES_MAX))
    for (char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
      line += strspn(line, " \t");
      if (*line == '[')
        is_core = strncasecmp(line, "[core]", 6) == 0;
      if (!is_core || strncasecmp(line, "worktree", 8) != 0)
        continue;
      size_t blank = strspn(line + 8, " \t");
      if (line[8 + blank] != '=')
        continue;
      take_value(line + 8 + blank + 1, value);
      found = true;
    }
  free(text);
  return found;
}

static bool find_main(const char *common, char main[PATH_MAX]) {
  char value[PATH_MAX], path[PATH_MAX];

  if (read_core_worktree(common, "config.worktree", value) ||
      read_core_worktree(common, "config", value))
    return join(common, value, path) && realpath(path, main);
  strcpy(main, common);
  *strrchr(main, '/') = '\0';
  if (*main == '\0')
    return false; /* the root folder is not a project */
  return join(main, ".git", path) &&
         (is_same(path, common) ||
          (read_pointer(main, ".git", "gitdir: ", path) && is_same(path, common)));
}

/* Appends to `main` the part of `rest` ("/a/b") that exists as folders below it. */
static void follow(const char *rest, char main[PATH_MAX]) {
  struct stat entry;
  size_t len = strlen(main);

  while (*rest == '/') {
    size_t part = 1 + strcspn(rest + 1, "/");

    if (len + part >= PATH_MAX)
      return;
    memcpy(main + len, rest, part);
    main[len + part] = '\0';
    if (lstat(main, &entry) != 0 || !S_ISDIR(entry.st_mode)) {
      main[len] = '\0';
      return;
    }
    len += part;
    rest += part;
  }
}

/* The plugin records only in a folder of its own user. */
static bool is_usable(const char *main) {
  struct stat entry;

  return stat(main, &entry) == 0 && S_ISDIR(entry.st_mode) && entry.st_uid == geteuid();
}

bool work_tree_find(const char *folder, char top[PATH_MAX], char main[PATH_MAX]) {
  char path[PATH_MAX], gitdir[PATH_MAX], common[PATH_MAX];
  struct stat entry;

  strcpy(top, folder);
  for (;;) {
    if (join(top, ".git", path) && lstat(path, &entry) == 0) {
      if (!S_ISREG(entry.st_mode))
        return false;
      /* a submodule may itself be in a linked work tree: continue */
      if (read_pointer(top, ".git", "gitdir: ", gitdir) &&
          read_pointer(gitdir, "commondir", "", common))
        break;
    }
    char *slash = strrchr(top, '/');
    if (!slash || slash == top)
      return false;
    *slash = '\0';
  }
  if (!find_main(common, main) || !is_usable(main))
    return false;
  follow(folder + strlen(top), main);
  return true;
}

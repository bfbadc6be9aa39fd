/* history_files.c - where a coding agent keeps the transcripts of its sessions.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "usage/history_files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_text.h"
#include "base/output.h"
#include "base/sha256.h"
#include "usage/agent_home.h"

enum { DEPTH_MAX = 8, FOLDER_BYTES_MAX = 65536 };

static const struct {
  const char *host;
  const char *home_variable; /* the host's own folder, when it is set */
  bool has_folder;           /* no: that in which `home` is */
  const char *home;          /* below the user's, when not */
  const char *folders[2];    /* in it */
} places[] = {
    {"claude-code", "CLAUDE_CONFIG_DIR", false, ".claude", {"projects", NULL}},
    {"codex", "CODEX_HOME", false, ".codex", {"sessions", "archived_sessions"}},
    {"gemini", "GEMINI_CLI_HOME", true, ".gemini", {"tmp", NULL}},
};

struct search {
  const char *host, *project_root;
  int64_t since_ns;
  struct history_files *files;
};

static bool ends_with(const char *text, const char *end) {
  size_t len = strlen(text), end_len = strlen(end);

  return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* A chat is in PROJECT/chats; deeper files are subagents, which no hook reports. */
static bool is_wanted(const struct search *search, const char *path) {
  if (strcmp(search->host, "gemini") != 0)
    return ends_with(path, ".jsonl");
  const char *chats = strstr(path, "/chats/");
  return chats && !strchr(chats + 7, '/') &&
         (ends_with(path, ".jsonl") || ends_with(path, ".json"));
}

/* Gemini's folder names its project in a file, or is called by the hash of the project's name. */
static char *gemini_folder(const struct search *search, const char *path) {
  char marker[PATH_MAX], hash[SHA256_TEXT_SIZE];
  int len = (int)(strstr(path, "/chats/") - path);
  struct problem ignored;
  struct sha256 sha;
  char *text = NULL;
  size_t text_len = 0;

  if (snprintf(marker, sizeof marker, "%.*s/.project_root", len, path) < PATH_MAX &&
      file_text_read_regular(marker, FOLDER_BYTES_MAX, &text, &text_len, &ignored) == 0) {
    text[strcspn(text, "\r\n")] = '\0';
    return text;
  }
  sha256_start(&sha);
  sha256_add(&sha, search->project_root, strlen(search->project_root));
  sha256_finish(&sha, hash);
  bool is_this = len > 64 && path[len - 65] == '/' && strncmp(path + len - 64, hash, 64) == 0;
  return strdup(is_this ? search->project_root : "");
}

static int add(struct search *search, const char *path, const struct stat *entry) {
  struct history_files *files = search->files;

  if (files->count == files->room) {
    size_t room = files->room > 0 ? files->room * 2 : 64;
    struct history_file *larger = reallocarray(files->list, room, sizeof *larger);

    if (!larger)
      return -1;
    files->list = larger;
    files->room = room;
  }
  struct history_file *file = &files->list[files->count];
  *file = (struct history_file){
      .path = strdup(path),
      .bytes = (uint64_t)entry->st_size,
      .is_agents_own = strstr(path, "/subagents/") != NULL,
  };
  if (!file->path)
    return -1;
  if (strcmp(search->host, "gemini") == 0)
    file->folder = gemini_folder(search, path);
  files->count++;
  files->bytes += file->bytes;
  return 0;
}

static void say_left_out(const char *path, const char *why) {
  output_warning("%s: %s; its turns are not recorded", path, why);
}

static void leave_unread(struct search *search, const char *path, const char *why) {
  say_left_out(path, why);
  search->files->unreadable++;
}

/* Codex can pack old sessions; a copy that somebody unpacked is read. */
static bool is_packed(const struct search *search, const char *path, const struct stat *entry) {
  static const char end[] = ".jsonl.zst";
  char unpacked[PATH_MAX];

  if (strcmp(search->host, "codex") != 0 || !S_ISREG(entry->st_mode) || !ends_with(path, end))
    return false;
  snprintf(unpacked, sizeof unpacked, "%.*s", (int)(strlen(path) - strlen(".zst")), path);
  return access(unpacked, F_OK) != 0;
}

static int walk(struct search *search, const char *folder, int depth);

/* Links are not followed: they could lead in a circle. */
static int visit(struct search *search, const char *path, int depth) {
  struct stat entry, target;

  if (lstat(path, &entry) != 0)
    return 0; /* gone meanwhile */
  int64_t written_ns = (int64_t)entry.st_mtim.tv_sec * INT64_C(1000000000) + entry.st_mtim.tv_nsec;
  if (S_ISDIR(entry.st_mode))
    return walk(search, path, depth + 1);
  if (written_ns >= search->since_ns && is_packed(search, path, &entry))
    leave_unread(search, path, "compressed; unpack it with 'zstd -d'");
  bool is_linked_folder =
      S_ISLNK(entry.st_mode) && stat(path, &target) == 0 && S_ISDIR(target.st_mode);
  if (!is_linked_folder && (written_ns < search->since_ns || !is_wanted(search, path)))
    return 0;
  if (S_ISREG(entry.st_mode) && entry.st_uid == geteuid())
    return add(search, path, &entry);
  if (S_ISREG(entry.st_mode))
    leave_unread(search, path, "belongs to another user");
  else
    say_left_out(path, S_ISLNK(entry.st_mode) ? "a symbolic link, which is not followed"
                                              : "not a regular file");
  return 0;
}

static int walk(struct search *search, const char *folder, int depth) {
  struct dirent **entries = NULL;
  char path[PATH_MAX];
  int result = 0;
  int count = depth > DEPTH_MAX ? 0 : scandir(folder, &entries, NULL, alphasort);

  if (depth > DEPTH_MAX)
    leave_unread(search, folder, "too deep");
  if (count < 0 && errno != ENOENT)
    leave_unread(search, folder, strerror(errno));
  for (int i = 0; i < count; i++) {
    const char *name = entries[i]->d_name;
    bool fits = snprintf(path, sizeof path, "%s/%s", folder, name) < PATH_MAX;

    if (!fits)
      leave_unread(search, folder, "the name is too long");
    if (result == 0 && fits && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
      result = visit(search, path, depth);
    free(entries[i]);
  }
  free(entries);
  return result;
}

int history_files_find(const char *host, const char *project_root, int64_t since_ns,
                       struct history_files *files, struct problem *problem) {
  struct search search = {
      .host = host, .project_root = project_root, .since_ns = since_ns, .files = files};
  const char *home = getenv("HOME");
  char folder[PATH_MAX];

  *files = (struct history_files){.list = NULL};
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    const char *named = NULL;

    if (strcmp(places[i].host, host) != 0)
      continue;
    if (agent_home_read(places[i].home_variable, &named, problem) < 0)
      return -1;
    if (!named && !(home && *home == '/'))
      return problem_set(problem, EXIT_CODE_FAILED, "no home folder; set HOME");
    bool is_whole = named && !places[i].has_folder;
    for (size_t j = 0; j < 2 && places[i].folders[j]; j++) {
      int len = snprintf(folder, sizeof folder, "%s/%s%s%s", named ? named : home,
                         is_whole ? "" : places[i].home, is_whole ? "" : "/", places[i].folders[j]);

      if (len < PATH_MAX && walk(&search, folder, 0) < 0)
        return problem_no_memory(problem);
    }
  }
  return 0;
}

void history_files_free(struct history_files *files) {
  for (size_t i = 0; i < files->count; i++) {
    free(files->list[i].path);
    free(files->list[i].folder);
  }
  free(files->list);
  *files = (struct history_files){.list = NULL};
}

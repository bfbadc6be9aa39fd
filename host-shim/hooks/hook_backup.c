/* hook_backup.c - settings files as they were before hooks were installed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_text.h"
#include "base/json_text.h"
#include "hooks/hook_file.h"
#include "host/report_text.h"

static const size_t FILE_BYTES_MAX = 4 * 1024 * 1024;

/* Two files for each settings file: NUMBER-name (the original) and NUMBER.json (what is known about
 * it). */
static void names_of(const struct hook_state *state, const char *file, char known[PATH_MAX],
                     char original[PATH_MAX]) {
  unsigned long long number = hook_state_mark(state, file, strlen(file));
  const char *slash = strrchr(file, '/');
  snprintf(known, PATH_MAX, "%.*s/backups/%016llx.json", PATH_MAX - 64, state->path, number);
  snprintf(original, PATH_MAX, "%.*s/backups/%016llx-%.100s", PATH_MAX - 200, state->path, number,
           slash ? slash + 1 : file);
}

static struct json_object *mark_of(const struct hook_state *state, const char *text) {
  char mark[24];

  snprintf(mark, sizeof mark, "%016llx",
           (unsigned long long)hook_state_mark(state, text, strlen(text)));
  return json_object_new_string(mark);
}

void hook_backup_name(const struct hook_state *state, const char *file, char name[PATH_MAX]) {
  char known[PATH_MAX];

  names_of(state, file, known, name);
}

int hook_backup_keep(const struct hook_state *state, const char *file,
                     const struct hook_backup *backup, const char *installed,
                     struct problem *problem) {
  char known[PATH_MAX], original[PATH_MAX], folder[PATH_MAX];
  names_of(state, file, known, original);
  if (backup->original &&
      file_text_replace(original, 0600, backup->original, strlen(backup->original), problem) < 0)
    return -1;
  struct json_object *document = json_object_new_object();
  json_object_object_add(document, "file", json_text_new_string(file));
  json_object_object_add(document, "was_there", json_object_new_boolean(backup->was_there));
  json_object_object_add(document, "is_exact", json_object_new_boolean(backup->is_exact));
  json_object_object_add(document, "installed", mark_of(state, installed));
  json_object_object_add(document, "made", json_object_get(backup->made));
  json_object_object_add(document, "folders", json_object_get(backup->folders));
  const char *text = json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN);
  int result = file_text_replace(known, 0600, text, strlen(text), problem);
  snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(known, '/') - known), known);
  hook_file_adopt(folder); /* the entry may be new */
  hook_file_adopt(original);
  hook_file_adopt(known);
  json_object_put(document);
  return result;
}

static struct json_object *read_known(const char *known) {
  struct problem ignored;
  const char *description = NULL;
  char *text = NULL;
  size_t len = 0, at = 0;

  if (file_text_read_regular(known, FILE_BYTES_MAX, &text, &len, &ignored) < 0)
    return NULL;
  struct json_object *document = json_text_parse(text, len, &at, &description);
  free(text);
  return document;
}

static struct json_object *take_array(struct json_object *document, const char *name) {
  struct json_object *array = report_text_member(document, name);

  return json_object_is_type(array, json_type_array) ? json_object_get(array)
                                                     : json_object_new_array();
}

bool hook_backup_load(const struct hook_state *state, const char *file, const char *present,
                      struct hook_backup *backup) {
  char known[PATH_MAX], original[PATH_MAX];
  struct problem ignored;
  size_t len = 0;
  *backup = (struct hook_backup){.original = NULL};
  names_of(state, file, known, original);
  struct json_object *document = read_known(known);
  if (!document)
    return false;
  struct json_object *mark = mark_of(state, present);
  backup->is_unchanged =
      strcmp(report_text_string(document, "installed", ""), json_object_get_string(mark)) == 0;
  backup->is_exact = json_object_get_boolean(report_text_member(document, "is_exact"));
  backup->was_there = json_object_get_boolean(report_text_member(document, "was_there"));
  backup->made = take_array(document, "made");
  backup->folders = take_array(document, "folders");
  if (backup->was_there &&
      file_text_read_regular(original, FILE_BYTES_MAX, &backup->original, &len, &ignored) < 0)
    backup->is_exact = false;
  json_object_put(mark);
  json_object_put(document);
  return true;
}

void hook_backup_free(struct hook_backup *backup) {
  free(backup->original);
  json_object_put(backup->made);
  json_object_put(backup->folders);
  *backup = (struct hook_backup){.original = NULL};
}

void hook_backup_forget(const struct hook_state *state, const char *file) {
  char known[PATH_MAX], original[PATH_MAX];

  names_of(state, file, known, original);
  unlink(known);
}

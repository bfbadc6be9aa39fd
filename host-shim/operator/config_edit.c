/* config_edit.c - settings with their origin, and changes to the host's configuration file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "operator/config_edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file_text.h"
#include "base/json_text.h"
#include "base/output.h"
#include "host/report_text.h"

int config_edit_open(const struct host *host, struct session *session, struct problem *problem) {
  if (session_load(host, session, problem) < 0)
    return -1;
  if (session_find_project(host, session, problem) < 0) {
    const char *home = getenv("HOME");

    if (host->directory || !home || !realpath(home, session->project_root))
      goto failed;
  }
  if (session_create(host, session, problem) == 0)
    return 0;
failed:
  session_close(session);
  return -1;
}

static bool is_set(const struct host *host, const char *key) {
  size_t len = strlen(key);

  for (size_t i = 0; i < host->arguments->value_count; i++) {
    const struct option_value *value = &host->arguments->values[i];

    if (strcmp(value->spec->name, "set") == 0 && strncmp(value->text, key, len) == 0 &&
        value->text[len] == '=')
      return true;
  }
  return false;
}

/* The plugin only knows that a value was configured, not where. */
static struct json_object *origin_of(const struct host *host, const struct session *session,
                                     const char *key) {
  char text[PATH_MAX + 8];
  bool is_root = strcmp(key, "project_root") == 0;
  if (is_root && host->directory)
    return json_object_new_string("-C");
  if (is_set(host, key))
    return json_object_new_string("--set");
  if (json_object_object_get_ex(session->config.config, key, NULL)) {
    snprintf(text, sizeof text, "file %s", session->config.file);
    return json_text_new_string(text);
  }
  return json_object_new_string(is_root ? "working directory" : "configured");
}

int config_edit_report(const struct host *host, struct session *session,
                       struct json_object **report, struct problem *problem) {
  struct json_object_iter member;
  if (report_text_config(session, report, problem) < 0)
    return -1;
  json_object_object_foreachC(*report, member) {
    if (strcmp(report_text_string(member.val, "origin", ""), "configured") == 0)
      json_object_object_add(member.val, "origin", origin_of(host, session, member.key));
  }
  return 0;
}

/* The value as the type the plugin's schema gives the key; it has passed configure_key()
 * already. */
static struct json_object *typed_value(const struct session *session, const char *key,
                                       const char *value) {
  size_t at = 0;
  const char *description = NULL;
  const char *schema_text = session->plugin.table->config_schema;
  struct json_object *schema = json_text_parse(schema_text, strlen(schema_text), &at, &description);
  struct json_object *property = report_text_member(report_text_member(schema, "properties"), key);
  bool is_text = strcmp(report_text_string(property, "type", "string"), "string") == 0;
  struct json_object *typed = is_text ? json_object_new_string(value)
                                      : json_text_parse(value, strlen(value), &at, &description);
  json_object_put(schema);
  return typed ? typed : json_object_new_string(value);
}

static struct json_object *config_in(struct json_object *parent) {
  struct json_object *config = report_text_member(parent, "config");

  if (!config) {
    config = json_object_new_object();
    json_object_object_add(parent, "config", config);
  }
  return config;
}

/* A link is followed, not replaced: people keep such files elsewhere. */
static int write_document(struct json_object *document, const char *file, struct problem *problem) {
  char target[PATH_MAX], text_file[PATH_MAX];
  struct stat entry;
  const char *text = json_object_to_json_string_ext(
      document, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);

  snprintf(text_file, sizeof text_file, "%s", realpath(file, target) ? target : file);
  mode_t mode =
      stat(text_file, &entry) == 0 ? entry.st_mode & 0777 : 0600; /* it may hold a password later */
  char *with_newline = NULL;
  int len = asprintf(&with_newline, "%s\n", text);
  if (len < 0)
    return problem_no_memory(problem);
  int result = file_text_replace(text_file, mode, with_newline, (size_t)len, problem);
  free(with_newline);
  return result;
}

static int change(struct session *session, struct json_object *document, const char *key,
                  const char *value, struct problem *problem) {
  struct json_object *config =
      config_in(session->config.plugin ? session->config.plugin : document);
  if (!value && !json_object_object_get_ex(config, key, NULL))
    return problem_set(problem, EXIT_CODE_FAILED, "config: '%s' is not set in %s", key,
                       session->config.file ? session->config.file : "any file");
  if (!value)
    json_object_object_del(config, key);
  else
    json_object_object_add(config, key, typed_value(session, key, value));
  return 0;
}

static void report_change(const char *file, const char *key, bool is_set) {
  if (!output_is_json()) {
    output_note("%s: %s is %s", file, key, is_set ? "set" : "no longer set");
    return;
  }
  struct json_object *document = json_object_new_object();
  json_object_object_add(document, "file", json_text_new_string(file));
  json_object_object_add(document, "key", json_text_new_string(key));
  json_object_object_add(document, "set", json_object_new_boolean(is_set));
  output_json(document);
}

int config_edit_apply(struct session *session, const char *key, const char *value,
                      struct problem *problem) {
  char *file = session->config.file ? strdup(session->config.file) : host_config_user_file();
  if (!file)
    return problem_set(problem, EXIT_CODE_FAILED,
                       "config: no home folder; name a file with --config");
  struct json_object *document = session->config.document
                                     ? json_object_get(session->config.document)
                                     : json_object_new_object();
  int result = value ? session_set(session, key, value, problem) : 0;
  if (result == 0)
    result = change(session, document, key, value, problem);
  if (result == 0)
    result = write_document(document, file, problem);
  if (result == 0)
    report_change(file, key, value != NULL);
  json_object_put(document);
  free(file);
  return result;
}

/* session.c - one plugin instance for one project, from the host's configuration to destroy().
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "host/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/output.h"
#include "host/project_root.h"

static const uint32_t STOP_MS = 2000;

static bool threads_left; /* for the whole process: it decides how the process ends */

/* Messages that repeat the answer of a call (docs/operations.md): the command that called reports
 * it. */
enum { MESSAGE_NOT_RECORDED = 106, MESSAGE_REJECTED = 107 };

static void take_log(void *ctx, int32_t level, int32_t id, const char *text, size_t len) {
  (void)ctx;
  if (id == MESSAGE_NOT_RECORDED || id == MESSAGE_REJECTED)
    return;
  if (level <= KAIZEN_LOG_ERROR)
    output_error("%.*s", (int)len, text);
  else if (level == KAIZEN_LOG_WARNING)
    output_warning("%.*s", (int)len, text);
  else
    output_note("%.*s", (int)len, text);
}

static uint32_t log_level(void) {
  return output_is_quiet()     ? KAIZEN_LOG_ERROR
         : output_is_verbose() ? KAIZEN_LOG_DEBUG
                               : KAIZEN_LOG_WARNING;
}

struct kaizen_str session_text(const char *text) {
  return (struct kaizen_str){.ptr = text, .len = text ? strlen(text) : 0};
}

int session_failed(const struct session *session, const char *what, int32_t result,
                   struct problem *problem) {
  char reason[PROBLEM_TEXT_MAX / 2] = "";
  const char *name = session->plugin.table->code_name(result);
  if (session->instance)
    session->plugin.table->last_error(session->instance, reason, sizeof reason);
  return problem_about(problem, problem_exit_code(result), what,
                       reason[0] != '\0' ? reason
                       : name            ? name
                                         : "failed");
}

int session_load(const struct host *host, struct session *session, struct problem *problem) {
  memset(session, 0, sizeof *session);
  if (host_config_load(host->config_file, &session->config, problem) < 0)
    return -1;
  const char *name = host->plugin_name ? host->plugin_name : session->config.plugin_path;
  if (loader_open(name, &session->plugin, problem) < 0) {
    session_close(session);
    return -1;
  }
  return 0;
}

static const char *set_value(const struct option_value *value, const char *key) {
  size_t len = strlen(key);

  if (strcmp(value->spec->name, "set") != 0 || strncmp(value->text, key, len) != 0 ||
      value->text[len] != '=')
    return NULL;
  return value->text + len + 1;
}

/* The key's value in the last --set, or NULL. */
static const char *set_text(const struct host *host, const char *key) {
  const char *text = NULL;

  for (size_t i = 0; i < host->arguments->value_count; i++) {
    const char *value = set_value(&host->arguments->values[i], key);

    text = value ? value : text;
  }
  return text;
}

/* -C, else --set project_root=, else the file's project_root, else discovery. */
int session_find_project(const struct host *host, struct session *session,
                         struct problem *problem) {
  const char *named = set_text(host, "project_root");
  struct json_object *member = NULL;
  if (!named && json_object_object_get_ex(session->config.config, "project_root", &member))
    named = json_object_get_string(member);
  if (!host->directory && named && strlen(named) < sizeof session->project_root) {
    strcpy(session->project_root, named); /* the plugin checks it */
    return 0;
  }
  return project_root_find(host->directory, session->project_root, problem);
}

int session_set(struct session *session, const char *key, const char *value,
                struct problem *problem) {
  const struct kaizen_plugin_v1 *plugin = session->plugin.table;
  int32_t result = plugin->configure_key(session->instance, key, value, strlen(value));
  return result < 0 ? session_failed(session, "configuration", result, problem) : 0;
}

/* --set KEY=VALUE in the order given; the last one of a key wins. */
static int apply_settings(const struct host *host, struct session *session,
                          struct problem *problem) {
  char key[128];
  for (size_t i = 0; i < host->arguments->value_count; i++) {
    const struct option_value *value = &host->arguments->values[i];

    if (strcmp(value->spec->name, "set") != 0)
      continue;
    size_t len = strcspn(value->text, "=");
    if (len >= sizeof key)
      return problem_set(problem, EXIT_CODE_REFUSED, "--set %s: no setting has such a long name",
                         value->text);
    memcpy(key, value->text, len);
    key[len] = '\0';
    /* -C is more explicit than the other. */
    if (strcmp(key, "project_root") != 0 &&
        session_set(session, key, value->text + len + 1, problem) < 0)
      return -1;
  }
  return 0;
}

/* The file's settings with the project root in them: configure() needs one, and the file usually
 * has none.  It checks the root at once, so the settings for that check go along. */
static char *settings_text(const struct host *host, const struct session *session) {
  const char *allowed = set_text(host, "allow_network_fs"), *owner = set_text(host, "owner");
  struct json_object *settings = session->config.config;
  struct json_text_members root = {.list = NULL};
  char *text = NULL;
  const char *given = !settings
                          ? "{}"
                          : json_object_to_json_string_ext(
                                settings, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
  bool added = json_text_members_add_text(&root, "project_root", session->project_root) == 0;

  if (added && allowed && strcmp(allowed, "true") == 0)
    added = json_text_members_add_json(&root, "allow_network_fs", "true") == 0;
  if (added && owner)
    added = json_text_members_add_text(&root, "owner", owner) == 0;
  if (added)
    text = json_text_splice(given, strlen(given), &root);
  json_text_members_free(&root);
  return text;
}

static int configure(const struct host *host, struct session *session, struct problem *problem) {
  const char *where = session->config.file ? session->config.file : "configuration";
  char *text = settings_text(host, session);

  if (!text)
    return problem_no_memory(problem);
  int32_t result = session->plugin.table->configure(session->instance, text, strlen(text));
  free(text);
  return result < 0 ? session_failed(session, where, result, problem)
                    : apply_settings(host, session, problem);
}

int session_create(const struct host *host, struct session *session, struct problem *problem) {
  const struct kaizen_host_v1 callbacks = {
      .struct_size = sizeof callbacks,
      .abi_version = KAIZEN_ABI_VERSION,
      .flags = host->only_reads ? KAIZEN_HOST_ONLY_READS : 0,
      .log_level = log_level(),
      .name = "kaizen-host",
      .version = KAIZEN_HOST_VERSION,
      .log = take_log,
  };
  int32_t result = session->plugin.table->create(&callbacks, &session->instance);

  if (result < 0)
    return session_failed(session, "the plugin cannot create an instance", result, problem);
  return configure(host, session, problem);
}

int session_open(const struct host *host, struct session *session, struct problem *problem) {
  if (session_load(host, session, problem) < 0)
    return -1;
  if (session_find_project(host, session, problem) < 0 ||
      session_create(host, session, problem) < 0) {
    session_close(session);
    return -1;
  }
  return 0;
}

int session_start(struct session *session, struct problem *problem) {
  int32_t result = session->plugin.table->start(session->instance);

  if (result < 0)
    return session_failed(session, session->project_root, result, problem);
  session->running = true;
  return 0;
}

/* With nothing pending, stop() only has to end the publisher's thread, and gets time for it.  With
 * events pending it would spend that time on a broker that cannot be reached. */
void session_stop(struct session *session, uint32_t flush_ms) {
  const struct kaizen_plugin_v1 *plugin = session->plugin.table;
  uint64_t pending = 0;

  if (!session->running)
    return;
  session->running = false;
  int32_t flushed = plugin->flush(session->instance, flush_ms, &pending);
  int32_t stopped = plugin->stop(session->instance, flushed == KAIZEN_OK ? STOP_MS : 0);
  threads_left = threads_left || flushed != KAIZEN_OK || stopped != KAIZEN_OK;
}

void session_abandon(struct session *session) {
  if (!session->running)
    return;
  session->running = false;
  (void)session->plugin.table->stop(session->instance, 0);
  threads_left = true;
}

bool session_threads_left(void) {
  return threads_left;
}

void session_close(struct session *session) {
  session_stop(session, 0);
  if (session->instance)
    session->plugin.table->destroy(session->instance);
  session->instance = NULL;
  loader_close(&session->plugin);
  host_config_free(&session->config);
}

int session_run(const struct host *host,
                int (*work)(const struct host *host, struct session *session,
                            struct problem *problem)) {
  struct session session;
  struct problem problem;

  if (session_open(host, &session, &problem) < 0)
    return output_problem(&problem);
  int status = work(host, &session, &problem);
  session_close(&session);
  return status;
}

const void *session_extension(const struct session *session, const char *id,
                              struct problem *problem) {
  const void *extension = session->plugin.table->get_extension(id);
  if (!extension)
    problem_set(problem, EXIT_CODE_REFUSED,
                "plugin %s (%s) does not offer %s, which this command needs; use a newer plugin",
                session->plugin.table->id, session->plugin.table->version, id);
  return extension;
}

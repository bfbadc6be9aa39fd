/* hook_record.c - records an event of a coding agent through the plugin, within a hook's time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_record.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time_text.h"
#include "hooks/hook_guard.h"
#include "hooks/hook_log.h"
#include "hooks/hook_tests.h"
#include "host/delivery_wait.h"
#include "host/project_root.h"
#include "host/record_request.h"

static const char LOCK_TIMEOUT_MS[] = "300"; /* a hook has no time for the plugin's own default */

const struct option_spec hook_record_options[] = {
    {"agent", 0, OPTION_NAME, "NAME", "record under this name, not the payload's"},
    {"aborted", 0, OPTION_CHOICE, "skip|failure",
     "how to record an aborted turn; skip: not at all"},
    {"metadata", 'm', OPTION_PAIR, "KEY=VALUE", "add to every record; repeatable"},
    {"metadata-allow", 0, OPTION_NAME, "FIELD",
     "also store this payload field (number, boolean or short text); repeatable"},
    {"no-usage", 0, OPTION_FLAG, NULL,
     "do not read tokens, model and tool errors from the transcript"},
    {"emit-event", 'e', OPTION_FLAG, NULL, "publish an event for it (kaizen.metrics.recorded)"},
    {"no-emit-event", 0, OPTION_FLAG, NULL, "publish no event, whatever the configuration says"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

/* ~/.cursor and its like. */
static bool is_settings_folder(void) {
  char here[PATH_MAX], home[PATH_MAX];
  const char *given = getenv("HOME");
  size_t len = given && realpath(given, home) ? strlen(home) : 0;

  return len > 0 && getcwd(here, sizeof here) && strncmp(here, home, len) == 0 &&
         here[len] == '/' && here[len + 1] == '.';
}

/* A folder that is gone was in a project, if the nearest one above it that is there is in one. */
static int enter_project_of(const char *folder) {
  char root[PATH_MAX];
  struct problem ignored;
  bool is_found = folder && project_root_of_gone(folder, root, &ignored) == 0;

  return is_found && project_root_is_marked(root) ? chdir(root) : -1;
}

int hook_record_enter(const struct hook_event *event) {
  const char *variable = event->host->folder_variable;
  const char *named = variable ? getenv(variable) : NULL;

  if (named && *named == '/' && chdir(named) == 0)
    return 0;
  if (event->folder && *event->folder == '/' && chdir(event->folder) == 0)
    return 0;
  if (enter_project_of(event->folder) == 0) {
    hook_log("%s: cannot enter the payload's folder; using the project that it is in", event->name);
    return 0;
  }
  if (is_settings_folder()) {
    hook_log("%s: %s, and the working directory is a settings folder; not recorded", event->name,
             event->folder ? "cannot enter the payload's folder" : "the payload names no project");
    return -1;
  }
  if (event->folder)
    hook_log("%s: cannot enter the payload's folder; using the working directory", event->name);
  return 0;
}

static int add_word(struct json_text_members *members, const char *name, const char *word) {
  return word[0] != '\0' ? json_text_members_add_text(members, name, word) : 0;
}

static int add_count(struct json_text_members *members, const char *name, double number) {
  char text[32];

  snprintf(text, sizeof text, "%.0f", number);
  return number >= 1 && number < 1e15 ? json_text_members_add_json(members, name, text) : 0;
}

/* The well-known keys of docs/metadata.md, and the event, with the host's own word for how it
 * ended. */
static int describe(struct json_text_members *members, const struct hook_event *event) {
  double cost_usd = hook_event_number(event, HOOK_FIELD_COST_USD);
  bool failed = event->outcome == HOOK_FAILED || event->outcome == HOOK_TIMEOUT;
  int result = add_word(members, "host", event->host->family) |
               add_word(members, "host_version", event->version) |
               add_word(members, "event", event->name) | add_word(members, "model", event->model) |
               add_word(members, "outcome", hook_event_outcome_word(event->outcome)) |
               add_word(members, "stop_reason", event->status);

  if (failed)
    result |= add_word(members, "error_type", event->error[0] != '\0' ? event->error : "unknown");
  if (cost_usd > 0)
    result |= json_text_members_add_number(members, "cost_usd", cost_usd);
  return result | add_count(members, "turns", hook_event_number(event, HOOK_FIELD_TURNS)) |
         add_count(members, "loops", hook_event_number(event, HOOK_FIELD_LOOPS));
}

static int64_t tokens_in(const struct hook_event *event, enum hook_field field) {
  double number = hook_event_number(event, field);

  return number >= 1 && number < 1e15 ? (int64_t)number : USAGE_NOT_SAID;
}

/* What the payload says: our own plugins, which make such payloads, count as docs/metadata.md
 * does. */
static struct usage_tokens tokens_of(const struct hook_event *event) {
  return (struct usage_tokens){
      .input = tokens_in(event, HOOK_FIELD_INPUT_TOKENS),
      .output = tokens_in(event, HOOK_FIELD_OUTPUT_TOKENS),
      .cache_read = tokens_in(event, HOOK_FIELD_CACHE_READ_TOKENS),
      .cache_write = tokens_in(event, HOOK_FIELD_CACHE_WRITE_TOKENS),
      .reasoning = tokens_in(event, HOOK_FIELD_REASONING_TOKENS),
  };
}

/* The payload has priority over the transcript: each has all of a turn or nothing. */
static int describe_usage(struct record_request *request, const struct hook_event *event) {
  struct usage_tokens tokens = tokens_of(event);
  int result = usage_describe_tokens(&tokens, &request->metadata, &request->extra);

  return event->usage ? result | usage_describe(event->usage, &request->metadata, &request->extra)
                      : result;
}

static int add_allowed(struct json_text_members *members, const struct hook_event *event,
                       const char *name) {
  char text[HOOK_TEXT_MAX + 1];
  struct json_object *value = NULL;
  if (json_text_members_find(members, name) ||
      !json_object_object_get_ex(event->payload, name, &value))
    return 0;
  switch (json_object_get_type(value)) {
  case json_type_boolean:
  case json_type_int:
  case json_type_double:
    return json_text_members_add_json(members, name, json_object_get_string(value));
  case json_type_string:
    hook_redact_text(json_object_get_string(value), text);
    return json_text_members_add_text(members, name, text);
  default:
    hook_log("--metadata-allow %s: not a number, boolean or text", name);
    return 0;
  }
}

static int add_all_allowed(struct json_text_members *members, const struct hook_event *event,
                           const struct arguments *arguments) {
  int result = 0;
  for (size_t i = 0; i < arguments->value_count; i++)
    if (strcmp(arguments->values[i].spec->name, "metadata-allow") == 0)
      result |= add_allowed(members, event, arguments->values[i].text);
  return result;
}

/* The execution in the plugin's form; the request was initialised from the options. */
static int fill_request(struct record_request *request, const struct host *host,
                        const struct hook_event *event, const struct hook_identity *identity,
                        struct problem *problem) {
  struct kaizen_execution *execution = &request->execution;
  double elapsed_s =
      event->duration_s > 0 ? event->duration_s : round(identity->elapsed_s * 1e6) / 1e6;
  bool succeeded = event->outcome == HOOK_COMPLETED || event->outcome == HOOK_UNKNOWN;
  execution->outcome = succeeded ? KAIZEN_SUCCESS : KAIZEN_FAILURE;
  if (elapsed_s > 0) {
    execution->execution_time_s = elapsed_s;
    execution->flags |= KAIZEN_EXEC_HAS_TIME;
  }
  if (identity->key[0] != '\0')
    execution->idempotency_key = session_text(identity->key);
  if (event->session[0] != '\0')
    execution->session_id = session_text(event->session);
  if (describe(&request->metadata, event) < 0 ||
      add_all_allowed(&request->metadata, event, host->arguments) < 0 ||
      describe_usage(request, event) < 0)
    return problem_no_memory(problem);
  return 0;
}

static void send_pending(struct session *session) {
  struct kaizen_stats stats = {.struct_size = sizeof stats};
  struct problem problem;
  const struct delivery_wait wait = {.timeout_s = hook_guard_deadline_s(HOOK_GUARD_FLUSH) -
                                                  time_text_monotonic_s()};

  if (wait.timeout_s <= 0)
    return;
  enum delivery_end end = delivery_wait(session, &wait, &stats, &problem);
  if (end == DELIVERY_FAILED)
    hook_log("%s", problem.text);
  else if (end != DELIVERY_DONE)
    hook_log("%llu events stay in the log and are sent later%s%s",
             (unsigned long long)stats.pending, stats.publisher_reason[0] != '\0' ? ": " : "",
             stats.publisher_reason);
}

static void say_result(const struct session *session, const struct hook_event *event,
                       int32_t result, const struct kaizen_receipt *receipt) {
  const char *name = session->plugin.table->code_name(result);
  if (result == KAIZEN_RECORDED)
    hook_log("%s: recorded", event->name);
  else if (result == KAIZEN_DUPLICATE)
    hook_log("%s: already recorded", event->name);
  else
    hook_log("%s: NOT RECORDED: %s", event->name,
             receipt->reason[0] != '\0' ? receipt->reason
             : name                     ? name
                                        : "unknown answer from the plugin");
}

/* A plugin without the shared mapping gets the name unchanged. */
static int map_agent(struct record_request *request, const struct session *session,
                     struct problem *problem) {
  bool can_map = session->plugin.table->get_extension(KAIZEN_NAMES_1) != NULL;
  return can_map ? record_request_map_agent(request, session, problem) : 0;
}

static int record(const struct host *host, struct session *session, struct record_request *request,
                  const struct hook_event *event, const struct hook_state *tests,
                  struct problem *problem) {
  struct kaizen_receipt receipt = {.struct_size = sizeof receipt};
  struct kaizen_summary summary = {.struct_size = sizeof summary};
  if (session_open(host, session, problem) < 0 ||
      session_set(session, "lock_timeout_ms", LOCK_TIMEOUT_MS, problem) < 0 ||
      map_agent(request, session, problem) < 0 || record_request_finish(request, problem) < 0 ||
      session_start(session, problem) < 0)
    return -1;
  int32_t result = session->plugin.table->on_execution_end(session->instance, &request->execution,
                                                           &receipt, &summary);
  say_result(session, event, result, &receipt);
  if (tests)
    hook_tests_start(host, tests, session, &request->execution, event->name);
  if (result >= 0)
    send_pending(session);
  return 0;
}

static const char *choose_agent(const struct host *host, const struct hook_event *event) {
  const char *given = options_text(host->arguments, "agent", NULL);

  return given ? given : event->agent_name[0] != '\0' ? event->agent_name : event->host->family;
}

void hook_record_execution(const struct host *host, const struct hook_event *event,
                           const struct hook_identity *identity, const struct hook_state *tests) {
  struct session session = {.running = false};
  struct record_request request;
  struct problem problem;
  int result = record_request_init(&request, host->arguments, choose_agent(host, event), &problem);
  if (result == 0)
    result = fill_request(&request, host, event, identity, &problem);
  if (result == 0)
    result = record(host, &session, &request, event, tests, &problem);
  if (result < 0)
    hook_log("%s: NOT RECORDED: %s", event->name, problem.text);
  session_close(&session);
  record_request_fini(&request);
}

static bool has_records(const struct session *session) {
  char path[PATH_MAX + 32];
  struct stat entry;

  snprintf(path, sizeof path, "%s/.kaizen/metrics", session->project_root);
  return lstat(path, &entry) == 0 && S_ISDIR(entry.st_mode);
}

void hook_record_flush(const struct host *host) {
  struct session session;
  struct problem problem;

  if (session_load(host, &session, &problem) < 0) {
    hook_log("nothing sent: %s", problem.text);
    return;
  }
  int result = session_find_project(host, &session, &problem);
  if (result == 0 && has_records(&session)) {
    result = session_create(host, &session, &problem);
    if (result == 0)
      result = session_start(&session, &problem);
    if (result == 0)
      send_pending(&session);
  }
  if (result < 0)
    hook_log("nothing sent: %s", problem.text);
  session_close(&session);
}

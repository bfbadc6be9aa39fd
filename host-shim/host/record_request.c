/* record_request.c - one execution as the options of record and exec describe it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "host/record_request.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "base/time_text.h"

const struct option_spec record_request_options[] = {
    {"success", 's', OPTION_FLAG, NULL, "the run succeeded"},
    {"failure", 'f', OPTION_FLAG, NULL, "the run failed"},
    {"time", 0, OPTION_NUMBER, "S", "duration in seconds"},
    {"quality", 0, OPTION_NUMBER, "Q", "quality of the result, from 0 to 1"},
    {"session-id", 0, OPTION_NAME, "ID", "the agent's session"},
    {"idempotency-key", 'k', OPTION_TEXT, "K", "record only once per agent and key"},
    {"primary", 0, OPTION_PAIR, "NAME=VALUE[/TARGET]", "the number that this agent is measured by"},
    {"metadata", 'm', OPTION_PAIR, "KEY=VALUE",
     "add metadata; JSON if it is a number, true, false, {...} or [...], else text; repeatable"},
    {"timestamp", 0, OPTION_TEXT, "T",
     "end of the run, as 2026-01-02T03:04:05Z or with an offset; default: now"},
    {"emit-event", 'e', OPTION_FLAG, NULL, "publish an event for it (kaizen.metrics.recorded)"},
    {"no-emit-event", 0, OPTION_FLAG, NULL, "publish no event, whatever the configuration says"},
    {"wait", 'w', OPTION_SECONDS, "S", "wait at most S seconds for the broker; default: 1"},
    {"map-agent", 0, OPTION_FLAG, NULL, "map any name to a legal agent name"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

enum helix_kind { HELIX_TEXT, HELIX_COUNT, HELIX_NUMBER };
static const struct {
  const char *variable, *member;
  enum helix_kind kind;
} helix_variables[] = {
    {"HELIX_SESSION_UID", "helix_session_uid", HELIX_TEXT},
    {"HELIX_REPO", "repo", HELIX_TEXT},
    {"HELIX_FLAVOR", "flavor", HELIX_TEXT},
    {"HELIX_TOKENS", "tokens", HELIX_COUNT},
    {"HELIX_INFRA_OVERHEAD_SHARE", "infra_overhead_share", HELIX_NUMBER},
};

/* A value that the plugin would refuse must not cost the record: our caller did not set the
 * variable. */
static bool is_usable(enum helix_kind kind, const char *value) {
  if (kind == HELIX_TEXT)
    return true;
  if (!json_text_is_number(value))
    return false;
  if (kind == HELIX_NUMBER)
    return isfinite(strtod(value, NULL));
  errno = 0;
  (void)strtoll(value, NULL, 10);
  return value[strspn(value, "0123456789")] == '\0' && errno != ERANGE;
}

static int take_environment(struct record_request *request) {
  for (size_t i = 0; i < sizeof helix_variables / sizeof helix_variables[0]; i++) {
    const char *value = getenv(helix_variables[i].variable);
    const char *member = helix_variables[i].member;
    bool is_text = helix_variables[i].kind == HELIX_TEXT;

    if (!value || *value == '\0')
      continue;
    if (!is_usable(helix_variables[i].kind, value)) {
      output_warning("%s='%s' is not a %s; left out of the record", helix_variables[i].variable,
                     value,
                     helix_variables[i].kind == HELIX_COUNT ? "whole number from 0" : "number");
      continue;
    }
    if ((is_text ? json_text_members_add_text : json_text_members_add_json)(&request->extra, member,
                                                                            value) < 0)
      return -1;
    json_text_members_find(&request->extra, member)->weak = true;
  }
  return 0;
}

static bool is_json_value(const char *text) {
  if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0 || json_text_is_number(text))
    return true;
  size_t at = 0;
  const char *description = NULL;
  struct json_object *value =
      *text == '{' || *text == '[' ? json_text_parse(text, strlen(text), &at, &description) : NULL;
  json_object_put(value);
  return value != NULL;
}

static int take_metadata(struct record_request *request, const struct arguments *arguments) {
  for (size_t i = 0; i < arguments->value_count; i++) {
    const struct option_value *value = &arguments->values[i];

    if (strcmp(value->spec->name, "metadata") != 0)
      continue;
    const char *equals = strchr(value->text, '=');
    char *name = strndup(value->text, (size_t)(equals - value->text));
    int result = !name ? -1
                       : (is_json_value(equals + 1)
                              ? json_text_members_add_json
                              : json_text_members_add_text)(&request->metadata, name, equals + 1);
    free(name);
    if (result < 0)
      return -1;
  }
  return 0;
}

static int read_double(const char *text, size_t len, double *number) {
  char copy[64];
  char *end = NULL;

  if (len == 0 || len >= sizeof copy || strspn(text, "0123456789+-.eE") < len)
    return -1;
  memcpy(copy, text, len);
  copy[len] = '\0';
  *number = strtod(copy, &end);
  return *end == '\0' && isfinite(*number) ? 0 : -1;
}

static int take_primary(struct record_request *request, const char *text, struct problem *problem) {
  struct kaizen_execution *execution = &request->execution;
  const char *equals = strrchr(text, '=');
  size_t value_len = strcspn(equals + 1, "/");
  const char *slash = equals[1 + value_len] == '/' ? equals + 1 + value_len : NULL;

  if (read_double(equals + 1, value_len, &execution->primary_value) < 0)
    return problem_set(problem, EXIT_CODE_USAGE,
                       "--primary: '%.*s' in '%s' is not a number; write NAME=VALUE[/TARGET]",
                       (int)value_len, equals + 1, text);
  if (slash && read_double(slash + 1, strlen(slash + 1), &execution->primary_target) < 0)
    return problem_set(
        problem, EXIT_CODE_USAGE,
        "--primary: the target '%s' in '%s' is not a number; write NAME=VALUE[/TARGET]", slash + 1,
        text);
  request->primary_name = strndup(text, (size_t)(equals - text));
  if (!request->primary_name)
    return problem_no_memory(problem);
  execution->primary_name = session_text(request->primary_name);
  execution->flags |= KAIZEN_EXEC_HAS_PRIMARY | (slash ? KAIZEN_EXEC_HAS_TARGET : 0u);
  return 0;
}

static int take_timestamp(struct record_request *request, const char *text,
                          struct problem *problem) {
  if (time_text_parse(text, &request->execution.timestamp_unix_ns) < 0 ||
      request->execution.timestamp_unix_ns == 0)
    return problem_set(
        problem, EXIT_CODE_USAGE,
        "--timestamp: '%s' is not a time from 1970 to 2261 such as 2026-01-02T03:04:05Z", text);
  return 0;
}

static int refuse_both(const struct arguments *arguments, const char *a, const char *b,
                       struct problem *problem) {
  if (options_given(arguments, a) && options_given(arguments, b))
    return problem_set(problem, EXIT_CODE_USAGE, "--%s and --%s cannot be used together", a, b);
  return 0;
}

static int take_numbers(struct record_request *request, const struct arguments *arguments,
                        struct problem *problem) {
  struct kaizen_execution *execution = &request->execution;
  const char *primary = options_text(arguments, "primary", NULL);
  const char *timestamp = options_text(arguments, "timestamp", NULL);
  if (options_given(arguments, "time")) {
    execution->execution_time_s = options_number(arguments, "time", 0);
    execution->flags |= KAIZEN_EXEC_HAS_TIME;
  }
  if (options_given(arguments, "quality")) {
    execution->quality_score = options_number(arguments, "quality", 0);
    execution->flags |= KAIZEN_EXEC_HAS_QUALITY;
  }
  if (primary && take_primary(request, primary, problem) < 0)
    return -1;
  return timestamp ? take_timestamp(request, timestamp, problem) : 0;
}

int record_request_init(struct record_request *request, const struct arguments *arguments,
                        const char *agent, struct problem *problem) {
  struct kaizen_execution *execution = &request->execution;
  *request = (struct record_request){.agent_as_given = agent};
  execution->struct_size = sizeof *execution;
  if (refuse_both(arguments, "success", "failure", problem) < 0 ||
      refuse_both(arguments, "emit-event", "no-emit-event", problem) < 0 ||
      take_numbers(request, arguments, problem) < 0)
    return -1;
  execution->outcome = options_given(arguments, "success")   ? KAIZEN_SUCCESS
                       : options_given(arguments, "failure") ? KAIZEN_FAILURE
                                                             : 0;
  execution->flags |= options_given(arguments, "emit-event") ? KAIZEN_EXEC_EMIT : 0u;
  execution->flags |= options_given(arguments, "no-emit-event") ? KAIZEN_EXEC_NO_EMIT : 0u;
  execution->agent = session_text(agent);
  execution->session_id = session_text(options_text(arguments, "session-id", NULL));
  execution->idempotency_key = session_text(options_text(arguments, "idempotency-key", NULL));
  if (take_metadata(request, arguments) < 0 || take_environment(request) < 0)
    return problem_no_memory(problem);
  return 0;
}

void record_request_fini(struct record_request *request) {
  json_text_members_free(&request->metadata);
  json_text_members_free(&request->extra);
  free(request->metadata_json);
  free(request->extra_json);
  free(request->primary_name);
}

int record_request_map_agent(struct record_request *request, const struct session *session,
                             struct problem *problem) {
  const struct kaizen_names_1 *names = session_extension(session, KAIZEN_NAMES_1, problem);
  if (!names)
    return -1;
  char reason[208] = "";
  int32_t result =
      names->map(request->agent_as_given, KAIZEN_NTS, request->agent, reason, sizeof reason);
  if (result < 0)
    return problem_set(problem, EXIT_CODE_REJECTED, "cannot make an agent name from '%s': %s",
                       request->agent_as_given, reason);
  request->execution.agent = session_text(request->agent);
  if (result > 0 &&
      json_text_members_add_text(&request->metadata, "agent_name", request->agent_as_given) < 0)
    return problem_no_memory(problem);
  return 0;
}

int record_request_finish(struct record_request *request, struct problem *problem) {
  free(request->metadata_json);
  free(request->extra_json);
  request->metadata_json = request->extra_json = NULL;
  if (request->metadata.count > 0) {
    request->metadata_json = json_text_splice("{}", 2, &request->metadata);
    if (!request->metadata_json)
      return problem_no_memory(problem);
  }
  if (request->extra.count > 0) {
    request->extra_json = json_text_splice("{}", 2, &request->extra);
    if (!request->extra_json)
      return problem_no_memory(problem);
  }
  request->execution.metadata_json = session_text(request->metadata_json);
  request->execution.extra_json = session_text(request->extra_json);
  return 0;
}

static int merge_primary(const struct kaizen_execution *execution, const char *name,
                         struct json_text_members *members) {
  struct json_text_members parts = {.list = NULL};
  int result = json_text_members_add_text(&parts, "name", name);
  if (result == 0)
    result = json_text_members_add_number(&parts, "value", execution->primary_value);
  if (result == 0 && (execution->flags & KAIZEN_EXEC_HAS_TARGET) != 0)
    result = json_text_members_add_number(&parts, "target", execution->primary_target);
  char *object = result == 0 ? json_text_splice("{}", 2, &parts) : NULL;
  result = object ? json_text_members_add_json(members, "primary_metric", object) : -1;
  free(object);
  json_text_members_free(&parts);
  return result;
}

/* The metadata of both: the record's own, and the options', which win for equal names. */
static int merge_metadata(const struct record_request *request, const char *json, size_t len,
                          struct json_text_members *members) {
  size_t own_len = 0;
  const char *own = json_text_value(json, len, "metadata", &own_len);
  char *merged = own ? json_text_splice(own, own_len, &request->metadata) : NULL;
  int result =
      json_text_members_add_json(members, "metadata", merged ? merged : request->metadata_json);
  free(merged);
  return result;
}

static int merge_options(const struct record_request *request, const struct arguments *arguments,
                         struct json_text_members *members) {
  const struct kaizen_execution *execution = &request->execution;
  const char *session_id = options_text(arguments, "session-id", NULL);
  const char *key = options_text(arguments, "idempotency-key", NULL);
  const char *timestamp = options_text(arguments, "timestamp", NULL);
  int result = 0;
  if (execution->agent.ptr)
    result |= json_text_members_add_text(members, "agent", execution->agent.ptr);
  if (execution->outcome != 0)
    result |= json_text_members_add_json(members, "success",
                                         execution->outcome == KAIZEN_SUCCESS ? "true" : "false");
  if ((execution->flags & KAIZEN_EXEC_HAS_TIME) != 0)
    result |=
        json_text_members_add_number(members, "execution_time_s", execution->execution_time_s);
  if ((execution->flags & KAIZEN_EXEC_HAS_QUALITY) != 0)
    result |= json_text_members_add_number(members, "quality_score", execution->quality_score);
  if (session_id)
    result |= json_text_members_add_text(members, "session_id", session_id);
  if (key)
    result |= json_text_members_add_text(members, "idempotency_key", key);
  if (timestamp)
    result |= json_text_members_add_text(members, "timestamp", timestamp);
  if ((execution->flags & KAIZEN_EXEC_HAS_PRIMARY) != 0)
    result |= merge_primary(execution, request->primary_name, members);
  return result;
}

static int merge_environment(const struct record_request *request,
                             struct json_text_members *members) {
  for (size_t i = 0; i < request->extra.count; i++) {
    const struct json_text_member *member = &request->extra.list[i];

    if (json_text_members_add_json(members, member->name, member->value) < 0)
      return -1;
    json_text_members_find(members, member->name)->weak = member->weak;
  }
  return 0;
}

char *record_request_merge(const struct record_request *request, const struct arguments *arguments,
                           const char *json, size_t len) {
  struct json_text_members members = {.list = NULL};
  char *merged = NULL;
  int result = merge_options(request, arguments, &members) | merge_environment(request, &members);
  if (result == 0 && request->metadata.count > 0)
    result = merge_metadata(request, json, len, &members);
  if (result == 0) {
    merged = json_text_splice(json, len, &members);
    if (!merged && errno == EINVAL)
      merged = strndup(json, len);
  }
  json_text_members_free(&members);
  return merged;
}

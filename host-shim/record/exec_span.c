/* exec_span.c - the run of a command from its beginning: kaizen.span/1 for exec.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/exec_span.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/output.h"

enum { SESSION_ID_MAX = 1024 }; /* of a span; a record may have a longer one */

/* An instance that publishes nothing: the command may run for hours. */
static int open_running(const struct host *host, struct session *session, struct problem *problem) {
  if (session_open(host, session, problem) < 0)
    return -1;
  if (session_set(session, "emit_event", "false", problem) == 0 &&
      session_start(session, problem) == 0)
    return 0;
  session_close(session);
  return -1;
}

static int check(struct session *session, struct record_request *request, struct problem *problem) {
  struct kaizen_execution known = request->execution;
  struct kaizen_receipt receipt = {.struct_size = sizeof receipt};

  known.flags |= KAIZEN_EXEC_CHECK_ONLY;
  known.outcome = known.outcome != 0 ? known.outcome : KAIZEN_SUCCESS;
  if (session->plugin.table->on_execution_end(session->instance, &known, &receipt, NULL) ==
      KAIZEN_E_REJECTED)
    return problem_set(problem, EXIT_CODE_REJECTED, "%s", receipt.reason);
  return 0;
}

/* The key of the record: the option's, else the member of the metadata that counts as one. */
static struct json_object *metadata_key(const struct record_request *request) {
  const struct json_text_member *member =
      json_text_members_find(&request->metadata, "idempotency_key");
  size_t at = 0;
  const char *description = NULL;

  return member ? json_text_parse(member->value, strlen(member->value), &at, &description) : NULL;
}

/* 0 also when nothing could be begun for a transient reason: the record's own call will report
 * it. */
static int begin(const struct host *host, struct session *session,
                 const struct record_request *request, char token[KAIZEN_SPAN_TOKEN_SIZE],
                 struct problem *problem) {
  const struct kaizen_execution *execution = &request->execution;
  const struct kaizen_span_1 *extension = session->plugin.table->get_extension(KAIZEN_SPAN_1);
  struct json_object *key = metadata_key(request);
  struct kaizen_span span = {
      .struct_size = sizeof span,
      .flags = execution->flags & (KAIZEN_EXEC_EMIT | KAIZEN_EXEC_NO_EMIT),
      .agent = execution->agent,
      .idempotency_key =
          execution->idempotency_key.ptr || !json_object_is_type(key, json_type_string)
              ? execution->idempotency_key
              : session_text(json_object_get_string(key)),
      .session_id = execution->session_id.len <= SESSION_ID_MAX ? execution->session_id
                                                                : (struct kaizen_str){NULL, 0},
  };
  int32_t code = extension ? extension->begin(session->instance, &span, token) : KAIZEN_OK;

  json_object_put(key);
  if (code >= 0 || (code != KAIZEN_E_REJECTED && !options_given(host->arguments, "require-record")))
    return 0;
  return session_failed(session, "cannot begin the run", code, problem);
}

/* Whether execvp() would find the command: for a missing command nothing is written. */
static bool is_found(const char *command) {
  const char *at = getenv("PATH");
  char file[PATH_MAX];

  if (strchr(command, '/'))
    return access(command, X_OK) == 0;
  while (at) {
    int len = (int)strcspn(at, ":");
    int written =
        snprintf(file, sizeof file, "%.*s/%s", len > 0 ? len : 1, len > 0 ? at : ".", command);

    if (written > 0 && written < (int)sizeof file && access(file, X_OK) == 0)
      return true;
    at = at[len] == ':' ? at + len + 1 : NULL;
  }
  return false;
}

int exec_span_begin(const struct host *host, struct record_request *request,
                    char token[KAIZEN_SPAN_TOKEN_SIZE], struct problem *problem) {
  struct session session;
  int result = 0;

  token[0] = '\0';
  if (open_running(host, &session, problem) < 0)
    return options_given(host->arguments, "require-record") ? -1 : 0;
  if (options_given(host->arguments, "map-agent"))
    result = record_request_map_agent(request, &session, problem);
  if (result == 0)
    result = record_request_finish(request, problem);
  if (result == 0)
    result = check(&session, request, problem);
  if (result == 0 && is_found(host->arguments->rest[0]))
    result = begin(host, &session, request, token, problem);
  session_close(&session);
  return result;
}

static int cancel(const struct host *host, const struct record_request *request, const char *token,
                  struct problem *problem) {
  struct session session;
  if (open_running(host, &session, problem) < 0)
    return -1;
  const struct kaizen_span_1 *extension = session_extension(&session, KAIZEN_SPAN_1, problem);
  const struct kaizen_str *agent = &request->execution.agent;
  int32_t code =
      extension ? extension->cancel(session.instance, agent->ptr, agent->len, token) : KAIZEN_OK;
  int result = !extension ? -1
               : code < 0 ? session_failed(&session, "cannot cancel the run", code, problem)
                          : 0;
  session_close(&session);
  return result;
}

void exec_span_cancel(const struct host *host, const struct record_request *request,
                      char token[KAIZEN_SPAN_TOKEN_SIZE]) {
  struct problem problem;

  if (token[0] != '\0' && cancel(host, request, token, &problem) < 0)
    output_warning("exec: the run will be recorded as lost: %s", problem.text);
  token[0] = '\0';
}

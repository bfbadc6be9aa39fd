/* record_call.c - the call that records one execution, its wait for the broker, and the messages
 * about it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "host/record_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount_text.h"
#include "base/json_text.h"
#include "base/output.h"
#include "base/table.h"
#include "base/utf8_text.h"
#include "host/delivery.h"
#include "host/delivery_wait.h"
#include "host/report_text.h"

static const double WAIT_DEFAULT_S = 1.0;

void record_call_init(struct record_call *call, const struct host *host) {
  memset(call, 0, sizeof *call);
  call->host = host;
  call->out = stdout;
}

void record_call_close(struct record_call *call) {
  session_close(&call->session);
}

static void take_project(struct record_call *call) {
  struct problem ignored;
  struct json_object *config = NULL;

  if (report_text_config(&call->session, &config, &ignored) < 0)
    return;
  snprintf(call->project, sizeof call->project, "%s",
           report_text_string(report_text_member(config, "project"), "value", ""));
  json_object_put(config);
}

/* The options about the event become the instance's setting: a call with a JSON text has no such
 * flags, and a repeat with --emit-event sends what the first attempt could not. */
static int apply_emission(struct record_call *call, const struct record_request *request,
                          struct problem *problem) {
  if ((request->execution.flags & KAIZEN_EXEC_EMIT) != 0)
    return session_set(&call->session, "emit_event", "true", problem);
  if ((request->execution.flags & KAIZEN_EXEC_NO_EMIT) != 0)
    return session_set(&call->session, "emit_event", "false", problem);
  return 0;
}

int record_call_open(struct record_call *call, struct record_request *request,
                     struct problem *problem) {
  if (session_open(call->host, &call->session, problem) < 0 ||
      apply_emission(call, request, problem) < 0)
    return -1;
  if (options_given(call->host->arguments, "map-agent") &&
      record_request_map_agent(request, &call->session, problem) < 0)
    return -1;
  if (record_request_finish(request, problem) < 0)
    return -1;
  if (output_is_json())
    take_project(call);
  return session_start(&call->session, problem);
}

static const char *agent_name(const struct record_call *call,
                              const struct record_request *request) {
  return request->execution.agent.ptr ? request->execution.agent.ptr : call->json_agent;
}

/* The wait was for the events of every agent; this looks at the record's own. */
static enum record_event event_after(struct record_call *call, const struct record_request *request,
                                     enum delivery_end end, const struct kaizen_stats *stats) {
  struct delivery_counts counts;
  if (end == DELIVERY_DONE && call->result == KAIZEN_RECORDED && stats->dead_lettered == 0)
    return RECORD_EVENT_ACKNOWLEDGED;
  if (delivery_counts(&call->session, agent_name(call, request), &counts) < 0)
    return RECORD_EVENT_PENDING;
  if (counts.dead_lettered > 0 && delivery_is_dead_letter(&call->session, call->receipt.event_id))
    return RECORD_EVENT_DEAD_LETTERED;
  if (counts.pending > counts.held)
    return RECORD_EVENT_PENDING;
  /* Events that are held back came with a copied tree; the event of a new record did not. */
  return counts.held > 0 && call->result == KAIZEN_DUPLICATE ? RECORD_EVENT_HELD
                                                             : RECORD_EVENT_ACKNOWLEDGED;
}

static void wait_for_event(struct record_call *call, const struct record_request *request) {
  struct problem problem;
  struct kaizen_stats stats = {.struct_size = sizeof stats};
  const struct delivery_wait wait = {
      .timeout_s = options_number(call->host->arguments, "wait", WAIT_DEFAULT_S),
      .until_deadline = false,
      .show_progress = false,
  };

  if ((call->receipt.flags & KAIZEN_RECEIPT_MARKED) == 0)
    return;
  enum delivery_end end = delivery_wait(&call->session, &wait, &stats, &problem);
  call->event = event_after(call, request, end, &stats);
  if (call->event != RECORD_EVENT_ACKNOWLEDGED)
    snprintf(call->event_reason, sizeof call->event_reason, "%s",
             stats.publisher_reason[0] == '\0' && call->event == RECORD_EVENT_PENDING
                 ? "the broker has not answered yet"
                 : stats.publisher_reason);
}

static void prepare_answer(struct record_call *call) {
  call->receipt = (struct kaizen_receipt){.struct_size = sizeof call->receipt};
  call->summary = (struct kaizen_summary){.struct_size = sizeof call->summary};
}

static void take_answer(struct record_call *call, const struct record_request *request,
                        int32_t result) {
  call->called = true;
  call->result = result;
  if (result >= 0)
    wait_for_event(call, request);
  session_stop(&call->session, 0);
}

int record_call_execution(struct record_call *call, struct record_request *request,
                          struct problem *problem) {
  const struct kaizen_plugin_v1 *plugin = call->session.plugin.table;
  const struct kaizen_span_1 *span =
      call->span ? session_extension(&call->session, KAIZEN_SPAN_1, problem) : NULL;
  if (call->span && !span)
    return -1;
  prepare_answer(call);
  take_answer(call, request,
              span ? span->end(call->session.instance, call->span, &request->execution,
                               &call->receipt, &call->summary)
                   : plugin->on_execution_end(call->session.instance, &request->execution,
                                              &call->receipt, &call->summary));
  return 0;
}

static void take_json_agent(struct record_call *call, const char *json) {
  size_t len = 0, at = 0;
  const char *description = NULL;
  const char *value = json_text_value(json, strlen(json), "agent", &len);
  struct json_object *agent = value ? json_text_parse(value, len, &at, &description) : NULL;

  if (json_object_is_type(agent, json_type_string))
    snprintf(call->json_agent, sizeof call->json_agent, "%s", json_object_get_string(agent));
  json_object_put(agent);
}

int record_call_json(struct record_call *call, struct record_request *request, const char *json,
                     struct problem *problem) {
  (void)problem;
  prepare_answer(call);
  take_json_agent(call, json);
  take_answer(call, request,
              call->session.plugin.table->on_execution_end_json(
                  call->session.instance, json, strlen(json), 0, &call->receipt, &call->summary));
  return 0;
}

static const char *event_word(enum record_event event) {
  static const char *const words[] = {"off", "pending", "acknowledged", "held", "dead-lettered"};

  return words[event];
}

static struct json_object *optional_text(const char *text) {
  return text && *text != '\0' ? json_text_new_string(text) : NULL;
}

static void print_json(const struct record_call *call, const struct record_request *request,
                       const char *result, const char *reason) {
  struct json_object *document = json_object_new_object();
  json_object_object_add(document, "result", json_text_new_string(result));
  json_object_object_add(document, "agent", optional_text(agent_name(call, request)));
  json_object_object_add(document, "project", optional_text(call->project));
  json_object_object_add(document, "project_root", optional_text(call->session.project_root));
  json_object_object_add(document, "event", json_object_new_string(event_word(call->event)));
  json_object_object_add(document, "event_id", optional_text(call->receipt.event_id));
  json_object_object_add(document, "reason", optional_text(reason));
  json_object_object_add(document, "summary",
                         call->called && call->result >= 0 ? report_text_summary(&call->summary)
                                                           : NULL);
  output_json_to(call->out, document);
}

static void print_text(const struct record_call *call, const struct record_request *request) {
  const struct kaizen_summary *summary = &call->summary;
  char success[AMOUNT_TEXT_MAX];

  /* Under exec, standard error belongs to the command, unless something went wrong. */
  if (output_is_quiet() || (call->out != stdout && !output_is_verbose()))
    return;
  fputs(call->result == KAIZEN_DUPLICATE ? "duplicate of a record of " : "recorded ", call->out);
  utf8_text_print(call->out, agent_name(call, request));
  amount_text_percent(summary->success_rate, 1, success);
  fprintf(call->out, ": %llu run%s, %s success %s", (unsigned long long)summary->execution_count,
          output_plural(summary->execution_count), success,
          table_trend_arrow(report_text_trend(summary->trend_success_rate)));
  if ((summary->flags & KAIZEN_SUMMARY_HAS_QUALITY) != 0)
    fprintf(call->out, ", quality %.2f %s", summary->avg_quality_score,
            table_trend_arrow(report_text_trend(summary->trend_quality_score)));
  putc('\n', call->out);
  if (call->event != RECORD_EVENT_OFF)
    fprintf(call->out, "event %s: %s\n", call->receipt.event_id, event_word(call->event));
}

static void print_event_note(const struct record_call *call) {
  if (call->event == RECORD_EVENT_PENDING)
    output_note("the event stays in the log and is sent later"); /* the plugin has already said
                                                                  * why */
  if (call->event == RECORD_EVENT_HELD)
    output_note("the event is held back until 'drain --resend-all' or 'drain --assume-sent', "
                "because the project was copied or restored");
  if (call->event == RECORD_EVENT_DEAD_LETTERED)
    output_note("the broker refused the event permanently; 'dead-letters list' says why");
  if ((call->receipt.flags & KAIZEN_RECEIPT_KEY_CONFLICT) != 0)
    output_warning(
        "the first record with this idempotency key differs from this one; the first is kept");
}

static int recorded_status(const struct record_call *call) {
  if (!options_given(call->host->arguments, "wait"))
    return EXIT_CODE_OK;
  return call->event == RECORD_EVENT_HELD            ? EXIT_CODE_UNDELIVERABLE
         : call->event == RECORD_EVENT_DEAD_LETTERED ? EXIT_CODE_UNDELIVERABLE
         : call->event == RECORD_EVENT_PENDING       ? EXIT_CODE_UNSENT
                                                     : EXIT_CODE_OK;
}

/* A reason that says what to do says it after a semicolon. */
static const char *advice_of(const struct record_call *call) {
  if (call->result > -64 || call->result < -95)
    return "";
  if (call->result != KAIZEN_E_IO)
    return "; try again";
  return strchr(call->receipt.reason, ';') ? ", then try again"
                                           : "; put that right, then try again";
}

int record_call_report(struct record_call *call, const struct record_request *request) {
  const char *name = call->result == KAIZEN_RECORDED
                         ? "RECORDED"
                         : call->session.plugin.table->code_name(call->result);

  name = name ? name : "UNKNOWN";
  if (output_is_json())
    print_json(call, request, name,
               call->receipt.reason[0] != '\0' ? call->receipt.reason : call->event_reason);
  else if (call->result >= 0)
    print_text(call, request);
  if (call->result >= 0) {
    print_event_note(call);
    return recorded_status(call);
  }
  output_error("not recorded: %s%s%s",
               call->receipt.reason[0] != '\0' ? call->receipt.reason : name,
               problem_exit_code(call->result) == EXIT_CODE_UNKNOWN
                   ? "; it may still be in the log: retry only with the same --idempotency-key"
                   : "",
               advice_of(call));
  return problem_exit_code(call->result);
}

int record_call_report_problem(struct record_call *call, const struct record_request *request,
                               const struct problem *problem) {
  output_error("not recorded: %s", problem->text);
  if (output_is_json())
    print_json(call, request, "NOT_RECORDED", problem->text);
  return problem->exit_code;
}

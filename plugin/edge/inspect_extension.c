/* inspect_extension.c - kaizen.inspect/1: reports made without recording and without writing.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/line_reader.h"
#include "base/os_limits.h"
#include "base/os_process.h"
#include "common/json_writer.h"
#include "common/timestamp.h"
#include "config/config_report.h"
#include "edge/call.h"
#include "edge/extension_tables.h"
#include "edge/layout.h"
#include "edge/out_struct.h"
#include "store/agent_log.h"
#include "store/agent_survey.h"

static int32_t inspect_summary(struct kaizen_instance *instance, const char *agent,
                               size_t agent_len, struct kaizen_summary *out) {
  const struct kaizen_summary nothing = {0};
  char name[AGENT_NAME_MAX + 1];
  struct agent_view_limits limits;
  struct agent_view view;
  struct summary summary;
  struct call call;
  int32_t code;
  int result;

  if (!out || out->struct_size < LAYOUT_1_0_SUMMARY)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "summary: the out-struct is NULL or too small");
  out_struct_write(out, &nothing, sizeof nothing);
  code = call_begin(&call, instance, "summary", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return code;
  result = call_take_agent(&call, agent, agent_len, name);
  limits = pipeline_patience(call.pipeline);
  if (result == 0) {
    result = agent_view_read(&call.pipeline->project, name, &limits, &view, &call.error);
    if (result < 0) {
      pipeline_note_failed(call.pipeline, name, &call.error);
      error_prefix(&call.error, "%s", name);
    }
  }
  if (result == 1)
    result = call_no_such_agent(&call, name);
  if (result == 0) {
    summary_of(&view.fold, (unsigned)call.pipeline->config.trend_window, &summary);
    out_struct_write_summary(out, &summary);
  }
  return call_end(&call, result);
}

#define SHORTEST_RECORD (sizeof "{\"agent\":\"\",\"success\":true}")

/* Where the last `max` records begin: the offsets of the newest `max` in a ring. */
static int find_recent(int fd, uint64_t end, uint64_t max, uint64_t *from, struct error *error) {
  uint64_t *ring = malloc((size_t)max * sizeof *ring), count = 0;
  struct line_reader reader;
  struct record record;
  struct line line;
  int result;

  if (!ring)
    return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  line_reader_init(&reader, fd, 0, end);
  while ((result = line_reader_next(&reader, &line, error)) == 1)
    if (!line.too_long && record_read(line.text, &record, NULL) == RECORD_OK)
      ring[count++ % max] = line.offset;
  line_reader_fini(&reader);
  *from = count <= max ? 0 : ring[count % max];
  free(ring);
  return result;
}

static int send_lines(int fd, uint64_t from, uint64_t end, kaizen_sink sink, void *ctx,
                      struct error *error) {
  struct line_reader reader;
  struct record record;
  struct line line;
  int result;

  line_reader_init(&reader, fd, from, end);
  while ((result = line_reader_next(&reader, &line, error)) == 1) {
    if (line.too_long || record_read(line.text, &record, NULL) != RECORD_OK)
      continue;
    if (sink(ctx, line.text.ptr, line.text.len + 1) != 0) {
      result = error_set(error, KAIZEN_E_ENDED, "the sink ended the output");
      break;
    }
  }
  line_reader_fini(&reader);
  return result;
}

static int read_recent(struct pipeline *pipeline, const char *name, uint64_t max, kaizen_sink sink,
                       void *ctx, struct error *error) {
  struct agent_view_limits limits = pipeline_patience(pipeline);
  struct agent_log log = {.fd = -1};
  uint64_t from = 0, size;
  int agent_fd = -1;
  int result = project_agent_folder(&pipeline->project, name, false, &agent_fd, error);

  if (result != 0)
    return result;
  result = agent_view_open_log(agent_fd, limits.lock_ns, &log, &size, error);
  if (result < 0)
    pipeline_note_failed(pipeline, name, error);
  if (result == 0 && max > 0 && max < size / SHORTEST_RECORD)
    result = find_recent(log.fd, size, max, &from, error);
  if (result == 0)
    result = send_lines(log.fd, from, size, sink, ctx, error);
  agent_log_close(&log);
  (void)close(agent_fd);
  return result;
}

static int32_t inspect_recent(struct kaizen_instance *instance, const char *agent, size_t agent_len,
                              uint64_t max, kaizen_sink sink, void *ctx) {
  char name[AGENT_NAME_MAX + 1];
  struct call call;
  int32_t code;
  int result;

  if (!sink)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "recent: sink is NULL");
  code = call_begin(&call, instance, "recent", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return code;
  result = call_take_agent(&call, agent, agent_len, name);
  if (result == 0)
    result = read_recent(call.pipeline, name, max, sink, ctx, &call.error);
  if (result == 1)
    result = call_no_such_agent(&call, name);
  return call_end(&call, result);
}

static void add_text(struct buffer *out, const char *name, const char *text) {
  buffer_append_text(out, name);
  json_writer_string(out, (struct span){text, strlen(text)});
}

static void add_count(struct buffer *out, const char *name, uint64_t value) {
  buffer_append_text(out, name);
  json_writer_integer(out, (int64_t)value);
}

static void add_double(struct buffer *out, const char *name, double value) {
  buffer_append_text(out, name);
  json_writer_double(out, value);
}

static void add_time(struct buffer *out, const char *name, int64_t seconds) {
  char text[TIMESTAMP_TEXT_SIZE];

  buffer_append_text(out, name);
  if (seconds < 0) {
    buffer_append_text(out, "null");
  } else {
    timestamp_format(seconds, text);
    json_writer_string(out, (struct span){text, strlen(text)});
  }
}

/* For the locks of all agents together: many may be held. */
#define REPORT_PATIENCE_MS 500
#define NS_PER_MS INT64_C(1000000)

struct part { /* what is said of one agent */
  char agent[AGENT_NAME_MAX + 1];
  size_t begin, len;
};

struct parts { /* in no order until they are joined */
  struct buffer text, list;
};

struct report {
  struct parts agents, unreadable;
  unsigned trend_window;
};

static void end_part(struct parts *parts, const char *agent, size_t begin) {
  struct part part = {.begin = begin, .len = parts->text.len - begin};

  (void)snprintf(part.agent, sizeof part.agent, "%s", agent);
  buffer_append(&parts->list, (const char *)&part, sizeof part);
}

static int compare_parts(const void *a, const void *b) {
  return strcmp(((const struct part *)a)->agent, ((const struct part *)b)->agent);
}

/* By name, with a comma between them. */
static void join_parts(struct buffer *out, struct parts *parts) {
  size_t count = parts->list.len / sizeof(struct part);
  struct part part;

  out->failed |= parts->text.failed || parts->list.failed;
  if (!out->failed && count > 0)
    qsort(parts->list.data, count, sizeof part, compare_parts);
  for (size_t i = 0; i < count && !out->failed; i++) {
    memcpy(&part, parts->list.data + i * sizeof part, sizeof part);
    buffer_append_text(out, i > 0 ? "," : "");
    buffer_append(out, parts->text.data + part.begin, part.len);
  }
  buffer_fini(&parts->text);
  buffer_fini(&parts->list);
}

/* "" for an agent: there may be some that are not even known by name. */
static void add_unreadable(void *ctx, const char *agent, const struct error *why) {
  struct parts *parts = &((struct report *)ctx)->unreadable;
  size_t begin = parts->text.len;

  add_text(&parts->text, "{\"agent\":", agent);
  add_text(&parts->text, ",\"why\":", why->text);
  buffer_append_text(&parts->text, "}");
  end_part(parts, agent, begin);
}

static void add_agent(void *ctx, const char *agent, const struct agent_view *view) {
  struct report *report = ctx;
  struct buffer *out = &report->agents.text;
  size_t begin = out->len;
  struct summary summary;
  struct error error = {0};

  if (view->impossible) {
    (void)error_set(&error, KAIZEN_E_IO, "%s: " AGENT_VIEW_IMPOSSIBLE, agent);
    add_unreadable(report, agent, &error);
  }
  add_text(out, "{\"agent\":", agent);
  summary_of(&view->fold, report->trend_window, &summary);
  add_count(out, ",\"execution_count\":", summary.execution_count);
  add_double(out, ",\"success_rate\":", summary.success_rate);
  add_double(out, ",\"avg_quality_score\":", summary.avg_quality_score);
  add_double(out, ",\"avg_execution_time_s\":", summary.avg_execution_time_s);
  add_time(out, ",\"last_execution\":", summary.last_execution_s);
  add_text(out, ",\"trend\":{\"success_rate\":", summary_trend_name(summary.trend_success_rate));
  add_text(out, ",\"quality_score\":", summary_trend_name(summary.trend_quality_score));
  add_count(out, "},\"marked\":", view->fold.marked);
  if (view->impossible) {
    buffer_append_text(out, ",\"acknowledged\":null,\"pending\":null,\"held\":null"
                            ",\"dead_lettered\":null,\"oldest_pending\":null");
  } else {
    add_count(out, ",\"acknowledged\":", view->acknowledged);
    add_count(out, ",\"pending\":", view->pending);
    add_count(out, ",\"held\":", view->held);
    add_count(out, ",\"dead_lettered\":", view->dead_lettered);
    add_time(out, ",\"oldest_pending\":", view->oldest_pending_s);
  }
  add_count(out, ",\"skipped_lines\":", view->fold.skipped_lines);
  buffer_append_text(out, "}");
  end_part(&report->agents, agent, begin);
}

static const char *publisher_state_name(int32_t state) {
  static const char *const names[] = {
      [KAIZEN_PUBLISHER_OFF] = "off",
      [KAIZEN_PUBLISHER_ELSEWHERE] = "elsewhere",
      [KAIZEN_PUBLISHER_CONNECTING] = "connecting",
      [KAIZEN_PUBLISHER_CONNECTED] = "connected",
  };

  return names[state];
}

/* What this system does not allow the plugin to do. */
static void add_limits(struct buffer *out, const struct project *project) {
  struct os_limit limits[OS_LIMITS_MAX];
  size_t count = os_limits_find(project->root_fd, limits);

  buffer_append_text(out, ",\"limits\":[");
  for (size_t i = 0; i < count; i++) {
    add_text(out, i > 0 ? ",{\"call\":" : "{\"call\":", limits[i].call);
    add_text(out, ",\"reason\":", strerrordesc_np(limits[i].os_error));
    add_text(out, ",\"effect\":", limits[i].effect);
    buffer_append_text(out, "}");
  }
  buffer_append_text(out, "]");
}

static void make_delivery(struct pipeline *pipeline, struct buffer *out) {
  struct report report = {.trend_window = (unsigned)pipeline->config.trend_window};
  const struct agent_survey survey = {
      .project = &pipeline->project,
      .memory = &pipeline->memory,
      .lock_ns = clock_monotonic_ns() + REPORT_PATIENCE_MS * NS_PER_MS,
      .begin_ns = INT64_MAX,
      .read_ns = INT64_MAX,
      .ctx = &report,
      .known = add_agent,
      .unknown = add_unreadable,
  };
  struct publisher_status status;
  struct error error = {0};
  bool complete;

  pipeline_publisher_status(pipeline, &status);
  if (status.holder_pid == 0)
    status.holder_pid = pipeline_publisher_holder(pipeline);
  add_text(out, "{\"project\":", pipeline->config.project);
  add_text(out, ",\"project_root\":", pipeline->project.root);
  buffer_append_text(out, pipeline->config.emit_event ? ",\"emit_event\":true"
                                                      : ",\"emit_event\":false");
  add_text(out, ",\"publisher\":{\"state\":", publisher_state_name(status.state));
  add_text(out, ",\"reason\":", status.reason);
  add_count(out, ",\"holder_pid\":", (uint64_t)status.holder_pid);
  buffer_append_text(out, status.hopeless ? ",\"hopeless\":true" : ",\"hopeless\":false");
  add_count(out, ",\"duplicates\":", status.duplicates);
  add_count(out, ",\"duplicates_gone\":", status.duplicates_gone);
  buffer_append_text(out, status.holder_pid > 0 && os_process_is_stopped(status.holder_pid)
                              ? ",\"holder_stopped\":true"
                              : ",\"holder_stopped\":false");
  buffer_append_text(out, "}");
  add_limits(out, &pipeline->project);
  buffer_append_text(out, ",\"agents\":[");
  if (agent_survey_run(&survey, &error) != 0)
    add_unreadable(&report, "", &error);
  complete = report.unreadable.list.len == 0;
  join_parts(out, &report.agents);
  buffer_append_text(out, complete ? "],\"complete\":true,\"unreadable\":["
                                   : "],\"complete\":false,\"unreadable\":[");
  join_parts(out, &report.unreadable);
  buffer_append_text(out, "]}");
}

static int32_t inspect_delivery(struct kaizen_instance *instance, kaizen_sink sink, void *ctx) {
  struct buffer out = {0};
  struct call call;
  int32_t code;

  if (!sink)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "delivery: sink is NULL");
  code = call_begin(&call, instance, "delivery", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return code;
  make_delivery(call.pipeline, &out);
  return call_end(&call, call_send_report(&call, &out, sink, ctx));
}

static int32_t inspect_config(struct kaizen_instance *instance, kaizen_sink sink, void *ctx) {
  struct buffer out = {0};
  struct call call;
  int32_t code;

  if (!sink)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "config: sink is NULL");
  code = call_begin(&call, instance, "config", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return code;
  config_report(&call.pipeline->config, &call.pipeline->origins, &out);
  return call_end(&call, call_send_report(&call, &out, sink, ctx));
}

const struct kaizen_inspect_1 inspect_extension = {
    .summary = inspect_summary,
    .recent = inspect_recent,
    .delivery = inspect_delivery,
    .config = inspect_config,
};

/* verify.c - an agent's log against everything derived from it, and its repair.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "agent.h"
#include "agent_view.h"
#include "base/clock.h"
#include "base/directory.h"
#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/timestamp.h"
#include "rewrite.h"
#include "summary.h"

#define SUMMARY_READ_MAX 65536
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/* ---- recount
 * ------------------------------------------------------------------------------------ */

struct recount {
  struct fold fold;
  struct buffer bad_lines; /* JSON objects, comma between them */
  uint64_t bad_line_count, line_number;
  bool torn_tail;
};

static void note_bad_line(struct recount *recount, const struct line *line, const char *why) {
  if (recount->bad_line_count++ >= VERIFY_BAD_LINES_MAX)
    return;
  buffer_append_text(&recount->bad_lines,
                     recount->bad_line_count == 1 ? "{\"line\":" : ",{\"line\":");
  json_writer_integer(&recount->bad_lines, (int64_t)recount->line_number);
  buffer_append_text(&recount->bad_lines, ",\"offset\":");
  json_writer_integer(&recount->bad_lines, (int64_t)line->offset);
  buffer_append_text(&recount->bad_lines, ",\"reason\":");
  json_writer_string(&recount->bad_lines, (struct span){why, strlen(why)});
  buffer_append_text(&recount->bad_lines, "}");
}

static int recount_log(struct recount *recount, int log_fd, uint64_t size, struct error *error) {
  struct line_reader reader;
  struct record record;
  struct line line;
  const char *why;
  int result;

  fold_init(&recount->fold);
  line_reader_init(&reader, log_fd, 0, size);
  while ((result = line_reader_next(&reader, &line, error)) == 1) {
    enum record_kind kind = RECORD_GARBAGE;

    recount->line_number++;
    why = "longer than any record";
    if (!line.too_long)
      kind = record_read(line.text, &record, &why);
    if (kind == RECORD_OK)
      fold_add(&recount->fold, &record, line.end);
    if (kind != RECORD_GARBAGE)
      continue;
    fold_skip(&recount->fold);
    note_bad_line(recount, &line, why);
  }
  recount->torn_tail = reader.offset < size;
  line_reader_fini(&reader);
  return result;
}

/* ---- what is derived
 * ---------------------------------------------------------------------------- */

static bool number_is(const struct json_member *member, double expected) {
  return member->value.type == JSON_NUMBER && json_number(member->value) == expected;
}

static bool text_is(struct json_value value, const char *expected) {
  return value.type == JSON_STRING && value.raw.len == strlen(expected) + 2 &&
         memcmp(value.raw.ptr + 1, expected, value.raw.len - 2) == 0;
}

static bool trend_is(struct json_value value, const struct summary *summary) {
  struct json_cursor cursor;
  struct json_member member;
  unsigned right = 0;

  if (json_cursor_open(&cursor, value.raw, JSON_LENIENT, JSON_DEPTH_MAX, NULL) != 0)
    return false;
  while (json_cursor_next(&cursor, &member, NULL) == 1)
    right += (json_name_is(&member, "success_rate") &&
              text_is(member.value, summary_trend_name(summary->trend_success_rate))) ||
             (json_name_is(&member, "quality_score") &&
              text_is(member.value, summary_trend_name(summary->trend_quality_score)));
  return right == 2;
}

static bool last_execution_is(struct json_value value, const struct summary *summary) {
  char timestamp[TIMESTAMP_TEXT_SIZE];

  if (summary->last_execution_s < 0)
    return value.type == JSON_NULL;
  timestamp_format(summary->last_execution_s, timestamp);
  return text_is(value, timestamp);
}

/* By value, so that a summary another program wrote in its own layout passes. */
static const char *compare_summary(struct span text, const struct summary *summary) {
  struct json_cursor cursor;
  struct json_member member;
  unsigned seen = 0;

  if (json_cursor_open(&cursor, text, JSON_LENIENT, JSON_DEPTH_MAX, NULL) != 0)
    return "is no JSON object";
  while (json_cursor_next(&cursor, &member, NULL) == 1) {
    seen++;
    if (json_name_is(&member, "execution_count") &&
        !number_is(&member, (double)summary->execution_count))
      return "execution_count differs";
    if (json_name_is(&member, "success_rate") && !number_is(&member, summary->success_rate))
      return "success_rate differs";
    if (json_name_is(&member, "avg_quality_score") &&
        !number_is(&member, summary->avg_quality_score))
      return "avg_quality_score differs";
    if (json_name_is(&member, "avg_execution_time_s") &&
        !number_is(&member, summary->avg_execution_time_s))
      return "avg_execution_time_s differs";
    if (json_name_is(&member, "trend") && !trend_is(member.value, summary))
      return "trend differs";
    if (json_name_is(&member, "last_execution") && !last_execution_is(member.value, summary))
      return "last_execution differs";
  }
  return seen >= 6 ? "ok" : "lacks members";
}

static const char *judge_summary(int agent_fd, const struct summary *summary) {
  char text[SUMMARY_READ_MAX];
  size_t got;
  int fd;
  int result = directory_open_file(agent_fd, "summary.json", O_RDONLY, &fd, NULL);

  if (result != 0)
    return result == 1 ? "missing" : "cannot be opened";
  result = directory_read_at(fd, text, sizeof text, 0, &got, NULL);
  (void)close(fd);
  return result != 0 ? "cannot be read" : compare_summary((struct span){text, got}, summary);
}

static bool same_fold(const struct fold *a, const struct fold *b) {
  return a->execution_count == b->execution_count && a->successes == b->successes &&
         a->quality_count == b->quality_count && a->time_count == b->time_count &&
         !(fabs(a->quality_sum - b->quality_sum) > 0) && !(fabs(a->time_sum - b->time_sum) > 0) &&
         a->last_execution_s == b->last_execution_s && a->marked == b->marked &&
         a->skipped_lines == b->skipped_lines;
}

static const char *judge_checkpoint(const struct project *project, int agent_fd,
                                    const struct fold *recounted, const struct fold *continued) {
  struct log_anchor anchor;
  struct fold fold;

  if (checkpoint_peek(agent_fd, project->boot_id, &anchor, &fold, NULL) != 0)
    return "missing";
  return same_fold(recounted, continued) ? "ok" : "disagrees with the log";
}

static const char *judge_state(const struct agent_view *view) {
  if (!view->has_state)
    return "missing";
  return view->state.lost_by_rewrite > 0
             ? "marked lines were taken out of the log before they were acknowledged"
             : "ok";
}

/* ---- report
 * ------------------------------------------------------------------------------------- */

static void add_verdict(struct buffer *out, const char *name, const char *verdict) {
  buffer_append_text(out, name);
  json_writer_string(out, (struct span){verdict, strlen(verdict)});
}

static bool is_fine(const char *verdict) {
  return strcmp(verdict, "ok") == 0 || strcmp(verdict, "missing") == 0;
}

static void write_report(const char *agent, const struct recount *recount, const char *summary,
                         const char *checkpoint, const char *state, struct buffer *out) {
  bool consistent = recount->bad_line_count == 0 && !recount->torn_tail &&
                    strcmp(summary, "ok") == 0 && is_fine(checkpoint) && is_fine(state);

  add_verdict(out, "{\"agent\":", agent);
  buffer_append_text(out, consistent ? ",\"consistent\":true,\"records\":"
                                     : ",\"consistent\":false,\"records\":");
  json_writer_integer(out, (int64_t)recount->fold.execution_count);
  buffer_append_text(out, ",\"bad_lines\":[");
  if (recount->bad_lines.len > 0)
    buffer_append(out, recount->bad_lines.data, recount->bad_lines.len);
  buffer_append_text(out, "],\"bad_line_count\":");
  json_writer_integer(out, (int64_t)recount->bad_line_count);
  buffer_append_text(out, recount->torn_tail ? ",\"torn_tail\":true" : ",\"torn_tail\":false");
  add_verdict(out, ",\"summary\":", summary);
  add_verdict(out, ",\"checkpoint\":", checkpoint);
  add_verdict(out, ",\"state\":", state);
  buffer_append_text(out, "}");
}

int verify_agent(const struct project *project, const char *agent, unsigned trend_window,
                 struct buffer *report, struct error *error) {
  struct agent_log log = {.fd = -1};
  struct recount recount = {0};
  struct agent_view view;
  struct summary summary;
  struct stat status;
  int agent_fd = -1;
  int result = agent_view_read(project, agent, &view, error);

  if (result != 0)
    return result;
  result = project_agent_folder(project, agent, false, &agent_fd, error);
  if (result != 0)
    return result;
  result = agent_log_open(&log, agent_fd, false, error);
  if (result == 0 && fstat(log.fd, &status) != 0)
    result = error_set_errno(error, KAIZEN_E_IO, errno, AGENT_LOG_FILE);
  if (result == 0) {
    /* a last line that is being written is no damage: what was committed decides */
    uint64_t size = (uint64_t)status.st_size;

    result =
        recount_log(&recount, log.fd, size > view.committed_end ? size : view.committed_end, error);
  }
  if (result == 0) {
    summary_of(&recount.fold, trend_window, &summary);
    write_report(agent, &recount, judge_summary(agent_fd, &summary),
                 judge_checkpoint(project, agent_fd, &recount.fold, &view.fold), judge_state(&view),
                 report);
    if (report->failed || recount.bad_lines.failed)
      result = error_set(error, KAIZEN_E_NOMEM, "out of memory");
  }
  buffer_fini(&recount.bad_lines);
  agent_log_close(&log);
  (void)close(agent_fd);
  return result;
}

/* ---- repair
 * ------------------------------------------------------------------------------------- */

struct repair {
  struct agent agent;
  int salvage_fd;
  uint64_t salvaged;
};

/* The bytes go to the salvage file before the log loses them. */
static int leave_out_bad_line(void *ctx, const struct line *line, const struct record *record,
                              struct error *error) {
  struct repair *repair = ctx;
  char bytes[4096];
  uint64_t at;

  if (record ||
      (!line->too_long && record_read(line->text, &(struct record){0}, NULL) == RECORD_BLANK))
    return 0;
  for (at = line->offset; at < line->end;) {
    size_t len = line->end - at < sizeof bytes ? (size_t)(line->end - at) : sizeof bytes, got;

    if (directory_read_at(repair->agent.log.fd, bytes, len, at, &got, error) != 0 || got == 0)
      return -1;
    if (directory_write_at(repair->salvage_fd, bytes, got, repair->salvaged, error) != 0)
      return -1;
    repair->salvaged += got;
    at += got;
  }
  return 1;
}

static int open_salvage(struct repair *repair, char name[64], struct error *error) {
  char timestamp[TIMESTAMP_TEXT_SIZE];
  int fd, result, tries;

  timestamp_format(clock_wall_ns() / NS_PER_S, timestamp);
  for (tries = 0; tries < 100; tries++) {
    (void)snprintf(name, 64, ".salvage-%s-%d.jsonl", timestamp, tries);
    result = directory_open_file(repair->agent.fd, name, O_RDONLY, &fd, NULL);
    if (result == 1)
      return directory_open_file(repair->agent.fd, name, O_WRONLY | O_CREAT | O_EXCL,
                                 &repair->salvage_fd, error);
    if (result == 0)
      (void)close(fd);
  }
  return error_set(error, KAIZEN_E_IO, "%s: a hundred salvage files of this second are there",
                   name);
}

/* Lock held. */
static int take_out_bad_lines(struct repair *repair, bool sync, char saved_to[64],
                              struct error *error) {
  struct agent *agent = &repair->agent;
  struct rewrite rewrite = {
      .agent = agent, .sync = sync, .leave_out = leave_out_bad_line, .ctx = repair};
  bool damaged;
  int result = agent_state_load(agent->fd, &rewrite.state, &damaged, error);

  if (result < 0)
    return -1;
  rewrite.has_state = result == 0;
  if (!rewrite.has_state)
    memset(&rewrite.state, 0, sizeof rewrite.state);
  if (open_salvage(repair, saved_to, error) != 0)
    return -1;
  result = rewrite_begin(&rewrite, error);
  if (result == 0)
    result = rewrite_copy(&rewrite, 0, agent->anchor.end, error);
  if (result == 0 && (fsync(repair->salvage_fd) != 0 || fsync(agent->fd) != 0))
    result = error_set_errno(error, KAIZEN_E_IO, errno, "%s: cannot sync", saved_to);
  if (result == 0)
    result = rewrite_finish(&rewrite, error);
  rewrite_end(&rewrite);
  (void)close(repair->salvage_fd);
  return result;
}

static int replace_summary(struct agent *agent, unsigned trend_window, struct error *error) {
  struct buffer text = {0};
  struct summary summary;
  int result;

  summary_of(&agent->fold, trend_window, &summary);
  summary_append_json(&summary, &text);
  result = text.failed ? error_set(error, KAIZEN_E_NOMEM, "out of memory")
                       : summary_replace(agent->fd, buffer_span(&text), error);
  buffer_fini(&text);
  return result;
}

static int acquire(struct agent *agent, int64_t lock_timeout_ms, struct error *error) {
  int result = agent_acquire(agent, clock_monotonic_ns() + lock_timeout_ms * NS_PER_MS, error);

  return result == 1 ? error_set(error, KAIZEN_E_BUSY, "the agent's lock was not free") : result;
}

int verify_repair(const struct project *project, const char *agent, unsigned trend_window,
                  int64_t lock_timeout_ms, bool sync, char saved_to[64], struct error *error) {
  struct repair repair = {.salvage_fd = -1};
  int result;

  saved_to[0] = '\0';
  agent_init(&repair.agent, project, agent);
  /* a checkpoint that is wrong in a way no checksum sees goes too: it is derived */
  result = acquire(&repair.agent, lock_timeout_ms, error);
  if (result == 0) {
    if (repair.agent.fold.skipped_lines > 0)
      result = take_out_bad_lines(&repair, sync, saved_to, error);
    if (result == 0)
      (void)unlinkat(repair.agent.fd, CHECKPOINT_FILE, 0);
    agent_release(&repair.agent);
  }
  agent_close(&repair.agent);
  if (result == 0)
    result = acquire(&repair.agent, lock_timeout_ms, error);
  if (result == 0) {
    result = replace_summary(&repair.agent, trend_window, error);
    agent_store_checkpoint(&repair.agent, true);
    agent_release(&repair.agent);
  }
  agent_close(&repair.agent);
  return result;
}

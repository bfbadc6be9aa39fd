/* verify.c - compares an agent's log with everything derived from it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/directory.h"
#include "base/line_reader.h"
#include "base/uuid.h"
#include "common/json_writer.h"
#include "record/record.h"
#include "store/agent_lock.h"
#include "store/agent_log.h"
#include "store/agent_state.h"
#include "store/checkpoint.h"
#include "store/project_identity.h"
#include "store/summary.h"

#define SUMMARY_READ_MAX 16384
#define TROUBLE_MAX (ERROR_TEXT_MAX + 32)
#define OTHER_TREE "of another tree: this one was copied or restored, its events are held back"
#define STATE_MISSING "missing: it is unknown what was sent, its events are held back"
#define STATE_DAMAGED "damaged: it is unknown what was sent, its events are held back"

/* ---- recount --------------------------------------------------------------------------------- */

struct recount {
  struct fold fold;
  struct buffer bad_lines; /* JSON objects, comma between them */
  uint64_t bad_line_count, line_number;
  bool torn_tail;
  bool checkpoint_met, checkpoint_right; /* its anchor was found; its fold was right there */
  struct cursor_search search;           /* for the cursor's line, where there is a state */
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

/* What the agent's folder held at a moment when nobody was writing.  The log is read afterwards, so
 * that nobody waits. */
struct evidence {
  struct agent_log log;
  uint64_t size;
  /* 0 read, 1 there is none, -1 it cannot be read */
  int checkpoint_found, state_found;
  bool state_damaged; /* there is one, and yet none was found */
  char checkpoint_trouble[TROUBLE_MAX], state_trouble[TROUBLE_MAX];
  struct log_anchor anchor;
  struct fold fold; /* the checkpoint's */
  struct agent_state state;
  char summary_trouble[TROUBLE_MAX]; /* "": its text is there */
  char summary[SUMMARY_READ_MAX];
  size_t summary_len;
};

static bool same_fold(const struct fold *a, const struct fold *b) {
  return a->execution_count == b->execution_count && a->successes == b->successes &&
         a->quality_count == b->quality_count && a->time_count == b->time_count &&
         !(fabs(a->quality_sum - b->quality_sum) > 0) && !(fabs(a->time_sum - b->time_sum) > 0) &&
         a->last_execution_s == b->last_execution_s && a->oldest_s == b->oldest_s &&
         a->marked == b->marked && a->skipped_lines == b->skipped_lines;
}

/* At the line where the checkpoint's fold ends. */
static void compare_checkpoint(struct recount *recount, const struct evidence *evidence,
                               uint64_t end) {
  if (evidence->checkpoint_found != 0 || end != evidence->anchor.end)
    return;
  recount->checkpoint_met = true;
  recount->checkpoint_right = same_fold(&recount->fold, &evidence->fold);
}

/* Finds up to where the events of the log are done. */
static void follow_cursor(struct recount *recount, const struct evidence *evidence,
                          const struct record *record, uint64_t end) {
  unsigned char id[16];

  if (evidence->state_found != 0 || !record->marked)
    return;
  uuid_pack(record->event_id, id);
  cursor_search_line(&recount->search, id, end, record->timestamp_s);
}

static int recount_log(struct recount *recount, const struct evidence *evidence,
                       struct error *error) {
  struct line_reader reader;
  struct record record;
  struct line line;
  const char *why;
  int result;

  fold_init(&recount->fold);
  compare_checkpoint(recount, evidence, 0);
  cursor_search_begin(&recount->search, &evidence->state.cursor,
                      agent_state_acknowledged_s(&evidence->state));
  line_reader_init(&reader, evidence->log.fd, 0, evidence->size);
  while ((result = line_reader_next(&reader, &line, error)) == 1) {
    enum record_kind kind = RECORD_GARBAGE;

    recount->line_number++;
    why = "longer than any record";
    if (!line.too_long)
      kind = record_read(line.text, &record, &why);
    if (kind == RECORD_OK) {
      fold_add(&recount->fold, &record, line.end);
      follow_cursor(recount, evidence, &record, line.end);
    }
    if (kind == RECORD_GARBAGE) {
      fold_skip(&recount->fold);
      note_bad_line(recount, &line, why);
    }
    compare_checkpoint(recount, evidence, line.end);
  }
  recount->torn_tail = reader.offset < evidence->size;
  line_reader_fini(&reader);
  return result;
}

static const char *judge_summary(const struct evidence *evidence, const struct summary *summary) {
  return evidence->summary_trouble[0] != '\0'
             ? evidence->summary_trouble
             : summary_compare((struct span){evidence->summary, evidence->summary_len}, summary);
}

static const char *judge_checkpoint(const struct evidence *evidence,
                                    const struct recount *recount) {
  if (evidence->checkpoint_found != 0)
    return evidence->checkpoint_found < 0 ? evidence->checkpoint_trouble : "missing";
  if (!recount->checkpoint_met)
    return "is of another log";
  return recount->checkpoint_right ? "ok" : "disagrees with the log";
}

/* The next process that writes here holds back what is in the log. */
static const char *judge_no_state(const struct evidence *evidence, const struct recount *recount) {
  if (recount->fold.marked == 0)
    return "missing";
  return evidence->state_damaged ? STATE_DAMAGED : STATE_MISSING;
}

/* In a rewritten log the publisher finds its place again, as long as the log shows what was sent.
 * In one that was not rewritten, the cursor's line is where it was, after as many events as the
 * cursor counts. */
static const char *judge_cursor(const struct recount *recount) {
  switch (cursor_search_judge(&recount->search)) {
  case CURSOR_RIGHT:
    return "ok";
  case CURSOR_CONTRADICTS_ITSELF:
    return "contradicts itself";
  case CURSOR_OF_ANOTHER_LOG:
    return "is of another log: this one was rewritten and does not show what was sent; its events "
           "will be held back";
  case CURSOR_MISCOUNTS:
    return "counts different events up to its cursor than the log has";
  case CURSOR_HOLDS_OTHERS:
    break;
  }
  return "holds back other events than the log has there";
}

static const char *judge_state(const struct evidence *evidence, const struct recount *recount,
                               const struct project *project) {
  const char *verdict;
  unsigned char id[PROJECT_ID_SIZE];
  int result;

  if (evidence->state_found != 0)
    return evidence->state_found < 0 ? evidence->state_trouble : judge_no_state(evidence, recount);
  result = project_identity_look(project, id, NULL);
  if (result < 0)
    return "cannot be checked: the project's .id cannot be read";
  if (result == 1 || memcmp(evidence->state.project_id, id, sizeof id) != 0)
    return OTHER_TREE;
  verdict = judge_cursor(recount);
  if (strcmp(verdict, "ok") != 0)
    return verdict;
  return evidence->state.lost_by_rewrite > 0
             ? "marked lines were removed from the log before they were acknowledged"
             : "ok";
}

/* ---- report ---------------------------------------------------------------------------------- */

static void add_verdict(struct buffer *out, const char *name, const char *verdict) {
  buffer_append_text(out, name);
  json_writer_string(out, (struct span){verdict, strlen(verdict)});
}

static bool is_fine(const char *verdict) {
  return strcmp(verdict, "ok") == 0 || strcmp(verdict, "missing") == 0 ||
         strcmp(verdict, STATE_MISSING) == 0 || strcmp(verdict, STATE_DAMAGED) == 0 ||
         strcmp(verdict, OTHER_TREE) == 0;
}

/* An agent whose first record failed has a log without records, and no summary of them. */
static bool is_fine_summary(const char *verdict, const struct recount *recount) {
  return strcmp(verdict, "ok") == 0 ||
         (strcmp(verdict, "missing") == 0 && recount->fold.execution_count == 0);
}

static void write_report(const char *agent, const struct recount *recount, const char *summary,
                         const char *checkpoint, const char *state, struct buffer *out) {
  bool consistent = recount->bad_line_count == 0 && !recount->torn_tail &&
                    is_fine_summary(summary, recount) && is_fine(checkpoint) && is_fine(state);

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

static void say_unreadable(char trouble[TROUBLE_MAX], const struct error *why) {
  (void)snprintf(trouble, TROUBLE_MAX, "cannot be read: %s", why->text);
}

static void read_summary(struct evidence *evidence, int agent_fd) {
  struct error why = {0};
  int fd;
  int result = directory_open_file(agent_fd, SUMMARY_FILE, O_RDONLY, &fd, &why);

  if (result == 1)
    (void)snprintf(evidence->summary_trouble, TROUBLE_MAX, "missing");
  if (result == 0) {
    result = directory_read_at(fd, evidence->summary, sizeof evidence->summary, 0,
                               &evidence->summary_len, &why);
    (void)close(fd);
  }
  if (result < 0)
    say_unreadable(evidence->summary_trouble, &why);
}

static void read_checkpoint(struct evidence *evidence, const struct project *project,
                            int agent_fd) {
  struct error why = {0};

  evidence->checkpoint_found =
      checkpoint_peek(agent_fd, project, &evidence->anchor, &evidence->fold, &why);
  if (evidence->checkpoint_found < 0)
    say_unreadable(evidence->checkpoint_trouble, &why);
}

static void read_state(struct evidence *evidence, int agent_fd) {
  struct error why = {0};

  evidence->state_found =
      agent_state_load(agent_fd, &evidence->state, &evidence->state_damaged, &why);
  if (evidence->state_found < 0)
    say_unreadable(evidence->state_trouble, &why);
}

/* 1: there is no log. */
static int gather(struct evidence *evidence, const struct project *project, int agent_fd,
                  int64_t lock_ns, struct error *error) {
  struct agent_lock lock;
  struct stat status;
  int result = agent_lock_read(&lock, agent_fd, lock_ns, error);

  if (result != 0)
    return result;
  result = agent_log_open(&evidence->log, agent_fd, false, error);
  if (result == 0 && fstat(evidence->log.fd, &status) != 0)
    result = error_set_errno(error, KAIZEN_E_IO, errno, AGENT_LOG_FILE);
  if (result == 0) {
    evidence->size = (uint64_t)status.st_size;
    read_checkpoint(evidence, project, agent_fd);
    read_state(evidence, agent_fd);
    read_summary(evidence, agent_fd);
  }
  agent_lock_release(&lock);
  agent_lock_close(&lock);
  return result;
}

static int judge(const struct evidence *evidence, const struct project *project, const char *agent,
                 unsigned trend_window, struct buffer *report, struct error *error) {
  struct recount recount = {0};
  struct summary summary;
  int result = recount_log(&recount, evidence, error);

  if (result == 0) {
    summary_of(&recount.fold, trend_window, &summary);
    write_report(agent, &recount, judge_summary(evidence, &summary),
                 judge_checkpoint(evidence, &recount), judge_state(evidence, &recount, project),
                 report);
    if (report->failed || recount.bad_lines.failed)
      result = error_set(error, KAIZEN_E_NOMEM, "out of memory");
  }
  buffer_fini(&recount.bad_lines);
  return result;
}

int verify_agent(const struct project *project, const char *agent, unsigned trend_window,
                 int64_t lock_ns, struct buffer *report, struct error *error) {
  struct evidence *evidence = calloc(1, sizeof *evidence);
  int agent_fd = -1, result;

  if (!evidence)
    return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  evidence->log.fd = -1;
  result = project_agent_folder(project, agent, false, &agent_fd, error);
  if (result == 0)
    result = gather(evidence, project, agent_fd, lock_ns, error);
  if (result == 0)
    result = judge(evidence, project, agent, trend_window, report, error);
  agent_log_close(&evidence->log);
  if (agent_fd >= 0)
    (void)close(agent_fd);
  free(evidence);
  return result;
}

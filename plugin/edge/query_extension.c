/* query_extension.c - kaizen.query/1: an agent's records by time, by number, or since the last
 * look.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/hash.h"
#include "base/line_reader.h"
#include "edge/call.h"
#include "edge/extension_tables.h"
#include "edge/layout.h"
#include "edge/out_struct.h"
#include "store/agent_log.h"
#include "store/agent_view.h"
#include "store/summary.h"

#define KNOWN_FLAGS (KAIZEN_QUERY_SINCE | KAIZEN_QUERY_UNTIL | KAIZEN_QUERY_AFTER)
#define NS_PER_S INT64_C(1000000000)
#define FIRST_WINDOW (UINT64_C(64) << 10)

/* One query, from the snapshot of its log to the counts it answers. */
struct reading {
  const struct kaizen_query *query;
  int64_t since_s, until_s; /* timestamps t with since_s <= t < until_s match */
  bool ranged;
  struct agent_log log;
  uint64_t size;            /* of the log at the moment of the snapshot */
  struct log_anchor anchor; /* the last line read */
  struct kaizen_query_result result;
};

/* ---- the log as it stood at one moment ------------------------------------------------------- */

/* 1: there is no log. */
static int take_snapshot(struct reading *reading, struct pipeline *pipeline, const char *agent,
                         struct error *error) {
  struct agent_view_limits limits = pipeline_patience(pipeline);
  int agent_fd = -1,
      result = project_agent_folder(&pipeline->project, agent, false, &agent_fd, error);

  if (result != 0)
    return result;
  result = agent_view_open_log(agent_fd, limits.lock_ns, &reading->log, &reading->size, error);
  (void)close(agent_fd);
  if (result < 0) {
    pipeline_note_failed(pipeline, agent, error);
    error_prefix(error, "%s", agent);
  }
  return result;
}

/* ---- where to begin -------------------------------------------------------------------------- */

_Static_assert(sizeof(struct log_anchor) <= sizeof(struct kaizen_query_place), "a place holds one");

/* *from after the place that the caller gives back, or 0 when it is no longer there: the bytes of
 * its line are compared, so a place that no query returned is not found. */
static int find_place(struct reading *reading, uint64_t *from, struct error *error) {
  static const struct kaizen_query_place beginning;
  const struct kaizen_query_place *after = &reading->query->after;
  struct log_anchor anchor;
  int result = 1;

  *from = 0;
  if (!(reading->query->flags & KAIZEN_QUERY_AFTER) ||
      memcmp(after, &beginning, sizeof beginning) == 0)
    return 0;
  memcpy(&anchor, after, sizeof anchor);
  if (anchor.offset < anchor.end && anchor.end <= reading->size)
    result = agent_log_check_anchor(&reading->log, &anchor, error);
  if (result == 0) {
    *from = anchor.end;
    reading->anchor = anchor;
  }
  if (result == 1)
    reading->result.flags |= KAIZEN_QUERY_RESTARTED;
  return result < 0 ? -1 : 0;
}

static bool fits(struct reading *reading, const struct record *record) {
  if (!reading->ranged)
    return true;
  if (record->timestamp_s < 0) {
    reading->result.undated++;
    return false;
  }
  return record->timestamp_s >= reading->since_s && record->timestamp_s < reading->until_s;
}

/* Reads all lines from `from` on.  Of the records that match, the first `skip` are left out.  The
 * sink gets the others; when it is NULL they are only counted. */
static int read_from(struct reading *reading, uint64_t from, uint64_t skip, kaizen_sink sink,
                     void *ctx, struct error *error) {
  struct kaizen_query_result *counts = &reading->result;
  struct line_reader reader;
  struct record record;
  struct line line;
  int result;

  counts->records = counts->undated = counts->skipped_lines = 0;
  line_reader_init(&reader, reading->log.fd, from, reading->size);
  while ((result = line_reader_next(&reader, &line, error)) == 1) {
    enum record_kind kind = line.too_long ? RECORD_GARBAGE : record_read(line.text, &record, NULL);

    reading->anchor.offset = line.offset;
    reading->anchor.end = line.end;
    if (kind == RECORD_GARBAGE)
      counts->skipped_lines++;
    if (kind != RECORD_OK || !fits(reading, &record))
      continue;
    if (skip > 0) {
      skip--;
      continue;
    }
    if (sink && sink(ctx, line.text.ptr, line.text.len + 1) != 0) {
      result = error_set(error, KAIZEN_E_ENDED, "the sink ended the output");
      break;
    }
    counts->records++;
  }
  line_reader_fini(&reader);
  return result;
}

/* The first line that begins at or after `offset`, or the end of the log. */
static int find_line(const struct reading *reading, uint64_t offset, uint64_t *begin,
                     struct error *error) {
  struct line_reader reader;
  struct line line;
  int result;

  *begin = reading->size;
  line_reader_init(&reader, reading->log.fd, offset - 1, reading->size);
  result = line_reader_next(&reader, &line, error); /* the rest of the line before */
  if (result == 1)
    *begin = line.end;
  line_reader_fini(&reader);
  return result < 0 ? -1 : 0;
}

/* Where to begin so that the newest `last` records that match all follow, and how many to skip
 * there: counted in a window at the log's end that grows until it holds enough. */
static int find_last(struct reading *reading, uint64_t *from, uint64_t *skip, struct error *error) {
  uint64_t first = *from, last = reading->query->last, window = FIRST_WINDOW;

  for (;; window *= 4) {
    bool whole = reading->size - first <= window;

    if (whole)
      *from = first;
    else if (find_line(reading, reading->size - window, from, error) != 0)
      return -1;
    if (read_from(reading, *from, 0, NULL, NULL, error) != 0)
      return -1;
    if (whole || reading->result.records >= last)
      break;
  }
  *skip = reading->result.records > last ? reading->result.records - last : 0;
  return 0;
}

/* ---- what the caller is told ----------------------------------------------------------------- */

/* The place after the last line read, with what is needed to find it again. */
static int keep_place(struct reading *reading, struct error *error) {
  struct log_anchor *anchor = &reading->anchor;
  char bytes[ANCHOR_BYTES];
  uint64_t line_len = anchor->end - anchor->offset;
  size_t len = line_len < sizeof bytes ? (size_t)line_len : sizeof bytes, got;

  if (anchor->end == 0)
    return 0;
  if (directory_read_at(reading->log.fd, bytes, len, anchor->end - len, &got, error) != 0)
    return -1;
  anchor->inode = reading->log.inode;
  anchor->hash = hash_bytes(bytes, len, line_len);
  memcpy(&reading->result.place, anchor, sizeof *anchor);
  return 0;
}

/* The first whole second at or after `ns`. */
static int64_t ceil_seconds(int64_t ns) {
  return ns / NS_PER_S + (ns % NS_PER_S > 0);
}

static int read_records(struct reading *reading, struct call *call, kaizen_sink sink, void *ctx) {
  const struct kaizen_query *query = reading->query;
  char agent[AGENT_NAME_MAX + 1];
  struct error *error = &call->error;
  uint64_t from = 0, skip = 0;
  int result = call_take_agent(call, query->agent.ptr, query->agent.len, agent);

  if (result == 0)
    result = take_snapshot(reading, call->pipeline, agent, error);
  if (result == 1)
    result = call_no_such_agent(call, agent);
  if (result == 0)
    result = find_place(reading, &from, error);
  if (result == 0 && query->last > 0)
    result = find_last(reading, &from, &skip, error);
  if (result == 0)
    result = read_from(reading, from, skip, sink, ctx, error);
  if (result == 0)
    result = keep_place(reading, error);
  agent_log_close(&reading->log);
  return result;
}

/* Writes the result and, after a failure, the reason; answers the code. */
static int32_t answer(struct reading *reading, int32_t code, const char *reason,
                      struct kaizen_query_result *out) {
  if (code < 0)
    out_struct_set_text(reading->result.reason, sizeof reading->result.reason, reason);
  out_struct_write(out, &reading->result, sizeof reading->result);
  return code;
}

/* Checks what can be checked without the log. */
static int check_query(const struct kaizen_query *query, kaizen_sink sink, struct error *error) {
  uint32_t unknown;

  if (!query || !sink || query->struct_size < LAYOUT_1_0_QUERY)
    return error_set(error, KAIZEN_E_ARGUMENT,
                     "records: query or sink is NULL, or query smaller than its 1.0 layout");
  unknown = query->flags & CALL_MUST_KNOW & ~(uint32_t)KNOWN_FLAGS;
  return unknown ? error_set(error, KAIZEN_E_UNSUPPORTED,
                             "records: flag bits 0x%x are unknown here", unknown)
                 : 0;
}

static int32_t query_records(struct kaizen_instance *instance, const struct kaizen_query *query,
                             kaizen_sink sink, void *ctx, struct kaizen_query_result *out) {
  struct reading reading = {.query = query, .log = {.fd = -1}, .until_s = INT64_MAX};
  struct error refused = {0};
  struct call call;
  int32_t code;
  int result;

  if (out && out->struct_size < LAYOUT_1_0_QUERY_RESULT)
    return call_refuse(instance, KAIZEN_E_ARGUMENT,
                       "records: the result is smaller than its 1.0 layout");
  if (check_query(query, sink, &refused) != 0)
    return answer(&reading, call_refuse(instance, refused.code, "%s", refused.text), refused.text,
                  out);
  code = call_begin(&call, instance, "records", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return answer(&reading, code, call.error.text, out);
  reading.ranged = query->flags & (KAIZEN_QUERY_SINCE | KAIZEN_QUERY_UNTIL);
  if (query->flags & KAIZEN_QUERY_SINCE)
    reading.since_s = ceil_seconds(query->since_unix_ns);
  if (query->flags & KAIZEN_QUERY_UNTIL)
    reading.until_s = ceil_seconds(query->until_unix_ns);
  result = read_records(&reading, &call, sink, ctx);
  (void)answer(&reading, result, call.error.text, out);
  return call_end(&call, result);
}

/* ---- the agents there are -------------------------------------------------------------------- */

struct naming {
  const struct project *project;
  kaizen_sink sink;
  void *ctx;
  struct error *error;
};

static bool has_file(const struct naming *naming, const char *agent, const char *file) {
  char path[sizeof ".kaizen/metrics//" AGENT_LOG_FILE + AGENT_NAME_MAX];
  struct stat status;

  (void)snprintf(path, sizeof path, ".kaizen/metrics/%s/%s", agent, file);
  return directory_look_at_file(naming->project->root_fd, path, &status, NULL) != 1;
}

/* A log that cannot be read, or is gone, is listed all the same: reading its records says why. */
static int name_agent(void *ctx, const char *agent) {
  struct naming *naming = ctx;

  if (!has_file(naming, agent, AGENT_LOG_FILE) && !has_file(naming, agent, SUMMARY_FILE))
    return 0;
  if (naming->sink(naming->ctx, agent, strlen(agent)) != 0)
    return error_set(naming->error, KAIZEN_E_ENDED, "the sink ended the output");
  return 0;
}

static int32_t query_agents(struct kaizen_instance *instance, kaizen_sink sink, void *ctx) {
  struct call call;
  struct naming naming = {.sink = sink, .ctx = ctx, .error = &call.error};
  int32_t code;

  if (!sink)
    return call_refuse(instance, KAIZEN_E_ARGUMENT, "agents: sink is NULL");
  code = call_begin(&call, instance, "agents", CALL_CONFIGURED);
  if (code != KAIZEN_OK)
    return code;
  naming.project = &call.pipeline->project;
  return call_end(&call,
                  project_each_agent(naming.project, true, name_agent, &naming, &call.error));
}

const struct kaizen_query_1 query_extension = {.agents = query_agents, .records = query_records};

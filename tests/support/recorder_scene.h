/* recorder_scene.h - a recorder in a sandbox, what it is given, and what it told its host.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TESTS_RECORDER_SCENE_H
#define KAIZEN_TESTS_RECORDER_SCENE_H

#include "project_sandbox.h"

#include <kaizen/plugin.h>
#include <stdatomic.h>

#include "base/host_guard.h"
#include "record/execution_from_struct.h"
#include "recorder/host_message.h"
#include "recorder/recorder.h"
#include "store/agent_log.h"

#define NOW_S INT64_C(1767225600) /* 2026-01-01 */
#define DAY_S INT64_C(86400)

static struct recorder *recorder;
static struct recorder_options options;
static char told[32][256]; /* messages: "level id text" */
static unsigned told_count;
static atomic_uint marked_calls;
static struct summary summary;

SANDBOX_HELPER void remember_message(void *ctx, int32_t level, int32_t id, const char *text) {
  (void)ctx;
  (void)snprintf(told[told_count++ % 32], sizeof told[0], "%d %d %s", level, id, text);
}

SANDBOX_HELPER void count_marked(void *ctx, const char *agent) {
  (void)ctx;
  (void)agent;
  marked_calls++;
}

SANDBOX_HELPER void use_recorder(bool sync, int64_t lock_timeout_ms) {
  recorder_free(recorder);
  options = (struct recorder_options){.project = &project,
                                      .slug = "shop",
                                      .sync = sync,
                                      .trend_window = 10,
                                      .lock_timeout_ms = lock_timeout_ms,
                                      .retention_days = 180,
                                      .messages = {remember_message, NULL},
                                      .marked = count_marked};
  project.sync = sync;
  recorder = recorder_new(&options);
  cr_assert(recorder);
}

SANDBOX_HELPER void set_up(void) {
  enter_project();
  use_recorder(false, 2000);
}

SANDBOX_HELPER void tear_down(void) {
  recorder_free(recorder);
  leave_project();
}

/* What is recorded: an agent, a key ("" none), success, a quality score (negative: none). */
struct given {
  const char *agent, *key;
  bool success, marked;
  double quality;
  int64_t timestamp_s; /* 0: now */
  const char *metadata;
};

SANDBOX_HELPER void fill(struct execution *execution, const struct given *given) {
  const struct execution_limits limits = {
      .now_s = NOW_S, .oldest_s = INT64_MIN, .max_record_bytes = 1 << 20};
  struct kaizen_execution in = {
      .struct_size = sizeof in,
      .flags = (given->marked ? KAIZEN_EXEC_EMIT : 0u) |
               (given->quality >= 0 ? KAIZEN_EXEC_HAS_QUALITY : 0u),
      .outcome = given->success ? KAIZEN_SUCCESS : KAIZEN_FAILURE,
      .quality_score = given->quality >= 0 ? given->quality : 0,
      .timestamp_unix_ns = given->timestamp_s * 1000000000,
      .agent = {given->agent, KAIZEN_NTS},
  };
  struct error why = {0};

  if (given->key[0])
    in.idempotency_key = (struct kaizen_str){given->key, KAIZEN_NTS};
  if (given->metadata)
    in.metadata_json = (struct kaizen_str){given->metadata, KAIZEN_NTS};
  cr_assert_eq(execution_from_struct(execution, &in, &limits, &why), 0, "%s", why.text);
}

/* As a call of a host does it. */
SANDBOX_HELPER void record_guarded(struct recorder *by, struct recorder_request *requests,
                                   size_t count, int64_t now_s, struct summary *shown,
                                   struct error *why) {
  struct host_guard guard;

  host_guard_enter(&guard);
  recorder_record(by, requests, count, now_s, shown, why);
  host_guard_leave(&guard);
}

SANDBOX_HELPER struct recorder_request record_at(const struct given *given, int64_t now_s) {
  struct execution execution = {0};
  struct recorder_request request = {.execution = &execution};

  fill(&execution, given);
  record_guarded(recorder, &request, 1, now_s, &summary, &error);
  execution_fini(&execution);
  return request;
}

SANDBOX_HELPER struct recorder_request record(const char *agent, const char *key, bool success) {
  return record_at(&(struct given){.agent = agent, .key = key, .success = success, .quality = -1},
                   NOW_S);
}

SANDBOX_HELPER struct recorder_request record_marked(const char *key, bool success,
                                                     double quality) {
  return record_at(
      &(struct given){
          .agent = "coach", .key = key, .success = success, .marked = true, .quality = quality},
      NOW_S);
}

SANDBOX_HELPER const char *log_of(const char *agent) {
  return agent_file(agent, AGENT_LOG_FILE);
}

SANDBOX_HELPER const char *message_with(int id) {
  char begin[16];

  (void)snprintf(begin, sizeof begin, " %d ", id);
  for (unsigned i = 0; i < told_count && i < 32; i++)
    if (strstr(told[i], begin))
      return told[i];
  return NULL;
}

SANDBOX_HELPER void expect_summary_counts(const char *name, const char *agent, unsigned count) {
  char wanted[64];

  (void)snprintf(wanted, sizeof wanted, "\"execution_count\": %u,", count);
  cr_expect(strstr(text_of_file(agent_file(agent, "summary.json")), wanted), "%s: %s", name,
            text_of_file(agent_file(agent, "summary.json")));
}

#endif

/* test_recorder.c - from a validated execution to the log, its summary and its keys: alone,
 * together and in trouble.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <inttypes.h>
#include <kaizen/plugin.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/host_guard.h"
#include "record/event.h"
#include "record/event_id.h"
#include "record/execution_from_struct.h"
#include "recorder/host_message.h"
#include "recorder/recorder.h"
#include "store/agent_log.h"
#include "store/checkpoint.h"

#define NOW_S INT64_C(1767225600) /* 2026-01-01 */
#define DAY_S INT64_C(86400)

static struct project project;
static struct recorder *recorder;
static struct recorder_options options;
static char told[32][256]; /* messages: "level id text" */
static unsigned told_count;
static atomic_uint marked_calls;
static struct error error;
static struct summary summary;

static void remember_message(void *ctx, int32_t level, int32_t id, const char *text) {
  (void)ctx;
  (void)snprintf(told[told_count++ % 32], sizeof told[0], "%d %d %s", level, id, text);
}

static void count_marked(void *ctx, const char *agent) {
  (void)ctx;
  (void)agent;
  marked_calls++;
}

static void use_recorder(bool sync, int64_t lock_timeout_ms) {
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

static void set_up(void) {
  sandbox_enter();
  cr_assert_eq(project_open(&project, sandbox.root, false, false, &error), 0, "%s", error.text);
  use_recorder(false, 2000);
}

static void tear_down(void) {
  recorder_free(recorder);
  project_close(&project);
  sandbox_leave();
}

TestSuite(recorder, .init = set_up, .fini = tear_down);

/* What is recorded: an agent, a key ("" none), success, a quality score (negative: none). */
struct given {
  const char *agent, *key;
  bool success, marked;
  double quality;
  int64_t timestamp_s; /* 0: now */
  const char *metadata;
};

static void fill(struct execution *execution, const struct given *given) {
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
static void record_guarded(struct recorder *by, struct recorder_request *requests, size_t count,
                           int64_t now_s, struct summary *shown, struct error *why) {
  struct host_guard guard;

  host_guard_enter(&guard);
  recorder_record(by, requests, count, now_s, shown, why);
  host_guard_leave(&guard);
}

static struct recorder_request record_at(const struct given *given, int64_t now_s) {
  struct execution execution = {0};
  struct recorder_request request = {.execution = &execution};

  fill(&execution, given);
  record_guarded(recorder, &request, 1, now_s, &summary, &error);
  execution_fini(&execution);
  return request;
}

static struct recorder_request record(const char *agent, const char *key, bool success) {
  return record_at(&(struct given){.agent = agent, .key = key, .success = success, .quality = -1},
                   NOW_S);
}

static struct recorder_request record_marked(const char *key, bool success, double quality) {
  return record_at(
      &(struct given){
          .agent = "coach", .key = key, .success = success, .marked = true, .quality = quality},
      NOW_S);
}

static const char *log_of(const char *agent) {
  return agent_file(agent, AGENT_LOG_FILE);
}

static const char *message_with(int id) {
  char begin[16];

  (void)snprintf(begin, sizeof begin, " %d ", id);
  for (unsigned i = 0; i < told_count && i < 32; i++)
    if (strstr(told[i], begin))
      return told[i];
  return NULL;
}

static void expect_summary_counts(const char *name, const char *agent, unsigned count) {
  char wanted[64];

  (void)snprintf(wanted, sizeof wanted, "\"execution_count\": %u,", count);
  cr_expect(strstr(text_of_file(agent_file(agent, "summary.json")), wanted), "%s: %s", name,
            text_of_file(agent_file(agent, "summary.json")));
}

/* One record. */

Test(recorder, a_record_is_a_line_a_summary_and_an_answer) {
  struct recorder_request request = record("coach", "", true);

  cr_assert_eq(request.code, KAIZEN_RECORDED, "%s", error.text);
  cr_assert_not(request.marked);
  cr_assert_str_eq(
      text_of_file(log_of("coach")),
      "{\"timestamp\":\"2026-01-01T00:00:00Z\",\"agent\":\"coach\",\"success\":true}\n");
  cr_assert_eq(summary.execution_count, 1);
  cr_assert_eq(summary.last_execution_s, NOW_S);
  expect_summary_counts("one", "coach", 1);
}

Test(recorder, a_key_is_recorded_once_also_by_another_recorder) {
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_RECORDED);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_DUPLICATE);
  use_recorder(false, 2000);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_DUPLICATE);
  cr_assert_eq(summary.execution_count, 1);
  cr_assert_eq(record("other", "k", true).code, KAIZEN_RECORDED, "a key belongs to its agent");
  cr_assert_eq(lines_of_file(log_of("coach")), 1);
}

Test(recorder, a_duplicate_says_when_the_first_record_differs) {
  struct given first = {.agent = "coach", .key = "k", .success = true, .quality = 0.5},
               second = first;

  cr_assert_eq(record_at(&first, NOW_S).code, KAIZEN_RECORDED);
  cr_assert_not(record_at(&second, NOW_S).key_conflict);
  second.quality = 0.6;
  cr_assert(record_at(&second, NOW_S).key_conflict);
  second = first;
  second.success = false;
  cr_assert(record_at(&second, NOW_S).key_conflict);
  second = first;
  second.quality = -1;
  cr_assert(record_at(&second, NOW_S).key_conflict);
}

Test(recorder, a_marked_line_carries_the_summary_as_of_itself) {
  char id[UUID_TEXT_SIZE];
  char *text;

  cr_assert_eq(record("coach", "", true).code, KAIZEN_RECORDED);
  cr_assert_eq(record_marked("k", false, 0.25).code, KAIZEN_RECORDED);
  cr_assert_eq(record_marked("", true, 0.75).code, KAIZEN_RECORDED);
  text = text_of_file(log_of("coach"));
  cr_assert_eq(event_id_from_key((struct span){"shop", 4}, (struct span){"coach", 5},
                                 (struct span){"k", 1}, id),
               0);
  cr_assert(strstr(text, id), "%s in %s", id, text);
  cr_assert(strstr(text, "\"event\":{\"project\":\"shop\",\"success_rate\":0.5,"
                         "\"execution_count\":2,\"avg_quality\":0.25}}\n"),
            "%s", text);
  cr_assert(strstr(text, "\"event\":{\"project\":\"shop\",\"success_rate\":0.6666666666666666,"
                         "\"execution_count\":3,\"avg_quality\":0.5}}\n"),
            "%s", text);
  cr_assert(is_there(agent_file("coach", ".state")));
  cr_assert(is_there(in_sandbox(".kaizen/metrics/.id")));
}

Test(recorder, a_duplicate_answers_with_the_first_event_id_and_is_not_announced) {
  struct recorder_request first = record_marked("k", true, -1), second;

  cr_assert_eq(first.code, KAIZEN_RECORDED);
  cr_assert_eq(marked_calls, 1);
  second = record_marked("k", true, -1);
  cr_assert_eq(second.code, KAIZEN_DUPLICATE);
  cr_assert(second.marked);
  cr_assert_str_eq(second.event_id, first.event_id);
  cr_assert_eq(record("coach", "unmarked", true).code, KAIZEN_RECORDED);
  second = record_marked("unmarked", true, -1);
  cr_assert_eq(second.code, KAIZEN_DUPLICATE);
  cr_assert_not(second.marked);
  cr_assert_eq(marked_calls, 1);
}

/* Batches. */

Test(recorder, a_batch_finds_its_own_duplicates) {
  const char *keys[] = {"a", "b", "a", "", "", "c", "b"};
  const int32_t codes[] = {KAIZEN_DUPLICATE, KAIZEN_RECORDED, KAIZEN_DUPLICATE, KAIZEN_RECORDED,
                           KAIZEN_RECORDED,  KAIZEN_RECORDED, KAIZEN_DUPLICATE};
  struct execution executions[7];
  struct recorder_request requests[7];

  memset(executions, 0, sizeof executions);
  cr_assert_eq(record("coach", "a", true).code, KAIZEN_RECORDED);
  for (size_t i = 0; i < 7; i++) {
    fill(&executions[i],
         &(struct given){
             .agent = "coach", .key = keys[i], .success = i != 6, .quality = -1, .marked = true});
    requests[i] = (struct recorder_request){.execution = &executions[i]};
  }
  record_guarded(recorder, requests, 7, NOW_S, &summary, &error);
  for (size_t i = 0; i < 7; i++)
    cr_expect_eq(requests[i].code, codes[i], "request %zu: %d", i, requests[i].code);
  cr_assert_str_eq(requests[6].event_id, requests[1].event_id);
  cr_assert(requests[6].key_conflict);
  cr_assert_not(requests[0].marked, "the first record of that key was not");
  cr_assert_eq(summary.execution_count, 5);
  cr_assert_eq(lines_of_file(log_of("coach")), 5);
  cr_assert(strstr(text_of_file(log_of("coach")), "\"execution_count\":5,"));
  for (size_t i = 0; i < 7; i++)
    execution_fini(&executions[i]);
}

/* Together. */

enum { THREADS = 8, EACH = 200 };

struct worker {
  struct recorder *recorder;
  unsigned number;
  unsigned recorded, duplicates, failed;
};

/* Every fifth record has a key that all workers give. */
static void *work(void *ctx) {
  struct worker *worker = ctx;

  for (unsigned i = 0; i < EACH; i++) {
    struct execution execution = {0};
    struct recorder_request request = {.execution = &execution};
    struct error why;
    char key[32];

    if (i % 5 == 0)
      (void)snprintf(key, sizeof key, "shared-%u", i);
    else
      (void)snprintf(key, sizeof key, "own-%u-%u", worker->number, i);
    fill(&execution,
         &(struct given){.agent = "coach", .key = key, .success = true, .quality = 0.5});
    record_guarded(worker->recorder, &request, 1, NOW_S, NULL, &why);
    worker->recorded += request.code == KAIZEN_RECORDED;
    worker->duplicates += request.code == KAIZEN_DUPLICATE;
    worker->failed += request.code < 0;
    execution_fini(&execution);
  }
  return NULL;
}

static void expect_every_key_once(unsigned workers) {
  unsigned wanted = EACH / 5 + workers * (EACH - EACH / 5);

  cr_assert_eq(lines_of_file(log_of("coach")), wanted);
  for (unsigned i = 0; i < EACH; i += 5) {
    char key[32];

    (void)snprintf(key, sizeof key, "\"shared-%u\"", i);
    cr_assert_eq(count_in(text_of_file(log_of("coach")), key), 1, "%s", key);
    free(sandbox.texts[--sandbox.text_count]);
  }
  expect_summary_counts("all", "coach", wanted);
}

Test(recorder, threads_of_one_recorder_lose_nothing_and_double_nothing) {
  struct worker workers[THREADS];
  pthread_t threads[THREADS];
  unsigned recorded = 0, failed = 0;

  use_recorder(false, 60000);
  for (unsigned i = 0; i < THREADS; i++) {
    workers[i] = (struct worker){.recorder = recorder, .number = i};
    cr_assert_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
  }
  for (unsigned i = 0; i < THREADS; i++) {
    cr_assert_eq(pthread_join(threads[i], NULL), 0);
    recorded += workers[i].recorded;
    failed += workers[i].failed;
  }
  cr_assert_eq(failed, 0);
  cr_assert_eq(recorded, lines_of_file(log_of("coach")));
  expect_every_key_once(THREADS);
}

Test(recorder, two_recorders_and_two_processes_on_one_agent_lose_nothing) {
  struct recorder *second;
  struct worker workers[2];
  pthread_t threads[2];
  pid_t child;
  int status;

  use_recorder(false, 60000);
  child = fork();
  if (child == 0) {
    struct worker worker = {.recorder = recorder_new(&options), .number = 2};

    (void)work(&worker);
    recorder_free(worker.recorder);
    _exit(worker.failed == 0 ? 0 : 1);
  }
  second = recorder_new(&options);
  for (unsigned i = 0; i < 2; i++) {
    workers[i] = (struct worker){.recorder = i ? second : recorder, .number = i};
    cr_assert_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
  }
  for (unsigned i = 0; i < 2; i++) {
    cr_assert_eq(pthread_join(threads[i], NULL), 0);
    cr_assert_eq(workers[i].failed, 0);
  }
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert_eq(status, 0);
  expect_every_key_once(3);
  recorder_free(second);
}

/* Others. */

Test(recorder, foreign_lines_between_two_calls_are_in_the_summary_and_in_the_event) {
  cr_assert_eq(record("coach", "", true).code, KAIZEN_RECORDED);
  append_to_file(log_of("coach"), "{\"agent\":\"coach\",\"success\":false}\n");
  cr_assert_eq(record_marked("k", true, -1).code, KAIZEN_RECORDED);
  cr_assert_eq(summary.execution_count, 3);
  expect_summary_counts("with a foreign line", "coach", 3);
  cr_assert(strstr(text_of_file(log_of("coach")),
                   "\"success_rate\":0.6666666666666666,\"execution_count\":3,"));
}

Test(recorder, a_duplicate_refreshes_a_summary_that_lacks_foreign_lines) {
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_RECORDED);
  append_to_file(log_of("coach"), "{\"agent\":\"coach\",\"success\":false}\n");
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_DUPLICATE);
  expect_summary_counts("after a duplicate", "coach", 2);
}

Test(recorder, a_removed_or_edited_summary_is_right_again_with_the_next_record) {
  cr_assert_eq(record("coach", "", true).code, KAIZEN_RECORDED);
  cr_assert_eq(unlink(agent_file("coach", "summary.json")), 0);
  cr_assert_eq(record("coach", "", true).code, KAIZEN_RECORDED);
  expect_summary_counts("removed", "coach", 2);
  put_file(agent_file("coach", "summary.json"), "{\"execution_count\": 99}");
  cr_assert_eq(record("coach", "", true).code, KAIZEN_RECORDED);
  expect_summary_counts("edited", "coach", 3);
}

Test(recorder, damaged_keys_under_a_live_recorder_forget_no_key) {
  char damage[64];
  int fd;

  memset(damage, 0x5a, sizeof damage);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_RECORDED);
  fd = open(agent_file("coach", CHECKPOINT_FILE), O_WRONLY | O_CLOEXEC);
  cr_assert_eq(pwrite(fd, damage, sizeof damage, 4096), (ssize_t)sizeof damage);
  (void)close(fd);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_DUPLICATE, "%s", error.text);
  cr_assert_eq(truncate(agent_file("coach", CHECKPOINT_FILE), 4100), 0);
  cr_assert_eq(record("coach", "new", true).code, KAIZEN_RECORDED, "%s", error.text);
  cr_assert_eq(unlink(agent_file("coach", CHECKPOINT_FILE)), 0);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_DUPLICATE, "%s", error.text);
  cr_assert_eq(lines_of_file(log_of("coach")), 2);
  cr_assert(message_with(HOST_MESSAGE_CHECKPOINT_REBUILT));
}

Test(recorder, a_tree_cleaned_away_between_two_calls_begins_again) {
  static const char *const keys[] = {"never", "always"};

  for (int sync = 0; sync < 2; sync++) {
    use_recorder(sync, 2000);
    cr_assert_eq(record_marked(keys[sync], true, -1).code, KAIZEN_RECORDED, "%s", error.text);
    cr_assert_eq(nftw(in_sandbox(".kaizen"), sandbox_remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    cr_assert_eq(record_marked(keys[sync], true, -1).code, KAIZEN_RECORDED, "%s", error.text);
    cr_assert_eq(summary.execution_count, 1);
    cr_assert_eq(lines_of_file(log_of("coach")), 1);
    expect_summary_counts("cleaned", "coach", 1);
    cr_assert(is_there(agent_file("coach", ".state")));
  }
}

Test(recorder, lines_passed_over_are_told) {
  make_agent_folder("coach");
  put_file(log_of("coach"), "garbage\nmore\n");
  cr_assert_eq(record("coach", "", true).code, KAIZEN_RECORDED);
  cr_assert(message_with(HOST_MESSAGE_LINES_SKIPPED));
  cr_assert_str_eq(message_with(HOST_MESSAGE_LINES_SKIPPED),
                   "4 103 coach: lines skipped because they are not records: 2");
}

/* Trouble. */

Test(recorder, a_lock_not_had_in_time_is_busy_and_records_nothing) {
  int fd;

  use_recorder(false, 30);
  cr_assert_eq(record("coach", "", true).code, KAIZEN_RECORDED);
  fd = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(fd, LOCK_EX), 0);
  cr_assert_eq(record("coach", "", true).code, KAIZEN_E_BUSY);
  cr_assert_str_eq(error.text, "agent coach: its lock was not free within 30 ms");
  cr_assert_eq(record("other", "", true).code, KAIZEN_RECORDED, "another agent has its own lock");
  cr_assert_eq(flock(fd, LOCK_UN), 0);
  cr_assert_eq(record("coach", "", true).code, KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(log_of("coach")), 2);
  (void)close(fd);
}

static void *record_once(void *ctx) {
  *(int32_t *)ctx = record("coach", "", true).code;
  return NULL;
}

Test(recorder, followers_of_a_leader_without_the_lock_are_busy_too) {
  pthread_t threads[4];
  int32_t codes[4];
  int fd;

  use_recorder(false, 50);
  cr_assert_eq(record("coach", "", true).code, KAIZEN_RECORDED);
  fd = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(fd, LOCK_EX), 0);
  for (int i = 0; i < 4; i++)
    cr_assert_eq(pthread_create(&threads[i], NULL, record_once, &codes[i]), 0);
  for (int i = 0; i < 4; i++) {
    cr_assert_eq(pthread_join(threads[i], NULL), 0);
    cr_assert_eq(codes[i], KAIZEN_E_BUSY);
  }
  cr_assert_eq(flock(fd, LOCK_UN), 0);
  cr_assert_eq(lines_of_file(log_of("coach")), 1);
  (void)close(fd);
}

static volatile sig_atomic_t size_signals;

static void count_signal(int signal) {
  (void)signal;
  size_signals++;
}

Test(recorder, a_file_size_limit_is_an_error_and_never_a_signal) {
  struct rlimit saved;
  uint64_t size;
  sigset_t pending, blocked;

  cr_assert_neq(signal(SIGXFSZ, count_signal), SIG_ERR);
  cr_assert_eq(record("coach", "", true).code, KAIZEN_RECORDED);
  size = size_of_file(log_of("coach"));
  cr_assert_eq(getrlimit(RLIMIT_FSIZE, &saved), 0);
  (void)sigemptyset(&blocked);
  (void)sigaddset(&blocked, SIGXFSZ);
  for (int hosts_own_mask = 0; hosts_own_mask < 2; hosts_own_mask++) {
    if (hosts_own_mask)
      cr_assert_eq(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){size + 20, saved.rlim_max}), 0);
    errno = 4711;
    cr_assert_eq(record("coach", "k", true).code, KAIZEN_E_IO);
    cr_assert_eq(errno, 4711);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &saved), 0);
    cr_assert_eq(sigpending(&pending), 0);
    cr_assert_eq(sigismember(&pending, SIGXFSZ), 0, "our signal waits for the host");
    cr_assert(strstr(error.text, "agent coach: executions.jsonl: nothing was recorded"), "%s",
              error.text);
    cr_assert_eq(size_of_file(log_of("coach")), size);
  }
  cr_assert_eq(size_signals, 0);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_RECORDED);
  expect_summary_counts("later", "coach", 2);
}

static int32_t record_for_many(unsigned agents) {
  int32_t worst = KAIZEN_RECORDED;
  char agent[24];

  for (unsigned i = 0; i < agents && worst == KAIZEN_RECORDED; i++) {
    (void)snprintf(agent, sizeof agent, "agent-%u", i);
    worst = record_at(
                &(struct given){
                    .agent = agent, .key = "", .success = true, .quality = -1, .marked = true},
                NOW_S)
                .code;
  }
  return worst;
}

/* A host that may have 16, and uses five itself. */
Test(recorder, few_descriptors_are_enough_for_forty_agents) {
  for (int sync = 0; sync < 2; sync++)
    for (unsigned free = 8; free <= 10; free += 2) {
      use_recorder(sync, 2000);
      limit_descriptors(free);
      cr_assert_eq(record_for_many(40), KAIZEN_RECORDED, "with %u: %s", free, error.text);
      limit_descriptors(SIZE_MAX);
    }
  cr_assert_null(message_with(HOST_MESSAGE_SUMMARY_NOT_WRITTEN));
  for (unsigned i = 0; i < 40; i++) {
    char agent[24];

    (void)snprintf(agent, sizeof agent, "agent-%u", i);
    expect_summary_counts(agent, agent, 4);
    free(sandbox.texts[--sandbox.text_count]);
  }
}

Test(recorder, too_few_descriptors_are_an_error_until_there_are_enough) {
  use_recorder(true, 2000);
  for (unsigned free = 0; free < 8; free++) {
    int32_t code;

    limit_descriptors(free);
    code = record_for_many(1);
    cr_assert(code == KAIZEN_E_IO || code == KAIZEN_RECORDED, "with %u: %d %s", free, code,
              error.text);
    limit_descriptors(SIZE_MAX);
    recorder_free(recorder);
    recorder = NULL;
    use_recorder(true, 2000);
  }
  cr_assert_eq(record_for_many(1), KAIZEN_RECORDED, "%s", error.text);
  cr_assert_eq(lines_of_file(log_of("agent-0")), summary.execution_count);
}

/* Half of them stay the host's, however many recorders share the other half. */
Test(recorder, recorders_of_one_process_keep_less_than_half_of_its_descriptors) {
  enum { LIMIT = 256, AGENTS = 46 };
  const struct rlimit limit = {.rlim_cur = LIMIT, .rlim_max = LIMIT};
  unsigned before = open_descriptors();
  struct recorder *first = recorder;
  char agent[24];

  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
  for (int i = 0; i < AGENTS; i++) {
    (void)snprintf(agent, sizeof agent, "first-%d", i);
    cr_assert_eq(record(agent, "k", true).code, KAIZEN_RECORDED, "%s", error.text);
  }
  recorder = recorder_new(&options);
  for (int i = 0; i < AGENTS; i++) {
    (void)snprintf(agent, sizeof agent, "second-%d", i);
    cr_assert_eq(record(agent, "k", true).code, KAIZEN_RECORDED, "%s", error.text);
  }
  cr_assert_gt(open_descriptors() - before, LIMIT / 4, "as many as there is room for");
  cr_assert_lt(open_descriptors() - before, LIMIT / 2);
  recorder_free(first);
  recorder_free(recorder);
  recorder = NULL;
  cr_assert_eq(open_descriptors(), before);
}

/* What it has open for agents that rest is closed for another's that is recorded for. */
Test(recorder, one_recorder_gives_up_descriptors_that_another_needs) {
  unsigned before;
  struct recorder *first = recorder;
  struct rlimit limit;
  int lowest_unused;
  char agent[24];

  cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
  for (int i = 0; i < 8; i++) {
    (void)snprintf(agent, sizeof agent, "first-%d", i);
    cr_assert_eq(record(agent, "k", true).code, KAIZEN_RECORDED, "%s", error.text);
  }
  before = open_descriptors();
  recorder = recorder_new(&options);
  lowest_unused = dup(STDERR_FILENO);
  cr_assert_eq(close(lowest_unused), 0);
  limit.rlim_cur = (rlim_t)lowest_unused;
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
  cr_assert_eq(record("second", "k", true).code, KAIZEN_RECORDED, "%s", error.text);
  limit_descriptors(SIZE_MAX);
  cr_assert_lt(open_descriptors(), before);
  recorder_free(first);
}

Test(recorder, a_summary_that_cannot_be_written_is_told_and_costs_no_record) {
  make_agent_folder("coach");
  cr_assert_eq(mkdir(agent_file("coach", "summary.json"), 0700), 0);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_RECORDED);
  cr_assert(message_with(HOST_MESSAGE_SUMMARY_NOT_WRITTEN));
  cr_assert(strstr(message_with(HOST_MESSAGE_SUMMARY_NOT_WRITTEN), "summary.json"));
  cr_assert_eq(rmdir(agent_file("coach", "summary.json")), 0);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_DUPLICATE);
  expect_summary_counts("fixed", "coach", 1);
}

Test(recorder, a_state_that_cannot_be_used_stops_marked_records_only) {
  make_agent_folder("coach");
  cr_assert_eq(symlink("/dev/null", agent_file("coach", ".state")), 0);
  cr_assert_eq(record_marked("k", true, -1).code, KAIZEN_E_IO);
  cr_assert(strstr(error.text, "agent coach: .state"), "%s", error.text);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(log_of("coach")), 1);
}

Test(recorder, records_are_durable_with_their_folders_before_they_are_recorded) {
  use_recorder(true, 2000);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_RECORDED, "%s", error.text);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_DUPLICATE, "%s", error.text);
  use_recorder(true, 2000);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_DUPLICATE, "%s", error.text);
}

/* Retention. */

static void put_old_lines(unsigned count) {
  FILE *out;

  make_agent_folder("coach");
  out = fopen(log_of("coach"), "we");
  cr_assert(out);
  for (unsigned i = 0; i < count; i++)
    (void)fprintf(out, "{\"timestamp\":\"2025-01-01T00:00:00Z\",\"agent\":\"coach\","
                       "\"success\":false,\"quality_score\":0.25}\n");
  cr_assert_eq(fclose(out), 0);
}

static struct recorder_request record_on_day(int64_t day) {
  return record_at(&(struct given){.agent = "coach",
                                   .key = "",
                                   .success = true,
                                   .quality = -1,
                                   .timestamp_s = NOW_S + day * DAY_S},
                   NOW_S + day * DAY_S);
}

Test(recorder, expired_lines_leave_on_the_second_day_and_the_summary_follows) {
  put_old_lines(3);
  for (int i = 0; i < 4; i++)
    cr_assert_eq(record_on_day(0).code, KAIZEN_RECORDED);
  expect_summary_counts("first day", "coach", 7);
  if (!tells_birth(log_of("coach")))
    cr_skip_test("when the log was made is not known: they stay longer");
  cr_assert_eq(record_on_day(1).code, KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(log_of("coach")), 5);
  expect_summary_counts("second day", "coach", 5);
  cr_assert(strstr(text_of_file(agent_file("coach", "summary.json")), "\"success_rate\": 1.0,"));
  cr_assert(
      strstr(text_of_file(agent_file("coach", "summary.json")), "\"avg_quality_score\": 0.0,"));
  cr_assert(message_with(HOST_MESSAGE_PRUNED));
  cr_assert_eq(record_on_day(1).code, KAIZEN_RECORDED);
  expect_summary_counts("afterwards", "coach", 6);
}

/* Too long for one call: it is pruned beside those who record, and its index is made there, too. */
Test(recorder, a_long_log_is_pruned_aside_and_its_keys_stay_known) {
  enum { LINES = 12000, OLD_LINES = LINES / 4 };
  FILE *log;

  make_agent_folder("coach");
  log = fopen(log_of("coach"), "w");
  cr_assert(log);
  for (int i = 0; i < LINES; i++)
    cr_assert_gt(fprintf(log,
                         "{\"timestamp\":\"%s\",\"agent\":\"coach\",\"success\":true,"
                         "\"idempotency_key\":\"key-%d\",\"metadata\":{\"model\":\"m\"}}\n",
                         i < OLD_LINES ? "2025-01-01T00:00:00Z" : "2025-12-30T00:00:00Z", i),
                 0);
  cr_assert_eq(fclose(log), 0);
  cr_assert_gt(size_of_file(log_of("coach")), 1 << 20);
  cr_assert_eq(record_on_day(0).code, KAIZEN_RECORDED);
  use_recorder(false, 2000); /* waits for the thread of the first */
  cr_assert_eq(record_on_day(1).code, KAIZEN_RECORDED);
  recorder_free(recorder);
  recorder = NULL;
  cr_assert(message_with(HOST_MESSAGE_PRUNED));
  cr_assert_eq(lines_of_file(log_of("coach")), LINES - OLD_LINES + 2);
  expect_summary_counts("pruned", "coach", LINES - OLD_LINES + 2);
  cr_assert_not(is_there(agent_file("coach", ".index.new")));
  cr_assert_not(is_there(agent_file("coach", ".executions.new")));
  memset(told, 0, sizeof told);
  use_recorder(false, 2000);
  cr_assert_eq(record("coach", "key-11999", true).code, KAIZEN_DUPLICATE);
  cr_assert_eq(record("coach", "key-0", true).code, KAIZEN_RECORDED);
  cr_assert_null(message_with(HOST_MESSAGE_CHECKPOINT_REBUILT), "the index came with the log");
}

Test(recorder, a_clock_at_2099_for_a_minute_costs_nothing) {
  int64_t days_to_2099 = 73 * 365;

  for (int64_t i = 0; i < 30; i++)
    cr_assert_eq(record_on_day(i - 40).code, KAIZEN_RECORDED);
  for (int i = 0; i < 100; i++) {
    use_recorder(false, 2000); /* as many short-lived hosts */
    cr_assert_eq(record_on_day(days_to_2099).code, KAIZEN_RECORDED);
  }
  use_recorder(false, 2000);
  cr_assert_eq(record_on_day(0).code, KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(log_of("coach")), 131);
  cr_assert_eq(record_on_day(1).code, KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(log_of("coach")), 132);
}

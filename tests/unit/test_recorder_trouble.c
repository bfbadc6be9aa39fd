/* test_recorder_trouble.c - a recorder without the lock, the space, the descriptors or the files
 * that it needs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "recorder_scene.h"

#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>

TestSuite(recorder_trouble, .init = set_up, .fini = tear_down);

Test(recorder_trouble, a_lock_not_had_in_time_is_busy_and_records_nothing) {
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

Test(recorder_trouble, followers_of_a_leader_without_the_lock_are_busy_too) {
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

Test(recorder_trouble, a_file_size_limit_is_an_error_and_never_a_signal) {
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
Test(recorder_trouble, few_descriptors_are_enough_for_forty_agents) {
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

Test(recorder_trouble, too_few_descriptors_are_an_error_until_there_are_enough) {
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
Test(recorder_trouble, recorders_of_one_process_keep_less_than_half_of_its_descriptors) {
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
Test(recorder_trouble, one_recorder_gives_up_descriptors_that_another_needs) {
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

Test(recorder_trouble, a_summary_that_cannot_be_written_is_told_and_costs_no_record) {
  make_agent_folder("coach");
  cr_assert_eq(mkdir(agent_file("coach", "summary.json"), 0700), 0);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_RECORDED);
  cr_assert(message_with(HOST_MESSAGE_SUMMARY_NOT_WRITTEN));
  cr_assert(strstr(message_with(HOST_MESSAGE_SUMMARY_NOT_WRITTEN), "summary.json"));
  cr_assert_eq(rmdir(agent_file("coach", "summary.json")), 0);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_DUPLICATE);
  expect_summary_counts("fixed", "coach", 1);
}

Test(recorder_trouble, a_state_that_cannot_be_used_stops_marked_records_only) {
  make_agent_folder("coach");
  cr_assert_eq(symlink("/dev/null", agent_file("coach", ".state")), 0);
  cr_assert_eq(record_marked("k", true, -1).code, KAIZEN_E_IO);
  cr_assert(strstr(error.text, "agent coach: .state"), "%s", error.text);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(log_of("coach")), 1);
}

Test(recorder_trouble, records_are_durable_with_their_folders_before_they_are_recorded) {
  use_recorder(true, 2000);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_RECORDED, "%s", error.text);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_DUPLICATE, "%s", error.text);
  use_recorder(true, 2000);
  cr_assert_eq(record("coach", "k", true).code, KAIZEN_DUPLICATE, "%s", error.text);
}

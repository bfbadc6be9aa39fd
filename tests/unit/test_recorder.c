/* test_recorder.c - from a validated execution to the log, its summary and its keys: alone and
 * together with others.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "recorder_scene.h"

#include <pthread.h>
#include <sys/wait.h>

#include "record/event_id.h"
#include "store/checkpoint.h"

TestSuite(recorder, .init = set_up, .fini = tear_down);

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

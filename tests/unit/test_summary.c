/* test_summary.c - what a log adds up to, how it is written, and how the document is replaced.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <float.h>
#include <kaizen/plugin.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include "record/fold.h"
#include "store/summary.h"

TestSuite(summary, .init = sandbox_enter, .fini = sandbox_leave);

static void add(struct fold *fold, bool success, double quality, double time_s) {
  struct record record = {.timestamp_s = 1000,
                          .success = success,
                          .has_quality = quality >= 0,
                          .has_time = time_s >= 0,
                          .quality_score = quality,
                          .execution_time_s = time_s};

  fold_add(fold, &record, 0);
}

static struct summary sum_up(const struct fold *fold, unsigned window) {
  struct summary summary;

  summary_of(fold, window, &summary);
  return summary;
}

/* 's' a success, 'f' a failure. */
static struct summary of_outcomes(const char *outcomes, unsigned window) {
  struct fold fold;

  fold_init(&fold);
  for (; *outcomes; outcomes++)
    add(&fold, *outcomes == 's', -1, -1);
  return sum_up(&fold, window);
}

/* The fold. */

Test(fold, means_are_over_the_records_that_carry_the_field) {
  struct fold fold;
  struct summary summary;

  fold_init(&fold);
  add(&fold, true, 0.5, -1);
  add(&fold, false, -1, 10);
  add(&fold, true, 1.0, 20);
  summary = sum_up(&fold, 10);
  cr_assert_eq(summary.execution_count, 3);
  cr_assert_float_eq(summary.success_rate, 2.0 / 3.0, 0);
  cr_assert_float_eq(summary.avg_quality_score, 0.75, 0);
  cr_assert_float_eq(summary.avg_execution_time_s, 15.0, 0);
  cr_assert(summary.has_quality && summary.has_time);
}

Test(fold, nothing_adds_up_to_zeros_and_unknown) {
  struct fold fold;
  struct summary summary;

  fold_init(&fold);
  summary = sum_up(&fold, 10);
  cr_assert_eq(summary.execution_count, 0);
  cr_assert_float_eq(summary.success_rate, 0, 0);
  cr_assert_float_eq(summary.avg_quality_score, 0, 0);
  cr_assert_not(summary.has_quality || summary.has_time);
  cr_assert_eq(summary.last_execution_s, -1);
  cr_assert_eq(summary.trend_success_rate, KAIZEN_TREND_UNKNOWN);
  cr_assert_eq(summary.trend_quality_score, KAIZEN_TREND_UNKNOWN);
}

Test(fold, the_last_execution_is_the_greatest_readable_timestamp) {
  struct record record = {.timestamp_s = 300};
  struct fold fold;

  fold_init(&fold);
  fold_add(&fold, &record, 0);
  record.timestamp_s = 200;
  fold_add(&fold, &record, 0);
  record.timestamp_s = -1;
  fold_add(&fold, &record, 0);
  cr_assert_eq(fold.last_execution_s, 300);
  cr_assert_eq(fold.oldest_s, 200);
  cr_assert_eq(fold.execution_count, 3);
}

Test(fold, sums_are_taken_from_left_to_right) {
  struct fold fold;
  double sum = 0;

  fold_init(&fold);
  for (int i = 0; i < 1000; i++) {
    add(&fold, true, -1, 0.1 * i);
    sum += 0.1 * i;
  }
  cr_assert_float_eq(sum_up(&fold, 10).avg_execution_time_s, sum / 1000, 0);
}

Test(fold, a_sum_too_large_for_a_double_stays_a_number_json_has) {
  struct fold fold;

  fold_init(&fold);
  add(&fold, true, DBL_MAX, DBL_MAX);
  add(&fold, true, DBL_MAX, DBL_MAX);
  cr_assert(isfinite(sum_up(&fold, 10).avg_quality_score));
  cr_assert(isfinite(sum_up(&fold, 10).avg_execution_time_s));
  add(&fold, true, -DBL_MAX, -1);
  cr_assert(isfinite(sum_up(&fold, 10).avg_quality_score));
}

Test(fold, the_last_marked_line_is_remembered_by_id_and_end) {
  struct record record = {.marked = true, .event_id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"};
  struct fold fold;

  fold_init(&fold);
  fold_add(&fold, &record, 120);
  record.marked = false;
  fold_add(&fold, &record, 240);
  cr_assert_eq(fold.marked, 1);
  cr_assert_eq(fold.last_marked_end, 120);
  cr_assert_eq(fold.last_marked_id[0], 0x6b);
  cr_assert_eq(fold.last_marked_id[15], 0xc8);
}

/* Trends. */

Test(fold, trends_compare_the_last_window_with_the_one_before) {
  static const struct {
    const char *name, *outcomes;
    unsigned window;
    int32_t trend;
  } cases[] = {
      {"one record has nothing before it", "s", 10, KAIZEN_TREND_STABLE},
      {"a full window has nothing before it", "ffffffffff", 10, KAIZEN_TREND_STABLE},
      {"an eleventh has one before it", "fssssssssss", 10, KAIZEN_TREND_UP},
      {"one prior success against nine in ten", "sssssssssf", 10, KAIZEN_TREND_STABLE},
      {"ten failures, ten successes", "ffffffffffssssssssss", 10, KAIZEN_TREND_UP},
      {"ten successes, ten failures", "ssssssssssffffffffff", 10, KAIZEN_TREND_DOWN},
      {"one outcome of ten differs", "ssssssssssfsssssssss", 10, KAIZEN_TREND_DOWN},
      {"equal rates in another order", "sfsfsfsfsffsfsfsfsfs", 10, KAIZEN_TREND_STABLE},
      {"what lies before both windows does not count", "ffffffffffssssssssssssssssssss", 10,
       KAIZEN_TREND_STABLE},
      {"a window of one", "fs", 1, KAIZEN_TREND_UP},
      {"a window of two, one before it", "fss", 2, KAIZEN_TREND_UP},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    cr_expect_eq(of_outcomes(cases[i].outcomes, cases[i].window).trend_success_rate, cases[i].trend,
                 "%s", cases[i].name);
}

Test(fold, the_largest_window_looks_at_two_times_64_values_of_many) {
  struct fold fold;

  fold_init(&fold);
  for (int i = 0; i < 1000; i++)
    add(&fold, true, -1, -1);
  for (int i = 0; i < 64; i++)
    add(&fold, i % 8 != 0, -1, -1);
  cr_assert_eq(sum_up(&fold, FOLD_WINDOW_MAX).trend_success_rate, KAIZEN_TREND_DOWN);
  for (int i = 0; i < 64; i++)
    add(&fold, i % 8 != 0, -1, -1);
  cr_assert_eq(sum_up(&fold, FOLD_WINDOW_MAX).trend_success_rate, KAIZEN_TREND_STABLE);
}

Test(fold, the_quality_trend_skips_records_without_a_score) {
  struct fold fold;

  fold_init(&fold);
  for (int i = 0; i < 10; i++) {
    add(&fold, true, 0.25, -1);
    add(&fold, true, -1, -1);
  }
  cr_assert_eq(sum_up(&fold, 10).trend_quality_score, KAIZEN_TREND_STABLE);
  for (int i = 0; i < 10; i++)
    add(&fold, true, -1, -1);
  cr_assert_eq(sum_up(&fold, 10).trend_quality_score, KAIZEN_TREND_STABLE);
  for (int i = 0; i < 10; i++)
    add(&fold, true, 0.5, -1);
  cr_assert_eq(sum_up(&fold, 10).trend_quality_score, KAIZEN_TREND_UP);
}

Test(fold, a_change_of_exactly_the_threshold_is_a_change) {
  static const struct {
    const char *name;
    double before, after;
    int32_t trend;
  } cases[] = {
      {"0.0 to 0.05", 0.0, 0.05, KAIZEN_TREND_UP},
      {"0.0 to just less", 0.0, 0.049999999999999996, KAIZEN_TREND_STABLE},
      {"0.05 to 0.0", 0.05, 0.0, KAIZEN_TREND_DOWN},
      {"just less to 0.0", 0.049999999999999996, 0.0, KAIZEN_TREND_STABLE},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct fold fold;

    fold_init(&fold);
    add(&fold, true, cases[i].before, -1);
    add(&fold, true, cases[i].after, -1);
    cr_expect_eq(sum_up(&fold, 1).trend_quality_score, cases[i].trend, "%s", cases[i].name);
  }
}

/* The document. */

static char *document_of(const struct summary *summary) {
  struct buffer out = {0};

  summary_append_json(summary, &out);
  buffer_append_byte(&out, '\0');
  cr_assert_not(out.failed);
  sandbox.texts[sandbox.text_count++] = out.data;
  return out.data;
}

Test(summary, the_document_has_the_members_its_readers_ask_for) {
  struct summary summary = {.execution_count = 3,
                            .success_rate = 2.0 / 3.0,
                            .avg_quality_score = 0.9,
                            .avg_execution_time_s = 120,
                            .last_execution_s = 1767225600,
                            .trend_success_rate = KAIZEN_TREND_UP,
                            .trend_quality_score = KAIZEN_TREND_DOWN};

  cr_assert_str_eq(document_of(&summary), "{\n"
                                          "  \"execution_count\": 3,\n"
                                          "  \"success_rate\": 0.6666666666666666,\n"
                                          "  \"avg_quality_score\": 0.9,\n"
                                          "  \"avg_execution_time_s\": 120.0,\n"
                                          "  \"trend\": {\n"
                                          "    \"success_rate\": \"up\",\n"
                                          "    \"quality_score\": \"down\"\n"
                                          "  },\n"
                                          "  \"last_execution\": \"2026-01-01T00:00:00Z\"\n"
                                          "}\n");
}

Test(summary, an_empty_log_has_zeros_and_no_last_execution) {
  struct summary summary = {.last_execution_s = -1};

  cr_assert_str_eq(document_of(&summary), "{\n"
                                          "  \"execution_count\": 0,\n"
                                          "  \"success_rate\": 0.0,\n"
                                          "  \"avg_quality_score\": 0.0,\n"
                                          "  \"avg_execution_time_s\": 0.0,\n"
                                          "  \"trend\": {\n"
                                          "    \"success_rate\": \"unknown\",\n"
                                          "    \"quality_score\": \"unknown\"\n"
                                          "  },\n"
                                          "  \"last_execution\": null\n"
                                          "}\n");
}

/* Its replacement. */

static int open_root(void) {
  int fd = open(sandbox.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  cr_assert_geq(fd, 0);
  return fd;
}

static int replace(int folder, const char *text, struct error *error) {
  *error = (struct error){0};
  return summary_replace(folder, false, (struct span){text, strlen(text)}, error);
}

Test(summary, replacing_leaves_one_private_file_and_nothing_else) {
  int folder = open_root();
  struct error error;
  struct stat status;

  cr_assert_eq(replace(folder, "one\n", &error), 0, "%s", error.text);
  cr_assert_eq(replace(folder, "two\n", &error), 0, "%s", error.text);
  cr_assert_str_eq(text_of_file(in_sandbox("summary.json")), "two\n");
  cr_assert_not(is_there(in_sandbox(".summary.new")));
  cr_assert_eq(stat(in_sandbox("summary.json"), &status), 0);
  cr_assert_eq(status.st_mode & 07777, 0600);
  (void)close(folder);
}

Test(summary, a_reader_that_holds_the_old_document_never_sees_it_change) {
  int folder = open_root(), reader;
  struct error error;
  char text[16] = "";

  cr_assert_eq(replace(folder, "old\n", &error), 0);
  reader = open(in_sandbox("summary.json"), O_RDONLY | O_CLOEXEC);
  cr_assert_eq(replace(folder, "new\n", &error), 0);
  cr_assert_eq(replace(folder, "newer\n", &error), 0);
  cr_assert_eq(read(reader, text, sizeof text), 4);
  cr_assert_str_eq(text, "old\n");
  (void)close(reader);
  (void)close(folder);
}

static atomic_bool replaced_all;

/* Each document is one letter many times over. */
static void *read_whole_documents(void *ctx) {
  char text[5000];
  long *mixed = ctx;

  while (!atomic_load(&replaced_all)) {
    int fd = open(in_sandbox("summary.json"), O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text);

    for (ssize_t i = 1; i < got; i++)
      *mixed += text[i] != text[0];
    *mixed += got != 4000;
    if (fd >= 0)
      (void)close(fd);
  }
  return NULL;
}

Test(summary, readers_see_one_whole_document_at_any_moment) {
  int folder = open_root();
  char text[4001] = "";
  struct error error;
  pthread_t reader;
  long mixed = 0;

  memset(text, 'a', 4000);
  cr_assert_eq(replace(folder, text, &error), 0);
  cr_assert_eq(pthread_create(&reader, NULL, read_whole_documents, &mixed), 0);
  for (int i = 0; i < 500; i++) {
    memset(text, 'a' + i % 26, 4000);
    cr_assert_eq(replace(folder, text, &error), 0, "%s", error.text);
  }
  atomic_store(&replaced_all, true);
  cr_assert_eq(pthread_join(reader, NULL), 0);
  cr_assert_eq(mixed, 0, "%ld bytes or documents were mixed", mixed);
  (void)close(folder);
}

Test(summary, what_a_killed_replacement_left_is_in_nobodys_way) {
  int folder = open_root();
  struct error error;

  put_file(in_sandbox(".summary.new"), "half a docu");
  cr_assert_eq(replace(folder, "whole\n", &error), 0, "%s", error.text);
  cr_assert_str_eq(text_of_file(in_sandbox("summary.json")), "whole\n");
  cr_assert_not(is_there(in_sandbox(".summary.new")));
  (void)close(folder);
}

Test(summary, a_link_in_its_place_is_replaced_and_never_followed) {
  int folder = open_root();
  struct error error;

  put_file(in_sandbox("outside"), "not yours\n");
  cr_assert_eq(symlink("outside", in_sandbox("summary.json")), 0);
  cr_assert_eq(symlink("outside", in_sandbox(".summary.new")), 0);
  cr_assert_eq(replace(folder, "mine\n", &error), 0, "%s", error.text);
  cr_assert_str_eq(text_of_file(in_sandbox("summary.json")), "mine\n");
  cr_assert_str_eq(text_of_file(in_sandbox("outside")), "not yours\n");

  cr_assert_eq(unlink(in_sandbox("summary.json")), 0);
  cr_assert_eq(link(in_sandbox("outside"), in_sandbox("summary.json")), 0);
  cr_assert_eq(replace(folder, "mine\n", &error), 0, "%s", error.text);
  cr_assert_str_eq(text_of_file(in_sandbox("outside")), "not yours\n");
  (void)close(folder);
}

Test(summary, a_folder_in_its_place_is_named_each_time_and_left_alone) {
  int folder = open_root();
  struct error error;

  cr_assert_eq(mkdir(in_sandbox("summary.json"), 0700), 0);
  put_file(in_sandbox("summary.json/kept"), "kept\n");
  for (int i = 0; i < 3; i++) {
    cr_assert_eq(replace(folder, "text\n", &error), -1);
    cr_assert_eq(error.code, KAIZEN_E_IO);
    cr_assert(strstr(error.text, "summary.json") && strstr(error.text, "folder"), "%s", error.text);
  }
  cr_assert_str_eq(text_of_file(in_sandbox("summary.json/kept")), "kept\n");
  cr_assert_not(is_there(in_sandbox(".summary.new")));
  cr_assert_eq(remove(in_sandbox("summary.json/kept")), 0);
  cr_assert_eq(remove(in_sandbox("summary.json")), 0);
  cr_assert_eq(replace(folder, "text\n", &error), 0, "%s", error.text);
  (void)close(folder);
}

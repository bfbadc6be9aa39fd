/* criterion.h - as much of Criterion as the unit tests use, for machines without one.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * `qa/worlds` puts this folder before Criterion's: a test program is the same file.  Each test runs
 * in a process of its own, which is forked and not executed again. */
#ifndef KAIZEN_STAND_IN_CRITERION_H
#define KAIZEN_STAND_IN_CRITERION_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct criterion_test {
  const char *suite, *name;
  void (*run)(void), (*init)(void), (*fini)(void);
  double timeout; /* the caller of the program has one */
  struct criterion_test *next;
};

#define CRITERION_SKIPPED 77

/* A program may consist of several files that include this one. */
__attribute__((weak)) struct criterion_test *criterion_tests, *criterion_suites;
__attribute__((weak)) bool criterion_failed;

static inline void criterion_add(struct criterion_test **list, struct criterion_test *added) {
  added->next = *list;
  *list = added;
}

#define Test(suite_, name_, ...)                                                                   \
  static void suite_##_##name_(void);                                                              \
  static struct criterion_test suite_##_##name_##_test = {                                         \
      .suite = #suite_, .name = #name_, .run = suite_##_##name_, __VA_ARGS__};                     \
  __attribute__((constructor)) static void suite_##_##name_##_add(void) {                          \
    criterion_add(&criterion_tests, &suite_##_##name_##_test);                                     \
  }                                                                                                \
  static void suite_##_##name_(void)

#define TestSuite(suite_, ...)                                                                     \
  static struct criterion_test suite_##_suite = {.suite = #suite_, __VA_ARGS__};                   \
  __attribute__((constructor)) static void suite_##_suite_add(void) {                              \
    criterion_add(&criterion_suites, &suite_##_suite);                                             \
  }                                                                                                \
  struct criterion_test

/* ---- what a test says ------------------------------------------------------------------------ */

#define CRITERION_CHECK(fatal, holds, text, ...)                                                   \
  do {                                                                                             \
    if (!(holds)) {                                                                                \
      printf("[----] %s:%d: Assertion Failed: %s", __FILE__, __LINE__, text);                      \
      printf(" " __VA_ARGS__);                                                                     \
      printf("\n");                                                                                \
      (void)fflush(stdout);                                                                        \
      criterion_failed = true;                                                                     \
      if (fatal)                                                                                   \
        _exit(1);                                                                                  \
    }                                                                                              \
  } while (0)

#define cr_assert(a, ...) CRITERION_CHECK(true, a, #a, __VA_ARGS__)
#define cr_expect(a, ...) CRITERION_CHECK(false, a, #a, __VA_ARGS__)
#define cr_assert_not(a, ...) CRITERION_CHECK(true, !(a), "not " #a, __VA_ARGS__)
#define cr_expect_not(a, ...) CRITERION_CHECK(false, !(a), "not " #a, __VA_ARGS__)
#define cr_assert_fail(...) CRITERION_CHECK(true, false, "", __VA_ARGS__)
#define cr_assert_null(a, ...) CRITERION_CHECK(true, !(a), #a " is null", __VA_ARGS__)
#define cr_assert_not_null(a, ...) CRITERION_CHECK(true, (a) != NULL, #a, __VA_ARGS__)

#define CRITERION_COMPARE(fatal, a, is, b, ...)                                                    \
  CRITERION_CHECK(fatal, (a)is(b), #a " " #is " " #b, __VA_ARGS__)
#define cr_assert_eq(a, b, ...) CRITERION_COMPARE(true, a, ==, b, __VA_ARGS__)
#define cr_expect_eq(a, b, ...) CRITERION_COMPARE(false, a, ==, b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) CRITERION_COMPARE(true, a, !=, b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) CRITERION_COMPARE(true, a, <, b, __VA_ARGS__)
#define cr_expect_lt(a, b, ...) CRITERION_COMPARE(false, a, <, b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) CRITERION_COMPARE(true, a, <=, b, __VA_ARGS__)
#define cr_expect_leq(a, b, ...) CRITERION_COMPARE(false, a, <=, b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) CRITERION_COMPARE(true, a, >, b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) CRITERION_COMPARE(true, a, >=, b, __VA_ARGS__)
#define cr_expect_geq(a, b, ...) CRITERION_COMPARE(false, a, >=, b, __VA_ARGS__)
#define cr_assert_float_eq(a, b, within, ...)                                                      \
  CRITERION_CHECK(true, fabs((a) - (b)) <= (within), #a " is " #b, __VA_ARGS__)

#define CRITERION_TEXTS(fatal, a, is, b, ...)                                                      \
  CRITERION_CHECK(fatal, strcmp(a, b) is 0, #a " " #is " " #b, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) CRITERION_TEXTS(true, a, ==, b, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) CRITERION_TEXTS(false, a, ==, b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...) CRITERION_TEXTS(true, a, !=, b, __VA_ARGS__)
#define cr_expect_str_neq(a, b, ...) CRITERION_TEXTS(false, a, !=, b, __VA_ARGS__)
#define cr_assert_str_empty(a, ...) CRITERION_TEXTS(true, a, ==, "", __VA_ARGS__)
#define cr_assert_str_not_empty(a, ...) CRITERION_TEXTS(true, a, !=, "", __VA_ARGS__)
#define cr_assert_arr_eq(a, b, size, ...)                                                          \
  CRITERION_CHECK(true, memcmp(a, b, size) == 0, #a " is " #b, __VA_ARGS__)
#define cr_expect_arr_eq(a, b, size, ...)                                                          \
  CRITERION_CHECK(false, memcmp(a, b, size) == 0, #a " is " #b, __VA_ARGS__)

#define cr_skip() _exit(CRITERION_SKIPPED)
#define cr_skip_test(...) (printf("[SKIP] " __VA_ARGS__), printf("\n"), fflush(stdout), cr_skip())

/* ---- running them ---------------------------------------------------------------------------- */

static inline void criterion_run(const struct criterion_test *test) {
  const struct criterion_test *suite = criterion_suites;

  while (suite && strcmp(suite->suite, test->suite) != 0)
    suite = suite->next;
  if (suite && suite->init)
    suite->init();
  if (test->init)
    test->init();
  test->run();
  if (test->fini)
    test->fini();
  if (suite && suite->fini)
    suite->fini();
  (void)fflush(stdout);
  _exit(criterion_failed ? 1 : 0);
}

__attribute__((weak)) int main(void) {
  int tested = 0, passing = 0, crashing = 0, skipped = 0, status;

  for (const struct criterion_test *test = criterion_tests; test; test = test->next) {
    pid_t child = fork();

    if (child == 0)
      criterion_run(test);
    if (child < 0 || waitpid(child, &status, 0) != child)
      return 99;
    tested++;
    skipped += WIFEXITED(status) && WEXITSTATUS(status) == CRITERION_SKIPPED;
    passing += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    crashing += !WIFEXITED(status);
    if (status != 0)
      printf("[%s] %s::%s: status %x\n",
             WIFEXITED(status) && WEXITSTATUS(status) == CRITERION_SKIPPED ? "SKIP" : "FAIL",
             test->suite, test->name, (unsigned)status);
    (void)fflush(stdout);
  }
  tested -= skipped;
  printf("[====] Synthesis: Tested: %d | Passing: %d | Failing: %d | Crashing: %d\n", tested,
         passing, tested - passing, crashing);
  return tested == passing ? 0 : 1;
}

#endif

/* test_open_span.c - a run that has begun: its file, its time, and how one tells that it is lost.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <signal.h>
#include <sys/wait.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "store/open_span.h"

#define TOKEN "0a1b2c3d-0000-4000-8000-000000000001"
#define OTHER "0a1b2c3d-0000-4000-8000-000000000002"
#define DAY_NS INT64_C(86400000000000)

static struct error error;
static struct process_identity own;
static int folder_fd;

static void set_up(void) {
  sandbox_enter();
  folder_fd = open(sandbox.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  process_identity_own(&own);
}

static void tear_down(void) {
  (void)close(folder_fd);
  sandbox_leave();
}

TestSuite(open_span, .init = set_up, .fini = tear_down);

static struct open_span begun(void) {
  struct open_span span = {.exec_flags = KAIZEN_EXEC_EMIT,
                           .began_unix_ns = INT64_C(1790000000000000000),
                           .began_boot_ns = clock_boot_ns(),
                           .owner = own};

  buffer_append_text(&span.key, "a \"key\" \xE2\x80\xA8");
  buffer_append_text(&span.session_id, "s-1");
  return span;
}

Test(open_span, what_is_written_is_read) {
  struct open_span span = begun(), read;

  cr_assert_eq(open_span_create(folder_fd, TOKEN, &span, &error), 0, "%s", error.text);
  cr_assert_eq(open_span_read(folder_fd, TOKEN, &read, &error), 0, "%s", error.text);
  cr_expect(span_equal(buffer_span(&span.key), buffer_span(&read.key)));
  cr_expect(span_equal(buffer_span(&span.session_id), buffer_span(&read.session_id)));
  cr_expect_eq(read.exec_flags, KAIZEN_EXEC_EMIT);
  cr_expect_eq(read.began_unix_ns, span.began_unix_ns);
  cr_expect_eq(read.began_boot_ns, span.began_boot_ns);
  cr_expect_eq(memcmp(&read.owner, &own, sizeof own), 0);
  open_span_fini(&span);
  open_span_fini(&read);
}

Test(open_span, a_token_is_used_once_and_an_end_may_come_twice) {
  struct open_span span = begun(), read;

  cr_assert_eq(open_span_create(folder_fd, TOKEN, &span, &error), 0);
  cr_expect_eq(open_span_create(folder_fd, TOKEN, &span, &error), -1);
  cr_expect_eq(open_span_remove(folder_fd, TOKEN, &error), 0);
  cr_expect_eq(open_span_remove(folder_fd, TOKEN, &error), 0);
  cr_expect_eq(open_span_read(folder_fd, TOKEN, &read, &error), 1);
  open_span_fini(&span);
}

Test(open_span, a_file_that_cannot_be_understood_says_so) {
  static const char *const texts[] = {"", "{", "[]", "{}", "{\"key\":\"\"}", "{\"key\":7}"};
  struct open_span read;

  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    FILE *file = fopen(in_sandbox(".open-" TOKEN), "w");

    cr_assert(file);
    fputs(texts[i], file);
    fclose(file);
    cr_expect_eq(open_span_read(folder_fd, TOKEN, &read, &error), -1, "%s", texts[i]);
    cr_expect_eq(error.code, KAIZEN_E_REJECTED, "%s: %s", texts[i], error.text);
  }
}

static int note(void *ctx, const char *token) {
  char *seen = ctx;

  strcat(seen, token);
  strcat(seen, " ");
  return 0;
}

Test(open_span, only_spans_are_listed) {
  static const char *const others[] = {".open-", ".open-x", ".opened", "open-" TOKEN,
                                       ".open-" TOKEN ".new"};
  struct open_span span = begun();
  char seen[256] = "";

  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    (void)close(open(in_sandbox("%s", others[i]), O_WRONLY | O_CREAT, 0600));
  cr_assert_eq(open_span_create(folder_fd, OTHER, &span, &error), 0);
  cr_assert_eq(open_span_each(folder_fd, note, seen, &error), 0, "%s", error.text);
  cr_expect_str_eq(seen, OTHER " ");
  open_span_fini(&span);
}

/* The identity of a child; it is stopped, ended and reaped as the test wants. */
static struct process_identity child_of(pid_t *child) {
  struct process_identity identity;
  int ends[2];

  cr_assert_eq(pipe(ends), 0);
  *child = fork();
  if (*child == 0) {
    process_identity_own(&identity);
    (void)!write(ends[1], &identity, sizeof identity);
    for (;;)
      (void)pause();
  }
  cr_assert_eq(read(ends[0], &identity, sizeof identity), (ssize_t)sizeof identity);
  (void)close(ends[0]);
  (void)close(ends[1]);
  return identity;
}

Test(open_span, it_is_lost_once_its_process_has_ended) {
  struct open_span span = {.began_boot_ns = clock_boot_ns()};
  siginfo_t ended;
  pid_t child;

  span.owner = child_of(&child);
  cr_expect_not(open_span_is_lost(&span, &own), "it runs");
  (void)kill(child, SIGSTOP);
  cr_expect_not(open_span_is_lost(&span, &own), "it is stopped");
  (void)kill(child, SIGKILL);
  cr_assert_eq(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0);
  cr_expect_eq(open_span_is_lost(&span, &own), own.start_ticks != 0,
               "seen where states can be read");
  (void)waitpid(child, NULL, 0);
  cr_expect(open_span_is_lost(&span, &own), "it is gone");
}

Test(open_span, another_process_with_its_pid_is_not_it) {
  struct open_span span = begun();

  span.owner.start_ticks++;
  cr_expect_eq(open_span_is_lost(&span, &own), own.start_ticks != 0,
               "seen where starts can be read");
  open_span_fini(&span);
}

Test(open_span, another_boot_ended_it_and_its_time_cannot_be_told) {
  struct open_span span = begun();

  strcpy(span.owner.boot, "00000000-0000-0000-0000-000000000000");
  cr_expect(open_span_is_lost(&span, &own));
  cr_expect_eq(open_span_elapsed_ns(&span, &own), -1);
  open_span_fini(&span);
}

Test(open_span, in_another_pid_namespace_it_is_lost_after_a_day) {
  struct open_span span = begun();

  span.owner.pid_namespace++;
  cr_expect_not(open_span_is_lost(&span, &own));
  span.began_boot_ns -= DAY_NS - INT64_C(60000000000);
  cr_expect_not(open_span_is_lost(&span, &own));
  span.began_boot_ns -= INT64_C(120000000000);
  cr_expect(open_span_is_lost(&span, &own));
  open_span_fini(&span);
}

Test(open_span, a_wrong_wall_clock_ends_none_where_the_boot_is_not_known) {
  struct open_span span = begun();

  span.owner.boot[0] = '\0';
  span.owner.pid_namespace++;
  span.began_unix_ns = 0; /* the wall clock is decades ahead now */
  cr_expect_not(open_span_is_lost(&span, &own));
  span.began_boot_ns -= DAY_NS + INT64_C(60000000000);
  cr_expect(open_span_is_lost(&span, &own));
  open_span_fini(&span);
}

Test(open_span, its_time_is_counted_by_the_clock_of_the_boot) {
  struct open_span span = begun();

  span.began_boot_ns -= INT64_C(5000000000);
  span.began_unix_ns = INT64_C(4000000000000000000); /* a wall clock that was wrong */
  cr_expect_geq(open_span_elapsed_ns(&span, &own), INT64_C(5000000000));
  span.began_boot_ns = clock_boot_ns() + DAY_NS;
  cr_expect_eq(open_span_elapsed_ns(&span, &own), -1);
  open_span_fini(&span);
}

/* test_delivery.c - what is sent again when somebody asks for it since a time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "project_sandbox.h"

#include <kaizen/plugin.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "store/agent.h"
#include "store/agent_fold.h"
#include "store/agent_state.h"
#include "store/delivery.h"
#include "store/project_identity.h"

#define NS_PER_S INT64_C(1000000000)
#define HOUR_NS (3600 * NS_PER_S)
#define BEGIN_NS (INT64_C(1767225600) * NS_PER_S)
#define LINE(number)                                                                               \
  "{\"timestamp\":\"2026-01-01T00:00:00Z\",\"agent\":\"coach\",\"success\":true,\"event_id\":"     \
  "\"00000000-0000-4000-8000-00000000000" number "\",\"event\":{}}\n"

TestSuite(delivery, .init = enter_project, .fini = leave_project);

/* In the place of libc's: while somebody waits for the agent's lock, another program removes its
 * file, and a process takes the new one. */
static bool removes_lock;
static int new_lock_fd = -1;

int flock(int fd, int operation) {
  struct stat named, held;

  if (removes_lock && operation & LOCK_EX && fstat(fd, &held) == 0 &&
      stat(agent_file("coach", ".lock"), &named) == 0 && named.st_ino == held.st_ino) {
    removes_lock = false;
    cr_assert_eq(unlink(agent_file("coach", ".lock")), 0);
    new_lock_fd = open(agent_file("coach", ".lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(syscall(SYS_flock, new_lock_fd, LOCK_EX), 0);
  }
  return (int)syscall(SYS_flock, fd, operation);
}

/* One line was acknowledged at each of these times, in the order of the log. */
static void acknowledge_at(const int64_t *wall_ns, unsigned count) {
  unsigned char id[PROJECT_ID_SIZE], line_id[16];
  struct cursor_progress progress;
  struct agent_state state;
  struct agent agent;
  bool changed;

  agent_init(&agent, &project, "coach");
  cr_assert_eq(agent_fold_acquire(&agent, clock_monotonic_ns() + 2 * NS_PER_S, &error), 0);
  cr_assert_eq(project_identity(&project, id, &error), 0, "%s", error.text);
  cr_assert_eq(agent_state_claim(agent.fd, id, &agent.fold, false, &state, &changed, &error), 0);
  cursor_begin(&state.cursor, wall_ns[0]);
  for (unsigned i = 0; i < count; i++) {
    char text[UUID_TEXT_SIZE];

    (void)snprintf(text, sizeof text, "00000000-0000-4000-8000-%012u", i + 1);
    uuid_pack(text, line_id);
    cursor_progress_begin(&progress, state.cursor.epoch, cursor_line_id(&state.cursor), wall_ns[i]);
    cursor_progress_pass(&progress, line_id, 0, false);
    cr_assert_eq(cursor_advance(&state.cursor, &progress, false), 0);
  }
  cr_assert_eq(agent_state_store(agent.fd, &state, false, &error), 0);
  agent_release(&agent);
  agent_close(&agent);
}

static uint64_t resend_since(int64_t unix_ns) {
  uint64_t count;

  cr_assert_eq(delivery_resend(&project, unix_ns, 2000, &count, &error), 0, "%s", error.text);
  return count;
}

Test(delivery, everything_since_then_is_sent_again_and_what_the_mark_before_it_tells) {
  static const int64_t times[] = {BEGIN_NS, BEGIN_NS + HOUR_NS, BEGIN_NS + 2 * HOUR_NS,
                                  BEGIN_NS + 3 * HOUR_NS};

  make_agent_folder("coach");
  put_file(agent_file("coach", AGENT_LOG_FILE), LINE("1") LINE("2") LINE("3") LINE("4"));
  acknowledge_at(times, 4);
  cr_assert_eq(resend_since(BEGIN_NS + 2 * HOUR_NS + HOUR_NS / 2), 2);
}

Test(delivery, a_clock_that_was_wrong_in_between_hides_nothing) {
  static const struct {
    const char *what;
    int64_t wrong_ns;
  } cases[] = {{"1970", 1000 * NS_PER_S}, {"2099", BEGIN_NS + 73 * 365 * 24 * HOUR_NS}};

  make_agent_folder("coach");
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    const int64_t times[] = {BEGIN_NS, BEGIN_NS + HOUR_NS, cases[i].wrong_ns,
                             BEGIN_NS + 2 * HOUR_NS};

    put_file(agent_file("coach", AGENT_LOG_FILE), LINE("1") LINE("2") LINE("3") LINE("4"));
    acknowledge_at(times, 4);
    cr_expect_eq(resend_since(BEGIN_NS + HOUR_NS / 2), 4, "%s", cases[i].what);
  }
}

Test(delivery, a_state_is_not_made_under_a_lock_that_was_removed) {
  uint64_t count;

  make_agent_folder("coach");
  put_file(agent_file("coach", AGENT_LOG_FILE), LINE("1") LINE("2"));
  removes_lock = true;
  cr_assert_eq(delivery_resend(&project, 0, 100, &count, &error), -1);
  cr_assert_eq(error.code, KAIZEN_E_BUSY, "%s", error.text);
  cr_assert_geq(new_lock_fd, 0, "nobody waited for the lock");
  cr_assert_not(is_there(agent_file("coach", ".state")), "another process may be writing it");
  (void)close(new_lock_fd);
  error = (struct error){0};
  cr_assert_eq(delivery_resend(&project, 0, 2000, &count, &error), 0, "%s", error.text);
}

Test(delivery, a_ring_of_times_that_cannot_be_hides_nothing) {
  static const int64_t times[] = {BEGIN_NS, BEGIN_NS + HOUR_NS, BEGIN_NS + 2 * HOUR_NS,
                                  BEGIN_NS + 3 * HOUR_NS};
  struct agent_state state;
  bool damaged;
  int fd;

  make_agent_folder("coach");
  put_file(agent_file("coach", AGENT_LOG_FILE), LINE("1") LINE("2") LINE("3") LINE("4"));
  acknowledge_at(times, 4);
  fd = open(in_sandbox(".kaizen/metrics/coach"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  cr_assert_eq(agent_state_load(fd, &state, &damaged, &error), 0);
  state.cursor.mark_count = CURSOR_MARKS;
  for (unsigned i = 0; i < CURSOR_MARKS; i++) {
    state.cursor.marks[i].time_s = INT64_C(10000000000); /* too large in nanoseconds */
    memcpy(state.cursor.marks[i].id, state.cursor.recent[2], sizeof state.cursor.marks[i].id);
  }
  cr_assert_eq(agent_state_store(fd, &state, false, &error), 0);
  (void)close(fd);
  cr_assert_eq(resend_since(BEGIN_NS), 4);
}

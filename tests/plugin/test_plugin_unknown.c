/* test_plugin_unknown.c - what is unknown is reported as unknown by every call, never as nothing.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_under_test.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

static const struct kaizen_inspect_1 *inspect;
static const struct kaizen_delivery_1 *delivery;
static char output[16384];

static int32_t take_output(void *ctx, const char *data, size_t len) {
  (void)ctx;
  cr_assert_lt(len, sizeof output);
  memcpy(output, data, len);
  output[len] = '\0';
  return 0;
}

/* Two events of the coach, one of another agent; nobody publishes. */
static void set_up(void) {
  enter_plugin();
  inspect = plugin->get_extension(KAIZEN_INSPECT_1);
  delivery = plugin->get_extension(KAIZEN_DELIVERY_1);
  use_instance(",\"emit_event\":true,\"lock_timeout_ms\":100");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(record_success(instance, "other", NULL), KAIZEN_RECORDED);
}

static bool no_threads;

/* Stands before the library's, for the plugin as well. */
__attribute__((visibility("default"))) int pthread_create(pthread_t *thread,
                                                          const pthread_attr_t *attributes,
                                                          void *(*run)(void *), void *ctx) {
  static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

  if (no_threads)
    return EAGAIN;
  if (!real)
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
  return real(thread, attributes, run, ctx);
}

TestSuite(plugin_unknown, .init = set_up, .fini = leave_plugin);

static void report(void) {
  cr_assert_eq(inspect->delivery(instance, take_output, NULL), KAIZEN_OK, "%s", why(instance));
}

/* The coach's events are in no count; `cause` stands in each text. */
static void must_be_unknown(int32_t code, const char *cause) {
  struct kaizen_stats stats = stats_of(instance);
  uint64_t pending = 99;

  cr_assert_eq(plugin->flush(instance, 0, &pending), code);
  cr_assert_eq(pending, 1, "what is known is told");
  cr_assert(strstr(why(instance), "coach") && strstr(why(instance), cause), "%s", why(instance));
  cr_assert_eq(stats.flags, KAIZEN_STATS_INCOMPLETE);
  cr_assert_eq(stats.unknown_agents, 1);
  cr_assert(strstr(stats.incomplete_reason, "coach"), "%s", stats.incomplete_reason);
  cr_assert(strstr(stats.incomplete_reason, cause), "%s", stats.incomplete_reason);
  cr_assert_eq(stats.pending, 1);
  report();
  cr_assert(strstr(output, "\"complete\":false,\"unreadable\":[{\"agent\":\"coach\""), "%s",
            output);
  cr_assert(strstr(output, cause), "%s", output);
  cr_assert(strstr(output, "{\"agent\":\"other\",\"execution_count\":1"), "%s", output);
}

Test(plugin_unknown, where_all_can_be_read_nothing_is) {
  uint64_t pending;

  cr_assert_eq(plugin->flush(instance, 0, &pending), KAIZEN_PENDING);
  cr_assert_eq(pending, 3);
  cr_assert_eq(stats_of(instance).flags, 0);
  cr_assert_eq(stats_of(instance).unknown_agents, 0);
  report();
  cr_assert(strstr(output, "\"complete\":true,\"unreadable\":[]}"), "%s", output);
}

Test(plugin_unknown, a_log_with_another_name) {
  cr_assert_eq(link(agent_file("coach", "executions.jsonl"), in_sandbox("backup")), 0);
  must_be_unknown(KAIZEN_E_IO, "hard links");
}

/* Two of its events were pending. */
Test(plugin_unknown, a_log_that_is_gone) {
  cr_assert_eq(unlink(agent_file("coach", "executions.jsonl")), 0);
  must_be_unknown(KAIZEN_E_IO, "gone");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(stats_of(instance).unknown_agents, 0);
}

Test(plugin_unknown, a_lock_with_another_name) {
  cr_assert_eq(link(agent_file("coach", ".lock"), in_sandbox("backup")), 0);
  must_be_unknown(KAIZEN_E_IO, "hard links");
}

Test(plugin_unknown, a_state_that_is_a_folder) {
  put_file(agent_file("coach", ".state"), "");
  cr_assert_eq(unlink(agent_file("coach", ".state")), 0);
  cr_assert_eq(mkdir(agent_file("coach", ".state"), 0700), 0);
  must_be_unknown(KAIZEN_E_IO, ".state");
}

Test(plugin_unknown, a_log_of_another_owner) {
  if (geteuid() != 0)
    cr_skip("only root can give a file away");
  cr_assert_eq(chown(agent_file("coach", "executions.jsonl"), 65534, 65534), 0);
  must_be_unknown(KAIZEN_E_IO, "belongs to user 65534");
}

Test(plugin_unknown, a_lock_that_is_held) {
  int lock = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);

  cr_assert_eq(flock(lock, LOCK_EX), 0);
  must_be_unknown(KAIZEN_E_BUSY, "lock");
  (void)close(lock);
  cr_assert_eq(stats_of(instance).pending, 3);
}

Test(plugin_unknown, a_turnstile_that_is_held) {
  int next = open(agent_file("coach", ".next"), O_RDWR | O_CLOEXEC);

  cr_assert_eq(flock(next, LOCK_EX), 0);
  must_be_unknown(KAIZEN_E_BUSY, "lock");
  (void)close(next);
}

Test(plugin_unknown, a_folder_that_was_moved_behind_a_link) {
  cr_assert_eq(rename(agent_file("coach", ""), in_sandbox("elsewhere")), 0);
  cr_assert_eq(symlink(in_sandbox("elsewhere"), in_sandbox(".kaizen/metrics/coach")), 0);
  must_be_unknown(KAIZEN_E_IO, "link");
}

Test(plugin_unknown, an_identity_that_cannot_be_read) {
  struct kaizen_stats stats;
  uint64_t pending;

  cr_assert_eq(link(in_sandbox(".kaizen/metrics/.id"), in_sandbox("backup")), 0);
  stats = stats_of(instance);
  cr_assert_eq(stats.flags, KAIZEN_STATS_INCOMPLETE, "all of them look held, and are not");
  cr_assert_eq(stats.unknown_agents, 2);
  cr_assert(strstr(stats.incomplete_reason, ".id"), "%s", stats.incomplete_reason);
  cr_assert_eq(plugin->flush(instance, 0, &pending), KAIZEN_E_IO);
}

Test(plugin_unknown, one_agent_keeps_no_decision_from_the_others) {
  uint64_t count = 0;

  cr_assert_eq(unlink(in_sandbox(".kaizen/metrics/.id")), 0); /* now all events are held */
  cr_assert_eq(link(agent_file("coach", ".lock"), in_sandbox("backup")), 0);
  cr_assert_eq(delivery->assume_sent(instance, &count), KAIZEN_E_IO);
  cr_assert(strstr(why(instance), "coach: .lock"), "%s", why(instance));
  cr_assert_eq(count, 1, "the other agent's");
}

Test(plugin_unknown, many_held_locks_are_waited_for_together) {
  enum { AGENTS = 40 };
  int locks[AGENTS];
  char name[16];

  for (int i = 0; i < AGENTS; i++) {
    (void)snprintf(name, sizeof name, "a%d", i);
    cr_assert_eq(record_success(instance, name, NULL), KAIZEN_RECORDED);
    locks[i] = open(agent_file(name, ".lock"), O_RDWR | O_CLOEXEC);
    cr_assert_eq(flock(locks[i], LOCK_EX), 0);
  }
  cr_assert_eq(stats_of(instance).unknown_agents, AGENTS);
  cr_assert_eq(stats_of(instance).pending, 3, "a held lock hides no other agent");
  for (int i = 0; i < AGENTS; i++)
    (void)close(locks[i]);
  cr_assert_eq(stats_of(instance).flags, 0);
  cr_assert_eq(stats_of(instance).pending, 3 + AGENTS);
}

/* A process of its own that has the publisher's lock, as if it were elected. */
static pid_t publish_elsewhere(void) {
  int told[2];
  pid_t child;
  char byte;

  cr_assert_eq(pipe(told), 0);
  child = fork();
  if (child == 0) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    int fd = open(in_sandbox(".kaizen/metrics/.publisher.lock"), O_RDWR | O_CREAT, 0600);

    if (fcntl(fd, F_SETLK, &lock) == 0)
      (void)!write(told[1], "", 1);
    for (;;)
      (void)pause();
  }
  (void)close(told[1]);
  cr_assert_eq(read(told[0], &byte, 1), 1);
  (void)close(told[0]);
  return child;
}

Test(plugin_unknown, a_publisher_that_is_stopped_is_named_to_who_is_not_attached) {
  char holder[64];
  pid_t child = publish_elsewhere();

  (void)snprintf(holder, sizeof holder, "\"holder_pid\":%ld,", (long)child);
  report();
  cr_assert(strstr(output, holder) && strstr(output, "\"holder_stopped\":false"), "%s", output);
  cr_assert_eq(kill(child, SIGSTOP), 0);
  cr_assert_eq(waitpid(child, NULL, WUNTRACED), child);
  report();
#if KAIZEN_LINUX_CALLS
  cr_expect(strstr(output, holder) && strstr(output, "\"holder_stopped\":true"), "%s", output);
#endif
  cr_assert_eq(kill(child, SIGKILL), 0);
  cr_assert_eq(waitpid(child, NULL, 0), child);
}

Test(plugin_unknown, what_is_left_is_told_by_a_stop_without_a_publisher) {
  cr_assert_eq(plugin->stop(instance, 0), KAIZEN_OK, "a relay sends them");
  cr_assert_eq(plugin->configure_key(instance, "delivery", "in-process", KAIZEN_NTS), KAIZEN_OK);
  no_threads = true;
  cr_assert_eq(plugin->start(instance), KAIZEN_OK, "%s", why(instance));
  cr_assert_eq(stats_of(instance).publisher, KAIZEN_PUBLISHER_OFF);
  cr_assert_eq(plugin->stop(instance, 0), KAIZEN_PENDING);
  cr_assert_eq(link(agent_file("coach", "executions.jsonl"), in_sandbox("backup")), 0);
  cr_assert_eq(plugin->start(instance), KAIZEN_OK, "%s", why(instance));
  cr_assert_eq(plugin->stop(instance, 0), KAIZEN_PENDING);
  cr_assert(strstr(why(instance), "coach"), "%s", why(instance));
}

/* test_plugin_life.c - instances in their host's process: beside each other, beside threads that
 * record, in a forked child, and again and again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_under_test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/wait.h>

TestSuite(plugin_life, .init = enter_plugin, .fini = leave_plugin);

/* Holds the agent's lock as another process would; a recording call then waits. */
static int hold_lock(void) {
  int fd = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);

  cr_assert_geq(fd, 0);
  cr_assert_eq(flock(fd, LOCK_EX), 0);
  return fd;
}

/* Instances. */

Test(plugin_life, several_instances_share_a_root_and_its_keys) {
  struct kaizen_host_v1 host = plain_host();
  struct kaizen_instance *second;

  use_instance("");
  second = start_instance(&host, sandbox.root, "");
  cr_assert_eq(record_success(instance, "coach", "k"), KAIZEN_RECORDED);
  cr_assert_eq(record_success(second, "coach", "k"), KAIZEN_DUPLICATE);
  cr_assert_eq(record_success(second, "coach", "l"), KAIZEN_RECORDED);
  cr_assert_eq(record_success(instance, "coach", "l"), KAIZEN_DUPLICATE);
  cr_assert_eq(stats_of(instance).recorded, 1);
  cr_assert_eq(stats_of(second).recorded, 1);
  plugin->destroy(second);
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(coach_log()), 3);
}

Test(plugin_life, two_roots_have_nothing_in_common) {
  struct kaizen_host_v1 host = plain_host();
  struct kaizen_instance *second;

  use_instance("");
  cr_assert_eq(mkdir(in_sandbox("other"), 0700), 0);
  second = start_instance(&host, in_sandbox("other"), "");
  cr_assert_eq(record_success(instance, "coach", "k"), KAIZEN_RECORDED);
  cr_assert_eq(record_success(second, "coach", "k"), KAIZEN_RECORDED);
  plugin->destroy(second);
}

Test(plugin_life, one_configured_anew_records_in_its_new_root) {
  use_instance("");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(plugin->stop(instance, 0), KAIZEN_OK);
  cr_assert_eq(mkdir(in_sandbox("other"), 0700), 0);
  cr_assert_eq(configure_in(instance, in_sandbox("other"), ""), KAIZEN_OK, "%s", why(instance));
  cr_assert_eq(plugin->start(instance), KAIZEN_OK);
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(coach_log()), 1);
  cr_assert_eq(lines_of_file(in_sandbox("other/.kaizen/metrics/coach/executions.jsonl")), 1);
}

/* Calls in progress. */

struct recording {
  pthread_t thread;
  atomic_bool begun;
  int32_t code;
};

static void *record_in_thread(void *ctx) {
  struct recording *recording = ctx;

  atomic_store(&recording->begun, true);
  recording->code = record_success(instance, "coach", NULL);
  return NULL;
}

/* The queue of the agent's turnstile is where a waiting call is seen from outside. */
static void wait_until_it_waits(void) {
  int fd = open(agent_file("coach", ".next"), O_RDWR | O_CLOEXEC);

  while (flock(fd, LOCK_SH | LOCK_NB) == 0) {
    (void)flock(fd, LOCK_UN);
    (void)nanosleep(&(struct timespec){0, 100000}, NULL);
  }
  (void)close(fd);
}

static void begin_recording(struct recording *recording) {
  cr_assert_eq(pthread_create(&recording->thread, NULL, record_in_thread, recording), 0);
  wait_until_it_waits();
}

Test(plugin_life, stopping_does_not_wait_for_a_recording_which_then_still_is_recorded) {
  struct recording recording = {.code = 77};
  int lock;

  use_instance(",\"lock_timeout_ms\":60000");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  lock = hold_lock();
  begin_recording(&recording);
  cr_assert_eq(plugin->stop(instance, 0), KAIZEN_OK);
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_E_STOPPED);
  cr_assert_eq(mkdir(in_sandbox("other"), 0700), 0);
  cr_assert_eq(configure_in(instance, in_sandbox("other"), ""), KAIZEN_OK, "%s", why(instance));
  cr_assert_eq(stats_of(instance).state, 1);
  (void)close(lock);
  cr_assert_eq(pthread_join(recording.thread, NULL), 0);
  cr_assert_eq(recording.code, KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(coach_log()), 2);
}

Test(plugin_life, a_cancelled_thread_finishes_its_recording_first) {
  struct recording recording = {.code = 77};
  void *result;
  int lock;

  use_instance(",\"lock_timeout_ms\":60000");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  lock = hold_lock();
  begin_recording(&recording);
  cr_assert_eq(pthread_cancel(recording.thread), 0);
  (void)close(lock);
  cr_assert_eq(pthread_join(recording.thread, &result), 0);
  cr_assert_eq(recording.code, KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(coach_log()), 2);
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
}

/* Forks. */

/* The child ends without looking back: what the parent's other threads held is lost to it. */
static int32_t code_in_child(int32_t (*call)(void)) {
  int ends[2];
  int32_t code = 77;
  pid_t child;

  cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
  child = fork();
  if (child == 0) {
    code = call();
    (void)!write(ends[1], &code, sizeof code);
    (void)raise(SIGKILL);
  }
  (void)close(ends[1]);
  cr_assert_eq(read(ends[0], &code, sizeof code), (ssize_t)sizeof code, "the child gave no answer");
  (void)close(ends[0]);
  cr_assert_eq(waitpid(child, NULL, 0), child);
  return code;
}

static int32_t child_configure(void) {
  return plugin->configure(instance, "{}", KAIZEN_NTS);
}
static int32_t child_start(void) {
  return plugin->start(instance);
}
static int32_t child_record(void) {
  return record_success(instance, "coach", NULL);
}
static int32_t child_record_json(void) {
  return plugin->on_execution_end_json(instance, "{}", 2, 0, NULL, NULL);
}
static int32_t child_flush(void) {
  return plugin->flush(instance, 1000, NULL);
}
static int32_t child_stats(void) {
  struct kaizen_stats stats = {.struct_size = sizeof stats, .recorded = 7};
  int32_t code = plugin->stats(instance, &stats);

  return stats.recorded == 0 ? code : 0;
}
static int32_t child_stop(void) {
  return plugin->stop(instance, 1000);
}
static int32_t child_inspect(void) {
  const struct kaizen_inspect_1 *inspect = plugin->get_extension(KAIZEN_INSPECT_1);
  struct kaizen_summary summary = {.struct_size = sizeof summary};

  return inspect->summary(instance, "coach", KAIZEN_NTS, &summary);
}
static int32_t child_of_its_own(void) {
  struct kaizen_host_v1 host = plain_host();
  struct kaizen_instance *own = NULL;

  plugin->destroy(instance); /* the parent's: nothing happens */
  if (plugin->create(&host, &own) != KAIZEN_OK ||
      configure_in(own, sandbox.root, "") != KAIZEN_OK || plugin->start(own) != KAIZEN_OK ||
      record_success(own, "coach", NULL) != KAIZEN_RECORDED)
    return KAIZEN_E_IO;
  plugin->destroy(own);
  return KAIZEN_OK;
}

Test(plugin_life, a_forked_child_is_answered_at_once_while_the_parent_holds_every_lock) {
  int32_t (*const calls[])(void) = {child_configure, child_start, child_record, child_record_json,
                                    child_flush,     child_stats, child_stop,   child_inspect};
  struct recording recording = {.code = 77};
  int lock;

  use_instance(",\"lock_timeout_ms\":60000");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  lock = hold_lock();
  begin_recording(&recording);
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    cr_expect_eq(code_in_child(calls[i]), KAIZEN_E_FORKED, "call %zu", i);
  (void)close(lock);
  cr_assert_eq(pthread_join(recording.thread, NULL), 0);
  cr_assert_eq(recording.code, KAIZEN_RECORDED);
  cr_assert_eq(code_in_child(child_of_its_own), KAIZEN_OK);
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(coach_log()), 4);
}

/* Growth. */

static long status_value(const char *name) {
  char line[256];
  long value = -1;
  FILE *file = fopen("/proc/self/status", "re");

  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, name, strlen(name)) == 0)
      value = strtol(line + strlen(name) + 1, NULL, 10);
  (void)fclose(file);
  return value;
}

/* Tools that keep freed memory on purpose make the resident size grow by themselves. */
static bool memory_is_watched(void) {
  const char *preloaded = getenv("LD_PRELOAD");

#if defined(__SANITIZE_ADDRESS__)
  return true;
#endif
  return preloaded && strstr(preloaded, "vgpreload");
}

static void live_once(void) {
  void *file;
  const struct kaizen_plugin_v1 *opened = open_plugin(&file);

  cr_assert_eq(opened, plugin);
  use_instance(",\"emit_event\":true");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(record_success(instance, "other", "k") < 0, 0);
  (void)stats_of(instance);
  plugin->destroy(instance);
  instance = NULL;
  cr_assert_eq(dlclose(file), 0);
}

Test(plugin_life, opened_used_and_closed_a_hundred_times_nothing_grows) {
  unsigned descriptors;
  long threads, resident_kib;

  for (int i = 0; i < 20; i++)
    live_once();
  descriptors = open_descriptors();
  threads = status_value("Threads:");
  resident_kib = status_value("VmRSS:");
  for (int i = 0; i < 100; i++)
    live_once();
  cr_assert_eq(open_descriptors(), descriptors);
  cr_assert_eq(status_value("Threads:"), threads);
  /* a leak of one page a life would be 400 KiB */
  cr_assert(memory_is_watched() || status_value("VmRSS:") - resident_kib < 300, "%ld KiB more",
            status_value("VmRSS:") - resident_kib);
}

Test(plugin_life, a_host_that_does_not_emit_has_no_thread_and_no_broker_library_of_ours) {
  long threads = status_value("Threads:");
  char line[512];
  FILE *maps;

  use_instance("");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(status_value("Threads:"), threads);
  maps = fopen("/proc/self/maps", "re");
  while (maps && fgets(line, sizeof line, maps))
    cr_assert_null(strstr(line, "libnats"), "%s", line);
  (void)fclose(maps);
}

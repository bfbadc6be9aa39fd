/* test_plugin_life.c - the plugin in its host's process: threads, forks, messages, and what it
 * leaves untouched.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_under_test.h"

#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>

TestSuite(plugin_life, .init = enter_plugin, .fini = leave_plugin);

extern char **environ;

static const char *coach_log(void) {
  return agent_file("coach", "executions.jsonl");
}

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

/* Descriptors. */

static atomic_bool chatting;

/* What a daemon prints to a standard error output that it has closed. */
static void *chat(void *ctx) {
  while (atomic_load(&chatting))
    (void)!write(STDERR_FILENO, "HOST", 4);
  return ctx;
}

/* What the host printed is in no summary that was ever in its place. */
static bool summary_is_clean(void) {
  char text[4096] = "";
  int fd = open(agent_file("coach", "summary.json"), O_RDONLY);
  ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;

  (void)close(fd);
  return got > 0 && !strstr(text, "HOST");
}

/* 0, or what is wrong. */
static int record_without_standard_descriptors(const char *root, int first_closed) {
  struct kaizen_host_v1 host = plain_host();
  struct kaizen_instance *own = NULL;
  pthread_t thread;
  int wrong = 0;

  for (int fd = first_closed; fd < 3; fd++)
    (void)close(fd);
  atomic_store(&chatting, true);
  if (plugin->create(&host, &own) != KAIZEN_OK || configure_in(own, root, "") != KAIZEN_OK ||
      plugin->start(own) != KAIZEN_OK || pthread_create(&thread, NULL, chat, NULL) != 0)
    return 1;
  for (int i = 0; i < 300 && !wrong; i++) {
    if (record_success(own, "coach", NULL) != KAIZEN_RECORDED)
      wrong = 2;
    for (int fd = first_closed; fd < 3; fd++)
      if (fcntl(fd, F_GETFD) >= 0)
        wrong = 3;
    if (!wrong && !summary_is_clean())
      wrong = 4;
  }
  atomic_store(&chatting, false);
  (void)pthread_join(thread, NULL);
  plugin->destroy(own);
  return wrong;
}

Test(plugin_life, standard_descriptors_that_the_host_closed_are_never_ours) {
  /* what is opened gets the lowest number that is free: 0, or the one that is printed to */
  for (int first_closed = 0; first_closed < 3; first_closed += 2) {
    pid_t child = fork();
    int status;

    if (child == 0)
      _exit(record_without_standard_descriptors(sandbox.root, first_closed));
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status), "%x", (unsigned)status);
    cr_expect_eq(WEXITSTATUS(status), 0, "from %d on: %d", first_closed, WEXITSTATUS(status));
    cr_expect_not(strstr(text_of_file(agent_file("coach", "executions.jsonl")), "HOST"));
  }
  cr_expect_eq(lines_of_file(agent_file("coach", "executions.jsonl")), 600);
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

/* Messages. */

static struct {
  atomic_uint count;
  pthread_t thread; /* the one that is inside a call */
  bool inside, outside_call, reenter;
  int32_t level, id;
  char text[512];
} heard;

static void hear(void *ctx, int32_t level, int32_t id, const char *text, size_t len) {
  heard.count++;
  heard.outside_call |= !heard.inside || !pthread_equal(heard.thread, pthread_self());
  heard.level = level;
  heard.id = id;
  (void)snprintf(heard.text, sizeof heard.text, "%.*s", (int)len, text);
  cr_assert_eq(ctx, &heard);
  cr_assert_eq(text[len], '\0');
  if (heard.reenter)
    (void)stats_of(instance);
}

static void use_listening_instance(uint32_t log_level) {
  struct kaizen_host_v1 host = plain_host();

  memset(&heard, 0, sizeof heard);
  heard.thread = pthread_self();
  host.ctx = &heard;
  host.log = hear;
  host.log_level = log_level;
  plugin->destroy(instance);
  instance = start_instance(&host, sandbox.root, ",\"delivery\":\"relay\"");
}

static int32_t call_inside(int32_t (*call)(void)) {
  int32_t code;

  heard.inside = true;
  code = call();
  heard.inside = false;
  return code;
}

static int32_t record_garbage_before(void) {
  append_to_file(coach_log(), "garbage\n");
  return record_success(instance, "coach", NULL);
}

static int32_t record_rejected(void) {
  return record_success(instance, "not legal", NULL);
}

Test(plugin_life, messages_come_inside_a_call_on_its_thread_with_no_lock_held) {
  use_listening_instance(KAIZEN_LOG_WARNING);
  cr_assert_eq(call_inside(child_record), KAIZEN_RECORDED);
  heard.reenter = true;
  cr_assert_eq(call_inside(record_garbage_before), KAIZEN_RECORDED);
  cr_assert_eq(heard.count, 1);
  cr_assert_eq(heard.level, KAIZEN_LOG_WARNING);
  cr_assert_eq(heard.id, 103);
  cr_assert(strstr(heard.text, "coach: lines skipped because they are not records: 1"), "%s",
            heard.text);
  cr_assert_not(heard.outside_call);
}

Test(plugin_life, messages_below_the_hosts_level_are_not_made) {
  static const struct {
    uint32_t level;
    unsigned heard;
  } cases[] = {{0, 0},
               {KAIZEN_LOG_ERROR, 0},
               {KAIZEN_LOG_WARNING, 0},
               {KAIZEN_LOG_NOTICE, 1},
               {KAIZEN_LOG_DEBUG, 1}};

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    use_listening_instance(cases[i].level);
    cr_assert_eq(call_inside(record_rejected), KAIZEN_E_REJECTED);
    cr_expect_eq(heard.count, cases[i].heard, "level %u", cases[i].level);
  }
}

Test(plugin_life, a_message_that_repeats_is_told_once_in_a_while) {
  use_listening_instance(KAIZEN_LOG_DEBUG);
  for (int i = 0; i < 100; i++)
    cr_assert_eq(call_inside(record_rejected), KAIZEN_E_REJECTED);
  cr_assert_eq(heard.count, 1);
  cr_assert_eq(call_inside(child_record), KAIZEN_RECORDED);
  cr_assert_eq(call_inside(record_garbage_before), KAIZEN_RECORDED);
  cr_assert_eq(heard.count, 2, "another message was kept back");
}

Test(plugin_life, nothing_is_told_after_the_end) {
  unsigned count;

  use_listening_instance(KAIZEN_LOG_DEBUG);
  (void)call_inside(record_rejected);
  heard.inside = true;
  cr_assert_eq(plugin->stop(instance, 0), KAIZEN_OK);
  plugin->destroy(instance);
  instance = NULL;
  heard.inside = false;
  count = heard.count;
  cr_assert_eq(heard.count, count);
  cr_assert_not(heard.outside_call);
}

static int64_t half_past_1980(void *ctx) {
  (void)ctx;
  return INT64_C(331516800) * 1000000000;
}

Test(plugin_life, the_hosts_clock_is_the_records_clock) {
  struct kaizen_host_v1 host = plain_host();

  host.now_unix_ns = half_past_1980;
  instance = start_instance(&host, sandbox.root, "");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert(strstr(text_of_file(coach_log()), "{\"timestamp\":\"1980-07-04T00:00:00Z\","), "%s",
            text_of_file(coach_log()));
}

static int64_t given_clock(void *ctx) {
  return *(const int64_t *)ctx;
}

Test(plugin_life, clocks_far_from_now_cost_no_record) {
  static const struct {
    const char *name, *timestamp;
    int64_t now_ns;
  } clocks[] = {{"the beginning of time", "1970-01-01T00:00:00Z", 0},
                {"before it", "1970-01-01T00:00:00Z", -5},
                {"long before it", "1970-01-01T00:00:00Z", INT64_MIN},
                {"2038", "2038-01-19T03:14:08Z", INT64_C(2147483648999999999)},
                {"as far as it goes", "2262-04-11T23:47:16Z", INT64_MAX}};
  struct kaizen_host_v1 host = plain_host();
  int64_t now_ns = 0;

  host.now_unix_ns = given_clock;
  host.ctx = &now_ns;
  instance = start_instance(&host, sandbox.root, ",\"retention_days\":0");
  for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
    now_ns = clocks[i].now_ns;
    cr_expect_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED, "%s", clocks[i].name);
    cr_expect(strstr(text_of_file(coach_log()), clocks[i].timestamp), "%s: %s", clocks[i].name,
              text_of_file(coach_log()));
    cr_expect_eq(lines_of_file(coach_log()), i + 1, "%s", clocks[i].name);
  }
}

/* The host's own things. */

static void note_process(char *out, size_t cap) {
  struct sigaction action;
  char cwd[512];
  sigset_t mask;
  mode_t mode = umask(0);
  int len, i;

  (void)umask(mode);
  (void)sigprocmask(SIG_BLOCK, NULL, &mask);
  len = snprintf(out, cap, "cwd %s umask %o locale %s environ %p errno %d", getcwd(cwd, sizeof cwd),
                 mode, setlocale(LC_ALL, NULL), (void *)environ, errno);
  for (i = 1; i < 32; i++) {
    (void)sigaction(i, NULL, &action);
    len += snprintf(out + len, cap - (size_t)len, " %d:%lx%s", i,
                    (unsigned long)(uintptr_t)action.sa_handler,
                    sigismember(&mask, i) == 1 ? "b" : "");
  }
}

Test(plugin_life, the_hosts_process_is_as_it_was) {
  char before[2048], after[2048];
  unsigned descriptors;

  (void)setlocale(LC_ALL, "de_DE.UTF-8"); /* numbers with a comma, where there is that locale */
  cr_assert_eq(chdir(sandbox.root), 0);
  (void)umask(027);
  descriptors = open_descriptors();
  errno = 4711;
  note_process(before, sizeof before);
  use_instance(",\"fsync\":\"always\",\"emit_event\":true");
  for (int i = 0; i < 10; i++)
    cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(record_success(instance, "not legal", NULL), KAIZEN_E_REJECTED);
  (void)plugin->flush(instance, 0, NULL);
  (void)stats_of(instance);
  (void)plugin->stop(instance, 0);
  plugin->destroy(instance);
  instance = NULL;
  errno = 4711;
  note_process(after, sizeof after);
  cr_assert_str_eq(after, before);
  cr_assert_eq(open_descriptors(), descriptors);
}

Test(plugin_life, errno_is_the_callers) {
  struct kaizen_stats stats = {.struct_size = sizeof stats};

  use_instance("");
  errno = 4711;
  (void)record_success(instance, "coach", NULL);
  (void)record_success(instance, "not legal", NULL);
  (void)plugin->stats(instance, &stats);
  (void)plugin->flush(instance, 0, NULL);
  cr_assert_eq(errno, 4711);
}

static unsigned inherited_descriptors(void) {
  DIR *folder = opendir("/proc/self/fd");
  const struct dirent *entry;
  unsigned count = 0;

  while ((entry = readdir(folder)) != NULL) {
    int flags = fcntl(atoi(entry->d_name), F_GETFD);

    count += entry->d_name[0] != '.' && flags >= 0 && (flags & FD_CLOEXEC) == 0;
  }
  (void)closedir(folder);
  return count;
}

Test(plugin_life, no_descriptor_is_inherited_by_a_program_the_host_starts) {
  unsigned before = inherited_descriptors();

  use_instance(",\"fsync\":\"always\",\"emit_event\":true");
  for (int i = 0; i < 5; i++) {
    char agent[24];

    (void)snprintf(agent, sizeof agent, "agent-%d", i);
    cr_assert_eq(record_success(instance, agent, "k"), KAIZEN_RECORDED);
  }
  cr_assert_eq(inherited_descriptors(), before);
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

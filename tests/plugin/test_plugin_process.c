/* test_plugin_process.c - what is the host's own and stays as it was: descriptors, signals, locale,
 * environment.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_under_test.h"

#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

TestSuite(plugin_process, .init = enter_plugin, .fini = leave_plugin);

extern char **environ;

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

Test(plugin_process, standard_descriptors_that_the_host_closed_are_never_ours) {
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

Test(plugin_process, the_hosts_process_is_as_it_was) {
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

Test(plugin_process, errno_is_the_callers) {
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

Test(plugin_process, no_descriptor_is_inherited_by_a_program_the_host_starts) {
  unsigned before = inherited_descriptors();

  use_instance(",\"fsync\":\"always\",\"emit_event\":true");
  for (int i = 0; i < 5; i++) {
    char agent[24];

    (void)snprintf(agent, sizeof agent, "agent-%d", i);
    cr_assert_eq(record_success(instance, agent, "k"), KAIZEN_RECORDED);
  }
  cr_assert_eq(inherited_descriptors(), before);
}

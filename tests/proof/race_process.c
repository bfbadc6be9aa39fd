/* race_process.c - the host's process around the plugin: what it opens, inherits and may have.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "race.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 100000
#define LIBRARY_THREADS 4 /* libnats keeps them once it was used, which may be late */
#define DESCRIPTORS_MAX 1024

static long resident_kib(void) {
  char line[256];
  long kib = -1;
  FILE *file = fopen("/proc/self/status", "re");

  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "VmRSS: %ld", &kib) == 1)
      break;
  if (file)
    (void)fclose(file);
  return kib;
}

struct usage {
  unsigned threads, descriptors;
};

/* A publisher that hangs in a frozen broker is left to end by itself, within seconds, and has
 * descriptors until then.  What the process uses when it is at rest, or after that long. */
static struct usage usage_at_rest(struct usage most) {
  int64_t deadline_ms = now_ms() + PATIENCE_MS;
  struct usage now;

  for (;;) {
    now.threads = entries_of("/proc/self/task") - 2;
    now.descriptors = entries_of("/proc/self/fd");
    if ((now.threads <= most.threads && now.descriptors <= most.descriptors) ||
        now_ms() >= deadline_ms)
      return now;
    pause_ms(10);
  }
}

/* `arguments`: how often, and how long a stop may wait for the broker.  In the second half nothing
 * may grow any more. */
void race_reload(char *const arguments[]) {
  int reloads = atoi(arguments[0]);
  uint32_t wait_ms = (uint32_t)atoi(arguments[1]);
  struct usage half = {LIBRARY_THREADS, DESCRIPTORS_MAX}, whole;
  long kib = 0;

  for (int i = 0; i < reloads; i++) {
    void *file = open_plugin();
    struct kaizen_instance *instance = start_instance();

    must_record(instance);
    (void)plugin->stop(instance, wait_ms);
    plugin->destroy(instance);
    if (dlclose(file) != 0)
      die("dlclose: %s", dlerror());
    if (i == reloads / 2) {
      half = usage_at_rest(half);
      kib = resident_kib();
    }
  }
  if (half.threads < LIBRARY_THREADS)
    half.threads = LIBRARY_THREADS;
  whole = usage_at_rest(half);
  printf("reloads %d\nthreads_grown %d\ndescriptors_grown %d\nresident_grown %ld\n", reloads,
         (int)whole.threads - (int)half.threads, (int)whole.descriptors - (int)half.descriptors,
         resident_kib() - kib);
}

/* programs that the host starts */

void race_inherited(char *const arguments[]) {
  struct sigaction action;

  (void)arguments;
  if (sigaction(SIGPIPE, NULL, &action) != 0 || action.sa_handler != SIG_DFL)
    die("SIGPIPE is not what it was");
  for (int fd = 3; fd < DESCRIPTORS_MAX; fd++)
    if (fcntl(fd, F_GETFD) >= 0) {
      char name[64], leads_to[256] = "";

      (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
      (void)!readlink(name, leads_to, sizeof leads_to - 1);
      die("descriptor %d is inherited: %s", fd, leads_to);
    }
}

static void start_program(void) {
  int status;
  pid_t child = fork();

  if (child == 0) {
    (void)execl("/proc/self/exe", "race", plugin_path, project_root, broker_url, "inherited",
                (char *)NULL);
    _exit(9);
  }
  if (waitpid(child, &status, 0) != child || status != 0)
    die("a program that was started ended with status %d", status);
}

void race_started(char *const arguments[]) {
  struct kaizen_instance *instance;

  (void)arguments;
  for (int fd = 3; fd < DESCRIPTORS_MAX; fd++) /* ours are told from what we were started with */
    (void)close(fd);
  (void)open_plugin();
  instance = start_instance();
  for (int i = 0; i < 50; i++) {
    must_record(instance);
    if (i % 10 == 0)
      must_flush(instance); /* connected, and nothing is being opened at this moment */
    if (i % 10 == 0)
      start_program();
  }
  (void)plugin->stop(instance, 5000);
  start_program();
  plugin->destroy(instance);
  printf("programs 6\n");
}

/* limits */

static void limit(int resource, rlim_t value) {
  struct rlimit now;

  if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
    die("getrlimit");
  now.rlim_cur = value;
  if (setrlimit((__rlimit_resource_t)resource, &now) != 0)
    die("setrlimit");
}

/* Recording works or says why not, nothing is lost, and with the old limit all is well again.
 * Answers how many were refused. */
static unsigned record_within_limit(struct kaizen_instance *instance, int resource,
                                    const struct rlimit *before, long every_ms) {
  unsigned recorded = 0, refused = 0;

  for (int i = 0; i < 200; i++) {
    struct kaizen_receipt receipt;
    int32_t code = record(instance, &receipt);

    if (code != KAIZEN_RECORDED && code != KAIZEN_E_IO)
      die("%s: %s", plugin->code_name(code), receipt.reason);
    recorded += code == KAIZEN_RECORDED;
    refused += code == KAIZEN_E_IO;
    pause_ms(every_ms);
  }
  limit(resource, before->rlim_cur);
  must_record(instance);
  must_flush(instance);
  (void)plugin->stop(instance, 5000);
  plugin->destroy(instance);
  printf("recorded %u\nrefused %u\n", recorded + 1, refused);
  return refused;
}

void race_few_files(char *const arguments[]) {
  struct rlimit before;

  (void)arguments;
  (void)open_plugin();
  (void)getrlimit(RLIMIT_NOFILE, &before);
  limit(RLIMIT_NOFILE, 16);
  (void)record_within_limit(start_instance(), RLIMIT_NOFILE, &before, 1);
}

static volatile sig_atomic_t file_signals;

static void note_signal(int number) {
  (void)number;
  file_signals++;
}

/* The limit is reached by the log. */
void race_small_files(char *const arguments[]) {
  struct sigaction action = {.sa_handler = note_signal};
  struct kaizen_instance *instance;
  struct rlimit before;

  (void)arguments;
  (void)open_plugin();
  (void)sigaction(SIGXFSZ, &action, NULL);
  (void)getrlimit(RLIMIT_FSIZE, &before);
  instance = start_instance();
  limit(RLIMIT_FSIZE, 16384);
  if (record_within_limit(instance, RLIMIT_FSIZE, &before, 0) == 0)
    die("the limit was never reached");
  if (file_signals > 0)
    die("SIGXFSZ came %d times", (int)file_signals);
}

/* clocks */

void race_count(char *const arguments[]) {
  unsigned count = (unsigned)atoi(arguments[0]);
  struct kaizen_instance *instance;

  (void)open_plugin();
  instance = start_instance();
  for (unsigned i = 0; i < count; i++)
    must_record(instance);
  must_flush(instance);
  if (plugin->stop(instance, 10000) != KAIZEN_OK)
    die("events were left");
  plugin->destroy(instance);
  printf("recorded %u\n", count);
}

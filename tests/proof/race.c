/* race.c - what a host's process may go through while the plugin is in it, one scenario a run.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: race PLUGIN ROOT URL SCENARIO
 *   together   64 threads record on two instances, a third is started, stopped and looked at
 *   reload N MS   the plugin is opened, used, stopped within MS and closed N times; what has grown
 *   forked STATE N   a fork in every state of an instance, and N while threads record; the child is
 *              answered at once and can have an instance of its own
 *   signalled MS   a signal every millisecond, with handlers that do not restart calls
 *   started    a program that the host starts; `inherited` is what it runs
 *   few_files, small_files    under RLIMIT_NOFILE 16, under an RLIMIT_FSIZE that the log reaches
 *   count N    N executions that have to arrive: for clocks that libfaketime sets
 *   extensions   runs, batches, JSON with flags and queries, on an instance that stops and starts
 * Prints one line "NAME VALUE" a figure. A plain program without a test framework, so that
 * ThreadSanitizer can run it. tests/proof/race.py provides the broker and judges the files. */
#include "race.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const struct kaizen_plugin_v1 *plugin;
const char *plugin_path, *project_root, *broker_url;
static atomic_uint serial;

void die(const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  (void)vfprintf(stderr, format, arguments);
  va_end(arguments);
  (void)fputc('\n', stderr);
  _exit(2);
}

int64_t now_ms(void) {
  struct timespec now;

  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

void pause_ms(long ms) {
  struct timespec left = {ms / 1000, ms % 1000 * 1000000};

  while (nanosleep(&left, &left) != 0)
    continue;
}

void *open_plugin(void) {
  void *file = dlopen(plugin_path, RTLD_NOW | RTLD_LOCAL);
  kaizen_plugin_v1_fn entry;

  if (!file)
    die("%s", dlerror());
  *(void **)&entry = dlsym(file, KAIZEN_PLUGIN_V1_SYMBOL);
  if (!entry)
    die("%s", dlerror());
  plugin = entry();
  return file;
}

struct kaizen_instance *make_instance(void) {
  const struct kaizen_host_v1 host = {.struct_size = sizeof host,
                                      .abi_version = KAIZEN_ABI_VERSION,
                                      .name = "race",
                                      .version = "1"};
  struct kaizen_instance *instance;

  if (plugin->create(&host, &instance) != KAIZEN_OK)
    die("create failed");
  return instance;
}

void configure_instance(struct kaizen_instance *instance) {
  char config[2048], error[512];

  (void)snprintf(config, sizeof config,
                 "{\"project_root\":\"%s\",\"nats_url\":\"%s\",\"emit_event\":true,"
                 "\"lock_timeout_ms\":60000}",
                 project_root, broker_url);
  if (plugin->configure(instance, config, KAIZEN_NTS) == KAIZEN_OK)
    return;
  (void)plugin->last_error(instance, error, sizeof error);
  die("configure: %s", error);
}

struct kaizen_instance *start_instance(void) {
  struct kaizen_instance *instance = make_instance();

  configure_instance(instance);
  if (plugin->start(instance) != KAIZEN_OK)
    die("start failed");
  return instance;
}

int32_t record(struct kaizen_instance *instance, struct kaizen_receipt *receipt) {
  struct kaizen_execution execution = {
      .struct_size = sizeof execution, .outcome = KAIZEN_SUCCESS, .agent = {"coach", KAIZEN_NTS}};
  unsigned number = atomic_fetch_add(&serial, 1);
  char key[64];

  (void)snprintf(key, sizeof key, "%ld-%u", (long)getpid(), number);
  execution.idempotency_key = (struct kaizen_str){key, KAIZEN_NTS};
  if (number % 3 == 0)
    execution.agent.ptr = "scribe";
  *receipt = (struct kaizen_receipt){.struct_size = sizeof *receipt};
  return plugin->on_execution_end(instance, &execution, receipt, NULL);
}

void must_record(struct kaizen_instance *instance) {
  struct kaizen_receipt receipt;
  int32_t code = record(instance, &receipt);

  if (code != KAIZEN_RECORDED)
    die("%s: %s", plugin->code_name(code), receipt.reason);
}

void must_flush(struct kaizen_instance *instance) {
  uint64_t pending;

  if (plugin->flush(instance, 60000, &pending) != KAIZEN_OK)
    die("%llu events are still pending", (unsigned long long)pending);
}

unsigned entries_of(const char *path) {
  DIR *folder = opendir(path);
  unsigned count = 0;

  if (!folder)
    die("%s cannot be opened", path);
  while (readdir(folder))
    count++;
  (void)closedir(folder);
  return count;
}

pthread_t run_thread(void *(*body)(void *), void *ctx) {
  pthread_t thread;

  if (pthread_create(&thread, NULL, body, ctx) != 0)
    die("pthread_create failed");
  return thread;
}

static const struct {
  const char *name;
  void (*run)(char *const arguments[]);
} scenarios[] = {
    {"together", race_together},   {"reload", race_reload},
    {"forked", race_forked},       {"signalled", race_signalled},
    {"started", race_started},     {"inherited", race_inherited},
    {"few_files", race_few_files}, {"small_files", race_small_files},
    {"count", race_count},         {"extensions", race_extensions},
};

int main(int argc, char *argv[]) {
  if (argc < 5)
    die("usage: race PLUGIN ROOT URL SCENARIO [ARGUMENT]...");
  plugin_path = argv[1];
  project_root = argv[2];
  broker_url = argv[3];
  for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
    if (strcmp(scenarios[i].name, argv[4]) == 0) {
      scenarios[i].run(argv + 5);
      return 0;
    }
  die("no scenario %s", argv[4]);
}

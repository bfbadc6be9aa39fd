/* threads.c - a host in C: four threads record through one instance, and each kind of answer.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * cc threads.c $(pkg-config --cflags kaizen-plugin) -ldl -pthread -o threads && ./threads PLUGIN PROJECT */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#include <kaizen/plugin.h>

#define THREADS 4
#define RUNS    25

static const struct kaizen_plugin_v1 *plugin;
static struct kaizen_instance *instance;

static int32_t record(const char *key, double quality, int success, struct kaizen_receipt *receipt,
                      struct kaizen_summary *summary) {
  struct kaizen_execution execution = {
      .struct_size = sizeof execution, .agent = {"coach", KAIZEN_NTS},
      .flags = KAIZEN_EXEC_HAS_QUALITY, .quality_score = quality,
      .outcome = success ? KAIZEN_SUCCESS : KAIZEN_FAILURE, .idempotency_key = {key, KAIZEN_NTS},
      .metadata_json = {"{\"host\":\"c\"}", KAIZEN_NTS}};

  return plugin->on_execution_end(instance, &execution, receipt, summary);
}

/* The code of the first call that failed, or KAIZEN_OK. */
static void *work(void *number) {
  char key[32];
  int32_t code = KAIZEN_OK;

  for (int run = 0; run < RUNS && code >= 0; run++) {
    snprintf(key, sizeof key, "c-%d-%d", *(int *)number, run);
    code = record(key, 0.75, run % 5 != 0, NULL, NULL);
  }
  *(int *)number = code;
  return NULL;
}

static int work_together(void) {
  pthread_t threads[THREADS];
  int numbers[THREADS], started = 0, failed = 0;

  for (; started < THREADS; started++) {
    numbers[started] = started;
    if (pthread_create(&threads[started], NULL, work, &numbers[started]) != 0)
      break;
  }
  for (int i = 0; i < started; i++) {
    pthread_join(threads[i], NULL);
    if (numbers[i] < 0)
      fprintf(stderr, "threads: not recorded: %s\n", plugin->code_name(numbers[i]));
    failed |= numbers[i] < 0;
  }
  return started == THREADS && !failed;
}

/* A key that was given before, a value that is none, what is left to send, and the counters. */
static void see_the_answers(void) {
  struct kaizen_receipt receipt = {.struct_size = sizeof receipt};
  struct kaizen_summary summary = {.struct_size = sizeof summary};
  struct kaizen_stats stats = {.struct_size = sizeof stats};
  uint64_t pending = 0;

  printf("duplicate %s\n",
         record("c-0-0", 0.75, 0, &receipt, &summary) == KAIZEN_DUPLICATE ? "yes" : "no");
  if (record("c-again", 1.2, 1, &receipt, NULL) == KAIZEN_E_REJECTED)
    printf("rejected %s\n", receipt.reason);
  plugin->flush(instance, 1000, &pending);
  plugin->stats(instance, &stats);
  printf("pending %llu\nrecorded %llu success_rate %g\n", (unsigned long long)pending,
         (unsigned long long)stats.recorded, summary.success_rate);
}

static const struct kaizen_plugin_v1 *load(const char *path) {
  void *image = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  kaizen_plugin_v1_fn entry = NULL;

  if (image)
    *(void **)&entry = dlsym(image, KAIZEN_PLUGIN_V1_SYMBOL);
  if (!entry || !entry() || entry()->abi_version >> 16 != KAIZEN_ABI_MAJOR) {
    fprintf(stderr, "threads: %s: %s\n", path, image ? "no plugin of this major" : dlerror());
    return NULL;
  }
  return entry();
}

static int start(const char *project_root) {
  struct kaizen_host_v1 host = {.struct_size = sizeof host, .abi_version = KAIZEN_ABI_VERSION};
  char reason[256];

  if (plugin->create(&host, &instance) < 0)
    return 0;
  if (plugin->configure_key(instance, "project_root", project_root, KAIZEN_NTS) >= 0 &&
      plugin->start(instance) >= 0)
    return 1;
  plugin->last_error(instance, reason, sizeof reason);
  fprintf(stderr, "threads: %s\n", reason);
  plugin->destroy(instance);
  return 0;
}

int main(int argc, char **argv) {
  int done;

  if (argc != 3) {
    fprintf(stderr, "usage: threads PLUGIN PROJECT_ROOT\n");
    return 2;
  }
  printf("sizes host=%zu execution=%zu receipt=%zu summary=%zu stats=%zu plugin=%zu str=%zu\n",
         sizeof(struct kaizen_host_v1), sizeof(struct kaizen_execution),
         sizeof(struct kaizen_receipt), sizeof(struct kaizen_summary), sizeof(struct kaizen_stats),
         sizeof(struct kaizen_plugin_v1), sizeof(struct kaizen_str));
  plugin = load(argv[1]);
  if (!plugin || !start(argv[2]))
    return 2;
  done = work_together();
  if (done)
    see_the_answers();
  if (plugin->stop(instance, 1000) < 0)
    done = 0;
  plugin->destroy(instance);
  return !done;
}

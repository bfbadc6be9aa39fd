/* stress.c - many threads record through the real plugin at the same time; what they were told is
 * printed.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: stress PLUGIN ROOT [-t THREADS] [-n EXECUTIONS] [-a AGENTS] [-i INSTANCES] [-k EVERY]
 *               [-g TAG] [-o TOLD] [-w] [-s KEY=VALUE]...
 *
 * Each thread records EXECUTIONS executions; every fifth (EVERY; 0: none) has a key that all
 * threads, and all processes run with the same arguments, give.  TAG tells the other keys of one
 * process from those of another.  TOLD gets a line "AGENT KEY CODE EVENT_ID" by one write(2) after
 * each call that succeeded, so that what a killed process was told is known.  -w: two more threads
 * look at statistics, summaries and logs meanwhile.  A plain program without a test framework, so
 * that ThreadSanitizer can run it.  tests/proof/stress.py judges. */
#include <dlfcn.h>
#include <fcntl.h>
#include <getopt.h>
#include <kaizen/extensions.h>
#include <kaizen/plugin.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INSTANCES_MAX 8

static const struct kaizen_plugin_v1 *plugin;
static struct kaizen_instance *instances[INSTANCES_MAX];
static unsigned shared_every = 5;
static unsigned thread_count = 4, execution_count = 100, agent_count = 2, instance_count = 1;
static const char *tag = "p";
static int told_fd = -1;
static atomic_bool finished;
static atomic_ulong recorded, duplicates, conflicts, retries, failed, messages;

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  (void)vfprintf(stderr, format, arguments);
  va_end(arguments);
  (void)fputc('\n', stderr);
  exit(2);
}

static void hear(void *ctx, int32_t level, int32_t id, const char *text, size_t len) {
  (void)ctx;
  messages++;
  if (level <= KAIZEN_LOG_WARNING)
    (void)fprintf(stderr, "message %d: %.*s\n", id, (int)len, text);
}

static void tell(const char *agent, const char *key, int32_t code, const char *event_id) {
  char line[256];
  int len;

  if (told_fd < 0)
    return;
  len =
      snprintf(line, sizeof line, "%s %s %d %s\n", agent, key, code, event_id[0] ? event_id : "-");
  if (write(told_fd, line, (size_t)len) != len)
    die("told: cannot write");
}

static void count(int32_t code, const struct kaizen_receipt *receipt) {
  if (code == KAIZEN_RECORDED)
    recorded++;
  else if (code == KAIZEN_DUPLICATE)
    duplicates++;
  else
    failed++;
  if (receipt->flags & KAIZEN_RECEIPT_KEY_CONFLICT)
    conflicts++;
  if (code < 0)
    (void)fprintf(stderr, "%s: %s\n", plugin->code_name(code), receipt->reason);
}

static void record(struct kaizen_instance *instance, unsigned thread, unsigned i) {
  static const struct timespec pause = {0, 1000000};
  struct kaizen_receipt receipt = {.struct_size = sizeof receipt};
  struct kaizen_summary summary = {.struct_size = sizeof summary};
  struct kaizen_execution execution = {
      .struct_size = sizeof execution,
      .flags = KAIZEN_EXEC_HAS_TIME | KAIZEN_EXEC_HAS_QUALITY,
      .outcome = i % 7 == 0 ? KAIZEN_FAILURE : KAIZEN_SUCCESS,
      .execution_time_s = 0.1 * i,
      .quality_score = (double)(i % 11) / 10,
  };
  char agent[32], key[64], metadata[64];
  int32_t code;

  (void)snprintf(agent, sizeof agent, "agent-%u", i % agent_count);
  if (shared_every > 0 && i % shared_every == 0)
    (void)snprintf(key, sizeof key, "shared-%u", i);
  else
    (void)snprintf(key, sizeof key, "%s-%u-%u", tag, thread, i);
  (void)snprintf(metadata, sizeof metadata, "{\"thread\":%u,\"i\":%u}", thread, i);
  execution.agent = (struct kaizen_str){agent, KAIZEN_NTS};
  execution.idempotency_key = (struct kaizen_str){key, KAIZEN_NTS};
  execution.metadata_json = (struct kaizen_str){metadata, KAIZEN_NTS};
  while ((code = plugin->on_execution_end(instance, &execution, &receipt, &summary)),
         KAIZEN_MAY_RETRY(code, 1)) {
    retries++;
    (void)nanosleep(&pause, NULL);
  }
  count(code, &receipt);
  if (code >= 0)
    tell(agent, key, code, receipt.event_id);
}

static void *work(void *ctx) {
  unsigned thread = (unsigned)(uintptr_t)ctx;

  for (unsigned i = 0; i < execution_count; i++)
    record(instances[thread % instance_count], thread, i);
  return NULL;
}

static int32_t ignore_output(void *ctx, const char *data, size_t len) {
  (void)ctx;
  (void)data;
  (void)len;
  return 0;
}

/* What a host's other threads do. */
static void *watch(void *ctx) {
  const struct kaizen_inspect_1 *inspect = plugin->get_extension(KAIZEN_INSPECT_1);
  const struct kaizen_repair_1 *repair = plugin->get_extension(KAIZEN_REPAIR_1);
  struct kaizen_instance *instance = ctx;

  while (!atomic_load(&finished)) {
    struct kaizen_stats stats = {.struct_size = sizeof stats};
    struct kaizen_summary summary = {.struct_size = sizeof summary};
    uint64_t pending;

    (void)plugin->stats(instance, &stats);
    if (stats.marked != stats.acknowledged + stats.pending + stats.dead_lettered)
      die("marked is not the sum of the rest");
    (void)plugin->flush(instance, 0, &pending);
    (void)inspect->summary(instance, "agent-0", KAIZEN_NTS, &summary);
    (void)inspect->recent(instance, "agent-0", KAIZEN_NTS, 5, ignore_output, NULL);
    (void)inspect->delivery(instance, ignore_output, NULL);
    (void)repair->verify(instance, "agent-0", KAIZEN_NTS, ignore_output, NULL);
  }
  return NULL;
}

static void open_plugin(const char *path) {
  void *file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  kaizen_plugin_v1_fn entry;

  if (!file)
    die("%s", dlerror());
  *(void **)&entry = dlsym(file, KAIZEN_PLUGIN_V1_SYMBOL);
  if (!entry)
    die("%s", dlerror());
  plugin = entry();
}

static void set_key(struct kaizen_instance *instance, const char *key, const char *value) {
  char error[512];

  if (plugin->configure_key(instance, key, value, KAIZEN_NTS) == KAIZEN_OK)
    return;
  (void)plugin->last_error(instance, error, sizeof error);
  die("%s: %s", key, error);
}

static struct kaizen_instance *start(const char *root, char *const settings[], unsigned count_set) {
  const struct kaizen_host_v1 host = {.struct_size = sizeof host,
                                      .abi_version = KAIZEN_ABI_VERSION,
                                      .log_level = KAIZEN_LOG_INFO,
                                      .log = hear};
  struct kaizen_instance *instance;

  if (plugin->create(&host, &instance) != KAIZEN_OK)
    die("create failed");
  for (unsigned i = 0; i < count_set; i++) {
    char setting[512], *equals;

    (void)snprintf(setting, sizeof setting, "%s", settings[i]);
    equals = strchr(setting, '=');
    if (!equals)
      die("%s: KEY=VALUE is needed", setting);
    *equals = '\0';
    set_key(instance, setting, equals + 1);
  }
  set_key(instance, "project_root", root);
  if (plugin->start(instance) != KAIZEN_OK)
    die("start failed");
  return instance;
}

static void run(bool watched) {
  pthread_t *threads = calloc(thread_count, sizeof *threads), watchers[2];

  if (!threads)
    die("out of memory");
  for (unsigned i = 0; i < 2 && watched; i++)
    if (pthread_create(&watchers[i], NULL, watch, instances[i % instance_count]) != 0)
      die("pthread_create failed");
  for (unsigned i = 0; i < thread_count; i++)
    if (pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i) != 0)
      die("pthread_create failed");
  for (unsigned i = 0; i < thread_count; i++)
    (void)pthread_join(threads[i], NULL);
  atomic_store(&finished, true);
  for (unsigned i = 0; i < 2 && watched; i++)
    (void)pthread_join(watchers[i], NULL);
  free(threads);
}

static unsigned number(const char *text, unsigned max) {
  unsigned long value = strtoul(text, NULL, 10);

  if (value == 0 || value > max)
    die("%s: a number from 1 to %u is needed", text, max);
  return (unsigned)value;
}

int main(int argc, char *argv[]) {
  char *settings[32];
  unsigned settings_count = 0;
  bool watched = false;
  int option;

  while ((option = getopt(argc, argv, "t:n:a:i:k:g:o:s:w")) != -1)
    switch (option) {
    case 't':
      thread_count = number(optarg, 1024);
      break;
    case 'n':
      execution_count = number(optarg, 100000000);
      break;
    case 'a':
      agent_count = number(optarg, 10000);
      break;
    case 'i':
      instance_count = number(optarg, INSTANCES_MAX);
      break;
    case 'k':
      shared_every = strcmp(optarg, "0") == 0 ? 0 : number(optarg, 1000000);
      break;
    case 'g':
      tag = optarg;
      break;
    case 'w':
      watched = true;
      break;
    case 'o':
      told_fd = open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
      if (told_fd < 0)
        die("%s: cannot open", optarg);
      break;
    case 's':
      if (settings_count == sizeof settings / sizeof *settings)
        die("too many settings");
      settings[settings_count++] = optarg;
      break;
    default:
      die("usage: stress PLUGIN ROOT [-t N] [-n N] [-a N] [-i N] [-k N] [-g TAG] [-o FILE] [-w] "
          "[-s K=V]");
    }
  if (argc - optind != 2)
    die("a plugin and a project root are needed");
  open_plugin(argv[optind]);
  for (unsigned i = 0; i < instance_count; i++)
    instances[i] = start(argv[optind + 1], settings, settings_count);
  run(watched);
  for (unsigned i = 0; i < instance_count; i++) {
    (void)plugin->stop(instances[i], 0);
    plugin->destroy(instances[i]);
  }
  (void)printf("{\"recorded\":%lu,\"duplicates\":%lu,\"conflicts\":%lu,\"retries\":%lu,"
               "\"failed\":%lu,\"messages\":%lu}\n",
               recorded, duplicates, conflicts, retries, failed, messages);
  return failed > 0;
}

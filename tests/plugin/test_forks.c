/* test_forks.c - forks at every lock of the plugin: another thread has just taken it when a child
 * is made, and the child then makes every call on an instance of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * This program stands before libc in the search for pthread_mutex_lock(), so that every lock that
 * the plugin and the NATS library take comes by here.  At each place that was not seen before, the
 * thread that took the lock is kept there until the child has ended. */
#include <dlfcn.h>
#include <kaizen/extensions.h>
#include <kaizen/plugin.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PLACES_MAX 512
#define CHILD_LIMIT_S 20 /* a child that takes as long hangs */
#define BROKER "nats://127.0.0.1:9"

static const struct kaizen_plugin_v1 *plugin;
static char root[512];
static unsigned failures;

/* ---- the locks ------------------------------------------------------------------------------- */

static struct place {
  const void *caller, *mutex; /* of static mutexes, which share a caller, each is a place */
} places[PLACES_MAX];
static unsigned place_count;
static pthread_t main_thread;
static atomic_bool armed;
static char held_at[256];
static sem_t held, let_go;

static bool is_ours(const Dl_info *image) {
  return image->dli_fname &&
         (strstr(image->dli_fname, "kaizen_metrics") || strstr(image->dli_fname, "libnats"));
}

/* False when that lock was seen before, or is somebody else's. */
static bool is_new_place(const void *caller, const void *mutex) {
  Dl_info image, owner;
  struct place place = {caller, NULL};
  unsigned i;

  if (!dladdr(caller, &image) || !is_ours(&image))
    return false;
  if (dladdr(mutex, &owner) && is_ours(&owner))
    place.mutex = mutex;
  for (i = 0; i < place_count; i++)
    if (places[i].caller == place.caller && places[i].mutex == place.mutex)
      return false;
  if (place_count == PLACES_MAX)
    return false;
  places[place_count++] = place;
  (void)snprintf(held_at, sizeof held_at, "%s+0x%lx, mutex %s", strrchr(image.dli_fname, '/') + 1,
                 (unsigned long)((const char *)caller - (const char *)image.dli_fbase),
                 place.mutex ? "static" : "of an object");
  return true;
}

__attribute__((visibility("default"))) int pthread_mutex_lock(pthread_mutex_t *mutex) {
  static int (*lock)(pthread_mutex_t *);
  static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
  int result;

  if (!lock)
    *(void **)&lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
  result = lock(mutex);
  if (!atomic_load(&armed) || pthread_equal(pthread_self(), main_thread))
    return result;
  (void)lock(&one_at_a_time);
  if (atomic_load(&armed) && is_new_place(__builtin_return_address(0), mutex)) {
    (void)sem_post(&held);
    while (sem_wait(&let_go) != 0)
      continue;
  }
  (void)pthread_mutex_unlock(&one_at_a_time);
  return result;
}

/* ---- what the child calls -------------------------------------------------------------------- */

static int32_t swallow(void *ctx, const char *data, size_t len) {
  (void)ctx, (void)data, (void)len;
  return 0;
}

static struct kaizen_instance *make_instance(void) {
  struct kaizen_host_v1 host = {.struct_size = sizeof host, .abi_version = KAIZEN_ABI_VERSION};
  struct kaizen_instance *made = NULL;
  char json[1024];

  (void)snprintf(
      json, sizeof json,
      "{\"project_root\":\"%s\",\"emit_event\":true,\"lock_timeout_ms\":50,\"nats_url\":\"" BROKER
      "\"}",
      root);
  if (plugin->create(&host, &made) != KAIZEN_OK ||
      plugin->configure(made, json, KAIZEN_NTS) != KAIZEN_OK)
    return NULL;
  return made;
}

static struct kaizen_execution execution_of(const char *agent) {
  return (struct kaizen_execution){.struct_size = sizeof(struct kaizen_execution),
                                   .outcome = KAIZEN_SUCCESS,
                                   .agent = {agent, KAIZEN_NTS}};
}

static bool call_start(struct kaizen_instance *own) {
  return plugin->start(own) == KAIZEN_OK;
}
static bool call_record(struct kaizen_instance *own) {
  struct kaizen_execution execution = execution_of("child");
  int32_t code = plugin->on_execution_end(own, &execution, NULL, NULL);

  /* a thread of the parent may hold the agent's lock; E_BUSY is an answer */
  return code == KAIZEN_RECORDED || code == KAIZEN_E_BUSY;
}
static bool call_batch(struct kaizen_instance *own) {
  const struct kaizen_batch_1 *batch = plugin->get_extension(KAIZEN_BATCH_1);
  struct kaizen_batch_result result = {.struct_size = sizeof result};

  return batch->record(own, "{\"agent\":\"other\",\"success\":true}\n", KAIZEN_NTS, 0, 0, NULL,
                       NULL, &result) >= 0;
}
static bool call_flush(struct kaizen_instance *own) {
  uint64_t pending;

  int32_t code = plugin->flush(own, 1, &pending);

  /* the thread that is kept may hold the lock of an agent, whose events are unknown then */
  return code >= 0 || code == KAIZEN_E_BUSY;
}
static bool call_stats(struct kaizen_instance *own) {
  struct kaizen_stats stats = {.struct_size = sizeof stats};

  return plugin->stats(own, &stats) == KAIZEN_OK;
}
static bool call_delivery(struct kaizen_instance *own) {
  const struct kaizen_inspect_1 *inspect = plugin->get_extension(KAIZEN_INSPECT_1);

  return inspect->delivery(own, swallow, NULL) == KAIZEN_OK;
}
static bool call_summary(struct kaizen_instance *own) {
  const struct kaizen_inspect_1 *inspect = plugin->get_extension(KAIZEN_INSPECT_1);
  struct kaizen_summary summary = {.struct_size = sizeof summary};

  (void)inspect->summary(own, "child", 5, &summary);
  return true;
}
static bool call_check(struct kaizen_instance *own) {
  const struct kaizen_broker_1 *broker = plugin->get_extension(KAIZEN_BROKER_1);

  (void)broker->check(own, 20, swallow, NULL); /* nobody is there: that it answers is enough */
  return true;
}
static bool call_resend(struct kaizen_instance *own) {
  const struct kaizen_delivery_1 *delivery = plugin->get_extension(KAIZEN_DELIVERY_1);
  uint64_t count;

  (void)delivery->resend(own, 0, &count);
  return true;
}
static bool call_verify(struct kaizen_instance *own) {
  const struct kaizen_repair_1 *repair = plugin->get_extension(KAIZEN_REPAIR_1);

  (void)repair->verify(own, "child", 5, swallow, NULL);
  return true;
}
static bool call_stop(struct kaizen_instance *own) {
  return plugin->stop(own, 1) >= 0;
}

static const struct {
  const char *name;
  bool (*call)(struct kaizen_instance *);
} calls[] = {{"start", call_start},
             {"on_execution_end", call_record},
             {"batch", call_batch},
             {"flush", call_flush},
             {"stats", call_stats},
             {"inspect.delivery", call_delivery},
             {"inspect.summary", call_summary},
             {"broker.check", call_check},
             {"delivery.resend", call_resend},
             {"repair.verify", call_verify},
             {"stop", call_stop}};

struct progress { /* shared with the child */
  _Atomic unsigned call;
  _Atomic int wrong; /* a call's number + 1; of the parent's instance: -1 */
};

static void be_the_child(struct kaizen_instance *parents, struct progress *progress) {
  struct kaizen_execution execution = execution_of("child");
  struct kaizen_instance *own;
  unsigned i;

  if (plugin->on_execution_end(parents, &execution, NULL, NULL) != KAIZEN_E_FORKED)
    progress->wrong = -1;
  own = make_instance();
  for (i = 0; own && i < sizeof calls / sizeof *calls; i++) {
    progress->call = i;
    if (!calls[i].call(own) && !progress->wrong)
      progress->wrong = (int)i + 1;
  }
  if (own)
    plugin->destroy(own);
  else
    progress->wrong = -2;
  plugin->destroy(parents);
  _exit(0);
}

/* Waits for the child without a signal handler, which a library might block. */
static bool ends_in_time(pid_t child) {
  int64_t tries = CHILD_LIMIT_S * 1000;
  int status;

  while (tries-- > 0) {
    if (waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  (void)kill(child, SIGKILL);
  (void)waitpid(child, &status, 0);
  return false;
}

static void fork_here(struct kaizen_instance *parents, struct progress *progress) {
  pid_t child;

  *progress = (struct progress){0};
  child = fork();
  if (child == 0) {
    atomic_store(&armed, false);
    be_the_child(parents, progress);
  }
  if (!ends_in_time(child)) {
    printf("FAILED: held at %s: the child did not come back from %s\n", held_at,
           calls[progress->call].name);
    failures++;
  } else if (progress->wrong) {
    printf("FAILED: held at %s: wrong answer in the child: %s\n", held_at,
           progress->wrong > 0     ? calls[progress->wrong - 1].name
           : progress->wrong == -1 ? "the parent's instance"
                                   : "configure");
    failures++;
  }
}

/* ---- the parent ------------------------------------------------------------------------------ */

/* Everything that takes a lock, on a thread of its own; the publisher's come on theirs. */
static void *work(void *ctx) {
  struct kaizen_instance *shared = ctx;
  unsigned round, i;

  for (round = 0; round < 2; round++) {
    struct kaizen_instance *own = make_instance();

    for (i = 0; own && i < sizeof calls / sizeof *calls; i++) {
      (void)calls[i].call(own);
      if (calls[i].call != call_start && calls[i].call != call_stop)
        (void)calls[i].call(shared);
    }
    plugin->destroy(own);
  }
  atomic_store(&armed, false);
  (void)sem_post(&held);
  return NULL;
}

int main(void) {
  const char *path = getenv("KAIZEN_TEST_PLUGIN"), *tmp = getenv("TMPDIR");
  void *image = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  struct progress *progress =
      mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  kaizen_plugin_v1_fn entry = NULL;
  struct kaizen_instance *parents;
  unsigned forks = 0;
  pthread_t thread;

  (void)snprintf(root, sizeof root, "%s/forks-XXXXXX", tmp ? tmp : "/tmp");
  if (image)
    *(void **)&entry = dlsym(image, KAIZEN_PLUGIN_V1_SYMBOL);
  if (!entry || progress == MAP_FAILED || !mkdtemp(root))
    return 99;
  plugin = entry();
  main_thread = pthread_self();
  (void)sem_init(&held, 0, 0);
  (void)sem_init(&let_go, 0, 0);
  parents = make_instance();
  if (!parents || plugin->start(parents) != KAIZEN_OK)
    return 99;
  atomic_store(&armed, true);
  if (pthread_create(&thread, NULL, work, parents) != 0)
    return 99;
  for (;;) {
    while (sem_wait(&held) != 0)
      continue;
    if (!atomic_load(&armed))
      break;
    fork_here(parents, progress);
    forks++;
    (void)sem_post(&let_go);
  }
  (void)sem_post(&let_go); /* for a thread that came last */
  (void)pthread_join(thread, NULL);
  plugin->destroy(parents);
  if (forks < 20) {
    printf("FAILED: only %u locks were seen\n", forks);
    failures++;
  }
  if (failures == 0)
    printf("ok: %u locks, %zu calls in a child at each\n", forks, sizeof calls / sizeof *calls);
  return failures != 0;
}

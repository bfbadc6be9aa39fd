/* race_threads.c - threads, signals and forks around the plugin.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "race.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORDING_THREADS 64
#define EXECUTIONS 40
#define CHILD_PATIENCE_MS 100000

static struct kaizen_instance *shared[2];
static atomic_bool finished;
static atomic_uint lives, interruptions, recorded;

static void *record_some(void *ctx) {
  for (int i = 0; i < EXECUTIONS; i++)
    must_record(ctx);
  return NULL;
}

/* An instance that comes and goes on the same project, and with it the publisher's thread. */
static void *live_and_die(void *ctx) {
  (void)ctx;
  while (!atomic_load(&finished)) {
    struct kaizen_instance *instance = start_instance();

    must_record(instance);
    (void)plugin->stop(instance, lives % 3 * 10);
    plugin->destroy(instance);
    lives++;
  }
  return NULL;
}

static void *look_on(void *ctx) {
  while (!atomic_load(&finished)) {
    struct kaizen_stats stats = {.struct_size = sizeof stats};
    uint64_t pending;

    if (plugin->stats(ctx, &stats) != KAIZEN_OK ||
        stats.marked != stats.acknowledged + stats.pending + stats.dead_lettered)
      die("marked is not the sum of the rest");
    (void)plugin->flush(ctx, 1, &pending);
  }
  return NULL;
}

/* Stopped and started again while others record on the second one. */
static void *stop_and_start(void *ctx) {
  while (!atomic_load(&finished)) {
    struct kaizen_receipt receipt;

    (void)plugin->stop(ctx, 5);
    if (record(ctx, &receipt) >= 0)
      die("recorded by an instance that is stopped");
    if (plugin->start(ctx) != KAIZEN_OK)
      die("not started again");
    must_record(ctx);
    lives++;
  }
  return NULL;
}

void race_together(char *const arguments[]) {
  pthread_t recording[RECORDING_THREADS], others[4];
  struct kaizen_instance *restarted;

  (void)arguments;
  (void)open_plugin();
  for (int i = 0; i < 2; i++)
    shared[i] = start_instance();
  restarted = start_instance();
  for (int i = 0; i < RECORDING_THREADS; i++)
    recording[i] = run_thread(record_some, shared[i % 2]);
  others[0] = run_thread(live_and_die, NULL);
  others[1] = run_thread(look_on, shared[0]);
  others[2] = run_thread(look_on, shared[1]);
  others[3] = run_thread(stop_and_start, restarted);
  for (int i = 0; i < RECORDING_THREADS; i++)
    (void)pthread_join(recording[i], NULL);
  atomic_store(&finished, true);
  for (int i = 0; i < 4; i++)
    (void)pthread_join(others[i], NULL);
  must_flush(shared[0]);
  (void)plugin->stop(restarted, 5000);
  for (int i = 0; i < 2; i++) {
    (void)plugin->stop(shared[i], 5000);
    plugin->destroy(shared[i]);
  }
  plugin->destroy(restarted);
  printf("executions %u\nlives %u\n", RECORDING_THREADS * EXECUTIONS, lives);
}

/* forks */

/* In the child: the parent's instance answers E_FORKED to everything, one of its own works. */
static int be_a_child(struct kaizen_instance *parents) {
  struct kaizen_stats stats = {.struct_size = sizeof stats};
  struct kaizen_receipt receipt;
  struct kaizen_instance *own;
  uint64_t pending;

  if (record(parents, &receipt) != KAIZEN_E_FORKED ||
      plugin->flush(parents, 1000, &pending) != KAIZEN_E_FORKED ||
      plugin->stats(parents, &stats) != KAIZEN_E_FORKED ||
      plugin->stop(parents, 1000) != KAIZEN_E_FORKED || plugin->start(parents) != KAIZEN_E_FORKED)
    return 3;
  plugin->destroy(parents);
  own = start_instance();
  if (record(own, &receipt) != KAIZEN_RECORDED)
    return 4;
  (void)plugin->stop(own, 0);
  plugin->destroy(own);
  return 0;
}

static void fork_once(struct kaizen_instance *parents, const char *state) {
  int64_t deadline_ms = now_ms() + CHILD_PATIENCE_MS;
  pid_t child = fork();
  int status;

  if (child == 0)
    _exit(be_a_child(parents));
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (now_ms() > deadline_ms) {
      (void)kill(child, SIGKILL);
      die("%s: the child hangs", state);
    }
    pause_ms(1);
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    die("%s: the child ended with status %d", state, status);
}

static void *record_until_finished(void *ctx) {
  while (!atomic_load(&finished)) {
    must_record(ctx);
    recorded++;
  }
  return NULL;
}

/* `arguments`: how the broker is, and how many forks while threads record. */
void race_forked(char *const arguments[]) {
  const char *broker = arguments[0];
  unsigned wanted = (unsigned)atoi(arguments[1]);
  struct kaizen_instance *instance;
  pthread_t threads[4];
  unsigned forks = 0;

  (void)open_plugin();
  instance = make_instance();
  fork_once(instance, "created");
  configure_instance(instance);
  fork_once(instance, "configured");
  if (plugin->start(instance) != KAIZEN_OK)
    die("start failed");
  fork_once(instance, "running");
  must_record(instance);
  for (int i = 0; i < 5; i++) /* from the first try to connect on */
    fork_once(instance, broker);
  for (int i = 0; i < 4; i++)
    threads[i] = run_thread(record_until_finished, instance);
  for (; forks < wanted; forks++)
    fork_once(instance, "while threads record");
  atomic_store(&finished, true);
  for (int i = 0; i < 4; i++)
    (void)pthread_join(threads[i], NULL);
  must_record(instance);
  if (strcmp(broker, "up") == 0)
    must_flush(instance);
  (void)plugin->stop(instance, 100);
  fork_once(instance, "stopped");
  plugin->destroy(instance);
  printf("forks %u\n", forks + 9);
}

/* signals */

static void interrupt(int number) {
  (void)number;
  interruptions++;
}

void race_signalled(char *const arguments[]) {
  struct sigaction action = {.sa_handler = interrupt}; /* no SA_RESTART */
  struct itimerval every = {.it_interval = {0, 1000}, .it_value = {0, 1000}}, never = {0};
  struct kaizen_instance *instance;
  pthread_t threads[4];
  int64_t until_ms;

  (void)open_plugin();
  (void)sigaction(SIGALRM, &action, NULL);
  (void)sigaction(SIGUSR1, &action, NULL);
  (void)setitimer(ITIMER_REAL, &every, NULL);
  instance = start_instance();
  for (int i = 0; i < 4; i++)
    threads[i] = run_thread(record_until_finished, instance);
  until_ms = now_ms() + atoi(arguments[0]);
  for (unsigned i = 0; now_ms() < until_ms; i++) {
    (void)pthread_kill(threads[i % 4], SIGUSR1);
    (void)usleep(1000);
  }
  atomic_store(&finished, true);
  for (int i = 0; i < 4; i++)
    (void)pthread_join(threads[i], NULL);
  must_flush(instance);
  if (plugin->stop(instance, 10000) != KAIZEN_OK)
    die("events were left");
  plugin->destroy(instance);
  (void)setitimer(ITIMER_REAL, &never, NULL);
  printf("recorded %u\nsignals %u\n", recorded, interruptions);
}

/* recorder.c - the pipeline from a validated execution to the log: who leads, who waits, what
 * follows a batch.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "recorder/recorder.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "recorder/seats.h"
#include "store/retention.h"

#define NS_PER_MS INT64_C(1000000)
/* Jobs one batch commits for. */
#define BATCH_JOBS_MAX 256
/* What a leader waits for others at most, before it syncs for all of them. */
#define COMPANY_NS INT64_C(60000)
/* How often a leader looks whether the log has something to prune. */
#define PRUNE_LOOK_S 3600

enum { TURN_WAITS, TURN_LEADS, TURN_SERVED };

struct job { /* one call of recorder_record(), on its stack; in its seat's queue until taken */
  struct recorder_request *requests;
  size_t count, bytes;
  int64_t deadline_ns;
  sem_t wake;       /* posted once, with `turn` no longer TURN_WAITS */
  atomic_uint turn; /* TURN_LEADS is set under the queue's mutex */
  bool taken;       /* guarded by the queue's mutex */
  struct job *next;
  struct summary summary;
  struct error error;
};

struct recorder {
  struct recorder_options options;
  struct seats seats;
};

struct recorder *recorder_new(const struct recorder_options *options) {
  struct recorder *recorder = malloc(sizeof *recorder);

  if (!recorder)
    return NULL;
  recorder->options = *options;
  seats_init(&recorder->seats, &recorder->options);
  return recorder;
}

void recorder_free(struct recorder *recorder) {
  if (!recorder)
    return;
  seats_fini(&recorder->seats);
  free(recorder);
}

static void fail_job(struct job *job, const struct error *error) {
  size_t i;

  for (i = 0; i < job->count; i++)
    job->requests[i].code = error->code;
  if (error != &job->error)
    job->error = *error;
}

static struct timespec deadline_of(int64_t ns) {
  return (struct timespec){.tv_sec = ns / (1000 * NS_PER_MS), .tv_nsec = ns % (1000 * NS_PER_MS)};
}

static void enqueue(struct seat *seat, struct job *job) {
  *seat->last = job;
  seat->last = &job->next;
  if (++seat->queued == seat->wanted)
    (void)pthread_cond_signal(&seat->company);
}

static void withdraw(struct seat *seat, const struct job *job) {
  struct job **at = &seat->first;

  while (*at != job)
    at = &(*at)->next;
  *at = job->next;
  if (!*at)
    seat->last = at;
  seat->queued--;
}

/* Takes from the head of the queue what fits one batch, at least one job.  Queue mutex held. */
static size_t take_jobs(struct seat *seat, struct job *jobs[BATCH_JOBS_MAX], size_t *requests) {
  size_t count = 0, bytes = 0;

  *requests = 0;
  while (seat->first && count < BATCH_JOBS_MAX &&
         (count == 0 || bytes + seat->first->bytes <= RECORDER_BATCH_BYTES)) {
    struct job *job = seat->first;

    bytes += job->bytes;
    *requests += job->count;
    job->taken = true;
    jobs[count++] = job;
    withdraw(seat, job);
  }
  return count;
}

static bool out_of_descriptors(const struct error *error) {
  return error->code == KAIZEN_E_IO && (error->os_error == EMFILE || error->os_error == ENFILE);
}

static void send_message(const struct recorder *recorder, int32_t level, int32_t id,
                         const char *agent, const char *text) {
  char message[ERROR_TEXT_MAX + EXECUTION_AGENT_MAX + 8];

  (void)snprintf(message, sizeof message, "%s: %s", agent, text);
  recorder->options.messages.send(recorder->options.messages.ctx, level, id, message);
}

/* Once more without the agents nobody uses, when descriptors were what it failed for. */
static void commit_all(struct recorder *recorder, struct seat *seat, struct error *error) {
  commit_batch(&seat->commit, &seat->agent, error);
  if (out_of_descriptors(error)) {
    seats_close_idle(&recorder->seats);
    *error = (struct error){0};
    commit_batch(&seat->commit, &seat->agent, error);
  }
  if (seat->commit.starved) {
    seats_close_idle(&recorder->seats);
    commit_refresh_summary(&seat->commit, &seat->agent);
  }
  if (seat->commit.starved)
    send_message(recorder, KAIZEN_LOG_WARNING, MESSAGE_SUMMARY_NOT_WRITTEN, seat->agent.name,
                 "summary.json: too many open files");
  if (error->code != 0)
    error_prefix(error, "agent %s", seat->agent.name);
}

/* One batch for all `jobs`; the agent is acquired. */
static void commit_jobs(struct recorder *recorder, struct seat *seat, struct job *jobs[],
                        size_t count, size_t requests) {
  struct commit *commit = &seat->commit;
  struct summary summary;
  struct error error = {0};
  size_t i, r;

  commit->count = 0;
  commit->requests = malloc(requests * sizeof(struct recorder_request *));
  if (!commit->requests) {
    (void)error_set(&error, KAIZEN_E_NOMEM, "out of memory");
    for (i = 0; i < count; i++)
      fail_job(jobs[i], &error);
    return;
  }
  for (i = 0; i < count; i++)
    for (r = 0; r < jobs[i]->count; r++)
      commit->requests[commit->count++] = &jobs[i]->requests[r];
  commit_all(recorder, seat, &error);
  summary_of(&seat->agent.fold, recorder->options.trend_window, &summary);
  for (i = 0; i < count; i++) {
    jobs[i]->summary = summary;
    jobs[i]->error = error;
  }
  free(commit->requests);
}

static int acquire(struct recorder *recorder, struct seat *seat, int64_t deadline_ns,
                   struct error *error) {
  int result = agent_acquire(&seat->agent, deadline_ns, error);

  if (result < 0 && out_of_descriptors(error)) {
    seats_close_idle(&recorder->seats);
    agent_close(&seat->agent);
    *error = (struct error){0};
    result = agent_acquire(&seat->agent, deadline_ns, error);
  }
  if (result == 1)
    return error_set(error, KAIZEN_E_BUSY, "agent %s: its lock was not free within %lld ms",
                     seat->agent.name, (long long)recorder->options.lock_timeout_ms);
  if (result < 0)
    error_prefix(error, "agent %s", seat->agent.name);
  return result;
}

/* What was found wrong with the agent's files since it was last told. */
static void tell_findings(const struct recorder *recorder, struct seat *seat) {
  const struct agent *agent = &seat->agent;
  char text[224];

  if (agent->rebuilt != seat->told_rebuilt)
    send_message(recorder, KAIZEN_LOG_NOTICE, MESSAGE_CHECKPOINT_REBUILT, agent->name,
                 CHECKPOINT_FILE " was missing, damaged or of another log, and was made anew");
  if (agent->skipped != seat->told_skipped) {
    (void)snprintf(text, sizeof text, "%llu lines that are no records were passed over",
                   (unsigned long long)(agent->skipped - seat->told_skipped));
    send_message(recorder, KAIZEN_LOG_WARNING, MESSAGE_LINES_SKIPPED, agent->name, text);
  }
  if (agent->rewrites != seat->told_rewrites) {
    (void)snprintf(
        text, sizeof text,
        "the log was rewritten by another program: %llu records before, %llu after; "
        "marked for events: %llu before, %llu after",
        (unsigned long long)agent->records_before, (unsigned long long)agent->records_after,
        (unsigned long long)agent->marked_before, (unsigned long long)agent->marked_after);
    send_message(recorder, KAIZEN_LOG_WARNING, MESSAGE_LOG_REWRITTEN, agent->name, text);
  }
  seat->told_rewrites = agent->rewrites;
  seat->told_rebuilt = agent->rebuilt;
  seat->told_skipped = agent->skipped;
}

/* With a sync to share, as many as the last batch had are given a moment to come: those it served
 * are just about to record again. */
static void wait_for_company(const struct recorder *recorder, struct seat *seat) {
  struct timespec deadline = deadline_of(clock_monotonic_ns() + COMPANY_NS);
  int result = 0;

  if (!recorder->options.sync)
    return;
  (void)pthread_mutex_lock(&seat->mutex);
  seat->wanted = seat->last_batch;
  while (result == 0 && seat->queued < seat->wanted)
    result = pthread_cond_clockwait(&seat->company, &seat->mutex, CLOCK_MONOTONIC, &deadline);
  seat->wanted = 0;
  (void)pthread_mutex_unlock(&seat->mutex);
}

/* The next in the queue leads; others find it led.  Before the served ones are woken, so that the
 * log is not idle meanwhile. */
static void hand_over(struct seat *seat, const struct job *failed) {
  struct job *next;

  (void)pthread_mutex_lock(&seat->mutex);
  if (failed)
    withdraw(seat, failed);
  next = seat->first;
  if (next)
    atomic_store_explicit(&next->turn, TURN_LEADS, memory_order_release);
  else
    seat->led = false;
  (void)pthread_mutex_unlock(&seat->mutex);
  if (next)
    (void)sem_post(&next->wake);
}

/* The leader's turn: one batch.  Queue mutex not held; `own` is the first in the queue. */
static void lead(struct recorder *recorder, struct seat *seat, struct job *own) {
  struct job *jobs[BATCH_JOBS_MAX];
  size_t count, requests, i;
  struct error error = {0};

  wait_for_company(recorder, seat);
  if (acquire(recorder, seat, own->deadline_ns, &error) != 0) {
    hand_over(seat, own);
    fail_job(own, &error);
    return;
  }
  (void)pthread_mutex_lock(&seat->mutex);
  count = take_jobs(seat, jobs, &requests);
  seat->last_batch = count;
  (void)pthread_mutex_unlock(&seat->mutex);
  commit_jobs(recorder, seat, jobs, count, requests);
  agent_release(&seat->agent);
  tell_findings(recorder, seat);
  hand_over(seat, NULL);
  for (i = 0; i < count; i++) {
    if (jobs[i] == own)
      continue;
    atomic_store_explicit(&jobs[i]->turn, TURN_SERVED, memory_order_release);
    (void)sem_post(&jobs[i]->wake);
  }
}

/* Until the job is done, or leads (true).  One that nobody has taken withdraws at its deadline. */
static bool wait_turn(const struct recorder *recorder, struct seat *seat, struct job *job) {
  struct timespec deadline = deadline_of(job->deadline_ns);
  struct error error = {0};
  bool withdrawn;

  while (sem_clockwait(&job->wake, CLOCK_MONOTONIC, &deadline) != 0) {
    if (errno == EINTR)
      continue;
    (void)pthread_mutex_lock(&seat->mutex);
    withdrawn = !job->taken && atomic_load(&job->turn) == TURN_WAITS;
    if (withdrawn)
      withdraw(seat, job);
    (void)pthread_mutex_unlock(&seat->mutex);
    if (withdrawn) {
      (void)error_set(&error, KAIZEN_E_BUSY, "agent %s: its lock was not free within %lld ms",
                      seat->agent.name, (long long)recorder->options.lock_timeout_ms);
      fail_job(job, &error);
      return false;
    }
    while (sem_wait(&job->wake) != 0) /* it is being served, or is about to lead */
      continue;
    break;
  }
  return atomic_load_explicit(&job->turn, memory_order_acquire) == TURN_LEADS;
}

static void run_job(struct recorder *recorder, struct seat *seat, struct job *job) {
  bool leads;

  (void)pthread_mutex_lock(&seat->mutex);
  enqueue(seat, job);
  leads = !seat->led;
  seat->led = true;
  (void)pthread_mutex_unlock(&seat->mutex);
  if (leads || wait_turn(recorder, seat, job))
    lead(recorder, seat, job);
}

/* After a prune: summary.json is about the records that are left, not only from the next record
 * on. */
static void show_what_is_left(const struct recorder *recorder, const char *name, int64_t wait_ns) {
  const struct recorder_options *options = &recorder->options;
  struct commit commit = {.options = options};
  struct error error = {0};
  struct agent agent;

  agent_init(&agent, options->project, name);
  if (agent_acquire(&agent, clock_monotonic_ns() + wait_ns, &error) == 0) {
    agent.summary_stale = true;
    commit_refresh_summary(&commit, &agent);
    agent_release(&agent);
  }
  commit_fini(&commit);
  agent_close(&agent);
}

/* It waits for the lock no longer than what the call's own waiting has left of lock_timeout_ms. */
static void prune(const struct recorder *recorder, const char *agent, int64_t now_s,
                  int64_t deadline_ns) {
  const struct recorder_options *options = &recorder->options;
  int64_t wait_ns = deadline_ns - clock_monotonic_ns();
  struct error error = {0};
  uint64_t dropped;
  char text[64];
  int result = retention_prune(options->project, agent, options->retention_days, now_s, &wait_ns,
                               options->sync, &dropped, &error);

  if (result < 0)
    send_message(recorder, KAIZEN_LOG_WARNING, MESSAGE_PRUNE_FAILED, agent, error.text);
  if (result != 1)
    return;
  show_what_is_left(recorder, agent, wait_ns);
  (void)snprintf(text, sizeof text, "%llu expired lines taken out of the log",
                 (unsigned long long)dropped);
  send_message(recorder, KAIZEN_LOG_NOTICE, MESSAGE_PRUNED, agent, text);
}

/* Is it this call's turn to look for expired lines?  As leader, so that one thread does. */
static bool prune_is_due(const struct recorder *recorder, struct seat *seat, int64_t now_s) {
  int64_t days = recorder->options.retention_days;
  bool due = false;

  if (days == 0)
    return false;
  (void)pthread_mutex_lock(&seat->mutex);
  if (!seat->led && seat->agent.loaded &&
      seat->agent.fold.oldest_s < now_s - days * RETENTION_INTERVAL_S &&
      (now_s >= seat->prune_look_s + PRUNE_LOOK_S || now_s < seat->prune_look_s)) {
    seat->prune_look_s = now_s;
    due = true;
  }
  (void)pthread_mutex_unlock(&seat->mutex);
  return due;
}

static int make_event_ids(const struct recorder *recorder, struct recorder_request *requests,
                          size_t count, struct error *error) {
  struct span slug = {recorder->options.slug, strlen(recorder->options.slug)};
  size_t i;

  for (i = 0; i < count; i++) {
    const struct execution *execution = requests[i].execution;
    struct span agent = {execution->agent, strlen(execution->agent)};

    requests[i].marked = execution->marked;
    requests[i].key_conflict = false;
    requests[i].event_id[0] = '\0';
    if (!execution->marked)
      continue;
    if (execution->key.len == 0)
      uuid_random(requests[i].event_id);
    else if (uuid_from_key(slug, agent, buffer_span(&execution->key), requests[i].event_id) != 0)
      return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  }
  return 0;
}

static bool any_new_mark(const struct recorder_request *requests, size_t count) {
  size_t i;

  for (i = 0; i < count; i++)
    if (requests[i].marked && requests[i].code == KAIZEN_RECORDED)
      return true;
  return false;
}

void recorder_record(struct recorder *recorder, struct recorder_request *requests, size_t count,
                     int64_t now_s, struct summary *summary, struct error *error) {
  struct job job = {.requests = requests, .count = count};
  const char *agent = requests[0].execution->agent;
  struct seat *seat;
  size_t i;

  (void)sem_init(&job.wake, 0, 0);
  job.deadline_ns = clock_monotonic_ns() + recorder->options.lock_timeout_ms * NS_PER_MS;
  for (i = 0; i < count; i++)
    job.bytes += requests[i].execution->line.len;
  seat = seats_take(&recorder->seats, agent);
  if (!seat)
    (void)error_set(&job.error, KAIZEN_E_NOMEM, "out of memory");
  if (seat && make_event_ids(recorder, requests, count, &job.error) == 0) {
    run_job(recorder, seat, &job);
    if (prune_is_due(recorder, seat, now_s))
      prune(recorder, agent, now_s, job.deadline_ns);
  } else {
    fail_job(&job, &job.error);
  }
  if (seat)
    seats_give_back(&recorder->seats, seat);
  if (any_new_mark(requests, count) && recorder->options.marked)
    recorder->options.marked(recorder->options.marked_ctx, agent);
  if (summary)
    *summary = job.summary;
  *error = job.error;
  (void)sem_destroy(&job.wake);
}

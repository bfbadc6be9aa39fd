/* follow.c - publishing as a service, for one project or many.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "operator/follow.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/output.h"
#include "base/signals.h"
#include "base/time_text.h"
#include "host/roots.h"

static const uint32_t STOP_MS = 5000;    /* for what is in flight */
static const double LOOK_EVERY_S = 5;    /* to read the file and to try roots that could not be
                                          * opened */
static const double SWEEP_EVERY_S = 600; /* to record runs whose process died: perhaps nobody else
                                          * does */
enum {
  TURNS_OF_ALL = 50
}; /* with many roots each has a turn within so many ticks; with few, one per tick */
static const long TICK_NS =
    100000000; /* how soon messages of the plugin are printed and signals are noticed */

/* When there are more roots than descriptors, roots without events are closed, and opened again
 * when their doorbell was written, and also after a time, because a ring may be lost. */
static const double BELLS_EVERY_S = 0.5;
static const double OPEN_AGAIN_S = 300;
static const double TURN_S = 10;         /* for a root whose events cannot be sent, while others
                                          * wait */
static const uint32_t GIVE_WAY_MS = 500; /* for what is in flight, before it is closed */
enum {
  DESCRIPTORS_A_ROOT = 5, /* including files open for a moment, and what the broker needs */
  DESCRIPTORS_OWN = 24,
  CLOSED_AT_A_TIME = 16,
};

struct bell { /* what changes when somebody rings; zeroed: there is none */
  ino_t inode;
  off_t size;
  struct timespec modified;
};

struct followed {
  char *root;
  struct session *session; /* NULL: not open */
  bool listed;             /* it is in the file, as last read */
  int complained;          /* its failure that has been reported, by its exit code; 0: none */
  bool announced;          /* it has been reported that its events are published */
  double sweep_s;          /* when lost runs are looked for next */
  double opened_s;
  double open_again_s; /* while it is closed: not before this time, unless it rings */
  struct bell bell;    /* as it was when it was closed */
};
struct follow {
  const struct host *host;
  const char *roots_file;
  struct timespec roots_modified;
  struct followed *list;
  size_t count;
  size_t next; /* whose messages are taken next */
  size_t open_count, open_max, next_open, next_close;
  bool crowded; /* more roots than may be open; has been reported */
  double next_bells_s;
};

int follow_publish_here(struct session *session, struct problem *problem) {
  if (session_set(session, "emit_event", "true", problem) < 0)
    return -1;
  return session_set(session, "delivery", "in-process", problem);
}

static const struct followed *find_project(const struct follow *follow, const char *project) {
  for (size_t i = 0; i < follow->count; i++)
    if (follow->list[i].session && strcmp(follow->list[i].session->project_root, project) == 0)
      return &follow->list[i];
  return NULL;
}

/* A root that was not there when the file was read can turn out to lead to another's project. */
static int refuse_twin(const struct follow *follow, struct session *session,
                       struct problem *problem) {
  const struct followed *twin = find_project(follow, session->project_root);

  return twin ? problem_set(problem, EXIT_CODE_FAILED, "the same project as %s", twin->root) : 0;
}

static int open_root(struct follow *follow, struct followed *followed, struct problem *problem) {
  struct session *session = calloc(1, sizeof *session);
  if (!session)
    return problem_no_memory(problem);
  int result = followed->root ? roots_open(follow->host, followed->root, session, problem)
                              : session_open(follow->host, session, problem);
  if (result == 0 &&
      (refuse_twin(follow, session, problem) < 0 || follow_publish_here(session, problem) < 0 ||
       session_start(session, problem) < 0)) {
    session_close(session);
    result = -1;
  }
  if (result < 0) {
    free(session);
    return -1;
  }
  followed->session = session;
  followed->opened_s = time_text_monotonic_s();
  follow->open_count++;
  if (!followed->announced)
    output_note("publishing for %s", session->project_root);
  followed->announced = true;
  return 0;
}

static void close_root(struct follow *follow, struct followed *followed, uint32_t stop_ms) {
  if (!followed->session)
    return;
  session_stop(followed->session, stop_ms);
  session_close(followed->session);
  free(followed->session);
  followed->session = NULL;
  follow->open_count--;
}

static struct followed *find_root(struct follow *follow, const char *root) {
  for (size_t i = 0; i < follow->count; i++)
    if (strcmp(follow->list[i].root, root) == 0)
      return &follow->list[i];
  return NULL;
}

static int add_root(struct follow *follow, const char *root) {
  struct followed *known = find_root(follow, root);

  if (known) {
    known->listed = true;
    return 0;
  }
  struct followed *list = reallocarray(follow->list, follow->count + 1, sizeof *list);
  if (!list)
    return -1;
  follow->list = list;
  char *copy = strdup(root);
  if (!copy)
    return -1;
  list[follow->count++] = (struct followed){.root = copy, .session = NULL, .listed = true};
  return 0;
}

static void drop_unlisted(struct follow *follow) {
  size_t kept = 0;

  for (size_t i = 0; i < follow->count; i++) {
    if (follow->list[i].listed) {
      follow->list[kept++] = follow->list[i];
      continue;
    }
    output_note("no longer publishing for %s", follow->list[i].root);
    close_root(follow, &follow->list[i], STOP_MS);
    free(follow->list[i].root);
  }
  follow->count = kept;
}

static int take_roots(struct follow *follow, const struct roots *roots) {
  for (size_t i = 0; i < follow->count; i++)
    follow->list[i].listed = false;
  for (size_t i = 0; i < roots->count; i++)
    if (add_root(follow, roots->list[i]) < 0)
      return -1;
  drop_unlisted(follow);
  return 0;
}

static int read_roots(struct follow *follow, struct problem *problem) {
  struct stat entry;
  struct roots roots;

  if (stat(follow->roots_file, &entry) == 0 &&
      entry.st_mtim.tv_sec == follow->roots_modified.tv_sec &&
      entry.st_mtim.tv_nsec == follow->roots_modified.tv_nsec)
    return 0;
  if (roots_read(follow->roots_file, &roots, problem) < 0)
    return -1;
  follow->roots_modified = entry.st_mtim;
  int result = take_roots(follow, &roots);
  roots_free(&roots);
  return result < 0 ? problem_no_memory(problem) : 0;
}

/* ---- more roots than descriptors ------------------------------------------------------------- */

static struct bell look_at_bell(const char *root) {
  struct bell bell = {.inode = 0};
  char path[PATH_MAX];
  struct stat entry;

  if (snprintf(path, sizeof path, "%s/.kaizen/metrics/.doorbell", root) < (int)sizeof path &&
      stat(path, &entry) == 0)
    bell = (struct bell){entry.st_ino, entry.st_size, entry.st_mtim};
  return bell;
}

static bool has_rung(const struct followed *followed) {
  struct bell now = look_at_bell(followed->root);

  return now.inode != followed->bell.inode || now.size != followed->bell.size ||
         now.modified.tv_sec != followed->bell.modified.tv_sec ||
         now.modified.tv_nsec != followed->bell.modified.tv_nsec;
}

static void hear_bells(struct follow *follow, double now_s) {
  if (!follow->crowded || now_s < follow->next_bells_s)
    return;
  follow->next_bells_s = now_s + BELLS_EVERY_S;
  for (size_t i = 0; i < follow->count; i++) {
    struct followed *followed = &follow->list[i];

    if (!followed->session && !followed->complained && has_rung(followed))
      followed->open_again_s = 0;
  }
}

/* Has it sent everything?  Its doorbell is read first, so that a later ring is noticed. */
static bool is_at_rest(struct followed *followed) {
  struct kaizen_stats stats = {.struct_size = sizeof stats};

  followed->bell = look_at_bell(followed->root);
  followed->session->plugin.table->stats(followed->session->instance, &stats);
  return stats.pending == 0 && !(stats.flags & KAIZEN_STATS_INCOMPLETE);
}

/* Closes some that have nothing to send; one whose events cannot be sent is closed after its
 * turn. */
static void make_way(struct follow *follow, double now_s) {
  size_t closed = 0;

  for (size_t i = 0; i < follow->count && closed < CLOSED_AT_A_TIME; i++) {
    struct followed *followed = &follow->list[follow->next_close++ % follow->count];
    bool had_its_turn = now_s >= followed->opened_s + TURN_S;

    if (!followed->session)
      continue;
    if (!is_at_rest(followed)) {
      if (!had_its_turn)
        continue;
      close_root(follow, followed, GIVE_WAY_MS);
      followed->open_again_s = now_s + TURN_S;
      return; /* opening may have taken a while */
    }
    close_root(follow, followed, 0);
    followed->open_again_s = now_s + OPEN_AGAIN_S;
    closed++;
  }
}

/* Opens the roots that should be open, in turn. */
static void open_missing(struct follow *follow, double now_s) {
  bool waits = false;

  for (size_t i = 0; i < follow->count; i++) {
    struct followed *followed = &follow->list[(follow->next_open + i) % follow->count];
    struct problem problem;

    if (followed->session || now_s < followed->open_again_s)
      continue;
    if (follow->open_count >= follow->open_max) {
      waits = true;
      follow->next_open = (follow->next_open + i) % follow->count; /* it gets its turn first */
      break;
    }
    if (open_root(follow, followed, &problem) == 0) {
      followed->complained = 0;
      continue;
    }
    if (followed->complained != (int)problem.exit_code)
      output_warning("%s: %s; trying again", followed->root, problem.text);
    followed->complained = (int)problem.exit_code;
    followed->open_again_s = now_s + LOOK_EVERY_S;
  }
  if (!waits)
    return;
  if (!follow->crowded)
    output_note("%zu roots, and descriptors for %zu at a time: those without events are closed "
                "meanwhile (a higher hard limit, ulimit -Hn or LimitNOFILE=, keeps all open)",
                follow->count, follow->open_max);
  follow->crowded = true;
  make_way(follow, now_s);
}

/* A service may use its hard limit: the soft limit is low only for programs with select(). */
static size_t roots_at_a_time(void) {
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return 1;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > INT_MAX)
    return INT_MAX;
  return limit.rlim_cur < DESCRIPTORS_OWN + 2 * DESCRIPTORS_A_ROOT
             ? 1
             : ((size_t)limit.rlim_cur - DESCRIPTORS_OWN) / DESCRIPTORS_A_ROOT;
}

/* ---- the service ----------------------------------------------------------------------------- */

/* A plugin without spans has no lost runs. */
static void sweep_sometimes(struct followed *followed) {
  struct session *session = followed->session;
  const struct kaizen_span_1 *span = session->plugin.table->get_extension(KAIZEN_SPAN_1);
  struct problem problem;
  uint64_t count = 0;

  if (!span || time_text_monotonic_s() < followed->sweep_s)
    return;
  followed->sweep_s = time_text_monotonic_s() + SWEEP_EVERY_S;
  int32_t code = span->sweep(session->instance, &count);
  if (count > 0)
    output_note("%s: %llu lost run%s recorded", session->project_root, (unsigned long long)count,
                output_plural(count));
  if (code < 0 && session_failed(session, "lost runs", code, &problem) < 0)
    output_warning("%s: %s; trying again in ten minutes", session->project_root, problem.text);
}

static int32_t ignore(void *ctx, const char *data, size_t len) {
  (void)ctx;
  (void)data;
  (void)len;
  return 0;
}

/* Any call makes the plugin deliver the messages of its own thread; this one reads no file. */
static void take_messages(struct session *session) {
  const struct kaizen_inspect_1 *inspect = session->plugin.table->get_extension(KAIZEN_INSPECT_1);

  if (inspect)
    inspect->config(session->instance, ignore, NULL);
}

/* With many roots each has its turn within five seconds. */
static void tick(struct follow *follow) {
  const struct timespec pause = {.tv_sec = 0, .tv_nsec = TICK_NS};
  size_t turns = follow->count < TURNS_OF_ALL ? follow->count : 1 + follow->count / TURNS_OF_ALL;

  for (size_t i = 0; i < turns; i++) {
    struct followed *followed = &follow->list[follow->next++ % follow->count];

    if (!followed->session)
      continue;
    take_messages(followed->session);
    sweep_sometimes(followed);
  }
  nanosleep(&pause, NULL);
}

static int follow_many(struct follow *follow, struct problem *problem) {
  double next_look_s = 0;

  if (read_roots(follow, problem) < 0)
    return -1;
  while (signals_pending() == 0) {
    struct problem ignored;

    if (time_text_monotonic_s() >= next_look_s) {
      if (next_look_s > 0 && read_roots(follow, &ignored) < 0)
        output_warning("%s; keeping the roots that were read before", ignored.text);
      next_look_s = time_text_monotonic_s() + LOOK_EVERY_S;
    }
    hear_bells(follow, time_text_monotonic_s());
    open_missing(follow, time_text_monotonic_s());
    tick(follow);
  }
  return 0;
}

static int follow_one(struct follow *follow, struct problem *problem) {
  follow->list = calloc(1, sizeof *follow->list);
  if (!follow->list)
    return problem_no_memory(problem);
  follow->count = 1;
  if (open_root(follow, &follow->list[0], problem) < 0)
    return -1;
  while (signals_pending() == 0)
    tick(follow);
  return 0;
}

int follow_run(const struct host *host, const char *roots_file) {
  struct follow follow = {.host = host, .roots_file = roots_file};
  struct problem problem;

  signals_note();
  follow.open_max = roots_at_a_time();
  int result = roots_file ? follow_many(&follow, &problem) : follow_one(&follow, &problem);
  for (size_t i = 0; i < follow.count; i++) {
    close_root(&follow, &follow.list[i], STOP_MS);
    free(follow.list[i].root);
  }
  free(follow.list);
  return result < 0 ? output_problem(&problem) : EXIT_CODE_OK;
}

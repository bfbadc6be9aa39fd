/* follow.c - publishing as a service, for one project or many.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "operator/follow.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/output.h"
#include "base/signals.h"
#include "base/time_text.h"
#include "host/roots.h"

static const uint32_t STOP_MS = 5000;    /* to let what is in flight end */
static const double LOOK_EVERY_S = 5;    /* at the file and at roots that could not be opened */
static const double SWEEP_EVERY_S = 600; /* for runs whose process died: nobody else may come */
enum {
  TURNS_OF_ALL = 50
}; /* ticks until all of many roots had their turn; few have one each tick */
static const long TICK_NS =
    100000000; /* how soon messages of the plugin come out and signals are seen */

struct followed {
  char *root;
  struct session *session; /* NULL: not open */
  bool listed;             /* in the file as last read */
  bool complained;         /* its failure has been reported */
  double sweep_s;          /* when lost runs are looked for next */
};
struct follow {
  const struct host *host;
  const char *roots_file;
  struct timespec roots_modified;
  struct followed *list;
  size_t count;
  size_t next; /* whose messages are taken next */
};

int follow_publish_here(struct session *session, struct problem *problem) {
  if (session_set(session, "emit_event", "true", problem) < 0)
    return -1;
  return session_set(session, "delivery", "in-process", problem);
}

static int open_root(const struct follow *follow, struct followed *followed,
                     struct problem *problem) {
  struct host host = *follow->host;
  struct session *session = calloc(1, sizeof *session);
  if (!session)
    return problem_no_memory(problem);
  if (followed->root)
    host.directory = followed->root;
  int result = session_open(&host, session, problem);
  if (result == 0 &&
      (follow_publish_here(session, problem) < 0 || session_start(session, problem) < 0)) {
    session_close(session);
    result = -1;
  }
  if (result < 0) {
    free(session);
    return -1;
  }
  followed->session = session;
  output_note("publishing for %s", session->project_root);
  return 0;
}

static void close_root(struct followed *followed) {
  if (!followed->session)
    return;
  session_stop(followed->session, STOP_MS);
  session_close(followed->session);
  free(followed->session);
  followed->session = NULL;
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
  list[follow->count++] =
      (struct followed){.root = copy, .session = NULL, .listed = true, .complained = false};
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
    close_root(&follow->list[i]);
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

static void open_missing(struct follow *follow) {
  for (size_t i = 0; i < follow->count; i++) {
    struct followed *followed = &follow->list[i];
    struct problem problem;

    if (followed->session || open_root(follow, followed, &problem) == 0)
      continue;
    if (!followed->complained)
      output_warning("%s: %s; it is tried again", followed->root, problem.text);
    followed->complained = true;
  }
}

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
    output_warning("%s: %s; they are looked for again in ten minutes", session->project_root,
                   problem.text);
}

/* Any call lets the plugin hand over the messages of its own thread, and counts events, which costs
 * some reading: of many roots each has its turn within five seconds. */
static void tick(struct follow *follow) {
  const struct timespec pause = {.tv_sec = 0, .tv_nsec = TICK_NS};
  size_t turns = follow->count < TURNS_OF_ALL ? follow->count : 1 + follow->count / TURNS_OF_ALL;

  for (size_t i = 0; i < turns; i++) {
    struct kaizen_stats stats = {.struct_size = sizeof stats};
    struct followed *followed = &follow->list[follow->next++ % follow->count];

    if (!followed->session)
      continue;
    followed->session->plugin.table->stats(followed->session->instance, &stats);
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
        output_warning("%s; the roots read before stay", ignored.text);
      open_missing(follow);
      next_look_s = time_text_monotonic_s() + LOOK_EVERY_S;
    }
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
  int result = roots_file ? follow_many(&follow, &problem) : follow_one(&follow, &problem);
  for (size_t i = 0; i < follow.count; i++) {
    close_root(&follow.list[i]);
    free(follow.list[i].root);
  }
  free(follow.list);
  return result < 0 ? output_problem(&problem) : EXIT_CODE_OK;
}

/* proof_scenario.c - the histories whose every interruption is examined.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "proof_scenario.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define AGENT "coach"
#define LOG_MAX (256 * 1024)
#define DAY_S INT64_C(86400)
#define AHEAD_LINES 2500 /* 280 KB */

static void in_the_world(struct world *world, void (*act)(struct world *world)) {
  if (world_open(world) == KAIZEN_OK)
    act(world);
  world_close(world);
}

static void give_three(struct world *world) {
  (void)world_give(world, AGENT, "s1", false);
  (void)world_give(world, AGENT, "s2", true);
  (void)world_give(world, AGENT, "s3", false);
}

static void setup_three(struct world *world) {
  in_the_world(world, give_three);
}

/* ---- plain recording ----------------------------------------------------------------------------
 */

static void run_first(struct world *world) {
  (void)world_give(world, AGENT, "k1", true);
}

static void run_append(struct world *world) {
  (void)world_give(world, AGENT, "k1", true);
  (void)world_give(world, AGENT, "k2", false);
}

static void run_duplicate(struct world *world) {
  (void)world_give(world, AGENT, "s2", true);
  (void)world_give(world, AGENT, "k1", false);
  (void)world_give(world, AGENT, "k1", false);
}

/* Other agents' folders are made while this one's exists. */
static void run_batch(struct world *world) {
  char lines[4096] = "";
  char timestamp[32];
  time_t now = time(NULL);
  struct tm utc;
  int i;

  (void)strftime(timestamp, sizeof timestamp, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
  for (i = 0; i < 9; i++) {
    size_t len = strlen(lines);

    (void)snprintf(lines + len, sizeof lines - len,
                   "{\"timestamp\":\"%s\",\"agent\":\"agent%d\",\"success\":true,"
                   "\"idempotency_key\":\"b%d\"}\n",
                   timestamp, i % 3, i < 8 ? i : 5);
  }
  (void)world_give_batch(world, lines);
}

/* ---- group commit -------------------------------------------------------------------------------
 */

#define THREADS 8

struct giver {
  struct world *world;
  int number;
};

static void *give_two(void *ctx) {
  const struct giver *giver = ctx;
  char key[16];
  int i;

  for (i = 1; i <= 2; i++) {
    (void)snprintf(key, sizeof key, "t%d-%d", giver->number, i);
    (void)world_give(giver->world, AGENT, key, giver->number % 2 == 0);
  }
  return NULL;
}

static void run_group(struct world *world) {
  pthread_t threads[THREADS];
  struct giver givers[THREADS];
  bool made[THREADS];
  int i;

  for (i = 0; i < THREADS; i++) {
    givers[i] = (struct giver){world, i};
    made[i] = pthread_create(&threads[i], NULL, give_two, &givers[i]) == 0;
  }
  for (i = 0; i < THREADS; i++)
    if (made[i])
      (void)pthread_join(threads[i], NULL);
}

/* ---- logs written by hand -----------------------------------------------------------------------
 */

static void put_line(char *log, size_t cap, const char *key, int64_t age_s, int marked) {
  size_t len = strlen(log);
  time_t then = time(NULL) - (time_t)age_s;
  char timestamp[32], event[256] = "";
  struct tm utc;

  (void)strftime(timestamp, sizeof timestamp, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&then, &utc));
  if (marked)
    (void)snprintf(event, sizeof event,
                   ",\"event_id\":\"00000000-0000-4000-8000-%012d\",\"event\":{\"project\":"
                   "\"proof\",\"success_rate\":1.0,\"execution_count\":1,\"avg_quality\":0.5}",
                   marked);
  (void)snprintf(log + len, cap - len,
                 "{\"timestamp\":\"%s\",\"agent\":\"" AGENT
                 "\",\"success\":true,\"quality_score\":0.5,\"idempotency_key\":\"%s\"%s}\n",
                 timestamp, key, event);
}

/* Old lines in front of what the plugin wrote: expired ones, marked ones of which the first two
 * will be acknowledged, and a line whose time cannot be read. */
static void setup_prune(struct world *world) {
  static char log[LOG_MAX];
  char key[32];
  int i;

  setup_three(world);
  log[0] = '\0';
  for (i = 0; i < 8; i++) {
    (void)snprintf(key, sizeof key, "old%d", i);
    put_line(log, sizeof log, key, 200 * DAY_S, 0);
  }
  for (i = 1; i <= 4; i++) {
    (void)snprintf(key, sizeof key, "oldmark%d", i);
    put_line(log, sizeof log, key, 200 * DAY_S, i);
  }
  (void)strcat(log, "{\"timestamp\":\"someday\",\"agent\":\"" AGENT
                    "\",\"success\":false,\"idempotency_key\":\"timeless\"}\n");
  (void)world_read_file(world, AGENT, "executions.jsonl", log + strlen(log),
                        sizeof log - strlen(log));
  (void)world_write_file(world, AGENT, "executions.jsonl", log, strlen(log), false);
  in_the_world(world, world_report);
  scenario_move_cursor(world, AGENT, 2);
  scenario_age_clock(world, AGENT);
}

/* More keys than a page of the checkpoint takes, and no checkpoint. */
static void setup_grow(struct world *world) {
  static char log[LOG_MAX];
  char key[32];
  int i;

  log[0] = '\0';
  for (i = 0; i < 260; i++) {
    (void)snprintf(key, sizeof key, "g%d", i);
    put_line(log, sizeof log, key, DAY_S, 0);
  }
  (void)world_write_file(world, AGENT, "executions.jsonl", log, strlen(log), false);
}

/* So much that it is read without the lock, and no checkpoint. */
static void setup_ahead(struct world *world) {
  static char log[LOG_MAX];
  char key[32];
  int i;

  for (i = 0; i < AHEAD_LINES;) {
    for (log[0] = '\0'; i < AHEAD_LINES && strlen(log) < LOG_MAX / 16; i++) {
      (void)snprintf(key, sizeof key, "g%d", i);
      put_line(log, sizeof log, key, DAY_S, 0);
    }
    (void)world_write_file(world, AGENT, "executions.jsonl", log, strlen(log), true);
  }
}

static void run_ahead(struct world *world) {
  (void)world_give(world, AGENT, "g0", false);
  (void)world_give(world, AGENT, "g1500", false);
  (void)world_give(world, AGENT, "k1", true);
  (void)world_give(world, AGENT, "g2499", false);
}

static void run_one(struct world *world) {
  (void)world_give(world, AGENT, "k1", false);
}

/* ---- the index, made durable --------------------------------------------------------------------
 */

/* Several pages of keys, durable since the stop. */
static void setup_index(struct world *world) {
  setup_grow(world);
  in_the_world(world, run_one);
}

/* Records so long that the stop after two of them makes them durable; then recording goes on. */
static void run_index(struct world *world) {
  static char session[9000];

  memset(session, 's', sizeof session - 1);
  world->session = session;
  (void)world_give(world, AGENT, "i1", false);
  (void)world_give(world, AGENT, "i2", false);
  world_close(world);
  if (world_open(world) == KAIZEN_OK)
    (void)world_give(world, AGENT, "i3", false);
}

static void setup_rebuild(struct world *world) {
  static const char garbage[8192] = "KAZIIDX2 and nothing that fits";
  static const char edited[] = "{\"execution_count\": 99}\n";

  setup_three(world);
  (void)world_write_file(world, AGENT, ".index-2", garbage, sizeof garbage, false);
  (void)world_write_file(world, AGENT, "summary.json", edited, sizeof edited - 1, false);
}

static void setup_torn(struct world *world) {
  static const char torn[] = "{\"timestamp\":\"2026-01-01T00:00:00Z\",\"agent\":\"coa";

  setup_three(world);
  (void)world_write_file(world, AGENT, "executions.jsonl", torn, sizeof torn - 1, true);
}

static void setup_repair(struct world *world) {
  static const char bad[] = "BAD1 {\"torn\nBAD2 \"success\":true}\n\n";

  setup_three(world);
  (void)world_write_file(world, AGENT, "executions.jsonl", bad, sizeof bad - 1, true);
  in_the_world(world, run_one);
}

static void run_repair(struct world *world) {
  world_repair(world, AGENT);
  (void)world_give(world, AGENT, "k2", true);
}

/* A writer that takes no lock, between two of our records. */
static void run_foreign(struct world *world) {
  char line[1024] = "";

  (void)world_give(world, AGENT, "k1", true);
  put_line(line, sizeof line, "foreign", 60, 0);
  (void)world_write_file(world, AGENT, "executions.jsonl", line, strlen(line), true);
  (void)world_give(world, AGENT, "k2", true);
}

/* The identity is another folder's: the marked lines are history, and held. */
static void setup_copied(struct world *world) {
  static const char id[] = "11111111-2222-4333-8444-555555555555 inode 1 born 1\n";

  setup_three(world);
  (void)world_write_file(world, "..", "metrics/.id", id, sizeof id - 1, false);
}

/* What a process with fsync never left, which nobody has synced. */
static void setup_unsynced(struct world *world) {
  const char *fsync = world->fsync;

  setup_three(world);
  world->fsync = "never";
  in_the_world(world, run_one);
  world->fsync = fsync;
}

static void run_unsynced(struct world *world) {
  (void)world_give(world, AGENT, "k1", false);
}

/* ---- the cursor ---------------------------------------------------------------------------------
 */

static void give_marked(struct world *world) {
  char key[16];
  int i;

  for (i = 1; i <= 5; i++) {
    (void)snprintf(key, sizeof key, "m%d", i);
    (void)world_give(world, AGENT, key, true);
  }
}

static void setup_cursor(struct world *world) {
  in_the_world(world, give_marked);
}

static void run_cursor(struct world *world) {
  scenario_move_cursor(world, AGENT, 4);
  (void)world_give(world, AGENT, "k1", true);
}

/* ---- the table ----------------------------------------------------------------------------------
 */

static const struct scenario scenarios[] = {
    {"first", NULL, run_first},
    {"plain", NULL, run_one},
    {"append", setup_three, run_append},
    {"duplicate", setup_three, run_duplicate},
    {"group", setup_three, run_group},
    {"prune", setup_prune, run_append},
    {"rebuild", setup_rebuild, run_append},
    {"ahead", setup_ahead, run_ahead},
    {"grow", setup_grow, run_one},
    {"index", setup_index, run_index},
    {"cursor", setup_cursor, run_cursor},
    {"repair", setup_repair, run_repair},
    {"torn", setup_torn, run_append},
    {"foreign", setup_three, run_foreign},
    {"batch", setup_three, run_batch},
    {"copied", setup_copied, run_append},
    {"unsynced", setup_unsynced, run_unsynced},
    {"renamed", setup_three, run_append},
};

const struct scenario *scenario_find(const char *name) {
  size_t i;

  for (i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
    if (strcmp(scenarios[i].name, name) == 0)
      return &scenarios[i];
  return NULL;
}

void scenario_list(void) {
  size_t i;

  for (i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
    say("%s", scenarios[i].name);
}

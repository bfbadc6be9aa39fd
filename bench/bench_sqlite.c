/* bench_sqlite.c - P6, Q1: the same job in SQLite.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What an application would write: WAL, prepared statements, a unique key, and the summary kept by
 * an upsert in the same transaction.  synchronous=OFF stands against fsync "never", FULL against
 * "always".  With 64 threads they share one connection under a mutex, which is faster here than one
 * each with a busy timeout.
 *
 * P6 leaves the summary in the database.  Q1 is the whole job: summary.json, too, is there after
 * each record, replaced by rename. */
#include "bare_loop.h"
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_SQLITE
#include <sqlite3.h>

enum { THREADS_MAX = 64 };

struct database {
  sqlite3 *handle;
  sqlite3_stmt *begin, *insert, *upsert, *look, *commit;
  pthread_mutex_t mutex;
  int folder_fd; /* where summary.json is kept; -1: it is not */
};

static uint64_t next_key; /* of both sides: never used twice */

static void execute(struct database *database, const char *sql) {
  if (sqlite3_exec(database->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
    bench_fail(sqlite3_errmsg(database->handle));
}

static sqlite3_stmt *prepare(struct database *database, const char *sql) {
  sqlite3_stmt *statement;

  if (sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL) != SQLITE_OK)
    bench_fail(sqlite3_errmsg(database->handle));
  return statement;
}

static void open_database(struct database *database, const char *folder, bool sync) {
  char path[BENCH_PATH + 16];

  *database = (struct database){.mutex = PTHREAD_MUTEX_INITIALIZER, .folder_fd = -1};
  snprintf(path, sizeof path, "%s/metrics.db", folder);
  if (sqlite3_open(path, &database->handle) != SQLITE_OK)
    bench_fail(path);
  execute(database, "PRAGMA journal_mode=WAL");
  execute(database, sync ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF");
  execute(database,
          "CREATE TABLE executions(id INTEGER PRIMARY KEY, timestamp TEXT, agent TEXT,"
          " execution_time_s REAL, success INTEGER, quality_score REAL, idempotency_key TEXT,"
          " UNIQUE(agent, idempotency_key))");
  execute(database, "CREATE TABLE summary(agent TEXT PRIMARY KEY, execution_count INTEGER,"
                    " successes INTEGER, quality_sum REAL, time_sum REAL, last TEXT)");
  database->begin = prepare(database, "BEGIN IMMEDIATE");
  database->commit = prepare(database, "COMMIT");
  database->insert = prepare(
      database, "INSERT OR IGNORE INTO executions(timestamp, agent, execution_time_s, success,"
                " quality_score, idempotency_key) VALUES(?1, 'bench', 1.5, 1, 0.9, ?2)");
  database->upsert = prepare(
      database, "INSERT INTO summary VALUES('bench', 1, 1, 0.9, 1.5, ?1) ON CONFLICT(agent) DO"
                " UPDATE SET execution_count = execution_count + 1, successes = successes + 1,"
                " quality_sum = quality_sum + 0.9, time_sum = time_sum + 1.5, last = ?1");
  database->look =
      prepare(database, "SELECT execution_count, successes, quality_sum, time_sum, last"
                        " FROM summary WHERE agent = 'bench'");
}

static void step(struct database *database, sqlite3_stmt *statement) {
  if (sqlite3_step(statement) != SQLITE_DONE)
    bench_fail(sqlite3_errmsg(database->handle));
  sqlite3_reset(statement);
}

/* The document of the plugin; a reader sees the old one or the new one. */
static void write_summary(struct database *database) {
  char text[512];
  double count;
  int len, fd;

  if (sqlite3_step(database->look) != SQLITE_ROW)
    bench_fail(sqlite3_errmsg(database->handle));
  count = sqlite3_column_double(database->look, 0);
  len = snprintf(text, sizeof text,
                 "{\"agent\":\"bench\",\"execution_count\":%.0f,\"success_rate\":%.17g,"
                 "\"avg_quality_score\":%.17g,\"avg_execution_time_s\":%.17g,"
                 "\"last_execution\":\"%s\",\"trend\":{\"success_rate\":\"stable\","
                 "\"quality_score\":\"stable\"}}\n",
                 count, sqlite3_column_double(database->look, 1) / count,
                 sqlite3_column_double(database->look, 2) / count,
                 sqlite3_column_double(database->look, 3) / count,
                 (const char *)sqlite3_column_text(database->look, 4));
  sqlite3_reset(database->look);
  fd = openat(database->folder_fd, "summary.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, text, (size_t)len) != len || close(fd) != 0 ||
      renameat(database->folder_fd, "summary.new", database->folder_fd, "summary.json") != 0)
    bench_fail("summary.json");
}

static void insert(struct database *database, const char *key) {
  static const char when[] = "2026-01-02T03:04:05Z";

  pthread_mutex_lock(&database->mutex);
  step(database, database->begin);
  sqlite3_bind_text(database->insert, 1, when, -1, SQLITE_STATIC);
  sqlite3_bind_text(database->insert, 2, key, -1, SQLITE_STATIC);
  step(database, database->insert);
  sqlite3_bind_text(database->upsert, 1, when, -1, SQLITE_STATIC);
  step(database, database->upsert);
  step(database, database->commit);
  if (database->folder_fd >= 0)
    write_summary(database);
  pthread_mutex_unlock(&database->mutex);
}

static void close_database(struct database *database) {
  sqlite3_finalize(database->begin);
  sqlite3_finalize(database->insert);
  sqlite3_finalize(database->upsert);
  sqlite3_finalize(database->look);
  sqlite3_finalize(database->commit);
  sqlite3_close(database->handle);
  if (database->folder_fd >= 0)
    close(database->folder_fd);
}

/* ---- both sides ------------------------------------------------------------------------------ */

struct work {
  struct database *database;        /* SQLite, or */
  struct kaizen_instance *instance; /* the plugin */
  unsigned threads, each;
};

static void *run_thread(void *ctx) {
  struct work *work = ctx;
  struct kaizen_execution execution = bench_execution("bench");
  char key[32];

  for (unsigned i = 0; i < work->each; i++) {
    snprintf(key, sizeof key, "k-%llu",
             (unsigned long long)__atomic_fetch_add(&next_key, 1, __ATOMIC_RELAXED));
    if (work->database) {
      insert(work->database, key);
      continue;
    }
    execution.idempotency_key = (struct kaizen_str){key, KAIZEN_NTS};
    bench_record(work->instance, &execution);
  }
  return NULL;
}

static void run(void *ctx, unsigned count) {
  struct work *work = ctx;
  pthread_t threads[THREADS_MAX];

  work->each = (count + work->threads - 1) / work->threads;
  for (unsigned i = 0; i < work->threads; i++)
    if (pthread_create(&threads[i], NULL, run_thread, work) != 0)
      bench_fail("pthread_create");
  for (unsigned i = 0; i < work->threads; i++)
    pthread_join(threads[i], NULL);
}

enum { IN_MEMORY = 1, WITH_SUMMARY = 2 };

static void compare(const char *name, bool sync, int how, unsigned threads, unsigned slices,
                    unsigned count, const char *goal) {
  const char *const keys[] = {"fsync", sync ? "always" : "never", NULL};
  struct database database;
  struct work ours = {.threads = threads}, theirs = {.database = &database, .threads = threads};
  char root[BENCH_PATH];

  bench_folder(root, "sqlite", how & IN_MEMORY);
  open_database(&database, root, sync);
  if (how & WITH_SUMMARY)
    database.folder_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ours.instance = bench_start(root, keys);
  bench_compare(name, (struct bench_side){run, &ours}, (struct bench_side){run, &theirs}, slices,
                count, sync, goal);
  bench_stop(ours.instance);
  close_database(&database);
}

/* Where the limit is: what is left when the plugin does nothing but its two files. */
static void compare_floor(const char *name, bool in_memory, unsigned slices) {
  struct kaizen_execution execution = bench_execution("bench");
  struct database database;
  struct work theirs = {.database = &database, .threads = 1};
  struct kaizen_instance *instance;
  struct bare_loop bare;
  char root[BENCH_PATH];

  bench_folder(root, "sqlite", in_memory);
  instance = bench_start(root, NULL);
  bench_record(instance, &execution);
  bench_stop(instance);
  bare_loop_open(&bare, root);
  open_database(&database, root, false);
  bench_compare(name, (struct bench_side){bare_loop_run, &bare}, (struct bench_side){run, &theirs},
                slices, 200, false, NULL);
  close_database(&database);
  bare_loop_close(&bare);
}

int main(void) {
  unsigned times = bench_full() ? 4 : 1;

  compare("p6.never", false, 0, 1, 8 * times, 200, ">= 3");
  compare_floor("p6.never_bare_loop", false, 8 * times);
  compare("p6.never_in_memory", false, IN_MEMORY, 1, 8 * times, 200, NULL);
  compare_floor("p6.never_bare_loop_in_memory", true, 8 * times);
  compare("p6.always", true, 0, 1, 8 * times, 40, ">= 1.2");
  compare("p6.always_64", true, 0, 64, 2 * times, 1280, ">= 8");
  compare("q1.never", false, WITH_SUMMARY, 1, 8 * times, 200, ">= 1.5");
  compare("q1.never_in_memory", false, WITH_SUMMARY | IN_MEMORY, 1, 8 * times, 200, NULL);
  compare("q1.always", true, WITH_SUMMARY, 1, 8 * times, 40, ">= 1.2");
  compare("q1.always_64", true, WITH_SUMMARY, 64, 2 * times, 1280, ">= 10");
  return 0;
}
#else
int main(void) {
  printf("p6 skipped: configure found no SQLite (libsqlite3-dev)\n");
  return 0;
}
#endif

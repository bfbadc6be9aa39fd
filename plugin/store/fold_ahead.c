/* fold_ahead.c - a piece of an agent's log, read without the agent's lock.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/fold_ahead.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/line_reader.h"
#include "base/os_files.h"
#include "record/record.h"

/* In memory at a time: 4 MiB, and as much to sort them. */
#define KEYS_MAX ((size_t)1 << 18)
#define BYTES_MAX (UINT64_C(64) << 20)
#define KEYED_LINE_MIN 48
#define LINES_A_LOOK 64 /* at the clock */
#define CLAIM_POLL_NS 2000000

void fold_ahead_init(struct fold_ahead *ahead) {
  *ahead = (struct fold_ahead){.left = UINT64_MAX};
  checkpoint_growth_none(&ahead->growth);
}

void fold_ahead_fini(struct fold_ahead *ahead, const struct agent *agent) {
  free(ahead->keys);
  if (ahead->growth.fd >= 0)
    (void)close(ahead->growth.fd); /* its name belongs to the process that has the lock */
  if (ahead->claimed)
    os_files_give_up_claim(agent->lock.lock_fd);
  fold_ahead_init(ahead);
}

static void forget_piece(struct fold_ahead *ahead, int agent_fd) {
  ahead->lines = ahead->skipped = 0;
  ahead->count = ahead->merged = 0;
  ahead->filled = ahead->growth_tried = false;
  checkpoint_growth_drop(agent_fd, &ahead->growth);
}

void fold_ahead_drop(struct fold_ahead *ahead, const struct agent *agent) {
  forget_piece(ahead, agent->fd);
  fold_ahead_fini(ahead, agent);
}

void fold_ahead_lose(struct fold_ahead *ahead) {
  free(ahead->keys);
  fold_ahead_init(ahead);
}

/* A key, and a line, has more bytes in the log than it counts here. */
uint64_t fold_ahead_reached(const struct fold_ahead *ahead, const struct agent *agent) {
  return agent->anchor.end + ahead->claimed + (ahead->lines > 0) + ahead->growth_tried +
         ahead->merged;
}

/* ---- without the lock ------------------------------------------------------------------------ */

static int make_room(struct fold_ahead *ahead, uint64_t bytes) {
  uint64_t keys = bytes / KEYED_LINE_MIN + 1;
  size_t room = keys < KEYS_MAX ? (size_t)keys : KEYS_MAX;

  if (room <= ahead->room)
    return 0;
  free(ahead->keys);
  ahead->keys = malloc(room * sizeof *ahead->keys);
  ahead->room = ahead->keys ? room : 0;
  return ahead->keys ? 0 : -1;
}

static int take_line(struct fold_ahead *ahead, const struct checkpoint *checkpoint,
                     const struct line *line, struct buffer *key) {
  struct record record;
  enum record_kind kind = line->too_long ? RECORD_GARBAGE : record_read(line->text, &record, NULL);

  if (kind == RECORD_OK) {
    if (record_key(&record, key) && key->len > 0)
      ahead->keys[ahead->count++] = (struct key_pages_entry){
          .hash = checkpoint_hash(checkpoint, buffer_span(key)), .offset = line->offset};
    fold_add(&ahead->fold, &record, line->end);
  } else if (kind == RECORD_GARBAGE) {
    fold_skip(&ahead->fold);
    ahead->skipped++;
  }
  ahead->lines++;
  ahead->anchor.offset = line->offset;
  ahead->anchor.end = line->end;
  return key->failed ? -1 : 0;
}

static int take_lines(struct fold_ahead *ahead, const struct agent *agent, uint64_t end,
                      int64_t until_ns) {
  struct line_reader reader;
  struct buffer key = {0};
  struct line line;
  int result;

  line_reader_init(&reader, agent->log.fd, agent->anchor.end, end);
  while (ahead->count < ahead->room && (result = line_reader_next(&reader, &line, NULL)) == 1) {
    result = take_line(ahead, &agent->checkpoint, &line, &key);
    if (result != 0 || (ahead->lines % LINES_A_LOOK == 0 && clock_monotonic_ns() >= until_ns))
      break;
  }
  line_reader_fini(&reader);
  buffer_fini(&key);
  return result < 0 ? -1 : 0;
}

static int read_piece(struct fold_ahead *ahead, const struct agent *agent, int64_t until_ns) {
  uint64_t begin = agent->anchor.end, end = ahead->end;

  if (end - begin > BYTES_MAX)
    end = begin + BYTES_MAX;
  if (make_room(ahead, end - begin) != 0)
    return -1;
  ahead->from = agent->anchor;
  ahead->anchor = (struct log_anchor){.inode = agent->log.inode};
  ahead->fold = agent->fold;
  ahead->seed = agent->checkpoint.pages.seed;
  if (take_lines(ahead, agent, end, until_ns) != 0 || ahead->lines == 0 ||
      agent_log_make_anchor(&agent->log, &ahead->anchor, NULL) != 0)
    return -1;
  key_pages_sort(ahead->keys, ahead->count);
  ahead->bits = key_pages_bits_for(&agent->checkpoint.pages, ahead->count);
  return 0;
}

/* A process that is stopped, or whose fork keeps its claim, is not waited for longer than for the
 * lock. */
static void wait_for_claim(struct fold_ahead *ahead, struct agent *agent, int64_t deadline_ns) {
  ahead->claimed = true;
  if (os_files_claim(agent->lock.lock_fd))
    return;
  do
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = CLAIM_POLL_NS}, NULL);
  while (!os_files_claim(agent->lock.lock_fd) && clock_monotonic_ns() < deadline_ns);
  agent_forget_fold(agent); /* the checkpoint says how far it has come */
}

void fold_ahead_work(struct fold_ahead *ahead, struct agent *agent, int64_t deadline_ns) {
  bool wants_piece = ahead->lines == 0 && ahead->end > agent->anchor.end;

  if (agent->loaded && wants_piece && !ahead->claimed)
    wait_for_claim(ahead, agent, deadline_ns);
  if (!agent->loaded)
    return;
  if (ahead->growth.fd >= 0) {
    ahead->filled = checkpoint_growth_fill(&agent->checkpoint, &ahead->growth, NULL) == 0;
  } else if (wants_piece && read_piece(ahead, agent, agent->pace_ns) != 0) {
    ahead->unable = true; /* the failure will appear again, under the lock */
    ahead->lines = 0;
  }
}

/* ---- under the lock -------------------------------------------------------------------------- */

static bool follows(const struct fold_ahead *ahead, const struct agent *agent) {
  const struct log_anchor *from = &ahead->from, *at = &agent->anchor;

  return ahead->seed == agent->checkpoint.pages.seed && from->end == at->end &&
         from->offset == at->offset && from->hash == at->hash && from->inode == at->inode;
}

/* As key_pages_same. */
static int carry_the_same_key(void *ctx, uint64_t first, uint64_t second, struct error *error) {
  const struct agent *agent = ctx;
  struct buffer line = {0}, key = {0};
  struct record record;
  int result = agent_log_read_line(agent->log.fd, second, &line, error);

  if (result == 0 && record_read(buffer_span(&line), &record, NULL) == RECORD_OK &&
      record_key(&record, &key))
    result = key.failed ? error_set(error, KAIZEN_E_NOMEM, "out of memory")
                        : agent_line_carries_key(agent, first, buffer_span(&key), &line, error);
  else if (result > 0)
    result = 0;
  buffer_fini(&line);
  buffer_fini(&key);
  return result;
}

/* 0: the table need not grow; FOLD_AHEAD_MORE: a larger one must be filled. */
static int enlarge(struct fold_ahead *ahead, struct agent *agent, struct error *error) {
  int result = 0;

  if (ahead->growth.fd >= 0 && ahead->filled)
    result = checkpoint_growth_end(&agent->checkpoint, &ahead->growth, error);
  else if (ahead->growth.fd >= 0)
    checkpoint_growth_drop(agent->fd, &ahead->growth);
  else if (ahead->bits > agent->checkpoint.pages.bits && !ahead->growth_tried)
    result = checkpoint_growth_begin(&agent->checkpoint, ahead->bits, &ahead->growth, error);
  ahead->filled = false;
  ahead->growth_tried = true;
  if (result < 0)
    return -1;
  /* if that failed the table grows in the usual way, step by step */
  return ahead->growth.fd >= 0 ? FOLD_AHEAD_MORE : 0;
}

static int add_keys(struct fold_ahead *ahead, struct agent *agent, int64_t until_ns,
                    struct error *error) {
  size_t done;
  int result = checkpoint_add_sorted(&agent->checkpoint, ahead->keys + ahead->merged,
                                     ahead->count - ahead->merged, carry_the_same_key, agent,
                                     until_ns, &done, error);

  ahead->merged += done;
  if (result == 1)
    (void)agent_discard_checkpoint(agent, NULL);
  if (result == 0 && ahead->merged < ahead->count)
    return FOLD_AHEAD_MORE;
  return result;
}

/* What comes after the piece. */
static int want_more(struct fold_ahead *ahead, const struct agent *agent, uint64_t size) {
  if (ahead->unable || size < agent->anchor.end + FOLD_AHEAD_MUCH_BYTES)
    return 0;
  ahead->end = size;
  if (agent->anchor.end < ahead->begin) /* it was begun again */
    ahead->left = UINT64_MAX;
  ahead->begin = agent->anchor.end;
  if (size - ahead->begin > ahead->left)
    return FOLD_AHEAD_GROWS;
  ahead->left = size - ahead->begin;
  return FOLD_AHEAD_MORE;
}

/* The agent's fold is that of the piece, and the head says so. */
static void take_over(const struct fold_ahead *ahead, struct agent *agent) {
  agent->anchor = ahead->anchor;
  agent->fold = ahead->fold;
  agent->unstored += ahead->lines;
  agent->skipped += ahead->skipped;
  agent->summary_stale = true;
  agent_store_checkpoint(agent, true);
}

static int merge_piece(struct fold_ahead *ahead, struct agent *agent, uint64_t size,
                       int64_t until_ns, struct error *error) {
  int result =
      size < ahead->anchor.end ? 1 : agent_log_check_anchor(&agent->log, &ahead->anchor, error);

  if (result == 1)
    result = FOLD_AHEAD_REWRITTEN;
  if (result == 0)
    result = enlarge(ahead, agent, error);
  if (result == 0)
    result = add_keys(ahead, agent, until_ns, error);
  if (result == 0)
    take_over(ahead, agent);
  return result == 0 && !agent->loaded ? 1 : result;
}

int fold_ahead_merge(struct fold_ahead *ahead, struct agent *agent, uint64_t size, int64_t until_ns,
                     struct error *error) {
  int result = 0;

  ahead->end = 0;
  if (ahead->lines > 0 && !checkpoint_is_in_place(&agent->checkpoint)) {
    agent_forget_fold(agent); /* another process goes on in a larger one */
    return FOLD_AHEAD_MORE;
  }
  if (ahead->lines > 0 && follows(ahead, agent))
    result = merge_piece(ahead, agent, size, until_ns, error);
  if (result == FOLD_AHEAD_MORE)
    return result;
  forget_piece(ahead, agent->fd);
  return result == 0 ? want_more(ahead, agent, size) : result;
}

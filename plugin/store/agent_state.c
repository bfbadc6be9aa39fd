/* agent_state.c - `.state`: two pages of 4096 bytes written in turn.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Page: magic, format, the fields in the order of visit_fields(), zeros, checksum in the last eight
 * bytes; all numbers little-endian.  A page counts when magic, format and checksum fit; of two the
 * one with the newer sequence.  Sequence n stands in page n % 2, so a store never touches the
 * page it was loaded from. */
#include "store/agent_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"

#define STATE_FILE AGENT_STATE_FILE
#define PAGE_BYTES 4096u
#define PAGE_COUNT 2u
#define CHECKSUM_AT (PAGE_BYTES - 8u)
#define FORMAT 1u

static const unsigned char page_magic[8] = {'k', 'z', 'n', 's', 't', 'a', 't', 'e'};

/* Numbers go round: no store is lost to the greatest of them. */
static bool is_newer(const struct agent_state *a, const struct agent_state *b) {
  return (int64_t)(a->sequence - b->sequence) > 0;
}

/* Walks the page and the struct together, in either direction, so that there is one list of
 * fields. */
struct visitor {
  unsigned char *at;
  bool writing;
};

static void visit_bytes(struct visitor *visitor, unsigned char *bytes, size_t len) {
  if (visitor->writing)
    memcpy(visitor->at, bytes, len);
  else
    memcpy(bytes, visitor->at, len);
  visitor->at += len;
}

static void visit_u64(struct visitor *visitor, uint64_t *value) {
  uint64_t read = 0;

  for (unsigned i = 0; i < 8; i++) {
    if (visitor->writing)
      visitor->at[i] = (unsigned char)(*value >> (8 * i));
    else
      read |= (uint64_t)visitor->at[i] << (8 * i);
  }
  if (!visitor->writing)
    *value = read;
  visitor->at += 8;
}

static void visit_i64(struct visitor *visitor, int64_t *value) {
  uint64_t bits = (uint64_t)*value;

  visit_u64(visitor, &bits);
  *value = (int64_t)bits;
}

static void visit_u32(struct visitor *visitor, uint32_t *value) {
  uint64_t wide = *value;

  visit_u64(visitor, &wide);
  *value = (uint32_t)wide;
}

static void visit_fields(struct visitor *visitor, struct agent_state *state) {
  struct cursor *cursor = &state->cursor;

  visit_u64(visitor, &state->sequence);
  visit_u64(visitor, &cursor->epoch);
  visit_bytes(visitor, state->project_id, sizeof state->project_id);
  visit_u64(visitor, &cursor->end);
  visit_u64(visitor, &cursor->marked);
  visit_u32(visitor, &cursor->recent_count);
  visit_bytes(visitor, cursor->recent[0], sizeof cursor->recent);
  visit_u64(visitor, &cursor->held_count);
  visit_u64(visitor, &cursor->held_from_end);
  visit_u64(visitor, &cursor->held_from_marked);
  visit_bytes(visitor, cursor->held_from_id, sizeof cursor->held_from_id);
  visit_i64(visitor, &state->retention.clock_s);
  visit_i64(visitor, &state->retention.read_s);
  visit_u64(visitor, &cursor->dead_lettered);
  visit_u64(visitor, &state->lost_by_rewrite);
  visit_u64(visitor, &state->store_lost);
  visit_u64(visitor, &state->last_stream_seq);
  visit_i64(visitor, &state->last_acknowledged_unix_ns);
  visit_u32(visitor, &cursor->mark_count);
  for (unsigned i = 0; i < CURSOR_MARKS; i++) {
    visit_i64(visitor, &cursor->marks[i].time_s);
    visit_bytes(visitor, cursor->marks[i].id, sizeof cursor->marks[i].id);
  }
  visit_u64(visitor, &state->last_stream_hash);
  visit_bytes(visitor, state->last_stream_id, sizeof state->last_stream_id);
  visit_i64(visitor, &state->retention.boot_s);
  visit_u64(visitor, &state->retention.boot);
  visit_u32(visitor, &state->retention.looks);
}

/* magic, format; sequence to mark_count (16 numbers of 8 bytes, 2 ids, the recent ids); the marks;
 * the last stream (a number and an id); three numbers of the retention clock; the checksum */
_Static_assert(8 + 8 + 16 * 8 + 2 * 16 + CURSOR_RECENT * 16 + CURSOR_MARKS * 24 + 8 + 16 + 3 * 8 +
                       8 <=
                   PAGE_BYTES,
               "the fields fit a page");

/* FNV-1a.  Not base/hash.h: that one may change with files that can be rebuilt, this file
 * cannot. */
static uint64_t page_checksum(const unsigned char *page) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);

  for (size_t i = 0; i < CHECKSUM_AT; i++)
    hash = (hash ^ page[i]) * UINT64_C(0x100000001b3);
  return hash;
}

static void page_encode(unsigned char *page, struct agent_state *state) {
  struct visitor visitor = {.at = page, .writing = true};
  uint64_t format = FORMAT, checksum;

  memset(page, 0, PAGE_BYTES);
  memcpy(visitor.at, page_magic, sizeof page_magic);
  visitor.at += sizeof page_magic;
  visit_u64(&visitor, &format);
  visit_fields(&visitor, state);
  checksum = page_checksum(page);
  visitor.at = page + CHECKSUM_AT;
  visit_u64(&visitor, &checksum);
}

static bool page_decode(unsigned char *page, struct agent_state *state) {
  struct visitor visitor = {.at = page + CHECKSUM_AT, .writing = false};
  uint64_t format, checksum;

  visit_u64(&visitor, &checksum);
  if (memcmp(page, page_magic, sizeof page_magic) != 0 || checksum != page_checksum(page))
    return false;
  visitor.at = page + sizeof page_magic;
  visit_u64(&visitor, &format);
  if (format != FORMAT)
    return false;
  visit_fields(&visitor, state);
  return state->cursor.recent_count <= CURSOR_RECENT && state->cursor.mark_count <= CURSOR_MARKS;
}

static int read_page(int fd, unsigned index, struct agent_state *best, bool *found,
                     struct error *error) {
  unsigned char page[PAGE_BYTES];
  struct agent_state state;
  size_t got;

  if (directory_read_at(fd, page, sizeof page, (uint64_t)index * PAGE_BYTES, &got, error) != 0)
    return -1;
  if (got < sizeof page || !page_decode(page, &state))
    return 0;
  if (!*found || is_newer(&state, best))
    *best = state;
  *found = true;
  return 0;
}

int agent_state_load(int agent_fd, struct agent_state *state, bool *damaged, struct error *error) {
  bool found = false;
  int fd, result;

  *damaged = false;
  memset(state, 0, sizeof *state);
  result = directory_open_file(agent_fd, STATE_FILE, O_RDONLY, &fd, error);
  if (result != 0)
    return result;
  for (unsigned i = 0; i < PAGE_COUNT && result == 0; i++)
    result = read_page(fd, i, state, &found, error);
  (void)close(fd);
  if (result != 0) {
    error_prefix(error, STATE_FILE);
    return -1;
  }
  *damaged = !found;
  return found ? 0 : 1;
}

/* A new file is found again after a power loss only when its folder is durable too. */
static int make_durable(int agent_fd, int fd, bool made, struct error *error) {
  if (fdatasync(fd) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, STATE_FILE ": fdatasync");
  if (made && fsync(agent_fd) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, STATE_FILE ": fsync of its folder");
  return 0;
}

/* After a failed sync the page can still be read: a later call must not find it and believe that it
 * is durable.  The page before it then counts again. */
static void take_back(int fd, uint64_t offset) {
  static const unsigned char nothing[PAGE_BYTES];

  (void)directory_write_at(fd, nothing, sizeof nothing, offset, NULL);
}

int agent_state_store(int agent_fd, struct agent_state *state, bool sync, struct error *error) {
  unsigned char page[PAGE_BYTES];
  uint64_t offset = ((state->sequence + 1) % PAGE_COUNT) * PAGE_BYTES;
  bool made = false;
  int fd, result;

  result = directory_open_file(agent_fd, STATE_FILE, O_WRONLY, &fd, error);
  if (result == 1) {
    made = true;
    result = directory_open_file(agent_fd, STATE_FILE, O_WRONLY | O_CREAT, &fd, error);
  }
  if (result != 0)
    return result < 0 ? -1
                      : error_set(error, KAIZEN_E_IO, STATE_FILE ": the agent's folder is gone");
  state->sequence++;
  page_encode(page, state);
  result = directory_write_at(fd, page, sizeof page, offset, error);
  if (result != 0) {
    error_prefix(error, STATE_FILE);
  } else if (sync && make_durable(agent_fd, fd, made, error) != 0) {
    take_back(fd, offset);
    result = -1;
  }
  if (result != 0)
    state->sequence--;
  (void)close(fd);
  return result;
}

int agent_state_sync(int agent_fd, struct error *error) {
  int fd, result = directory_open_file(agent_fd, STATE_FILE, O_WRONLY, &fd, error);

  if (result != 0)
    return result < 0 ? -1 : 0;
  result = make_durable(agent_fd, fd, false, error);
  (void)close(fd);
  return result;
}

/* What survives in a tree that is not the one the state was written for: the sequence, to keep the
 * order of the pages, the epoch, and the retention clock, which belongs to the lines and not to
 * their sender.  It is unknown here what the original sent. */
static void begin_anew(struct agent_state *state, const unsigned char project_id[16],
                       const struct fold *fold) {
  struct agent_state begun = {
      .sequence = state->sequence, .cursor = state->cursor, .retention = state->retention};

  memcpy(begun.project_id, project_id, sizeof begun.project_id);
  cursor_begin(&begun.cursor, clock_wall_ns());
  cursor_hold(&begun.cursor, fold);
  *state = begun;
}

int agent_state_claim(int agent_fd, const unsigned char project_id[16], const struct fold *fold,
                      bool sync, struct agent_state *state, bool *changed, struct error *error) {
  bool damaged;
  int result = agent_state_load(agent_fd, state, &damaged, error);

  *changed = false;
  if (result < 0)
    return -1;
  if (result == 0 && memcmp(state->project_id, project_id, sizeof state->project_id) == 0)
    return 0;
  if (result != 0)
    memset(state, 0, sizeof *state);
  begin_anew(state, project_id, fold);
  if (agent_state_store(agent_fd, state, sync, error) != 0)
    return -1;
  *changed = true;
  return 0;
}

int64_t agent_state_acknowledged_s(const struct agent_state *state) {
  return state->last_acknowledged_unix_ns > 0
             ? state->last_acknowledged_unix_ns / INT64_C(1000000000)
             : INT64_MAX;
}

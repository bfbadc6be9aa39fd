/* agent_log.h - executions.jsonl of one agent: whole-line append, roll-back, anchors.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * All calls are made under the agent's exclusive lock unless said otherwise. */
#ifndef KAIZEN_AGENT_LOG_H
#define KAIZEN_AGENT_LOG_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "common/buffer.h"
#include "store/checkpoint.h"

#define AGENT_LOG_FILE "executions.jsonl"

struct agent_log_piece {
  uint64_t start, len;
};
#define AGENT_LOG_PIECES 4

struct agent_log {
  int agent_fd; /* borrowed */
  int fd;       /* -1: closed; O_APPEND */
  dev_t device;
  ino_t inode;
  uint64_t synced_end;                 /* what is before it is known to be durable, except for */
  uint64_t doubted_begin, doubted_end; /* this range, which was not yet when a sync failed; empty:
                                        * 0, 0 */
  /* where the last append put its bytes: what a roll-back blanks */
  struct agent_log_piece pieces[AGENT_LOG_PIECES];
  unsigned piece_count;
};

/* Writable: made when missing, and opened to append.  Else opened to read: 1 when there is none, -1
 * also when it is gone and the agent's summary is still there. */
int agent_log_open(struct agent_log *log, int agent_fd, bool writable, struct error *error);
void agent_log_close(struct agent_log *log);
/* Is the file of that name, reached from the project root without following a link, the one we have
 * open? *size of it then.  0 yes, 1 no, -1 with *error when it is one that may not be used. */
int agent_log_in_place(const struct agent_log *log, int root_fd, const char *agent, uint64_t *size,
                       struct error *error);

/* directory_is_file() of it. */
bool agent_log_is_ours(const struct agent_log *log);

/* Hash of the last line, to recognise it later. */
uint64_t agent_log_anchor_hash(struct span line_with_newline);
/* Fills in the hash of an anchor's line.  Any lock or none. */
int agent_log_make_anchor(const struct agent_log *log, struct log_anchor *anchor,
                          struct error *error);
/* 0 the anchor's line is where it was, 1 it is not, -1 with *error. */
int agent_log_check_anchor(const struct agent_log *log, const struct log_anchor *anchor,
                           struct error *error);
/* The line that begins at `offset`, without its newline, put into *out; 1: there is no whole line.
 * Any lock or none. */
int agent_log_read_line(int log_fd, uint64_t offset, struct buffer *out, struct error *error);

enum agent_log_outcome {
  AGENT_LOG_APPENDED,  /* exactly at the size that was expected */
  AGENT_LOG_DISPLACED, /* whole, but after bytes that a writer without our lock put there
                        * meanwhile */
};
/* Appends whole lines at `size`, the end of the file as just seen; `text` begins with the newline
 * that ends a torn tail where there is one.  *outcome as above.  -1 with *error: KAIZEN_E_IO
 * nothing is left of it, KAIZEN_E_INDETERMINATE something may be. */
int agent_log_append(struct agent_log *log, struct span text, uint64_t size,
                     enum agent_log_outcome *outcome, struct error *error);
/* Makes the log durable up to `end`, its size after the last append. -1: KAIZEN_E_INDETERMINATE;
 * what the last append wrote has been blanked, and whatever else was not durable counts as doubtful
 * from then on, because a later sync that succeeds says nothing about it (docs/design.md, "A failed
 * sync is never tried again"). */
int agent_log_sync(struct agent_log *log, uint64_t end, struct error *error);
/* Are the bytes of a line known to be durable? */
bool agent_log_is_synced(const struct agent_log *log, uint64_t offset, uint64_t len);
/* Before a sync that must make an earlier line durable: a doubtful line is written again in its
 * place, so that the kernel has something to sync.  -1 with *error. */
int agent_log_prepare_sync(struct agent_log *log, uint64_t offset, struct span line,
                           struct error *error);
/* The file's content was replaced. */
void agent_log_forget_syncs(struct agent_log *log);

#endif

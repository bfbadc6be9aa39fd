/* outbox.h - one agent's log as the outbox: its committed bytes, its marked lines, and where the
 * cursor is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_OUTBOX_H
#define KAIZEN_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/line_reader.h"
#include "common/buffer.h"
#include "record/record.h"
#include "store/agent_lock.h"
#include "store/agent_state.h"
#include "store/project.h"

struct outbox {
  int agent_fd, log_fd; /* -1: closed */
  struct agent_lock lock;
  dev_t device; /* of the log that is open */
  ino_t inode;
  uint64_t committed_end; /* nothing at or after it may be read: it may still be rolled back */
  int64_t deadline_ns;    /* for reading its lines, as that of line_reader.h; 0: there is none */
};

/* 0; 1 when the agent has no folder; -1 with *error. */
int outbox_open(struct outbox *outbox, const struct project *project, const char *agent,
                struct error *error);
/* After outbox_close(), the log that was open then.  1 when the log of that name is another one by
 * now, or gone: the folder may be open then. */
int outbox_reopen(struct outbox *outbox, const struct project *project, const char *agent,
                  struct error *error);
void outbox_close(struct outbox *outbox); /* also of one that is zeroed or closed */

enum outbox_looked {
  OUTBOX_SEEN = 0,
  OUTBOX_BUSY = 1,  /* the lock was not free by the deadline */
  OUTBOX_EMPTY = 2, /* no log */
  OUTBOX_GONE = 3,  /* the folder or its lock was removed: close and open */
};
/* What is committed at this moment: takes the shared lock, finds the log by its name, reads its
 * size; `state`, unless NULL, is what it is at that moment; *has_state is false when there is none
 * that can be trusted.  enum outbox_looked, or -1 with *error. */
int outbox_look(struct outbox *outbox, int64_t deadline_ns, struct agent_state *state,
                bool *has_state, struct error *error);
/* Takes the exclusive lock, to be released by agent_lock_release(&outbox->lock), and loads the
 * state.  As outbox_look(), but also OUTBOX_EMPTY without a state, and the open log stays open;
 * *same_log says whether it is still the one of that name. */
int outbox_lock_state(struct outbox *outbox, int64_t deadline_ns, struct agent_state *state,
                      bool *same_log, struct error *error);
/* Writes the state of the tree with id `from` under the id `to`; one of another tree is left.  As
 * outbox_lock_state(), the lock being released. */
int outbox_adopt(struct outbox *outbox, const unsigned char from[16], const unsigned char to[16],
                 int64_t deadline_ns, bool sync, struct error *error);

struct outbox_line {
  struct line line;     /* valid until the next call */
  struct record record; /* marked */
  unsigned char id[16];
};
void outbox_read_from(const struct outbox *outbox, uint64_t offset, struct line_reader *reader);
/* The next marked line: 1, 0 at the committed end, -1 with *error. */
int outbox_next_marked(struct line_reader *reader, struct outbox_line *line, struct error *error);
/* The marked line that begins at `begin`, into *text; 1 when there is none with this id. */
int outbox_read_line(const struct outbox *outbox, uint64_t begin, const unsigned char id[16],
                     struct buffer *text, struct record *record, struct error *error);
/* 0 when a marked line with this id ends at `end` (after its newline), 1 when not, -1 with
 * *error. */
int outbox_line_ends_at(const struct outbox *outbox, uint64_t end, const unsigned char id[16],
                        struct error *error);

/* Finds the newest of the cursor's ids that the log still holds, into *search. */
int outbox_find(const struct outbox *outbox, const struct agent_state *state,
                struct cursor_search *search, struct error *error);
/* How many of the lines up to the cursor, except those held back, are dead letters. */
int outbox_count_dead(const struct outbox *outbox, const struct cursor *cursor, uint64_t *count,
                      struct error *error);

#endif

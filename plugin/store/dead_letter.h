/* dead_letter.h - `.dead-letter.jsonl`: the events of an agent that the broker refused permanently.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A line each: {"event_id","agent","reason","time","event"}.  An id may be there twice (a process
 * was killed between this file and the cursor); readers count distinct ids.  Every call that writes
 * is made under the agent's exclusive lock. */
#ifndef KAIZEN_DEAD_LETTER_H
#define KAIZEN_DEAD_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "common/buffer.h"

#define DEAD_LETTER_REASON_MAX 160
/* Enough for more than twenty thousand letters of an agent.  Beyond it the agent's events wait:
 * somebody has to look. */
#define DEAD_LETTER_BYTES_MAX (16u << 20)

/* Appends one letter's line to *out; event.ptr NULL: null.  `agent` and `reason` are UTF-8. */
void dead_letter_write(const unsigned char id[16], const char *agent, const char *reason,
                       int64_t time_s, struct span event, struct buffer *out);
/* Is there room for `more` bytes?  Where that is unknown, appending will show it. */
bool dead_letter_has_room(int agent_fd, size_t more);
/* Appends whole lines, on a line of their own; sync: durable when it answers 0.  Otherwise nothing
 * of them is in the file. */
int dead_letter_append(int agent_fd, struct span lines, bool sync, struct error *error);
/* When the cursor that counts them could not be stored, still under the same lock: removes the last
 * `len` bytes again, which are what was appended.  -1: they stay. */
int dead_letter_take_back(int agent_fd, size_t len);

/* The distinct ids, sorted.  Zero it first. */
struct dead_letter_ids {
  unsigned char (*ids)[16];
  size_t count, room;
};
int dead_letter_ids_add(struct dead_letter_ids *ids, const unsigned char id[16],
                        struct error *error);
void dead_letter_ids_sort(
    struct dead_letter_ids *ids); /* after the last add; needed by dead_letter_has() */
int dead_letter_load_ids(int agent_fd, struct dead_letter_ids *ids, struct error *error);
bool dead_letter_has(const struct dead_letter_ids *ids, const unsigned char id[16]);
void dead_letter_ids_fini(struct dead_letter_ids *ids);

/* Calls `each` with every distinct letter's line (newline included) until it answers non-zero,
 * which is returned. */
int dead_letter_each(int agent_fd,
                     int (*each)(void *ctx, const unsigned char id[16], struct span line),
                     void *ctx, struct error *error);
/* Removes the letters of these ids; the file goes with the last of them. */
int dead_letter_remove(int agent_fd, const struct dead_letter_ids *ids, bool sync,
                       struct error *error);

#endif

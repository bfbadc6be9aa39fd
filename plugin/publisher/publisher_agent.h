/* publisher_agent.h - one agent's events in flight: read after the cursor, sent, acknowledged,
 * stored.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The publisher's thread only. */
#ifndef KAIZEN_PUBLISHER_AGENT_H
#define KAIZEN_PUBLISHER_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "publisher/kept_outbox.h"
#include "publisher/read_place.h"
#include "publisher/site.h"
#include "publisher/window.h"

/* Where a stream put an event. */
struct stream_place {
  uint64_t sequence, stream_hash; /* 0: not known */
  unsigned char id[16];
};

/* Acknowledged or refused since the last store. */
struct publisher_progress {
  struct cursor_progress cursor;
  int64_t since_ns;
  struct buffer letters; /* lines for .dead-letter.jsonl */
};

struct publisher_agent {
  struct publisher_agent *next, *previous, *next_in_bucket; /* agent_table.h */
  struct site *site;
  bool look;          /* there may be something to read */
  bool look_at_state; /* somebody may have moved the cursor */
  bool replace;       /* not valid: begin again from .state once nothing is in flight */
  bool rewritten;     /* ... because the log is not what it was */
  uint64_t token;     /* the epoch that we stored in .state; 0: not stored yet */
  bool failed;        /* its trouble has been reported */
  bool unsynced;      /* the log could not be made durable: what may vanish is not sent */
  int64_t not_before_ns, synced_ns, used_ns;
  int64_t store_after_ns; /* what could not be stored is tried again then, */
  unsigned stores_failed; /* after so many times in a row */
  struct kept_outbox log;
  struct read_place place;
  struct window_entry *first, *last; /* in the order of the log */
  size_t in_flight;
  const struct window_entry
      *declined; /* the last one that was declined with a cause, and the cause */
  char declined_why[120];
  unsigned probes;                     /* since the last acknowledgement */
  uint64_t unacknowledged;             /* in the window when the log was found rewritten */
  struct publisher_progress *progress; /* NULL: nothing to store */
  struct stream_place stored;          /* the newest acknowledgement, also of an earlier process */
  uint64_t stores_lost;                /* since the last store */
  int64_t last_acknowledged_unix_ns;
  char name[];
};

struct publisher_agent *publisher_agent_new(struct site *site, const char *name);
/* Nothing of it in flight. */
void publisher_agent_free(struct publisher_agent *agent, struct window *window);

enum publisher_seen {
  PUBLISHER_READY,   /* read */
  PUBLISHER_LATER,   /* agent->look stays */
  PUBLISHER_NOTHING, /* until somebody rings */
};
/* Finds out what is committed and where to continue. */
enum publisher_seen publisher_agent_look(struct publisher_agent *agent, struct window *window,
                                         int64_t now_ns);
/* Takes up to `max` marked lines into the window, and calls `offer` for each while its line is in
 * memory, until that answers false. Answers how many. */
typedef bool (*publisher_offer)(void *ctx, struct window_entry *entry, const struct record *record);
size_t publisher_agent_read(struct publisher_agent *agent, struct window *window, size_t max,
                            publisher_offer offer, void *ctx);
/* Reads the entry's line again, into *text; 1: it is no longer there, the agent's place will be
 * found again. */
int publisher_agent_reread(struct publisher_agent *agent, const struct window_entry *entry,
                           struct buffer *text, struct record *record);
/* Moves what is done from the front of the window into the progress. */
void publisher_agent_advance(struct publisher_agent *agent, struct window *window, int64_t now_ns);
/* Writes the progress into .state, waiting for the lock until then.  0 also when there is none; 1
 * to be tried again at store_after_ns; -1 the place is not valid any more. */
int publisher_agent_store(struct publisher_agent *agent, int64_t lock_deadline_ns);

#endif

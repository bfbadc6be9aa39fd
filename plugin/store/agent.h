/* agent.h - one agent's folder, held open for recording: lock, log, checkpoint, and the fold.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One thread at a time; among processes and instances the agent's lock. */
#ifndef KAIZEN_AGENT_H
#define KAIZEN_AGENT_H

#include "record/agent_name.h"
#include "record/fold.h"
#include "store/agent_lock.h"
#include "store/agent_log.h"
#include "store/checkpoint_point.h"
#include "store/project.h"

struct agent {
  const struct project *project;
  char name[AGENT_NAME_MAX + 1];
  int fd; /* the folder; -1: closed */
  struct agent_lock lock;
  struct agent_log log;
  struct checkpoint checkpoint;
  struct log_anchor anchor; /* fold covers the log up to anchor.end */
  struct fold fold;
  uint64_t unstored;  /* lines folded since the checkpoint was stored */
  int64_t point_ns;   /* when it was last begun to be made durable */
  bool loaded;        /* checkpoint, anchor and fold can be used */
  bool path_synced;   /* the folders up to the project root are durable */
  bool state_claimed; /* .state belongs to this tree (agent_state_claim) */
  bool state_due;     /* set with each checkpoint: somebody may have removed it since */
  bool summary_stale; /* lines were folded that summary.json does not show */
  /* counted since agent_init() */
  uint64_t rebuilt;  /* times the checkpoint had to be rebuilt from a log that was not empty */
  uint64_t skipped;  /* lines met that are not records */
  uint64_t rewrites; /* times the log was found to differ from the one that was folded */
  uint64_t records_before, records_after, marked_before, marked_after; /* of the last rewrite */
  bool replaced;                 /* the log that was folded is no longer the one of that name */
  bool rewritten;                /* the log is being folded again because of a rewrite */
  struct fold_ahead *ahead;      /* within agent_fold_acquire(): what is read without the lock */
  bool in_turns;                 /* while folding: the lock may be released, and taken again */
  bool grew;                     /* the table has grown, and nothing of it is durable */
  bool sync_failed;              /* of the log or the index, while a log was folded */
  int64_t let_go_ns;             /* while folding: when to release the lock */
  int64_t pace_ns, pace_step_ns; /* while folding: when to make it durable next, and the step to the
                                  * time after */
  int64_t look_again_ns; /* when to fold it once more after a rewrite in place; 0: it was not */
};

/* Nothing is opened yet. */
void agent_init(struct agent *agent, const struct project *project, const char *name);
/* Stores the checkpoint when that needs no waiting, makes it durable when that is worth it, closes
 * everything; may be used again afterwards. */
void agent_close(struct agent *agent);
/* Before the last agent_close() of a process: saves the next process folding again what was
 * recorded, even after a loss of power.  No lock held; does not wait for one. */
void agent_settle(struct agent *agent);

/* The folder, made when missing, and the lock's file in it, as far as they are not open. */
int agent_open_files(struct agent *agent, struct error *error);
/* agent_close() that stores nothing: of files that may no longer be the agent's. */
void agent_close_files(struct agent *agent);
/* Are the descriptors still those of its files?  If not, the host has closed them, and the numbers
 * may be those of files of its own: agent_lose_files() closes the files without those.  When the
 * lock's is lost, it treats all of them as lost. */
bool agent_files_are_ours(const struct agent *agent);
void agent_lose_files(struct agent *agent);
/* agent_fold_acquire() takes the lock. */
void agent_release(struct agent *agent);

/* The rest under the lock. */
/* 1 with *line (the first record that carries `key`) and its offset, 0 when there is none, -1 with
 * *error.  When the checkpoint was damaged, agent->loaded is then false: agent_fold_refresh()
 * rebuilds it. */
int agent_find_key(struct agent *agent, struct span key, struct buffer *line, uint64_t *offset,
                   struct error *error);
/* 1 when a record that carries `key` stands in the log at `offset`; *line is its text then. */
int agent_line_carries_key(const struct agent *agent, uint64_t offset, struct span key,
                           struct buffer *line, struct error *error);
/* The key of a line that was appended and folded.  -1 as agent_find_key(). */
int agent_add_key(struct agent *agent, struct span key, uint64_t offset, struct error *error);
/* Of a damaged checkpoint: the next look at the log makes a new one.  -1 with *error. */
int agent_discard_checkpoint(struct agent *agent, struct error *error);
/* Drops what is known of its files, so that the next look reads them again: after others wrote
 * much, the checkpoint is the faster source. */
void agent_forget_fold(struct agent *agent);
/* Stores the checkpoint when enough lines have been folded since, or `now`. */
void agent_store_checkpoint(struct agent *agent, bool now);
/* Now and then, when a loss of power would leave much to be folded again: a point that
 * checkpoint_point_sync() makes durable, without the lock.  Else none. */
void agent_take_due_point(struct agent *agent, struct checkpoint_point *point);
/* The same when so many bytes have been folded since the last. */
void agent_take_point(struct agent *agent, uint64_t bytes, struct checkpoint_point *point);
/* A long catch-up is made durable now and then: rarely, but early enough that a process that is
 * killed again and again reaches the end; and at once after the table has grown. */
void agent_begin_pace(struct agent *agent);
void agent_take_pace_point(struct agent *agent, struct checkpoint_point *point);
/* agent_log_sync(); a failure is remembered in the index. */
int agent_sync_log(struct agent *agent, uint64_t end, struct error *error);
/* Makes the folders from the agent's up to the project root durable, once. */
int agent_sync_path(struct agent *agent, struct error *error);

#endif

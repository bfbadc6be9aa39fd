/* replay.h - JSON Lines from a file or a pipe into the plugin, batch by batch.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPLAY_H
#define KAIZEN_HOST_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "host/session.h"
#include "operator/replay_rest.h"

enum { REPLAY_REFUSALS_MAX = 10, REPLAY_SIZES = 14 };

struct replay_refusal {
  uint64_t line; /* from 1, in the whole input */
  int32_t code;
  char reason[208];
};

struct replay {
  struct session *session;
  const struct kaizen_batch_1 *batch;
  uint32_t exec_flags, batch_flags;
  uint64_t lines_to_skip;
  int fd;
  uint64_t input_bytes; /* 0: not known */
  double started_s;
  char *buffer;
  size_t used, room;
  unsigned batch_size;        /* of REPLAY_SIZES */
  size_t batch_bytes;         /* what the next call is given, as whole lines */
  double rates[REPLAY_SIZES]; /* bytes per second of the last call of each size; 0: none */
  bool ended;                 /* the input is read to its end */

  uint64_t
      lines_done; /* physical lines handled, skipped ones included: the --skip to continue with */
  uint64_t bytes_done;
  struct kaizen_batch_result total;
  struct replay_refusal refusals[REPLAY_REFUSALS_MAX]; /* the first ones */
  size_t refusal_count;
  struct replay_rest rest;
  const uint64_t *given; /* during a call: the numbers of its lines; NULL: they follow lines_done */
  char failure[208];     /* why the plugin could not record: its last message */
  int interrupted;       /* the signal, or 0 */
};

void replay_init(struct replay *replay, struct session *session);
/* `file` NULL or "-": standard input.  -1: it cannot be read, or the plugin lacks
 * kaizen.batch/1. */
int replay_open(struct replay *replay, const char *file, struct problem *problem);
/* The same for what `fd` holds from its beginning on; the replay owns it from now on. */
int replay_open_descriptor(struct replay *replay, int fd, struct problem *problem);
/* Runs to the end of the input, or to the end of a batch when signals_pending().  -1: the plugin
 * failed; the text says which --skip continues. */
int replay_run(struct replay *replay, struct problem *problem);
/* Prints counts and first reasons; answers the exit status. */
int replay_report(const struct replay *replay);
void replay_close(struct replay *replay);

#endif

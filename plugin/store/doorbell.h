/* doorbell.h - `.kaizen/metrics/.doorbell`: how the process that publishes learns what others
 * committed.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Agents' names, a line each, appended by each that commits or moves a cursor and read by the one
 * publisher.  A hint: the publisher also looks at every agent now and then, so a ring may be lost,
 * but two rings must never mix into a name that nobody rang. */
#ifndef KAIZEN_DOORBELL_H
#define KAIZEN_DOORBELL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/project.h"

struct doorbell_button { /* the ringing end; one thread at a time */
  int fd;                /* -1: closed */
  bool kept;             /* it may stay open */
  int64_t opened_ns;
  int64_t looked_ns; /* when its size was */
  uint64_t size;     /* and what was rung here since then included, this */
};
void doorbell_button_init(struct doorbell_button *button);
void doorbell_button_close(struct doorbell_button *button);
/* Never fails: what cannot be rung is found by the publisher's own round.  The file stays open for
 * the next ring, where the process has room for it, and is looked for by its name again each
 * second: the folder may have been moved.  That it was not removed is looked at a thousand times a
 * second at most. */
void doorbell_ring(struct doorbell_button *button, const struct project *project,
                   const char *agent);

struct doorbell {     /* the listener's end */
  int fd;             /* -1: closed */
  uint64_t heard;     /* bytes read */
  dev_t device;       /* of the file they were read from, */
  ino_t inode;        /* 0: of none yet */
  int64_t removed_ns; /* when one was found removed, and may still be rung; else 0 */
};
void doorbell_init(struct doorbell *doorbell);
void doorbell_close(struct doorbell *doorbell);
/* Closes it until the next call, and remembers how far it has read. */
void doorbell_pause(struct doorbell *doorbell);
/* Calls `each` with the names rung since the last call, legal ones only.  True when some may be
 * missing: look at every agent. */
bool doorbell_listen(struct doorbell *doorbell, int metrics_fd,
                     void (*each)(void *ctx, const char *agent), void *ctx);

#endif

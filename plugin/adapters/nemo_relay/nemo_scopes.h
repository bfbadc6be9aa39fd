/* nemo_scopes.h - the scopes that are open: a bounded table by uuid.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One thread at a time.  When it is full, the oldest scope that is not a run of an agent is
 * dropped, else the oldest of all: scopes that never end must not keep others out forever. */
#ifndef KAIZEN_NEMO_SCOPES_H
#define KAIZEN_NEMO_SCOPES_H

#include "adapters/nemo_relay/nemo_run.h"

enum { NEMO_SCOPES_MAX = 16384, NEMO_SCOPES_BUCKETS = 4096 };

struct nemo_scope {
  char uuid[NEMO_ID_SIZE];
  char owner[NEMO_ID_SIZE]; /* the run it belongs to: that of the scope it was opened in; or "" */
  struct nemo_run *run;     /* it is one itself; else NULL */
  struct nemo_scope *next;  /* in its bucket */
  struct nemo_scope *older, *newer;
};

struct nemo_scopes {
  struct nemo_scope *buckets[NEMO_SCOPES_BUCKETS];
  struct nemo_scopes_ends { /* of the scopes that are runs, and of the others */
    struct nemo_scope *oldest, *newest;
  } runs, others;
  unsigned count;
};

struct nemo_scope *nemo_scopes_find(const struct nemo_scopes *scopes, const char *uuid);
/* The open run that `uuid` is or belongs to, or NULL. */
struct nemo_run *nemo_scopes_owner(const struct nemo_scopes *scopes, const char *uuid);
/* Takes `run` (may be NULL) over, also on failure.  0; 1: an older scope was dropped for it; 2:
 * this uuid is open already and stays as it is; -1: no memory. */
int nemo_scopes_open(struct nemo_scopes *scopes, const struct nemo_event *start,
                     struct nemo_run *run);
/* Removes the scope; answers its run, to be freed by nemo_scopes_free_run(), or NULL. */
struct nemo_run *nemo_scopes_close(struct nemo_scopes *scopes, struct nemo_scope *scope);
/* Removes the oldest open run, as nemo_scopes_close(); NULL: there is none. */
struct nemo_run *nemo_scopes_close_oldest(struct nemo_scopes *scopes);
void nemo_scopes_free_run(struct nemo_run *run);
void nemo_scopes_fini(struct nemo_scopes *scopes);

#endif

/* kept_outbox.h - an agent's log, kept open while there are descriptors for it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The publisher's thread only. */
#ifndef KAIZEN_KEPT_OUTBOX_H
#define KAIZEN_KEPT_OUTBOX_H

#include "store/outbox.h"

struct kept_outbox {
  struct outbox outbox;
  bool counted; /* its descriptors may stay open */
};

void kept_outbox_init(struct kept_outbox *kept);
bool kept_outbox_is_open(const struct kept_outbox *kept);
/* As outbox_open() and outbox_reopen(), where it is not open yet. */
int kept_outbox_open(struct kept_outbox *kept, const struct project *project, const char *agent,
                     struct error *error);
int kept_outbox_reopen(struct kept_outbox *kept, const struct project *project, const char *agent,
                       struct error *error);
/* Between two uses: closes it where the process has no room for it. */
void kept_outbox_settle(struct kept_outbox *kept);
void kept_outbox_close(struct kept_outbox *kept);

#endif

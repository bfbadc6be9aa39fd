/* kept_outbox.c - an agent's log, kept open while there are descriptors for it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/kept_outbox.h"

#include "base/descriptors.h"

#define OUTBOX_DESCRIPTORS 4
#define KEEP_PERCENT 75 /* the rest is for recorders */

void kept_outbox_init(struct kept_outbox *kept) {
  *kept = (struct kept_outbox){.outbox.agent_fd = -1};
}

bool kept_outbox_is_open(const struct kept_outbox *kept) {
  return kept->outbox.agent_fd >= 0;
}

int kept_outbox_open(struct kept_outbox *kept, const struct project *project, const char *agent,
                     struct error *error) {
  return kept_outbox_is_open(kept) ? 0 : outbox_open(&kept->outbox, project, agent, error);
}

int kept_outbox_reopen(struct kept_outbox *kept, const struct project *project, const char *agent,
                       struct error *error) {
  return kept_outbox_is_open(kept) ? 0 : outbox_reopen(&kept->outbox, project, agent, error);
}

void kept_outbox_settle(struct kept_outbox *kept) {
  if (!kept_outbox_is_open(kept) || kept->counted)
    return;
  kept->counted = descriptors_keep(OUTBOX_DESCRIPTORS, KEEP_PERCENT);
  if (!kept->counted)
    kept_outbox_close(kept);
}

void kept_outbox_close(struct kept_outbox *kept) {
  outbox_close(&kept->outbox);
  if (kept->counted)
    descriptors_release(OUTBOX_DESCRIPTORS);
  kept->counted = false;
}

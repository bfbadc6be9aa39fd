/* site_identity.c - the project's .id, kept while the project is published.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/site_identity.h"

#include <string.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "store/outbox.h"
#include "store/project_identity.h"

#define LOCK_WAIT_NS INT64_C(50000000)

static void tell(struct site *site, const char *what) {
  site_say(site, KAIZEN_LOG_WARNING, PUBLISHER_MESSAGE_AGENT_FAILED,
           ".kaizen/metrics/.id was removed, damaged or replaced: %s, and sending continues; "
           "find the program that did it: when nobody publishes, the events would be held back",
           what);
}

/* An agent whose lock is not free is left for the next time. */
static int adopt(void *ctx, const char *agent) {
  struct site *site = ctx;
  struct outbox outbox;

  if (outbox_open(&outbox, &site->project, agent, NULL) != 0)
    return 0;
  if (outbox_adopt(&outbox, site->former_id, site->id, clock_monotonic_ns() + LOCK_WAIT_NS,
                   site->durable, NULL) == OUTBOX_BUSY)
    site->has_former_id = true;
  outbox_close(&outbox);
  return 0;
}

static bool adopt_states(struct site *site) {
  if (!site->has_former_id)
    return false;
  site->has_former_id = false;
  (void)project_each_agent(&site->project, false, adopt, site, NULL);
  return true;
}

bool site_identity_keep(struct site *site, bool elected) {
  unsigned char id[PROJECT_ID_SIZE];
  int result = project_identity_look(&site->project, id, NULL);

  if (!site->id_known || !elected) {
    if (result == 0)
      memcpy(site->id, id, sizeof site->id);
    site->id_known = site->id_known || result == 0;
    return false;
  }
  if (result == 1 && project_identity_restore(&site->project, site->id, id, NULL) == 0) {
    tell(site, "it was written again");
    result = 0;
  } else if (result == 0 && memcmp(id, site->id, sizeof id) != 0) {
    tell(site, "its new content is used");
  }
  if (result == 0 && memcmp(id, site->id, sizeof id) != 0) {
    memcpy(site->former_id, site->id, sizeof site->id);
    memcpy(site->id, id, sizeof site->id);
    site->has_former_id = true;
  }
  return adopt_states(site);
}

/* site_identity.h - the project's .id, kept while the project is published.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A process that finds no .id beside an agent's state takes the tree for a copy, and holds back its
 * events.
 * The publisher knows better as long as the folder is the same one. */
#ifndef KAIZEN_SITE_IDENTITY_H
#define KAIZEN_SITE_IDENTITY_H

#include <stdbool.h>

#include "publisher/site.h"

/* Reads .id, and `elected` writes it again when it was removed or damaged; when somebody has made
 * another by then, that one is used, and written into the states that had the former one.  True
 * when agents are to be looked at again.  The publisher's thread only. */
bool site_identity_keep(struct site *site, bool elected);

#endif

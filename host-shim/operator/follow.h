/* follow.h - publishing as a service, for one project or many.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_FOLLOW_H
#define KAIZEN_HOST_FOLLOW_H

#include "host/session.h"

/* Makes this process publish, whatever the configuration says. */
int follow_publish_here(struct session *session, struct problem *problem);
/* Publishes for the project of `host`, or for each root in the file, until SIGINT, SIGTERM or
 * SIGHUP.  A root that cannot be opened is reported and tried again; the file is read again when
 * it changes.  Answers the exit status. */
int follow_run(const struct host *host, const char *roots_file);

#endif

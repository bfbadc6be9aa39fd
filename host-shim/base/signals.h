/* signals.h - Ctrl-C and SIGTERM, for loops that ask.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_SIGNALS_H
#define KAIZEN_HOST_SIGNALS_H

/* From now on SIGINT and SIGTERM (and SIGHUP unless it is ignored) are only noted; a second one
 * ends the process. */
void signals_note(void);
/* The number of the signal noted, or 0. */
int signals_pending(void);

#endif

/* descriptors.h - how many descriptors the library holds in this process, and may keep.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The limit is the process's, and most of it the host's: all instances and publishers together keep
 * open less than half of what RLIMIT_NOFILE allows. What is needed for a moment is not counted. Any
 * thread. */
#ifndef KAIZEN_BASE_DESCRIPTORS_H
#define KAIZEN_BASE_DESCRIPTORS_H

#include <stdbool.h>

/* Open for as long as its owner lives: counted, never refused. */
void descriptors_hold(unsigned count);
/* May `count` more stay open that could as well be closed? True: they count from now on. `percent`
 * of that are this caller's to fill. */
bool descriptors_keep(unsigned count, unsigned percent);
/* Closed, whichever of the two they were. */
void descriptors_release(unsigned count);

#endif

/* descriptors.h - how many descriptors the library holds in this process, and may keep.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The limit is for the whole process, and most of it is for the host: all instances and publishers
 * together keep open less than half of what RLIMIT_NOFILE allows. Descriptors that are open for a
 * moment are not counted. Any thread. */
#ifndef KAIZEN_BASE_DESCRIPTORS_H
#define KAIZEN_BASE_DESCRIPTORS_H

#include <stdbool.h>

/* Open for as long as its owner lives: counted, never refused. */
void descriptors_hold(unsigned count);
/* May `count` more stay open, although they could be closed? True: they count from now on. This
 * caller may use `percent` of the room. */
bool descriptors_keep(unsigned count, unsigned percent);
/* They were closed, of either kind. */
void descriptors_release(unsigned count);

#endif

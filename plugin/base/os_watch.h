/* os_watch.h - learning that a file in a folder was written, without polling.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * inotify stands here and nowhere else.  Where it is missing, or its limits are used up, the caller
 * polls. */
#ifndef KAIZEN_BASE_OS_WATCH_H
#define KAIZEN_BASE_OS_WATCH_H

#include <stddef.h>

struct os_watch;

struct os_watch *os_watch_new(void); /* NULL: poll instead */
void os_watch_free(struct os_watch *watch);
/* Watches for writes to files of the folder.  Its number, or -1: poll instead. */
int os_watch_add(struct os_watch *watch, int directory_fd);
void os_watch_remove(struct os_watch *watch, int number);

/* Waits; answers how many numbers of folders it put into *numbers (a number may come twice), or 0
 * once os_watch_end() was called.  *all set: events were missed; look in every folder. */
size_t os_watch_wait(struct os_watch *watch, int *numbers, size_t max, int *all);
/* Ends a wait, permanently.  Any thread. */
void os_watch_end(struct os_watch *watch);

#endif

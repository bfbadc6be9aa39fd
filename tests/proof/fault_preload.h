/* fault_preload.h - how a test program asks the preloaded library for faults.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef FAULT_PRELOAD_H
#define FAULT_PRELOAD_H

struct fault_plan {
  const char *root;  /* only calls on files below it, or on it, are counted */
  const char *kind;  /* a name of fault_kinds in fault_preload.c */
  unsigned long nth; /* from 1: which call of that kind fails */
  int sticky;        /* 0: only that one; else that one and all after it */
  int os_error;      /* what it fails with */
  int shorten;       /* writes only: that call writes the first half; with `sticky` those after it
                      * fail with os_error, as on a disk that is full */
  const char *intruder;  /* NULL, or a file another program appends to just before that call ... */
  const char *intrusion; /* ... this text; os_error 0: the call itself then goes well */
};
struct fault_report {
  unsigned long calls, failed; /* of that kind while armed */
  char where[256];             /* the file of the last one that failed */
};

/* Found by dlsym(RTLD_DEFAULT, "fault_arm") and "fault_disarm". */
typedef void (*fault_arm_fn)(const struct fault_plan *plan);
typedef void (*fault_disarm_fn)(struct fault_report *report);

#endif

/* hook_json_scan.h - finds the values in a JSON text with comments.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_JSON_SCAN_H
#define KAIZEN_HOST_HOOK_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

struct hook_json_scan {
  const char *text;
  size_t len;
  size_t failed_at; /* of the last function that answered false */
};

/* The place after white space and comments from `at` on; a comment without an end is not
 * skipped. */
size_t hook_json_scan_blank(const struct hook_json_scan *scan, size_t at);
/* The end of the value that begins at `at`; everything inside it is checked. */
bool hook_json_scan_value(struct hook_json_scan *scan, size_t at, size_t *end);

struct hook_json_child { /* of an object or array */
  size_t start;          /* of the name, or of the value in an array */
  size_t name_end;       /* == start in an array */
  size_t value, end;     /* of the value */
  size_t after;          /* after its comma; == end when it has none */
};
struct hook_json_children { /* zero `at`, set `open`, then call next until it answers 0 */
  size_t open;              /* where the bracket is */
  size_t at;
  size_t close; /* where the closing bracket is, once next answered 0 */
};
/* 1: *child is the next one; 0: there are no more; -1: broken, see failed_at. */
int hook_json_scan_next(struct hook_json_scan *scan, struct hook_json_children *children,
                        struct hook_json_child *child);
/* The name or string between `start` and `end` without quotes and escapes, cut to the room. */
void hook_json_scan_text(const struct hook_json_scan *scan, size_t start, size_t end, char *out,
                         size_t room);

#endif

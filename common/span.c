/* span.c - borrowed bytes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "common/span.h"

#include <string.h>

bool span_equal(struct span a, struct span b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool span_is(struct span span, const char *text) {
  return span_equal(span, (struct span){text, strlen(text)});
}

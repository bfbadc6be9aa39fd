/* span.h - borrowed bytes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_COMMON_SPAN_H
#define KAIZEN_COMMON_SPAN_H

#include <stdbool.h>
#include <stddef.h>

/* ptr NULL: absent. */
struct span {
  const char *ptr;
  size_t len;
};

bool span_equal(struct span a, struct span b);
bool span_is(struct span span, const char *text);

#endif

/* hook_block.h - our lines in a settings file, between two marks; all other bytes stay.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_BLOCK_H
#define KAIZEN_HOST_HOOK_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

struct hook_block { /* offsets into the text, the marks' lines included */
  size_t start, end;
};

/* False: there is none, or its end is missing. */
bool hook_block_find(const char *text, struct hook_block *block);
/* The line ending of the text's first line. */
const char *hook_block_line_end(const char *text);
/* The text with these lines in place of the ones that are there, else at its end.  Newly allocated,
 * NULL without memory. */
char *hook_block_put(const char *text, const char *lines);
/* The text without them.  Newly allocated, NULL without memory. */
char *hook_block_cut(const char *text);

#endif

/* hook_block.c - our lines in a settings file, between two marks; all other bytes stay.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_block.h"

#include <stdio.h>
#include <string.h>

static const char BEGIN[] = "# kaizen-host: begin\n", END[] = "# kaizen-host: end\n";

/* A mark is a line of its own. */
static const char *find_line(const char *text, const char *from, const char *line) {
  for (const char *at = strstr(from, line); at; at = strstr(at + 1, line))
    if (at == text || at[-1] == '\n')
      return at;
  return NULL;
}

bool hook_block_find(const char *text, struct hook_block *block) {
  const char *begin = find_line(text, text, BEGIN);
  const char *end = begin ? find_line(text, begin, END) : NULL;

  if (!end)
    return false;
  block->start = (size_t)(begin - text);
  block->end = (size_t)(end - text) + sizeof END - 1;
  return true;
}

char *hook_block_put(const char *text, const char *lines) {
  size_t len = strlen(text);
  struct hook_block block = {.start = len, .end = len};
  char *put = NULL;
  bool is_open = !hook_block_find(text, &block) && len > 0 && text[len - 1] != '\n';

  return asprintf(&put, "%.*s%s%s%s%s%s", (int)block.start, text, is_open ? "\n" : "", BEGIN, lines,
                  END, text + block.end) < 0
             ? NULL
             : put;
}

char *hook_block_cut(const char *text) {
  struct hook_block block;
  char *cut = NULL;

  if (!hook_block_find(text, &block))
    return strdup(text);
  return asprintf(&cut, "%.*s%s", (int)block.start, text, text + block.end) < 0 ? NULL : cut;
}

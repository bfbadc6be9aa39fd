/* hook_block.c - our lines in a settings file, between two marks; all other bytes stay.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char BEGIN[] = "# kaizen-host: begin", END[] = "# kaizen-host: end";

/* A mark is a line of its own, whatever its line ending has become.  *after: the place after it. */
static const char *find_line(const char *text, const char *from, const char *mark,
                             const char **after) {
  for (const char *at = strstr(from, mark); at; at = strstr(at + 1, mark)) {
    *after = at + strlen(mark);
    *after += **after == '\r';
    if (*(*after)++ == '\n' && (at == text || at[-1] == '\n'))
      return at;
  }
  return NULL;
}

bool hook_block_find(const char *text, struct hook_block *block) {
  const char *after = NULL;
  const char *begin = find_line(text, text, BEGIN, &after);

  if (!begin || !find_line(text, after, END, &after))
    return false;
  block->start = (size_t)(begin - text);
  block->end = (size_t)(after - text);
  return true;
}

const char *hook_block_line_end(const char *text) {
  const char *newline = strchr(text, '\n');

  return newline && newline > text && newline[-1] == '\r' ? "\r\n" : "\n";
}

/* `lines` end with a newline each. */
static void print_lines(FILE *out, const char *lines, const char *line_end) {
  for (const char *end; (end = strchr(lines, '\n')) != NULL; lines = end + 1)
    fprintf(out, "%.*s%s", (int)(end - lines), lines, line_end);
}

char *hook_block_put(const char *text, const char *lines) {
  const char *line_end = hook_block_line_end(text);
  size_t len = strlen(text), put_len = 0;
  struct hook_block block = {.start = len, .end = len};
  bool is_open = !hook_block_find(text, &block) && len > 0 && text[len - 1] != '\n';
  char *put = NULL;
  FILE *out = open_memstream(&put, &put_len);

  if (!out)
    return NULL;
  fprintf(out, "%.*s%s%s%s", (int)block.start, text, is_open ? line_end : "", BEGIN, line_end);
  print_lines(out, lines, line_end);
  fprintf(out, "%s%s%s", END, line_end, text + block.end);
  if (fclose(out) == 0)
    return put;
  free(put);
  return NULL;
}

char *hook_block_cut(const char *text) {
  struct hook_block block;
  char *cut = NULL;

  if (!hook_block_find(text, &block))
    return strdup(text);
  return asprintf(&cut, "%.*s%s", (int)block.start, text, text + block.end) < 0 ? NULL : cut;
}

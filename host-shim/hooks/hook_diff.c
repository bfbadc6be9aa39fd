/* hook_diff.c - what would change in a text file, line by line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_diff.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { AROUND = 3, TABLE_MAX = 4 * 1024 * 1024 };

struct lines {
  const char **starts; /* one more than `count`: the end */
  size_t count;
};
struct edit { /* one line of the result */
  char kind;  /* ' ', '-' or '+' */
  const char *start, *end;
};
struct edits {
  struct edit *list;
  size_t count;
};

static int split(const char *text, struct lines *lines) {
  size_t room = 2;

  for (const char *at = text; *at != '\0'; at++)
    room += *at == '\n';
  lines->count = 0;
  lines->starts = calloc(room, sizeof *lines->starts);
  if (!lines->starts)
    return -1;
  while (*text != '\0') {
    lines->starts[lines->count++] = text;
    text += strcspn(text, "\n");
    text += *text == '\n';
  }
  lines->starts[lines->count] = text;
  return 0;
}

static bool same(const struct lines *a, size_t i, const struct lines *b, size_t j) {
  size_t len = (size_t)(a->starts[i + 1] - a->starts[i]);

  return len == (size_t)(b->starts[j + 1] - b->starts[j]) &&
         memcmp(a->starts[i], b->starts[j], len) == 0;
}

static void add(struct edits *edits, char kind, const struct lines *lines, size_t i) {
  edits->list[edits->count++] =
      (struct edit){.kind = kind, .start = lines->starts[i], .end = lines->starts[i + 1]};
}

/* The longest common subsequence of the part between the equal beginnings and ends; NULL: the part
 * is too long, replace it all. */
static unsigned *common_lengths(const struct lines *a, size_t a_from, size_t a_to,
                                const struct lines *b, size_t b_from, size_t b_to) {
  size_t rows = a_to - a_from, columns = b_to - b_from;
  unsigned *table =
      rows * columns > TABLE_MAX ? NULL : calloc((rows + 1) * (columns + 1), sizeof *table);
  if (!table)
    return NULL;
  for (size_t i = rows; i-- > 0;)
    for (size_t j = columns; j-- > 0;) {
      unsigned *cell = &table[i * (columns + 1) + j];
      unsigned below = cell[columns + 1], right = cell[1];

      *cell = same(a, a_from + i, b, b_from + j) ? cell[columns + 2] + 1
              : below > right                    ? below
                                                 : right;
    }
  return table;
}

static void compare(const struct lines *a, const struct lines *b, struct edits *edits) {
  size_t from = 0, a_to = a->count, b_to = b->count;

  while (from < a_to && from < b_to && same(a, from, b, from))
    add(edits, ' ', a, from++);
  while (a_to > from && b_to > from && same(a, a_to - 1, b, b_to - 1))
    a_to--, b_to--;
  unsigned *table = common_lengths(a, from, a_to, b, from, b_to);
  size_t i = from, j = from, width = b_to - from + 1;
  while (i < a_to || j < b_to) {
    const unsigned *cell =
        table && i < a_to && j < b_to ? &table[(i - from) * width + (j - from)] : NULL;

    if (cell && same(a, i, b, j))
      add(edits, ' ', a, i++), j++;
    else if (i < a_to && (!cell || cell[width] >= cell[1]))
      add(edits, '-', a, i++);
    else
      add(edits, '+', b, j++);
  }
  while (a_to < a->count)
    add(edits, ' ', a, a_to++);
  free(table);
}

/* Prints it unchanged, except for what would control a terminal. */
static void print_text(FILE *out, const char *text, size_t len) {
  for (; len > 0; text++, len--)
    putc((unsigned char)*text >= 0x20 || *text == '\t' || *text == '\r' ? *text : '?', out);
}

static void print_edit(FILE *out, const struct edit *edit) {
  size_t len = (size_t)(edit->end - edit->start);
  bool has_newline = len > 0 && edit->start[len - 1] == '\n';

  putc(edit->kind, out);
  print_text(out, edit->start, has_newline ? len - 1 : len);
  fputs(has_newline ? "\n" : "\n\\ No newline at end of file\n", out);
}

/* From the first edit of a hunk to after its last. */
static size_t hunk_end(const struct edits *edits, size_t from) {
  size_t end = from, last = from;

  for (; end < edits->count && end - last <= 2 * AROUND; end++)
    last = edits->list[end].kind != ' ' ? end : last;
  return last + 1 + AROUND < edits->count ? last + 1 + AROUND : edits->count;
}

static size_t count_kind(const struct edits *edits, size_t from, size_t to, char other) {
  size_t count = 0;

  for (size_t i = from; i < to; i++)
    count += edits->list[i].kind != other;
  return count;
}

static void print_hunks(FILE *out, const struct edits *edits) {
  for (size_t i = 0; i < edits->count;) {
    if (edits->list[i].kind == ' ') {
      i++;
      continue;
    }
    size_t from = i > AROUND ? i - AROUND : 0, to = hunk_end(edits, i);
    size_t old_lines = count_kind(edits, from, to, '+'),
           new_lines = count_kind(edits, from, to, '-');
    fprintf(out, "@@ -%zu,%zu +%zu,%zu @@\n", count_kind(edits, 0, from, '+') + (old_lines > 0),
            old_lines, count_kind(edits, 0, from, '-') + (new_lines > 0), new_lines);
    for (i = from; i < to; i++)
      print_edit(out, &edits->list[i]);
  }
}

void hook_diff_print(FILE *out, const char *file, const char *before, const char *after) {
  struct lines a = {.starts = NULL}, b = {.starts = NULL};
  struct edits edits = {.list = NULL};

  if (strcmp(before ? before : "", after ? after : "") == 0 && !before == !after)
    return;
  if (split(before ? before : "", &a) == 0 && split(after ? after : "", &b) == 0)
    edits.list = calloc(a.count + b.count + 1, sizeof *edits.list);
  fprintf(out, "--- %s\n+++ %s\n", before ? file : "/dev/null", after ? file : "/dev/null");
  if (edits.list) {
    compare(&a, &b, &edits);
    print_hunks(out, &edits);
  }
  free(edits.list);
  free(a.starts);
  free(b.starts);
}

/* hook_json_scan.c - finds the values in a JSON text with comments.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_json_scan.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/json_text.h"

enum { DEPTH_MAX = 64 };

static bool fail(struct hook_json_scan *scan, size_t at) {
  scan->failed_at = at;
  return false;
}

static char at(const struct hook_json_scan *scan, size_t i) {
  return i < scan->len ? scan->text[i] : '\0';
}

/* The place after the comment; a comment without an end is not skipped, and no value begins like
 * one. */
static size_t skip_comment(const struct hook_json_scan *scan, size_t i) {
  bool is_line = at(scan, i + 1) == '/';
  const char *end = is_line ? memchr(scan->text + i, '\n', scan->len - i)
                            : memmem(scan->text + i + 2, scan->len - i - 2, "*/", 2);

  if (!end)
    return is_line ? scan->len : i;
  return (size_t)(end - scan->text) + (is_line ? 0 : 2);
}

size_t hook_json_scan_blank(const struct hook_json_scan *scan, size_t i) {
  for (;;) {
    char c = at(scan, i);
    size_t next = i;

    if (i < scan->len && c != '\0' && strchr(" \t\r\n\f\v", c))
      next = i + 1;
    else if (c == '/' && (at(scan, i + 1) == '/' || at(scan, i + 1) == '*'))
      next = skip_comment(scan, i);
    if (next == i)
      return i;
    i = next;
  }
}

static bool scan_string(struct hook_json_scan *scan, size_t i, size_t *end) {
  char quote = at(scan, i);

  for (size_t from = i++; i < scan->len; i++) {
    if (scan->text[i] == '\\')
      i++;
    else if (scan->text[i] == quote)
      return *end = i + 1, true;
    else if (scan->text[i] == '\n')
      return fail(scan, from);
  }
  return fail(scan, i);
}

static bool is_bare(char c) {
  return isalnum((unsigned char)c) || (c != '\0' && strchr("_$.+-", c));
}

/* A number, true, false, null, or a name without quotes. */
static bool scan_bare(struct hook_json_scan *scan, size_t i, size_t *end) {
  size_t from = i;

  while (is_bare(at(scan, i)))
    i++;
  *end = i;
  return i > from || fail(scan, from);
}

static bool scan_scalar(struct hook_json_scan *scan, size_t i, size_t *end) {
  return at(scan, i) == '"' || at(scan, i) == '\'' ? scan_string(scan, i, end)
                                                   : scan_bare(scan, i, end);
}

static bool scan_value(struct hook_json_scan *scan, size_t i, size_t *end, int depth);

static int next_child(struct hook_json_scan *scan, struct hook_json_children *children,
                      struct hook_json_child *child, int depth) {
  bool is_object = at(scan, children->open) == '{';
  size_t i =
      hook_json_scan_blank(scan, children->at > children->open ? children->at : children->open + 1);
  if (at(scan, i) == (is_object ? '}' : ']')) {
    children->close = i;
    return 0;
  }
  if (children->at > children->open && at(scan, children->at - 1) != ',')
    return fail(scan, i), -1; /* the member before had no comma, but there is another one */
  child->start = child->name_end = child->value = i;
  if (is_object) {
    if (!scan_scalar(scan, i, &child->name_end))
      return -1;
    i = hook_json_scan_blank(scan, child->name_end);
    if (at(scan, i) != ':')
      return fail(scan, i), -1;
    child->value = hook_json_scan_blank(scan, i + 1);
  }
  if (!scan_value(scan, child->value, &child->end, depth + 1))
    return -1;
  i = hook_json_scan_blank(scan, child->end);
  child->after = at(scan, i) == ',' ? i + 1 : child->end;
  children->at = child->after;
  return 1;
}

static bool scan_value(struct hook_json_scan *scan, size_t i, size_t *end, int depth) {
  struct hook_json_children children = {.open = i};
  struct hook_json_child child;
  int more;

  if (at(scan, i) != '{' && at(scan, i) != '[')
    return scan_scalar(scan, i, end);
  if (depth > DEPTH_MAX)
    return fail(scan, i);
  while ((more = next_child(scan, &children, &child, depth)) > 0)
    continue;
  if (more == 0)
    *end = children.close + 1;
  return more == 0;
}

bool hook_json_scan_value(struct hook_json_scan *scan, size_t i, size_t *end) {
  return scan_value(scan, i, end, 0);
}

int hook_json_scan_next(struct hook_json_scan *scan, struct hook_json_children *children,
                        struct hook_json_child *child) {
  return next_child(scan, children, child, 0);
}

void hook_json_scan_text(const struct hook_json_scan *scan, size_t start, size_t end, char *out,
                         size_t room) {
  const char *text = scan->text + start;
  size_t len = end - start, problem_at = 0;
  const char *description = NULL;
  if (*text == '"' && memchr(text, '\\', len)) {
    struct json_object *decoded = json_text_parse(text, len, &problem_at, &description);

    snprintf(out, room, "%s", decoded ? json_object_get_string(decoded) : "");
    json_object_put(decoded);
    return;
  }
  bool is_quoted = *text == '"' || *text == '\'';
  snprintf(out, room, "%.*s", (int)(is_quoted ? len - 2 : len), is_quoted ? text + 1 : text);
}

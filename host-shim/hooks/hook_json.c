/* hook_json.c - small edits of JSON settings; all other bytes stay.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "hooks/hook_json_scan.h"

static struct hook_json_scan scan_of(const struct hook_json *json) {
  return (struct hook_json_scan){.text = json->text, .len = json->len};
}

/* A byte order mark stays where it is. */
static size_t root_start(const struct hook_json_scan *scan) {
  bool has_mark = scan->len >= 3 && memcmp(scan->text, "\xEF\xBB\xBF", 3) == 0;

  return hook_json_scan_blank(scan, has_mark ? 3 : 0);
}

static int refuse(const struct hook_json_scan *scan, size_t at, struct problem *problem) {
  size_t line = 1, column = 1;

  for (size_t i = 0; i < at && i < scan->len; i++) {
    line += scan->text[i] == '\n';
    column = scan->text[i] == '\n' ? 1 : column + 1;
  }
  return problem_set(problem, EXIT_CODE_REFUSED,
                     "not a JSON object at line %zu, column %zu; fix it first", line, column);
}

int hook_json_open(struct hook_json *json, const char *text, size_t len, struct problem *problem) {
  size_t end = 0;
  bool is_blank = strspn(text, " \t\r\n") >= len;

  json->text = is_blank ? strdup("{}\n") : strndup(text, len);
  json->len = is_blank ? 3 : len;
  if (!json->text)
    return problem_no_memory(problem);
  struct hook_json_scan scan = scan_of(json);
  size_t root = root_start(&scan);
  if (root >= scan.len || scan.text[root] != '{')
    return refuse(&scan, root, problem);
  if (memchr(json->text, '\0', json->len) || !hook_json_scan_value(&scan, root, &end))
    return refuse(&scan, scan.failed_at, problem);
  end = hook_json_scan_blank(&scan, end);
  return end < scan.len ? refuse(&scan, end, problem) : 0;
}

void hook_json_close(struct hook_json *json) {
  free(json->text);
  *json = (struct hook_json){.text = NULL};
}

static bool is_container(const struct hook_json *json, size_t at) {
  return json->text[at] == '{' || json->text[at] == '[';
}

/* The i-th child. */
static bool find_nth(const struct hook_json *json, size_t open, size_t i,
                     struct hook_json_child *child) {
  struct hook_json_scan scan = scan_of(json);
  struct hook_json_children children = {.open = open};

  if (!is_container(json, open))
    return false;
  while (hook_json_scan_next(&scan, &children, child) > 0)
    if (i-- == 0)
      return true;
  return false;
}

/* How many members have that name; *child is the last of them, which is the one that readers
 * use. */
static size_t find_named(const struct hook_json *json, size_t open, const char *name,
                         struct hook_json_child *child) {
  struct hook_json_scan scan = scan_of(json);
  struct hook_json_children children = {.open = open};
  struct hook_json_child each;
  size_t count = 0;
  char found[256];

  if (!is_container(json, open))
    return 0;
  while (hook_json_scan_next(&scan, &children, &each) > 0) {
    if (each.name_end == each.start)
      continue;
    hook_json_scan_text(&scan, each.start, each.name_end, found, sizeof found);
    if (strcmp(found, name) != 0)
      continue;
    *child = each;
    count++;
  }
  return count;
}

bool hook_json_find(const struct hook_json *json, hook_json_path path,
                    struct hook_json_span *value) {
  struct hook_json_scan scan = scan_of(json);
  struct hook_json_child child = {.value = root_start(&scan)};
  if (!hook_json_scan_value(&scan, child.value, &child.end))
    return false;
  for (size_t i = 0; i < HOOK_JSON_PATH_MAX && path[i]; i++)
    if (find_named(json, child.value, path[i], &child) == 0)
      return false;
  *value = (struct hook_json_span){.start = child.value, .end = child.end};
  return true;
}

bool hook_json_element(const struct hook_json *json, const struct hook_json_span *container,
                       size_t i, struct hook_json_span *value) {
  struct hook_json_child child;
  if (!find_nth(json, container->start, i, &child))
    return false;
  *value = (struct hook_json_span){.start = child.value, .end = child.end};
  return true;
}

bool hook_json_member(const struct hook_json *json, const struct hook_json_span *object,
                      const char *name, struct hook_json_span *value) {
  struct hook_json_child child;
  if (find_named(json, object->start, name, &child) == 0)
    return false;
  *value = (struct hook_json_span){.start = child.value, .end = child.end};
  return true;
}

bool hook_json_name(const struct hook_json *json, const struct hook_json_span *object, size_t i,
                    char *out, size_t room) {
  struct hook_json_scan scan = scan_of(json);
  struct hook_json_child child;
  if (!find_nth(json, object->start, i, &child) || child.name_end == child.start)
    return false;
  hook_json_scan_text(&scan, child.start, child.name_end, out, room);
  return true;
}

size_t hook_json_count(const struct hook_json *json, const struct hook_json_span *object,
                       const char *name) {
  struct hook_json_child child;

  return find_named(json, object->start, name, &child);
}

bool hook_json_next_string(const struct hook_json *json, const struct hook_json_span *within,
                           size_t from, struct hook_json_span *value, char *out, size_t room) {
  struct hook_json_scan scan = scan_of(json);
  struct hook_json_children children = {.open = within->start};
  struct hook_json_child child;
  if (!is_container(json, within->start)) {
    char quote = json->text[within->start];

    if (within->start < from || (quote != '"' && quote != '\''))
      return false;
    *value = *within;
    hook_json_scan_text(&scan, value->start, value->end, out, room);
    return true;
  }
  while (hook_json_scan_next(&scan, &children, &child) > 0) {
    const struct hook_json_span inner = {.start = child.value, .end = child.end};

    if (child.end > from && hook_json_next_string(json, &inner, from, value, out, room))
      return true;
  }
  return false;
}

/* Replaces `len` bytes at `at`. */
static int splice(struct hook_json *json, size_t at, size_t len, const char *text,
                  struct problem *problem) {
  size_t added = strlen(text);
  char *edited = malloc(json->len - len + added + 1);
  if (!edited)
    return problem_no_memory(problem);
  memcpy(edited, json->text, at);
  memcpy(edited + at, text, added);
  memcpy(edited + at + added, json->text + at + len, json->len - at - len + 1);
  free(json->text);
  json->text = edited;
  json->len = json->len - len + added;
  return 0;
}

static const char *line_end(const struct hook_json *json) {
  const char *newline = strchr(json->text, '\n');

  return newline && newline > json->text && newline[-1] == '\r' ? "\r\n" : "\n";
}

/* The white space at the beginning of a line. */
static size_t indent_at(const struct hook_json *json, size_t at, const char **indent) {
  size_t line = at;

  while (line > 0 && json->text[line - 1] != '\n')
    line--;
  *indent = json->text + line;
  return strspn(json->text + line, " \t");
}

/* What one level adds: the indentation of the document's first member, or two spaces. */
static void indent_unit(const struct hook_json *json, char unit[16]) {
  struct hook_json_scan scan = scan_of(json);
  size_t root = root_start(&scan);
  struct hook_json_child child;
  const char *indent = "";
  size_t len = 0;

  if (find_nth(json, root, 0, &child) && memchr(json->text + root, '\n', child.start - root))
    len = indent_at(json, child.start, &indent);
  snprintf(unit, 16, "%.*s", len > 0 && len < 16 ? (int)len : 2,
           len > 0 && len < 16 ? indent : "  ");
}

/* The end of the last thing before `at` that is not white space. */
static size_t end_before(const struct hook_json *json, size_t at) {
  while (at > 0 && strchr(" \t\r\n", json->text[at - 1]))
    at--;
  return at;
}

/* What is in a container, and its layout. */
struct layout {
  struct hook_json_child first, last; /* when it is not empty */
  size_t close;
  bool is_empty, is_one_line; /* all between the brackets on one line */
};

static struct layout layout_of(const struct hook_json *json, size_t open) {
  struct hook_json_scan scan = scan_of(json);
  struct hook_json_children children = {.open = open};
  struct layout layout = {.is_empty = true};

  for (; hook_json_scan_next(&scan, &children, &layout.last) > 0; layout.is_empty = false)
    if (layout.is_empty)
      layout.first = layout.last;
  layout.close = children.close;
  layout.is_one_line = !layout.is_empty && !memchr(json->text + open, '\n', layout.close - open);
  return layout;
}

static int splice_printed(struct hook_json *json, size_t at, size_t len, struct problem *problem,
                          const char *format, ...) __attribute__((format(printf, 5, 6)));

static int splice_printed(struct hook_json *json, size_t at, size_t len, struct problem *problem,
                          const char *format, ...) {
  va_list arguments;
  char *text = NULL;

  va_start(arguments, format);
  int printed = vasprintf(&text, format, arguments);
  va_end(arguments);
  if (printed < 0)
    return problem_no_memory(problem);
  int result = splice(json, at, len, text, problem);
  free(text);
  return result;
}

/* The first child goes on a line of its own, one level deeper than the bracket's. */
static int add_first(struct hook_json *json, size_t open, size_t close, const char *member,
                     struct problem *problem) {
  const char *indent = NULL, *newline = line_end(json);
  int outer = (int)indent_at(json, open, &indent);
  size_t at = end_before(json, close);
  char unit[16];

  indent_unit(json, unit);
  return splice_printed(json, at, close - at, problem, "%s%.*s%s%s%s%.*s", newline, outer, indent,
                        unit, member, newline, outer, indent);
}

/* A further child goes on a line of its own, indented like the first one when that has its own
 * line. */
static int add_line(struct hook_json *json, size_t open, const struct layout *layout,
                    const char *member, struct problem *problem) {
  bool own_line = memchr(json->text + open, '\n', layout->first.start - open) != NULL;
  bool has_comma = layout->last.after > layout->last.end;
  const char *indent = NULL;
  char unit[16] = "";
  int inner = (int)indent_at(json, own_line ? layout->first.start : layout->close, &indent);

  if (!own_line)
    indent_unit(json, unit);
  if (splice_printed(json, end_before(json, layout->close), 0, problem, "%s%.*s%s%s%s",
                     line_end(json), inner, indent, unit, member, has_comma ? "," : "") < 0)
    return -1;
  return has_comma ? 0 : splice(json, layout->last.end, 0, ",", problem);
}

/* Adds `member` after the others, in their layout; when the last one has a comma after it, so does
 * the new one. */
static int add_child(struct hook_json *json, size_t open, const char *member,
                     struct problem *problem) {
  const struct layout layout = layout_of(json, open);

  if (layout.is_empty)
    return add_first(json, open, layout.close, member, problem);
  if (!layout.is_one_line)
    return add_line(json, open, &layout, member, problem);
  if (layout.last.after > layout.last.end)
    return splice_printed(json, layout.last.after, 0, problem, " %s,", member);
  return splice_printed(json, layout.last.end, 0, problem, ", %s", member);
}

static int wrong_type(const char *name, const char *wanted, struct problem *problem) {
  return problem_set(problem, EXIT_CODE_REFUSED, "its member \"%s\" must be %s; nothing is changed",
                     name, wanted);
}

/* Makes the objects of the first `count` names of the path. */
static int make_objects(struct hook_json *json, hook_json_path path, size_t count,
                        struct problem *problem) {
  const char *part[HOOK_JSON_PATH_MAX] = {NULL};
  struct hook_json_span value;
  for (size_t i = 0; i < count; i++) {
    part[i] = path[i];
    if (!hook_json_find(json, part, &value) && hook_json_set(json, part, "{}", problem) < 0)
      return -1;
    if (hook_json_find(json, part, &value) && json->text[value.start] != '{')
      return wrong_type(path[i], "an object", problem);
  }
  return 0;
}

static size_t path_length(hook_json_path path) {
  size_t length = 0;

  while (length < HOOK_JSON_PATH_MAX && path[length])
    length++;
  return length;
}

int hook_json_set(struct hook_json *json, hook_json_path path, const char *value,
                  struct problem *problem) {
  struct hook_json_span found;
  const char *parent[HOOK_JSON_PATH_MAX] = {NULL};
  size_t length = path_length(path);
  char *member = NULL;
  if (hook_json_find(json, path, &found))
    return 0;
  if (make_objects(json, path, length - 1, problem) < 0)
    return -1;
  memcpy(parent, path, (length - 1) * sizeof *parent);
  char *name = json_text_quote(path[length - 1]);
  if (!name || asprintf(&member, "%s: %s", name, value) < 0) {
    free(name);
    return problem_no_memory(problem);
  }
  hook_json_find(json, parent, &found);
  int result = add_child(json, found.start, member, problem);
  free(name);
  free(member);
  return result;
}

int hook_json_append(struct hook_json *json, hook_json_path path, const char *value,
                     struct problem *problem) {
  struct hook_json_span array;
  if (hook_json_set(json, path, "[]", problem) < 0)
    return -1;
  if (!hook_json_find(json, path, &array) || json->text[array.start] != '[')
    return wrong_type(path[path_length(path) - 1], "an array", problem);
  return add_child(json, array.start, value, problem);
}

int hook_json_replace(struct hook_json *json, const struct hook_json_span *value, const char *text,
                      struct problem *problem) {
  return splice(json, value->start, value->end - value->start, text, problem);
}

/* Comments stay; a container that is left without anything becomes {} or []. */
static int remove_child(struct hook_json *json, size_t open, size_t i, struct problem *problem) {
  struct hook_json_scan scan = scan_of(json);
  struct hook_json_children children = {.open = open};
  struct hook_json_child child, before = {.end = 0}, found = {.end = 0};
  size_t count = 0;

  for (; hook_json_scan_next(&scan, &children, &child) > 0; count++) {
    before = count + 1 == i ? child : before;
    found = count == i ? child : found;
  }
  if (found.end == 0)
    return 0;
  size_t start = end_before(json, found.start);
  if (count == 1 && start == open + 1 &&
      hook_json_scan_blank(&scan, found.after) == children.close &&
      end_before(json, children.close) == found.after)
    return splice(json, start, children.close - start, "", problem);
  if (splice(json, start, found.after - start, "", problem) < 0)
    return -1;
  bool was_last = i + 1 == count && i > 0 && found.after == found.end;
  return was_last && before.after > before.end ? splice(json, before.after - 1, 1, "", problem) : 0;
}

int hook_json_remove(struct hook_json *json, const struct hook_json_span *container, size_t i,
                     struct problem *problem) {
  return is_container(json, container->start) ? remove_child(json, container->start, i, problem)
                                              : 0;
}

int hook_json_unset(struct hook_json *json, hook_json_path path, struct problem *problem) {
  struct hook_json_span value, container, element;
  const char *parent[HOOK_JSON_PATH_MAX] = {NULL};
  size_t length = path_length(path);

  memcpy(parent, path, (length - 1) * sizeof *parent);
  if (!hook_json_find(json, path, &value) || !hook_json_find(json, parent, &container))
    return 0;
  for (size_t i = 0; hook_json_element(json, &container, i, &element); i++)
    if (element.start == value.start)
      return remove_child(json, container.start, i, problem);
  return 0;
}

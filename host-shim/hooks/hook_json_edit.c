/* hook_json_edit.c - small changes to somebody's JSON settings that leave every other byte as it
 * is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_json_edit.h"

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
                     "it is no JSON object at line %zu, column %zu; mend it first", line, column);
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

/* The child of that name, or the i-th when the name is NULL. */
static bool find_child(const struct hook_json *json, size_t open, const char *name, size_t i,
                       struct hook_json_child *child) {
  struct hook_json_scan scan = scan_of(json);
  struct hook_json_children children = {.open = open};
  char found[256];
  if (!is_container(json, open))
    return false;
  for (size_t count = 0; hook_json_scan_next(&scan, &children, child) > 0; count++) {
    if (!name && count == i)
      return true;
    if (!name || child->name_end == child->start)
      continue;
    hook_json_scan_text(&scan, child->start, child->name_end, found, sizeof found);
    if (strcmp(found, name) == 0)
      return true;
  }
  return false;
}

bool hook_json_find(const struct hook_json *json, hook_json_path path,
                    struct hook_json_span *value) {
  struct hook_json_scan scan = scan_of(json);
  struct hook_json_child child = {.value = root_start(&scan)};
  if (!hook_json_scan_value(&scan, child.value, &child.end))
    return false;
  for (size_t i = 0; i < HOOK_JSON_PATH_MAX && path[i]; i++)
    if (!find_child(json, child.value, path[i], 0, &child))
      return false;
  *value = (struct hook_json_span){.start = child.value, .end = child.end};
  return true;
}

bool hook_json_element(const struct hook_json *json, const struct hook_json_span *container,
                       size_t i, struct hook_json_span *value) {
  struct hook_json_child child;
  if (!find_child(json, container->start, NULL, i, &child))
    return false;
  *value = (struct hook_json_span){.start = child.value, .end = child.end};
  return true;
}

bool hook_json_member(const struct hook_json *json, const struct hook_json_span *object,
                      const char *name, struct hook_json_span *value) {
  struct hook_json_child child;
  if (!find_child(json, object->start, name, 0, &child))
    return false;
  *value = (struct hook_json_span){.start = child.value, .end = child.end};
  return true;
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

/* The white space a line begins with. */
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

  if (find_child(json, root, NULL, 0, &child) &&
      memchr(json->text + root, '\n', child.start - root))
    len = indent_at(json, child.start, &indent);
  snprintf(unit, 16, "%.*s", len > 0 && len < 16 ? (int)len : 2,
           len > 0 && len < 16 ? indent : "  ");
}

/* Where the last thing in front of `at` that is no white space ends. */
static size_t end_before(const struct hook_json *json, size_t at) {
  while (at > 0 && strchr(" \t\r\n", json->text[at - 1]))
    at--;
  return at;
}

/* Adds `member` to the container: on a line of its own, unless the others share theirs with the
 * brackets. */
static int add_child(struct hook_json *json, size_t open, const char *member,
                     struct problem *problem) {
  struct hook_json_scan scan = scan_of(json);
  struct hook_json_children children = {.open = open};
  struct hook_json_child child = {.end = 0}, first = {.end = 0};
  char unit[16], *text = NULL;
  const char *indent = NULL, *newline = line_end(json);
  while (hook_json_scan_next(&scan, &children, &child) > 0)
    first = first.end == 0 ? child : first;
  bool is_empty = first.end == 0;
  bool is_one_line = !is_empty && !memchr(json->text + open, '\n', children.close - open);
  size_t at = is_one_line ? child.end : end_before(json, children.close);
  size_t outer = indent_at(json, children.close, &indent);
  const char *comma = child.after > child.end ? "," : ""; /* where the last one has one */
  int len;
  indent_unit(json, unit);
  if (is_one_line) {
    len = asprintf(&text, "%s %s%s", *comma != '\0' ? "" : ",", member, comma);
    at = child.after;
  } else if (is_empty) {
    outer = indent_at(json, open, &indent);
    len = asprintf(&text, "%s%.*s%s%s%s%.*s", newline, (int)outer, indent, unit, member, newline,
                   (int)outer, indent);
  } else {
    bool own_line = memchr(json->text + open, '\n', first.start - open) != NULL;
    size_t inner = own_line ? indent_at(json, first.start, &indent) : outer;

    len = asprintf(&text, "%s%.*s%s%s%s", newline, (int)inner, indent, own_line ? "" : unit, member,
                   comma);
  }
  if (len < 0)
    return problem_no_memory(problem);
  int result = is_empty ? splice(json, at, children.close - at, text, problem)
                        : splice(json, at, 0, text, problem);
  if (result == 0 && !is_one_line && !is_empty && child.after == child.end)
    result = splice(json, child.end, 0, ",", problem);
  free(text);
  return result;
}

static int wrong_type(const char *name, const char *wanted, struct problem *problem) {
  return problem_set(problem, EXIT_CODE_REFUSED, "\"%s\" in it is no %s; nothing is changed", name,
                     wanted);
}

/* Makes the objects that the first `count` names of the path stand for. */
static int make_objects(struct hook_json *json, hook_json_path path, size_t count,
                        struct problem *problem) {
  const char *part[HOOK_JSON_PATH_MAX] = {NULL};
  struct hook_json_span value;
  for (size_t i = 0; i < count; i++) {
    part[i] = path[i];
    if (!hook_json_find(json, part, &value) && hook_json_set(json, part, "{}", problem) < 0)
      return -1;
    if (hook_json_find(json, part, &value) && json->text[value.start] != '{')
      return wrong_type(path[i], "object", problem);
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
    return wrong_type(path[path_length(path) - 1], "array", problem);
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

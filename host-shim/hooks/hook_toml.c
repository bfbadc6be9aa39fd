/* hook_toml.c - edits one top-level key of TOML settings; all other bytes stay.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_toml.h"

#include <ctype.h>
#include <string.h>

struct scan {
  const char *text;
  size_t len;
};

static char at(const struct scan *scan, size_t i) {
  return i < scan->len ? scan->text[i] : '\0';
}

static bool starts_with(const struct scan *scan, size_t i, const char *what) {
  size_t len = strlen(what);

  return i + len <= scan->len && memcmp(scan->text + i, what, len) == 0;
}

static size_t skip_line(const struct scan *scan, size_t i) {
  const char *newline = i < scan->len ? memchr(scan->text + i, '\n', scan->len - i) : NULL;

  return newline ? (size_t)(newline - scan->text) + 1 : scan->len;
}

static size_t skip_spaces(const struct scan *scan, size_t i) {
  while (at(scan, i) == ' ' || at(scan, i) == '\t')
    i++;
  return i;
}

/* Blank, or a comment. */
static bool is_line_over(const struct scan *scan, size_t i) {
  i = skip_spaces(scan, i);
  return i >= scan->len || at(scan, i) == '\n' || at(scan, i) == '#' ||
         starts_with(scan, i, "\r\n");
}

/* False: it does not end. */
static bool skip_string(const struct scan *scan, size_t i, size_t *end) {
  char quote = scan->text[i];
  const char three[] = {quote, quote, quote, '\0'};
  bool is_long = starts_with(scan, i, three);

  for (i += is_long ? 3 : 1; i < scan->len; i++) {
    if (scan->text[i] == '\\' && quote == '"') {
      i++;
    } else if (is_long ? starts_with(scan, i, three) : scan->text[i] == quote) {
      i += is_long ? 3 : 1;
      for (size_t more = 0; is_long && more < 2 && at(scan, i) == quote; more++)
        i++; /* """a""""" ends with two quotes of its own */
      *end = i;
      return true;
    } else if (!is_long && scan->text[i] == '\n') {
      return false;
    }
  }
  return false;
}

/* The place after the value that begins at `i`: arrays and texts may span several lines.  False: it
 * does not end, or there is none. */
static bool skip_value(const struct scan *scan, size_t i, size_t *end) {
  size_t depth = 0;

  *end = i;
  while (i < scan->len) {
    char c = scan->text[i];

    if (depth == 0 && (c == '\n' || c == '#' || starts_with(scan, i, "\r\n")))
      break;
    if (c == '"' || c == '\'') {
      if (!skip_string(scan, i, &i))
        return false;
      *end = i;
      continue;
    }
    if (c == '#') {
      i = skip_line(scan, i);
      continue;
    }
    if ((c == ']' || c == '}') && depth == 0)
      return false;
    depth += c == '[' || c == '{';
    depth -= c == ']' || c == '}';
    i++;
    if (!strchr(" \t\r\n", c))
      *end = i;
  }
  return depth == 0;
}

/* A bare, quoted or dotted key up to the '=', which is at *equals. */
static bool skip_key(const struct scan *scan, size_t i, size_t *equals) {
  size_t from = i;

  while (at(scan, i) != '=') {
    char c = at(scan, i);

    if (c == '"' || c == '\'') {
      if (!skip_string(scan, i, &i))
        return false;
    } else if (isalnum((unsigned char)c) || (c != '\0' && strchr("_-. \t", c))) {
      i++;
    } else {
      return false;
    }
  }
  *equals = i;
  return i > from;
}

/* What comes after the name when it is at `from`; NUL: it is not. */
static char next_after(const struct scan *scan, size_t from, const char *name) {
  size_t quoted = at(scan, from) == '"' || at(scan, from) == '\'';
  size_t end = from + quoted + strlen(name);

  if (!starts_with(scan, from + quoted, name) || (quoted && at(scan, end) != at(scan, from)))
    return '\0';
  return at(scan, skip_spaces(scan, end + quoted));
}

/* Also the first part of a dotted one. */
static bool is_key(const struct scan *scan, size_t from, const char *name) {
  char next = next_after(scan, from, name);

  return next == '=' || next == '.';
}

int hook_toml_find(const char *text, size_t len, const char *name, struct hook_toml_key *key,
                   size_t *insert_at) {
  const struct scan scan = {.text = text, .len = len};
  size_t line = starts_with(&scan, 0, "\xEF\xBB\xBF") ? 3 : 0, equals = 0, end = 0;
  for (*insert_at = line; line < len; line = skip_line(&scan, end)) {
    size_t word = skip_spaces(&scan, line);

    end = line;
    if (is_line_over(&scan, word))
      continue;
    if (text[word] == '[')
      return 0;
    size_t value = 0;
    if (skip_key(&scan, word, &equals))
      value = skip_spaces(&scan, equals + 1);
    if (value == 0 || is_line_over(&scan, value) || !skip_value(&scan, value, &end) ||
        !is_line_over(&scan, end)) {
      *insert_at = line;
      return -1;
    }
    *insert_at = skip_line(&scan, end);
    if (is_key(&scan, word, name)) {
      *key = (struct hook_toml_key){
          .start = word, .end = *insert_at, .value = value, .value_end = end};
      return 1;
    }
  }
  return 0;
}

/* The place after the key and value at `word`; 0: there are none. */
static size_t skip_member(const struct scan *scan, size_t word) {
  size_t equals = 0, end = 0;

  if (!skip_key(scan, word, &equals))
    return 0;
  size_t value = skip_spaces(scan, equals + 1);
  return !is_line_over(scan, value) && skip_value(scan, value, &end) && is_line_over(scan, end)
             ? end
             : 0;
}

/* A table inside an array's last element, [name.x], comes after a [[name]]. */
int hook_toml_next_table(const char *text, size_t len, const char *name, size_t from,
                         struct hook_toml_table *table) {
  const struct scan scan = {.text = text, .len = len};
  bool is_inside = false, has_array = false;
  size_t end = 0;

  for (size_t line = 0; line < len; line = skip_line(&scan, end)) {
    size_t word = skip_spaces(&scan, line);
    bool is_array = starts_with(&scan, word, "[[");

    end = word;
    if (is_line_over(&scan, word))
      continue;
    if (at(&scan, word) != '[') {
      end = skip_member(&scan, word);
      if (end == 0)
        return -1;
      if (is_inside)
        table->end = skip_line(&scan, end);
      continue;
    }
    char next = next_after(&scan, skip_spaces(&scan, word + 1 + is_array), name);
    if (is_inside)
      return 1;
    if (next == '\0' || (next == '.' && has_array))
      continue;
    if (!is_array || next != ']')
      return -1;
    has_array = true;
    is_inside = line >= from;
    *table = (struct hook_toml_table){
        .start = line, .body = skip_line(&scan, end), .end = skip_line(&scan, end)};
  }
  return is_inside;
}

/* "[table]", with any blanks. */
static bool is_table(const struct scan *scan, size_t i, const char *table) {
  i = skip_spaces(scan, i + 1);
  return starts_with(scan, i, table) && at(scan, skip_spaces(scan, i + strlen(table))) == ']';
}

bool hook_toml_is(const char *text, size_t len, const char *table, const char *name,
                  const char *value) {
  const struct scan scan = {.text = text, .len = len};
  bool is_inside = false;
  size_t end = 0;

  for (size_t line = 0; line < len; line = skip_line(&scan, end)) {
    size_t word = skip_spaces(&scan, line), equals = 0;

    end = word;
    if (at(&scan, word) == '[') {
      is_inside = is_table(&scan, word, table);
    } else if (!is_line_over(&scan, word) && skip_key(&scan, word, &equals)) {
      size_t begin = skip_spaces(&scan, equals + 1);

      if (!skip_value(&scan, begin, &end))
        return false;
      if (is_inside && is_key(&scan, word, name) && end - begin == strlen(value) &&
          starts_with(&scan, begin, value))
        return true;
    }
  }
  return false;
}

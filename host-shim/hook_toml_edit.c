/* hook_toml_edit.c - one top-level key of somebody's TOML settings, every other byte as it is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hook_toml_edit.h"

#include <string.h>

struct scan {
  const char *text;
  size_t len;
};

static bool starts_with(const struct scan *scan, size_t at, const char *what) {
  size_t len = strlen(what);
  return at + len <= scan->len && memcmp(scan->text + at, what, len) == 0;
}

static size_t skip_line(const struct scan *scan, size_t at) {
  const char *newline = at < scan->len ? memchr(scan->text + at, '\n', scan->len - at) : NULL;
  return newline != NULL ? (size_t)(newline - scan->text) + 1 : scan->len;
}

static size_t skip_spaces(const struct scan *scan, size_t at) {
  while (at < scan->len && (scan->text[at] == ' ' || scan->text[at] == '\t'))
    at++;
  return at;
}

static size_t skip_string(const struct scan *scan, size_t at) {
  char quote = scan->text[at];
  const char three[] = {quote, quote, quote, '\0'};
  bool is_long = starts_with(scan, at, three);
  for (at += is_long ? 3 : 1; at < scan->len; at++) {
    if (scan->text[at] == '\\' && quote == '"')
      at++;
    else if (is_long ? starts_with(scan, at, three) : scan->text[at] == quote)
      return at + (is_long ? 3 : 1);
    else if (!is_long && scan->text[at] == '\n')
      return at; /* broken; the line ends it */
  }
  return scan->len;
}

/* Behind the value that begins at `at`: arrays and texts may go over several lines. */
static size_t skip_value(const struct scan *scan, size_t at) {
  size_t depth = 0, end = at;
  while (at < scan->len) {
    char c = scan->text[at];
    if (depth == 0 && (c == '\n' || c == '#'))
      break;
    if (c == '"' || c == '\'') {
      end = at = skip_string(scan, at);
      continue;
    }
    if (c == '#') {
      at = skip_line(scan, at);
      continue;
    }
    depth += c == '[' || c == '{';
    depth -= (c == ']' || c == '}') && depth > 0;
    at++;
    if (strchr(" \t\r\n", c) == NULL)
      end = at;
  }
  return end;
}

static size_t key_length(const struct scan *scan, size_t at) {
  size_t from = at;
  while (at < scan->len && strchr("=\n#", scan->text[at]) == NULL)
    at = scan->text[at] == '"' || scan->text[at] == '\'' ? skip_string(scan, at) : at + 1;
  return at - from;
}

static bool is_key(const struct scan *scan, size_t at, size_t len, const char *name) {
  size_t quoted = len > 0 && (scan->text[at] == '"' || scan->text[at] == '\'');
  while (len > 0 && strchr(" \t", scan->text[at + len - 1]) != NULL)
    len--;
  return len == strlen(name) + 2 * quoted &&
         memcmp(scan->text + at + quoted, name, strlen(name)) == 0;
}

bool hook_toml_find(const char *text, size_t len, const char *name, struct hook_toml_key *key,
                    size_t *insert_at) {
  const struct scan scan = {.text = text, .len = len};
  *insert_at = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  for (size_t at = *insert_at; at < len;) {
    size_t word = skip_spaces(&scan, at);
    if (word < len && text[word] == '[')
      return false;
    size_t key_len = key_length(&scan, word);
    if (word >= len || word + key_len >= len || text[word + key_len] != '=') {
      at = skip_line(&scan, at);
      continue;
    }
    size_t value = skip_spaces(&scan, word + key_len + 1);
    size_t end = skip_value(&scan, value);
    at = skip_line(&scan, end);
    if (is_key(&scan, word, key_len, name)) {
      *key = (struct hook_toml_key){.start = word, .end = at, .value = value, .value_end = end};
      return true;
    }
    *insert_at = at;
  }
  return false;
}

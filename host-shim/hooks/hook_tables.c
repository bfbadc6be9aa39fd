/* hook_tables.c - our [[hooks]] in TOML settings; all other bytes stay.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hooks/hook_block.h"
#include "hooks/hook_line.h"
#include "hooks/hook_toml.h"

static const char NAME[] = "hooks";

/* A text in quotes, without them; NULL: another value, or one with escapes that we do not write. */
static char *take_text(const char *value, size_t len) {
  char quote = len > 1 ? *value : '\0', *text = NULL;
  size_t used = 0;

  if ((quote != '"' && quote != '\'') || (text = malloc(len)) == NULL)
    return NULL;
  for (size_t i = 1; i + 1 < len; i++) {
    bool is_escape = quote == '"' && value[i] == '\\';

    i += is_escape;
    if (value[i] == '\0' || (is_escape && value[i] != '"' && value[i] != '\\')) {
      free(text);
      return NULL;
    }
    text[used++] = value[i];
  }
  text[used] = '\0';
  return text;
}

static bool is_ours(const char *text, const struct hook_toml_table *table, const char *host) {
  const char *body = text + table->body;
  struct hook_toml_key key;
  size_t at = 0;

  if (hook_toml_find(body, table->end - table->body, "command", &key, &at) <= 0)
    return false;
  char *command = take_text(body + key.value, key.value_end - key.value);
  bool ours = command && hook_line_judge(command, host) == HOOK_LINE_OURS;
  free(command);
  return ours;
}

/* The next one of ours at or after `from`. */
static bool find_ours(const char *text, const char *host, size_t from,
                      struct hook_toml_table *table) {
  for (; hook_toml_next_table(text, strlen(text), NAME, from, table) > 0; from = table->end)
    if (is_ours(text, table, host))
      return true;
  return false;
}

bool hook_tables_found(const char *text, const char *host) {
  struct hook_block block;
  struct hook_toml_table table;

  return hook_block_find(text, &block) || find_ours(text, host, 0, &table);
}

static void cut(char *text, size_t start, size_t end) {
  memmove(text + start, text + end, strlen(text + end) + 1);
}

char *hook_tables_cut(const char *text, const char *host) {
  char *left = hook_block_cut(text);
  struct hook_toml_table table = {.start = 0};

  while (left && find_ours(left, host, table.start, &table))
    cut(left, table.start, table.end);
  return left;
}

static bool is_empty_array(const char *text, const struct hook_toml_key *key) {
  const char *value = text + key->value;
  bool is_dotted = memchr(text + key->start, '.', key->value - key->start) != NULL;

  return !is_dotted && *value == '[' && value[1 + strspn(value + 1, " \t\r\n")] == ']';
}

char *hook_tables_put(const char *text, const char *tables, const char *host, bool *fits) {
  char *left = hook_tables_cut(text, host), *put = NULL;
  struct hook_toml_table table;
  struct hook_toml_key key;
  size_t at = 0;

  *fits = true;
  if (!left)
    return NULL;
  int found = hook_toml_find(left, strlen(left), NAME, &key, &at);
  if (found > 0 && is_empty_array(left, &key))
    cut(left, key.start, key.end);
  else if (found != 0)
    *fits = false;
  *fits = *fits && hook_toml_next_table(left, strlen(left), NAME, strlen(left), &table) == 0;
  put = *fits ? hook_block_put(left, tables) : NULL;
  free(left);
  return put;
}

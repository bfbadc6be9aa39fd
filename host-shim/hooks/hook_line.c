/* hook_line.c - whether a command in the settings is ours.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_line.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Is given one word after another: is it still a call of ours? */
struct call {
  const char *host;
  enum { PROGRAM, OPTION, VALUE, HOST, REST, NOT_OURS } next;
};

static void take_word(struct call *call, const char *word) {
  const char *slash = strrchr(word, '/');

  switch (call->next) {
  case PROGRAM:
    call->next = strcmp(slash ? slash + 1 : word, "kaizen-host") == 0 ? OPTION : NOT_OURS;
    return;
  case OPTION:
    call->next = strcmp(word, "hook") == 0       ? HOST
                 : strcmp(word, "--config") == 0 ? VALUE
                 : strcmp(word, "--plugin") == 0 ? VALUE
                 : strcmp(word, "--set") == 0    ? VALUE
                                                 : NOT_OURS;
    return;
  case VALUE:
    call->next = OPTION;
    return;
  case HOST:
    call->next = strcmp(word, call->host) == 0 ? REST : NOT_OURS;
    return;
  case REST:
  case NOT_OURS:
    return;
  }
}

/* The place after the quoted part that begins at `at`; adds its text to `word`.  NULL: it does not
 * end, or a shell would expand something in it. */
static const char *take_quoted(const char *at, char *word, size_t *len) {
  char quote = *at++;

  for (; *at != quote; at++) {
    if (*at == '\0' || *len + 1 >= HOOK_LINE_BYTES_MAX || (quote == '"' && strchr("$`\\!", *at)))
      return NULL;
    word[(*len)++] = *at;
  }
  return at + 1;
}

/* The place after the word that begins at `at`; NULL: it contains something that a shell acts
 * on. */
static const char *take_shell_word(const char *at, char word[HOOK_LINE_BYTES_MAX]) {
  size_t len = 0;

  while (*at != '\0' && *at != ' ' && *at != '\t') {
    if (*at == '\'' || *at == '"') {
      at = take_quoted(at, word, &len);
      if (!at)
        return NULL;
    } else if (*at == '\\' && at[1] == '\'') { /* as in 'it'\''s' */
      word[len++] = '\'';
      at += 2;
    } else if (isalnum((unsigned char)*at) || strchr("_-./:=+,@%", *at) || (*at & 0x80)) {
      word[len++] = *at++;
    } else {
      return NULL;
    }
    if (len + 1 >= HOOK_LINE_BYTES_MAX)
      return NULL;
  }
  word[len] = '\0';
  return at;
}

/* Does the text call the hook of this host somewhere, as far as that shows without running it? */
static bool mentions(const char *text, const char *host) {
  size_t len = strlen(host);

  for (const char *at = strstr(text, "kaizen-host"); at; at = strstr(at, "hook")) {
    at += 4; /* the program's own name has no "hook" in it */
    const char *word = at + strspn(at, "\\\"', \t");

    if (word > at && strncmp(word, host, len) == 0 && !isalnum((unsigned char)word[len]) &&
        (word[len] == '\0' || !strchr("-_", word[len])))
      return true;
  }
  return false;
}

static enum hook_line_owner owner_of(const struct call *call, const char *text) {
  return call->next == REST           ? HOOK_LINE_OURS
         : mentions(text, call->host) ? HOOK_LINE_MIXED
                                      : HOOK_LINE_FOREIGN;
}

enum hook_line_owner hook_line_judge(const char *line, const char *host) {
  struct call call = {.host = host, .next = PROGRAM};
  char word[HOOK_LINE_BYTES_MAX];

  for (const char *at = line + strspn(line, " \t"); at && *at != '\0'; at += strspn(at, " \t")) {
    at = take_shell_word(at, word);
    if (!at) {
      call.next = NOT_OURS;
      break;
    }
    take_word(&call, word);
  }
  return owner_of(&call, line);
}

bool hook_line_program(const char *line, const char *host, char *program, size_t room) {
  char word[HOOK_LINE_BYTES_MAX];

  if (hook_line_judge(line, host) != HOOK_LINE_OURS ||
      !take_shell_word(line + strspn(line, " \t"), word))
    return false;
  snprintf(program, room, "%s", word);
  return true;
}

/* Takes the strings of the array one by one; false: there is something else in it. */
static bool take_array(const char *text, struct call *call) {
  char word[HOOK_LINE_BYTES_MAX];
  const char *at = text + strspn(text, " \t\r\n");

  if (*at++ != '[')
    return false;
  for (;;) {
    at += strspn(at, " \t\r\n,");
    if (*at == ']')
      return true;
    if ((*at != '"' && *at != '\'') || strncmp(at, "\"\"\"", 3) == 0 || strncmp(at, "'''", 3) == 0)
      return false;
    char quote = *at++;
    size_t len = 0;
    for (; *at != quote; at++) {
      if (quote == '"' && *at == '\\' && (at[1] == '"' || at[1] == '\\'))
        at++;
      else if (*at == '\0' || (quote == '"' && *at == '\\'))
        return false;
      if (len + 1 >= HOOK_LINE_BYTES_MAX)
        return false;
      word[len++] = *at;
    }
    word[len] = '\0';
    at++;
    take_word(call, word);
  }
}

enum hook_line_owner hook_line_judge_array(const char *text, size_t len, const char *host) {
  struct call call = {.host = host, .next = PROGRAM};
  char *copy = strndup(text, len);

  if (!copy)
    return HOOK_LINE_MIXED; /* unknown: it is not touched */
  if (!take_array(copy, &call))
    call.next = NOT_OURS;
  enum hook_line_owner owner = owner_of(&call, copy);
  free(copy);
  return owner;
}

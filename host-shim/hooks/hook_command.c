/* hook_command.c - the command by which a coding agent calls us, in the notation of its settings.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_command.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_text.h"

int hook_command_program(char program[PATH_MAX]) {
  ssize_t len = readlink("/proc/self/exe", program, PATH_MAX - 1);

  program[len > 0 ? len : 0] = '\0';
  return len > 0 ? 0 : -1;
}

/* Quotes as 'it'\''s' when the text has anything that a shell would interpret.  Gemini CLI
 * (seen with 0.61) and Qwen Code put values of their own environment for each $NAME and ${NAME} in
 * their settings, whatever quotes it is in: so the quotes end after each '$', and begin again. */
static int print_quoted(FILE *out, const char *word) {
  static const char plain[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=+,@%";

  if (*word != '\0' && word[strspn(word, plain)] == '\0')
    return fputs(word, out);
  putc('\'', out);
  for (; *word != '\0'; word++)
    if (*word == '\'')
      fputs("'\\''", out);
    else
      fprintf(out, *word == '$' ? "%c''" : "%c", *word);
  return putc('\'', out);
}

char *hook_command_shell(const struct hook_command *command, const char *event) {
  char *text = NULL;
  size_t len = 0;
  FILE *out = open_memstream(&text, &len);

  if (!out)
    return NULL;
  for (size_t i = 0; i < command->count; i++) {
    fputs(i > 0 ? " " : "", out);
    print_quoted(out, command->words[i]);
  }
  if (event)
    fprintf(out, " --event %s", event);
  return fclose(out) == 0 ? text : NULL;
}

char *hook_command_array(const struct hook_command *command) {
  char *text = NULL;
  size_t len = 0;
  FILE *out = open_memstream(&text, &len);

  if (!out)
    return NULL;
  for (size_t i = 0; i < command->count; i++) {
    char *quoted = json_text_quote(command->words[i]);

    fprintf(out, "%s%s", i > 0 ? ", " : "[", quoted ? quoted : "\"\"");
    free(quoted);
  }
  putc(']', out);
  return fclose(out) == 0 ? text : NULL;
}

char *hook_command_fill(const struct hook_command *command, const char *text) {
  static const char array_place[] = "@ARRAY@", shell_place[] = "@SHELL@";
  const char *at = strstr(text, array_place);
  bool is_array = at != NULL;
  char *filled = NULL;

  at = is_array ? at : strstr(text, shell_place);
  if (!at)
    return strdup(text);
  char *value = is_array ? hook_command_array(command) : hook_command_shell(command, NULL);
  if (value &&
      asprintf(&filled, "%.*s%s%s", (int)(at - text), text, value, at + sizeof array_place - 1) < 0)
    filled = NULL;
  free(value);
  return filled;
}

char *hook_command_tables(const struct hook_command *command, const char *const *events) {
  char *text = NULL;
  size_t len = 0;
  char *shell = hook_command_shell(command, NULL);
  char *quoted = shell ? json_text_quote(shell) : NULL;
  FILE *out = quoted ? open_memstream(&text, &len) : NULL;

  for (size_t i = 0; out && events[i]; i++)
    fprintf(out, "[[hooks]]\nevent = \"%s\"\ncommand = %s\ntimeout = 5\n", events[i], quoted);
  free(quoted);
  free(shell);
  return out && fclose(out) == 0 ? text : NULL;
}

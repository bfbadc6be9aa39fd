/* complete.c - what can stand at the end of a command line: for the shells' completion.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/complete.h"

#include <stdio.h>
#include <string.h>

#include "cli/command_list.h"
#include "cli/complete_words.h"

static const struct option_spec *find_option(const struct complete *complete, const char *word) {
  const struct option_spec *groups[OPTION_GROUPS_MAX + 2] = {command_list_options};
  const struct option_spec *const *own =
      complete->command ? complete->command->option_groups : NULL;

  for (size_t i = 0; own && own[i]; i++)
    groups[i + 1] = own[i];
  return word[1] == '-' ? options_find(groups, word + 2, strcspn(word + 2, "="))
                        : options_find_letter(groups, word[strlen(word) - 1]);
}

static bool is_option(const char *word) {
  return word[0] == '-' && word[1] != '\0';
}

static void take_option(struct complete *complete, const char *word) {
  const struct option_spec *option = find_option(complete, word);
  const char *value = strchr(word, '=');
  bool is_long = word[1] == '-';

  if (!option || option->kind == OPTION_FLAG)
    return;
  if (!is_long || !value)
    complete->option = option;
  else if (option->kind == OPTION_DIRECTORY)
    complete->directory = value + 1;
}

static void take_value(struct complete *complete, const char *word) {
  if (complete->option->kind == OPTION_DIRECTORY)
    complete->directory = word;
  complete->option = NULL;
}

static void take_word(struct complete *complete, const char *word) {
  if (complete->command) {
    if (complete->word_count < sizeof complete->words / sizeof complete->words[0])
      complete->words[complete->word_count] = word;
    complete->word_count++;
    return;
  }
  complete->command = command_list_find(word);
  complete->is_help = complete->is_help || strcmp(word, "help") == 0;
  complete->is_lost = !complete->command && !complete->is_help && strcmp(word, "metrics") != 0;
}

void complete_read(struct complete *complete, char *const *words, size_t count) {
  *complete = (struct complete){.command = NULL};
  for (size_t i = 0; i < count && !complete->is_lost && !complete->is_other_command; i++) {
    if (complete->option)
      take_value(complete, words[i]);
    else if (strcmp(words[i], "--") == 0)
      complete->is_other_command = true;
    else if (is_option(words[i]))
      take_option(complete, words[i]);
    else
      take_word(complete, words[i]);
  }
}

static void print_options(const struct option_spec *option) {
  for (; option->name; option++) {
    printf("--%s\t%s\n", option->name, option->help);
    if (option->letter != 0)
      printf("-%c\t%s\n", option->letter, option->help);
  }
}

static void print_all_options(const struct command *command) {
  for (size_t i = 0; command && command->option_groups[i]; i++)
    print_options(command->option_groups[i]);
  print_options(command_list_options);
}

static void print_choices(const char *prefix, const char *choices) {
  while (*choices != '\0') {
    size_t len = strcspn(choices, "|");

    printf("%s%.*s\t\n", prefix, (int)len, choices);
    choices += len + (choices[len] == '|');
  }
}

/* `prefix` is "--name=" when the value is written in the same word, else "". */
static void print_value(const struct option_spec *option, const char *prefix, const char *value,
                        const struct host *host) {
  if (option->kind == OPTION_FILE)
    puts(":files");
  else if (option->kind == OPTION_DIRECTORY)
    puts(":folders");
  else if (option->kind == OPTION_CHOICE)
    print_choices(prefix, option->metavar);
  else if (strcmp(option->name, "set") == 0)
    complete_words_settings(host, prefix, strchr(value, '=') ? value : NULL, true);
}

static void print_commands(bool with_help) {
  for (const struct command *const *command = command_list; *command; command++)
    printf("%s\t%s\n", (*command)->name, (*command)->summary);
  if (with_help)
    puts("help\texplain a command");
}

/* The words after "config": the only command with a second and a third one. */
static void print_config(const struct complete *complete, const struct host *host) {
  const char *verb = complete->words[0];
  bool takes_key =
      strcmp(verb, "get") == 0 || strcmp(verb, "set") == 0 || strcmp(verb, "unset") == 0;

  if (complete->word_count == 1 && takes_key)
    complete_words_settings(host, "", NULL, false);
  if (complete->word_count == 2 && strcmp(verb, "set") == 0)
    complete_words_settings(host, "", complete->words[1], false);
}

static void print_argument(const struct complete *complete, const struct host *host) {
  const struct command *command = complete->command;

  if (command->takes_rest && complete->word_count >= command->words_max)
    puts("--\tend of options; the command follows");
  if (complete->word_count > 0) {
    if (strcmp(command->name, "config") == 0)
      print_config(complete, host);
    return;
  }
  for (size_t i = 0; command->words[i]; i++)
    printf("%s\t\n", command->words[i]);
  if (command->takes_agent)
    complete_words_agents(host);
  else if (!command->words[0] && command->words_max > 0)
    puts(":files");
}

void complete_print(const struct complete *complete, const char *last, const struct host *host) {
  struct host there = *host;
  const struct option_spec *option = NULL;

  if (complete->directory)
    there.directory = complete->directory;
  if (complete->is_lost)
    return;
  if (complete->is_other_command)
    puts(":command");
  else if (complete->option)
    print_value(complete->option, "", last, &there);
  else if (strncmp(last, "--", 2) == 0 && strchr(last, '='))
    option = find_option(complete, last);
  else if (last[0] == '-')
    print_all_options(complete->command);
  else if (complete->is_help || !complete->command)
    print_commands(!complete->is_help);
  else
    print_argument(complete, &there);
  if (option && option->kind != OPTION_FLAG) {
    char prefix[64];
    const char *value = strchr(last, '=') + 1;

    snprintf(prefix, sizeof prefix, "--%s=", option->name);
    print_value(option, prefix, value, &there);
  }
}

/* command_install_hooks.c - add hooks to a coding agent's settings.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/output.h"
#include "base/utf8_text.h"
#include "hooks/hook_host.h"
#include "hooks/hook_install.h"
#include "hooks/hook_line.h"
#include "hooks/hook_record.h"
#include "hooks/hook_tests.h"
#include "hooks/hooks_commands.h"
#include "hooks/nemo_install.h"
#include "host/command.h"
#include "host/session.h"

static const struct command_example examples[] = {
    {"install-hooks claude-code", "for all your projects"},
    {"install-hooks gemini --project --dry-run", "show the change to this project's settings"},
    {"install-hooks codex --emit-event --metadata team=web",
     "with options for each call of 'hook'"},
    {"install-hooks claude-code --test-cmd 'make -s test'",
     "also record whether the tests pass after each turn"},
    {NULL, NULL},
};

static bool is_same_file(const char *a, const char *b) {
  struct stat one, other;

  return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

/* The program that the shell would find is this one. */
static bool is_found_by_name(const char *program) {
  const char *path = getenv("PATH");
  char file[PATH_MAX];

  for (; path && *path != '\0'; path += strcspn(path, ":") + (path[strcspn(path, ":")] != '\0')) {
    snprintf(file, sizeof file, "%.*s/kaizen-host", (int)strcspn(path, ":"), path);
    if (access(file, X_OK) == 0)
      return is_same_file(file, program);
  }
  return false;
}

/* Hosts clean the environment of their hooks, so the full name is the safe one.  A project's
 * settings go to other machines, where only the bare name works. */
static int take_program(const struct hook_plan *plan, char program[PATH_MAX],
                        struct hook_command *command, struct problem *problem) {
  if (hook_command_program(program) < 0)
    return problem_set(problem, EXIT_CODE_FAILED, "cannot find the file of this program: %s",
                       strerror(errno));
  bool by_name = plan->scope == HOOK_SCOPE_PROJECT && is_found_by_name(program);
  if (plan->scope == HOOK_SCOPE_PROJECT && !by_name)
    output_warning("kaizen-host is not in PATH; the project's settings name %s, which other "
                   "machines may not have",
                   program);
  command->words[command->count++] = by_name ? "kaizen-host" : program;
  return 0;
}

static void add_words(struct hook_command *command, const char *option, const char *value) {
  if (command->count + 2 > HOOK_COMMAND_WORDS_MAX) {
    command->too_long = true;
    return;
  }
  command->words[command->count++] = option;
  if (value)
    command->words[command->count++] = value;
}

/* The coding agent calls hooks from other folders.  A missing file has an absolute name, too. */
static const char *absolute(const char *file, char path[PATH_MAX]) {
  char here[PATH_MAX];

  if (realpath(file, path))
    return path;
  if (*file == '/' || !getcwd(here, sizeof here) ||
      snprintf(path, PATH_MAX, "%s/%s", here, file) >= PATH_MAX)
    return file;
  return path;
}

/* The options that belong to each call: --NAME, in the order given. */
static void add_options(const struct arguments *arguments, struct hook_command *command,
                        char *state_dir) {
  static const struct {
    const char *name, *option;
  } handed_on[] = {{"agent", "--agent"},
                   {"aborted", "--aborted"},
                   {"metadata", "--metadata"},
                   {"metadata-allow", "--metadata-allow"},
                   {"no-usage", "--no-usage"},
                   {"test-cmd", "--test-cmd"},
                   {"test-timeout", "--test-timeout"},
                   {"emit-event", "--emit-event"},
                   {"no-emit-event", "--no-emit-event"}};
  const char *given = options_text(arguments, "state-dir", NULL);
  for (size_t i = 0; i < arguments->value_count; i++)
    for (size_t j = 0; j < sizeof handed_on / sizeof handed_on[0]; j++)
      if (strcmp(arguments->values[i].spec->name, handed_on[j].name) == 0)
        add_words(command, handed_on[j].option, arguments->values[i].text);
  if (given)
    add_words(command, "--state-dir", absolute(given, state_dir));
}

static void add_settings(const struct host *host, struct hook_command *command) {
  for (size_t i = 0; i < host->arguments->value_count; i++)
    if (strcmp(host->arguments->values[i].spec->name, "set") == 0)
      add_words(command, "--set", host->arguments->values[i].text);
}

static int check_options(const struct arguments *arguments, struct problem *problem) {
  if (options_given(arguments, "test-timeout") && !options_given(arguments, "test-cmd"))
    return problem_set(problem, EXIT_CODE_USAGE,
                       "--test-timeout is for --test-cmd, which is missing; give both");
  for (size_t i = 0; i < arguments->value_count; i++) {
    const struct option_value *value = &arguments->values[i];

    if (value->text && strncmp(value->text, "--", 2) == 0)
      return problem_set(problem, EXIT_CODE_USAGE,
                         "--%s: '%s' would be an option in the command that the coding agent "
                         "calls; give a value that does not begin with --",
                         value->spec->name, value->text);
  }
  return 0;
}

/* No settings can hold other bytes: the agent would call another name, or not read the file.
 * Control characters are written in as many ways as there are notations. */
static int check_words(const struct hook_command *command, struct problem *problem) {
  for (size_t i = 0; i < command->count; i++)
    for (const char *at = command->words[i]; *at != '\0'; at += utf8_text_character(at)) {
      if (utf8_text_character(at) == 0)
        return problem_set(problem, EXIT_CODE_USAGE,
                           "'%s' has bytes that are not UTF-8, and would be part of the command in "
                           "the settings; use another name",
                           command->words[i]);
      if (iscntrl((unsigned char)*at))
        return problem_set(problem, EXIT_CODE_USAGE,
                           "'%s' has a %s, and would be part of the command in the settings; put "
                           "it into a file, and name that",
                           command->words[i], *at == '\n' ? "line break" : "control character");
    }
  return 0;
}

/* A longer command would not be recognised as ours afterwards. */
static int check_length(const struct hook_command *command, struct problem *problem) {
  char *line = hook_command_shell(command, "userPromptSubmitted");
  char *quoted = line ? json_text_quote(line) : NULL;
  size_t len = quoted ? strlen(quoted) : 0;

  free(quoted);
  free(line);
  if (len == 0)
    return problem_no_memory(problem);
  if (len < HOOK_LINE_BYTES_MAX)
    return 0;
  return problem_set(problem, EXIT_CODE_USAGE,
                     "the options make a command of %zu bytes, and settings may have %d; put some "
                     "into a file for --config, or the command of --test-cmd into a script",
                     len, HOOK_LINE_BYTES_MAX - 1);
}

static int plan_install(const struct host *host, struct hook_plan *plan,
                        const struct hook_state *state, struct problem *problem) {
  static char program[PATH_MAX], config_file[PATH_MAX], plugin_name[PATH_MAX], state_dir[PATH_MAX];
  struct hook_command command = {.count = 0};

  (void)state;
  if (check_options(host->arguments, problem) < 0)
    return -1;
  if (take_program(plan, program, &command, problem) < 0)
    return -1;
  if (host->config_file)
    add_words(&command, "--config", absolute(host->config_file, config_file));
  if (host->plugin_name)
    add_words(&command, "--plugin",
              strchr(host->plugin_name, '/') ? absolute(host->plugin_name, plugin_name)
                                             : host->plugin_name);
  add_settings(host, &command);
  add_words(&command, "hook", plan->host);
  add_options(host->arguments, &command, state_dir);
  if (command.too_long)
    return problem_set(problem, EXIT_CODE_USAGE,
                       "the options make a command of more than %d words; give fewer, or put them "
                       "into a file for --config",
                       HOOK_COMMAND_WORDS_MAX);
  if (check_words(&command, problem) < 0 || check_length(&command, problem) < 0)
    return -1;
  return hook_plan_install(plan, &command, problem);
}

/* Hooks that cannot record are worse than none: nobody would notice. */
static void warn_without_plugin(const struct host *host) {
  struct session session;
  struct problem problem;

  if (session_load(host, &session, &problem) == 0)
    session_close(&session);
  else
    output_warning("the hooks cannot record until the plugin can be loaded: %s", problem.text);
}

static int run(const struct host *host) {
  struct hook_plan plan;
  struct hook_state state = {.folder = -1};
  struct problem problem;
  char root[PATH_MAX];

  if (nemo_install_is_meant(host))
    return nemo_install_run(host);
  int result = hook_install_begin(host, &plan, root, &problem);

  if (result == 0)
    result = hook_install_open_state(host, &state, &problem);
  if (result == 0)
    result = hook_install_carry_out(host, &plan, &state, plan_install, &problem);
  int status =
      result < 0 ? output_problem(&problem)
                 : hook_install_report(
                       host, &plan, hook_plan_is_done(&plan) ? NULL : hook_target_note(plan.host));
  if (result == 0)
    warn_without_plugin(host);
  hook_plan_free(&plan);
  hook_state_close(&state);
  return status;
}

const struct command command_install_hooks = {
    .name = "install-hooks",
    .synopsis = "HOST [--user|--project] [--dry-run] [OPTIONS]",
    .summary = "add hooks to a coding agent's settings",
    .details = "Shows the change as a diff, keeps a backup of each file, and changes only the "
               "entries of kaizen-host.  Running it again changes nothing.  Options of 'hook', and "
               "--config, "
               "--plugin and --set, become part of the command that the coding agent calls.  "
               "docs/hosts/ describes each coding agent.",
    .examples = examples,
    .option_groups = {hook_install_options, hook_record_options, hook_tests_options},
    .words = {HOOK_HOST_NAMES, "nemo-relay"},
    .words_min = 1,
    .words_max = 1,
    .run = run,
};

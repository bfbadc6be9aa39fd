/* main.c - kaizen-host: a small host that loads the Kaizen metrics plugin.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/output.h"
#include "cli/command_list.h"
#include "cli/help.h"
#include "host/command.h"
#include "host/session.h"

static bool is_quiet(const struct arguments *arguments) {
  return options_given(arguments, "quiet") && !options_given(arguments, "verbose");
}

static void configure_output(const struct arguments *arguments) {
  output_configure(strcmp(options_text(arguments, "output", "text"), "json") == 0,
                   is_quiet(arguments)                   ? OUTPUT_QUIET
                   : options_given(arguments, "verbose") ? OUTPUT_VERBOSE
                                                         : OUTPUT_NORMAL);
}

static int check_words(const struct command *command, const struct arguments *arguments,
                       struct problem *problem) {
  if (arguments->rest && !command->takes_rest)
    return problem_set(problem, EXIT_CODE_USAGE, "%s: takes no command after --", command->name);
  if (arguments->word_count < command->words_min)
    return problem_set(problem, EXIT_CODE_USAGE, "%s: missing %.*s; usage: kaizen-host %s %s",
                       command->name, (int)strcspn(command->synopsis, " "), command->synopsis,
                       command->name, command->synopsis);
  if (arguments->word_count > command->words_max && command->takes_rest && !arguments->rest)
    return problem_set(problem, EXIT_CODE_USAGE,
                       "%s: unexpected argument '%s'; put the command after --", command->name,
                       arguments->words[command->words_max]);
  if (arguments->word_count > command->words_max)
    return problem_set(problem, EXIT_CODE_USAGE,
                       "%s: unexpected argument '%s'; usage: kaizen-host %s%s%s", command->name,
                       arguments->words[command->words_max], command->name,
                       *command->synopsis != '\0' ? " " : "", command->synopsis);
  return 0;
}

static int usage_problem(const struct command *command, const struct problem *problem) {
  if (command->refused)
    return command->refused(problem);
  int status = output_problem(problem);
  return command->usage_status != 0 ? command->usage_status : status;
}

static int run_command(const struct command *command, struct arguments *arguments) {
  struct problem problem;
  struct host host = {
      .arguments = arguments,
      .directory = options_text(arguments, "directory", NULL),
      .config_file = options_text(arguments, "config", NULL),
      .plugin_name = options_text(arguments, "plugin", NULL),
      .only_reads = command->only_reads && !options_given(arguments, "repair"),
  };

  if (arguments->help) {
    help_print_command(stdout, command);
    return EXIT_CODE_OK;
  }
  return check_words(command, arguments, &problem) < 0 ? usage_problem(command, &problem)
                                                       : command->run(&host);
}

/* "help record" for those who try that first. */
static int run_help(const char *name) {
  struct problem problem;
  const struct command *command = name ? command_list_find(name) : NULL;

  if (command)
    help_print_command(stdout, command);
  else if (!name)
    help_print_program(stdout);
  else
    return command_list_unknown(name, &problem), output_problem(&problem);
  return EXIT_CODE_OK;
}

static int take_command(struct option_parser *parser, const struct command **command,
                        struct problem *problem) {
  const struct option_spec *groups[OPTION_GROUPS_MAX + 1] = {command_list_options};
  const char *name = parser->argv[parser->next++];
  *command = command_list_find(name);
  if (!*command)
    return command_list_unknown(name, problem);
  for (size_t i = 0; (*command)->option_groups[i] != NULL; i++)
    groups[i + 1] = (*command)->option_groups[i];
  parser->groups = groups;
  return options_parse(parser, false, problem);
}

static int no_command(const struct arguments *arguments, struct problem *problem) {
  if (options_given(arguments, "version")) {
    puts("kaizen-host " KAIZEN_HOST_VERSION);
    return EXIT_CODE_OK;
  }
  if (arguments->help)
    return run_help(NULL);
  problem_set(problem, EXIT_CODE_USAGE, "no command; kaizen-host -h lists them");
  return output_problem(problem);
}

/* A command that was written as an option: --broker. */
static void suggest_command(const char *argument, struct problem *problem) {
  bool is_unknown = strncmp(problem->text, "unknown option --", 17) == 0;
  const char *near = is_unknown ? command_list_nearest(argument + 2) : NULL;

  if (near && !strstr(problem->text, "did you mean"))
    problem_set(problem, EXIT_CODE_USAGE, "unknown option %s; did you mean the command '%s'?",
                argument, near);
}

static int run(int argc, char **argv, struct arguments *arguments) {
  const struct option_spec *const global_groups[] = {command_list_options, NULL};
  const struct command *command = NULL;
  struct problem problem;
  struct option_parser parser = {
      .groups = global_groups, .argc = argc, .argv = argv, .next = 1, .arguments = arguments};
  int result = options_parse(&parser, true, &problem);

  if (result < 0)
    suggest_command(argv[parser.next - 1], &problem);
  if (result == 0 && parser.next < argc && !arguments->help &&
      strcmp(argv[parser.next], "metrics") == 0) {
    parser.next++; /* as the other Kaizen programs spell it */
    result = options_parse(&parser, true, &problem);
  }
  if (result == 0 &&
      (parser.next >= argc || arguments->help || options_given(arguments, "version"))) {
    configure_output(arguments);
    return no_command(arguments, &problem);
  }
  if (result == 0 && strcmp(argv[parser.next], "help") == 0)
    return run_help(parser.next + 1 < argc ? argv[parser.next + 1] : NULL);
  if (result == 0)
    result = take_command(&parser, &command, &problem);
  configure_output(arguments);
  if (result < 0 && command)
    return usage_problem(command, &problem);
  return result < 0 ? output_problem(&problem) : run_command(command, arguments);
}

int main(int argc, char **argv) {
  struct arguments arguments;
  struct problem problem;

  output_init();
  if (options_init(&arguments, argc) < 0) {
    problem_no_memory(&problem);
    return output_problem(&problem);
  }
  int status = run(argc, argv, &arguments);
  options_fini(&arguments);
  if (output_finish(&problem) < 0) {
    if (!output_has_said("cannot write"))
      output_problem(&problem);
    status = status == EXIT_CODE_OK ? (int)problem.exit_code : status;
  }
  if (session_threads_left())
    _exit(status);
  return status;
}

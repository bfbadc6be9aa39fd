/* help.c - the help texts, made from the tables of the commands.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include <string.h>

#include "base/output.h"
#include "cli/command_list.h"

enum { OPTION_COLUMNS = 32 };

static void print_heading(FILE *out, const char *heading) {
  fprintf(out, "\n%s%s%s\n", output_style(OUTPUT_BOLD), heading, output_style_end());
}

static void print_options(FILE *out, const struct option_spec *spec) {
  for (; spec->name; spec++) {
    int columns =
        spec->letter != 0 ? fprintf(out, "  -%c, ", spec->letter) : fprintf(out, "      ");

    columns += fprintf(out, "--%s%s%s", spec->name, spec->metavar ? " " : "",
                       spec->metavar ? spec->metavar : "");
    if (columns >= OPTION_COLUMNS)
      columns = fprintf(out, "\n") - 1;
    fprintf(out, "%*s  %s\n", OPTION_COLUMNS - columns, "", spec->help);
  }
}

static void print_examples(FILE *out, const struct command_example *example) {
  print_heading(out, "Examples");
  for (; example->line; example++)
    fprintf(out, "  %s# %s%s\n  kaizen-host %s\n", output_style(OUTPUT_DIM), example->what,
            output_style_end(), example->line);
}

static const struct command_example program_examples[] = {
    {"record coach --success --time 120 --quality 0.9",
     "one execution of the agent \"coach\" went well"},
    {"exec coach -- make test", "run a command, record how long it took and how it ended"},
    {"show coach", "the summary and the recent executions"},
    {"status", "what has been recorded, what has been sent"},
    {NULL, NULL},
};

void help_print_program(FILE *out) {
  fputs("kaizen-host - record what an agent did: into the project's metrics log, its summary, and "
        "NATS\n",
        out);
  print_examples(out, program_examples);
  print_heading(out, "Usage");
  fputs("  kaizen-host [OPTIONS] COMMAND [ARGUMENTS] [OPTIONS]\n", out);
  print_heading(out, "Commands");
  for (const struct command *const *command = command_list; *command; command++)
    fprintf(out, "  %-16s %s\n", (*command)->name, (*command)->summary);
  fputs("  kaizen-host COMMAND -h explains a command.  \"metrics\" before a command is accepted "
        "and ignored.\n",
        out);
  print_heading(out, "Options, before or behind the command");
  print_options(out, command_list_options);
  print_heading(out, "Exit status");
  fputs("  0 recorded, a duplicate, or done    1 not recorded, not found, not consistent\n"
        "  2 wrong command line                3 plugin or configuration refused\n"
        "  4 execution rejected for good       5 not acknowledged within --wait or --timeout\n"
        "  6 held, dead letters, an agent that cannot be read, a broker that cannot be used\n"
        "  7 unknown: retry with the same key\n",
        out);
}

void help_print_command(FILE *out, const struct command *command) {
  fprintf(out, "kaizen-host %s - %s\n", command->name, command->summary);
  print_examples(out, command->examples);
  print_heading(out, "Usage");
  fprintf(out, "  kaizen-host %s%s%s\n", command->name, *command->synopsis != '\0' ? " " : "",
          command->synopsis);
  if (command->option_groups[0])
    print_heading(out, "Options");
  for (const struct option_spec *const *group = command->option_groups; *group; group++)
    print_options(out, *group);
  if (command->details)
    fprintf(out, "\n%s\n", command->details);
  fputs("\nkaizen-host -h lists the options every command takes.\n", out);
}

/* help.c - the help texts, made from the tables of the commands.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include <stdbool.h>
#include <string.h>

#include "base/output.h"
#include "cli/command_list.h"

enum { OPTION_COLUMNS = 32, LINE_COLUMNS = 80 };

/* Prints words from column `column` on; further lines begin with `indent` spaces and `mark`.  Empty
 * lines of the text are kept. */
static void print_words(FILE *out, const char *text, int column, int indent, const char *mark) {
  bool begins = true;

  while (*text != '\0') {
    if (strncmp(text, "\n\n", 2) == 0) {
      fprintf(out, "\n\n");
      column = 0;
      begins = true;
    }
    text += strspn(text, " \n");
    int len = (int)strcspn(text, " \n");
    if (!begins && column + 1 + len > LINE_COLUMNS) {
      column = fprintf(out, "\n%*s%s", indent, "", mark) - 1;
      begins = true;
    }
    column += fprintf(out, "%s%.*s", begins ? "" : " ", len, text);
    begins = false;
    text += len;
  }
  putc('\n', out);
}

/* A command line for a shell: broken between arguments, never within quotes. */
static void print_command_line(FILE *out, const char *line) {
  int column = fprintf(out, "  kaizen-host");

  while (*line != '\0') {
    int len = 0;
    char quote = '\0';
    for (; line[len] != '\0' && (quote != '\0' || line[len] != ' '); len++)
      if (line[len] == '\'' || line[len] == '"')
        quote = quote == line[len] ? '\0' : quote == '\0' ? line[len] : quote;
    if (column + 1 + len > LINE_COLUMNS - 2)
      column = fprintf(out, " \\\n     ") - 3;
    column += fprintf(out, " %.*s", len, line);
    line += line[len] == ' ' ? len + 1 : len;
  }
  putc('\n', out);
}

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
    fprintf(out, "%*s  ", OPTION_COLUMNS - columns, "");
    print_words(out, spec->help, OPTION_COLUMNS + 2, OPTION_COLUMNS + 2, "");
  }
}

static void print_examples(FILE *out, const struct command_example *example) {
  print_heading(out, "Examples");
  for (; example->line; example++) {
    fprintf(out, "  %s# ", output_style(OUTPUT_DIM));
    print_words(out, example->what, 4, 2, "# ");
    fputs(output_style_end(), out);
    print_command_line(out, example->line);
  }
}

static const struct command_example program_examples[] = {
    {"record coach --success --time 120 --quality 0.9",
     "record one successful run of the agent \"coach\""},
    {"exec coach -- make test", "run a command; record its duration and outcome"},
    {"show coach", "figures, changes and recent runs"},
    {"status", "what is recorded, what is sent"},
    {NULL, NULL},
};

static void print_commands(FILE *out) {
  const struct command_heading *heading = command_list_headings;

  for (const struct command *const *command = command_list; *command; command++) {
    if (*command == heading->first)
      print_heading(out, heading++->text);
    print_words(out, (*command)->summary, fprintf(out, "  %-16s ", (*command)->name), 19, "");
  }
}

void help_print_program(FILE *out) {
  print_words(out, "kaizen-host - record how every AI-agent run went: success, quality, time, cost",
              0, 2, "");
  print_examples(out, program_examples);
  print_heading(out, "Usage");
  fputs("  kaizen-host [OPTIONS] COMMAND [ARGUMENTS] [OPTIONS]\n", out);
  print_commands(out);
  fputs("\n  kaizen-host COMMAND -h explains a command.\n  \"metrics\" before a command is "
        "accepted and ignored.\n",
        out);
  print_heading(out, "Options (before or after the command)");
  print_options(out, command_list_options);
  print_heading(out, "Exit status");
  fputs("  0 recorded, a duplicate, or done    1 not recorded, not found, inconsistent\n  2 wrong "
        "command line                3 plugin or configuration refused\n  4 execution rejected "
        "permanently    5 not acknowledged in time\n  6 events held back, dead letters, or an "
        "unusable agent or broker\n  7 unknown: retry with the same key\n",
        out);
}

void help_print_command(FILE *out, const struct command *command) {
  print_words(out, command->summary, fprintf(out, "kaizen-host %s - ", command->name), 2, "");
  print_examples(out, command->examples);
  print_heading(out, "Usage");
  print_words(out, command->synopsis, fprintf(out, "  kaizen-host %s ", command->name), 6, "");
  if (command->second_synopsis)
    print_words(out, command->second_synopsis, fprintf(out, "  kaizen-host %s ", command->name), 6,
                "");
  if (command->option_groups[0])
    print_heading(out, "Options");
  for (const struct option_spec *const *group = command->option_groups; *group; group++)
    print_options(out, *group);
  if (command->details) {
    putc('\n', out);
    print_words(out, command->details, 0, 0, "");
  }
  fputs("\nkaizen-host -h lists the options that every command takes.\n", out);
}

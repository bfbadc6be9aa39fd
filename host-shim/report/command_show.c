/* command_show.c - the summary and the recent runs of agents.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount_text.h"
#include "base/json_text.h"
#include "base/output.h"
#include "base/table.h"
#include "base/time_text.h"
#include "base/utf8_text.h"
#include "host/command.h"
#include "host/report_text.h"
#include "host/unreadable.h"
#include "report/agent_answer.h"
#include "report/agent_history.h"
#include "report/record_members.h"
#include "report/report_commands.h"

enum { NOTE_COLUMNS_MAX = 80 }; /* some hosts put a whole stack trace there */

static const struct option_spec own_options[] = {
    {"recent", 'n', OPTION_COUNT, "N",
     "number of recent runs; default: 10 for one agent, 0 for all"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"show coach", "one agent and its last 10 runs"},
    {"show", "all agents"},
    {"show coach --since 7d", "this week only"},
    {"show coach -n 50 -o json", "for a program"},
    {NULL, NULL},
};

struct show {
  struct session session;
  struct window window;
  char *window_text;
  uint64_t recent;
  size_t shown;
  struct unreadable unreadable;
};

static void print_answer(const char *agent, const struct agent_answer *answer, const char *window) {
  size_t count = answer->figures.share.count;

  printf("%s", output_style(OUTPUT_BOLD));
  utf8_text_print(stdout, agent);
  printf("%s  %zu run%s%s\n", output_style_end(), count, output_plural(count), window);
  agent_answer_print(answer);
}

static void add_row(struct table *table, const struct record_told *told) {
  char duration[TIME_TEXT_MAX] = "", quality[AMOUNT_TEXT_MAX] = "";
  size_t shown = utf8_text_bytes(told->reason, NOTE_COLUMNS_MAX);

  if (!isnan(told->duration_s))
    time_text_duration(told->duration_s, duration);
  if (!isnan(told->quality))
    amount_text_score(told->quality, quality);
  table_cell(table, "%s", told->ended);
  table_cell_styled(table, told->success ? OUTPUT_GREEN : OUTPUT_RED, "%s",
                    told->success ? "success" : "failure");
  table_cell(table, "%s", duration);
  table_cell(table, "%s", quality);
  table_cell(table, "%.*s%s", (int)shown, told->reason, told->reason[shown] != '\0' ? "..." : "");
}

enum { SPARK_MAX = 60 };

static void print_sparks(const double *successes, const double *qualities, size_t count) {
  fputs("  success  ", stdout);
  for (size_t i = 0; i < count; i++)
    fputs(table_spark(successes[i]), stdout);
  fputs("\n  quality  ", stdout);
  for (size_t i = 0; i < count; i++)
    fputs(table_spark(qualities[i] < 0 ? 0 : qualities[i]), stdout);
  fputs("\n", stdout);
}

static void print_recent(const struct run_lines *lines) {
  static const char *const headings[] = {"ended", "outcome", ">time", ">quality", "note", NULL};
  double successes[SPARK_MAX], qualities[SPARK_MAX];
  size_t spark_count = 0;
  struct table table;

  table_init(&table, headings);
  for (size_t i = 0; i < lines->count; i++) {
    const char *line = lines->list[i].text;
    struct record_told told;

    record_members_tell((struct span){line, strlen(line)}, &told);
    add_row(&table, &told);
    if (lines->count - i > SPARK_MAX)
      continue;
    successes[spark_count] = told.success;
    qualities[spark_count++] = told.quality;
  }
  if (spark_count > 1)
    print_sparks(successes, qualities, spark_count);
  if (table.cell_count > 0) {
    putchar('\n');
    table_print(&table);
  }
}

static void print_json(const char *agent, const struct kaizen_summary *figures,
                       const struct run_lines *lines, const struct agent_answer *answer,
                       const struct window *window) {
  struct json_object *name = json_text_new_string(agent);
  struct json_object *more = json_object_new_object();
  struct json_object *summary = report_text_summary(figures);
  const int plain = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;

  printf("{\"agent\":%s,\"summary\":%s,\"recent\":[", json_object_to_json_string_ext(name, plain),
         json_object_to_json_string_ext(summary, plain));
  for (size_t i = 0; i < lines->count; i++) {
    fputs(i > 0 ? "," : "", stdout);
    record_members_print(stdout, lines->list[i].text, strlen(lines->list[i].text));
  }
  agent_answer_add_json(answer, more);
  json_object_object_add(more, "window", window_json(window));
  const char *rest = json_object_to_json_string_ext(more, plain) + 1;
  fputs("],", stdout);
  utf8_text_print_json(stdout, rest, strlen(rest));
  json_object_put(more);
  json_object_put(name);
  json_object_put(summary);
}

static int show_agent(void *ctx, const char *agent, struct problem *problem) {
  struct show *show = ctx;
  struct run_lines lines = {.max = (size_t)show->recent};
  struct kaizen_summary summary;
  struct agent_answer answer;

  if (agent_history_summary(&show->session, agent, &summary, problem) < 0 ||
      agent_answer_read_lines(&show->session, agent, &show->window, &answer, &lines, problem) < 0)
    return -1;
  if (output_is_json()) {
    fputs(show->shown > 0 ? "," : "{\"agents\":[", stdout);
    print_json(agent, &summary, &lines, &answer, &show->window);
  } else {
    if (show->shown > 0)
      putchar('\n');
    print_answer(agent, &answer, show->window_text);
    print_recent(&lines);
  }
  show->shown++;
  run_lines_free(&lines);
  agent_answer_free(&answer);
  return 0;
}

/* Of all agents: one that cannot be read does not hide the others. */
static int show_each(void *ctx, const char *agent, struct problem *problem) {
  struct show *show = ctx;

  if (show_agent(ctx, agent, problem) < 0)
    unreadable_add(&show->unreadable, NULL, agent, problem);
  return 0;
}

static int show_opened(struct show *show, const char *agent, struct problem *problem) {
  struct json_object *end = json_object_new_object();
  int result = agent ? show_agent(show, agent, problem)
                     : agent_history_each(&show->session, show_each, show, problem);

  unreadable_add_json(show->unreadable.list, end);
  if (result == 0 && output_is_json())
    printf("%s],%s\n", show->shown > 0 ? "" : "{\"agents\":[",
           json_object_to_json_string_ext(end,
                                          JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) +
               1);
  else if (result == 0 && show->shown == 0 && !show->unreadable.list)
    output_note("nothing is recorded in %s", show->session.project_root);
  json_object_put(end);
  return result;
}

static int run(const struct host *host) {
  struct show show = {.shown = 0};
  struct problem problem;
  const char *agent = command_word(host, 0);

  if (window_read(host->arguments, &show.window, &problem) < 0)
    return output_problem(&problem);
  show.window_text = window_text(&show.window);
  if (!show.window_text) {
    problem_no_memory(&problem);
    return output_problem(&problem);
  }
  show.recent = (uint64_t)options_number(host->arguments, "recent", agent ? 10 : 0);
  int result = session_open(host, &show.session, &problem);
  if (result == 0) {
    result = show_opened(&show, agent, &problem);
    session_close(&show.session);
  }
  free(show.window_text);
  int status = unreadable_finish(&show.unreadable);
  return result < 0 ? output_problem(&problem) : status;
}

const struct command command_show = {
    .name = "show",
    .synopsis = "[AGENT] [OPTIONS]",
    .summary = "show an agent's figures, changes and recent runs",
    .details =
        "p50, p90 and p95 are the times within which 50, 90 and 95 of 100 runs ended; p50 is "
        "the median.  A change is shown only if it is significant.  The bars are the recent "
        "runs, the newest on the right.  Times of day are UTC.",
    .examples = examples,
    .option_groups = {own_options, window_options},
    .takes_agent = true,
    .words_max = 1,
    .only_reads = true,
    .run = run,
};

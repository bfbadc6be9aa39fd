/* command_top.c - the project live, only from its logs: agents, open runs, what changed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/amount_text.h"
#include "base/json_text.h"
#include "base/output.h"
#include "base/signals.h"
#include "base/table.h"
#include "base/time_text.h"
#include "base/utf8_text.h"
#include "host/command.h"
#include "host/report_text.h"
#include "host/unreadable.h"
#include "report/agent_answer.h"
#include "report/agent_history.h"
#include "report/report_commands.h"

static const double INTERVAL_DEFAULT_S = 2;
enum { SPARK_RUNS = 20, ROWS_BESIDE_AGENTS = 6 };

static const struct option_spec own_options[] = {
    {"interval", 0, OPTION_PERIOD, "S", "refresh every S seconds; default: 2"},
    {"count", 'n', OPTION_COUNT_1, "N",
     "stop after N refreshes; default: 1, on a terminal no limit"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"top", "run until q or Ctrl-C"},
    {"top -n 3 --interval 10 >> log", "three snapshots as plain lines"},
    {NULL, NULL},
};

struct top {
  struct session session;
  bool on_terminal;
  struct termios before; /* of the terminal */
  struct json_object *open_runs;
  struct json_object *document; /* for -o json; NULL: a table */
  struct table agents;
  size_t agent_count, shown_max;
  struct unreadable unreadable; /* at this look */
  bool was_incomplete;          /* at any */
};

/* ---- the terminal ---------------------------------------------------------------------------- */

static void note_resize(int number) {
  (void)number; /* poll() ends by it */
}

/* Keys come one by one and are not shown; Ctrl-C stays a signal.  Lines are cut at the edge. */
static void take_terminal(struct top *top) {
  struct sigaction resize = {.sa_handler = note_resize};
  struct termios mode;

  top->on_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !output_is_json() &&
                     tcgetattr(STDIN_FILENO, &top->before) == 0;
  if (!top->on_terminal)
    return;
  mode = top->before;
  mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
  tcsetattr(STDIN_FILENO, TCSANOW, &mode);
  sigaction(SIGWINCH, &resize, NULL);
  fputs("\x1b[?1049h\x1b[?7l\x1b[?25l", stdout);
}

static void give_terminal_back(struct top *top) {
  if (!top->on_terminal)
    return;
  fputs("\x1b[?25h\x1b[?7h\x1b[?1049l", stdout);
  fflush(stdout);
  tcsetattr(STDIN_FILENO, TCSANOW, &top->before);
}

static size_t rows_for_agents(const struct top *top) {
  struct winsize size;

  if (!top->on_terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0)
    return SIZE_MAX;
  size_t others = ROWS_BESIDE_AGENTS + json_object_array_length(top->open_runs);
  return size.ws_row > others ? size.ws_row - others : 1;
}

/* False when the user quits. */
static bool wait_for_next(const struct top *top, double interval_s) {
  struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
  char key = '\0';
  int ready = poll(&keys, top->on_terminal ? 1 : 0, (int)(interval_s * 1000));

  if (ready < 0 && errno != EINTR)
    return false;
  if (ready > 0 && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q'))
    return false;
  return signals_pending() == 0;
}

/* ---- one look -------------------------------------------------------------------------------- */

static int32_t take_open_run(void *ctx, const char *data, size_t len) {
  size_t at = 0;
  const char *description = NULL;
  struct json_object *run = json_text_parse(data, len, &at, &description);

  if (run)
    json_object_array_add(ctx, run);
  return 0;
}

static int read_open_runs(struct top *top, struct problem *problem) {
  const struct kaizen_span_1 *span = session_extension(&top->session, KAIZEN_SPAN_1, problem);

  if (!span)
    return -1;
  json_object_put(top->open_runs);
  top->open_runs = json_object_new_array();
  int32_t code = span->list(top->session.instance, NULL, 0, take_open_run, top->open_runs);
  return code < 0 ? session_failed(&top->session, "open runs", code, problem) : 0;
}

static size_t count_open(const struct top *top, const char *agent) {
  size_t count = 0;

  for (size_t i = 0; i < json_object_array_length(top->open_runs); i++)
    count += strcmp(report_text_string(json_object_array_get_idx(top->open_runs, i), "agent", ""),
                    agent) == 0;
  return count;
}

static void add_row(struct top *top, const char *agent, const struct agent_answer *answer) {
  struct run_slice last = runs_last(runs_all(&answer->runs), SPARK_RUNS);
  char sparks[SPARK_RUNS * 4 + 1] = "", change[FIGURES_CHANGE_MAX], age[TIME_TEXT_MAX] = "";
  enum figures_aspect foremost = figures_change_foremost(&answer->changes);
  char last_20[AMOUNT_TEXT_MAX] = "";
  bool failed_last = last.count > 0 && !last.list[last.count - 1].success;

  for (size_t i = 0; i < last.count; i++)
    strcat(sparks, table_spark(last.list[i].success));
  figures_change_text(&answer->changes, foremost, change);
  if (last.count > 0)
    amount_text_percent(share_rate(answer->last_20), 1, last_20);
  if (last.count > 0 && last.list[last.count - 1].ended_s >= 0) {
    double seconds = (double)(time_text_now_ns() / 1000000000 - last.list[last.count - 1].ended_s);
    time_text_duration(seconds > 0 ? seconds : 0, age);
  }
  table_cell(&top->agents, "%s", agent);
  table_cell(&top->agents, "%zu", answer->figures.share.count);
  table_cell(&top->agents, "%s", last_20);
  table_cell_styled(&top->agents, failed_last ? OUTPUT_RED : OUTPUT_PLAIN, "%s", sparks);
  table_cell(&top->agents, "%s", age);
  table_cell(&top->agents, "%zu", count_open(top, agent));
  table_cell_styled(&top->agents, figures_change_style(&answer->changes, foremost), "%s", change);
}

static void add_unknown_row(struct top *top, const char *agent) {
  table_cell(&top->agents, "%s", agent);
  for (int i = 0; i < 2; i++)
    table_cell(&top->agents, "?");
  for (int i = 0; i < 2; i++)
    table_cell(&top->agents, "%s", "");
  table_cell(&top->agents, "%zu", count_open(top, agent));
  table_cell_styled(&top->agents, OUTPUT_RED, "cannot be read");
}

/* One that cannot be read does not hide the others. */
static int look_at_agent(void *ctx, const char *agent, struct problem *problem) {
  struct top *top = ctx;
  struct window all = {0};
  struct agent_answer answer;

  if (top->agent_count++ >= top->shown_max)
    return 0;
  if (agent_answer_read(&top->session, agent, &all, &answer, problem) < 0) {
    unreadable_add(&top->unreadable, NULL, agent, problem);
    if (!top->document)
      add_unknown_row(top, agent);
    return 0;
  }
  if (top->document) {
    struct json_object *entry = json_object_new_object();

    json_object_object_add(entry, "agent", json_text_new_string(agent));
    agent_answer_add_json(&answer, entry);
    json_object_array_add(top->document, entry);
  } else {
    add_row(top, agent, &answer);
  }
  agent_answer_free(&answer);
  return 0;
}

static void print_open_run(struct json_object *run) {
  char elapsed[TIME_TEXT_MAX] = "?";
  double elapsed_s = report_text_number(run, "elapsed_s", -1);

  if (elapsed_s >= 0)
    time_text_duration(elapsed_s, elapsed);
  fputs("  ", stdout);
  utf8_text_print(stdout, report_text_string(run, "agent", "?"));
  printf("  %s for %s, process %.0f  ",
         json_object_get_boolean(report_text_member(run, "lost")) ? "lost" : "running", elapsed,
         report_text_number(run, "pid", 0));
  utf8_text_print(stdout, report_text_string(run, "session_id", ""));
  putchar('\n');
}

static int look_for_program(struct top *top, struct problem *problem) {
  struct json_object *document = json_object_new_object();

  top->document = json_object_new_array();
  int result = agent_history_each(&top->session, look_at_agent, top, problem);
  json_object_object_add(document, "agents", top->document);
  json_object_object_add(document, "open_runs", json_object_get(top->open_runs));
  unreadable_add_json(top->unreadable.list, document);
  output_json(document);
  fflush(stdout);
  return result;
}

static int look(struct top *top, struct problem *problem) {
  static const char *const headings[] = {"agent", ">runs", ">last 20", "outcomes",
                                         ">ago",  ">open", "change",   NULL};
  char now[TIME_TEXT_MAX];

  if (read_open_runs(top, problem) < 0)
    return -1;
  top->was_incomplete = unreadable_finish(&top->unreadable) != EXIT_CODE_OK || top->was_incomplete;
  top->agent_count = 0;
  top->shown_max = rows_for_agents(top);
  if (output_is_json())
    return look_for_program(top, problem);
  table_init(&top->agents, headings);
  int result = agent_history_each(&top->session, look_at_agent, top, problem);
  if (top->on_terminal)
    fputs("\x1b[H\x1b[2J", stdout);
  time_text_format(time_text_now_ns(), now);
  size_t open = json_object_array_length(top->open_runs);
  printf("%s", output_style(OUTPUT_BOLD));
  utf8_text_print(stdout, top->session.project_root);
  printf("%s  %s  %zu agent%s, %zu open run%s\n\n", output_style_end(), now, top->agent_count,
         output_plural(top->agent_count), open, output_plural(open));
  table_print(&top->agents);
  if (top->agent_count > top->shown_max)
    printf("and %zu more\n", top->agent_count - top->shown_max);
  if (open > 0)
    putchar('\n');
  for (size_t i = 0; i < open; i++)
    print_open_run(json_object_array_get_idx(top->open_runs, i));
  fflush(stdout);
  return result;
}

static int look_again_and_again(const struct host *host, struct top *top, struct problem *problem) {
  double interval_s = options_number(host->arguments, "interval", INTERVAL_DEFAULT_S);
  bool is_endless = top->on_terminal && !options_given(host->arguments, "count");
  uint64_t count = (uint64_t)options_number(host->arguments, "count", 1);

  for (uint64_t looks = 1; look(top, problem) >= 0; looks++)
    if ((!is_endless && looks == count) || !wait_for_next(top, interval_s) || ferror(stdout))
      return 0;
  return -1;
}

static int run(const struct host *host) {
  struct top top = {.on_terminal = false};
  struct problem problem;

  if (session_open(host, &top.session, &problem) < 0)
    return output_problem(&problem);
  signals_note();
  take_terminal(&top);
  int result = look_again_and_again(host, &top, &problem);
  give_terminal_back(&top);
  json_object_put(top.open_runs);
  session_close(&top.session);
  int status = unreadable_finish(&top.unreadable);
  if (top.was_incomplete)
    status = EXIT_CODE_FAILED;
  return result < 0 ? output_problem(&problem) : status;
}

const struct command command_top = {
    .name = "top",
    .synopsis = "[OPTIONS]",
    .summary = "watch the project live: agents, open runs, changes",
    .details = "On a terminal the view refreshes until q or Ctrl-C; otherwise it is printed once, "
               "or --count times.  It reads only the logs, not the broker.",
    .examples = examples,
    .option_groups = {own_options},
    .only_reads = true,
    .run = run,
};

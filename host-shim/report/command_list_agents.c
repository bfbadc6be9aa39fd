/* command_list_agents.c - one line for each agent of the project ("list").
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/nearest.h"
#include "base/output.h"
#include "base/table.h"
#include "base/time_text.h"
#include "host/command.h"
#include "host/report_text.h"
#include "host/unreadable.h"
#include "report/agent_answer.h"
#include "report/agent_history.h"
#include "report/report_commands.h"

static const struct option_spec own_options[] = {
    {"columns", 0, OPTION_TEXT, "LIST", "which columns, separated by commas; 'all' for every one"},
    {"sort", 0, OPTION_TEXT, "COLUMN", "order by a column; -COLUMN the other way round"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"list", "every agent of this project"},
    {"list --since 7d --sort success", "this week, the worst on top"},
    {"list --columns agent,success,cost,model,reason --sort -cost",
     "what costs most, and why it fails"},
    {"list -o json", "for a program"},
    {NULL, NULL},
};

struct row {
  char *agent;
  struct agent_answer answer;
  struct kaizen_summary summary; /* of the whole log, as summary.json has it */
};

struct list {
  struct session session;
  struct window window;
  struct row *rows;
  size_t count, room;
  struct unreadable unreadable;
};

/* ---- columns --------------------------------------------------------------------------------- */

enum column_kind {
  COLUMN_TEXT,
  COLUMN_COUNT,
  COLUMN_PERCENT,
  COLUMN_SCORE,
  COLUMN_SECONDS,
  COLUMN_USD
};

struct column {
  const char *name, *heading;
  enum column_kind kind;
  double (*number)(const struct row *row);                           /* NAN: nothing to show */
  void (*text)(const struct row *row, char out[FIGURES_CHANGE_MAX]); /* of COLUMN_TEXT */
};

static double spread_value(const struct figures_spread *spread, double value) {
  return spread->count > 0 ? value : NAN;
}
static double share_value(struct share share) {
  return share.count > 0 ? share_rate(share) : NAN;
}
static double count_of_runs(const struct row *row) {
  return (double)row->answer.figures.share.count;
}
static double success_of(const struct row *row) {
  return share_value(row->answer.figures.share);
}
static double last_20_of(const struct row *row) {
  return share_value(row->answer.last_20);
}
static double week_of(const struct row *row) {
  return share_value(row->answer.last_7_days);
}
static double quality_of(const struct row *row) {
  return spread_value(&row->answer.figures.quality, row->answer.figures.quality.mean);
}
static double p50_of(const struct row *row) {
  return spread_value(&row->answer.figures.duration_s, row->answer.figures.duration_s.p50);
}
static double p90_of(const struct row *row) {
  return spread_value(&row->answer.figures.duration_s, row->answer.figures.duration_s.p90);
}
static double p95_of(const struct row *row) {
  return spread_value(&row->answer.figures.duration_s, row->answer.figures.duration_s.p95);
}
static double tokens_of(const struct row *row) {
  return spread_value(&row->answer.figures.tokens, row->answer.figures.tokens.sum);
}
static double cost_of(const struct row *row) {
  return spread_value(&row->answer.figures.cost_usd, row->answer.figures.cost_usd.sum);
}
static double cost_a_run_of(const struct row *row) {
  return spread_value(&row->answer.figures.cost_usd, row->answer.figures.cost_usd.mean);
}
static double primary_of(const struct row *row) {
  return spread_value(&row->answer.figures.primary, row->answer.figures.primary.mean);
}
static double per_day_of(const struct row *row) {
  return row->answer.figures.share.count > 0 ? row->answer.figures.runs_per_day : NAN;
}

static void name_agent(const struct row *row, char out[FIGURES_CHANGE_MAX]) {
  snprintf(out, FIGURES_CHANGE_MAX, "%s", row->agent);
}

static void name_most_frequent(const struct row *row, const struct figures_tallies *tallies,
                               char out[FIGURES_CHANGE_MAX]) {
  const char *name =
      tallies->count > 0 ? names_text(&row->answer.runs.names, tallies->list[0].name) : "";

  out[0] = '\0';
  if (tallies->count > 0)
    snprintf(out, FIGURES_CHANGE_MAX, "%.80s%s", name[0] != '\0' ? name : "no reason given",
             tallies->count > 1 ? ", ..." : "");
}

static void name_model(const struct row *row, char out[FIGURES_CHANGE_MAX]) {
  name_most_frequent(row, &row->answer.figures.models, out);
}

static void name_reason(const struct row *row, char out[FIGURES_CHANGE_MAX]) {
  name_most_frequent(row, &row->answer.figures.reasons, out);
}

static void tell_last(const struct row *row, char out[FIGURES_CHANGE_MAX]) {
  out[0] = '\0';
  if (row->answer.figures.last_s >= 0)
    time_text_format(window_ns(row->answer.figures.last_s), out);
}

static void tell_change(const struct row *row, char out[FIGURES_CHANGE_MAX]) {
  if (row->answer.changes.success.verdict == CHANGE_NONE)
    out[0] = '\0';
  else
    figures_change_text(&row->answer.changes, out);
}

static const struct column columns[] = {
    {"agent", "agent", COLUMN_TEXT, NULL, name_agent},
    {"executions", ">executions", COLUMN_COUNT, count_of_runs, NULL},
    {"success", ">success", COLUMN_PERCENT, success_of, NULL},
    {"last20", ">last 20", COLUMN_PERCENT, last_20_of, NULL},
    {"week", ">7 days", COLUMN_PERCENT, week_of, NULL},
    {"quality", ">quality", COLUMN_SCORE, quality_of, NULL},
    {"p50", ">p50", COLUMN_SECONDS, p50_of, NULL},
    {"p90", ">p90", COLUMN_SECONDS, p90_of, NULL},
    {"p95", ">p95", COLUMN_SECONDS, p95_of, NULL},
    {"tokens", ">tokens", COLUMN_COUNT, tokens_of, NULL},
    {"cost", ">cost", COLUMN_USD, cost_of, NULL},
    {"run-cost", ">cost a run", COLUMN_USD, cost_a_run_of, NULL},
    {"primary", ">primary", COLUMN_SCORE, primary_of, NULL},
    {"per-day", ">runs a day", COLUMN_SCORE, per_day_of, NULL},
    {"model", "model", COLUMN_TEXT, NULL, name_model},
    {"reason", "failures", COLUMN_TEXT, NULL, name_reason},
    {"last", "last execution", COLUMN_TEXT, NULL, tell_last},
    {"change", "change", COLUMN_TEXT, NULL, tell_change},
};
enum { COLUMN_COUNT_MAX = sizeof columns / sizeof *columns };
static const char default_columns[] = "agent,executions,success,last20,week,quality,last,change";
static const char every_column[] =
    "agent,executions,success,last20,week,quality,p50,p90,p95,tokens,"
    "cost,run-cost,primary,per-day,model,reason,last,change";

static const struct column *find_column(const char *option, const char *name, size_t len,
                                        struct problem *problem) {
  char written[32] = "";

  snprintf(written, sizeof written, "%.*s", (int)(len < 31 ? len : 31), name);
  struct nearest nearest = nearest_to(written);
  for (size_t i = 0; i < COLUMN_COUNT_MAX; i++) {
    if (strlen(columns[i].name) == len && memcmp(columns[i].name, name, len) == 0)
      return &columns[i];
    nearest_offer(&nearest, columns[i].name);
  }
  problem_set(problem, EXIT_CODE_USAGE, "--%s: there is no column '%.*s'%s%s%s; they are %s",
              option, (int)len, name, nearest.best ? ", did you mean '" : "",
              nearest.best ? nearest.best : "", nearest.best ? "'?" : "", every_column);
  return NULL;
}

static int choose_columns(const char *given, const struct column *chosen[COLUMN_COUNT_MAX],
                          size_t *count, struct problem *problem) {
  const char *name = strcmp(given, "all") == 0 ? every_column : given;

  for (*count = 0;; name += strcspn(name, ",") + 1) {
    const struct column *column = find_column("columns", name, strcspn(name, ","), problem);

    if (!column)
      return -1;
    if (*count == COLUMN_COUNT_MAX)
      return problem_set(problem, EXIT_CODE_USAGE, "--columns: more than there are");
    chosen[(*count)++] = column;
    if (name[strcspn(name, ",")] == '\0')
      return 0;
  }
}

/* ---- order ----------------------------------------------------------------------------------- */

struct order {
  const struct column *column;
  int sign;
};

static int compare_rows(const void *one, const void *other, void *ctx) {
  const struct row *a = one, *b = other;
  const struct order *order = ctx;
  char a_text[FIGURES_CHANGE_MAX], b_text[FIGURES_CHANGE_MAX];
  int result;

  if (order->column->kind == COLUMN_TEXT) {
    order->column->text(a, a_text);
    order->column->text(b, b_text);
    if ((a_text[0] == '\0') != (b_text[0] == '\0'))
      return a_text[0] == '\0' ? 1 : -1; /* what has none comes last either way */
    result = strcmp(a_text, b_text);
  } else {
    double a_number = order->column->number(a), b_number = order->column->number(b);

    if (isnan(a_number) || isnan(b_number))
      return isnan(a_number) - isnan(b_number);
    result = (a_number > b_number) - (a_number < b_number);
  }
  return result != 0 ? result * order->sign : strcmp(a->agent, b->agent);
}

static int sort_rows(struct list *list, const char *by, struct problem *problem) {
  struct order order = {.sign = by[0] == '-' ? -1 : 1};

  by += by[0] == '-';
  order.column = find_column("sort", by, strlen(by), problem);
  if (!order.column)
    return -1;
  if (list->count > 1)
    qsort_r(list->rows, list->count, sizeof *list->rows, compare_rows, &order);
  return 0;
}

/* ---- what is shown --------------------------------------------------------------------------- */

static void print_cell(struct table *table, const struct column *column, const struct row *row) {
  double number = column->number ? column->number(row) : NAN;
  char text[FIGURES_CHANGE_MAX] = "";
  bool worse = row->answer.changes.success.verdict == CHANGE_WORSE;

  if (column->kind == COLUMN_TEXT)
    column->text(row, text);
  else if (isnan(number))
    text[0] = '\0';
  else if (column->kind == COLUMN_PERCENT)
    snprintf(text, sizeof text, "%.1f %%", number * 100);
  else if (column->kind == COLUMN_SECONDS)
    time_text_duration(number, text);
  else
    snprintf(text, sizeof text,
             column->kind == COLUMN_USD     ? "$%.2f"
             : column->kind == COLUMN_SCORE ? "%.2f"
                                            : "%.0f",
             number);
  table_cell_styled(table,
                    column->kind == COLUMN_PERCENT && number < 0.8 ? OUTPUT_YELLOW
                    : column->text == tell_change && worse         ? OUTPUT_RED
                                                                   : OUTPUT_PLAIN,
                    "%s", text);
}

static void print_text(const struct list *list, const struct column *const *chosen, size_t count) {
  const char *headings[COLUMN_COUNT_MAX + 1] = {NULL};
  struct table table;

  for (size_t i = 0; i < count; i++)
    headings[i] = chosen[i]->heading;
  table_init(&table, headings);
  for (size_t row = 0; row < list->count; row++)
    for (size_t i = 0; i < count; i++)
      print_cell(&table, chosen[i], &list->rows[row]);
  table_print(&table);
}

static void print_json(struct list *list) {
  struct json_object *document = json_object_new_object();
  struct json_object *agents = json_object_new_array();

  for (size_t i = 0; i < list->count; i++) {
    struct json_object *entry = json_object_new_object();
    struct json_object *summary = report_text_summary(&list->rows[i].summary);

    json_object_object_add(entry, "agent", json_text_new_string(list->rows[i].agent));
    json_object_object_foreach(summary, name, value) {
      json_object_object_add(entry, name, json_object_get(value));
    }
    json_object_put(summary);
    agent_answer_add_json(&list->rows[i].answer, entry);
    json_object_array_add(agents, entry);
  }
  json_object_object_add(document, "agents", agents);
  json_object_object_add(document, "window", window_json(&list->window));
  unreadable_add_json(list->unreadable.list, document);
  output_json(document);
}

/* ---- the command ----------------------------------------------------------------------------- */

static int add_agent(void *ctx, const char *agent, struct problem *problem) {
  struct list *list = ctx;
  const struct kaizen_inspect_1 *inspect =
      session_extension(&list->session, KAIZEN_INSPECT_1, problem);

  if (!inspect)
    return -1;
  if (list->count == list->room) {
    size_t room = list->room == 0 ? 16 : list->room * 2;
    struct row *rows = reallocarray(list->rows, room, sizeof *rows);

    if (!rows)
      return problem_no_memory(problem);
    list->rows = rows;
    list->room = room;
  }
  struct row *row = &list->rows[list->count];
  *row = (struct row){.agent = strdup(agent), .summary.struct_size = sizeof row->summary};
  if (!row->agent)
    return problem_no_memory(problem);
  if (agent_answer_read(&list->session, agent, &list->window, &row->answer, problem) < 0) {
    free(row->agent);
    unreadable_add(&list->unreadable, agent, problem);
    return 0;
  }
  agent_answer_forget_runs(&row->answer);
  list->count++;
  int32_t code = inspect->summary(list->session.instance, agent, KAIZEN_NTS, &row->summary);
  return code < 0 ? session_failed(&list->session, agent, code, problem) : 0;
}

static int list_agents(struct list *list, const struct host *host, struct problem *problem) {
  const struct column *chosen[COLUMN_COUNT_MAX];
  size_t count = 0;

  if (choose_columns(options_text(host->arguments, "columns", default_columns), chosen, &count,
                     problem) < 0 ||
      sort_rows(list, options_text(host->arguments, "sort", "agent"), problem) < 0 ||
      agent_history_each(&list->session, add_agent, list, problem) < 0 ||
      sort_rows(list, options_text(host->arguments, "sort", "agent"), problem) < 0)
    return -1;
  if (output_is_json())
    print_json(list);
  else if (list->count > 0)
    print_text(list, chosen, count);
  else if (!list->unreadable.list)
    output_note("nothing is recorded in %s", list->session.project_root);
  return 0;
}

static int run(const struct host *host) {
  struct list list = {.count = 0};
  struct problem problem;

  if (window_read(host->arguments, &list.window, &problem) < 0 ||
      session_open(host, &list.session, &problem) < 0)
    return output_problem(&problem);
  int result = list_agents(&list, host, &problem);
  for (size_t i = 0; i < list.count; i++) {
    free(list.rows[i].agent);
    agent_answer_free(&list.rows[i].answer);
  }
  free(list.rows);
  session_close(&list.session);
  int status = unreadable_finish(&list.unreadable);
  return result < 0 ? output_problem(&problem) : status;
}

const struct command command_list_agents = {
    .name = "list",
    .synopsis = "[OPTIONS]",
    .summary = "the project's agents, one line each",
    .details = "The columns are agent, executions, success, last20, week, quality, p50, p90, p95, "
               "tokens,\n"
               "cost, run-cost, primary, per-day, model, reason, last and change.  A change is "
               "named only\n"
               "when the numbers carry it; an empty one means that none does.",
    .examples = examples,
    .option_groups = {window_options, own_options},
    .only_reads = true,
    .run = run,
};

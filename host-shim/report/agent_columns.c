/* agent_columns.c - what can be shown about an agent, one column each.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/agent_columns.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/amount_text.h"
#include "base/nearest.h"
#include "base/time_text.h"
#include "base/utf8_text.h"

enum { NAME_CHARACTERS = 60 };

/* ---- what they show -------------------------------------------------------------------------- */

static double spread_value(const struct figures_spread *spread, double value) {
  return spread->count > 0 ? value : NAN;
}
static double share_value(struct share share) {
  return share.count > 0 ? share_rate(share) : NAN;
}
static double count_of_runs(const struct agent_row *row) {
  return (double)row->answer.figures.share.count;
}
static double success_of(const struct agent_row *row) {
  return share_value(row->answer.figures.share);
}
static double last_20_of(const struct agent_row *row) {
  return share_value(row->answer.last_20);
}
static double week_of(const struct agent_row *row) {
  return share_value(row->answer.last_7_days);
}
static double quality_of(const struct agent_row *row) {
  return spread_value(&row->answer.figures.quality, row->answer.figures.quality.mean);
}
static double p50_of(const struct agent_row *row) {
  return spread_value(&row->answer.figures.duration_s, row->answer.figures.duration_s.p50);
}
static double p90_of(const struct agent_row *row) {
  return spread_value(&row->answer.figures.duration_s, row->answer.figures.duration_s.p90);
}
static double p95_of(const struct agent_row *row) {
  return spread_value(&row->answer.figures.duration_s, row->answer.figures.duration_s.p95);
}
static double tokens_of(const struct agent_row *row) {
  return spread_value(&row->answer.figures.tokens, row->answer.figures.tokens.sum);
}
static double cost_of(const struct agent_row *row) {
  return spread_value(&row->answer.figures.cost_usd, row->answer.figures.cost_usd.sum);
}
static double cost_a_run_of(const struct agent_row *row) {
  return spread_value(&row->answer.figures.cost_usd, row->answer.figures.cost_usd.mean);
}
static double primary_of(const struct agent_row *row) {
  return spread_value(&row->answer.figures.primary, row->answer.figures.primary.mean);
}
static double per_day_of(const struct agent_row *row) {
  return row->answer.figures.share.count > 0 ? row->answer.figures.runs_per_day : NAN;
}

static void name_agent(const struct agent_row *row, char out[AGENT_COLUMNS_TEXT_MAX]) {
  snprintf(out, AGENT_COLUMNS_TEXT_MAX, "%s", row->agent);
}

static void name_project(const struct agent_row *row, char out[AGENT_COLUMNS_TEXT_MAX]) {
  snprintf(out, AGENT_COLUMNS_TEXT_MAX, "%s", row->project ? row->project : "");
}

static void name_root(const struct agent_row *row, char out[AGENT_COLUMNS_TEXT_MAX]) {
  snprintf(out, AGENT_COLUMNS_TEXT_MAX, "%s", row->root ? row->root : "");
}

static void name_most_frequent(const struct agent_row *row, const struct figures_tallies *tallies,
                               char out[AGENT_COLUMNS_TEXT_MAX]) {
  const char *name =
      tallies->count > 0 ? names_text(&row->answer.runs.names, tallies->list[0].name) : "";

  out[0] = '\0';
  if (name[0] == '\0')
    name = "no reason given";
  if (tallies->count > 0)
    snprintf(out, AGENT_COLUMNS_TEXT_MAX, "%.*s%s", (int)utf8_text_bytes(name, NAME_CHARACTERS),
             name, tallies->count > 1 ? ", ..." : "");
}

static void name_model(const struct agent_row *row, char out[AGENT_COLUMNS_TEXT_MAX]) {
  name_most_frequent(row, &row->answer.figures.models, out);
}

static void name_reason(const struct agent_row *row, char out[AGENT_COLUMNS_TEXT_MAX]) {
  name_most_frequent(row, &row->answer.figures.reasons, out);
}

static void tell_last(const struct agent_row *row, char out[AGENT_COLUMNS_TEXT_MAX]) {
  out[0] = '\0';
  if (row->answer.figures.last_s >= 0)
    time_text_format_s(row->answer.figures.last_s, out);
}

/* Nothing where it is known that nothing changed. */
static bool shows_change(const struct agent_row *row) {
  const struct figures_changes *changes = &row->answer.changes;

  return figures_change_verdict(changes, figures_change_foremost(changes)) != CHANGE_NONE;
}
static double score_of(const struct agent_row *row) {
  return shows_change(row) ? (double)figures_change_score(&row->answer.changes) : NAN;
}
static void tell_change(const struct agent_row *row, char out[AGENT_COLUMNS_TEXT_MAX]) {
  const struct figures_changes *changes = &row->answer.changes;

  out[0] = '\0';
  if (shows_change(row))
    figures_change_text(changes, figures_change_foremost(changes), out);
}

static const struct agent_column known[] = {
    {"project", "project", AGENT_COLUMN_TEXT, NULL, name_project},
    {"root", "root", AGENT_COLUMN_TEXT, NULL, name_root},
    {"agent", "agent", AGENT_COLUMN_TEXT, NULL, name_agent},
    {"runs", ">runs", AGENT_COLUMN_COUNT, count_of_runs, NULL},
    {"success", ">success", AGENT_COLUMN_PERCENT, success_of, NULL},
    {"last20", ">last 20", AGENT_COLUMN_PERCENT, last_20_of, NULL},
    {"week", ">7 days", AGENT_COLUMN_PERCENT, week_of, NULL},
    {"quality", ">quality", AGENT_COLUMN_SCORE, quality_of, NULL},
    {"p50", ">p50", AGENT_COLUMN_SECONDS, p50_of, NULL},
    {"p90", ">p90", AGENT_COLUMN_SECONDS, p90_of, NULL},
    {"p95", ">p95", AGENT_COLUMN_SECONDS, p95_of, NULL},
    {"tokens", ">tokens", AGENT_COLUMN_COUNT, tokens_of, NULL},
    {"cost", ">cost", AGENT_COLUMN_USD, cost_of, NULL},
    {"run-cost", ">cost per run", AGENT_COLUMN_USD, cost_a_run_of, NULL},
    {"primary", ">primary", AGENT_COLUMN_SCORE, primary_of, NULL},
    {"per-day", ">runs per day", AGENT_COLUMN_SCORE, per_day_of, NULL},
    {"model", "model", AGENT_COLUMN_TEXT, NULL, name_model},
    {"reason", "failures", AGENT_COLUMN_TEXT, NULL, name_reason},
    {"last", "last run", AGENT_COLUMN_TEXT, NULL, tell_last},
    {"change", "change", AGENT_COLUMN_TEXT, score_of, tell_change},
};
enum { KNOWN = sizeof known / sizeof *known };
static const char every_column[] =
    "project,root,agent,runs,success,last20,week,quality,p50,p90,p95,tokens,"
    "cost,run-cost,primary,per-day,model,reason,last,change";

/* ---- chosen by name -------------------------------------------------------------------------- */

static const struct agent_column *find_column(const char *option, const char *name, size_t len,
                                              struct problem *problem) {
  char written[32] = "";

  if (len == strlen("executions") && memcmp(name, "executions", len) == 0) { /* as in the files */
    name = "runs";
    len = strlen(name);
  }
  snprintf(written, sizeof written, "%.*s", (int)(len < 31 ? len : 31), name);
  struct nearest nearest = nearest_to(written);
  for (size_t i = 0; i < KNOWN; i++) {
    if (strlen(known[i].name) == len && memcmp(known[i].name, name, len) == 0)
      return &known[i];
    nearest_offer(&nearest, known[i].name);
  }
  problem_set(problem, EXIT_CODE_USAGE, "--%s: no column '%.*s'%s%s%s; columns are %s", option,
              (int)len, name, nearest.best ? ", did you mean '" : "",
              nearest.best ? nearest.best : "", nearest.best ? "'?" : "", every_column);
  return NULL;
}

int agent_columns_choose(const char *names, const char *option, struct agent_columns *columns,
                         struct problem *problem) {
  const char *name = strcmp(names, "all") == 0 ? every_column : names;

  for (columns->count = 0;; name += strcspn(name, ",") + 1) {
    const struct agent_column *column = find_column(option, name, strcspn(name, ","), problem);

    if (!column)
      return -1;
    if (columns->count == AGENT_COLUMNS_MAX)
      return problem_set(problem, EXIT_CODE_USAGE, "--%s: more than there are", option);
    columns->list[columns->count++] = column;
    if (name[strcspn(name, ",")] == '\0')
      return 0;
  }
}

/* ---- shown and ordered ----------------------------------------------------------------------- */

void agent_columns_text(const struct agent_column *column, const struct agent_row *row,
                        char out[AGENT_COLUMNS_TEXT_MAX]) {
  double number = column->number ? column->number(row) : NAN;

  out[0] = '\0';
  if (column->text)
    column->text(row, out);
  else if (isnan(number))
    return;
  else if (column->kind == AGENT_COLUMN_PERCENT)
    amount_text_percent(number, 1, out);
  else if (column->kind == AGENT_COLUMN_SECONDS)
    time_text_duration(number, out);
  else if (column->kind == AGENT_COLUMN_USD)
    amount_text_usd(number, 2, out);
  else if (column->kind == AGENT_COLUMN_SCORE)
    amount_text_score(number, out);
  else
    amount_text_count(number, out);
}

static int compare_texts(const struct agent_column *column, int sign, const struct agent_row *a,
                         const struct agent_row *b) {
  char a_text[AGENT_COLUMNS_TEXT_MAX], b_text[AGENT_COLUMNS_TEXT_MAX];

  column->text(a, a_text);
  column->text(b, b_text);
  if ((a_text[0] == '\0') != (b_text[0] == '\0'))
    return a_text[0] == '\0' ? 1 : -1;
  int result = strcmp(a_text, b_text);
  return sign < 0 ? -result : result;
}

int agent_columns_compare(const struct agent_column *column, int sign, const struct agent_row *a,
                          const struct agent_row *b) {
  int result;

  if (!column->number) {
    result = compare_texts(column, sign, a, b);
  } else {
    double a_number = column->number(a), b_number = column->number(b);

    if (isnan(a_number) || isnan(b_number))
      result = isnan(a_number) - isnan(b_number);
    else
      result = ((a_number > b_number) - (a_number < b_number)) * sign;
  }
  if (result == 0)
    result = strcmp(a->agent, b->agent);
  return result != 0 || !a->root ? result : strcmp(a->root, b->root);
}

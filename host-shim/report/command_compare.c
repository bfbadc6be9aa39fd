/* command_compare.c - compare two agents, two periods, or the values of a key ("compare").
 *
 * SPDX-License-Identifier: Apache-2.0 */
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
#include "report/figures.h"
#include "report/figures_json.h"
#include "report/report_commands.h"
#include "stats/ranks.h"

enum { GROUPS_MAX = 6, NAME_CHARACTERS = 60 };
static const double SIGNIFICANT_P = 0.01;

static const struct option_spec own_options[] = {
    {"by", 0, OPTION_TEXT, "KEY", "compare values of a record member or metadata key"},
    {"values", 0, OPTION_TEXT, "A,B", "with --by: two values; default: the two most frequent"},
    {"split", 0, OPTION_TEXT, "T", "compare runs before T with runs since T"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"compare coach mentor", "two agents"},
    {"compare coach --by model", "one agent, by model"},
    {"compare coach --since 14d --split 7d", "this week with the week before"},
    {NULL, NULL},
};

struct group {
  char *name;
  const struct runs *runs; /* that they were chosen from */
  struct figures figures;
};

struct compare {
  struct session session;
  struct window window;
  struct runs runs[2];
  struct group groups[GROUPS_MAX];
  size_t count;
  const char *by;  /* "agent", "period" or the key */
  size_t left_out; /* runs of the window that are in no group */
};

/* ---- groups ---------------------------------------------------------------------------------- */

static int add_group(struct compare *compare, const char *name, const struct runs *runs,
                     struct run_slice slice, struct problem *problem) {
  struct group *group = &compare->groups[compare->count];

  group->runs = runs;
  group->name = strdup(name[0] != '\0' ? name : "none");
  if (!group->name)
    return problem_no_memory(problem);
  compare->count++;
  return figures_of(slice, &group->figures, problem);
}

static int group_agents(struct compare *compare, const struct host *host, struct problem *problem) {
  compare->by = "agent";
  for (size_t i = 0; i < 2; i++)
    if (runs_read(&compare->session, command_word(host, i), NULL, &compare->runs[i], problem) < 0 ||
        add_group(compare, command_word(host, i), &compare->runs[i],
                  runs_in_window(&compare->runs[i], &compare->window), problem) < 0)
      return -1;
  return 0;
}

static int group_periods(struct compare *compare, const struct host *host, int64_t split_s,
                         struct problem *problem) {
  char name[WINDOW_TIME_MAX + 8], at[WINDOW_TIME_MAX];

  compare->by = "period";
  window_time_text(split_s, at);
  if (runs_read(&compare->session, command_word(host, 0), NULL, &compare->runs[0], problem) < 0)
    return -1;
  struct run_slice chosen = runs_in_window(&compare->runs[0], &compare->window);
  snprintf(name, sizeof name, "before %s", at);
  if (add_group(compare, name, &compare->runs[0], runs_between(chosen, INT64_MIN, split_s),
                problem) < 0)
    return -1;
  snprintf(name, sizeof name, "since %s", at);
  return add_group(compare, name, &compare->runs[0], runs_between(chosen, split_s, INT64_MAX),
                   problem);
}

/* The runs of one group, in order. */
static int add_runs_of(struct compare *compare, struct run_slice chosen, uint32_t name,
                       struct problem *problem) {
  struct run *list = calloc(chosen.count + 1, sizeof *list);
  struct run_slice slice = {.list = list};

  if (!list)
    return problem_no_memory(problem);
  for (size_t i = 0; i < chosen.count; i++)
    if (chosen.list[i].group == name)
      list[slice.count++] = chosen.list[i];
  int result = add_group(compare, names_text(&compare->runs[0].names, name), &compare->runs[0],
                         slice, problem);
  free(list);
  return result;
}

static int group_named_values(struct compare *compare, struct run_slice chosen, const char *values,
                              struct problem *problem) {
  const char *comma = strchr(values, ',');

  if (!comma || strchr(comma + 1, ',') || comma == values || comma[1] == '\0')
    return problem_set(problem, EXIT_CODE_USAGE, "--values: '%s' is not two values, as A,B",
                       values);
  size_t len = (size_t)(comma - values);
  if (strncmp(values, comma + 1, len) == 0 && comma[1 + len] == '\0')
    return problem_set(problem, EXIT_CODE_USAGE,
                       "--values: '%s' names one value twice; write two, as A,B", values);
  for (size_t i = 0; i < 2; i++) {
    const char *text = i == 0 ? values : comma + 1;
    uint32_t name =
        names_number(&compare->runs[0].names,
                     (struct span){text, i == 0 ? (size_t)(comma - values) : strlen(text)});

    if (name == UINT32_MAX || add_runs_of(compare, chosen, name, problem) < 0)
      return name == UINT32_MAX ? problem_no_memory(problem) : -1;
  }
  return 0;
}

static int group_most_frequent(struct compare *compare, const struct host *host,
                               struct run_slice chosen, struct figures_tallies *tallies,
                               struct problem *problem) {
  int result = 0;

  for (size_t i = 0; result == 0 && i < tallies->count && i < GROUPS_MAX; i++)
    result = add_runs_of(compare, chosen, tallies->list[i].name, problem);
  if (result == 0 && tallies->count < 2)
    result = problem_set(
        problem, EXIT_CODE_FAILED, "%s: %s values of '%s' in its runs; two are needed to compare",
        command_word(host, 0), tallies->count == 0 ? "no" : "only one of the", compare->by);
  free(tallies->list);
  return result;
}

static int group_values(struct compare *compare, const struct host *host, const char *key,
                        struct problem *problem) {
  const char *values = options_text(host->arguments, "values", NULL);
  struct figures_tallies tallies;

  compare->by = key;
  if (runs_read(&compare->session, command_word(host, 0), key, &compare->runs[0], problem) < 0)
    return -1;
  struct run_slice chosen = runs_in_window(&compare->runs[0], &compare->window);
  int result = values ? group_named_values(compare, chosen, values, problem)
                      : figures_groups(chosen, &tallies, problem);
  if (result == 0 && !values)
    result = group_most_frequent(compare, host, chosen, &tallies, problem);
  compare->left_out = chosen.count;
  for (size_t i = 0; i < compare->count; i++)
    compare->left_out -= compare->groups[i].figures.share.count;
  return result;
}
/* ---- the first two, compared -------------------------------------------------------- */

struct difference {
  const char *name;
  double p; /* NAN: too few runs */
};
enum { DIFFERENCES = 5 };

static int find_differences(const struct compare *compare,
                            struct difference differences[DIFFERENCES], struct problem *problem) {
  const struct figures *one = &compare->groups[0].figures, *other = &compare->groups[1].figures;
  const struct {
    const char *name;
    const struct figures_spread *one, *other;
  } spreads[] = {{"duration_s", &one->duration_s, &other->duration_s},
                 {"quality_score", &one->quality, &other->quality},
                 {"tokens", &one->tokens, &other->tokens},
                 {"cost_usd", &one->cost_usd, &other->cost_usd}};

  differences[0] = (struct difference){"success_rate", NAN};
  if (one->share.count >= CHANGE_AFTER_MIN && other->share.count >= CHANGE_AFTER_MIN)
    differences[0].p = share_differ_p(one->share, other->share);
  for (size_t i = 0; i < sizeof spreads / sizeof *spreads; i++) {
    double p = NAN;

    if (spreads[i].one->count >= CHANGE_AFTER_MIN && spreads[i].other->count >= CHANGE_AFTER_MIN &&
        ranks_differ_p(spreads[i].one->sorted, spreads[i].one->count, spreads[i].other->sorted,
                       spreads[i].other->count, &p) < 0)
      return problem_no_memory(problem);
    differences[i + 1] = (struct difference){spreads[i].name, p};
  }
  return 0;
}

static const char *verdict_of(const struct difference *difference) {
  return isnan(difference->p)            ? "too few to tell"
         : difference->p < SIGNIFICANT_P ? "significant"
                                         : "not significant";
}

/* ---- output ---------------------------------------------------------------------------------- */

static void print_row(struct table *table, const struct compare *compare, const char *name,
                      void (*cell)(const struct figures *, char out[64]),
                      const struct difference *difference) {
  table_cell(table, "%s", name);
  for (size_t i = 0; i < compare->count; i++) {
    char text[64] = "";

    cell(&compare->groups[i].figures, text);
    table_cell(table, "%s", text);
  }
  table_cell(table, "%s", difference ? verdict_of(difference) : "");
}

static void runs_cell(const struct figures *figures, char out[64]) {
  snprintf(out, 64, "%zu", figures->share.count);
}
/* The interval is rounded so that it still holds the share. */
static void success_cell(const struct figures *figures, char out[64]) {
  double rate = share_rate(figures->share);
  char percent[AMOUNT_TEXT_MAX];

  amount_text_percent(rate, 1, percent);
  if (figures->share.count > 0)
    snprintf(out, 64, "%s (%.0f-%.0f)", percent,
             fmin(round(figures->low * 100), rate < 1 ? 99 : 100),
             fmax(round(figures->high * 100), rate > 0 ? 1 : 0));
}
static void seconds_cell(const struct figures_spread *spread, double value, char out[64]) {
  if (spread->count > 0)
    time_text_duration(value, out);
}
static void p50_cell(const struct figures *figures, char out[64]) {
  seconds_cell(&figures->duration_s, figures->duration_s.p50, out);
}
static void p90_cell(const struct figures *figures, char out[64]) {
  seconds_cell(&figures->duration_s, figures->duration_s.p90, out);
}
static void p95_cell(const struct figures *figures, char out[64]) {
  seconds_cell(&figures->duration_s, figures->duration_s.p95, out);
}
static void quality_cell(const struct figures *figures, char out[64]) {
  if (figures->quality.count > 0)
    amount_text_score(figures->quality.mean, out);
}
static void tokens_cell(const struct figures *figures, char out[64]) {
  if (figures->tokens.count > 0)
    amount_text_count(figures->tokens.mean, out);
}
static void cost_cell(const struct figures *figures, char out[64]) {
  if (figures->cost_usd.count > 0)
    amount_text_usd(figures->cost_usd.mean, 4, out);
}

static void print_text(const struct compare *compare, const struct difference *differences) {
  const char *headings[GROUPS_MAX + 3] = {""};
  char first[GROUPS_MAX][4 * NAME_CHARACTERS + 8];
  struct table table;

  for (size_t i = 0; i < compare->count; i++) {
    const char *name = compare->groups[i].name;
    size_t shown = utf8_text_bytes(name, NAME_CHARACTERS);

    snprintf(first[i], sizeof first[i], ">%.*s%s", (int)shown, name,
             name[shown] != '\0' ? "..." : "");
    headings[i + 1] = first[i];
  }
  headings[compare->count + 1] = compare->count > 2 ? "the first two" : "difference";
  table_init(&table, headings);
  print_row(&table, compare, "runs", runs_cell, NULL);
  print_row(&table, compare, "success", success_cell, &differences[0]);
  print_row(&table, compare, "p50", p50_cell, &differences[1]);
  print_row(&table, compare, "p90", p90_cell, NULL);
  print_row(&table, compare, "p95", p95_cell, NULL);
  print_row(&table, compare, "quality", quality_cell, &differences[2]);
  print_row(&table, compare, "tokens per run", tokens_cell, &differences[3]);
  print_row(&table, compare, "cost per run", cost_cell, &differences[4]);
  table_print(&table);
  if (compare->left_out > 0)
    output_note("%zu run%s in no column: without '%s', or with another value", compare->left_out,
                compare->left_out == 1 ? " is" : "s are", compare->by);
}

static void print_json(const struct compare *compare, const struct difference *differences) {
  struct json_object *document = json_object_new_object();
  struct json_object *groups = json_object_new_array();
  struct json_object *told = json_object_new_object();

  for (size_t i = 0; i < compare->count; i++) {
    const struct group *group = &compare->groups[i];
    struct json_object *entry = json_object_new_object();

    json_object_object_add(entry, "name", json_text_new_string(group->name));
    json_object_object_add(entry, "figures", figures_json(&group->figures, &group->runs->names));
    json_object_array_add(groups, entry);
  }
  for (size_t i = 0; i < DIFFERENCES; i++) {
    struct json_object *entry = json_object_new_object();
    bool few = isnan(differences[i].p);

    json_object_object_add(entry, "p", few ? NULL : json_text_new_double(differences[i].p));
    json_object_object_add(entry, "significant",
                           few ? NULL : json_object_new_boolean(differences[i].p < SIGNIFICANT_P));
    json_object_object_add(told, differences[i].name, entry);
  }
  json_object_object_add(document, "by", json_text_new_string(compare->by));
  json_object_object_add(document, "groups", groups);
  json_object_object_add(document, "left_out", json_object_new_uint64(compare->left_out));
  json_object_object_add(document, "differences", told);
  json_object_object_add(document, "window", window_json(&compare->window));
  output_json(document);
}

/* ---- the command ----------------------------------------------------------------------------- */

/* Exactly one of a second agent, --by and --split. */
static int check_given(struct compare *compare, const struct host *host, int64_t *split_s,
                       struct problem *problem) {
  const char *split = options_text(host->arguments, "split", NULL);
  const char *by = options_text(host->arguments, "by", NULL);

  if ((command_word(host, 1) != NULL) + (by != NULL) + (split != NULL) != 1)
    return problem_set(problem, EXIT_CODE_USAGE,
                       "compare: give a second agent, --by KEY or --split T");
  if (command_word(host, 1) && strcmp(command_word(host, 0), command_word(host, 1)) == 0)
    return problem_set(
        problem, EXIT_CODE_USAGE,
        "compare: both agents are '%s'; name another one, or give --by KEY or --split T",
        command_word(host, 1));
  if (by && *by == '\0')
    return problem_set(problem, EXIT_CODE_USAGE, "--by: the key is empty");
  if (options_given(host->arguments, "values") && !by)
    return problem_set(problem, EXIT_CODE_USAGE, "--values: only with --by");
  if (split && window_time(split, time_text_now_ns() / 1000000000, split_s) < 0)
    return problem_set(problem, EXIT_CODE_USAGE,
                       "--split: '%s' is not a time; write 2026-01-31, 7d or yesterday", split);
  if (window_read(host->arguments, &compare->window, problem) < 0)
    return -1;
  if (split && ((compare->window.has_since && *split_s <= compare->window.since_s) ||
                (compare->window.has_until && *split_s >= compare->window.until_s)))
    return problem_set(problem, EXIT_CODE_USAGE,
                       "--split %s is outside --since and --until: one side can have no run",
                       split);
  return 0;
}

static int compare_opened(struct compare *compare, const struct host *host, int64_t split_s,
                          struct problem *problem) {
  const char *by = options_text(host->arguments, "by", NULL);
  struct difference differences[DIFFERENCES];
  int result = command_word(host, 1) ? group_agents(compare, host, problem)
               : by                  ? group_values(compare, host, by, problem)
                                     : group_periods(compare, host, split_s, problem);

  if (result < 0 || find_differences(compare, differences, problem) < 0)
    return -1;
  if (output_is_json())
    print_json(compare, differences);
  else
    print_text(compare, differences);
  return 0;
}

static int run(const struct host *host) {
  struct compare compare = {.count = 0};
  struct problem problem;
  int64_t split_s = 0;

  if (check_given(&compare, host, &split_s, &problem) < 0 ||
      session_open(host, &compare.session, &problem) < 0)
    return output_problem(&problem);
  int result = compare_opened(&compare, host, split_s, &problem);
  for (size_t i = 0; i < compare.count; i++) {
    free(compare.groups[i].name);
    figures_free(&compare.groups[i].figures);
  }
  for (size_t i = 0; i < 2; i++)
    runs_free(&compare.runs[i]);
  session_close(&compare.session);
  return result < 0 ? output_problem(&problem) : EXIT_CODE_OK;
}

const struct command command_compare = {
    .name = "compare",
    .synopsis = "AGENT [AGENT] [OPTIONS]",
    .summary = "compare two agents, periods or models",
    .details = "Success is compared by an exact test, the other figures by ranks.  "
               "A difference is \"significant\" if it arises by chance in fewer than 1 of 100 "
               "cases.  With fewer than 5 runs on a side it is \"too few to tell\".",
    .examples = examples,
    .option_groups = {own_options, window_options},
    .takes_agent = true,
    .words_min = 1,
    .words_max = 2,
    .only_reads = true,
    .run = run,
};

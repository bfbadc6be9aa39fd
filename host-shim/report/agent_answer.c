/* agent_answer.c - how an agent performs: its figures, the last 20 runs, the last 7 days, what
 * changed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/agent_answer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount_text.h"
#include "base/json_text.h"
#include "base/output.h"
#include "base/time_text.h"
#include "base/utf8_text.h"
#include "report/figures_json.h"

enum { RECENT_RUNS = 20, NAMES_SHOWN = 4 };
static const int64_t WEEK_S = 7 * 86400;

static struct share share_of(struct run_slice slice) {
  struct share share = {.count = slice.count};

  for (size_t i = 0; i < slice.count; i++)
    share.successes += slice.list[i].success;
  return share;
}

int agent_answer_read(struct session *session, const char *agent, const struct window *window,
                      struct agent_answer *answer, struct problem *problem) {
  struct run_lines none = {.max = 0};

  return agent_answer_read_lines(session, agent, window, answer, &none, problem);
}

int agent_answer_read_lines(struct session *session, const char *agent, const struct window *window,
                            struct agent_answer *answer, struct run_lines *lines,
                            struct problem *problem) {
  int64_t now_s = time_text_now_ns() / 1000000000;

  memset(answer, 0, sizeof *answer);
  runs_window_times(window, &lines->since_s, &lines->until_s);
  if (runs_read_lines(session, agent, NULL, &answer->runs, lines, problem) < 0)
    return -1;
  answer->chosen = runs_in_window(&answer->runs, window);
  if (answer->chosen.count > 0)
    run_lines_begin_at(lines, answer->chosen.list[0].ended_s, answer->chosen.list[0].place);
  answer->last_20 = share_of(runs_last(runs_all(&answer->runs), RECENT_RUNS));
  answer->last_7_days = share_of(runs_between(runs_all(&answer->runs), now_s - WEEK_S, INT64_MAX));
  if (figures_of(answer->chosen, &answer->figures, problem) == 0 &&
      figures_changes(answer->chosen, &answer->changes, problem) == 0)
    return 0;
  agent_answer_free(answer);
  run_lines_free(lines);
  return -1;
}

void agent_answer_free(struct agent_answer *answer) {
  figures_free(&answer->figures);
  runs_free(&answer->runs);
}

static void forget(double **sorted) {
  free(*sorted);
  *sorted = NULL;
}

void agent_answer_forget_runs(struct agent_answer *answer) {
  free(answer->runs.list);
  answer->runs.list = NULL;
  answer->runs.count = answer->runs.room = 0;
  answer->chosen = (struct run_slice){NULL, 0};
  forget(&answer->figures.duration_s.sorted);
  forget(&answer->figures.quality.sorted);
  forget(&answer->figures.tokens.sorted);
  forget(&answer->figures.cost_usd.sorted);
  forget(&answer->figures.primary.sorted);
}

void agent_answer_add_json(const struct agent_answer *answer, struct json_object *object) {
  json_object_object_add(object, "figures", figures_json(&answer->figures, &answer->runs.names));
  json_object_object_add(object, "last_20", figures_json_share(answer->last_20));
  json_object_object_add(object, "last_7_days", figures_json_share(answer->last_7_days));
  json_object_object_add(object, "change", figures_json_changes(&answer->changes));
}

/* ---- as text --------------------------------------------------------------------------------- */

static void print_share(const char *label, struct share share) {
  char percent[AMOUNT_TEXT_MAX];

  amount_text_percent(share_rate(share), 1, percent);
  if (share.count > 0)
    printf("  %-9s%6s  %zu of %zu\n", label, percent, share.successes, share.count);
  else
    printf("  %-9sno runs\n", label);
}

/* Where nothing has changed, or that is unknown, one line says so. */
static void print_changes(const struct figures_changes *changes) {
  bool any = figures_change_score(changes) != 0;
  const char *label = "change";
  char text[FIGURES_CHANGE_MAX];

  for (int aspect = FIGURES_SUCCESS; aspect < FIGURES_ASPECTS; aspect++) {
    enum output_style style = figures_change_style(changes, aspect);
    bool changed = style != OUTPUT_PLAIN;

    if (any ? !changed : aspect != FIGURES_SUCCESS)
      continue;
    figures_change_text(changes, aspect, text);
    printf("  %-9s%s%s%s\n", label, output_style(style), text, changed ? output_style_end() : "");
    label = "";
  }
}

static void print_numbers(const struct figures *figures) {
  char p50[TIME_TEXT_MAX], p90[TIME_TEXT_MAX], p95[TIME_TEXT_MAX], known[FIGURES_CHANGE_MAX];
  char all[AMOUNT_TEXT_MAX], mean[AMOUNT_TEXT_MAX];

  if (figures->quality.count > 0) {
    amount_text_score(figures->quality.mean, mean);
    printf("  quality  %5s    mean of %zu run%s\n", mean, figures->quality.count,
           output_plural(figures->quality.count));
  }
  if (figures->duration_s.count > 0) {
    time_text_duration(figures->duration_s.p50, p50);
    time_text_duration(figures->duration_s.p90, p90);
    time_text_duration(figures->duration_s.p95, p95);
    printf("  time     p50 %s, p90 %s, p95 %s\n", p50, p90, p95);
  }
  if (figures->tokens.count > 0) {
    figures_known_text(&figures->tokens, figures->share.count, known);
    amount_text_count(figures->tokens.sum, all);
    amount_text_count(figures->tokens.mean, mean);
    printf("  tokens   %s, %s per run%s\n", all, mean, known);
  }
  if (figures->cost_usd.count > 0) {
    figures_known_text(&figures->cost_usd, figures->share.count, known);
    amount_text_usd(figures->cost_usd.sum, 2, all);
    amount_text_usd(figures->cost_usd.mean, 4, mean);
    printf("  cost     %s, %s per run%s\n", all, mean, known);
  }
}

static void print_name(const char *name, const char *otherwise) {
  utf8_text_print(stdout, name[0] != '\0' ? name : otherwise);
}

static void print_primary(const struct figures *figures, const struct names *names) {
  if (figures->primary_name == 0)
    return;
  fputs("  primary  ", stdout);
  print_name(names_text(names, figures->primary_name), "");
  printf(" %.6g, mean of %zu run%s", figures->primary.mean, figures->primary.count,
         output_plural(figures->primary.count));
  if (!isnan(figures->primary_target))
    printf(", target %.6g", figures->primary_target);
  putchar('\n');
}

static void print_tallies(const char *label, const struct figures_tallies *tallies,
                          const struct names *names, bool with_rate) {
  for (size_t i = 0; i < tallies->count && i < NAMES_SHOWN; i++) {
    const struct figures_tally *tally = &tallies->list[i];
    struct share share = {tally->count, tally->successes};
    char percent[AMOUNT_TEXT_MAX];

    printf(i == 0 ? "  %-9s" : ", ", label);
    print_name(names_text(names, tally->name), "no reason given");
    printf(" %zu", tally->count);
    amount_text_percent(share_rate(share), 0, percent);
    if (with_rate)
      printf(" (%s)", percent);
  }
  if (tallies->count > NAMES_SHOWN)
    printf(", %zu more", tallies->count - NAMES_SHOWN);
  if (tallies->count > 0)
    putchar('\n');
}

void agent_answer_print(const struct agent_answer *answer) {
  const struct figures *figures = &answer->figures;
  char last[TIME_TEXT_MAX], per_day[AMOUNT_TEXT_MAX];

  if (figures->share.count > 0) {
    print_share("success", figures->share);
    print_share("last 20", answer->last_20);
    print_share("7 days", answer->last_7_days);
    print_changes(&answer->changes);
  }
  print_numbers(figures);
  print_primary(figures, &answer->runs.names);
  print_tallies("models", &figures->models, &answer->runs.names, true);
  print_tallies("failures", &figures->reasons, &answer->runs.names, false);
  if (figures->share.count > 0) {
    time_text_format_s(figures->last_s, last);
    amount_text_rate(figures->runs_per_day, per_day);
    printf("  last     %s, %s run%s per day\n", last, per_day,
           strcmp(per_day, "1") == 0 ? "" : "s");
  }
}

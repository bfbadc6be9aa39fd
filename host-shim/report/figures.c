/* figures.c - the figures of a set of runs: success, durations, quality, tokens, cost, reasons.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/figures.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount_text.h"
#include "base/time_text.h"
#include "stats/ranks.h"

static const double DAY_S = 86400;

/* ---- numbers --------------------------------------------------------------------------------- */

static double member_of(const struct run *run, size_t member) {
  return *(const double *)(const void *)((const char *)run + member);
}

/* The numbers at that place in each run; with `name`, only of runs with that metric. */
static int spread_of(struct run_slice slice, size_t member, uint32_t name,
                     struct figures_spread *spread) {
  *spread = (struct figures_spread){.sorted = calloc(slice.count + 1, sizeof(double))};
  if (!spread->sorted)
    return -1;
  for (size_t i = 0; i < slice.count; i++) {
    double value = member_of(&slice.list[i], member);

    if (isnan(value) || (name != 0 && slice.list[i].primary_name != name))
      continue;
    spread->sorted[spread->count++] = value;
    spread->sum += value;
  }
  ranks_sort(spread->sorted, spread->count);
  spread->mean = spread->count > 0 ? spread->sum / (double)spread->count : 0;
  spread->p50 = ranks_quantile(spread->sorted, spread->count, 0.5);
  spread->p90 = ranks_quantile(spread->sorted, spread->count, 0.9);
  spread->p95 = ranks_quantile(spread->sorted, spread->count, 0.95);
  spread->max = ranks_quantile(spread->sorted, spread->count, 1);
  return 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

static int compare_tallies(const void *one, const void *other) {
  const struct figures_tally *a = one, *b = other;

  if (a->count != b->count)
    return a->count > b->count ? -1 : 1;
  return (a->name > b->name) - (a->name < b->name);
}

static uint32_t name_of(const struct run *run, size_t member) {
  return *(const uint32_t *)(const void *)((const char *)run + member);
}

/* The names at that place in each run; `all` counts what has none as well. */
static int tally_names(struct run_slice slice, size_t member, bool all, bool failures,
                       struct figures_tallies *tallies) {
  uint32_t names = 0;

  for (size_t i = 0; i < slice.count; i++)
    names = name_of(&slice.list[i], member) > names ? name_of(&slice.list[i], member) : names;
  *tallies = (struct figures_tallies){.list = calloc((size_t)names + 1, sizeof *tallies->list)};
  if (!tallies->list)
    return -1;
  for (size_t i = 0; i < slice.count; i++) {
    const struct run *run = &slice.list[i];
    uint32_t name = name_of(run, member);
    struct figures_tally *tally = &tallies->list[name];

    if ((name == 0 && !all) || (failures && run->success))
      continue;
    tally->name = name;
    tally->count++;
    tally->successes += run->success;
    tally->last_s = run->ended_s;
    tally->cost_count += !isnan(run->cost_usd);
    tally->cost_usd += isnan(run->cost_usd) ? 0 : run->cost_usd;
  }
  qsort(tallies->list, (size_t)names + 1, sizeof *tallies->list, compare_tallies);
  while (tallies->count <= names && tallies->list[tallies->count].count > 0)
    tallies->count++;
  return 0;
}

static uint32_t choose_primary(struct run_slice slice, double *target) {
  struct figures_tallies names = {.list = NULL};
  uint32_t chosen = 0;

  *target = NAN;
  if (tally_names(slice, offsetof(struct run, primary_name), false, false, &names) == 0 &&
      names.count > 0)
    chosen = names.list[0].name;
  free(names.list);
  for (size_t i = slice.count; chosen != 0 && i > 0 && isnan(*target); i--)
    if (slice.list[i - 1].primary_name == chosen)
      *target = slice.list[i - 1].primary_target;
  return chosen;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void count_outcomes(struct run_slice slice, struct figures *figures) {
  for (size_t i = 0; i < slice.count; i++) {
    figures->share.successes += slice.list[i].success;
    figures->failures_now = slice.list[i].success ? 0 : figures->failures_now + 1;
    if (figures->failures_now > figures->failures_in_a_row)
      figures->failures_in_a_row = figures->failures_now;
  }
  figures->share.count = slice.count;
  share_interval(figures->share, &figures->low, &figures->high);
  if (slice.count == 0)
    return;
  figures->first_s = slice.list[0].ended_s;
  figures->last_s = slice.list[slice.count - 1].ended_s;
  double days = (double)(figures->last_s - figures->first_s) / DAY_S;
  figures->runs_per_day = (double)slice.count / (days > 1 ? days : 1);
}

int figures_of(struct run_slice slice, struct figures *figures, struct problem *problem) {
  *figures = (struct figures){.first_s = -1, .last_s = -1};
  count_outcomes(slice, figures);
  figures->primary_name = choose_primary(slice, &figures->primary_target);
  if (spread_of(slice, offsetof(struct run, duration_s), 0, &figures->duration_s) == 0 &&
      spread_of(slice, offsetof(struct run, quality), 0, &figures->quality) == 0 &&
      spread_of(slice, offsetof(struct run, tokens), 0, &figures->tokens) == 0 &&
      spread_of(slice, offsetof(struct run, cost_usd), 0, &figures->cost_usd) == 0 &&
      spread_of(slice, offsetof(struct run, primary), figures->primary_name, &figures->primary) ==
          0 &&
      tally_names(slice, offsetof(struct run, model), false, false, &figures->models) == 0 &&
      tally_names(slice, offsetof(struct run, reason), true, true, &figures->reasons) == 0)
    return 0;
  figures_free(figures);
  return problem_no_memory(problem);
}

void figures_free(struct figures *figures) {
  free(figures->duration_s.sorted);
  free(figures->quality.sorted);
  free(figures->tokens.sorted);
  free(figures->cost_usd.sorted);
  free(figures->primary.sorted);
  free(figures->models.list);
  free(figures->reasons.list);
  *figures = (struct figures){.first_s = -1, .last_s = -1};
}

int figures_groups(struct run_slice slice, struct figures_tallies *groups,
                   struct problem *problem) {
  return tally_names(slice, offsetof(struct run, group), false, false, groups) == 0
             ? 0
             : problem_no_memory(problem);
}

/* ---- changes --------------------------------------------------------------------------------- */

static int64_t time_at(struct run_slice slice, enum change_verdict verdict, size_t since) {
  return verdict == CHANGE_WORSE || verdict == CHANGE_BETTER ? slice.list[since].ended_s : -1;
}

static int change_of_member(struct run_slice slice, size_t member, bool higher_is_better,
                            struct value_change *change, int64_t *since_s) {
  double *values = calloc(slice.count + 1, sizeof *values);
  size_t *places = calloc(slice.count + 1, sizeof *places);
  size_t count = 0;
  int result = -1;

  for (size_t i = 0; values && places && i < slice.count; i++) {
    double value = member_of(&slice.list[i], member);

    if (isnan(value))
      continue;
    places[count] = i;
    values[count++] = value;
  }
  if (values && places)
    result = change_of_values(values, count, higher_is_better, change);
  if (result == 0)
    *since_s = time_at(slice, change->verdict, count > 0 ? places[change->since] : 0);
  free(values);
  free(places);
  return result;
}

int figures_changes(struct run_slice slice, struct figures_changes *changes,
                    struct problem *problem) {
  bool *successes = calloc(slice.count + 1, sizeof *successes);
  int64_t *since_s = changes->since_s;

  *changes = (struct figures_changes){.since_s = {-1, -1, -1, -1}};
  for (size_t i = 0; successes && i < slice.count; i++)
    successes[i] = slice.list[i].success;
  if (successes)
    change_of_successes(successes, slice.count, &changes->success);
  free(successes);
  if (!successes ||
      change_of_member(slice, offsetof(struct run, quality), true, &changes->quality,
                       &since_s[FIGURES_QUALITY]) != 0 ||
      change_of_member(slice, offsetof(struct run, duration_s), false, &changes->duration,
                       &since_s[FIGURES_DURATION]) != 0 ||
      change_of_member(slice, offsetof(struct run, cost_usd), false, &changes->cost,
                       &since_s[FIGURES_COST]) != 0)
    return problem_no_memory(problem);
  since_s[FIGURES_SUCCESS] = time_at(slice, changes->success.verdict, changes->success.since);
  return 0;
}

enum change_verdict figures_change_verdict(const struct figures_changes *changes,
                                           enum figures_aspect aspect) {
  return aspect == FIGURES_SUCCESS    ? changes->success.verdict
         : aspect == FIGURES_QUALITY  ? changes->quality.verdict
         : aspect == FIGURES_DURATION ? changes->duration.verdict
                                      : changes->cost.verdict;
}

enum figures_aspect figures_change_foremost(const struct figures_changes *changes) {
  static const enum change_verdict order[] = {CHANGE_WORSE, CHANGE_BETTER};

  for (size_t i = 0; i < sizeof order / sizeof *order; i++)
    for (int aspect = FIGURES_SUCCESS; aspect < FIGURES_ASPECTS; aspect++)
      if (figures_change_verdict(changes, aspect) == order[i])
        return aspect;
  return FIGURES_SUCCESS;
}

int figures_change_score(const struct figures_changes *changes) {
  enum figures_aspect aspect = figures_change_foremost(changes);
  enum change_verdict verdict = figures_change_verdict(changes, aspect);
  int weight = FIGURES_ASPECTS - (int)aspect;

  return verdict == CHANGE_WORSE ? -weight : verdict == CHANGE_BETTER ? weight : 0;
}

enum output_style figures_change_style(const struct figures_changes *changes,
                                       enum figures_aspect aspect) {
  enum change_verdict verdict = figures_change_verdict(changes, aspect);

  return verdict == CHANGE_WORSE    ? OUTPUT_RED
         : verdict == CHANGE_BETTER ? OUTPUT_GREEN
                                    : OUTPUT_PLAIN;
}

static void tell_success(const struct change *change, const char *since,
                         char out[FIGURES_CHANGE_MAX]) {
  snprintf(out, FIGURES_CHANGE_MAX, "%s since %s, %zu of %zu, %s from %zu of %zu",
           change_verdict_text(change->verdict), since, change->after.successes,
           change->after.count, change->verdict == CHANGE_WORSE ? "down" : "up",
           change->before.successes, change->before.count);
}

/* Where both numbers would read the same, with more digits. */
static void tell_quality(const struct value_change *change, const char *since,
                         char out[FIGURES_CHANGE_MAX]) {
  bool lower = change->verdict == CHANGE_WORSE;
  char after[32], before[32];

  snprintf(after, sizeof after, "%.2f", change->after_median);
  snprintf(before, sizeof before, "%.2f", change->before_median);
  if (strcmp(after, before) == 0) {
    snprintf(after, sizeof after, "%.3g", change->after_median);
    snprintf(before, sizeof before, "%.3g", change->before_median);
  }
  snprintf(out, FIGURES_CHANGE_MAX, "quality %s since %s, median %s, %s from %s",
           lower ? "lower" : "higher", since, after, lower ? "down" : "up", before);
}

static void tell_duration(const struct value_change *change, const char *since,
                          char out[FIGURES_CHANGE_MAX]) {
  bool slower = change->verdict == CHANGE_WORSE;
  char after[TIME_TEXT_MAX], before[TIME_TEXT_MAX];

  time_text_duration(change->after_median, after);
  time_text_duration(change->before_median, before);
  if (strcmp(after, before) == 0) {
    time_text_duration_finely(change->after_median, after);
    time_text_duration_finely(change->before_median, before);
  }
  snprintf(out, FIGURES_CHANGE_MAX, "%s since %s, median %s, %s from %s",
           slower ? "slower" : "faster", since, after, slower ? "up" : "down", before);
}

static void tell_cost(const struct value_change *change, const char *since,
                      char out[FIGURES_CHANGE_MAX]) {
  bool dearer = change->verdict == CHANGE_WORSE;
  char after[AMOUNT_TEXT_MAX], before[AMOUNT_TEXT_MAX];

  amount_text_usd(change->after_median, 2, after);
  amount_text_usd(change->before_median, 2, before);
  if (strcmp(after, before) == 0) {
    snprintf(after, sizeof after, "$%.3g", change->after_median);
    snprintf(before, sizeof before, "$%.3g", change->before_median);
  }
  snprintf(out, FIGURES_CHANGE_MAX, "%s since %s, median %s, %s from %s",
           dearer ? "more expensive" : "cheaper", since, after, dearer ? "up" : "down", before);
}

void figures_change_text(const struct figures_changes *changes, enum figures_aspect aspect,
                         char out[FIGURES_CHANGE_MAX]) {
  enum change_verdict verdict = figures_change_verdict(changes, aspect);
  char since[WINDOW_TIME_MAX];

  if (verdict == CHANGE_NONE || verdict == CHANGE_TOO_FEW) {
    snprintf(out, FIGURES_CHANGE_MAX, "%s", change_verdict_text(verdict));
    return;
  }
  window_time_text(changes->since_s[aspect], since);
  if (aspect == FIGURES_SUCCESS)
    tell_success(&changes->success, since, out);
  else if (aspect == FIGURES_QUALITY)
    tell_quality(&changes->quality, since, out);
  else if (aspect == FIGURES_DURATION)
    tell_duration(&changes->duration, since, out);
  else
    tell_cost(&changes->cost, since, out);
}

void figures_known_text(const struct figures_spread *spread, size_t runs,
                        char out[FIGURES_CHANGE_MAX]) {
  out[0] = '\0';
  if (spread->count < runs)
    snprintf(out, FIGURES_CHANGE_MAX, "; known for %zu run%s", spread->count,
             output_plural(spread->count));
}

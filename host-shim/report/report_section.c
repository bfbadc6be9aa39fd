/* report_section.c - one agent in full: figures, pictures, models, reasons, last failures.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_section.h"

#include <math.h>
#include <string.h>

#include "base/amount_text.h"
#include "base/time_text.h"
#include "report/html_text.h"
#include "report/report_chart.h"

enum { NAMES_SHOWN = 8, NAME_CHARACTERS = 60, REASON_CHARACTERS = 120 };

/* "agent-NAME", and of several projects "agent-N-NAME", where N is different for each project of
 * the same name. */
static void print_id(FILE *out, const struct agent_row *row) {
  fputs("agent-", out);
  if (row->root)
    fprintf(out, "%zu-", row->project_number);
  fputs(row->agent, out);
}

static void print_label(FILE *out, const struct agent_row *row) {
  char label[AGENT_ROWS_LABEL_MAX];

  agent_rows_label(row, label);
  html_text_print(out, label);
}

void report_section_print_name(FILE *out, const struct agent_row *row, bool linked) {
  if (linked) {
    fputs("<a href=\"#", out);
    print_id(out, row);
    fputs("\">", out);
  }
  print_label(out, row);
  if (linked)
    fputs("</a>", out);
}

void report_section_begin(FILE *out, const struct agent_row *row) {
  fputs("<section id=\"", out);
  print_id(out, row);
  fputs("\">\n<h2>", out);
  print_label(out, row);
  fputs("</h2>", out);
}

/* ---- in a sentence, in numbers --------------------------------------------------------------- */

static void print_changes(FILE *out, const struct figures_changes *changes) {
  char text[FIGURES_CHANGE_MAX];

  for (int aspect = FIGURES_SUCCESS; aspect < FIGURES_ASPECTS; aspect++) {
    enum change_verdict verdict = figures_change_verdict(changes, aspect);

    if (verdict != CHANGE_WORSE && verdict != CHANGE_BETTER)
      continue;
    figures_change_text(changes, aspect, text);
    fprintf(out, "<p class=\"%s\">%s", verdict == CHANGE_WORSE ? "warn" : "good",
            aspect == FIGURES_SUCCESS ? "success " : "");
    html_text_print(out, text);
    fputs("</p>\n", out);
  }
  if (changes->success.verdict == CHANGE_TOO_FEW)
    fputs("<p class=\"soft\">Too few runs to tell a change.</p>\n", out);
}

static void print_duration_tile(FILE *out, const struct figures_spread *durations) {
  char p50[TIME_TEXT_MAX], p90[TIME_TEXT_MAX], p95[TIME_TEXT_MAX];
  char detail[3 * TIME_TEXT_MAX];

  if (durations->count == 0)
    return;
  time_text_duration(durations->p50, p50);
  time_text_duration(durations->p90, p90);
  time_text_duration(durations->p95, p95);
  snprintf(detail, sizeof detail, "p90 %s, p95 %s", p90, p95);
  html_text_tile(out, "duration, p50", p50, detail);
}

static void print_quality_tile(FILE *out, const struct figures_spread *quality) {
  char value[AMOUNT_TEXT_MAX], median[AMOUNT_TEXT_MAX], detail[96];

  if (quality->count == 0)
    return;
  amount_text_score(quality->mean, value);
  amount_text_score(quality->p50, median);
  snprintf(detail, sizeof detail, "median %s, %zu run%s", median, quality->count,
           quality->count == 1 ? "" : "s");
  html_text_tile(out, "mean quality", value, detail);
}

static void print_cost_tile(FILE *out, const struct figures_spread *cost, size_t runs) {
  char value[HTML_TEXT_NUMBER_MAX], mean[HTML_TEXT_NUMBER_MAX], known[FIGURES_CHANGE_MAX];
  char detail[HTML_TEXT_NUMBER_MAX + FIGURES_CHANGE_MAX + 16];

  if (cost->count == 0)
    return;
  figures_known_text(cost, runs, known);
  html_text_usd(cost->sum, value);
  html_text_usd(cost->mean, mean);
  snprintf(detail, sizeof detail, "%s per run%s", mean, known);
  html_text_tile(out, "cost", value, detail);
}

static void print_tokens_tile(FILE *out, const struct figures_spread *tokens, size_t runs) {
  char value[HTML_TEXT_NUMBER_MAX], mean[HTML_TEXT_NUMBER_MAX], known[FIGURES_CHANGE_MAX];
  char detail[HTML_TEXT_NUMBER_MAX + FIGURES_CHANGE_MAX + 16];

  if (tokens->count == 0)
    return;
  html_text_number(tokens->sum, value);
  html_text_number(tokens->mean, mean);
  figures_known_text(tokens, runs, known);
  snprintf(detail, sizeof detail, "%s per run%s", mean, known);
  html_text_tile(out, "tokens", value, detail);
}

static void print_primary_tile(FILE *out, const struct figures *figures,
                               const struct names *names) {
  char value[32], detail[64] = "on average";

  if (figures->primary_name == 0 || figures->primary.count == 0)
    return;
  snprintf(value, sizeof value, "%.4g", figures->primary.mean);
  if (!isnan(figures->primary_target))
    snprintf(detail, sizeof detail, "on average, target %.4g", figures->primary_target);
  html_text_tile(out, names_text(names, figures->primary_name), value, detail);
}

void report_section_print_numbers(FILE *out, const struct figures *figures,
                                  const struct names *names) {
  print_quality_tile(out, &figures->quality);
  print_duration_tile(out, &figures->duration_s);
  print_cost_tile(out, &figures->cost_usd, figures->share.count);
  print_tokens_tile(out, &figures->tokens, figures->share.count);
  print_primary_tile(out, figures, names);
}

static void print_tiles(FILE *out, const struct agent_answer *answer) {
  char value[32], last[WINDOW_TIME_MAX], detail[64];

  fputs("<div class=\"tiles\">\n", out);
  html_text_share_tile(out, "succeeded", answer->figures.share);
  html_text_share_tile(out, "last 20 runs", answer->last_20);
  html_text_share_tile(out, "last 7 days", answer->last_7_days);
  report_section_print_numbers(out, &answer->figures, &answer->runs.names);
  if (answer->figures.share.count > 0) {
    amount_text_rate(answer->figures.runs_per_day, value);
    window_time_text(answer->figures.last_s, last);
    snprintf(detail, sizeof detail, "last %s", last);
    html_text_tile(out, "runs per day", value, detail);
  }
  fputs("</div>\n", out);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void print_name_cell(FILE *out, const char *name, const char *otherwise) {
  fputs("<tr><td>", out);
  html_text_cut(out, name[0] != '\0' ? name : otherwise, NAME_CHARACTERS);
  fputs("</td>", out);
}

static void print_rest(FILE *out, size_t count, int columns) {
  if (count > NAMES_SHOWN)
    fprintf(out, "<tr><td colspan=\"%d\" class=\"soft\">and %zu more</td></tr>\n", columns,
            count - NAMES_SHOWN);
}

static void print_models(FILE *out, const struct figures_tallies *models,
                         const struct names *names) {
  char percent[HTML_TEXT_NUMBER_MAX], cost[HTML_TEXT_NUMBER_MAX], a_run[HTML_TEXT_NUMBER_MAX];

  if (models->count == 0)
    return;
  html_text_table_head(out, "split", "model|runs|success|cost|per run");
  for (size_t i = 0; i < models->count && i < NAMES_SHOWN; i++) {
    const struct figures_tally *tally = &models->list[i];

    html_text_percent((struct share){tally->count, tally->successes}, percent);
    print_name_cell(out, names_text(names, tally->name), "?");
    fprintf(out, "<td>%zu</td><td>%s</td>", tally->count, percent);
    html_text_usd(tally->cost_usd, cost);
    html_text_usd(tally->cost_usd / (double)(tally->cost_count + !tally->cost_count), a_run);
    if (tally->cost_count > 0)
      fprintf(out, "<td>%s</td><td>%s</td></tr>\n", cost, a_run);
    else
      fputs("<td></td><td></td></tr>\n", out);
  }
  print_rest(out, models->count, 5);
  fputs("</tbody>\n</table>\n", out);
}

static void print_reasons(FILE *out, const struct figures_tallies *reasons,
                          const struct names *names) {
  if (reasons->count == 0)
    return;
  html_text_table_head(out, "split", "failures by reason|runs|last");
  for (size_t i = 0; i < reasons->count && i < NAMES_SHOWN; i++) {
    const struct figures_tally *tally = &reasons->list[i];

    print_name_cell(out, names_text(names, tally->name), "no reason given");
    fprintf(out, "<td>%zu</td><td>", tally->count);
    html_text_time(out, tally->last_s);
    fputs("</td></tr>\n", out);
  }
  print_rest(out, reasons->count, 3);
  fputs("</tbody>\n</table>\n", out);
}

void report_section_print_splits(FILE *out, const struct figures *figures,
                                 const struct names *names) {
  if (figures->models.count == 0 && figures->reasons.count == 0)
    return;
  fputs("<div class=\"splits\">\n", out);
  print_models(out, &figures->models, names);
  print_reasons(out, &figures->reasons, names);
  fputs("</div>\n", out);
}

static void print_failures(FILE *out, const struct report_failures *failures) {
  if (failures->count == 0)
    return;
  html_text_table_head(out, "failures", "last failures|reason|session");
  for (size_t i = 0; i < failures->count; i++) {
    const char *reason = failures->list[i].reason;

    fputs("<tr><td>", out);
    html_text_timestamp(out, failures->list[i].ended);
    fputs("</td><td>", out);
    html_text_cut(out, reason[0] != '\0' ? reason : "no reason given", REASON_CHARACTERS);
    fputs("</td><td>", out);
    html_text_print(out, failures->list[i].session_id);
    fputs("</td></tr>\n", out);
  }
  fputs("</tbody>\n</table>\n", out);
}

void report_section_print(FILE *out, const struct agent_row *row, const struct agent_answer *answer,
                          const struct report_failures *failures) {
  report_section_begin(out, row);
  fputs("<a class=\"up\" href=\"#all\">all agents</a>\n", out);
  print_changes(out, &answer->changes);
  print_tiles(out, answer);
  report_chart_history(out, answer->chosen, answer->changes.since_s, FIGURES_ASPECTS);
  report_section_print_splits(out, &answer->figures, &answer->runs.names);
  report_chart_durations(out, &answer->figures.duration_s);
  print_failures(out, failures);
  fputs("</section>\n", out);
}

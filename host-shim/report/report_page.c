/* report_page.c - one self-contained page about a project: no network, light and dark, fit to
 * print.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_page.h"

#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "base/sha256.h"
#include "base/time_text.h"
#include "host/report_text.h"
#include "report/html_text.h"
#include "report/report_assets.h"
#include "report/report_chart.h"
#include "report/report_reader.h"
#include "report/report_section.h"
#include "report/report_table.h"

enum { CHANGES_SHOWN = 12, UNREADABLE_SHOWN = 12 };

/* ---- the page's head ------------------------------------------------------------------------- */

/* Only this script may run, whatever else gets into the page. */
static void print_script_digest(FILE *out) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char digits[SHA256_TEXT_SIZE], pair[3] = "";
  uint8_t bytes[33] = {0};
  struct sha256 sha;

  sha256_start(&sha);
  sha256_add(&sha, report_assets_script, strlen(report_assets_script));
  sha256_finish(&sha, digits);
  for (size_t i = 0; i < 32; i++) {
    memcpy(pair, digits + 2 * i, 2);
    bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
  }
  for (size_t i = 0; i < 33; i += 3) {
    unsigned bits = (unsigned)bytes[i] << 16 | (unsigned)bytes[i + 1] << 8 | bytes[i + 2];

    fprintf(out, "%c%c%c%c", letters[bits >> 18 & 63], letters[bits >> 12 & 63],
            letters[bits >> 6 & 63], i == 30 ? '=' : letters[bits & 63]);
  }
}

static void print_head(FILE *out, const struct report_project *project) {
  char *window = window_text(&project->rows.window);

  fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; script-src 'sha256-",
        out);
  print_script_digest(out);
  fprintf(out, "'\">\n<style>\n%s</style>\n<title>Runs of ", report_assets_style);
  html_text_print(out, project->name);
  fputs("</title>\n</head>\n<body>\n<header>\n<h1>", out);
  html_text_print(out, project->name);
  fputs("</h1>\n<p class=\"soft\">", out);
  if (project->root) {
    html_text_print(out, project->root);
    fputs(" · ", out);
  }
  fputs("as of ", out);
  html_text_time(out, time_text_now_ns() / 1000000000);
  fputs(" · times are UTC", out);
  if (window && *window != '\0')
    fprintf(out, " · runs%s", window);
  fputs("</p>\n</header>\n<main>\n", out);
  free(window);
}

/* ---- the project ----------------------------------------------------------------------------- */

static void print_period_tile(FILE *out, const char *what, const struct report_period *period) {
  char value[HTML_TEXT_NUMBER_MAX], count[HTML_TEXT_NUMBER_MAX], before[HTML_TEXT_NUMBER_MAX];
  char detail[96];

  if (period->recent.count == 0 || period->before.count == 0)
    return;
  html_text_percent(period->recent, value);
  html_text_number((double)period->recent.count, count);
  html_text_percent(period->before, before);
  snprintf(detail, sizeof detail, "%s run%s; %s\u00a0before", count,
           output_plural(period->recent.count), before);
  html_text_tile(out, what, value, detail);
}

static void print_agents_tile(FILE *out, const struct report_project *project) {
  char value[HTML_TEXT_NUMBER_MAX], detail[REPORT_PROJECT_CHANGES_MAX];

  html_text_number((double)project->rows.count, value);
  report_project_changes_text(project, detail);
  html_text_tile(out, project->rows.count == 1 ? "agent" : "agents", value, detail);
}

static void print_events_tile(FILE *out, const struct report_delivery *delivery) {
  char value[HTML_TEXT_NUMBER_MAX], detail[64];

  if (delivery->marked == 0)
    return;
  html_text_number((double)delivery->marked, value);
  if (delivery->pending > 0)
    snprintf(detail, sizeof detail, "%llu pending", (unsigned long long)delivery->pending);
  else
    snprintf(detail, sizeof detail, "%llu acknowledged",
             (unsigned long long)delivery->acknowledged);
  html_text_tile(out, "events", value, detail);
}

static void print_warning(FILE *out, uint64_t count, const char *one, const char *many) {
  if (count > 0)
    fprintf(out, "<p class=\"warn\">%llu %s</p>\n", (unsigned long long)count,
            count == 1 ? one : many);
}

/* Which are missing here, and why. */
static void print_unreadable(FILE *out, struct json_object *list) {
  size_t count = list ? json_object_array_length(list) : 0;

  print_warning(out, count, "log could not be read and is missing here:",
                "logs could not be read and are missing here:");
  if (count == 0)
    return;
  fputs("<ul class=\"soft\">\n", out);
  for (size_t i = 0; i < count && i < UNREADABLE_SHOWN; i++) {
    struct json_object *entry = json_object_array_get_idx(list, i);
    const char *root = report_text_string(entry, "project_root", "");

    fputs("<li>", out);
    html_text_print(out, root);
    fputs(*root != '\0' ? ": " : "", out);
    html_text_print(out, report_text_string(entry, "why", ""));
    fputs("</li>\n", out);
  }
  if (count > UNREADABLE_SHOWN)
    fprintf(out, "<li>and %zu more</li>\n", count - UNREADABLE_SHOWN);
  fputs("</ul>\n", out);
}

static void print_tiles(FILE *out, const struct report_project *project) {
  const struct report_delivery *delivery = &project->delivery;

  print_unreadable(out, project->rows.unreadable.list);
  print_warning(out, delivery->unknown, "agent whose events are unknown",
                "agents whose events are unknown");
  print_warning(out, delivery->held, "event is held back: the project was copied or restored",
                "events are held back: the project was copied or restored");
  print_warning(out, delivery->dead_lettered,
                "dead letter: an event that the broker refused permanently",
                "dead letters: events that the broker refused permanently");
  fputs("<div class=\"tiles\">\n", out);
  html_text_share_tile(out, "success", project->figures.share);
  print_period_tile(out, "last 24 hours", &project->day);
  print_period_tile(out, "last 7 days", &project->week);
  print_agents_tile(out, project);
  report_section_print_numbers(out, &project->figures, &project->runs.names);
  print_events_tile(out, delivery);
  fputs("</div>\n", out);
}

/* The first agents that changed, as the report orders them; answers how many.  The list names them,
 * and the chart of all runs marks when. */
static size_t choose_changes(const struct report_project *project, size_t chosen[CHANGES_SHOWN]) {
  size_t count = 0;

  for (size_t i = 0; i < project->rows.count && count < CHANGES_SHOWN; i++)
    if (figures_change_score(&project->rows.list[i].answer.changes) != 0)
      chosen[count++] = i;
  return count;
}

static void print_change_item(FILE *out, const struct agent_row *row, bool linked) {
  const struct figures_changes *changes = &row->answer.changes;
  char text[FIGURES_CHANGE_MAX];

  figures_change_text(changes, figures_change_foremost(changes), text);
  fprintf(out, "<li class=\"%s\">", figures_change_score(changes) < 0 ? "bad" : "good");
  report_section_print_name(out, row, linked);
  putc(' ', out);
  html_text_print(out, text);
  fputs("</li>\n", out);
}

static void print_no_change(FILE *out, const struct report_project *project) {
  if (project->too_few == project->rows.count) {
    fputs("<p class=\"soft\">Too few runs to tell a change.</p>\n", out);
    return;
  }
  fputs("<p class=\"soft\">No agent has changed significantly", out);
  if (project->too_few > 0)
    fprintf(out, "; %zu %s too few runs to tell", project->too_few,
            project->too_few == 1 ? "has" : "have");
  fputs(".</p>\n", out);
}

/* The most important message. */
static void print_changes(FILE *out, const struct report_project *project, size_t linked) {
  size_t chosen[CHANGES_SHOWN], shown = choose_changes(project, chosen);
  size_t changed = report_project_changed(project);

  if (changed == 0) {
    print_no_change(out, project);
    return;
  }
  fputs("<ul class=\"changes\">\n", out);
  for (size_t i = 0; i < shown; i++)
    print_change_item(out, &project->rows.list[chosen[i]], chosen[i] < linked);
  if (changed > shown)
    fprintf(out, "<li class=\"soft\">and %zu more</li>\n", changed - shown);
  fputs("</ul>\n", out);
}

static void print_history(FILE *out, const struct report_project *project) {
  size_t chosen[CHANGES_SHOWN], count = choose_changes(project, chosen);
  int64_t changed_s[CHANGES_SHOWN];

  for (size_t i = 0; i < count; i++) {
    const struct figures_changes *changes = &project->rows.list[chosen[i]].answer.changes;

    changed_s[i] = changes->since_s[figures_change_foremost(changes)];
  }
  report_chart_history(out, runs_all(&project->runs), changed_s, count);
}

static void print_overview(FILE *out, const struct report_project *project, size_t linked) {
  if (project->rows.count == 0)
    fputs("<p>Nothing is recorded here yet.</p>\n", out);
  else
    print_changes(out, project, linked);
  print_tiles(out, project);
  if (project->rows.count < 2) /* the single section already says it */
    return;
  print_history(out, project);
  report_section_print_splits(out, &project->figures, &project->runs.names);
  fputs("<h2 id=\"all\">Agents, worst first</h2>\n", out);
  report_table_print(out, &project->rows, linked);
  if (linked < project->rows.count)
    fprintf(out,
            "<p class=\"soft\">Below are the worst %zu in full; kaizen-host show AGENT has any "
            "other.</p>\n",
            linked);
}

/* ---- agents in full -------------------------------------------------------------------------- */

/* It was readable a moment ago. */
static void print_missing_section(FILE *out, const struct agent_row *row,
                                  const struct problem *problem) {
  report_section_begin(out, row);
  fputs("\n<p class=\"warn\">", out);
  html_text_print(out, problem->text);
  fputs("</p>\n</section>\n", out);
}

/* As many agents as fit; answers how many. */
static size_t print_sections(FILE *out, const struct host *host, struct report_project *project,
                             long room) {
  struct report_reader reader = {.host = host};
  size_t count = 0;

  for (; count < project->rows.count; count++) {
    const struct agent_row *row = &project->rows.list[count];
    struct report_failures failures;
    struct agent_answer answer;
    struct problem problem;
    long before = ftell(out);

    if (report_reader_read(&reader, row, &project->rows.window, &answer, &failures, &problem) < 0) {
      unreadable_add(&project->rows.unreadable, row->root, row->agent, &problem);
      print_missing_section(out, row, &problem);
    } else {
      report_section_print(out, row, &answer, &failures);
      agent_answer_free(&answer);
    }
    if (ftell(out) > room) {
      fseek(out, before, SEEK_SET);
      break;
    }
  }
  report_reader_close(&reader);
  return count;
}

/* How long the page is without any agent in full. */
static long measure(const struct report_project *project) {
  char *text = NULL;
  size_t len = 0;
  FILE *out = open_memstream(&text, &len);

  if (!out)
    return -1;
  print_head(out, project);
  print_overview(out, project, project->rows.count);
  long measured = ftell(out);
  fclose(out);
  free(text);
  return measured;
}

int report_page_print(FILE *out, const struct host *host, struct report_project *project,
                      struct problem *problem) {
  char *sections = NULL;
  size_t len = 0;
  long used = measure(project);
  FILE *full = open_memstream(&sections, &len);

  if (used < 0 || !full)
    return problem_no_memory(problem);
  size_t linked = print_sections(full, host, project,
                                 REPORT_PAGE_BYTES_MAX - used - (long)strlen(report_assets_script));
  long end = ftell(full);
  if (fclose(full) != 0) {
    free(sections);
    return problem_no_memory(problem);
  }
  print_head(out, project);
  print_overview(out, project, linked);
  fwrite(sections, 1, (size_t)end, out);
  fprintf(out, "</main>\n<script>%s</script>\n</body>\n</html>\n", report_assets_script);
  free(sections);
  return 0;
}

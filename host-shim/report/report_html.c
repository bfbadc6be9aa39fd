/* report_html.c - one self-contained page about a project: no network, light and dark, fit to
 * print.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_html.h"

#include <inttypes.h>
#include <string.h>

#include "base/time_text.h"
#include "base/utf8_text.h"
#include "host/report_text.h"
#include "report/report_svg.h"

static const char page_head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n"
    "<style>\n"
    ":root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6676;--paper:#fff;--line:#d8dde5;"
    "--good:#1a7f4b;--bad:#c23b31;--mark:#2b62c4}\n"
    "@media screen and "
    "(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#9aa5b5;--paper:#14181f;"
    "--line:#323a47;--good:#4cc38a;--bad:#f0776c;--mark:#7aa7f5}}\n"
    "*{box-sizing:border-box}body{margin:0 auto;max-width:60rem;padding:1.2rem;font:16px/1.5 "
    "system-ui,sans-serif;color:var(--ink);background:var(--paper)}\n"
    "h1{font-size:1.5rem;margin:0;overflow-wrap:anywhere}h2{font-size:1.2rem;margin:2rem 0 .4rem;"
    "border-top:1px solid var(--line);padding-top:1.2rem;overflow-wrap:anywhere}"
    "h3{font-size:.95rem;margin:1rem 0 .2rem;color:var(--soft);font-weight:600}\n"
    ".soft{color:var(--soft);overflow-wrap:anywhere}.warn{color:var(--bad);font-weight:600}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:.6rem;"
    "margin:.6rem 0}\n"
    ".tile{border:1px solid var(--line);border-radius:.5rem;padding:.5rem .7rem}"
    ".tile b{display:block;font-size:1.3rem}.tile span{color:var(--soft);font-size:.85rem}\n"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}"
    "th,td{text-align:left;vertical-align:top;padding:.25rem 1rem .25rem 0;"
    "border-bottom:1px solid var(--line);overflow-wrap:anywhere}"
    "th{color:var(--soft);font-weight:600}time,.all th,.all td+td{white-space:nowrap}"
    ".failures th:first-child{width:10rem}\n"
    "@media(max-width:40rem){thead{display:none}tr{display:block;padding:.4rem 0;"
    "border-bottom:1px solid var(--line)}td{display:block;border:0;padding:0}"
    "td+td+td,time{color:var(--soft)}"
    ".all td+td{display:inline-block;padding-right:1rem;color:var(--soft)}"
    ".all .quality:not(:empty)::before{content:\"quality \"}"
    ".all .count::after{content:\" executions\"}}\n"
    "@media print{:root{color-scheme:light}body{max-width:none;padding:0}h2{break-after:avoid}"
    "figure,.tiles,tr{break-inside:avoid}}\n";

static void print_escaped(FILE *out, const char *text) {
  for (; *text != '\0'; text++) {
    switch (*text) {
    case '&':
      fputs("&amp;", out);
      break;
    case '<':
      fputs("&lt;", out);
      break;
    case '>':
      fputs("&gt;", out);
      break;
    case '"':
      fputs("&quot;", out);
      break;
    default: {
      char one[5] = "";
      size_t len = utf8_text_character(text);

      memcpy(one, text, len > 0 ? len : 1);
      utf8_text_print(out, one);
      text += len > 0 ? len - 1 : 0;
    }
    }
  }
}

static void print_tile(FILE *out, const char *value, const char *what) {
  fprintf(out, "<div class=\"tile\"><b>%s</b><span>%s</span></div>\n", value, what);
}

static void print_count_tile(FILE *out, uint64_t count, const char *what) {
  char text[32];

  snprintf(text, sizeof text, "%" PRIu64, count);
  print_tile(out, text, what);
}

static uint64_t sum_of(struct json_object *delivery, const char *name) {
  struct json_object *agents = report_text_member(delivery, "agents");
  uint64_t sum = 0;

  for (size_t i = 0;
       json_object_is_type(agents, json_type_array) && i < json_object_array_length(agents); i++)
    sum += report_text_count(json_object_array_get_idx(agents, i), name);
  return sum;
}

static void print_warning(FILE *out, uint64_t count, const char *what) {
  if (count > 0)
    fprintf(out, "<p class=\"warn\">%" PRIu64 " %s</p>\n", count, what);
}

static void print_time(FILE *out, const char *timestamp) {
  int64_t time_ns = 0;
  char text[TIME_TEXT_MAX];

  if (time_text_parse(timestamp, &time_ns) < 0) {
    print_escaped(out, timestamp);
    return;
  }
  time_text_format(time_ns, text);
  fprintf(out, "<time datetime=\"%s\">%.10s %.5s</time>", text, text, text + 11);
}

static void print_overview_row(FILE *out, struct json_object *agent) {
  struct json_object *trend = report_text_member(agent, "trend");
  const char *quality_trend = report_text_string(trend, "quality_score", "unknown");

  fputs("<tr><td>", out);
  print_escaped(out, report_text_string(agent, "agent", ""));
  fprintf(out, "</td><td class=\"count\">%" PRIu64 "</td><td>%.1f %%</td><td class=\"quality\">",
          report_text_count(agent, "execution_count"),
          report_text_number(agent, "success_rate", 0) * 100);
  if (strcmp(quality_trend, "unknown") != 0) /* else no record carries one */
    fprintf(out, "%.2f", report_text_number(agent, "avg_quality_score", 0));
  fputs("</td><td>", out);
  print_time(out, report_text_string(agent, "last_execution", ""));
  fputs("</td></tr>\n", out);
}

/* All agents at one look, when there is more than one. */
static void print_overview(FILE *out, struct json_object *agents) {
  size_t count =
      json_object_is_type(agents, json_type_array) ? json_object_array_length(agents) : 0;

  if (count == 0)
    fputs("<p>Nothing is recorded here yet.</p>\n", out);
  if (count < 2)
    return;
  fputs("<table class=\"all\">\n<thead><tr><th>agent</th><th>executions</th><th>succeeded</th>"
        "<th>mean quality</th><th>last execution (UTC)</th></tr></thead>\n<tbody>\n",
        out);
  for (size_t i = 0; i < count; i++)
    print_overview_row(out, json_object_array_get_idx(agents, i));
  fputs("</tbody>\n</table>\n", out);
}

void report_html_begin(FILE *out, struct json_object *delivery) {
  char now[TIME_TEXT_MAX];
  const char *project = report_text_string(delivery, "project", "");
  bool emits = json_object_get_boolean(report_text_member(delivery, "emit_event"));
  time_text_format(time_text_now_ns(), now);

  fputs(page_head, out);
  fputs(report_svg_style, out);
  fputs("</style>\n<title>Executions of ", out);
  print_escaped(out, project);
  fputs("</title>\n</head>\n<body>\n<header>\n<h1>", out);
  print_escaped(out, project);
  fputs("</h1>\n<p class=\"soft\">", out);
  print_escaped(out, report_text_string(delivery, "project_root", ""));
  fprintf(out, " · <time>%s</time></p>\n</header>\n<main>\n<div class=\"tiles\">\n", now);
  print_count_tile(out, sum_of(delivery, "execution_count"), "executions");
  print_count_tile(out, sum_of(delivery, "marked"), emits ? "events" : "events; emission is off");
  print_count_tile(out, sum_of(delivery, "acknowledged"), "acknowledged");
  print_count_tile(out, sum_of(delivery, "pending"), "pending");
  fputs("</div>\n", out);
  print_warning(out, sum_of(delivery, "held"),
                "events are held: the project was copied or restored");
  print_warning(out, sum_of(delivery, "dead_lettered"),
                "dead letters: events the broker refused for good");
  print_overview(out, report_text_member(delivery, "agents"));
}

static void print_summary(FILE *out, const struct kaizen_summary *summary,
                          struct json_object *delivery) {
  char text[TIME_TEXT_MAX + 8];
  fputs("<div class=\"tiles\">\n", out);
  print_count_tile(out, summary->execution_count, "executions");
  snprintf(text, sizeof text, "%.1f %%", summary->success_rate * 100);
  print_tile(out, text, "succeeded");
  if ((summary->flags & KAIZEN_SUMMARY_HAS_QUALITY) != 0) {
    snprintf(text, sizeof text, "%.2f", summary->avg_quality_score);
    print_tile(out, text, "mean quality");
  }
  if ((summary->flags & KAIZEN_SUMMARY_HAS_TIME) != 0) {
    time_text_duration(summary->avg_execution_time_s, text);
    print_tile(out, text, "mean duration");
  }
  if (report_text_count(delivery, "pending") > 0)
    print_count_tile(out, report_text_count(delivery, "pending"), "events pending");
  fputs("</div>\n", out);
}

static void print_failures(FILE *out, const struct report_data *data) {
  if (data->failure_count == 0)
    return;
  fputs("<h3>Last failures</h3>\n<table class=\"failures\">\n<thead><tr><th>ended "
        "(UTC)</th><th>reason</th>"
        "<th>session</th></tr></thead>\n<tbody>\n",
        out);
  for (size_t i = 0; i < data->failure_count; i++) {
    fputs("<tr><td>", out);
    print_time(out, data->failures[i].ended);
    fputs("</td><td>", out);
    print_escaped(out, data->failures[i].reason);
    fputs("</td><td>", out);
    print_escaped(out, data->failures[i].session_id);
    fputs("</td></tr>\n", out);
  }
  fputs("</tbody>\n</table>\n", out);
}

/* What the delivery report says of the agent, or NULL. */
static struct json_object *delivery_of(struct json_object *delivery, const char *agent) {
  struct json_object *agents = report_text_member(delivery, "agents");

  for (size_t i = 0;
       json_object_is_type(agents, json_type_array) && i < json_object_array_length(agents); i++) {
    struct json_object *entry = json_object_array_get_idx(agents, i);
    if (strcmp(report_text_string(entry, "agent", ""), agent) == 0)
      return entry;
  }
  return NULL;
}

/* What changed and since when; nothing where nothing did. */
static void print_changes(FILE *out, const struct figures_changes *changes) {
  char text[FIGURES_CHANGE_MAX];
  enum change_verdict verdict = changes->success.verdict;

  figures_change_text(changes, text);
  if (verdict == CHANGE_WORSE || verdict == CHANGE_BETTER)
    fprintf(out, "<p class=\"%s\">success %s</p>\n", verdict == CHANGE_WORSE ? "warn" : "soft",
            text);
  figures_quality_text(changes, text);
  if (text[0] != '\0')
    fprintf(out, "<p class=\"soft\">quality %s</p>\n", text);
  figures_duration_text(changes, text);
  if (text[0] != '\0')
    fprintf(out, "<p class=\"soft\">%s</p>\n", text);
}

void report_html_agent(FILE *out, struct json_object *delivery, const char *agent,
                       const struct report_data *data, const struct figures_changes *changes) {
  fputs("<section>\n<h2>", out);
  print_escaped(out, agent);
  fputs("</h2>\n", out);
  print_summary(out, &data->summary, delivery_of(delivery, agent));
  print_changes(out, changes);
  if (data->sample_count < data->summary.execution_count)
    fprintf(out, "<p class=\"soft\">Drawn are the last %zu executions.</p>\n", data->sample_count);
  report_svg_history(out, data);
  report_svg_durations(out, data);
  print_failures(out, data);
  fputs("</section>\n", out);
}

void report_html_end(FILE *out) {
  fputs("</main>\n</body>\n</html>\n", out);
}

/* report_chart.c - the report's pictures: SVG inside the page, stretched to its width, with labels
 * beside it that keep the size of text.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A picture is 100 units high, and one unit wide for each column. */
#include "report/report_chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/time_text.h"
#include "report/html_text.h"
#include "stats/ranks.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

/* ---- the axis of time ------------------------------------------------------------------------ */

enum { COLUMNS_MAX = 180, LABELS_MAX = 7 };
static const double LEAST_SHARE = 2; /* of a column's height: two points on a screen */
/* No run ended before this; a clock that says so was not set. */
static const int64_t EARLIEST_S = 946684800; /* 2000-01-01 */

struct column {
  size_t count, successes, quality_count;
  double quality, cost_usd; /* sums */
  double median_s;          /* of the durations that are known; NAN: none is */
  int64_t changed_s;        /* a change to be marked; 0: none */
};
struct axis {
  int64_t first_s, width_s; /* of the first column; of each */
  size_t count;
  struct column *columns;
  size_t left_out; /* runs whose time cannot be right */
  size_t largest;  /* number of runs in a column */
  double dearest;  /* cost of a column */
  double slowest;  /* median duration of a column; NAN: none is known */
  bool has_failures, has_quality, has_marks;
};

static int64_t round_down(int64_t time_s, int64_t width_s) {
  return time_s - time_s % width_s;
}

/* The narrowest columns of a familiar length, of which COLUMNS_MAX cover the span. */
static int64_t choose_width(int64_t span_s) {
  static const int64_t widths[] = {MINUTE,   5 * MINUTE, 15 * MINUTE, HOUR,
                                   3 * HOUR, 6 * HOUR,   12 * HOUR,   DAY,
                                   7 * DAY,  28 * DAY,   364 * DAY,   3640 * DAY};
  size_t i = 0;

  while (i + 1 < sizeof widths / sizeof *widths && span_s / widths[i] >= COLUMNS_MAX)
    i++;
  return widths[i];
}

static void add_run(struct axis *axis, const struct run *run) {
  struct column *column = &axis->columns[(run->ended_s - axis->first_s) / axis->width_s];

  column->count++;
  column->successes += run->success;
  axis->has_failures = axis->has_failures || !run->success;
  axis->largest = column->count > axis->largest ? column->count : axis->largest;
  if (!isnan(run->quality)) {
    column->quality += run->quality;
    column->quality_count++;
    axis->has_quality = true;
  }
  column->cost_usd += isnan(run->cost_usd) ? 0 : run->cost_usd;
  axis->dearest = column->cost_usd > axis->dearest ? column->cost_usd : axis->dearest;
}

/* The runs are in the order of time: those of a column stand together. */
static int add_medians(struct axis *axis, struct run_slice slice) {
  double *durations = calloc(slice.count, sizeof *durations);
  size_t run = 0;

  if (!durations)
    return -1;
  for (size_t i = 0; i < axis->count; i++) {
    struct column *column = &axis->columns[i];
    size_t known = 0;

    for (size_t end = run + column->count; run < end; run++)
      if (!isnan(slice.list[run].duration_s))
        durations[known++] = slice.list[run].duration_s;
    ranks_sort(durations, known);
    column->median_s = known > 0 ? ranks_quantile(durations, known, 0.5) : NAN;
    axis->slowest = fmax(axis->slowest, column->median_s);
  }
  free(durations);
  return 0;
}

/* -1: nothing to draw. */
static int make_axis(struct axis *axis, struct run_slice slice) {
  int64_t latest_s = time_text_now_ns() / 1000000000 + DAY;
  struct run_slice sound = runs_between(slice, EARLIEST_S, latest_s);

  *axis = (struct axis){.left_out = slice.count - sound.count, .slowest = NAN};
  if (sound.count < 2)
    return -1;
  int64_t first_s = sound.list[0].ended_s, last_s = sound.list[sound.count - 1].ended_s;
  axis->width_s = choose_width(last_s - first_s);
  axis->first_s = round_down(first_s, axis->width_s);
  axis->count = (size_t)((last_s - axis->first_s) / axis->width_s) + 1;
  axis->columns = calloc(axis->count, sizeof *axis->columns);
  for (size_t i = 0; axis->columns && i < sound.count; i++)
    add_run(axis, &sound.list[i]);
  if (axis->columns && add_medians(axis, sound) == 0)
    return 0;
  free(axis->columns);
  return -1;
}

static const char *width_text(const struct axis *axis, char out[TIME_TEXT_MAX]) {
  int64_t width = axis->width_s;

  if (width == MINUTE || width == HOUR || width == DAY)
    return width == MINUTE ? "minute" : width == HOUR ? "hour" : "day";
  if (width < DAY)
    snprintf(out, TIME_TEXT_MAX, "%d %s", (int)(width < HOUR ? width / MINUTE : width / HOUR),
             width < HOUR ? "minutes" : "hours");
  else
    snprintf(out, TIME_TEXT_MAX, "%d days", (int)(width / DAY));
  return out;
}

/* "Nov 20" below the axis, or "14:00" where days are too long a step. */
static void print_time_labels(FILE *out, const struct axis *axis) {
  static const int64_t steps[] = {5 * MINUTE, 15 * MINUTE, HOUR,     3 * HOUR, 6 * HOUR,
                                  12 * HOUR,  DAY,         2 * DAY,  7 * DAY,  14 * DAY,
                                  28 * DAY,   91 * DAY,    364 * DAY};
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  int64_t span_s = (int64_t)axis->count * axis->width_s, step_s = 3640 * DAY;
  char text[WINDOW_TIME_MAX];
  size_t labels = 0;

  for (size_t i = sizeof steps / sizeof *steps; i > 0; i--)
    if (span_s / steps[i - 1] < LABELS_MAX)
      step_s = steps[i - 1];
  for (int64_t time_s = round_down(axis->first_s + step_s - 1, step_s);
       time_s < axis->first_s + span_s; time_s += step_s) {
    double place = 100 * (double)(time_s - axis->first_s) / (double)span_s;

    window_time_text(time_s, text); /* 2026-11-20 14:00 UTC */
    int month = atoi(text + 5) - 1;
    bool at_end = place > 87; /* there it goes before its place: a step leaves room for two */
    if (month < 0 || month > 11)
      continue;
    fprintf(out, "<span class=\"x%s%s\" style=\"left:%.2f%%\">", at_end ? " end" : "",
            labels++ % 2 != 0 ? " second" : "", place); /* a phone has no room for every one */
    if (step_s < DAY && time_s % DAY != 0)
      fprintf(out, "%.5s</span>", text + 11);
    else if (step_s < 364 * DAY)
      fprintf(out, "%s %d</span>", months[month], atoi(text + 8));
    else
      fprintf(out, "%.7s</span>", text);
  }
  window_time_text(axis->first_s, text);
  if (labels == 0)
    fprintf(out, "<span class=\"x\" style=\"left:0\">%s</span>", text);
}

/* ---- success and quality --------------------------------------------------------------------- */

static void begin_plot(FILE *out, const char *class_name, const char *label, size_t width) {
  fprintf(out,
          "<div class=\"plot %s\" role=\"img\" aria-label=\"%s\">"
          "<svg viewBox=\"0 0 %zu 100\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\n",
          class_name, label, width);
}

static void print_grid(FILE *out, size_t width) {
  fputs("<path class=\"grid\" d=\"", out);
  for (int percent = 0; percent <= 100; percent += 25)
    fprintf(out, "M0 %dH%zu", percent, width);
  fputs("\"/>\n", out);
}

/* One failure of a thousand runs is still seen, and so is one success. */
static double height_of(const struct column *column) {
  double height = 100.0 * (double)column->successes / (double)column->count;

  if (column->successes > 0 && column->successes < column->count)
    height = fmin(fmax(height, LEAST_SHARE), 100 - LEAST_SHARE);
  return height;
}

/* Successes grow from below, failures hang from above: together they fill a column. */
static void print_outcomes(FILE *out, const struct axis *axis, bool failures) {
  bool any = false;

  for (size_t i = 0; i < axis->count; i++) {
    const struct column *column = &axis->columns[i];

    if (column->count == 0 || (failures ? column->successes == column->count : !column->successes))
      continue;
    if (!any)
      fprintf(out, "<path class=\"%s\" d=\"", failures ? "failure" : "success");
    fprintf(out, "M%zu %dV%.3gh.9V%dz", i, failures ? 0 : 100, 100 - height_of(column),
            failures ? 0 : 100);
    any = true;
  }
  if (any)
    fputs("\"/>\n", out);
}

static bool has_quality(const struct axis *axis, size_t i) {
  return i < axis->count && axis->columns[i].quality_count > 0;
}

/* A line through the middles of the columns, broken where one has none. */
static void print_quality(FILE *out, const struct axis *axis) {
  if (!axis->has_quality)
    return;
  fputs("<path class=\"quality\" d=\"", out);
  for (size_t i = 0; i < axis->count; i++) {
    const struct column *column = &axis->columns[i];

    if (!has_quality(axis, i))
      continue;
    bool joined = i > 0 && has_quality(axis, i - 1);
    double mean = column->quality / (double)column->quality_count;
    double y = 100 * (1 - (mean < 0 ? 0 : mean > 1 ? 1 : mean));
    if (joined)
      fprintf(out, "L%zu.45 %.3g", i, y);
    else if (has_quality(axis, i + 1))
      fprintf(out, "M%zu.45 %.3g", i, y);
    else
      fprintf(out, "M%zu %.3gh.9", i, y);
  }
  fputs("\"/>\n", out);
}

static void print_key(FILE *out, const char *class_name, const char *what) {
  fprintf(out, "<span class=\"key\"><i class=\"%s\"></i>%s</span> ", class_name, what);
}

/* Only what is drawn. */
static void print_legend(FILE *out, const struct axis *axis) {
  char width[TIME_TEXT_MAX];

  fprintf(out, "<figcaption><b>One column per %s</b> ", width_text(axis, width));
  print_key(out, "success", "succeeded");
  if (axis->has_failures)
    print_key(out, "failure", "failed");
  if (axis->has_quality)
    print_key(out, "quality", "mean quality");
  if (axis->has_marks)
    print_key(out, "mark", "changed");
  fputs("</figcaption>\n", out);
}

/* One a column: two would cover each other. */
static void mark_change(struct axis *axis, int64_t changed_s) {
  int64_t column = (changed_s - axis->first_s) / axis->width_s;

  if (changed_s < axis->first_s || column >= (int64_t)axis->count)
    return;
  axis->columns[column].changed_s = changed_s;
  axis->has_marks = true;
}

static void print_marks(FILE *out, const struct axis *axis) {
  if (!axis->has_marks)
    return;
  fputs("<path class=\"mark\" d=\"", out);
  for (size_t i = 0; i < axis->count; i++)
    if (axis->columns[i].changed_s != 0)
      fprintf(out, "M%.2f 0V100",
              (double)(axis->columns[i].changed_s - axis->first_s) / (double)axis->width_s);
  fputs("\"/>\n", out);
}

static void print_outcome_plot(FILE *out, const struct axis *axis) {
  begin_plot(out, "outcomes", "Share of the runs that succeeded, over time", axis->count);
  print_outcomes(out, axis, false);
  print_outcomes(out, axis, true);
  print_grid(out, axis->count);
  print_quality(out, axis);
  print_marks(out, axis);
  fputs("</svg>", out);
  for (int percent = 0; percent <= 100; percent += 25)
    fprintf(out, "<span class=\"y\" style=\"top:%d%%\">%d%%</span>", 100 - percent, percent);
  print_time_labels(out, axis);
  fputs("</div>\n", out);
}

/* ---- amounts below it ------------------------------------------------------------------------ */

static const double LEAST_HEIGHT = 5; /* even a very small amount stays visible */

/* NAN: nothing is drawn. */
static double runs_of(const struct column *column) {
  return column->count > 0 ? (double)column->count : NAN;
}

static double cost_of(const struct column *column) {
  return column->cost_usd > 0 ? column->cost_usd : NAN;
}

static double duration_of(const struct column *column) {
  return column->median_s;
}

static void print_strip(FILE *out, const struct axis *axis, const char *class_name,
                        const char *label, double largest, const char *largest_text,
                        double (*amount)(const struct column *)) {
  begin_plot(out, "strip", label, axis->count);
  fprintf(out, "<path class=\"%s\" d=\"", class_name);
  for (size_t i = 0; i < axis->count; i++)
    if (!isnan(amount(&axis->columns[i])))
      fprintf(out, "M%zu 100v%.3gh.9V100z", i,
              -fmax(LEAST_HEIGHT, 100 * (amount(&axis->columns[i]) / largest)));
  fprintf(out, "\"/>\n<path class=\"grid\" d=\"M0 100H%zu\"/></svg>", axis->count);
  fprintf(out, "<span class=\"y\" style=\"top:0\">%s</span><span class=\"what\">%s</span></div>\n",
          largest_text, label);
}

void report_chart_history(FILE *out, struct run_slice slice, const int64_t *changed_s,
                          size_t changed_count) {
  struct axis axis;
  char largest[HTML_TEXT_NUMBER_MAX], dearest[HTML_TEXT_NUMBER_MAX], slowest[TIME_TEXT_MAX];

  if (make_axis(&axis, slice) < 0)
    return;
  for (size_t i = 0; i < changed_count; i++)
    mark_change(&axis, changed_s[i]);
  fputs("<figure>\n", out);
  print_legend(out, &axis);
  print_outcome_plot(out, &axis);
  html_text_number((double)axis.largest, largest);
  print_strip(out, &axis, "runs", "runs", (double)axis.largest, largest, runs_of);
  html_text_usd(axis.dearest, dearest);
  if (axis.dearest > 0)
    print_strip(out, &axis, "cost", "cost", axis.dearest, dearest, cost_of);
  time_text_duration(axis.slowest, slowest);
  if (!isnan(axis.slowest))
    print_strip(out, &axis, "duration", "median time", axis.slowest, slowest, duration_of);
  if (axis.left_out > 0)
    fprintf(out, "<p class=\"soft\">Not drawn: %zu with a time that cannot be right.</p>\n",
            axis.left_out);
  fputs("</figure>\n", out);
  free(axis.columns);
}

/* ---- durations ------------------------------------------------------------------------------- */

enum { BINS = 12 };
struct bins {
  double low, ratio; /* bin i goes from low * ratio^i */
  size_t counts[BINS];
  size_t largest;
};

/* Durations spread over orders of magnitude: bins of equal ratio. */
static void fill_bins(const struct figures_spread *durations, struct bins *bins) {
  static const double LEAST_S = 0.001;
  double greatest = durations->max > LEAST_S ? durations->max : LEAST_S;

  *bins = (struct bins){.low = durations->sorted[0] > LEAST_S ? durations->sorted[0] : LEAST_S};
  double width = fmax(log(greatest) - log(bins->low), log(1.01)) / BINS; /* no quotient overflows */
  bins->ratio = exp(width);
  for (size_t i = 0; i < durations->count; i++) {
    double value = durations->sorted[i] > LEAST_S ? durations->sorted[i] : LEAST_S;
    double place = (log(value) - log(bins->low)) / width;
    size_t bin = place < 0 ? 0 : place >= BINS ? BINS - 1 : (size_t)place;

    if (++bins->counts[bin] > bins->largest)
      bins->largest = bins->counts[bin];
  }
}

static void print_bin_labels(FILE *out, const struct bins *bins) {
  char from[TIME_TEXT_MAX], last[TIME_TEXT_MAX] = "";

  for (size_t i = 0; i < BINS; i++) {
    double share = (double)bins->counts[i] / (double)bins->largest;

    if (bins->counts[i] > 0)
      fprintf(out, "<span class=\"count\" style=\"left:%.2f%%;bottom:%.1f%%\">%zu</span>",
              100 * ((double)i + 0.5) / BINS, 85 * share, bins->counts[i]);
    time_text_duration(bins->low * pow(bins->ratio, (double)i), from);
    if (i % 3 != 0 || strcmp(from, last) == 0)
      continue;
    fprintf(out, "<span class=\"x\" style=\"left:%.2f%%\">%s</span>", 100 * (double)i / BINS, from);
    strcpy(last, from);
  }
}

void report_chart_durations(FILE *out, const struct figures_spread *durations) {
  struct bins bins;

  if (durations->count < 2 || durations->max < durations->sorted[0] * 1.05)
    return; /* one duration is not a distribution; it is shown above */
  fill_bins(durations, &bins);
  fputs("<figure>\n<figcaption><b>How long runs took</b></figcaption>\n", out);
  begin_plot(out, "durations", "How many runs took how long", BINS);
  fputs("<path class=\"runs\" d=\"", out);
  for (size_t i = 0; i < BINS; i++)
    if (bins.counts[i] > 0)
      fprintf(out, "M%zu.02 100v%.3gh.96V100z", i,
              -85 * (double)bins.counts[i] / (double)bins.largest);
  fprintf(out, "\"/>\n<path class=\"grid\" d=\"M0 100H%d\"/></svg>", BINS);
  print_bin_labels(out, &bins);
  fputs("</div>\n</figure>\n", out);
}

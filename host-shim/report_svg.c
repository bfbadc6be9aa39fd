/* report_svg.c - the report's pictures, as SVG inside the page.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report_svg.h"

#include <math.h>

#include "time_text.h"

enum {
  WIDTH = 760,
  HEIGHT = 190,
  LEFT = 42,
  RIGHT = 8,
  TOP = 8,
  BOTTOM = 26,
  POINTS_MAX = 300, /* more cannot be told apart */
  ROLLING = 10,
  BINS = 12
};

static double x_of(size_t i, size_t count) {
  return LEFT + (double)(WIDTH - LEFT - RIGHT) * (double)i / (double)(count > 1 ? count - 1 : 1);
}

static double y_of(double share) {
  double capped = share < 0 ? 0 : share > 1 ? 1 : share;
  return TOP + (HEIGHT - TOP - BOTTOM) * (1 - capped);
}

static void begin_picture(FILE *out, const char *label) {
  fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", WIDTH, HEIGHT,
          label);
}

static void print_grid(FILE *out) {
  for (int percent = 0; percent <= 100; percent += 25)
    fprintf(out,
            "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
            "<text class=\"axis\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%d %%</text>\n",
            LEFT, WIDTH - RIGHT, y_of(percent / 100.0), y_of(percent / 100.0), LEFT - 5,
            y_of(percent / 100.0) + 4, percent);
}

static double rolling_success(const struct report_data *data, size_t i) {
  size_t first = i + 1 > ROLLING ? i + 1 - ROLLING : 0;
  size_t successes = 0;
  for (size_t j = first; j <= i; j++)
    successes += data->samples[j].success;
  return (double)successes / (double)(i + 1 - first);
}

/* Mean quality of the samples that stand for one point; negative when none has one. */
static double mean_quality(const struct report_data *data, size_t from, size_t to) {
  double sum = 0;
  size_t count = 0;
  for (size_t i = from; i < to; i++)
    if (data->samples[i].quality >= 0) {
      sum += data->samples[i].quality;
      count++;
    }
  return count > 0 ? sum / (double)count : -1;
}

static size_t step_of(const struct report_data *data) {
  return (data->sample_count + POINTS_MAX - 1) / POINTS_MAX;
}

static void print_success(FILE *out, const struct report_data *data) {
  fputs("<polyline class=\"series success\" points=\"", out);
  for (size_t i = 0; i < data->sample_count; i += step_of(data))
    fprintf(out, "%.1f,%.1f ", x_of(i, data->sample_count), y_of(rolling_success(data, i)));
  fputs("\"/>\n", out);
}

static void print_quality(FILE *out, const struct report_data *data) {
  size_t step = step_of(data);
  bool any = false;
  for (size_t i = 0; i < data->sample_count; i += step) {
    double quality =
        mean_quality(data, i, i + step < data->sample_count ? i + step : data->sample_count);
    if (quality < 0)
      continue;
    fprintf(out, "%s%.1f,%.1f ", any ? "" : "<polyline class=\"series quality\" points=\"",
            x_of(i, data->sample_count), y_of(quality));
    any = true;
  }
  if (any)
    fputs("\"/>\n", out);
}

static void print_failures(FILE *out, const struct report_data *data) {
  size_t last_drawn = data->sample_count;
  for (size_t i = 0; i < data->sample_count; i++) {
    if (data->samples[i].success ||
        (last_drawn < data->sample_count && i - last_drawn < step_of(data)))
      continue;
    fprintf(out, "<rect class=\"failed\" x=\"%.1f\" y=\"%d\" width=\"3\" height=\"5\"/>",
            x_of(i, data->sample_count) - 1.5, HEIGHT - BOTTOM + 1);
    last_drawn = i;
  }
  putc('\n', out);
}

void report_svg_history(FILE *out, const struct report_data *data) {
  begin_picture(out, "Success rate and quality over the recent executions");
  print_grid(out);
  print_success(out, data);
  print_quality(out, data);
  print_failures(out, data);
  fprintf(out,
          "<text class=\"axis\" x=\"%d\" y=\"%d\">%.10s</text>"
          "<text class=\"axis\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%.10s</text>\n</svg>\n",
          LEFT, HEIGHT - 6, data->samples[0].ended, WIDTH - RIGHT, HEIGHT - 6,
          data->samples[data->sample_count - 1].ended);
}

struct bins {
  double low, ratio; /* bin i goes from low * ratio^i */
  size_t counts[BINS];
  size_t largest, total;
};

/* Durations spread over orders of magnitude: bins of equal ratio. */
static void fill_bins(const struct report_data *data, struct bins *bins) {
  double least = INFINITY, greatest = 0;
  *bins = (struct bins){.low = 0};
  for (size_t i = 0; i < data->sample_count; i++) {
    double duration = data->samples[i].duration_s;
    if (duration < 0)
      continue;
    duration = duration < 0.001 ? 0.001 : duration;
    least = duration < least ? duration : least;
    greatest = duration > greatest ? duration : greatest;
    bins->total++;
  }
  bins->low = least;
  bins->ratio = pow(greatest / least > 1.01 ? greatest / least : 1.01, 1.0 / BINS);
  for (size_t i = 0; i < data->sample_count; i++) {
    double duration = data->samples[i].duration_s;
    if (duration < 0)
      continue;
    double place = log((duration < 0.001 ? 0.001 : duration) / least) / log(bins->ratio);
    size_t bin = place < 0 ? 0 : place >= BINS ? BINS - 1 : (size_t)place;
    if (++bins->counts[bin] > bins->largest)
      bins->largest = bins->counts[bin];
  }
}

void report_svg_durations(FILE *out, const struct report_data *data) {
  struct bins bins;
  const double width = (double)(WIDTH - LEFT - RIGHT) / BINS;
  char from[TIME_TEXT_MAX];
  fill_bins(data, &bins);
  if (bins.total == 0)
    return;
  fputs("<h3>Duration</h3>\n", out);
  begin_picture(out, "How long the recent executions took");
  for (size_t i = 0; i < BINS; i++) {
    double share = (double)bins.counts[i] / (double)bins.largest;
    double x = LEFT + width * (double)i;
    fprintf(out, "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
            x + 1, TOP + 14 + (HEIGHT - TOP - BOTTOM - 14) * (1 - share), width - 2,
            (HEIGHT - TOP - BOTTOM - 14) * share);
    if (bins.counts[i] > 0)
      fprintf(out, "<text class=\"axis\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%zu</text>",
              x + width / 2, TOP + 11 + (HEIGHT - TOP - BOTTOM - 14) * (1 - share), bins.counts[i]);
    time_text_duration(bins.low * pow(bins.ratio, (double)i), from);
    if (i % 3 == 0)
      fprintf(out, "<text class=\"axis\" x=\"%.1f\" y=\"%d\">%s</text>", x, HEIGHT - 8, from);
    putc('\n', out);
  }
  fputs("</svg>\n", out);
}

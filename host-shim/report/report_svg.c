/* report_svg.c - the report's pictures: SVG inside the page, stretched to its width, with labels
 * beside it that keep the size of text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_svg.h"

#include <math.h>
#include <string.h>

#include "base/time_text.h"

enum {
  WIDTH = 1000,     /* of the picture's own units; 100 high */
  POINTS_MAX = 300, /* more cannot be told apart */
  ROLLING = 10,
  BINS = 12
};

const char report_svg_style[] =
    "figure{margin:0;padding-bottom:1.4rem}figcaption{margin:1rem 0 "
    ".6rem;color:var(--soft);font-size:.95rem;"
    "font-weight:600}\n"
    ".plot{position:relative;height:11rem;margin:.8rem .4rem 1rem 3rem}"
    ".plot svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible}\n"
    ".plot span{position:absolute;font-size:.75rem;line-height:1;color:var(--soft);"
    "white-space:nowrap}\n"
    ".plot .y{right:100%;padding-right:.5rem;transform:translateY(-50%)}"
    ".plot .x{top:100%;padding-top:.7rem}.plot .end{right:0}"
    ".plot .count{transform:translateX(-50%);padding-bottom:.2rem}\n"
    ".line,.tick,.grid{fill:none;vector-effect:non-scaling-stroke}"
    ".line{stroke-width:2;stroke-linejoin:round}.tick{stroke:var(--bad);stroke-width:2}"
    ".grid{stroke:var(--line)}\n"
    ".success{stroke:var(--good)}.quality{stroke:var(--mark);stroke-dasharray:5 3}"
    ".bar{fill:var(--mark)}\n"
    ".key{white-space:nowrap;margin-right:1.2rem}.key i{display:inline-block;width:1.4em;"
    "margin-right:.4em;vertical-align:.25em;border-top:3px solid}\n"
    ".key .success{color:var(--good)}.key .quality{color:var(--mark);border-top-style:dashed}"
    ".key .tick{color:var(--bad);width:0;height:.6em;vertical-align:-.05em;border:1.5px solid}\n";

static double x_of(size_t i, size_t count) {
  return WIDTH * (double)i / (double)(count > 1 ? count - 1 : 1);
}

static double y_of(double share) {
  return 100 * (1 - (share < 0 ? 0 : share > 1 ? 1 : share));
}

/* Until the </svg> that ends it, and the </div></figure> behind the labels. */
static void begin_picture(FILE *out, const char *label, int width) {
  fprintf(out,
          "<div class=\"plot\" role=\"img\" aria-label=\"%s\">"
          "<svg viewBox=\"0 0 %d 100\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\n",
          label, width);
}

static void print_grid(FILE *out) {
  for (int percent = 0; percent <= 100; percent += 25)
    fprintf(out, "<path class=\"grid\" d=\"M0 %dH%d\"/>", percent, WIDTH);
  putc('\n', out);
}

static void print_percents(FILE *out) {
  for (int percent = 0; percent <= 100; percent += 25)
    fprintf(out, "<span class=\"y\" style=\"top:%d%%\">%d %%</span>", 100 - percent, percent);
}

static double success_of(const struct report_sample *sample) {
  return sample->success;
}

static double quality_of(const struct report_sample *sample) {
  return sample->quality;
}

static size_t step_of(const struct report_data *data) {
  return (data->sample_count + POINTS_MAX - 1) / POINTS_MAX;
}

/* How many executions a point is the mean of: in a long history all since the point before. */
static size_t window_of(const struct report_data *data) {
  return step_of(data) > ROLLING ? step_of(data) : ROLLING;
}

/* The mean over the window that ends with sample i; negative when none in it has a value. */
static double rolling_mean(const struct report_data *data, size_t i,
                           double (*value_of)(const struct report_sample *)) {
  double sum = 0;
  size_t count = 0;
  for (size_t j = i + 1 > window_of(data) ? i + 1 - window_of(data) : 0; j <= i; j++) {
    double value = value_of(&data->samples[j]);

    sum += value >= 0 ? value : 0;
    count += value >= 0;
  }
  return count > 0 ? sum / (double)count : -1;
}

/* A long history begins where a window is full: the mean over one or two swings too much. */
static void print_line(FILE *out, const struct report_data *data, const char *class_name,
                       double (*value_of)(const struct report_sample *)) {
  size_t count = data->sample_count;
  bool any = false;
  for (size_t i = count > 5 * ROLLING ? window_of(data) - 1 : 0; i < count; i += step_of(data)) {
    double mean = rolling_mean(data, i, value_of);

    if (mean < 0)
      continue;
    if (!any)
      fprintf(out, "<path class=\"line %s\" d=\"M", class_name);
    fprintf(out, "%s%.1f %.1f", any ? " " : "", x_of(i, count), y_of(mean));
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
    fprintf(out, "%s%.1f 101v4",
            last_drawn == data->sample_count ? "<path class=\"tick\" d=\"M" : "M",
            x_of(i, data->sample_count));
    last_drawn = i;
  }
  if (last_drawn < data->sample_count)
    fputs("\"/>\n", out);
}

/* The day, or nothing when the log has no readable time there. */
static void print_day(FILE *out, const char *class_name, const char *ended) {
  int64_t time_ns = 0;
  char day[TIME_TEXT_MAX] = "";

  if (time_text_parse(ended, &time_ns) == 0)
    time_text_format(time_ns, day);
  fprintf(out, "<span class=\"%s\">%.10s</span>", class_name, day);
}

void report_svg_history(FILE *out, const struct report_data *data) {
  if (data->sample_count < 2)
    return;
  fprintf(out,
          "<figure><figcaption><span class=\"key\"><i class=\"success\"></i>success rate</span> "
          "<span class=\"key\"><i class=\"quality\"></i>quality, both over the last %zu</span> "
          "<span class=\"key\"><i class=\"tick\"></i>a failure</span></figcaption>\n",
          window_of(data));
  begin_picture(out, "Success rate and quality over the recent executions", WIDTH);
  print_grid(out);
  print_line(out, data, "success", success_of);
  print_line(out, data, "quality", quality_of);
  print_failures(out, data);
  fputs("</svg>", out);
  print_percents(out);
  print_day(out, "x", data->samples[0].ended);
  print_day(out, "x end", data->samples[data->sample_count - 1].ended);
  fputs("</div></figure>\n", out);
}

struct bins {
  double low, ratio; /* bin i goes from low * ratio^i */
  size_t counts[BINS];
  size_t largest, total;
};

static double duration_of(const struct report_sample *sample) {
  return sample->duration_s >= 0 && sample->duration_s < 0.001 ? 0.001 : sample->duration_s;
}

/* Durations spread over orders of magnitude: bins of equal ratio. */
static void fill_bins(const struct report_data *data, struct bins *bins) {
  double least = INFINITY, greatest = 0;

  *bins = (struct bins){.low = 0};
  for (size_t i = 0; i < data->sample_count; i++) {
    double duration = duration_of(&data->samples[i]);

    if (duration < 0)
      continue;
    least = duration < least ? duration : least;
    greatest = duration > greatest ? duration : greatest;
    bins->total++;
  }
  bins->low = least;
  bins->ratio = pow(greatest / least > 1.01 ? greatest / least : 1.01, 1.0 / BINS);
  for (size_t i = 0; i < data->sample_count; i++) {
    double duration = duration_of(&data->samples[i]);

    if (duration < 0)
      continue;
    double place = log(duration / least) / log(bins->ratio);
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
              100 * ((double)i + 0.5) / BINS, 90 * share, bins->counts[i]);
    time_text_duration(bins->low * pow(bins->ratio, (double)i), from);
    if (i % 3 != 0 || strcmp(from, last) == 0)
      continue;
    fprintf(out, "<span class=\"x\" style=\"left:%.2f%%\">%s</span>", 100 * (double)i / BINS, from);
    strcpy(last, from);
  }
}

void report_svg_durations(FILE *out, const struct report_data *data) {
  struct bins bins;

  fill_bins(data, &bins);
  if (bins.total < 2) /* one duration is no distribution, and stands above */
    return;
  fputs("<figure><figcaption>Duration</figcaption>\n", out);
  begin_picture(out, "How long the recent executions took", BINS);
  for (size_t i = 0; i < BINS; i++) {
    double height = 90 * (double)bins.counts[i] / (double)bins.largest;

    fprintf(out, "<path class=\"bar\" d=\"M%.2f 100v%.1fh.96V100z\"/>", (double)i + 0.02, -height);
  }
  fprintf(out, "<path class=\"grid\" d=\"M0 100H%d\"/></svg>", BINS);
  print_bin_labels(out, &bins);
  fputs("</div></figure>\n", out);
}

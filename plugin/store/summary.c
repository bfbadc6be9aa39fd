/* summary.c - summary.json: the fold, in the form that readers expect.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/summary.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/directory.h"
#include "base/os_files.h"
#include "common/json_reader.h"
#include "common/json_writer.h"
#include "common/timestamp.h"

#define SPARE_FILE ".summary.new"
#define MEMBERS 6
#define TREND_THRESHOLD 0.05

/* A foreign log may hold numbers whose sum overflows; JSON cannot express infinity. */
static double finite_or_bound(double value) {
  if (isnan(value))
    return 0.0;
  return value > DBL_MAX ? DBL_MAX : value < -DBL_MAX ? -DBL_MAX : value;
}

static double mean(double sum, uint64_t count) {
  return count ? finite_or_bound(sum / (double)count) : 0.0;
}

double summary_success_rate(const struct fold *fold) {
  return mean((double)fold->successes, fold->execution_count);
}

double summary_average_quality(const struct fold *fold) {
  return mean(fold->quality_sum, fold->quality_count);
}

static double success_value(const struct fold *fold, uint64_t i) {
  return fold->success_ring[i % FOLD_RING];
}

static double quality_value(const struct fold *fold, uint64_t i) {
  return fold->quality_ring[i % FOLD_RING];
}

/* Mean of the values first..end-1 in log order, added left to right. */
static double mean_of(const struct fold *fold, double (*value)(const struct fold *, uint64_t),
                      uint64_t first, uint64_t end) {
  double sum = 0.0;
  uint64_t i;

  for (i = first; i < end; i++)
    sum += value(fold, i);
  return sum / (double)(end - first);
}

static int32_t trend_of(const struct fold *fold, double (*value)(const struct fold *, uint64_t),
                        uint64_t count, unsigned window) {
  uint64_t recent = count > window ? count - window : 0;
  uint64_t prior = recent > window ? recent - window : 0;
  double change;

  if (count == 0)
    return KAIZEN_TREND_UNKNOWN;
  if (recent == 0)
    return KAIZEN_TREND_STABLE;
  change = mean_of(fold, value, recent, count) - mean_of(fold, value, prior, recent);
  if (!(fabs(change) >= TREND_THRESHOLD))
    return KAIZEN_TREND_STABLE;
  return change > 0 ? KAIZEN_TREND_UP : KAIZEN_TREND_DOWN;
}

void summary_of(const struct fold *fold, unsigned window, struct summary *summary) {
  *summary = (struct summary){
      .execution_count = fold->execution_count,
      .success_rate = summary_success_rate(fold),
      .avg_quality_score = summary_average_quality(fold),
      .avg_execution_time_s = mean(fold->time_sum, fold->time_count),
      .has_quality = fold->quality_count > 0,
      .has_time = fold->time_count > 0,
      .last_execution_s = fold->last_execution_s,
      .trend_success_rate = trend_of(fold, success_value, fold->execution_count, window),
      .trend_quality_score = trend_of(fold, quality_value, fold->quality_count, window),
  };
}

const char *summary_trend_name(int32_t trend) {
  static const char *const names[] = {
      [KAIZEN_TREND_UNKNOWN] = "unknown",
      [KAIZEN_TREND_STABLE] = "stable",
      [KAIZEN_TREND_UP] = "up",
      [KAIZEN_TREND_DOWN] = "down",
  };

  return names[trend];
}

void summary_append_json(const struct summary *summary, struct buffer *out) {
  char timestamp[TIMESTAMP_TEXT_SIZE];

  buffer_append_text(out, "{\n  \"execution_count\": ");
  json_writer_integer(out, (int64_t)summary->execution_count);
  buffer_append_text(out, ",\n  \"success_rate\": ");
  json_writer_double(out, summary->success_rate);
  buffer_append_text(out, ",\n  \"avg_quality_score\": ");
  json_writer_double(out, summary->avg_quality_score);
  buffer_append_text(out, ",\n  \"avg_execution_time_s\": ");
  json_writer_double(out, summary->avg_execution_time_s);
  buffer_append_text(out, ",\n  \"trend\": {\n    \"success_rate\": \"");
  buffer_append_text(out, summary_trend_name(summary->trend_success_rate));
  buffer_append_text(out, "\",\n    \"quality_score\": \"");
  buffer_append_text(out, summary_trend_name(summary->trend_quality_score));
  buffer_append_text(out, "\"\n  },\n  \"last_execution\": ");
  if (summary->last_execution_s < 0) {
    buffer_append_text(out, "null");
  } else {
    timestamp_format(summary->last_execution_s, timestamp);
    buffer_append_byte(out, '"');
    buffer_append_text(out, timestamp);
    buffer_append_byte(out, '"');
  }
  buffer_append_text(out, "\n}\n");
}

/* Always a new inode: a reader that holds the old document open must never see it change. */
static int open_spare(int agent_fd, struct error *error) {
  int fd = os_files_make(agent_fd, SPARE_FILE, 0600);

  if (fd < 0 && errno == EEXIST && unlinkat(agent_fd, SPARE_FILE, 0) == 0)
    fd = os_files_make(agent_fd, SPARE_FILE, 0600);
  if (fd < 0)
    (void)error_set_errno(error, KAIZEN_E_IO, errno, SPARE_FILE ": cannot create");
  return fd;
}

int summary_replace(int agent_fd, bool shared, struct span text, struct error *error) {
  int fd = open_spare(agent_fd, error);
  int result = 0;

  if (fd < 0)
    return -1;
  if (shared && fchmod(fd, 0660) != 0)
    result = error_set_errno(error, KAIZEN_E_IO, errno, "cannot be made accessible to its group");
  if (result == 0)
    result = directory_write_at(fd, text.ptr, text.len, 0, error);
  if (result != 0)
    error_prefix(error, SPARE_FILE);
  (void)close(fd);
  if (result == 0)
    result = directory_replace_file(agent_fd, SPARE_FILE, SUMMARY_FILE, error);
  if (result != 0)
    (void)unlinkat(agent_fd, SPARE_FILE, 0);
  return result;
}

/* ---- another text against it ----------------------------------------------------------------- */

static bool number_is(const struct json_member *member, double expected) {
  return member->value.type == JSON_NUMBER && json_value_number(member->value) == expected;
}

static bool text_is(struct json_value value, const char *expected) {
  return value.type == JSON_STRING && value.raw.len == strlen(expected) + 2 &&
         memcmp(value.raw.ptr + 1, expected, value.raw.len - 2) == 0;
}

static bool trend_is(struct json_value value, const struct summary *summary) {
  struct json_reader cursor;
  struct json_member member;
  unsigned right = 0;

  if (json_reader_open(&cursor, value.raw, JSON_LENIENT, JSON_DEPTH_MAX, NULL) != 0)
    return false;
  while (json_reader_next(&cursor, &member, NULL) == 1)
    right += (json_value_is_named(&member, "success_rate") &&
              text_is(member.value, summary_trend_name(summary->trend_success_rate))) ||
             (json_value_is_named(&member, "quality_score") &&
              text_is(member.value, summary_trend_name(summary->trend_quality_score)));
  return right == 2;
}

static bool last_execution_is(struct json_value value, const struct summary *summary) {
  char timestamp[TIMESTAMP_TEXT_SIZE];

  if (summary->last_execution_s < 0)
    return value.type == JSON_NULL;
  timestamp_format(summary->last_execution_s, timestamp);
  return text_is(value, timestamp);
}

static bool is_known(const struct json_member *member) {
  static const char *const names[MEMBERS] = {
      "execution_count",      "success_rate", "avg_quality_score",
      "avg_execution_time_s", "trend",        "last_execution"};
  size_t i;

  for (i = 0; i < MEMBERS && !json_value_is_named(member, names[i]);)
    i++;
  return i < MEMBERS;
}

const char *summary_compare(struct span text, const struct summary *summary) {
  struct json_reader cursor;
  struct json_member member;
  unsigned known = 0;
  int more;

  if (json_reader_open(&cursor, text, JSON_LENIENT, JSON_DEPTH_MAX, NULL) != 0)
    return "is not a JSON object";
  while ((more = json_reader_next(&cursor, &member, NULL)) == 1) {
    known += is_known(&member);
    if (json_value_is_named(&member, "execution_count") &&
        !number_is(&member, (double)summary->execution_count))
      return "execution_count differs";
    if (json_value_is_named(&member, "success_rate") && !number_is(&member, summary->success_rate))
      return "success_rate differs";
    if (json_value_is_named(&member, "avg_quality_score") &&
        !number_is(&member, summary->avg_quality_score))
      return "avg_quality_score differs";
    if (json_value_is_named(&member, "avg_execution_time_s") &&
        !number_is(&member, summary->avg_execution_time_s))
      return "avg_execution_time_s differs";
    if (json_value_is_named(&member, "trend") && !trend_is(member.value, summary))
      return "trend differs";
    if (json_value_is_named(&member, "last_execution") && !last_execution_is(member.value, summary))
      return "last_execution differs";
  }
  return more != 0 ? "is not a JSON object" : known >= MEMBERS ? "ok" : "lacks members";
}

/* runs.c - an agent's runs as numbers, in the order of time, read through kaizen.query/1.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Records are read in place (report/record_members.h): a tree of each line of a long log would cost
 * ten times as much. */
#include "report/runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/timestamp.h"
#include "report/agent_history.h"
#include "report/record_members.h"

enum { UNKNOWN_S = -1 };
enum { NAME_MAX_BYTES = 256 }; /* some hosts put a whole stack trace where a reason belongs */

struct taking { /* the lines of one agent becoming runs */
  struct runs *runs;
  const char *group_key;
  struct run_lines *lines; /* NULL: none is wanted */
  int64_t previous_s;
  bool no_memory;
};

static double count_of(const struct json_value *value) {
  double number = record_members_number(value);

  return number >= 0 ? number : NAN;
}

/* A decoded string, or the text of any other plain value; cut to what a table can show. */
static uint32_t name_of(struct taking *taking, const struct json_value *value) {
  char text[NAME_MAX_BYTES + 1]; /* the byte after a cut tells whether it is between characters */
  struct span span = {text, 0};

  if (!value->raw.ptr || value->type == JSON_NULL || value->type == JSON_ARRAY ||
      value->type == JSON_OBJECT)
    return 0;
  if (value->type != JSON_STRING)
    span = value->raw;
  else if (!memchr(value->raw.ptr, '\\', value->raw.len))
    span = (struct span){value->raw.ptr + 1, value->raw.len - 2};
  else
    span.len = json_value_decode_bounded(*value, text, sizeof text);
  if (span.len > NAME_MAX_BYTES)
    for (span.len = NAME_MAX_BYTES; span.len > 0 && (span.ptr[span.len] & 0xC0) == 0x80;)
      span.len--;
  if (memchr(span.ptr, '\0', span.len))
    span.len = strlen(span.ptr);
  uint32_t number = names_number(&taking->runs->names, span);
  taking->no_memory = taking->no_memory || number == UINT32_MAX;
  return number;
}

static void take_metadata(struct taking *taking, struct span text, struct run *run) {
  struct json_value model = {0}, cost = {0}, in = {0}, out = {0}, error = {0}, outcome = {0},
                    group = {0};
  const struct record_member wanted[] = {
      {"model", &model},           {"cost_usd", &cost},    {"input_tokens", &in},
      {"output_tokens", &out},     {"error_type", &error}, {"outcome", &outcome},
      {taking->group_key, &group},
  };

  record_members_find(text, wanted, sizeof wanted / sizeof *wanted);
  run->model = name_of(taking, &model);
  run->cost_usd = count_of(&cost);
  if (isnan(run->tokens) && (in.raw.ptr || out.raw.ptr)) {
    double in_count = count_of(&in), out_count = count_of(&out);

    run->tokens = isnan(in_count) ? out_count : isnan(out_count) ? in_count : in_count + out_count;
  }
  run->reason = run->success ? 0 : name_of(taking, &error);
  if (!run->success && run->reason == 0)
    run->reason = name_of(taking, &outcome);
  if (run->group == 0)
    run->group = name_of(taking, &group);
}

static void take_primary(struct taking *taking, struct span text, struct run *run) {
  struct json_value name = {0}, value = {0}, target = {0};
  const struct record_member wanted[] = {{"name", &name}, {"value", &value}, {"target", &target}};

  record_members_find(text, wanted, sizeof wanted / sizeof *wanted);
  run->primary_name = name_of(taking, &name);
  run->primary = record_members_number(&value);
  run->primary_target = record_members_number(&target);
}

static void take_run(struct taking *taking, struct span line, struct run *run) {
  struct json_value timestamp = {0}, success = {0}, time = {0}, quality = {0}, tokens = {0},
                    metadata = {0}, primary = {0}, group = {0};
  const struct record_member wanted[] = {
      {"timestamp", &timestamp},    {"success", &success},       {"execution_time_s", &time},
      {"quality_score", &quality},  {"tokens", &tokens},         {"metadata", &metadata},
      {"primary_metric", &primary}, {taking->group_key, &group},
  };

  *run = (struct run){
      .ended_s = taking->previous_s, .cost_usd = NAN, .primary = NAN, .primary_target = NAN};
  record_members_find(line, wanted, sizeof wanted / sizeof *wanted);
  if (timestamp.raw.ptr && timestamp.type == JSON_STRING) {
    char text[RECORD_TIME_MAX];

    record_members_text(&timestamp, text, sizeof text);
    if (timestamp_parse((struct span){text, strlen(text)}, &run->ended_s) != 0)
      run->ended_s = taking->previous_s;
  }
  taking->previous_s = run->ended_s;
  run->success = success.type == JSON_TRUE;
  run->duration_s = count_of(&time);
  run->quality = record_members_number(&quality);
  run->tokens = count_of(&tokens);
  run->group = name_of(taking, &group);
  if (metadata.raw.ptr)
    take_metadata(taking, metadata.raw, run);
  if (primary.raw.ptr)
    take_primary(taking, primary.raw, run);
}

static int make_room(struct runs *runs, size_t more) {
  size_t room = runs->room == 0 ? 64 : runs->room;

  while (room < runs->count + more)
    room *= 2;
  if (room == runs->room)
    return 0;
  struct run *list = reallocarray(runs->list, room, sizeof *list);
  if (!list)
    return -1;
  runs->list = list;
  runs->room = room;
  return 0;
}

static int32_t take_line(void *ctx, const char *data, size_t len) {
  struct taking *taking = ctx;
  struct runs *runs = taking->runs;

  if (make_room(runs, 1) < 0) {
    taking->no_memory = true;
    return -1;
  }
  struct run *run = &runs->list[runs->count];
  take_run(taking, (struct span){data, len - 1}, run);
  run->place = runs->count++;
  if (taking->lines && run_lines_add(taking->lines, run->ended_s, run->place, run->success,
                                     (struct span){data, len - 1}) < 0)
    taking->no_memory = true;
  return taking->no_memory ? -1 : 0;
}

static int compare_runs(const void *one, const void *other) {
  const struct run *a = one, *b = other;

  if (a->ended_s != b->ended_s)
    return a->ended_s < b->ended_s ? -1 : 1;
  return (a->place > b->place) - (a->place < b->place);
}

/* Runs are nearly always in order already; a run that was recorded late is moved to its place. */
void runs_sort(struct runs *runs) {
  for (size_t i = 1; i < runs->count; i++)
    if (runs->list[i - 1].ended_s > runs->list[i].ended_s) {
      qsort(runs->list, runs->count, sizeof *runs->list, compare_runs);
      return;
    }
}

/* Runs without a time before the first that has one: they ended no later. */
static void date_first(struct runs *runs) {
  size_t dated = 0;

  while (dated < runs->count && runs->list[dated].ended_s == UNKNOWN_S)
    dated++;
  for (size_t i = 0; dated < runs->count && i < dated; i++)
    runs->list[i].ended_s = runs->list[dated].ended_s;
}

int runs_read(struct session *session, const char *agent, const char *group_key, struct runs *runs,
              struct problem *problem) {
  return runs_read_lines(session, agent, group_key, runs, NULL, problem);
}

int runs_read_lines(struct session *session, const char *agent, const char *group_key,
                    struct runs *runs, struct run_lines *lines, struct problem *problem) {
  const struct kaizen_query_1 *query = session_extension(session, KAIZEN_QUERY_1, problem);
  const struct kaizen_query all = {.struct_size = sizeof all, .agent = session_text(agent)};
  struct kaizen_query_result answer = {.struct_size = sizeof answer};
  struct taking taking = {
      .runs = runs, .group_key = group_key, .lines = lines, .previous_s = UNKNOWN_S};

  *runs = (struct runs){.list = NULL};
  if (!query)
    return -1;
  int32_t code = query->records(session->instance, &all, take_line, &taking, &answer);
  if (code == KAIZEN_OK) {
    date_first(runs);
    if (lines)
      run_lines_finish(lines, runs->count > 0 ? runs->list[0].ended_s : UNKNOWN_S);
    runs_sort(runs);
    return 0;
  }
  runs_free(runs);
  if (lines)
    run_lines_free(lines);
  if (taking.no_memory)
    return problem_no_memory(problem);
  if (code == KAIZEN_E_REJECTED)
    return agent_history_unknown(session, agent, problem);
  return problem_about(problem, problem_exit_code(code), agent,
                       answer.reason[0] != '\0' ? answer.reason : "its log cannot be read");
}

void runs_free(struct runs *runs) {
  names_free(&runs->names);
  free(runs->list);
  *runs = (struct runs){.list = NULL};
}

static int take_over_name(struct runs *runs, const struct names *names, uint32_t *number) {
  const char *text = names_text(names, *number);

  *number = names_number(&runs->names, (struct span){text, strlen(text)});
  return *number == UINT32_MAX ? -1 : 0;
}

int runs_append(struct runs *runs, const struct names *names, struct run_slice slice) {
  if (make_room(runs, slice.count) < 0)
    return -1;
  for (size_t i = 0; i < slice.count; i++) {
    struct run *run = &runs->list[runs->count];

    *run = slice.list[i];
    run->place = runs->count;
    if (take_over_name(runs, names, &run->model) < 0 ||
        take_over_name(runs, names, &run->reason) < 0 ||
        take_over_name(runs, names, &run->primary_name) < 0 ||
        take_over_name(runs, names, &run->group) < 0)
      return -1;
    runs->count++;
  }
  return 0;
}

struct run_slice runs_all(const struct runs *runs) {
  return (struct run_slice){runs->list, runs->count};
}

/* The first that ended at or after that time. */
static size_t find_time(struct run_slice slice, int64_t time_s) {
  size_t low = 0, high = slice.count;

  while (low < high) {
    size_t middle = low + (high - low) / 2;

    if (slice.list[middle].ended_s < time_s)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

struct run_slice runs_between(struct run_slice slice, int64_t since_s, int64_t until_s) {
  size_t first = find_time(slice, since_s), end = find_time(slice, until_s);

  return (struct run_slice){slice.list + first, end > first ? end - first : 0};
}

struct run_slice runs_last(struct run_slice slice, uint64_t count) {
  if (count >= slice.count)
    return slice;
  return (struct run_slice){slice.list + (slice.count - (size_t)count), (size_t)count};
}

/* What has no time is in no range of times. */
void runs_window_times(const struct window *window, int64_t *since_s, int64_t *until_s) {
  *since_s = window->has_since ? window->since_s : window->has_until ? 0 : INT64_MIN;
  *until_s = window->has_until ? window->until_s : INT64_MAX;
}

struct run_slice runs_in_window(const struct runs *runs, const struct window *window) {
  int64_t since_s, until_s;

  runs_window_times(window, &since_s, &until_s);
  struct run_slice slice = runs_between(runs_all(runs), since_s, until_s);

  return window->last > 0 ? runs_last(slice, window->last) : slice;
}

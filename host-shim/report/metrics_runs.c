/* metrics_runs.c - the figures of runs as metrics: outcomes, durations, tokens, cost, changes.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Gauges, and a histogram of what the log holds now: retention removes records, and Prometheus
 * takes a counter that falls for one that was reset. */
#include "report/metrics_runs.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/time_text.h"
#include "host/report_text.h"
#include "report/agent_history.h"
#include "report/metrics_text.h"

static const double bounds_s[] = {1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200};
enum { BOUNDS = sizeof bounds_s / sizeof *bounds_s };

struct metrics_agent {
  char *name;
  struct agent_answer answer;
  uint64_t not_over[BOUNDS]; /* runs that took no longer than the bound */
};

static void count_durations(struct metrics_agent *agent) {
  const struct figures_spread *durations = &agent->answer.figures.duration_s;

  for (size_t bound = 0, i = 0; bound < BOUNDS; bound++) {
    while (i < durations->count && durations->sorted[i] <= bounds_s[bound])
      i++;
    agent->not_over[bound] = i;
  }
}

struct reading {
  struct metrics_runs *runs;
  struct session *session;
  const struct window *window;
  struct unreadable *unreadable;
};

static int read_agent(void *ctx, const char *name, struct problem *problem) {
  struct reading *reading = ctx;
  struct metrics_runs *runs = reading->runs;

  if (runs->count == runs->room) {
    size_t room = runs->room == 0 ? 16 : runs->room * 2;
    struct metrics_agent *list = reallocarray(runs->list, room, sizeof *list);

    if (!list)
      return problem_no_memory(problem);
    runs->list = list;
    runs->room = room;
  }
  struct metrics_agent *agent = &runs->list[runs->count];
  *agent = (struct metrics_agent){.name = strdup(name)};
  if (!agent->name)
    return problem_no_memory(problem);
  if (agent_answer_read(reading->session, name, reading->window, &agent->answer, problem) < 0) {
    free(agent->name);
    unreadable_add(reading->unreadable, runs->root, name, problem);
    return 0;
  }
  count_durations(agent);
  agent_answer_forget_runs(&agent->answer);
  runs->count++;
  return 0;
}

int metrics_runs_read(struct metrics_runs *runs, struct session *session,
                      const struct window *window, struct unreadable *unreadable,
                      struct problem *problem) {
  struct reading reading = {runs, session, window, unreadable};

  return agent_history_each(session, read_agent, &reading, problem);
}

void metrics_runs_begin_sample(FILE *out, const char *name, const struct metrics_runs *runs,
                               const char *agent) {
  fprintf(out, "%s{", name);
  if (runs->root)
    metrics_text_label(out, "root", runs->root, ",");
  metrics_text_label(out, "project", runs->project, ",");
  metrics_text_label(out, "agent", agent, "");
}

static void print_sample(FILE *out, const char *name, const struct metrics_runs *runs,
                         const struct metrics_agent *agent, const char *label, const char *value,
                         double number) {
  metrics_runs_begin_sample(out, name, runs, agent->name);
  if (label) {
    putc(',', out);
    metrics_text_label(out, label, value, "");
  }
  fputs("} ", out);
  metrics_text_value(out, number);
}

static void print_outcomes(FILE *out, const struct metrics_runs *runs) {
  static const char name[] = "kaizen_runs";

  for (size_t i = 0; i < runs->count; i++) {
    struct share share = runs->list[i].answer.figures.share;

    print_sample(out, name, runs, &runs->list[i], "outcome", "success", (double)share.successes);
    print_sample(out, name, runs, &runs->list[i], "outcome", "failure",
                 (double)(share.count - share.successes));
  }
}

static void print_durations(FILE *out, const struct metrics_runs *runs) {
  static const char bucket[] = "kaizen_execution_duration_seconds_bucket";
  char bound[32];

  for (size_t i = 0; i < runs->count; i++) {
    const struct metrics_agent *agent = &runs->list[i];
    const struct figures_spread *durations = &agent->answer.figures.duration_s;

    for (size_t at = 0; at < BOUNDS; at++) {
      snprintf(bound, sizeof bound, "%.0f", bounds_s[at]);
      print_sample(out, bucket, runs, agent, "le", bound, (double)agent->not_over[at]);
    }
    print_sample(out, bucket, runs, agent, "le", "+Inf", (double)durations->count);
    print_sample(out, "kaizen_execution_duration_seconds_sum", runs, agent, NULL, "",
                 durations->sum);
    print_sample(out, "kaizen_execution_duration_seconds_count", runs, agent, NULL, "",
                 (double)durations->count);
  }
}

static double success_of(const struct agent_answer *answer) {
  return answer->figures.share.count > 0 ? share_rate(answer->figures.share) : NAN;
}
static double quality_of(const struct agent_answer *answer) {
  return answer->figures.quality.count > 0 ? answer->figures.quality.mean : NAN;
}
static double duration_of(const struct agent_answer *answer) {
  return answer->figures.duration_s.count > 0 ? answer->figures.duration_s.mean : NAN;
}
static double tokens_of(const struct agent_answer *answer) {
  return answer->figures.tokens.count > 0 ? answer->figures.tokens.sum : NAN;
}
static double cost_of(const struct agent_answer *answer) {
  return answer->figures.cost_usd.count > 0 ? answer->figures.cost_usd.sum : NAN;
}
static double last_20_of(const struct agent_answer *answer) {
  return answer->last_20.count > 0 ? share_rate(answer->last_20) : NAN;
}
static double week_of(const struct agent_answer *answer) {
  return answer->last_7_days.count > 0 ? share_rate(answer->last_7_days) : NAN;
}
static double failures_of(const struct agent_answer *answer) {
  return (double)answer->figures.failures_now;
}
static double change_of(const struct agent_answer *answer, enum figures_aspect aspect) {
  enum change_verdict verdict = figures_change_verdict(&answer->changes, aspect);

  return verdict == CHANGE_TOO_FEW ? NAN : verdict == CHANGE_WORSE ? -1 : verdict == CHANGE_BETTER;
}
static double changed_at(const struct agent_answer *answer, enum figures_aspect aspect) {
  int64_t since_s = answer->changes.since_s[aspect];

  return since_s >= 0 ? (double)since_s : NAN;
}
static const struct {
  const char *name, *help;
  double (*value)(const struct agent_answer *answer); /* NAN: no sample */
  double (*change)(const struct agent_answer *answer, enum figures_aspect aspect); /* else this */
  enum figures_aspect aspect;
} gauges[] = {
    {"kaizen_success_ratio", "Share of the runs that succeeded.", .value = success_of},
    {"kaizen_quality_score", "Mean quality of those that carry one, 0 to 1.", .value = quality_of},
    {"kaizen_execution_duration_mean_seconds", "Mean duration of those that carry one.",
     .value = duration_of},
    {"kaizen_tokens", "Tokens of the runs that have them.", .value = tokens_of},
    {"kaizen_cost_usd", "Cost in US dollars of the runs that have one.", .value = cost_of},
    {"kaizen_recent_success_ratio", "Share of the last 20 runs that succeeded.",
     .value = last_20_of},
    {"kaizen_week_success_ratio", "Share of the runs of the last 7 days that succeeded.",
     .value = week_of},
    {"kaizen_failures_in_a_row", "Failures since the last success.", .value = failures_of},
    {"kaizen_success_change",
     "-1 worse, 1 better, 0 no significant change; absent with too few runs.", .change = change_of,
     .aspect = FIGURES_SUCCESS},
    {"kaizen_success_changed_timestamp_seconds", "When that change began.", .change = changed_at,
     .aspect = FIGURES_SUCCESS},
    {"kaizen_quality_change",
     "-1 lower, 1 higher, 0 no significant change; absent where too few runs carry a quality.",
     .change = change_of, .aspect = FIGURES_QUALITY},
    {"kaizen_quality_changed_timestamp_seconds", "When that change began.", .change = changed_at,
     .aspect = FIGURES_QUALITY},
    {"kaizen_duration_change",
     "-1 slower, 1 faster, 0 no significant change; absent where too few runs carry a duration.",
     .change = change_of, .aspect = FIGURES_DURATION},
    {"kaizen_duration_changed_timestamp_seconds", "When that change began.", .change = changed_at,
     .aspect = FIGURES_DURATION},
    {"kaizen_cost_change",
     "-1 more expensive, 1 cheaper, 0 no significant change; absent where too few runs carry a "
     "cost.",
     .change = change_of, .aspect = FIGURES_COST},
    {"kaizen_cost_changed_timestamp_seconds", "When that change began.", .change = changed_at,
     .aspect = FIGURES_COST},
};

void metrics_runs_print(FILE *out, const struct metrics_runs *projects, size_t count) {
  metrics_text_begin(out, "kaizen_runs", "gauge", "Runs in the agent's log by outcome.");
  for (size_t i = 0; i < count; i++)
    print_outcomes(out, &projects[i]);
  metrics_text_begin(out, "kaizen_execution_duration_seconds", "histogram",
                     "Durations of the runs in the log that have one.");
  for (size_t i = 0; i < count; i++)
    print_durations(out, &projects[i]);
  for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++) {
    metrics_text_begin(out, gauges[i].name, "gauge", gauges[i].help);
    for (size_t project = 0; project < count; project++)
      for (size_t at = 0; at < projects[project].count; at++) {
        const struct metrics_agent *agent = &projects[project].list[at];
        double value = gauges[i].value ? gauges[i].value(&agent->answer)
                                       : gauges[i].change(&agent->answer, gauges[i].aspect);

        if (!isnan(value))
          print_sample(out, gauges[i].name, &projects[project], agent, NULL, "", value);
      }
  }
}

static void narrow_agent(const struct figures *figures, struct json_object *agent) {
  char last[TIME_TEXT_MAX];

  json_object_object_add(agent, "execution_count", json_object_new_uint64(figures->share.count));
  time_text_format_s(figures->last_s, last);
  json_object_object_add(agent, "last_execution",
                         figures->last_s >= 0 ? json_object_new_string(last) : NULL);
}

void metrics_runs_narrow(struct metrics_runs *runs) {
  struct json_object *agents = report_text_member(runs->delivery, "agents");
  size_t count =
      json_object_is_type(agents, json_type_array) ? json_object_array_length(agents) : 0;

  for (size_t i = 0; i < count; i++) {
    struct json_object *agent = json_object_array_get_idx(agents, i);
    const char *name = report_text_string(agent, "agent", "");

    for (size_t at = 0; at < runs->count; at++)
      if (strcmp(runs->list[at].name, name) == 0)
        narrow_agent(&runs->list[at].answer.figures, agent);
  }
}

void metrics_runs_free(struct metrics_runs *runs) {
  for (size_t i = 0; i < runs->count; i++) {
    free(runs->list[i].name);
    agent_answer_free(&runs->list[i].answer);
  }
  free(runs->list);
  free(runs->project);
  free(runs->root);
  json_object_put(runs->delivery);
  *runs = (struct metrics_runs){.list = NULL};
}

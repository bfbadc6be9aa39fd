/* check_rules.c - the rules of `check`.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/check_rules.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount_text.h"
#include "base/time_text.h"

static const double WORSE_P = 0.01; /* a single test that was asked for, not one of many */

enum rule { MIN_SUCCESS, MIN_QUALITY, MAX_P95, MAX_COST, MAX_RUN_COST, MAX_FAILURES, NO_WORSE };

const struct option_spec check_rules_options[] = {
    [MIN_SUCCESS] = {"min-success", 0, OPTION_TEXT, "SHARE", "least share of successes: 0.8, 80%"},
    [MIN_QUALITY] = {"min-quality", 0, OPTION_NUMBER, "Q", "least mean quality"},
    [MAX_P95] = {"max-p95", 0, OPTION_TEXT, "TIME",
                 "longest duration of 95 of 100 runs: 90s, 10m, 1h"},
    [MAX_COST] = {"max-cost", 0, OPTION_NUMBER, "USD", "highest cost of all these runs"},
    [MAX_RUN_COST] = {"max-run-cost", 0, OPTION_NUMBER, "USD", "highest average cost of a run"},
    [MAX_FAILURES] = {"max-failures-in-a-row", 0, OPTION_COUNT, "N", "most failures in a row"},
    [NO_WORSE] = {"no-worse-than", 0, OPTION_TEXT, "TIME",
                  "success no worse than in the TIME before: 30d"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

const char *check_rules_status_name(enum check_status status) {
  return status == CHECK_MET ? "met" : status == CHECK_UNMET ? "unmet" : "too_few";
}

/* "0.8" or "80%". */
static int read_share(const char *text, double *share) {
  char *end = NULL;

  if (text[strspn(text, "0123456789.")] != '\0' &&
      strcmp(text + strspn(text, "0123456789."), "%") != 0)
    return -1;
  *share = strtod(text, &end);
  if (end == text)
    return -1;
  if (*end != '\0' && *end != '%')
    return -1;
  *share /= *end == '%' ? 100 : 1;
  return *share >= 0 && *share <= 1 ? 0 : -1;
}

static int read_limit(const struct option_value *value, enum rule rule, double *limit,
                      struct problem *problem) {
  const char *name = value->spec->name;

  *limit = value->number + 0.0; /* not -0 */
  if (rule == MIN_SUCCESS && read_share(value->text, limit) < 0)
    return problem_set(problem, EXIT_CODE_USAGE,
                       "--%s: '%s' is not a share from 0 to 1, or from 0%% to 100%%", name,
                       value->text);
  if ((rule == MAX_P95 || rule == NO_WORSE) && window_length(value->text, limit) < 0)
    return problem_set(problem, EXIT_CODE_USAGE,
                       "--%s: '%s' is not a length of time; write 90s, 10m, 12h, 30d or 2w", name,
                       value->text);
  if (rule == NO_WORSE && *limit == 0)
    return problem_set(problem, EXIT_CODE_USAGE,
                       "--%s: '%s' leaves nothing to compare with; write a time such as 30d", name,
                       value->text);
  if (*limit < 0 || (rule == MIN_QUALITY && *limit > 1))
    return problem_set(problem, EXIT_CODE_USAGE, "--%s: %s is out of range; it is %s", name,
                       value->text, rule == MIN_QUALITY ? "from 0 to 1" : "0 or more");
  return 0;
}

int check_rules_read(const struct arguments *arguments, struct check_rules *rules,
                     struct problem *problem) {
  rules->count = 0;
  for (const struct option_spec *option = check_rules_options; option->name; option++) {
    const struct option_value *value = options_last(arguments, option->name);
    struct check_rule *rule = &rules->list[rules->count];

    if (!value)
      continue;
    rule->option = option;
    if (read_limit(value, (enum rule)(option - check_rules_options), &rule->limit, problem) < 0)
      return -1;
    rules->count++;
  }
  if (rules->count == 0)
    return problem_set(
        problem, EXIT_CODE_USAGE,
        "check: no rule given; for example --min-success 0.8 or --no-worse-than 30d");
  return 0;
}

int64_t check_rules_until(const struct window *window) {
  return window->has_until ? window->until_s : time_text_now_ns() / 1000000000;
}

/* The time before the runs, reckoned back from the window's end as "the last 30 days" are. */
static int64_t compared_since(const struct check_rule *rule, int64_t until_s) {
  double since_s = ceil((double)until_s - rule->limit);

  return since_s > 0 ? (int64_t)since_s : 0;
}

int check_rules_fit(const struct check_rules *rules, const struct window *window,
                    struct problem *problem) {
  int64_t until_s = check_rules_until(window);

  for (size_t i = 0; i < rules->count; i++) {
    const struct check_rule *rule = &rules->list[i];

    if (rule->option != &check_rules_options[NO_WORSE] || !window->has_since ||
        compared_since(rule, until_s) < window->since_s)
      continue;
    return problem_set(problem, EXIT_CODE_USAGE,
                       "--no-worse-than reaches no further back than --since: there is nothing to "
                       "compare with; write a longer time");
  }
  return 0;
}

/* Of a rule about a number that runs may have. */
static const struct figures_spread *spread_for(enum rule rule, const struct figures *figures) {
  return rule == MAX_P95       ? &figures->duration_s
         : rule == MIN_QUALITY ? &figures->quality
                               : &figures->cost_usd;
}

/* The runs' value for a rule; `carried` runs have one. */
static double value_of(enum rule rule, const struct figures *figures, size_t *carried) {
  const struct figures_spread *spread = spread_for(rule, figures);

  *carried = rule == MIN_SUCCESS || rule == MAX_FAILURES ? figures->share.count : spread->count;
  return rule == MIN_SUCCESS    ? share_rate(figures->share)
         : rule == MAX_FAILURES ? (double)figures->failures_in_a_row
         : rule == MAX_P95      ? spread->p95
         : rule == MAX_COST     ? spread->sum
                                : spread->mean;
}

/* A number as the other commands show it. */
static void round_number(enum rule rule, double number, char out[AMOUNT_TEXT_MAX]) {
  if (rule == MIN_SUCCESS)
    amount_text_percent(number, 1, out);
  else if (rule == MAX_P95)
    time_text_duration(number, out);
  else if (rule == MIN_QUALITY)
    amount_text_score(number, out);
  else if (rule == MAX_FAILURES)
    amount_text_count(number, out);
  else
    amount_text_usd(number, 2, out);
}

/* What round_number() rounds to. */
static double step_of(enum rule rule, double number) {
  if (rule == MAX_P95)
    return number < 0.9995   ? 0.001
           : number < 9.95   ? 0.1
           : number < 119.5  ? 1
           : number < 7170   ? 60
           : number < 171000 ? 3600
                             : 86400;
  return rule == MIN_SUCCESS    ? 0.001
         : rule == MIN_QUALITY  ? 0.01
         : rule == MAX_FAILURES ? 1
         : number < 0.1         ? 0.0001
                                : 0.01;
}

static void write_exactly(enum rule rule, double number, int digits, char out[AMOUNT_TEXT_MAX]) {
  snprintf(out, AMOUNT_TEXT_MAX, "%s%.*g%s", rule == MAX_COST || rule == MAX_RUN_COST ? "$" : "",
           digits, number * (rule == MIN_SUCCESS ? 100 : 1),
           rule == MIN_SUCCESS ? "%"
           : rule == MAX_P95   ? " s"
                               : "");
}

/* A limit is told as it was given, and a value beyond it never by the same text: "10 min, wanted at
 * most 10 min" explains nothing. */
static void write_numbers(enum rule rule, double value, double limit, bool beyond,
                          char value_text[AMOUNT_TEXT_MAX], char limit_text[AMOUNT_TEXT_MAX]) {
  double steps = limit / step_of(rule, limit);

  round_number(rule, value, value_text);
  round_number(rule, limit, limit_text);
  if (fabs(steps - round(steps)) > 1e-9 * steps)
    write_exactly(rule, limit, 15, limit_text);
  for (int digits = 4; digits <= 17 && beyond && strcmp(value_text, limit_text) == 0; digits++) {
    write_exactly(rule, value, digits, value_text);
    write_exactly(rule, limit, digits, limit_text);
  }
}

static void tell_numbers(enum rule rule, const struct figures *figures, bool beyond,
                         struct check_result *result) {
  char value[AMOUNT_TEXT_MAX], limit[AMOUNT_TEXT_MAX], known[FIGURES_CHANGE_MAX] = "";
  bool is_least = rule == MIN_SUCCESS || rule == MIN_QUALITY;

  write_numbers(rule, result->value, result->rule->limit, beyond, value, limit);
  snprintf(result->wanted, CHECK_TEXT_MAX, "at %s %s", is_least ? "least" : "most", limit);
  if (rule != MAX_FAILURES)
    figures_known_text(spread_for(rule, figures), figures->share.count, known);
  if (rule == MIN_SUCCESS)
    snprintf(result->found, CHECK_TEXT_MAX, "%s (%zu of %zu)", value, figures->share.successes,
             figures->share.count);
  else
    snprintf(result->found, CHECK_TEXT_MAX, "%s (of %zu run%s%.48s)", value, figures->share.count,
             figures->share.count == 1 ? "" : "s", known);
}

/* "30 days", and "12 h" for what is not whole days. */
static void time_span_text(double span_s, char out[TIME_TEXT_MAX]) {
  enum { DAY_S = 24 * 60 * 60 };

  if (span_s == DAY_S)
    snprintf(out, TIME_TEXT_MAX, "day");
  else if (span_s > DAY_S && fmod(span_s, DAY_S) == 0)
    snprintf(out, TIME_TEXT_MAX, "%.0f days", span_s / DAY_S);
  else
    time_text_duration(span_s, out);
}

/* How the share now stands to the one before. */
static const char *beside(struct share now, struct share before) {
  double gained =
      (double)now.successes * (double)before.count - (double)before.successes * (double)now.count;

  if (now.count == 0 || before.count == 0)
    return "before that";
  return gained < 0 ? "down from" : gained > 0 ? "up from" : "the same share as";
}

/* Uses the exact test, against the runs of that time before those that the rule applies to. */
static void compare_with_before(const struct check_subject *subject, struct check_result *result) {
  struct run_slice slice =
      runs_between(subject->before, compared_since(result->rule, subject->until_s), INT64_MAX);
  struct share before = {.count = slice.count}, now = subject->figures->share;
  char limit[TIME_TEXT_MAX];

  for (size_t i = 0; i < slice.count; i++)
    before.successes += slice.list[i].success;
  time_span_text(result->rule->limit, limit);
  snprintf(result->wanted, CHECK_TEXT_MAX, "no worse than the previous %s", limit);
  snprintf(result->found, CHECK_TEXT_MAX, "%zu of %zu, %s %zu of %zu", now.successes, now.count,
           beside(now, before), before.successes, before.count);
  result->value = NAN;
  result->status = CHECK_TOO_FEW;
  if (now.count < CHANGE_AFTER_MIN || before.count < CHANGE_BEFORE_MIN)
    return;
  result->value = share_fewer_p(now, before);
  result->status = result->value < WORSE_P ? CHECK_UNMET : CHECK_MET;
}

void check_rules_apply(const struct check_rule *rule, const struct check_subject *subject,
                       struct check_result *result) {
  enum rule which = (enum rule)(rule->option - check_rules_options);
  size_t carried = 0;

  *result = (struct check_result){.rule = rule};
  if (which == NO_WORSE) {
    compare_with_before(subject, result);
    return;
  }
  result->value = value_of(which, subject->figures, &carried);
  bool beyond = which == MIN_SUCCESS || which == MIN_QUALITY ? result->value < rule->limit
                                                             : result->value > rule->limit;
  result->status = carried == 0 ? CHECK_TOO_FEW : beyond ? CHECK_UNMET : CHECK_MET;
  tell_numbers(which, subject->figures, beyond, result);
  if (carried == 0) {
    result->value = NAN;
    snprintf(result->found, CHECK_TEXT_MAX, "no run has this number");
  }
}

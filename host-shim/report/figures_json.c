/* figures_json.c - figures and changes as members of a document.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/figures_json.h"

#include <math.h>

#include "base/json_text.h"

static struct json_object *number_json(double number) {
  return isnan(number) ? NULL : json_text_new_double(number);
}

static struct json_object *spread_json(const struct figures_spread *spread) {
  struct json_object *object = json_object_new_object();

  if (spread->count == 0) {
    json_object_put(object);
    return NULL;
  }
  json_object_object_add(object, "count", json_object_new_uint64(spread->count));
  json_object_object_add(object, "total", json_text_new_double(spread->sum));
  json_object_object_add(object, "mean", json_text_new_double(spread->mean));
  json_object_object_add(object, "p50", json_text_new_double(spread->p50));
  json_object_object_add(object, "p90", json_text_new_double(spread->p90));
  json_object_object_add(object, "p95", json_text_new_double(spread->p95));
  json_object_object_add(object, "max", json_text_new_double(spread->max));
  return object;
}

static struct json_object *tallies_json(const struct figures_tallies *tallies,
                                        const struct names *names, const char *member) {
  struct json_object *list = json_object_new_array();

  for (size_t i = 0; i < tallies->count; i++) {
    const struct figures_tally *tally = &tallies->list[i];
    struct json_object *entry = json_object_new_object();

    json_object_object_add(entry, member, json_text_new_string(names_text(names, tally->name)));
    json_object_object_add(entry, "count", json_object_new_uint64(tally->count));
    json_object_object_add(entry, "successes", json_object_new_uint64(tally->successes));
    json_object_object_add(entry, "cost_usd",
                           tally->cost_count > 0 ? json_text_new_double(tally->cost_usd) : NULL);
    json_object_object_add(entry, "last", window_time_json(tally->last_s));
    json_object_array_add(list, entry);
  }
  return list;
}

static struct json_object *primary_json(const struct figures *figures, const struct names *names) {
  struct json_object *object = spread_json(&figures->primary);

  if (!object || figures->primary_name == 0)
    return NULL;
  json_object_object_add(object, "name",
                         json_text_new_string(names_text(names, figures->primary_name)));
  json_object_object_add(object, "target", number_json(figures->primary_target));
  return object;
}

struct json_object *figures_json_share(struct share share) {
  struct json_object *object = json_object_new_object();

  json_object_object_add(object, "count", json_object_new_uint64(share.count));
  json_object_object_add(object, "successes", json_object_new_uint64(share.successes));
  json_object_object_add(object, "success_rate",
                         share.count > 0 ? json_text_new_double(share_rate(share)) : NULL);
  return object;
}

struct json_object *figures_json(const struct figures *figures, const struct names *names) {
  struct json_object *object = figures_json_share(figures->share);
  struct json_object *interval = json_object_new_array();

  json_object_array_add(interval, json_text_new_double(figures->low));
  json_object_array_add(interval, json_text_new_double(figures->high));
  json_object_object_add(object, "success_interval", interval);
  json_object_object_add(object, "failures_in_a_row",
                         json_object_new_uint64(figures->failures_in_a_row));
  json_object_object_add(object, "duration_s", spread_json(&figures->duration_s));
  json_object_object_add(object, "quality_score", spread_json(&figures->quality));
  json_object_object_add(object, "tokens", spread_json(&figures->tokens));
  json_object_object_add(object, "cost_usd", spread_json(&figures->cost_usd));
  json_object_object_add(object, "primary_metric", primary_json(figures, names));
  json_object_object_add(object, "models", tallies_json(&figures->models, names, "model"));
  json_object_object_add(object, "failures", tallies_json(&figures->reasons, names, "reason"));
  json_object_object_add(object, "first", window_time_json(figures->first_s));
  json_object_object_add(object, "last", window_time_json(figures->last_s));
  json_object_object_add(object, "runs_per_day", json_text_new_double(figures->runs_per_day));
  return object;
}

static struct json_object *verdict_json(enum change_verdict verdict, int64_t since_s, double p) {
  struct json_object *object = json_object_new_object();
  bool is_named = verdict == CHANGE_WORSE || verdict == CHANGE_BETTER;

  json_object_object_add(object, "verdict", json_object_new_string(change_verdict_name(verdict)));
  json_object_object_add(object, "since", is_named ? window_time_json(since_s) : NULL);
  json_object_object_add(object, "p", is_named ? json_text_new_double(p) : NULL);
  return object;
}

static struct json_object *median_json(size_t count, double median) {
  struct json_object *object = json_object_new_object();

  json_object_object_add(object, "count", json_object_new_uint64(count));
  json_object_object_add(object, "median", json_text_new_double(median));
  return object;
}

static struct json_object *value_change_json(const struct value_change *change, int64_t since_s) {
  struct json_object *object = verdict_json(change->verdict, since_s, change->p);
  bool is_named = change->verdict == CHANGE_WORSE || change->verdict == CHANGE_BETTER;

  json_object_object_add(
      object, "before", is_named ? median_json(change->before_count, change->before_median) : NULL);
  json_object_object_add(object, "after",
                         is_named ? median_json(change->after_count, change->after_median) : NULL);
  return object;
}

struct json_object *figures_json_changes(const struct figures_changes *changes) {
  struct json_object *object = json_object_new_object();
  const struct change *change = &changes->success;
  struct json_object *success =
      verdict_json(change->verdict, changes->since_s[FIGURES_SUCCESS], change->p);
  bool is_named = change->verdict == CHANGE_WORSE || change->verdict == CHANGE_BETTER;

  json_object_object_add(success, "before", is_named ? figures_json_share(change->before) : NULL);
  json_object_object_add(success, "after", is_named ? figures_json_share(change->after) : NULL);
  json_object_object_add(object, "success", success);
  json_object_object_add(object, "duration",
                         value_change_json(&changes->duration, changes->since_s[FIGURES_DURATION]));
  json_object_object_add(object, "quality",
                         value_change_json(&changes->quality, changes->since_s[FIGURES_QUALITY]));
  json_object_object_add(object, "cost",
                         value_change_json(&changes->cost, changes->since_s[FIGURES_COST]));
  return object;
}

/* nemo_usage.c - what the language models of one run used.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Four spellings are in use: the host's own annotation and OpenAI's chat (prompt_tokens), OpenAI's
 * responses (input_tokens), Anthropic's messages (input_tokens without what the cache took). */
#include "adapters/nemo_relay/nemo_usage.h"

#include <math.h>
#include <string.h>

struct call { /* of a model */
  int64_t counts[NEMO_COUNTS];
  bool known[NEMO_COUNTS];
};

static void set_count(struct call *call, enum nemo_count which, struct json_value object,
                      const char *name) {
  if (!call->known[which])
    call->known[which] = nemo_json_count(object, name, &call->counts[which]);
}

static int64_t add_counts(int64_t a, int64_t b) {
  return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* `usage` is the annotation's or the answer's; what is already known stays. */
static void read_counts(struct call *call, struct json_value usage) {
  static const struct {
    enum nemo_count which;
    const char *name;
  } flat[] = {
      {NEMO_INPUT_TOKENS, "prompt_tokens"},
      {NEMO_INPUT_TOKENS, "input_tokens"},
      {NEMO_OUTPUT_TOKENS, "completion_tokens"},
      {NEMO_OUTPUT_TOKENS, "output_tokens"},
      {NEMO_CACHE_READ_TOKENS, "cache_read_tokens"},
      {NEMO_CACHE_READ_TOKENS, "cache_read_input_tokens"},
      {NEMO_CACHE_WRITE_TOKENS, "cache_write_tokens"},
      {NEMO_CACHE_WRITE_TOKENS, "cache_creation_input_tokens"},
      {NEMO_REASONING_TOKENS, "reasoning_tokens"},
      {NEMO_TOKENS, "total_tokens"},
  };
  static const struct {
    enum nemo_count which;
    const char *object, *name;
  } nested[] = {
      {NEMO_CACHE_READ_TOKENS, "prompt_tokens_details", "cached_tokens"},
      {NEMO_CACHE_READ_TOKENS, "input_tokens_details", "cached_tokens"},
      {NEMO_REASONING_TOKENS, "completion_tokens_details", "reasoning_tokens"},
      {NEMO_REASONING_TOKENS, "output_tokens_details", "reasoning_tokens"},
  };
  struct json_value details;

  for (size_t i = 0; i < sizeof flat / sizeof *flat; i++)
    set_count(call, flat[i].which, usage, flat[i].name);
  for (size_t i = 0; i < sizeof nested / sizeof *nested; i++)
    if (nemo_json_find(usage, nested[i].object, &details))
      set_count(call, nested[i].which, details, nested[i].name);
}

/* Anthropic counts cached input beside input_tokens, the others within it. */
static bool cache_is_beside(struct json_value annotation, struct json_value answer_usage) {
  struct json_value specific;
  char api[32];
  int64_t ignored;

  if (nemo_json_find(annotation, "api_specific", &specific) &&
      nemo_json_word(specific, "api", api, sizeof api))
    return strcmp(api, "anthropic_messages") == 0;
  return nemo_json_count(answer_usage, "cache_read_input_tokens", &ignored) ||
         nemo_json_count(answer_usage, "cache_creation_input_tokens", &ignored);
}

/* The total is the sum where both parts are known, so that it means the same for every provider. */
static void complete_total(struct call *call, bool is_beside) {
  if (is_beside && call->known[NEMO_INPUT_TOKENS])
    call->counts[NEMO_INPUT_TOKENS] = add_counts(
        call->counts[NEMO_INPUT_TOKENS],
        add_counts(call->counts[NEMO_CACHE_READ_TOKENS], call->counts[NEMO_CACHE_WRITE_TOKENS]));
  if (!call->known[NEMO_INPUT_TOKENS] || !call->known[NEMO_OUTPUT_TOKENS])
    return;
  call->counts[NEMO_TOKENS] =
      add_counts(call->counts[NEMO_INPUT_TOKENS], call->counts[NEMO_OUTPUT_TOKENS]);
  call->known[NEMO_TOKENS] = true;
}

/* What the host says in US dollars; 0.0 when it says nothing. */
static double read_cost(struct json_value annotated_usage, bool *is_known) {
  struct json_value cost, total;
  char currency[8];

  *is_known = false;
  if (!nemo_json_find(annotated_usage, "cost", &cost) || !nemo_json_find(cost, "total", &total) ||
      total.type != JSON_NUMBER)
    return 0.0;
  double value = json_value_number(total);
  bool is_other =
      nemo_json_text(cost, "currency", currency, sizeof currency) && strcmp(currency, "USD") != 0;
  *is_known = !is_other && isfinite(value) && value >= 0;
  return *is_known ? value : 0.0;
}

/* The annotation names the model that answered; the profile names at least the one that was
 * asked. */
static void add_model(struct nemo_usage *usage, const struct nemo_event *llm_end,
                      struct json_value annotation, int64_t tokens, double cost_usd) {
  char name[NEMO_MODEL_SIZE];
  unsigned i = 0;

  if (!nemo_json_text(annotation, "model", name, sizeof name) &&
      !nemo_json_text(llm_end->profile, "model_name", name, sizeof name))
    return;
  while (i < usage->model_count && strcmp(usage->models[i].name, name) != 0)
    i++;
  if (i == NEMO_MODELS_MAX)
    return;
  if (i == usage->model_count) {
    memcpy(usage->models[i].name, name, sizeof name);
    usage->model_count++;
  }
  usage->models[i].tokens = add_counts(usage->models[i].tokens, tokens);
  usage->models[i].cost_usd += cost_usd;
}

void nemo_usage_add(struct nemo_usage *usage, const struct nemo_event *llm_end) {
  struct json_value annotation = {.type = JSON_NULL}, annotated = annotation, answer = annotation;
  struct call call = {.counts = {0}};
  double cost_usd = 0.0;
  bool has_cost = false;

  if (nemo_json_find(llm_end->profile, "annotated_response", &annotation) &&
      nemo_json_find(annotation, "usage", &annotated)) {
    read_counts(&call, annotated);
    cost_usd = read_cost(annotated, &has_cost);
  }
  if (nemo_json_find(llm_end->data, "usage", &answer))
    read_counts(&call, answer);
  complete_total(&call, cache_is_beside(annotation, answer));
  for (int i = 0; i < NEMO_COUNTS; i++)
    if (call.known[i]) {
      usage->counts[i] = add_counts(usage->counts[i], call.counts[i]);
      usage->known[i] = true;
    }
  if (has_cost && isfinite(usage->cost_usd + cost_usd)) {
    usage->cost_usd += cost_usd;
    usage->has_cost = true;
  }
  add_model(usage, llm_end, annotation, call.counts[NEMO_TOKENS], cost_usd);
}

const char *nemo_usage_model(const struct nemo_usage *usage) {
  unsigned best = 0;

  for (unsigned i = 1; i < usage->model_count; i++) {
    double more = usage->models[i].cost_usd - usage->models[best].cost_usd;

    if (more > 0 || (more == 0 && usage->models[i].tokens > usage->models[best].tokens))
      best = i;
  }
  return usage->model_count > 0 ? usage->models[best].name : NULL;
}

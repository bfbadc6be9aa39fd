/* nemo_usage.h - what the language models of one run used: numbers and the models' names.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_NEMO_USAGE_H
#define KAIZEN_NEMO_USAGE_H

#include "adapters/nemo_relay/nemo_event.h"

enum { NEMO_MODELS_MAX = 4, NEMO_MODEL_SIZE = 97 };

/* The names are those of docs/metadata.md. */
enum nemo_count {
  NEMO_INPUT_TOKENS, /* all input, cached input included */
  NEMO_OUTPUT_TOKENS,
  NEMO_CACHE_READ_TOKENS,
  NEMO_CACHE_WRITE_TOKENS,
  NEMO_REASONING_TOKENS,
  NEMO_TOKENS, /* input and output together */
  NEMO_COUNTS
};

struct nemo_usage {
  int64_t counts[NEMO_COUNTS];
  bool known[NEMO_COUNTS]; /* else the count is not known, which is not 0 */
  double cost_usd;
  bool has_cost;
  struct {
    char name[NEMO_MODEL_SIZE];
    int64_t tokens;
    double cost_usd;         /* 0.0 when the host gives none */
  } models[NEMO_MODELS_MAX]; /* the first few different ones */
  unsigned model_count;
};

/* Adds the end of one call of a language model.  Numbers come from the host's own annotation, else
 * from the provider's answer; the model's name never comes from the answer. */
void nemo_usage_add(struct nemo_usage *usage, const struct nemo_event *llm_end);
/* The model that cost most, else the one with the most tokens; NULL: none is known. */
const char *nemo_usage_model(const struct nemo_usage *usage);

#endif

/* result_said.h - what was read from an agent's own result.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_RESULT_SAID_H
#define KAIZEN_HOST_RESULT_SAID_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hook_redact.h"

struct result_said { /* texts are "" and numbers 0 when the agent did not say */
  const char *host;  /* as in docs/hosts/ */
  int32_t outcome;   /* KAIZEN_SUCCESS, KAIZEN_FAILURE or 0 */
  bool is_aborted;   /* a failure because the user ended it */
  char error_type[HOOK_WORD_MAX + 1], model[HOOK_WORD_MAX + 1];
  char session[HOOK_ID_MAX + 1];
  char key[2 * HOOK_ID_MAX + 32]; /* idempotency key */
  double duration_s, cost_usd;
  double turns, permission_denials; /* whole numbers */
  /* the same, NAN when it cannot be read; input includes what came from a cache */
  double input_tokens, output_tokens;
};

/* The model of an object {MODEL: {COST: number}} with the highest number. */
void result_said_take_model(struct result_said *said, struct json_object *models, const char *cost);
/* A model's name, unless it is something else. */
void result_said_set_model(struct result_said *said, const char *name);
void result_said_set_error(struct result_said *said, const char *word, const char *otherwise);
/* The key of a run whose result has no id of its own: its session and a fingerprint of the text. */
void result_said_mark_key(struct result_said *said, const char *text, size_t len);

#endif

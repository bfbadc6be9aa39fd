/* usage.h - what a run used: tokens, the model, tools that failed; numbers and names only.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Hosts record the usage of one model call more than once, first with few tokens and then with all
 * of them.  So calls are kept by their id until they are summed up. */
#ifndef KAIZEN_HOST_USAGE_H
#define KAIZEN_HOST_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hook_redact.h"
#include "base/json_text.h"

enum {
  USAGE_MODELS_MAX = 8,
  USAGE_NOT_SAID = -1,
  USAGE_UNREADABLE = -2 /* of a call: the host says something that is not a number of tokens */
};
#define USAGE_TOKENS_MAX INT64_C(1000000000000) /* of a call; a larger number is a mistake */

struct usage_tokens {    /* each USAGE_NOT_SAID when the host does not say it */
  int64_t input, output; /* all of them: input includes cached tokens, output includes reasoning */
  int64_t cache_read, cache_write, reasoning; /* parts of the above */
};
struct usage_call {
  uint64_t id;
  bool has_tokens; /* else only a tool of it is known */
  struct usage_tokens tokens;
  int32_t model; /* its place in `models`, or USAGE_NOT_SAID */
  uint32_t tool_errors;
};
struct usage { /* zero it first; usage_free() after that */
  struct usage_call *calls;
  size_t count, room;
  char models[USAGE_MODELS_MAX][HOOK_WORD_MAX + 1];
  size_t model_count;
  bool tells_tool_errors; /* the host records which tools failed */
  bool is_partial;        /* something could not be read: then nothing is reported */
};

extern const struct usage_tokens usage_nothing_said;

/* `tokens` and `model` (may be NULL) of the call `id`.  When it is reported again, the one with the
 * larger output counts. */
void usage_add_call(struct usage *usage, uint64_t id, const struct usage_tokens *tokens,
                    const char *model);
/* The tools that failed in the call or tool use `id`: the last number reported counts. */
void usage_set_tool_errors(struct usage *usage, uint64_t id, uint32_t count);
/* Forgets the calls, not which kinds of data the host records. */
void usage_clear(struct usage *usage);
void usage_free(struct usage *usage);

/* The sums.  A member is USAGE_NOT_SAID when no call said it, when one said it unreadably, and
 * input and output also when one call did not say it; all are when something is missing. */
struct usage_tokens usage_sum(const struct usage *usage);
/* How many tools failed, USAGE_NOT_SAID when unknown. */
int64_t usage_tool_errors(const struct usage *usage);
/* The model that cost most, or "": tokens are weighted as price lists do (output 5, input 1,
 * written to a cache 1.25, read from it 0.1). */
const char *usage_model(const struct usage *usage);
/* Adds the well-known members of docs/metadata.md that are known and not there yet to `metadata`,
 * the total to `extra` as "tokens".  -1: no memory. */
int usage_describe(const struct usage *usage, struct json_text_members *metadata,
                   struct json_text_members *extra);
/* The same for tokens alone, from any source. */
int usage_describe_tokens(const struct usage_tokens *tokens, struct json_text_members *metadata,
                          struct json_text_members *extra);

#endif

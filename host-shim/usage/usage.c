/* usage.c - what a run used: tokens, the model, tools that failed; numbers and names only.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "usage/usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = 65536 };

const struct usage_tokens usage_nothing_said = {
    .input = USAGE_NOT_SAID,
    .output = USAGE_NOT_SAID,
    .cache_read = USAGE_NOT_SAID,
    .cache_write = USAGE_NOT_SAID,
    .reasoning = USAGE_NOT_SAID,
};

/* The call with that id, made when it is new; NULL: no room, and the usage is partial.  A repeated
 * id is usually the one just before. */
static struct usage_call *find_call(struct usage *usage, uint64_t id) {
  for (size_t i = usage->count; i-- > 0;)
    if (usage->calls[i].id == id)
      return &usage->calls[i];
  if (usage->count == usage->room) {
    size_t room = usage->room > 0 ? usage->room * 2 : 64;
    struct usage_call *larger =
        room <= CALLS_MAX ? realloc(usage->calls, room * sizeof *larger) : NULL;

    if (!larger) {
      usage->is_partial = true;
      return NULL;
    }
    usage->calls = larger;
    usage->room = room;
  }
  struct usage_call *call = &usage->calls[usage->count++];
  *call = (struct usage_call){.id = id, .tokens = usage_nothing_said, .model = USAGE_NOT_SAID};
  return call;
}

static int32_t find_model(struct usage *usage, const char *model) {
  if (!model || !hook_redact_is_word(model, HOOK_WORD_MAX) || hook_redact_is_secret(model))
    return USAGE_NOT_SAID;
  for (size_t i = 0; i < usage->model_count; i++)
    if (strcmp(usage->models[i], model) == 0)
      return (int32_t)i;
  if (usage->model_count == USAGE_MODELS_MAX)
    return USAGE_NOT_SAID;
  snprintf(usage->models[usage->model_count], sizeof usage->models[0], "%s", model);
  return (int32_t)usage->model_count++;
}

static int64_t checked(int64_t tokens) {
  return tokens <= USAGE_TOKENS_MAX ? tokens : USAGE_UNREADABLE;
}

void usage_add_call(struct usage *usage, uint64_t id, const struct usage_tokens *tokens,
                    const char *model) {
  struct usage_call *call = find_call(usage, id);

  if (!call || (call->has_tokens && tokens->output < call->tokens.output))
    return;
  call->has_tokens = true;
  call->tokens = (struct usage_tokens){.input = checked(tokens->input),
                                       .output = checked(tokens->output),
                                       .cache_read = checked(tokens->cache_read),
                                       .cache_write = checked(tokens->cache_write),
                                       .reasoning = checked(tokens->reasoning)};
  call->model = find_model(usage, model);
}

void usage_set_tool_errors(struct usage *usage, uint64_t id, uint32_t count) {
  struct usage_call *call = find_call(usage, id);

  if (call)
    call->tool_errors = count;
}

void usage_clear(struct usage *usage) {
  usage->count = 0;
  usage->model_count = 0;
  usage->is_partial = false;
}

void usage_free(struct usage *usage) {
  free(usage->calls);
  *usage = (struct usage){.calls = NULL};
}

static void add(int64_t *sum, int64_t tokens) {
  if (tokens == USAGE_UNREADABLE || *sum == USAGE_UNREADABLE)
    *sum = USAGE_UNREADABLE;
  else if (tokens != USAGE_NOT_SAID)
    *sum = *sum == USAGE_NOT_SAID ? tokens : *sum + tokens;
}

/* Every call has some, so a call that does not say how many leaves the sum unknown. */
static void add_needed(int64_t *sum, int64_t tokens) {
  add(sum, tokens == USAGE_NOT_SAID ? USAGE_UNREADABLE : tokens);
}

static void forget_unreadable(int64_t *sum) {
  if (*sum == USAGE_UNREADABLE)
    *sum = USAGE_NOT_SAID;
}

struct usage_tokens usage_sum(const struct usage *usage) {
  struct usage_tokens sum = usage_nothing_said;

  for (size_t i = 0; !usage->is_partial && i < usage->count; i++) {
    const struct usage_tokens *tokens = &usage->calls[i].tokens;

    if (!usage->calls[i].has_tokens)
      continue;
    add_needed(&sum.input, tokens->input);
    add_needed(&sum.output, tokens->output);
    add(&sum.cache_read, tokens->cache_read);
    add(&sum.cache_write, tokens->cache_write);
    add(&sum.reasoning, tokens->reasoning);
  }
  forget_unreadable(&sum.input);
  forget_unreadable(&sum.output);
  forget_unreadable(&sum.cache_read);
  forget_unreadable(&sum.cache_write);
  forget_unreadable(&sum.reasoning);
  return sum;
}

int64_t usage_tool_errors(const struct usage *usage) {
  int64_t sum = 0;

  if (!usage->tells_tool_errors || usage->is_partial)
    return USAGE_NOT_SAID;
  for (size_t i = 0; i < usage->count; i++)
    sum += usage->calls[i].tool_errors;
  return sum;
}

static double weight(const struct usage_tokens *tokens) {
  double read = tokens->cache_read > 0 ? (double)tokens->cache_read : 0;
  double written = tokens->cache_write > 0 ? (double)tokens->cache_write : 0;
  double input = tokens->input > 0 ? (double)tokens->input - read - written : 0;
  double output = tokens->output > 0 ? (double)tokens->output : 0;

  return 5 * output + input + 1.25 * written + 0.1 * read;
}

const char *usage_model(const struct usage *usage) {
  double weights[USAGE_MODELS_MAX] = {0};
  size_t costliest = 0;

  for (size_t i = 0; i < usage->count; i++)
    if (usage->calls[i].model != USAGE_NOT_SAID)
      weights[usage->calls[i].model] += weight(&usage->calls[i].tokens);
  for (size_t i = 1; i < usage->model_count; i++)
    if (weights[i] > weights[costliest])
      costliest = i;
  return usage->model_count > 0 ? usage->models[costliest] : "";
}

static int add_number(struct json_text_members *members, const char *name, int64_t number) {
  char text[24];

  if (number == USAGE_NOT_SAID || json_text_members_find(members, name))
    return 0;
  snprintf(text, sizeof text, "%" PRId64, number);
  return json_text_members_add_json(members, name, text);
}

int usage_describe_tokens(const struct usage_tokens *tokens, struct json_text_members *metadata,
                          struct json_text_members *extra) {
  bool has_total = tokens->input != USAGE_NOT_SAID && tokens->output != USAGE_NOT_SAID;

  return add_number(metadata, "input_tokens", tokens->input) |
         add_number(metadata, "output_tokens", tokens->output) |
         add_number(metadata, "cache_read_tokens", tokens->cache_read) |
         add_number(metadata, "cache_write_tokens", tokens->cache_write) |
         add_number(metadata, "reasoning_tokens", tokens->reasoning) |
         add_number(extra, "tokens", has_total ? tokens->input + tokens->output : USAGE_NOT_SAID);
}

int usage_describe(const struct usage *usage, struct json_text_members *metadata,
                   struct json_text_members *extra) {
  struct usage_tokens sum = usage_sum(usage);
  const char *model = usage_model(usage);
  int result = 0;

  if (usage->is_partial || usage->count == 0)
    return 0;
  if (model[0] != '\0' && !json_text_members_find(metadata, "model"))
    result = json_text_members_add_text(metadata, "model", model);
  result |= usage_describe_tokens(&sum, metadata, extra);
  return result | add_number(metadata, "tool_errors", usage_tool_errors(usage));
}

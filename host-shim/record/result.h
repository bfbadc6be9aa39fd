/* result.h - what a coding agent says about its own run when it is told to print JSON.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * `claude -p --output-format json` (and stream-json) and `codex exec --json`. Only ids, counts,
 * costs and words are taken; the answer itself is not looked at. */
#ifndef KAIZEN_HOST_RESULT_H
#define KAIZEN_HOST_RESULT_H

#include "base/hook_redact.h"
#include "host/record_request.h"

#define RESULT_FORMATS "claude-json|codex-json"

struct result {     /* texts are "" and numbers 0 when the agent did not say */
  const char *host; /* "claude-code" or "codex" */
  int32_t outcome;  /* KAIZEN_SUCCESS, KAIZEN_FAILURE or 0 */
  char error_type[HOOK_WORD_MAX + 1], model[HOOK_WORD_MAX + 1];
  char session[HOOK_ID_MAX + 1];
  char key[2 * HOOK_ID_MAX + 32]; /* idempotency key */
  double duration_s, cost_usd;
  double turns, input_tokens,
      output_tokens; /* whole numbers; input includes what came from a cache */
};

/* Reads what was printed; `format` is one of RESULT_FORMATS. -1: EXIT_CODE_REJECTED, there is no
 * such result in it. */
int result_read(const char *format, const char *text, size_t len, struct result *result,
                struct problem *problem);
/* What the options did not say; the result has to live as long as the request.  -1: no memory. */
int result_apply(const struct result *result, struct record_request *request);

/* The two formats. */
int result_read_claude(const char *text, size_t len, struct result *result);
int result_read_codex(const char *text, size_t len, struct result *result);

/* For them: the JSON object in text[0..len), or NULL; the next line at or behind *at, its length,
 * false at the end; a member that is a word, or ""; a number above 0, or 0. */
struct json_object *result_parse(const char *text, size_t len);
bool result_next_line(const char *text, size_t len, size_t *at, const char **line,
                      size_t *line_len);
void result_take_word(struct json_object *object, const char *name, char *out, size_t max);
double result_number(struct json_object *object, const char *name);

#endif

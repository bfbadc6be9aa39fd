/* hook_redact.h - which parts of a payload may be stored: words and short texts, never a secret or
 * an address.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Payloads of coding agents carry prompts, answers, paths and addresses next to the few words that
 * describe an execution. Values are taken field by field; these functions decide whether a value
 * may be stored. */
#ifndef KAIZEN_HOST_HOOK_REDACT_H
#define KAIZEN_HOST_HOOK_REDACT_H

#include <stdbool.h>
#include <stddef.h>

enum {
  HOOK_WORD_MAX = 64, /* bytes of an outcome, an error's name, a model */
  HOOK_ID_MAX = 128,  /* bytes of an id made by the host */
  HOOK_TEXT_MAX = 200 /* bytes of any other stored text */
};
#define HOOK_REDACTED "[redacted]"

/* Letters, digits and . _ : / + = @ # - only, at most `max` bytes, at least one: an enumeration's
 * value or an id, not prose. */
bool hook_redact_is_word(const char *text, size_t max);
/* The same for a model's name, which may also have spaces, brackets and parentheses in it:
 * "Claude Sonnet 4.5", "claude-opus-4-6[1m]". */
bool hook_redact_is_model(const char *text, size_t max);
/* True when something in the text looks like a credential (well-known prefixes, name=value of a
 * password or token, user:password@ in a URL, a private key, a long random string) or like an
 * e-mail address. */
bool hook_redact_is_secret(const char *text);
/* The text as it may be stored: HOOK_REDACTED, or at most HOOK_TEXT_MAX bytes cut between
 * characters. `out` takes HOOK_TEXT_MAX + 1 bytes. */
void hook_redact_text(const char *text, char out[HOOK_TEXT_MAX + 1]);

#endif

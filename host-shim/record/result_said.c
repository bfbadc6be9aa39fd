/* result_said.c - what was read from an agent's own result.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/result_said.h"

#include <stdio.h>

#include "base/hook_fingerprint.h"
#include "record/result_json.h"

void result_said_set_model(struct result_said *said, const char *name) {
  if (hook_redact_is_model(name, HOOK_WORD_MAX) && !hook_redact_is_secret(name))
    snprintf(said->model, sizeof said->model, "%s", name);
}

void result_said_take_model(struct result_said *said, struct json_object *models,
                            const char *cost) {
  double most = -1;

  if (!json_object_is_type(models, json_type_object))
    return;
  struct json_object_iter member;
  json_object_object_foreachC(models, member) {
    double here = result_json_number(member.val, cost);

    if (here > most) {
      most = here;
      result_said_set_model(said, member.key);
    }
  }
}

void result_said_set_error(struct result_said *said, const char *word, const char *otherwise) {
  bool fits = hook_redact_is_word(word, HOOK_WORD_MAX) && !hook_redact_is_secret(word);

  snprintf(said->error_type, sizeof said->error_type, "%s", fits ? word : otherwise);
}

void result_said_mark_key(struct result_said *said, const char *text, size_t len) {
  static const uint8_t no_key[HOOK_FINGERPRINT_KEY_BYTES];

  if (said->session[0] != '\0')
    snprintf(said->key, sizeof said->key, "%s:%s:%016llx", said->host, said->session,
             (unsigned long long)hook_fingerprint(no_key, text, len));
}

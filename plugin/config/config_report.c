/* config_report.c - the settings in use, and their sources.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config_report.h"

#include <string.h>

#include "common/json_writer.h"
#include "config/config_keys.h"

static struct span span_of(const char *text) {
  return (struct span){text, strlen(text)};
}

static void append_string(struct buffer *out, const char *text) {
  json_writer_string(out, span_of(text));
}

static void append_value(struct buffer *out, const struct config *config,
                         const struct config_key *key) {
  const char *field = (const char *)config + key->offset;
  struct buffer redacted = {0};

  switch (key->type) {
  case CONFIG_TYPE_SWITCH:
    buffer_append_text(out, *(const bool *)field ? "true" : "false");
    break;
  case CONFIG_TYPE_NUMBER:
    json_writer_integer(out, *(const int64_t *)field);
    break;
  case CONFIG_TYPE_WORD:
    append_string(out, key->words[*(const int32_t *)field]);
    break;
  case CONFIG_TYPE_URLS:
    config_keys_redact(span_of(*(char *const *)field), &redacted);
    json_writer_string(out, buffer_span(&redacted));
    out->failed = out->failed || redacted.failed;
    buffer_fini(&redacted);
    break;
  default:
    append_string(out, *(char *const *)field);
    break;
  }
}

void config_report(const struct config *config, const struct config_origins *origins,
                   struct buffer *out) {
  static const char *const origin_names[] = {[CONFIG_DEFAULT] = "default",
                                             [CONFIG_ENVIRONMENT] = "environment",
                                             [CONFIG_CONFIGURED] = "configured"};

  buffer_append_text(out, "{");
  for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
    if (i > 0)
      buffer_append_text(out, ",");
    append_string(out, config_keys[i].name);
    buffer_append_text(out, ":{\"value\":");
    append_value(out, config, &config_keys[i]);
    buffer_append_text(out, ",\"origin\":");
    append_string(out, origin_names[origins->of[i]]);
    buffer_append_text(out, "}");
  }
  buffer_append_text(out, "}");
}

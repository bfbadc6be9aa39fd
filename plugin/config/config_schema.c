/* config_schema.c - the JSON Schema of the configuration, made from the table of keys.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config_schema.h"

#include <pthread.h>
#include <string.h>

#include "common/json_writer.h"
#include "config/config_keys.h"

static struct span span_of(const char *text) {
  return (struct span){text, strlen(text)};
}

static void append_string(struct buffer *out, const char *text) {
  json_writer_string(out, span_of(text));
}

static void append_words(struct buffer *out, const struct config_key *key) {
  buffer_append_text(out, "\"type\":\"string\",\"enum\":[");
  append_string(out, key->words[0]);
  buffer_append_text(out, ",");
  append_string(out, key->words[1]);
  buffer_append_text(out, "],\"default\":");
  append_string(out, key->default_text);
}

static void append_number_rule(struct buffer *out, const struct config_key *key) {
  buffer_append_text(out, "\"type\":\"integer\",\"minimum\":");
  json_writer_integer(out, key->min);
  buffer_append_text(out, ",\"maximum\":");
  json_writer_integer(out, key->max);
  buffer_append_text(out, ",\"default\":");
  buffer_append_text(out, key->default_text);
}

#define CONTROL "\\\\u0000-\\\\u001f\\\\u007f-\\\\u009f"

/* The form of a server list is not described: the schema may allow what the parser refuses, never
 * the other way round. */
static void append_text_rule(struct buffer *out, const struct config_key *key) {
  buffer_append_text(out, "\"type\":\"string\",\"maxLength\":");
  json_writer_integer(out, key->max);
  if (key->type == CONFIG_TYPE_PATH)
    buffer_append_text(out, ",\"pattern\":\"^(/[^" CONTROL "]*)?$\"");
  if (key->type == CONFIG_TYPE_SLUG)
    buffer_append_text(out, ",\"pattern\":\"^[^/" CONTROL "]*$\"");
  if (key->type == CONFIG_TYPE_STREAM)
    buffer_append_text(out, ",\"pattern\":\"^[^ .*>/\\\\\\\\" CONTROL "]*$\"");
  if (key->type == CONFIG_TYPE_URLS)
    buffer_append_text(out, ",\"pattern\":\"^[^" CONTROL "]*$\"");
}

static void append_property(struct buffer *out, const struct config_key *key) {
  append_string(out, key->name);
  buffer_append_text(out, ":{");
  if (key->type == CONFIG_TYPE_SWITCH) {
    buffer_append_text(out, "\"type\":\"boolean\",\"default\":");
    buffer_append_text(out, key->default_text);
  } else if (key->type == CONFIG_TYPE_NUMBER) {
    append_number_rule(out, key);
  } else if (key->type == CONFIG_TYPE_WORD) {
    append_words(out, key);
  } else {
    append_text_rule(out, key);
  }
  buffer_append_text(out, ",\"description\":");
  append_string(out, key->doc);
  buffer_append_text(out, "}");
}

static struct buffer schema; /* written once, kept for the life of the process */

/* Complete before it is published: a child that was forked meanwhile makes it again. */
static void make_schema(void) {
  struct buffer made = {0};

  buffer_append_text(&made, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
                            "\"title\":\"kaizen_metrics\",\"type\":\"object\","
                            "\"additionalProperties\":false,\"properties\":{");
  for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
    if (i > 0)
      buffer_append_text(&made, ",");
    append_property(&made, &config_keys[i]);
  }
  buffer_append_text(&made, "}}");
  buffer_append_byte(&made, '\0');
  schema = made;
}

const char *config_schema(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once(&once, make_schema);
  return schema.failed ? "{}" : schema.data; /* out of memory: the schema that allows everything */
}

/* config.c - values from JSON, from plain text, from the environment; the defaults for the rest.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every value goes through set_value() as plain text, so that a key has one set of rules wherever
 * it was given.  JSON is read with common/json_reader.h: when an allocation fails, json-c 0.16 may
 * report success although a member is missing or a text is empty, and a project_root that nobody
 * wrote is worse than no configuration. */
#include "config/config.h"

#include <kaizen/plugin.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_reader.h"
#include "config/config_keys.h"

/* What a text that is not set points to, so that initialising cannot fail.  Never written, never
 * freed. */
static char unset[1];

static char **text_field(struct config *config, const struct config_key *key) {
  return (char **)((char *)config + key->offset);
}

static struct span span_of(const char *text) {
  return (struct span){text, strlen(text)};
}

static void free_text(char **field) {
  if (*field != unset)
    free(*field);
  *field = unset;
}

static int set_text(char **field, struct span value, struct error *error) {
  char *copy = unset;

  if (value.len > 0) {
    copy = malloc(value.len + 1);
    if (!copy)
      return error_set(error, KAIZEN_E_NOMEM, "out of memory for the configuration");
    memcpy(copy, value.ptr, value.len);
    copy[value.len] = '\0';
  }
  free_text(field);
  *field = copy;
  return 0;
}

static void set_number(struct config *config, const struct config_key *key, int64_t number) {
  char *field = (char *)config + key->offset;

  if (key->type == CONFIG_TYPE_SWITCH)
    *(bool *)field = number != 0;
  else if (key->type == CONFIG_TYPE_WORD)
    *(int32_t *)field = (int32_t)number;
  else
    *(int64_t *)field = number;
}

static int set_value(struct config *config, const struct config_key *key, struct span value,
                     struct error *error) {
  int64_t number = 0;

  if (!config_keys_parse(key, value, &number))
    return config_keys_refuse(key, key->name, value, "\"", error);
  if (config_keys_is_text(key))
    return set_text(text_field(config, key), value, error);
  set_number(config, key, number);
  return 0;
}

/* An empty text unsets a value. */
static void note_origin(struct config_origins *origins, int index, struct span value) {
  bool taken_back = config_keys_is_text(&config_keys[index]) && value.len == 0;
  origins->of[index] = taken_back ? CONFIG_DEFAULT : CONFIG_CONFIGURED;
}

void config_init(struct config *config, struct config_origins *origins) {
  memset(config, 0, sizeof(*config));
  memset(origins, CONFIG_DEFAULT, sizeof(*origins));
  for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
    const struct config_key *key = &config_keys[i];
    if (config_keys_is_text(key))
      *text_field(config, key) = unset;
    else
      set_value(config, key, span_of(key->default_text), NULL);
  }
}

void config_fini(struct config *config) {
  for (int i = 0; i < CONFIG_KEY_COUNT; i++)
    if (config_keys_is_text(&config_keys[i]))
      free_text(text_field(config, &config_keys[i]));
}

int config_copy(struct config *copy, const struct config *config, struct error *error) {
  struct config source = *config; /* the caller keeps its texts */

  *copy = source;
  for (int i = 0; i < CONFIG_KEY_COUNT; i++)
    if (config_keys_is_text(&config_keys[i]))
      *text_field(copy, &config_keys[i]) = unset;
  for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
    const struct config_key *key = &config_keys[i];
    if (!config_keys_is_text(key))
      continue;
    if (set_text(text_field(copy, key), span_of(*text_field(&source, key)), error) != 0) {
      config_fini(copy);
      return -1;
    }
  }
  return 0;
}

/* ---- merging --------------------------------------------------------------------------------- */

int config_merge_text(struct config *config, struct config_origins *origins, const char *key,
                      struct span value, struct error *error) {
  int index = config_keys_find(span_of(key), error);

  if (!value.ptr)
    value = span_of("");
  if (index < 0 || set_value(config, &config_keys[index], value, error) != 0)
    return -1;
  note_origin(origins, index, value);
  return 0;
}

static bool has_type_of(const struct config_key *key, enum json_value_type type) {
  switch (key->type) {
  case CONFIG_TYPE_SWITCH:
    return type == JSON_TRUE || type == JSON_FALSE;
  case CONFIG_TYPE_NUMBER:
    return type == JSON_NUMBER;
  default:
    return type == JSON_STRING;
  }
}

/* 5.0 and 1e1 are whole numbers to JSON Schema, and to programs that write JSON with floats
 * alone. */
static struct span as_whole_number(struct json_value value, char text[32]) {
  double number = json_value_number(value);

  if (!(fabs(number) < 1e15) || number != floor(number))
    return value.raw;
  (void)snprintf(text, 32, "%lld", (long long)number);
  return span_of(text);
}

/* `decoded` is a buffer that each member uses again. */
static int merge_member(struct config *config, struct config_origins *origins,
                        const struct json_member *member, struct buffer *decoded,
                        struct error *error) {
  buffer_clear(decoded);
  json_value_decode((struct json_value){JSON_STRING, member->name}, decoded);
  if (decoded->failed)
    return error_set(error, KAIZEN_E_NOMEM, "out of memory for the configuration");
  int index = config_keys_find(buffer_span(decoded), error);
  if (index < 0)
    return -1;

  const struct config_key *key = &config_keys[index];
  struct span value = member->value.raw;
  char number[32];
  if (!has_type_of(key, member->value.type))
    return config_keys_refuse(key, key->name, value, "", error);
  if (key->type == CONFIG_TYPE_NUMBER)
    value = as_whole_number(member->value, number);
  if (member->value.type == JSON_STRING) {
    buffer_clear(decoded);
    json_value_decode(member->value, decoded);
    if (decoded->failed)
      return error_set(error, KAIZEN_E_NOMEM, "out of memory for the configuration");
    value = buffer_span(decoded);
  }
  if (set_value(config, key, value, error) != 0)
    return -1;
  note_origin(origins, index, value);
  return 0;
}

/* The strict reader refuses a name given twice too, but can only say at which byte. */
static int refuse_repeated_key(struct span json, struct error *error) {
  struct json_reader cursor;
  struct json_member member;
  bool seen[CONFIG_KEY_COUNT] = {false};

  if (json_reader_open(&cursor, json, JSON_LENIENT, JSON_DEPTH_MAX, NULL) != 0)
    return 0;
  while (json_reader_next(&cursor, &member, NULL) > 0)
    for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
      if (!json_value_is_named(&member, config_keys[i].name))
        continue;
      if (seen[i])
        return error_set(error, KAIZEN_E_CONFIG, "%s is given twice", config_keys[i].name);
      seen[i] = true;
    }
  return 0;
}

static bool is_blank(struct span text) {
  for (size_t i = 0; i < text.len; i++)
    if (!memchr(" \t\r\n", text.ptr[i], 4))
      return false;
  return true;
}

int config_merge_json(struct config *config, struct config_origins *origins, struct span json,
                      struct error *error) {
  struct json_reader cursor;
  struct json_fault fault;
  struct json_member member;
  struct buffer decoded = {0};
  int result;

  if (is_blank(json))
    return 0;
  if (refuse_repeated_key(json, error) != 0)
    return -1;
  result = json_reader_open(&cursor, json, JSON_STRICT, JSON_DEPTH_MAX, &fault);
  if (result > 0)
    return error_set(error, KAIZEN_E_CONFIG, "the configuration is not a JSON object");
  if (result < 0)
    return error_set(error, KAIZEN_E_CONFIG, "the configuration: byte %zu: %s", fault.offset,
                     fault.why);
  while ((result = json_reader_next(&cursor, &member, NULL)) > 0)
    if ((result = merge_member(config, origins, &member, &decoded, error)) != 0)
      break;
  if (result < 0 && error && error->code != KAIZEN_E_NOMEM)
    error->code = KAIZEN_E_CONFIG;
  buffer_fini(&decoded);
  return result;
}

/* ---- what was not configured ----------------------------------------------------------------- */

/* Not set under setuid, where the environment is not the operator's. */
static struct span environment(const char *name) {
  const char *value = secure_getenv(name);
  return value ? span_of(value) : (struct span){"", 0};
}

static int finish_nats_url(struct config *config, struct config_origins *origins, int index,
                           struct error *error) {
  const struct config_key *key = &config_keys[index];
  struct span value = environment("NATS_URL");

  origins->of[index] = value.len > 0 ? CONFIG_ENVIRONMENT : CONFIG_DEFAULT;
  if (value.len == 0)
    value = span_of("nats://localhost:4222");
  /* The variable is shared with other programs: a scheme that only they understand leaves events
   * pending, visibly, and must not stop recording. */
  if (!config_keys_is_plain(value, (size_t)key->max))
    return config_keys_refuse(key, "NATS_URL of the environment", value, "\"", error);
  return set_text(&config->nats_url, value, error);
}

/* The last component of the real path: a project has one slug, whatever path it is reached by. */
static int slug_from_root(struct config *config, const struct config_key *key,
                          struct error *error) {
  char *real = realpath(config->project_root, NULL);
  struct span path = span_of(real ? real : config->project_root);
  int64_t unused;
  int result;

  while (path.len > 0 && path.ptr[path.len - 1] == '/')
    path.len--;
  const char *slash = memrchr(path.ptr, '/', path.len);
  struct span name = path;
  if (slash)
    name = (struct span){slash + 1, (size_t)(path.ptr + path.len - slash - 1)};
  if (name.len == 0 || !config_keys_parse(key, name, &unused)) {
    result = config_keys_refuse(key, "project not set, and the base name of project_root", name,
                                "\"", error);
    goto out;
  }
  result = set_text(&config->project, name, error);
out:
  free(real);
  return result;
}

static int finish_project(struct config *config, struct config_origins *origins, int index,
                          struct error *error) {
  const struct config_key *key = &config_keys[index];
  struct span value = environment("KAIZEN_PROJECT_SLUG");
  int64_t unused;

  origins->of[index] = value.len > 0 ? CONFIG_ENVIRONMENT : CONFIG_DEFAULT;
  if (value.len == 0)
    return slug_from_root(config, key, error);
  if (!config_keys_parse(key, value, &unused))
    return config_keys_refuse(key, "KAIZEN_PROJECT_SLUG of the environment", value, "\"", error);
  return set_text(&config->project, value, error);
}

int config_finish(struct config *config, struct config_origins *origins, struct error *error) {
  int url = config_keys_find(span_of("nats_url"), error);
  int project = config_keys_find(span_of("project"), error);

  if (config->project_root[0] == '\0')
    return error_set(error, KAIZEN_E_CONFIG,
                     "project_root is required: the project's directory, an absolute name");
  if (origins->of[url] != CONFIG_CONFIGURED && finish_nats_url(config, origins, url, error) != 0)
    return -1;
  if (origins->of[project] != CONFIG_CONFIGURED &&
      finish_project(config, origins, project, error) != 0)
    return -1;
  return 0;
}

void config_redact_url(const char *url, struct buffer *out) {
  config_keys_redact(span_of(url), out);
}

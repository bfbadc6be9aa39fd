/* nemo_settings.c - the component's configuration.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * docs/schemas/nemo-relay-config.schema.json describes the keys. */
#include "adapters/nemo_relay/nemo_settings.h"

#include <string.h>

#include "adapters/nemo_relay/nemo_json.h"
#include "common/distance.h"
#include "common/utf8.h"

enum { KEY_SIZE = 64 };

/* ---- our own keys ---------------------------------------------------------------------------- */

static int refuse(const char *key, struct json_value value, const char *allowed,
                  struct nemo_reason *reason) {
  char shown[UTF8_SHOWN_SIZE];

  return nemo_reason_set(reason, "%s: %s is not %s", key, utf8_show(value.raw, shown), allowed);
}

static bool is_text(struct json_value value, const char *text) {
  return value.type == JSON_STRING && value.raw.len == strlen(text) + 2 &&
         memcmp(value.raw.ptr + 1, text, value.raw.len - 2) == 0;
}

/* Walks the elements of a checked array of texts; false at its end.  Any element that is not a text
 * comes out as JSON_NULL. */
static bool next_text(struct span *rest, struct json_value *element) {
  static const char between[] = " \t\r\n,";
  const char *at = rest->ptr, *end = rest->ptr + rest->len, *stop;

  while (at < end && strchr(between, *at))
    at++;
  stop = at;
  if (at < end && *at == '"')
    for (stop++; *stop != '"'; stop++)
      stop += *stop == '\\';
  else
    while (stop + 1 < end && !strchr(between, stop[1]))
      stop++;
  if (at >= end)
    return false;
  *element =
      (struct json_value){*at == '"' ? JSON_STRING : JSON_NULL, {at, (size_t)(stop + 1 - at)}};
  *rest = (struct span){stop + 1, (size_t)(end - stop - 1)};
  return true;
}

static int take_scopes(struct nemo_settings *settings, struct json_value value,
                       struct nemo_reason *reason) {
  static const char allowed[] = "a list with \"agent\", \"turn\" or both";
  struct json_value element;

  if (value.type != JSON_ARRAY)
    return refuse("scopes", value, allowed, reason);
  settings->agents = settings->turns = false;
  struct span rest = {value.raw.ptr + 1, value.raw.len - 2};
  while (next_text(&rest, &element)) {
    bool is_agent = is_text(element, "agent"), is_turn = is_text(element, "turn");

    if (!is_agent && !is_turn)
      return refuse("scopes", element, allowed, reason);
    settings->agents = settings->agents || is_agent;
    settings->turns = settings->turns || is_turn;
  }
  return settings->agents || settings->turns ? 0 : refuse("scopes", value, allowed, reason);
}

static int take_nested(struct nemo_settings *settings, struct json_value value,
                       struct nemo_reason *reason) {
  if (value.type != JSON_TRUE && value.type != JSON_FALSE)
    return refuse("nested", value, "true or false", reason);
  settings->nested = value.type == JSON_TRUE;
  return 0;
}

static int take_aborted(struct nemo_settings *settings, struct json_value value,
                        struct nemo_reason *reason) {
  if (!is_text(value, "skip") && !is_text(value, "failure"))
    return refuse("aborted", value, "\"skip\" or \"failure\"", reason);
  settings->keeps_aborted = is_text(value, "failure");
  return 0;
}

static const struct own_key {
  const char *name;
  int (*take)(struct nemo_settings *, struct json_value, struct nemo_reason *);
} own_keys[] = {
    {"scopes", take_scopes},
    {"nested", take_nested},
    {"aborted", take_aborted},
};

static const struct own_key *find_own(const struct json_member *member) {
  for (size_t i = 0; i < sizeof own_keys / sizeof *own_keys; i++)
    if (json_value_is_named(member, own_keys[i].name))
      return &own_keys[i];
  return NULL;
}

/* ---- kaizen's -------------------------------------------------------------------------------- */

static void keep_nearer(struct span word, struct span candidate, struct span *best,
                        unsigned *best_distance) {
  unsigned distance = distance_between(word, candidate);

  if (best->ptr && distance >= *best_distance)
    return;
  *best = candidate;
  *best_distance = distance;
}

static int refuse_unknown(struct span name, struct json_value known, struct nemo_reason *reason) {
  char shown[UTF8_SHOWN_SIZE];
  struct span best = {NULL, 0};
  unsigned distance = 0;
  struct json_reader reader;
  struct json_member member;

  for (size_t i = 0; i < sizeof own_keys / sizeof *own_keys; i++)
    keep_nearer(name, (struct span){own_keys[i].name, strlen(own_keys[i].name)}, &best, &distance);
  if (json_reader_open(&reader, known.raw, JSON_LENIENT, JSON_DEPTH_LIMIT, NULL) == 0)
    while (json_reader_next(&reader, &member, NULL) == 1)
      keep_nearer(name, member.name, &best, &distance);
  return nemo_reason_set(reason, "unknown key \"%s\"; the nearest known key is \"%.*s\"",
                         utf8_show(name, shown), (int)best.len, best.ptr);
}

static bool is_known(const struct json_member *wanted, struct json_value known) {
  char name[KEY_SIZE];
  struct json_value ignored;
  struct json_value text = {JSON_STRING, {wanted->name.ptr - 1, wanted->name.len + 2}};
  size_t len = json_value_decode_bounded(text, name, sizeof name - 1);

  if (len >= sizeof name || memchr(name, '\0', len) || memchr(name, '\\', len))
    return false;
  name[len] = '\0';
  return nemo_json_find(known, name, &ignored);
}

static void hand_on(struct buffer *out, const struct json_member *member) {
  buffer_append_text(out, out->len == 0 ? "{\"" : ",\"");
  buffer_append(out, member->name.ptr, member->name.len);
  buffer_append_text(out, "\":");
  buffer_append(out, member->value.raw.ptr, member->value.raw.len);
}

/* ---- both ------------------------------------------------------------------------------------ */

static int read_keys(struct nemo_settings *settings, struct json_reader *reader,
                     struct json_value known, struct nemo_reason *reason) {
  struct json_member member;
  bool has_root = false;

  while (json_reader_next(reader, &member, NULL) == 1) {
    const struct own_key *own = find_own(&member);

    if (own ? own->take(settings, member.value, reason) != 0 : !is_known(&member, known))
      return own ? -1 : refuse_unknown(member.name, known, reason);
    if (!own)
      hand_on(&settings->kaizen, &member);
    has_root = has_root || (json_value_is_named(&member, "project_root") &&
                            !is_text(member.value, "") && member.value.type != JSON_NULL);
  }
  if (!has_root)
    return nemo_reason_set(
        reason, "project_root is not set; put project_root = \"/path/of/the/project\" under "
                "[plugins.dynamic.config] in plugins.toml");
  buffer_append_byte(&settings->kaizen, '}');
  return settings->kaizen.failed ? nemo_reason_set(reason, "no memory") : 0;
}

int nemo_settings_read(struct nemo_settings *settings, struct span json, const char *schema,
                       struct nemo_reason *reason) {
  struct json_value whole = {JSON_OBJECT, {schema, strlen(schema)}}, known = {.type = JSON_NULL};
  struct json_fault fault;
  struct json_reader reader;
  int result;

  *settings = (struct nemo_settings){.agents = true, .turns = true, .nested = true};
  (void)nemo_json_find(whole, "properties", &known);
  result = json_reader_open(&reader, json, JSON_STRICT, JSON_DEPTH_MAX, &fault);
  if (result < 0)
    (void)nemo_reason_set(reason, "configuration: byte %zu: %s", fault.offset, fault.why);
  if (result == 1)
    result = nemo_reason_set(reason, "configuration: it is not an object");
  if (result == 0)
    result = read_keys(settings, &reader, known, reason);
  if (result != 0)
    nemo_settings_fini(settings);
  return result;
}

void nemo_settings_fini(struct nemo_settings *settings) {
  buffer_fini(&settings->kaizen);
}

/* relay_conformance.h - a host as NeMo Relay is one: its tables, its texts, its way to load,
 * register, release and drop a plugin.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Written from the public description of its ABI, not from the plugin's own header.  Tables and
 * texts have exactly the size they claim, so that a sanitizer or valgrind sees whatever reads
 * beyond. */
#ifndef KAIZEN_TESTS_RELAY_CONFORMANCE_H
#define KAIZEN_TESTS_RELAY_CONFORMANCE_H

#include "plugin_under_test.h"

#include <pthread.h>
#include <stdatomic.h>

enum { STATUS_OK = 0, STATUS_INTERNAL = 5, STATUS_NULL = 6, STATUS_INVALID_ARG = 9 };

/* ---- texts ----------------------------------------------------------------------------------- */

struct text {
  size_t len;
  uint8_t *data; /* without a NUL after it */
};
static atomic_int live_texts;
static _Thread_local char last_error[1024];

SANDBOX_HELPER int32_t text_new(const uint8_t *data, size_t len, struct text **out) {
  struct text *text = malloc(sizeof *text);

  text->len = len;
  text->data = malloc(len > 0 ? len : 1);
  if (len > 0)
    memcpy(text->data, data, len);
  (void)atomic_fetch_add(&live_texts, 1);
  *out = text;
  return STATUS_OK;
}

SANDBOX_HELPER const uint8_t *text_data(const struct text *text) {
  return text ? text->data : NULL;
}

SANDBOX_HELPER size_t text_len(const struct text *text) {
  return text ? text->len : 0;
}

SANDBOX_HELPER void text_free(struct text *text) {
  if (!text)
    return;
  (void)atomic_fetch_sub(&live_texts, 1);
  free(text->data);
  free(text);
}

SANDBOX_HELPER struct text *new_text(const char *bytes, size_t len) {
  struct text *text;

  (void)text_new((const uint8_t *)bytes, len, &text);
  return text;
}

SANDBOX_HELPER void error_clear(void) {
  last_error[0] = '\0';
}

SANDBOX_HELPER void error_store(const struct text *text) {
  (void)snprintf(last_error, sizeof last_error, "%.*s", (int)text->len, (const char *)text->data);
}

/* ---- subscribers ----------------------------------------------------------------------------- */

struct subscriber {
  int32_t (*on_event)(void *user, const struct text *event);
  void *user;
  void (*release)(void *user);
};
/* How the next registration ends: taken; refused with the state released, as Relay does; refused
 * before the host had looked at it. */
enum registration { TAKEN, REFUSED_AND_RELEASED, REFUSED };
struct context {
  enum registration wanted;
  struct subscriber subscriber;
};

SANDBOX_HELPER int32_t subscribe(struct context *context, const struct text *name,
                                 int32_t (*on_event)(void *, const struct text *), void *user,
                                 void (*release)(void *)) {
  cr_assert(name->len > 0);
  if (context->wanted == REFUSED_AND_RELEASED)
    release(user);
  if (context->wanted != TAKEN)
    return STATUS_INTERNAL;
  context->subscriber = (struct subscriber){on_event, user, release};
  return STATUS_OK;
}

/* ---- tables ---------------------------------------------------------------------------------- */

SANDBOX_HELPER void not_for_observers(void) {
  cr_assert_fail("a function was called that an observer has no use for");
}

/* A table of this version in a block of `size` bytes, which it also claims.  Members: version and
 * size, then functions; table 1 has no codecs, the others have three before the subscriber's. */
SANDBOX_HELPER void *new_table(uint32_t version, size_t size) {
  void (*functions[80])(void);
  size_t count = 0, room = size > 16 ? (size - 16) / sizeof *functions : 0;
  char *table = malloc(size > 0 ? size : 1);
  static const char relay_version[] = "0.9.2";

  for (size_t i = 0; i < 80; i++)
    functions[i] = not_for_observers;
  functions[count++] = (void (*)(void))(uintptr_t)relay_version;
  functions[count++] = (void (*)(void))text_new;
  functions[count++] = (void (*)(void))text_data;
  functions[count++] = (void (*)(void))text_len;
  functions[count++] = (void (*)(void))text_free;
  functions[count++] = (void (*)(void))error_clear;
  functions[count++] = (void (*)(void))error_store;
  count += version == 1 ? 0 : 3;
  functions[count] = (void (*)(void))subscribe;
  if (size >= 4)
    memcpy(table, &version, 4);
  if (size >= 16)
    memcpy(table + 8, &size, 8);
  memcpy(table + 16, functions, (room < 80 ? room : 80) * sizeof *functions);
  return table;
}

/* ---- a plugin -------------------------------------------------------------------------------- */

struct descriptor {
  size_t struct_size;
  struct text *kind;
  bool allows_multiple_components;
  void *user;
  int32_t (*validate)(void *user, const struct text *config, struct text **diagnostics);
  int32_t (*on_register)(void *user, const struct text *config, struct context *context);
  void (*drop)(void *user);
};

static int32_t (*relay_entry)(const void *table, struct descriptor *out);

static struct relay_host { /* one loaded plugin with one component */
  void *table;
  struct descriptor plugin;
  struct context context;
} relay;

SANDBOX_HELPER int32_t load_relay(struct relay_host *host, uint32_t version, size_t size) {
  host->table = new_table(version, size);
  host->plugin = (struct descriptor){.struct_size = sizeof host->plugin};
  return relay_entry(host->table, &host->plugin);
}

/* {"project_root": the sandbox} and `more`: "" or members that begin with a comma. */
SANDBOX_HELPER struct text *relay_config(const char *root, const char *more) {
  char json[2048];
  int len =
      snprintf(json, sizeof json, "{\"project_root\":\"%s\",\"delivery\":\"relay\"%s}", root, more);

  return new_text(json, (size_t)len);
}

SANDBOX_HELPER int32_t register_component(struct relay_host *host, const char *root,
                                          const char *more) {
  struct text *config = relay_config(root, more);
  int32_t status = host->plugin.on_register(host->plugin.user, config, &host->context);

  text_free(config);
  return status;
}

SANDBOX_HELPER void release_component(struct relay_host *host) {
  if (host->context.subscriber.release)
    host->context.subscriber.release(host->context.subscriber.user);
  host->context.subscriber = (struct subscriber){0};
}

SANDBOX_HELPER void drop_relay(struct relay_host *host) {
  release_component(host);
  if (host->plugin.drop)
    host->plugin.drop(host->plugin.user);
  text_free(host->plugin.kind);
  free(host->table);
  *host = (struct relay_host){0};
}

/* ---- events ---------------------------------------------------------------------------------- */

SANDBOX_HELPER int32_t emit_to(struct relay_host *host, const char *json, size_t len) {
  struct text *event = new_text(json, len);
  int32_t status = host->context.subscriber.on_event(host->context.subscriber.user, event);

  text_free(event);
  return status;
}

SANDBOX_HELPER int32_t emit(const char *json) {
  return emit_to(&relay, json, strlen(json));
}

/* A scope's event: `more` is "" or members that begin with a comma. */
SANDBOX_HELPER void emit_scope(const char *phase, const char *category, const char *uuid,
                               const char *name, const char *more) {
  char json[8192];

  (void)snprintf(json, sizeof json,
                 "{\"atof_version\":\"0.1\",\"kind\":\"scope\",\"scope_category\":\"%s\","
                 "\"category\":\"%s\",\"uuid\":\"%s\",\"name\":\"%s\",\"attributes\":[]%s}",
                 phase, category, uuid, name, more);
  cr_assert_eq(emit(json), STATUS_OK, "%s", json);
}

/* A run of an agent with these members at its end. */
SANDBOX_HELPER void run_agent(const char *uuid, const char *name, const char *at_end) {
  emit_scope("start", "agent", uuid, name, "");
  emit_scope("end", "agent", uuid, name, at_end);
}

/* The last line of an agent's log. */
SANDBOX_HELPER const char *last_line(const char *agent) {
  char *text = text_of_file(agent_file(agent, "executions.jsonl"));
  char *end = strrchr(text, '\n');

  cr_assert(end);
  *end = '\0';
  char *line = strrchr(text, '\n');
  return line ? line + 1 : text;
}

SANDBOX_HELPER size_t runs_of(const char *agent) {
  const char *log = agent_file(agent, "executions.jsonl");

  return is_there(log) ? lines_of_file(log) : 0;
}

#define HOLDS(line, part) cr_assert(strstr(line, part), "%s\nlacks %s", line, part)
#define LACKS(line, part) cr_assert(!strstr(line, part), "%s\nholds %s", line, part)

SANDBOX_HELPER void enter_relay(void) {
  enter_plugin();
  *(void **)&relay_entry = dlsym(plugin_file, "nemo_relay_register_plugin");
  cr_assert(relay_entry, "%s", dlerror());
}

SANDBOX_HELPER void use_relay(const char *more) {
  cr_assert_eq(load_relay(&relay, 5, 608), STATUS_OK, "%s", last_error);
  cr_assert_eq(register_component(&relay, sandbox.root, more), STATUS_OK, "%s", last_error);
}

SANDBOX_HELPER void leave_relay(void) {
  drop_relay(&relay);
  cr_assert_eq(atomic_load(&live_texts), 0);
  leave_plugin();
}

#endif

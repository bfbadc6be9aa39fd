/* test_nemo_relay.c - the entry for NeMo Relay, seen from a host of its ABI: tables, settings,
 * life.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "relay_conformance.h"

#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

TestSuite(nemo_relay, .init = enter_relay, .fini = leave_relay, .timeout = 60);

enum { TEXT_HEAD = 72, PREFIX = 104 }; /* up to last_error_set; up to register_subscriber */

/* ---- tables ---------------------------------------------------------------------------------- */

Test(nemo_relay, takes_the_tables_5_to_2_by_their_prefix) {
  static const struct {
    uint32_t version;
    size_t size;
  } tables[] = {{5, 608}, {4, 584}, {3, 440}, {2, 320}, {5, PREFIX}, {2, PREFIX}, {5, 1 << 20}};
  char uuid[8];

  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    struct relay_host host = {0};

    cr_assert_eq(load_relay(&host, tables[i].version, tables[i].size), STATUS_OK,
                 "table %u of %zu: %s", tables[i].version, tables[i].size, last_error);
    cr_assert_eq(host.plugin.struct_size, sizeof host.plugin);
    cr_assert_eq(host.plugin.kind->len, strlen("kaizen.metrics"));
    cr_assert_eq(memcmp(host.plugin.kind->data, "kaizen.metrics", host.plugin.kind->len), 0);
    cr_assert_not(host.plugin.allows_multiple_components);
    cr_assert_eq(register_component(&host, sandbox.root, ""), STATUS_OK, "%s", last_error);
    relay = host;
    (void)snprintf(uuid, sizeof uuid, "u-%zu", i);
    run_agent(uuid, "coach", "");
    drop_relay(&relay);
    cr_assert_eq(runs_of("coach"), i + 1);
  }
}

Test(nemo_relay, refuses_other_tables_with_a_text) {
  static const struct {
    uint32_t version;
    size_t size;
    const char *says; /* "": the table has no room for a text */
  } tables[] = {
      {1, 296, "host table 1 is unknown; tables 2 to 5 are supported"},
      {0, 608, "host table 0 "},
      {6, 640, "host table 6 is unknown"},
      {UINT32_MAX, 608, "host table 4294967295 "},
      {5, PREFIX - 1, "host table 5 has 103 bytes; it needs at least 104"},
      {2, TEXT_HEAD, "host table 2 has 72 bytes"},
      {2, TEXT_HEAD - 1, ""},
      {5, 16, ""},
      {1, 16, ""},
  };

  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    struct relay_host host = {0};

    error_clear();
    cr_assert_eq(load_relay(&host, tables[i].version, tables[i].size), STATUS_INVALID_ARG,
                 "table %u of %zu", tables[i].version, tables[i].size);
    cr_assert(!host.plugin.kind && !host.plugin.drop && !host.plugin.on_register);
    if (*tables[i].says)
      HOLDS(last_error, tables[i].says);
    else
      cr_assert_str_empty(last_error);
    drop_relay(&host);
  }
}

Test(nemo_relay, a_refusal_leaves_no_error_once_an_older_table_is_taken) {
  struct relay_host newer = {0};

  cr_assert_eq(load_relay(&newer, 7, 700), STATUS_INVALID_ARG);
  drop_relay(&newer);
  use_relay("");
  cr_assert_str_empty(last_error);
}

Test(nemo_relay, refuses_a_table_that_lacks_a_function) {
  for (size_t offset = 24; offset < PREFIX; offset += 8) {
    struct descriptor out = {.struct_size = sizeof out};
    char *table = new_table(5, 608);
    bool is_used = offset < TEXT_HEAD || offset == PREFIX - 8;

    memset(table + offset, 0, 8);
    cr_assert_eq(relay_entry(table, &out), is_used ? STATUS_INVALID_ARG : STATUS_OK, "without %zu",
                 offset);
    if (!is_used) {
      out.drop(out.user);
      text_free(out.kind);
    }
    free(table);
  }
}

Test(nemo_relay, refuses_null_and_a_small_descriptor) {
  struct descriptor small = {.struct_size = sizeof small - 1};
  void *table = new_table(5, 608);

  cr_assert_eq(relay_entry(NULL, &small), STATUS_NULL);
  cr_assert_eq(relay_entry(table, NULL), STATUS_NULL);
  cr_assert_eq(relay_entry(table, &small), STATUS_INVALID_ARG);
  HOLDS(last_error, "descriptor");
  cr_assert(!small.kind);
  free(table);
}

/* ---- settings -------------------------------------------------------------------------------- */

/* Refused by both of the host's ways to ask, with the same text. */
static void refused(const char *config, const char *says) {
  struct text *text = new_text(config, strlen(config)), *diagnostics = NULL;
  char escaped[512], *to = escaped;

  error_clear();
  cr_assert_eq(relay.plugin.on_register(relay.plugin.user, text, &relay.context),
               STATUS_INVALID_ARG, "taken: %s", config);
  HOLDS(last_error, says);
  HOLDS(last_error, "kaizen.metrics: ");
  cr_assert_eq(relay.plugin.validate(relay.plugin.user, text, &diagnostics), STATUS_OK);
  cr_assert(diagnostics, "valid: %s", config);
  for (; *says != '\0'; says++) {
    if (*says == '"')
      *to++ = '\\';
    *to++ = *says;
  }
  *to = '\0';
  char *shown = strndup((const char *)diagnostics->data, diagnostics->len);
  HOLDS(shown, "\"level\":\"error\"");
  HOLDS(shown, "\"component\":\"kaizen.metrics\"");
  HOLDS(shown, escaped);
  free(shown);
  text_free(diagnostics);
  text_free(text);
}

Test(nemo_relay, a_configuration_is_refused_by_name_value_and_rule) {
  char config[1024];
  static const struct {
    const char *more, *says;
  } cases[] = {
      {"\"scope\":[\"agent\"]", "unknown key \"scope\"; the nearest known key is \"scopes\""},
      {"\"projekt\":\"x\"", "unknown key \"projekt\"; the nearest known key is \"project\""},
      {"\"dump\":\"/tmp/x\"", "unknown key \"dump\""},
      {"\"executor\":{}", "unknown key \"executor\""},
      {"\"scopes\":\"agent\"", "scopes: \"agent\" is not a list with \"agent\", \"turn\" or both"},
      {"\"scopes\":[]", "scopes: [] is not a list"},
      {"\"scopes\":[\"agent\",\"tool, x\"]", "scopes: \"tool, x\" is not"},
      {"\"scopes\":[[\"agent\"]]", "scopes: "},
      {"\"scopes\":[1]", "scopes: 1 is not"},
      {"\"nested\":\"yes\"", "nested: \"yes\" is not true or false"},
      {"\"aborted\":\"maybe\"", "aborted: \"maybe\" is not \"skip\" or \"failure\""},
      {"\"aborted\":null", "aborted: null is not"},
      {"\"fsync\":true", "fsync"},
      {"\"retention_days\":-1", "retention_days: \"-1\" is not"},
      {"\"nested\":true,\"nested\":true", "configuration: byte "},
  };

  cr_assert_eq(load_relay(&relay, 5, 608), STATUS_OK);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    (void)snprintf(config, sizeof config, "{\"project_root\":\"%s\",%s}", sandbox.root,
                   cases[i].more);
    refused(config, cases[i].says);
  }
  refused("{}", "project_root is not set; put project_root = \"/path/of/the/project\" under "
                "[plugins.dynamic.config] in plugins.toml");
  refused("{\"project_root\":\"\"}", "project_root is not set");
  refused("{\"project_root\":null}", "project_root is not set");
  refused("{\"project_root\":\"project\"}", "project_root: \"project\" is not");
  refused("{\"project_root\":\"/nonexistent/here\"}", "/nonexistent/here");
  refused("[]", "not an object");
  refused("", "");
  refused("{\"project_root\":\"/\xff\"}", "");
  cr_assert_not(is_there(in_sandbox(".kaizen")), "a refused configuration has written something");
}

Test(nemo_relay, a_good_configuration_is_valid_and_leaves_nothing_behind) {
  struct text *config, *diagnostics = NULL;

  cr_assert_eq(load_relay(&relay, 5, 608), STATUS_OK);
  config =
      relay_config(sandbox.root, ",\"scopes\":[ \"turn\" , \"agent\" ],\"nested\":false,"
                                 "\"aborted\":\"failure\",\"retention_days\":30,\"project\":\"p\"");
  cr_assert_eq(relay.plugin.validate(relay.plugin.user, config, &diagnostics), STATUS_OK);
  cr_assert(!diagnostics, "%.*s", (int)diagnostics->len, (const char *)diagnostics->data);
  cr_assert_eq(relay.plugin.validate(relay.plugin.user, config, NULL), STATUS_NULL);
  text_free(config);
  cr_assert_not(is_there(in_sandbox(".kaizen")));
}

/* ---- life ------------------------------------------------------------------------------------ */

Test(nemo_relay, a_refused_registration_leaves_nothing_whoever_released_it) {
  unsigned before = open_descriptors();

  cr_assert_eq(load_relay(&relay, 5, 608), STATUS_OK);
  for (int i = 0; i < 20; i++) {
    relay.context.wanted = i % 2 ? REFUSED : REFUSED_AND_RELEASED;
    cr_assert_eq(register_component(&relay, sandbox.root, ""), STATUS_INTERNAL);
  }
  relay.context.wanted = TAKEN;
  cr_assert_eq(open_descriptors(), before);
  cr_assert_eq(register_component(&relay, sandbox.root, ""), STATUS_OK);
  run_agent("u-1", "coach", "");
  cr_assert_eq(runs_of("coach"), 1);
}

Test(nemo_relay, dropped_before_it_is_released_it_still_works_to_its_end) {
  use_relay("");
  emit_scope("start", "agent", "u-1", "coach", "");
  relay.plugin.drop(relay.plugin.user);
  relay.plugin.drop = NULL;
  memset(relay.table, 0xEE, 608);
  emit_scope("end", "agent", "u-1", "coach", "");
  cr_assert_eq(runs_of("coach"), 1);
}

Test(nemo_relay, reloads_grow_nothing_and_a_run_across_one_is_recorded_without_a_duration) {
  unsigned before = open_descriptors();
  char uuid[16];

  for (int i = 0; i < 30; i++) {
    use_relay("");
    (void)snprintf(uuid, sizeof uuid, "before-%d", i);
    emit_scope("end", "agent", uuid, "coach", ",\"timestamp\":\"2026-11-26T23:04:22Z\"");
    LACKS(last_line("coach"), "execution_time_s");
    (void)snprintf(uuid, sizeof uuid, "before-%d", i + 1);
    emit_scope("start", "agent", uuid, "coach", ",\"timestamp\":\"2026-11-26T23:04:20Z\"");
    drop_relay(&relay);
    cr_assert_eq(open_descriptors(), before);
  }
  cr_assert_eq(runs_of("coach"), 30);
}

Test(nemo_relay, two_components_record_in_a_project_each) {
  struct context second = {.wanted = TAKEN};
  struct text *config;

  cr_assert_eq(mkdir(in_sandbox("other"), 0700), 0);
  use_relay("");
  config = relay_config(in_sandbox("other"), "");
  cr_assert_eq(relay.plugin.on_register(relay.plugin.user, config, &second), STATUS_OK);
  text_free(config);
  run_agent("u-1", "coach", "");
  release_component(&relay);
  relay.context = second;
  run_agent("u-2", "coach", "");
  cr_assert_eq(runs_of("coach"), 1);
  cr_assert_eq(lines_of_file(in_sandbox("other/.kaizen/metrics/coach/executions.jsonl")), 1);
}

Test(nemo_relay, a_forked_child_answers_at_once_and_leaves_the_parents_runs_alone) {
  static void *volatile parents; /* what the child must not free is still known there */
  int status;
  pid_t child;

  use_relay(",\"aborted\":\"failure\"");
  emit_scope("start", "agent", "u-1", "coach", "");
  parents = relay.context.subscriber.user;
  child = fork();
  if (child == 0) {
    emit_scope("end", "agent", "u-1", "coach", "");
    drop_relay(&relay);
    (void)raise(SIGKILL); /* without looking back: what the parent holds is lost to it */
  }
  cr_assert(parents);
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %d", status);
  cr_assert_eq(runs_of("coach"), 0);
  emit_scope("end", "agent", "u-1", "coach", "");
  cr_assert_eq(runs_of("coach"), 1);
}

/* Standard error is what the host made of it: a pipe that nobody reads, or that is full. */
Test(nemo_relay, a_message_neither_ends_nor_stops_the_host) {
  char piece[4096] = {0};
  int ends[2];

  use_relay("");
  for (int is_full = 0; is_full < 2; is_full++) {
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    if (is_full) {
      cr_assert_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
      while (write(ends[1], piece, sizeof piece) > 0)
        continue;
      cr_assert_eq(fcntl(ends[1], F_SETFL, 0), 0);
    } else {
      (void)close(ends[0]);
    }
    cr_assert_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    if (is_full)
      emit_scope("end", "agent", "u-1", "", "");
    else
      cr_assert_eq(emit("no event"), 7);
  }
  run_agent("u-2", "coach", "");
  cr_assert_eq(runs_of("coach"), 1);
}

enum { THREADS = 8, RUNS_EACH = 60, SUBSCRIPTIONS = 20 };
static pthread_mutex_t place = PTHREAD_MUTEX_INITIALIZER; /* of the subscription in force */
static struct subscription { /* counted as Relay counts it: released after its last event */
  struct subscriber subscriber;
  atomic_int users;
} * in_force;

static void let_go(struct subscription *subscription) {
  if (atomic_fetch_sub(&subscription->users, 1) != 1)
    return;
  subscription->subscriber.release(subscription->subscriber.user);
  free(subscription);
}

static struct subscription *replace(const struct subscriber *subscriber) {
  struct subscription *made = calloc(1, sizeof *made), *before;

  made->subscriber = *subscriber;
  atomic_init(&made->users, 1);
  (void)pthread_mutex_lock(&place);
  before = in_force;
  in_force = made;
  (void)pthread_mutex_unlock(&place);
  return before;
}

static void *emit_runs(void *number) {
  for (int i = 0; i < 2 * RUNS_EACH; i++) {
    char json[512];
    int len = snprintf(json, sizeof json,
                       "{\"kind\":\"scope\",\"scope_category\":\"%s\",\"category\":\"agent\","
                       "\"uuid\":\"thread-%d-%d\",\"name\":\"coach\"}",
                       i % 2 ? "end" : "start", *(int *)number, i / 2);
    struct text *event = new_text(json, (size_t)len);

    (void)pthread_mutex_lock(&place);
    struct subscription *now = in_force;
    (void)atomic_fetch_add(&now->users, 1);
    (void)pthread_mutex_unlock(&place);
    cr_assert_eq(now->subscriber.on_event(now->subscriber.user, event), STATUS_OK);
    let_go(now);
    text_free(event);
  }
  return NULL;
}

Test(nemo_relay, reconfigured_under_load_it_loses_no_run) {
  pthread_t threads[THREADS];
  int numbers[THREADS];

  use_relay("");
  (void)replace(&relay.context.subscriber);
  for (int i = 0; i < THREADS; i++) {
    numbers[i] = i;
    cr_assert_eq(pthread_create(&threads[i], NULL, emit_runs, &numbers[i]), 0);
  }
  for (int i = 0; i < SUBSCRIPTIONS; i++) {
    cr_assert_eq(register_component(&relay, sandbox.root, i % 2 ? ",\"nested\":false" : ""),
                 STATUS_OK);
    let_go(replace(&relay.context.subscriber));
  }
  for (int i = 0; i < THREADS; i++)
    (void)pthread_join(threads[i], NULL);
  let_go(in_force);
  relay.context.subscriber = (struct subscriber){0};
  cr_assert_eq(runs_of("coach"), THREADS * RUNS_EACH);
}

struct late_end {
  struct subscriber subscriber;
  struct text *event;
};

static void *end_late(void *argument) {
  struct late_end *late = argument;

  cr_assert_eq(late->subscriber.on_event(late->subscriber.user, late->event), STATUS_OK);
  return NULL;
}

/* The queue of the agent's turnstile is where a waiting call is seen from outside. */
static void wait_until_it_waits(void) {
  int fd = open(agent_file("coach", ".next"), O_RDWR | O_CLOEXEC);

  while (flock(fd, LOCK_SH | LOCK_NB) == 0) {
    (void)flock(fd, LOCK_UN);
    (void)sched_yield();
  }
  (void)close(fd);
}

/* A host that does not wait for its own events: what was being recorded still is. */
Test(nemo_relay, released_in_the_middle_of_a_record_it_finishes_it) {
  static const char end[] = "{\"kind\":\"scope\",\"scope_category\":\"end\",\"category\":\"agent\","
                            "\"uuid\":\"u-2\",\"name\":\"coach\"}";
  struct late_end late;
  pthread_t thread;
  int lock;

  use_relay(",\"lock_timeout_ms\":20000,\"aborted\":\"failure\"");
  run_agent("u-1", "coach", "");
  emit_scope("start", "agent", "u-3", "coach", "");
  lock = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);
  cr_assert_geq(lock, 0);
  cr_assert_eq(flock(lock, LOCK_EX), 0);
  late = (struct late_end){relay.context.subscriber, new_text(end, sizeof end - 1)};
  cr_assert_eq(pthread_create(&thread, NULL, end_late, &late), 0);
  wait_until_it_waits();
  release_component(&relay); /* waits for nothing: the last event ends the component */
  cr_assert_eq(runs_of("coach"), 1);
  cr_assert_eq(close(lock), 0);
  (void)pthread_join(thread, NULL);
  text_free(late.event);
  cr_assert_eq(runs_of("coach"), 3);
}

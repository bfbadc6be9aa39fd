/* test_plugin.c - the rules of kaizen/plugin.h on the real file: its table, states and settings.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_under_test.h"

TestSuite(plugin, .init = enter_plugin, .fini = leave_plugin);

/* The table. */

Test(plugin, the_table_is_complete_and_always_the_same) {
  cr_assert_eq(plugin->struct_size, sizeof *plugin);
  cr_assert_eq(plugin->abi_version, KAIZEN_ABI_VERSION);
  cr_assert_str_eq(plugin->id, "kaizen.metrics");
  cr_assert(plugin->version[0]);
  cr_assert_eq(plugin->config_schema[0], '{');
  cr_assert(plugin->code_name && plugin->create && plugin->configure && plugin->configure_key &&
            plugin->start && plugin->on_execution_end && plugin->on_execution_end_json &&
            plugin->flush && plugin->stats && plugin->last_error && plugin->stop &&
            plugin->destroy && plugin->get_extension);
  {
    void *again;

    cr_assert_eq(open_plugin(&again), plugin);
    (void)dlclose(again);
  }
}

Test(plugin, every_code_has_a_name_also_those_to_come) {
  static const struct {
    int32_t code;
    const char *name;
  } names[] = {{KAIZEN_OK, "OK"},
               {KAIZEN_DUPLICATE, "DUPLICATE"},
               {KAIZEN_PENDING, "PENDING"},
               {KAIZEN_E_ARGUMENT, "E_ARGUMENT"},
               {KAIZEN_E_STATE, "E_STATE"},
               {KAIZEN_E_CONFIG, "E_CONFIG"},
               {KAIZEN_E_UNSUPPORTED, "E_UNSUPPORTED"},
               {KAIZEN_E_FORKED, "E_FORKED"},
               {KAIZEN_E_REJECTED, "E_REJECTED"},
               {KAIZEN_E_ENDED, "E_ENDED"},
               {KAIZEN_E_BUSY, "E_BUSY"},
               {KAIZEN_E_NOMEM, "E_NOMEM"},
               {KAIZEN_E_IO, "E_IO"},
               {KAIZEN_E_STOPPED, "E_STOPPED"},
               {KAIZEN_E_INDETERMINATE, "E_INDETERMINATE"}};

  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    cr_expect_str_eq(plugin->code_name(names[i].code), names[i].name);
  for (int32_t code = -200; code < 200; code++)
    cr_assert(plugin->code_name(code) && plugin->code_name(code)[0], "%d", code);
}

Test(plugin, extensions_are_found_by_their_whole_id) {
  static const char *const known[] = {KAIZEN_INSPECT_1,  KAIZEN_QUERY_1,  KAIZEN_BATCH_1,
                                      KAIZEN_DELIVERY_1, KAIZEN_BROKER_1, KAIZEN_REPAIR_1,
                                      KAIZEN_SPAN_1,     KAIZEN_NAMES_1};

  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    cr_expect(plugin->get_extension(known[i]), "%s", known[i]);
    cr_expect_eq(plugin->get_extension(known[i]), plugin->get_extension(known[i]), "%s", known[i]);
  }
  cr_assert_null(plugin->get_extension("kaizen.inspect/2"));
  cr_assert_null(plugin->get_extension("kaizen.inspect"));
  cr_assert_null(plugin->get_extension(""));
  cr_assert_null(plugin->get_extension(NULL));
}

/* create. */

Test(plugin, create_refuses_what_is_no_host_of_this_major) {
  static const struct {
    const char *name;
    uint32_t struct_size, abi_version, flags;
    int32_t code;
  } cases[] = {
      {"no size", 0, KAIZEN_ABI_VERSION, 0, KAIZEN_E_ARGUMENT},
      {"a byte too small", sizeof(struct kaizen_host_v1) - 1, KAIZEN_ABI_VERSION, 0,
       KAIZEN_E_ARGUMENT},
      {"larger", sizeof(struct kaizen_host_v1) + 64, KAIZEN_ABI_VERSION, 0, KAIZEN_OK},
      {"a newer minor", sizeof(struct kaizen_host_v1), KAIZEN_ABI_VERSION + 7, 0, KAIZEN_OK},
      {"another major", sizeof(struct kaizen_host_v1), KAIZEN_ABI_VERSION + 0x10000, 0,
       KAIZEN_E_UNSUPPORTED},
      {"major 0", sizeof(struct kaizen_host_v1), 5, 0, KAIZEN_E_UNSUPPORTED},
      {"a known flag", sizeof(struct kaizen_host_v1), KAIZEN_ABI_VERSION, 1, KAIZEN_E_UNSUPPORTED},
      {"an unknown low flag", sizeof(struct kaizen_host_v1), KAIZEN_ABI_VERSION, 1u << 15,
       KAIZEN_E_UNSUPPORTED},
      {"an unknown high flag", sizeof(struct kaizen_host_v1), KAIZEN_ABI_VERSION, 1u << 16,
       KAIZEN_OK},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct {
      struct kaizen_host_v1 host;
      unsigned char tail[64];
    } given = {.host = plain_host()};
    struct kaizen_instance *made = (struct kaizen_instance *)&given;

    memset(given.tail, GUARD, sizeof given.tail);
    given.host.struct_size = cases[i].struct_size;
    given.host.abi_version = cases[i].abi_version;
    given.host.flags = cases[i].flags;
    cr_expect_eq(plugin->create(&given.host, &made), cases[i].code, "%s", cases[i].name);
    cr_expect_eq(made != NULL, cases[i].code == KAIZEN_OK, "%s", cases[i].name);
    plugin->destroy(made);
  }
  cr_assert_eq(plugin->create(NULL, &instance), KAIZEN_E_ARGUMENT);
  cr_assert_null(instance);
  cr_assert_eq(plugin->create(&(struct kaizen_host_v1){0}, NULL), KAIZEN_E_ARGUMENT);
}

Test(plugin, create_touches_nothing_and_copies_what_it_is_given) {
  struct kaizen_host_v1 host = plain_host();

  cr_assert_eq(plugin->create(&host, &instance), KAIZEN_OK);
  memset(&host, GUARD, sizeof host);
  cr_assert_eq(configure_in(instance, sandbox.root, ""), KAIZEN_OK, "%s", why(instance));
  cr_assert_eq(plugin->start(instance), KAIZEN_OK);
  cr_assert_not(is_there(in_sandbox(".kaizen")));
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
}

/* States. */

static int32_t call_configure(void) {
  return configure_in(instance, sandbox.root, "");
}
static int32_t call_configure_key(void) {
  return plugin->configure_key(instance, "project", "other", KAIZEN_NTS);
}
static int32_t call_start(void) {
  return plugin->start(instance);
}
static int32_t call_record(void) {
  return record_success(instance, "coach", NULL);
}
static int32_t call_record_json(void) {
  return plugin->on_execution_end_json(instance, "{\"agent\":\"coach\",\"success\":true}",
                                       KAIZEN_NTS, 0, NULL, NULL);
}
static int32_t call_flush(void) {
  return plugin->flush(instance, 0, NULL);
}
static int32_t call_stop(void) {
  return plugin->stop(instance, 0);
}

Test(plugin, each_call_is_answered_by_state) {
  static const struct {
    const char *name;
    int32_t (*call)(void);
    int32_t codes[STATES];
    int next[STATES]; /* the state afterwards */
  } calls[] = {
#define NO KAIZEN_E_STATE
#define NOT_NOW KAIZEN_E_STOPPED
      {"configure", call_configure, {0, 0, NO, 0}, {CONFIGURED, CONFIGURED, RUNNING, CONFIGURED}},
      {"configure_key",
       call_configure_key,
       {0, 0, NO, 0},
       {CREATED, CONFIGURED, RUNNING, CONFIGURED}},
      {"start", call_start, {NO, 0, NO, 0}, {CREATED, RUNNING, RUNNING, RUNNING}},
      {"record",
       call_record,
       {NOT_NOW, NOT_NOW, 0, NOT_NOW},
       {CREATED, CONFIGURED, RUNNING, STOPPED}},
      {"record json",
       call_record_json,
       {NOT_NOW, NOT_NOW, 0, NOT_NOW},
       {CREATED, CONFIGURED, RUNNING, STOPPED}},
      {"flush",
       call_flush,
       {NOT_NOW, NOT_NOW, 0, NOT_NOW},
       {CREATED, CONFIGURED, RUNNING, STOPPED}},
      {"stop", call_stop, {NO, NO, 0, NO}, {CREATED, CONFIGURED, STOPPED, STOPPED}},
  };

  for (size_t c = 0; c < sizeof calls / sizeof *calls; c++)
    for (int state = 0; state < STATES; state++) {
      bring_to(state);
      cr_expect_eq(calls[c].call(), calls[c].codes[state], "%s in state %d", calls[c].name, state);
      cr_expect_eq(stats_of(instance).state, calls[c].next[state], "%s in state %d", calls[c].name,
                   state);
      plugin->destroy(instance);
      instance = NULL;
    }
}

Test(plugin, a_null_instance_is_an_argument_error_everywhere) {
  struct kaizen_execution execution = execution_of("coach");
  struct kaizen_stats stats = {.struct_size = sizeof stats};

  cr_assert_eq(plugin->configure(NULL, "{}", KAIZEN_NTS), KAIZEN_E_ARGUMENT);
  cr_assert_eq(plugin->configure_key(NULL, "project", "x", KAIZEN_NTS), KAIZEN_E_ARGUMENT);
  cr_assert_eq(plugin->start(NULL), KAIZEN_E_ARGUMENT);
  cr_assert_eq(plugin->on_execution_end(NULL, &execution, NULL, NULL), KAIZEN_E_ARGUMENT);
  cr_assert_eq(plugin->on_execution_end_json(NULL, "{}", 2, 0, NULL, NULL), KAIZEN_E_ARGUMENT);
  cr_assert_eq(plugin->flush(NULL, 0, NULL), KAIZEN_E_ARGUMENT);
  cr_assert_eq(plugin->stats(NULL, &stats), KAIZEN_E_ARGUMENT);
  cr_assert_eq(plugin->last_error(NULL, NULL, 0), 0);
  cr_assert_eq(plugin->stop(NULL, 0), KAIZEN_E_ARGUMENT);
  plugin->destroy(NULL);
}

Test(plugin, stopped_and_started_again_it_goes_on) {
  use_instance("");
  for (unsigned i = 0; i < 3; i++) {
    cr_assert_eq(record_success(instance, "coach", "k"), i ? KAIZEN_DUPLICATE : KAIZEN_RECORDED);
    cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
    cr_assert_eq(plugin->stop(instance, 0), KAIZEN_OK);
    cr_assert_eq(plugin->start(instance), KAIZEN_OK, "%s", why(instance));
  }
  cr_assert_eq(lines_of_file(agent_file("coach", "executions.jsonl")), 4);
  cr_assert_eq(stats_of(instance).recorded, 4);
  cr_assert_eq(stats_of(instance).duplicates, 2);
}

/* What was not recorded is counted, whatever kept it out. */
Test(plugin, every_refused_recording_is_counted) {
  struct kaizen_execution execution = execution_of("coach");
  struct kaizen_receipt receipt = receipt_of(), small = {.struct_size = 8};

  bring_to(CREATED);
  cr_expect_eq(record_success(instance, "coach", NULL), KAIZEN_E_STOPPED);
  cr_expect_eq(stats_of(instance).failed, 1);
  plugin->destroy(instance);
  bring_to(STOPPED);
  cr_expect_eq(plugin->on_execution_end(instance, &execution, &receipt, NULL), KAIZEN_E_STOPPED);
  cr_expect(strstr(receipt.reason, "start()"), "%s", receipt.reason);
  cr_expect(KAIZEN_MAY_RETRY(KAIZEN_E_STOPPED, 0));
  cr_expect_eq(plugin->on_execution_end_json(instance, "{}", 2, 0, NULL, NULL), KAIZEN_E_STOPPED);
  cr_expect_eq(stats_of(instance).failed, 2);
  cr_expect_eq(plugin->on_execution_end(instance, NULL, NULL, NULL), KAIZEN_E_ARGUMENT);
  cr_expect_eq(plugin->on_execution_end_json(instance, NULL, 0, 0, NULL, NULL), KAIZEN_E_ARGUMENT);
  cr_expect_eq(plugin->on_execution_end(instance, &execution, &small, NULL), KAIZEN_E_ARGUMENT);
  cr_expect_eq(stats_of(instance).rejected, 3);
}

/* Configuration. */

static char in_force_text[8192];

static int32_t take_text(void *ctx, const char *data, size_t len) {
  (void)ctx;
  (void)snprintf(in_force_text, sizeof in_force_text, "%.*s", (int)len, data);
  return 0;
}

static const char *in_force(void) {
  const struct kaizen_inspect_1 *inspect = plugin->get_extension(KAIZEN_INSPECT_1);

  in_force_text[0] = '\0';
  (void)inspect->config(instance, take_text, NULL);
  return in_force_text;
}

Test(plugin, a_refused_configuration_says_why_and_leaves_nothing_configured) {
  static const struct {
    const char *json, *says;
  } cases[] = {
      {"{\"project_root\":\"relative\"}", "relative"},
      {"{\"project_root\":\"/nowhere/at/all\"}", "/nowhere/at/all"},
      {"{\"project_rot\":\"/tmp\"}", "project_root"},
      {"{\"project_root\":\"/tmp\",\"fsync\":\"sometimes\"}", "fsync"},
      {"{\"project_root\":\"/tmp\",\"trend_window\":65}", "trend_window"},
      {"[]", ""},
      {"{\"project_root\"", ""},
      {"\xff\xfe", ""},
  };

  bring_to(CONFIGURED);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cr_assert_eq(configure_in(instance, sandbox.root, ""), KAIZEN_OK, "%s", why(instance));
    cr_expect_eq(plugin->configure(instance, cases[i].json, KAIZEN_NTS), KAIZEN_E_CONFIG, "%s",
                 cases[i].json);
    cr_expect(strstr(why(instance), cases[i].says) && why(instance)[0], "%s: %s", cases[i].json,
              why(instance));
    cr_expect_eq(stats_of(instance).state, CREATED, "%s", cases[i].json);
    cr_expect_eq(plugin->start(instance), KAIZEN_E_STATE, "%s", cases[i].json);
  }
}

Test(plugin, without_a_project_root_it_stays_created_until_there_is_one) {
  static const char *const texts[] = {NULL, "", "  ", "{}", "{\"fsync\":\"always\"}"};

  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    bring_to(CONFIGURED);
    cr_expect_eq(plugin->configure(instance, texts[i], KAIZEN_NTS), KAIZEN_OK, "%zu: %s", i,
                 why(instance));
    cr_expect_eq(stats_of(instance).state, CREATED, "%zu", i);
    cr_expect_eq(plugin->start(instance), KAIZEN_E_STATE, "%zu", i);
    cr_expect(strstr(why(instance), "project_root"), "%s", why(instance));
    cr_expect_eq(plugin->configure_key(instance, "project_root", sandbox.root, KAIZEN_NTS),
                 KAIZEN_OK);
    cr_expect_eq(stats_of(instance).state, CONFIGURED, "%zu", i);
    cr_expect_eq(plugin->start(instance), KAIZEN_OK, "%zu", i);
    plugin->destroy(instance);
    instance = NULL;
  }
}

Test(plugin, a_root_that_is_taken_back_takes_its_settings_out_of_force) {
  bring_to(CONFIGURED);
  cr_assert_eq(plugin->configure_key(instance, "project_root", "", 0), KAIZEN_OK);
  cr_expect_eq(stats_of(instance).state, CREATED);
  cr_assert_eq(plugin->configure_key(instance, "fsync", "always", KAIZEN_NTS), KAIZEN_OK);
  cr_expect_eq(plugin->start(instance), KAIZEN_E_STATE,
               "nothing runs on a root that was taken back");
  cr_expect_eq(record_success(instance, "coach", NULL), KAIZEN_E_STOPPED);
  cr_assert_eq(plugin->configure_key(instance, "project_root", sandbox.root, KAIZEN_NTS),
               KAIZEN_OK);
  cr_assert_eq(plugin->start(instance), KAIZEN_OK);
  cr_expect_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_expect(strstr(in_force(), "\"fsync\":{\"value\":\"always\",\"origin\":\"configured\"}"), "%s",
            in_force());
}

Test(plugin, keys_can_be_given_one_by_one) {
  bring_to(CREATED);
  cr_assert_eq(plugin->configure_key(instance, "project", "shop", KAIZEN_NTS), KAIZEN_OK);
  cr_assert_eq(plugin->configure_key(instance, "trend_window", "many", KAIZEN_NTS),
               KAIZEN_E_CONFIG);
  cr_assert(strstr(why(instance), "trend_window"), "%s", why(instance));
  cr_assert_eq(plugin->configure_key(instance, "no_such_key", "1", KAIZEN_NTS), KAIZEN_E_CONFIG);
  cr_assert_eq(plugin->configure_key(instance, NULL, "1", KAIZEN_NTS), KAIZEN_E_ARGUMENT);
  cr_assert_eq(plugin->configure_key(instance, "project", NULL, 0), KAIZEN_E_ARGUMENT);
  cr_assert_eq(plugin->configure_key(instance, "project_root", sandbox.root, KAIZEN_NTS), KAIZEN_OK,
               "%s", why(instance));
  cr_assert_eq(plugin->configure_key(instance, "delivery", "relay and more", 5), KAIZEN_OK);
  cr_assert_eq(plugin->start(instance), KAIZEN_OK, "%s", why(instance));
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
}

Test(plugin, last_error_is_copied_as_far_as_there_is_room) {
  char text[512], part[16];
  size_t full;

  bring_to(CREATED);
  cr_assert_eq(plugin->last_error(instance, text, sizeof text), 0);
  cr_assert_str_eq(text, "");
  cr_assert_eq(plugin->configure(instance, "{\"project_rot\":1}", KAIZEN_NTS), KAIZEN_E_CONFIG);
  full = plugin->last_error(instance, text, sizeof text);
  cr_assert_eq(full, strlen(text));
  cr_assert_eq(plugin->last_error(instance, NULL, 0), full);
  memset(part, GUARD, sizeof part);
  cr_assert_eq(plugin->last_error(instance, part, 8), full);
  cr_assert_eq(strlen(part), 7);
  cr_assert_eq(strncmp(part, text, 7), 0);
  cr_assert_eq((unsigned char)part[8], GUARD);
  cr_assert_eq(plugin->last_error(instance, part, 1), full);
  cr_assert_eq(part[0], '\0');
}

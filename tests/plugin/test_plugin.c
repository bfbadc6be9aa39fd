/* test_plugin.c - the rules of kaizen/plugin.h on the real file: sizes, flags, states, outputs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_under_test.h"

#include <math.h>
#include <sys/file.h>

TestSuite(plugin, .init = enter_plugin, .fini = leave_plugin);

#define GUARD 0xA5

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
  static const char *const known[] = {KAIZEN_INSPECT_1, KAIZEN_BATCH_1,  KAIZEN_DELIVERY_1,
                                      KAIZEN_BROKER_1,  KAIZEN_REPAIR_1, KAIZEN_NAMES_1};

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

enum { CREATED, CONFIGURED, RUNNING, STOPPED, STATES };

static void bring_to(int state) {
  struct kaizen_host_v1 host = plain_host();

  cr_assert_eq(plugin->create(&host, &instance), KAIZEN_OK);
  if (state >= CONFIGURED)
    cr_assert_eq(configure_in(instance, sandbox.root, ""), KAIZEN_OK, "%s", why(instance));
  if (state >= RUNNING)
    cr_assert_eq(plugin->start(instance), KAIZEN_OK);
  if (state >= STOPPED)
    cr_assert_eq(plugin->stop(instance, 0), KAIZEN_OK);
  cr_assert_eq(stats_of(instance).state, state);
}

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

/* Sizes. */

Test(plugin, an_out_struct_that_is_too_small_is_not_written) {
  struct kaizen_execution execution = execution_of("coach");
  unsigned char bytes[sizeof(struct kaizen_stats) + 64];

  use_instance("");
  for (int which = 0; which < 3; which++) {
    uint32_t full = which == 0   ? sizeof(struct kaizen_receipt)
                    : which == 1 ? sizeof(struct kaizen_summary)
                                 : offsetof(struct kaizen_stats, unknown_agents);

    for (uint32_t size = 0; size < full; size++) {
      int32_t code;

      memset(bytes, GUARD, sizeof bytes);
      memcpy(bytes, &size, sizeof size);
      code = which == 0   ? plugin->on_execution_end(instance, &execution, (void *)bytes, NULL)
             : which == 1 ? plugin->on_execution_end_json(instance, "{}", 2, 0, NULL, (void *)bytes)
                          : plugin->stats(instance, (void *)bytes);
      cr_assert_eq(code, KAIZEN_E_ARGUMENT, "struct %d of %u bytes", which, size);
      for (size_t i = sizeof size; i < sizeof bytes; i++)
        cr_assert_eq(bytes[i], GUARD, "struct %d of %u bytes, byte %zu", which, size, i);
    }
  }
  cr_assert_not(is_there(in_sandbox(".kaizen")));
}

Test(plugin, of_two_out_structs_the_one_that_fits_says_what_is_wrong) {
  struct kaizen_execution execution = execution_of("coach");
  struct kaizen_receipt receipt = receipt_of();
  struct kaizen_summary summary = {.struct_size = 4};

  use_instance("");
  cr_assert_eq(plugin->on_execution_end(instance, &execution, &receipt, &summary),
               KAIZEN_E_ARGUMENT);
  cr_assert(strstr(receipt.reason, "1.0 layout"), "%s", receipt.reason);
}

Test(plugin, the_rest_of_a_larger_out_struct_is_zeroed_and_no_more) {
  struct kaizen_execution execution = execution_of("coach");
  _Alignas(8) unsigned char receipt[sizeof(struct kaizen_receipt) + 64];
  _Alignas(8) unsigned char summary[sizeof(struct kaizen_summary) + 64];
  _Alignas(8) unsigned char stats[sizeof(struct kaizen_stats) + 64];

  use_instance("");
  for (uint32_t more = 0; more <= 40; more++) {
    struct {
      unsigned char *bytes;
      uint32_t known, size;
    } outs[] = {{receipt, sizeof(struct kaizen_receipt), 0},
                {summary, sizeof(struct kaizen_summary), 0},
                {stats, sizeof(struct kaizen_stats), 0}};

    for (int i = 0; i < 3; i++) {
      outs[i].size = outs[i].known + more;
      memset(outs[i].bytes, GUARD, outs[i].known + 64);
      memcpy(outs[i].bytes, &outs[i].size, sizeof outs[i].size);
    }
    cr_assert_eq(plugin->on_execution_end(instance, &execution, (void *)receipt, (void *)summary),
                 KAIZEN_RECORDED);
    cr_assert_eq(plugin->stats(instance, (void *)stats), KAIZEN_OK);
    for (int i = 0; i < 3; i++) {
      uint32_t size;

      memcpy(&size, outs[i].bytes, sizeof size);
      cr_assert_eq(size, outs[i].size, "struct_size was changed");
      for (uint32_t at = outs[i].known; at < outs[i].known + 64; at++)
        cr_assert_eq(outs[i].bytes[at], at < outs[i].size ? 0 : GUARD,
                     "struct %d, %u more, byte %u", i, more, at);
    }
  }
}

Test(plugin, an_in_struct_may_be_larger_and_never_smaller) {
  struct {
    struct kaizen_execution execution;
    unsigned char tail[64];
  } given = {.execution = execution_of("coach")};
  struct kaizen_receipt receipt = receipt_of();

  use_instance("");
  memset(given.tail, GUARD, sizeof given.tail);
  given.execution.struct_size = sizeof given;
  cr_assert_eq(plugin->on_execution_end(instance, &given.execution, &receipt, NULL),
               KAIZEN_RECORDED, "%s", receipt.reason);
  for (uint32_t size = 0; size < sizeof given.execution; size++) {
    given.execution.struct_size = size;
    cr_assert_eq(plugin->on_execution_end(instance, &given.execution, &receipt, NULL),
                 KAIZEN_E_ARGUMENT, "%u bytes", size);
    cr_assert(receipt.reason[0]);
  }
}

/* Flags. */

Test(plugin, unknown_flags_are_refused_when_low_and_ignored_when_high) {
  struct kaizen_receipt receipt = receipt_of();

  use_instance("");
  for (unsigned bit = 9; bit < 32; bit++) {
    struct kaizen_execution execution = execution_of("coach");

    execution.flags = 1u << bit;
    cr_expect_eq(plugin->on_execution_end(instance, &execution, &receipt, NULL),
                 bit < 16 ? KAIZEN_E_UNSUPPORTED : KAIZEN_RECORDED, "bit %u: %s", bit,
                 receipt.reason);
  }
  cr_assert_eq(lines_of_file(agent_file("coach", "executions.jsonl")), 16);
}

/* Outputs on every code. */

/* How many words were not written: no member is smaller, and a single byte of a number may have any
 * value. */
static size_t words_left(const void *bytes, size_t size) {
  uint32_t guard, word;
  size_t left = 0;

  memset(&guard, GUARD, sizeof guard);
  for (size_t i = 0; i + sizeof word <= size; i += sizeof word) {
    memcpy(&word, (const char *)bytes + i, sizeof word);
    left += word == guard;
  }
  return left;
}

static void expect_written(const char *name, int32_t code, int32_t wanted,
                           const struct kaizen_receipt *receipt,
                           const struct kaizen_summary *summary) {
  size_t left = words_left(receipt, sizeof *receipt) + words_left(summary, sizeof *summary);

  cr_expect_eq(code, wanted, "%s: %s, %s", name, plugin->code_name(code), receipt->reason);
  cr_expect_eq(code < 0, receipt->reason[0] != '\0', "%s: reason \"%s\"", name, receipt->reason);
  cr_expect_eq(code < 0, summary->execution_count == 0, "%s: the summary", name);
  cr_expect_eq(left, 0, "%s: %zu words were not written", name, left);
}

static int32_t record_guarded(const struct kaizen_execution *execution,
                              struct kaizen_receipt *receipt, struct kaizen_summary *summary) {
  memset(receipt, GUARD, sizeof *receipt);
  memset(summary, GUARD, sizeof *summary);
  receipt->struct_size = sizeof *receipt;
  summary->struct_size = sizeof *summary;
  return plugin->on_execution_end(instance, execution, receipt, summary);
}

Test(plugin, an_execution_that_is_only_checked_leaves_no_trace) {
  struct kaizen_receipt receipt = receipt_of();
  struct kaizen_execution execution = execution_of("coach");
  struct kaizen_stats stats = {.struct_size = sizeof stats};

  use_instance("");
  execution.flags = KAIZEN_EXEC_CHECK_ONLY;
  cr_expect_eq(plugin->on_execution_end(instance, &execution, &receipt, NULL), KAIZEN_OK);
  cr_expect_str_eq(receipt.reason, "");
  execution.flags |= KAIZEN_EXEC_HAS_QUALITY;
  execution.quality_score = 90;
  cr_expect_eq(plugin->on_execution_end(instance, &execution, &receipt, NULL), KAIZEN_E_REJECTED);
  cr_expect(strstr(receipt.reason, "quality_score"), "%s", receipt.reason);
  cr_expect_eq(plugin->on_execution_end_json(instance, "{\"agent\":\"coach\",\"success\":1}",
                                             KAIZEN_NTS, KAIZEN_EXEC_CHECK_ONLY, &receipt, NULL),
               KAIZEN_E_REJECTED);
  cr_expect_eq(plugin->on_execution_end_json(instance, "{\"agent\":\"coach\",\"success\":true}",
                                             KAIZEN_NTS, KAIZEN_EXEC_CHECK_ONLY, &receipt, NULL),
               KAIZEN_OK);
  cr_expect_eq(plugin->stats(instance, &stats), KAIZEN_OK);
  cr_expect_eq(stats.recorded + stats.rejected + stats.failed + stats.duplicates, 0);
  cr_expect_eq(access(agent_file("coach", "executions.jsonl"), F_OK), -1);
}

Test(plugin, outputs_are_written_whatever_the_code) {
  struct kaizen_execution execution = execution_of("coach");
  struct kaizen_receipt receipt;
  struct kaizen_summary summary;
  int32_t code, lock;

  bring_to(CONFIGURED);
  code = record_guarded(&execution, &receipt, &summary);
  expect_written("not running", code, KAIZEN_E_STOPPED, &receipt, &summary);
  plugin->destroy(instance);
  use_instance(",\"lock_timeout_ms\":20");
  execution.idempotency_key = text_of("k");
  code = record_guarded(&execution, &receipt, &summary);
  expect_written("recorded", code, KAIZEN_RECORDED, &receipt, &summary);
  code = record_guarded(&execution, &receipt, &summary);
  expect_written("duplicate", code, KAIZEN_DUPLICATE, &receipt, &summary);
  execution.flags = 1u << 10;
  code = record_guarded(&execution, &receipt, &summary);
  expect_written("unknown flag", code, KAIZEN_E_UNSUPPORTED, &receipt, &summary);
  execution.flags = 0;
  execution.outcome = 0;
  code = record_guarded(&execution, &receipt, &summary);
  expect_written("rejected", code, KAIZEN_E_REJECTED, &receipt, &summary);
  execution.outcome = KAIZEN_FAILURE;
  code = record_guarded(NULL, &receipt, &summary);
  expect_written("no execution", code, KAIZEN_E_ARGUMENT, &receipt, &summary);
  lock = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(lock, LOCK_EX), 0);
  code = record_guarded(&execution, &receipt, &summary);
  expect_written("busy", code, KAIZEN_E_BUSY, &receipt, &summary);
  (void)close(lock);
  cr_assert_eq(symlink("/dev/null", in_sandbox(".kaizen/metrics/other")), 0);
  execution.agent = text_of("other");
  code = record_guarded(&execution, &receipt, &summary);
  expect_written("a link", code, KAIZEN_E_IO, &receipt, &summary);
  cr_assert(strstr(receipt.reason, ".kaizen/metrics/other: a symbolic link"), "%s", receipt.reason);
}

/* Answers. */

Test(plugin, a_receipt_says_what_is_marked_and_a_duplicate_repeats_the_first_id) {
  struct kaizen_execution execution = execution_of("coach");
  struct kaizen_receipt first, again;
  struct kaizen_summary summary;

  use_instance(",\"emit_event\":true");
  execution.idempotency_key = text_of("k");
  cr_assert_eq(record_guarded(&execution, &first, &summary), KAIZEN_RECORDED);
  cr_assert_eq(first.flags, KAIZEN_RECEIPT_MARKED);
  cr_assert_eq(strlen(first.event_id), 36);
  cr_assert_str_eq(first.reason, "");
  cr_assert_eq(record_guarded(&execution, &again, &summary), KAIZEN_DUPLICATE);
  cr_assert_eq(again.flags, KAIZEN_RECEIPT_MARKED);
  cr_assert_str_eq(again.event_id, first.event_id);
  execution.outcome = KAIZEN_FAILURE;
  cr_assert_eq(record_guarded(&execution, &again, &summary), KAIZEN_DUPLICATE);
  cr_assert_eq(again.flags, KAIZEN_RECEIPT_MARKED | KAIZEN_RECEIPT_KEY_CONFLICT);
  cr_assert_eq(summary.execution_count, 1);

  execution = execution_of("coach");
  execution.flags = KAIZEN_EXEC_NO_EMIT;
  cr_assert_eq(record_guarded(&execution, &again, &summary), KAIZEN_RECORDED);
  cr_assert_eq(again.flags, 0);
  cr_assert_str_eq(again.event_id, "");
  cr_assert_eq(stats_of(instance).marked, 1);
  cr_assert_eq(stats_of(instance).pending, 1);
  cr_assert_gt(stats_of(instance).oldest_pending_unix_ns, 0);
}

Test(plugin, a_summary_answers_what_summary_json_says) {
  struct kaizen_execution execution = execution_of("coach");
  struct kaizen_receipt receipt;
  struct kaizen_summary summary;

  use_instance(",\"retention_days\":0");
  execution.flags = KAIZEN_EXEC_HAS_TIME | KAIZEN_EXEC_HAS_QUALITY;
  execution.execution_time_s = 120;
  execution.quality_score = 0.9;
  execution.timestamp_unix_ns = INT64_C(1767225600999999999);
  cr_assert_eq(record_guarded(&execution, &receipt, &summary), KAIZEN_RECORDED, "%s",
               receipt.reason);
  cr_assert_eq(summary.flags, KAIZEN_SUMMARY_HAS_QUALITY | KAIZEN_SUMMARY_HAS_TIME);
  cr_assert_eq(summary.execution_count, 1);
  cr_assert_float_eq(summary.success_rate, 1, 0);
  cr_assert_float_eq(summary.avg_quality_score, 0.9, 0);
  cr_assert_float_eq(summary.avg_execution_time_s, 120, 0);
  cr_assert_eq(summary.last_execution_unix_ns, INT64_C(1767225600000000000));
  cr_assert_eq(summary.trend_success_rate, KAIZEN_TREND_STABLE);
  cr_assert(strstr(text_of_file(agent_file("coach", "summary.json")),
                   "\"avg_execution_time_s\": 120.0,"));
}

static void forget_outcome(struct kaizen_execution *e) {
  e->outcome = 0;
}
static void outcome_three(struct kaizen_execution *e) {
  e->outcome = 3;
}
static void no_agent(struct kaizen_execution *e) {
  e->agent = (struct kaizen_str){NULL, 0};
}
static void empty_agent(struct kaizen_execution *e) {
  e->agent = (struct kaizen_str){"", 0};
}
static void reserved_agent(struct kaizen_execution *e) {
  e->agent = text_of("optimizer");
}
static void agent_above(struct kaizen_execution *e) {
  e->agent = text_of("../coach");
}
static void agent_with_nul(struct kaizen_execution *e) {
  e->agent = (struct kaizen_str){"co\0ch", 5};
}
static void empty_key(struct kaizen_execution *e) {
  e->idempotency_key = (struct kaizen_str){"", 0};
}
static void length_without_pointer(struct kaizen_execution *e) {
  e->session_id = (struct kaizen_str){NULL, 3};
}
static void time_without_flag(struct kaizen_execution *e) {
  e->execution_time_s = 1;
}
static void negative_time(struct kaizen_execution *e) {
  e->flags = KAIZEN_EXEC_HAS_TIME;
  e->execution_time_s = -1;
}
static void infinite_time(struct kaizen_execution *e) {
  e->flags = KAIZEN_EXEC_HAS_TIME;
  e->execution_time_s = INFINITY;
}
static void quality_not_a_number(struct kaizen_execution *e) {
  e->flags = KAIZEN_EXEC_HAS_QUALITY;
  e->quality_score = NAN;
}
static void quality_too_high(struct kaizen_execution *e) {
  e->flags = KAIZEN_EXEC_HAS_QUALITY;
  e->quality_score = 1.2;
}
static void emit_and_not(struct kaizen_execution *e) {
  e->flags = KAIZEN_EXEC_EMIT | KAIZEN_EXEC_NO_EMIT;
}
static void session_not_utf8(struct kaizen_execution *e) {
  e->session_id = text_of("\xc3\x28");
}
static void metadata_list(struct kaizen_execution *e) {
  e->metadata_json = text_of("[]");
}
static void metadata_torn(struct kaizen_execution *e) {
  e->metadata_json = text_of("{\"a\":");
}
static void unknown_extra(struct kaizen_execution *e) {
  e->extra_json = text_of("{\"flavour\":\"x\"}");
}
static void too_old(struct kaizen_execution *e) {
  e->timestamp_unix_ns = 1;
}

Test(plugin, what_can_never_be_recorded_is_rejected_with_the_reason_and_writes_nothing) {
  static const struct {
    const char *name;
    void (*spoil)(struct kaizen_execution *);
    const char *says;
  } cases[] = {
      {"forgotten outcome", forget_outcome, "outcome is 0"},
      {"outcome 3", outcome_three, "outcome is 3"},
      {"no agent", no_agent, "agent"},
      {"empty agent", empty_agent, "agent"},
      {"reserved agent", reserved_agent, "optimizer"},
      {"agent above", agent_above, "agent"},
      {"agent with NUL", agent_with_nul, "agent"},
      {"empty key", empty_key, "idempotency_key is empty"},
      {"length without pointer", length_without_pointer, "session_id"},
      {"time without flag", time_without_flag, "HAS_TIME"},
      {"negative time", negative_time, "execution_time_s is -1"},
      {"infinite time", infinite_time, "execution_time_s is Infinity"},
      {"quality NaN", quality_not_a_number, "quality_score is NaN"},
      {"quality 1.2", quality_too_high, "quality_score is 1.2"},
      {"emit and not", emit_and_not, "EMIT and NO_EMIT"},
      {"session not UTF-8", session_not_utf8, "session_id"},
      {"metadata list", metadata_list, "metadata_json"},
      {"metadata torn", metadata_torn, "metadata_json"},
      {"unknown extra", unknown_extra, "flavor"},
      {"too old", too_old, "older than retention_days"},
  };

  use_instance("");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct kaizen_execution execution = execution_of("coach");
    struct kaizen_receipt receipt;
    struct kaizen_summary summary;

    cases[i].spoil(&execution);
    cr_expect_eq(record_guarded(&execution, &receipt, &summary), KAIZEN_E_REJECTED, "%s",
                 cases[i].name);
    cr_expect(strstr(receipt.reason, cases[i].says), "%s: %s", cases[i].name, receipt.reason);
  }
  cr_assert_not(is_there(in_sandbox(".kaizen")));
  cr_assert_eq(stats_of(instance).rejected, sizeof cases / sizeof *cases);
}

Test(plugin, a_long_reason_is_cut_between_characters) {
  struct kaizen_execution execution = execution_of("coach");
  struct kaizen_receipt receipt;
  struct kaizen_summary summary;
  char key[900];
  size_t len;

  use_instance("");
  for (len = 0; len < 800; len += 3)
    memcpy(key + len, "\xe2\x82\xac", 3); /* the euro sign */
  memcpy(key + len, ".json", 6);
  execution.agent = text_of(key);
  cr_assert_eq(record_guarded(&execution, &receipt, &summary), KAIZEN_E_REJECTED);
  len = strlen(receipt.reason);
  cr_assert_lt(len, sizeof receipt.reason);
  cr_assert(len > 0 && ((unsigned char)receipt.reason[len - 1] < 0x80 ||
                        strcmp(receipt.reason + len - 3, "\xe2\x82\xac") == 0),
            "%s", receipt.reason);
}

Test(plugin, json_is_recorded_by_length_or_by_its_end) {
  static const char json[] = "{\"agent\":\"coach\",\"success\":true}trailing";
  struct kaizen_receipt receipt = receipt_of();

  use_instance("");
  cr_assert_eq(plugin->on_execution_end_json(instance, json, strlen(json) - 8, 0, &receipt, NULL),
               KAIZEN_RECORDED, "%s", receipt.reason);
  cr_assert_eq(plugin->on_execution_end_json(instance, json, KAIZEN_NTS, 0, &receipt, NULL),
               KAIZEN_E_REJECTED);
  cr_assert_eq(plugin->on_execution_end_json(instance, NULL, 0, 0, &receipt, NULL),
               KAIZEN_E_ARGUMENT);
  cr_assert_eq(plugin->on_execution_end_json(instance, "", 0, 0, &receipt, NULL),
               KAIZEN_E_REJECTED);
}

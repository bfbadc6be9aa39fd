/* test_plugin_extensions.c - readers, reports, repair and names through the real file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_extensions_scene.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/file.h>

TestSuite(plugin_extensions, .init = set_up, .fini = leave_plugin);

/* Readers beside a recorder. */

static atomic_bool enough;
static atomic_uint reads;

static void *read_in_a_loop(void *ctx) {
  struct kaizen_host_v1 host = plain_host();
  struct kaizen_instance *own = start_instance(&host, sandbox.root, "");

  while (!atomic_load(&enough)) {
    struct kaizen_summary summary = summary_of_size();

    if (inspect->summary(own, "coach", KAIZEN_NTS, &summary) != KAIZEN_OK)
      atomic_fetch_add((atomic_uint *)ctx, 1);
    atomic_fetch_add(&reads, 1);
  }
  plugin->destroy(own);
  return NULL;
}

Test(plugin_extensions, eight_threads_that_read_in_a_loop_let_every_record_pass) {
  enum { READERS = 8, RECORDS = 200 };
  struct kaizen_summary summary = summary_of_size();
  pthread_t threads[READERS];
  atomic_uint refusals = 0;

  use_instance("");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  for (unsigned i = 0; i < READERS; i++)
    cr_assert_eq(pthread_create(&threads[i], NULL, read_in_a_loop, &refusals), 0);
  for (unsigned i = 1; i < RECORDS || atomic_load(&reads) < RECORDS; i++)
    cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED, "%s", why(instance));
  atomic_store(&enough, true);
  for (unsigned i = 0; i < READERS; i++)
    cr_assert_eq(pthread_join(threads[i], NULL), 0);
  cr_assert_eq(refusals, 0);
  cr_assert_eq(inspect->summary(instance, "coach", KAIZEN_NTS, &summary), KAIZEN_OK);
  cr_assert_eq(summary.execution_count, lines_of_file(agent_file("coach", "executions.jsonl")));
}

Test(plugin_extensions, a_reader_waits_in_line_behind_whoever_waits_to_write) {
  struct kaizen_summary summary = summary_of_size();
  int next;

  use_instance("");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  next = open(agent_file("coach", ".next"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(next, LOCK_EX), 0);
  cr_assert_eq(inspect->summary(instance, "coach", KAIZEN_NTS, &summary), KAIZEN_E_BUSY);
  (void)close(next);
  cr_assert_eq(inspect->summary(instance, "coach", KAIZEN_NTS, &summary), KAIZEN_OK);
}

/* Reports. */

Test(plugin_extensions, a_summary_is_read_without_recording) {
  struct kaizen_summary summary = {.struct_size = sizeof summary, .execution_count = 7};

  use_instance("");
  cr_assert_eq(inspect->summary(instance, "coach", KAIZEN_NTS, &summary), KAIZEN_E_REJECTED);
  cr_assert_eq(summary.execution_count, 0);
  cr_assert_not(is_there(in_sandbox(".kaizen")));
  cr_assert_eq(inspect->summary(instance, "../x", KAIZEN_NTS, &summary), KAIZEN_E_REJECTED);
  cr_assert_eq(inspect->summary(instance, NULL, 0, &summary), KAIZEN_E_REJECTED);
  cr_assert_eq(inspect->summary(instance, "coach", KAIZEN_NTS, NULL), KAIZEN_E_ARGUMENT);
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  append_to_file(agent_file("coach", "executions.jsonl"), COACH "torn");
  cr_assert_eq(inspect->summary(instance, "coach", KAIZEN_NTS, &summary), KAIZEN_OK);
  cr_assert_eq(summary.execution_count, 2);
  cr_assert_eq(count_in(text_of_file(agent_file("coach", "executions.jsonl")), "torn\n"), 0);
}

Test(plugin_extensions, recent_records_are_the_logs_own_lines_oldest_first) {
  use_instance("");
  make_agent_folder("coach");
  put_file(agent_file("coach", "executions.jsonl"),
           "{\"agent\":\"coach\",\"success\":true,\"session_id\":\"1\"}\n"
           "garbage\n"
           "{\"agent\":\"coach\",\"success\":true,\"session_id\":\"2\"}\n"
           "\n"
           "{\"agent\":\"coach\",  \"success\":false,\"session_id\":\"3\"}\n"
           "{\"torn\":");
  cr_assert_eq(inspect->recent(instance, "coach", KAIZEN_NTS, 2, take_output, &pieces), KAIZEN_OK);
  cr_assert_str_eq(output, "{\"agent\":\"coach\",\"success\":true,\"session_id\":\"2\"}\n"
                           "{\"agent\":\"coach\",  \"success\":false,\"session_id\":\"3\"}\n");
  cr_assert_eq(pieces, 2);
  for (uint64_t max = 0; max < 10; max += max ? 1 : 3) {
    forget_output();
    cr_assert_eq(inspect->recent(instance, "coach", KAIZEN_NTS, max, take_output, &pieces),
                 KAIZEN_OK);
    cr_assert_eq(pieces, 3, "max %llu", (unsigned long long)max);
  }
  forget_output();
  cr_assert_eq(inspect->recent(instance, "coach", KAIZEN_NTS, UINT64_MAX, take_output, &pieces),
               KAIZEN_OK);
  cr_assert_eq(inspect->recent(instance, "coach", KAIZEN_NTS, 1, refuse_output, NULL),
               KAIZEN_E_ENDED);
  cr_assert_eq(inspect->recent(instance, "coach", KAIZEN_NTS, 1, NULL, NULL), KAIZEN_E_ARGUMENT);
  cr_assert_eq(inspect->recent(instance, "none", KAIZEN_NTS, 1, take_output, &pieces),
               KAIZEN_E_REJECTED);
}

Test(plugin_extensions, delivery_is_told_for_every_agent_by_name) {
  use_instance(",\"emit_event\":true,\"project\":\"shop\"");
  cr_assert_eq(inspect->delivery(instance, take_output, &pieces), KAIZEN_OK);
  cr_assert(strstr(output, "\"agents\":[],\"complete\":true"), "%s", output);
  cr_assert_eq(record_success(instance, "zebra", NULL), KAIZEN_RECORDED);
  cr_assert_eq(record_success(instance, "ant", NULL), KAIZEN_RECORDED);
  forget_output();
  cr_assert_eq(inspect->delivery(instance, take_output, &pieces), KAIZEN_OK);
  cr_assert_eq(pieces, 1);
  cr_assert(strstr(output, "{\"project\":\"shop\",\"project_root\":"), "%s", output);
  cr_assert(strstr(output, "\"state\":\"elsewhere\""), "%s", output);
  cr_assert_lt(strstr(output, "\"agent\":\"ant\""), strstr(output, "\"agent\":\"zebra\""));
  cr_assert(strstr(output, "\"marked\":1,\"acknowledged\":0,\"pending\":1,\"held\":0,"
                           "\"dead_lettered\":0,\"oldest_pending\":\"2"),
            "%s", output);
  cr_assert_eq(inspect->delivery(instance, refuse_output, NULL), KAIZEN_E_ENDED);
}

Test(plugin_extensions, one_agent_that_cannot_be_read_does_not_hide_the_others) {
  use_instance("");
  cr_assert_eq(record_success(instance, "ant", NULL), KAIZEN_RECORDED);
  make_agent_folder("bee");
  cr_assert_eq(symlink("/dev/null", agent_file("bee", "executions.jsonl")), 0);
  cr_assert_eq(inspect->delivery(instance, take_output, &pieces), KAIZEN_OK);
  cr_assert(strstr(output, "{\"agent\":\"bee\",\"why\":\"bee: executions.jsonl"), "%s", output);
  cr_assert(strstr(output, "\"agent\":\"ant\",\"execution_count\":1"), "%s", output);
}

Test(plugin_extensions, the_configuration_is_told_without_credentials) {
  use_instance(",\"trend_window\":7");
  cr_assert_eq(plugin->stop(instance, 0), KAIZEN_OK);
  cr_assert_eq(
      plugin->configure_key(instance, "nats_url", "nats://me:secret@127.0.0.1:9", KAIZEN_NTS),
      KAIZEN_OK);
  cr_assert_eq(inspect->config(instance, take_output, &pieces), KAIZEN_OK);
  cr_assert(strstr(output, "\"trend_window\":{\"value\":7,\"origin\":\"configured\"}"), "%s",
            output);
  cr_assert_null(strstr(output, "secret"), "%s", output);
}

Test(plugin_extensions, nothing_is_told_of_an_instance_without_a_project) {
  struct kaizen_host_v1 host = plain_host();
  struct kaizen_summary summary = {.struct_size = sizeof summary};

  cr_assert_eq(plugin->create(&host, &instance), KAIZEN_OK);
  cr_assert_eq(inspect->summary(instance, "coach", KAIZEN_NTS, &summary), KAIZEN_E_STATE);
  cr_assert_eq(inspect->recent(instance, "coach", KAIZEN_NTS, 1, take_output, &pieces),
               KAIZEN_E_STATE);
  cr_assert_eq(inspect->delivery(instance, take_output, &pieces), KAIZEN_E_STATE);
  cr_assert_eq(inspect->config(instance, take_output, &pieces), KAIZEN_E_STATE);
  cr_assert_eq(repair->verify(instance, "coach", KAIZEN_NTS, take_output, &pieces), KAIZEN_E_STATE);
  cr_assert_eq(repair->repair(instance, "coach", KAIZEN_NTS, take_output, &pieces), KAIZEN_E_STATE);
  cr_assert_eq(pieces, 0);
}

/* Repair. */

Test(plugin_extensions, a_repair_says_where_it_saved_what_it_took_out) {
  use_instance("");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  append_to_file(agent_file("coach", "executions.jsonl"), "garbage\n");
  cr_assert_eq(repair->verify(instance, "coach", KAIZEN_NTS, take_output, &pieces), KAIZEN_OK);
  cr_assert(strstr(output, "\"consistent\":false") && strstr(output, "\"bad_line_count\":1"), "%s",
            output);
  forget_output();
  cr_assert_eq(repair->repair(instance, "coach", KAIZEN_NTS, take_output, &pieces), KAIZEN_OK, "%s",
               why(instance));
  cr_assert(strstr(output, "\"consistent\":true") && strstr(output, "\"saved_to\":\".salvage-"),
            "%s", output);
  cr_assert_eq(output[strlen(output) - 1], '}');
  forget_output();
  cr_assert_eq(repair->repair(instance, "coach", KAIZEN_NTS, take_output, &pieces), KAIZEN_OK);
  cr_assert_null(strstr(output, "saved_to"), "%s", output);
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(lines_of_file(agent_file("coach", "executions.jsonl")), 2);
}

Test(plugin_extensions, nothing_is_repaired_of_an_agent_that_never_recorded) {
  use_instance("");
  cr_assert_eq(repair->verify(instance, "coach", KAIZEN_NTS, take_output, &pieces),
               KAIZEN_E_REJECTED);
  cr_assert_eq(repair->repair(instance, "coach", KAIZEN_NTS, take_output, &pieces),
               KAIZEN_E_REJECTED);
  cr_assert_eq(repair->repair(instance, "not legal", KAIZEN_NTS, take_output, &pieces),
               KAIZEN_E_REJECTED);
  cr_assert_eq(repair->verify(instance, "coach", KAIZEN_NTS, NULL, NULL), KAIZEN_E_ARGUMENT);
  cr_assert_not(is_there(in_sandbox(".kaizen")));
}

/* last_error. */

static int32_t last_call(int call) {
  struct kaizen_batch_result result = {.struct_size = sizeof result}, small = {.struct_size = 8};
  struct kaizen_summary summary = {.struct_size = sizeof summary};
  const struct kaizen_delivery_1 *delivery = plugin->get_extension(KAIZEN_DELIVERY_1);
  const struct kaizen_broker_1 *broker = plugin->get_extension(KAIZEN_BROKER_1);
  const struct kaizen_query_1 *query = plugin->get_extension(KAIZEN_QUERY_1);
  struct kaizen_query asked = {.struct_size = sizeof asked, .agent = text_of("nobody-14")};
  uint64_t count;

  switch (call) {
  case 0:
    return plugin->configure(instance, "{}", 2); /* while running */
  case 1:
    return plugin->configure_key(instance, "fsync", NULL, 0);
  case 2:
    return plugin->start(instance);
  case 3:
    return plugin->stats(instance, NULL);
  case 4:
    return inspect->summary(instance, "nobody", KAIZEN_NTS, &summary);
  case 5:
    return inspect->recent(instance, "nobody-5", KAIZEN_NTS, 1, take_output, &pieces);
  case 6:
    return inspect->delivery(instance, refuse_output, NULL);
  case 7:
    return inspect->config(instance, NULL, NULL);
  case 8:
    return batch->record(instance, COACH, KAIZEN_NTS, 0, 0, NULL, NULL, &small);
  case 9:
    return batch->record(instance, COACH, KAIZEN_NTS, 1, 0, NULL, NULL, &result);
  case 10:
    return delivery->resend(instance, 0, NULL);
  case 11:
    return delivery->dead_letters(instance, NULL, NULL);
  case 12:
    return broker->init(instance, "no name", 9, KAIZEN_BROKER_DRY_RUN, 1, refuse_output, NULL);
  case 13:
    return repair->verify(instance, "nobody", KAIZEN_NTS, take_output, &pieces);
  case 14:
    return query->records(instance, &asked, take_output, &pieces, NULL);
  case 15:
    return query->agents(instance, NULL, NULL);
  case 16:
    (void)plugin->stop(instance, 0);
    return plugin->flush(instance, 0, &count);
  default:
    return plugin->stop(instance, 0);
  }
}

Test(plugin_extensions, last_error_is_of_the_last_call_that_failed_whichever_it_was) {
  char before[512] = "", now[512];

  use_instance("");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  for (int call = 0; call <= 17; call++) {
    cr_expect_lt(last_call(call), 0, "call %d", call);
    (void)plugin->last_error(instance, now, sizeof now);
    cr_expect_str_neq(now, before, "call %d left the text of another", call);
    (void)snprintf(before, sizeof before, "%s", now);
  }
}

/* Names. */

Test(plugin_extensions, names_are_mapped_to_legal_ones_that_record) {
  char name[KAIZEN_NAME_MAX + 1], reason[208];

  use_instance("");
  cr_assert_eq(names->map("coach", KAIZEN_NTS, name, NULL, 0), 0);
  cr_assert_str_eq(name, "coach");
  cr_assert_eq(names->map("Triage Agent", KAIZEN_NTS, name, NULL, 0), 1);
  cr_assert_eq(record_success(instance, name, NULL), KAIZEN_RECORDED);
  cr_assert_eq(names->map("", KAIZEN_NTS, name, reason, sizeof reason), KAIZEN_E_REJECTED);
  cr_assert_str_eq(reason, "agent is missing or empty; name the agent that ran");
  cr_assert_eq(names->map("\xff", KAIZEN_NTS, name, reason, sizeof reason), KAIZEN_E_REJECTED);
  cr_assert_str_eq(reason, "agent \"\\xff\" is not UTF-8; convert it");
  cr_assert_eq(names->map("\xff", KAIZEN_NTS, name, reason, 6), KAIZEN_E_REJECTED);
  cr_assert_str_eq(reason, "agent");
  cr_assert_eq(names->map(NULL, 0, name, NULL, 0), KAIZEN_E_ARGUMENT);
  cr_assert_eq(names->map("coach", KAIZEN_NTS, NULL, NULL, 0), KAIZEN_E_ARGUMENT);
}

/* test_nemo_relay_runs.c - what becomes of NeMo Relay's events: which are runs of an agent, and
 * what their records say.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "relay_conformance.h"

TestSuite(nemo_relay_runs, .init = enter_relay, .fini = leave_relay);

/* Every line of a file of events that the real host sent (relay 0.9.2). */
static void emit_captured(const char *name) {
  char path[512], *save = NULL;

  (void)snprintf(path, sizeof path, "%s/tests/relay/%s", getenv("KAIZEN_TEST_SRCDIR"), name);
  for (char *line = strtok_r(text_of_file(path), "\n", &save); line;
       line = strtok_r(NULL, "\n", &save))
    cr_assert_eq(emit(line), STATUS_OK, "%s", line);
}

/* The name of the agent's folder: it was mapped. */
static const char *folder_like(const char *prefix) {
  static char found[256];
  DIR *folder = opendir(in_sandbox(".kaizen/metrics"));
  const struct dirent *entry;

  cr_assert(folder);
  found[0] = '\0';
  while ((entry = readdir(folder)) != NULL)
    if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
      (void)snprintf(found, sizeof found, "%s", entry->d_name);
  (void)closedir(folder);
  cr_assert(found[0], "no agent %s", prefix);
  return found;
}

/* ---- the real host's events ------------------------------------------------------------------ */

Test(nemo_relay_runs, captured_agents_become_records) {
  const char *line;

  use_relay("");
  emit_captured("events.jsonl");
  line = last_line(folder_like("triage-agent-"));
  HOLDS(line, "\"timestamp\":\"2026-11-26T23:04:22Z\"");
  HOLDS(line, "\"session_id\":\"s-1\"");
  HOLDS(line, "\"execution_time_s\":0.060979187");
  HOLDS(line, "\"success\":true");
  HOLDS(line, "\"tokens\":18");
  HOLDS(line, "\"idempotency_key\":\"01a21a1a-51cc-7b33-83fb-7c61d441ba55\"");
  HOLDS(line,
        "\"metadata\":{\"outcome\":\"completed\",\"model\":\"gpt-4.1-mini\",\"input_tokens\":11,"
        "\"output_tokens\":7,\"host\":\"nemo-relay\",\"host_version\":\"0.9.2\","
        "\"agent_name\":\"Triage Agent\"}");
  cr_assert_eq(runs_of(folder_like("triage-agent-")), 1);
  cr_assert_eq(runs_of("coach"), 1);
  line = last_line("coach");
  HOLDS(line, "\"success\":false");
  HOLDS(line, "\"metadata\":{\"outcome\":\"failed\",\"host\":\"nemo-relay\"");
  LACKS(line, "broken");
  LACKS(line, "tokens");
}

Test(nemo_relay_runs, captured_turns_of_the_gateway_become_records) {
  const char *line;

  use_relay(",\"aborted\":\"failure\"");
  emit_captured("events-turns.jsonl");
  line = last_line("claude-code-turn");
  HOLDS(line, "\"success\":true");
  HOLDS(line, "\"session_id\":\"sess-9\"");
  HOLDS(line, "\"tokens\":11");
  HOLDS(line, "\"input_tokens\":5,\"output_tokens\":6");
  LACKS(line, "hunter2");
  line = last_line(folder_like("subagent-reviewer-"));
  HOLDS(line, "\"agent_name\":\"subagent:reviewer\"");
  HOLDS(line, "\"session_id\":\"sess-9\"");
  LACKS(line, "tokens");
  line = last_line("codex-turn");
  HOLDS(line, "\"success\":false");
  HOLDS(line, "\"outcome\":\"aborted\"");
}

Test(nemo_relay_runs, scopes_and_nested_choose_what_counts) {
  use_relay(",\"scopes\":[\"agent\"]");
  emit_captured("events-turns.jsonl");
  cr_assert_not(is_there(agent_file("claude-code-turn", "executions.jsonl")));
  cr_assert_eq(runs_of(folder_like("subagent-reviewer-")), 1);
  drop_relay(&relay);

  use_relay(",\"scopes\":[\"turn\"]");
  emit_captured("events-turns.jsonl");
  cr_assert_eq(runs_of("claude-code-turn"), 1);
  cr_assert_eq(runs_of(folder_like("subagent-reviewer-")), 1);
  drop_relay(&relay);

  use_relay(",\"nested\":false");
  emit_scope("start", "agent", "outer", "coach", "");
  emit_scope("start", "function", "step", "plan", ",\"parent_uuid\":\"outer\"");
  emit_scope("start", "agent", "inner", "helper", ",\"parent_uuid\":\"step\"");
  emit_scope("end", "llm", "call", "m",
             ",\"parent_uuid\":\"inner\",\"data\":{\"usage\":{\"input_tokens\":3}}");
  emit_scope("end", "agent", "inner", "helper", ",\"parent_uuid\":\"step\"");
  emit_scope("end", "agent", "unseen", "helper", ",\"parent_uuid\":\"step\"");
  emit_scope("end", "function", "step", "plan", ",\"parent_uuid\":\"outer\"");
  emit_scope("end", "agent", "outer", "coach", "");
  cr_assert_eq(runs_of("helper"), 0);
  cr_assert_eq(runs_of("coach"), 1);
  HOLDS(last_line("coach"), "\"input_tokens\":3");
}

/* ---- outcome --------------------------------------------------------------------------------- */

Test(nemo_relay_runs, the_outcome_is_what_the_status_else_the_errors_else_the_state_say) {
  static const struct {
    const char *at_end, *holds; /* of its record */
  } cases[] = {
      {"\"metadata\":{\"otel.status_code\":\"OK\"}",
       "true,\"metadata\":{\"outcome\":\"completed\","},
      {"\"metadata\":{\"otel.status_code\":\"OK\",\"error.type\":\"x\"}",
       "true,\"metadata\":{\"outcome\":\"completed\",\"host\""},
      {"\"metadata\":{\"otel.status_code\":\"ERROR\"}",
       "false,\"metadata\":{\"outcome\":\"failed\",\"host\""},
      {"\"metadata\":{\"otel.status_code\":\"ERROR\",\"error.type\":\"rate_limit\"}",
       "\"outcome\":\"failed\",\"error_type\":\"rate_limit\""},
      {"\"metadata\":{\"otel.status_code\":\"UNSET\",\"error_type\":\"TypeError\"}",
       "\"outcome\":\"failed\",\"error_type\":\"TypeError\""},
      {"\"metadata\":{\"error.type\":\"Cannot read the file of anna\"}",
       "false,\"metadata\":{\"outcome\":\"failed\",\"host\""},
      {"\"metadata\":{\"exception.type\":\"ValueError\"}", "\"error_type\":\"ValueError\""},
      {"\"metadata\":{\"error\":{\"message\":\"m\"}}",
       "false,\"metadata\":{\"outcome\":\"failed\",\"host\""},
      {"\"data\":{\"error\":\"secret\"}", "false,\"metadata\":{\"outcome\":\"failed\",\"host\""},
      {"\"data\":{\"is_error\":true}", "false,"},
      {"\"data\":{\"status\":\"error\"}", "false,\"metadata\":{\"outcome\":\"failed\",\"host\""},
      {"\"metadata\":{\"status\":\"timed_out\"}",
       "false,\"metadata\":{\"outcome\":\"timeout\",\"host\""},
      {"\"metadata\":{\"status\":\"cancelled\"}",
       "false,\"metadata\":{\"outcome\":\"aborted\",\"host\""},
      {"\"data\":{\"status\":\"superseded_by_next_turn\"}", "\"outcome\":\"aborted\""},
      {"\"data\":{\"status\":\"completed\"}", "true,\"metadata\":{\"outcome\":\"completed\""},
      {"\"data\":{\"status\":\"closed_by_turn_end\"}", "true,\"metadata\":{\"host\""},
      {"\"data\":{\"error\":null,\"is_error\":false}", "true,\"metadata\":{\"host\""},
      {"\"data\":\"error\"", "true,\"metadata\":{\"host\""},
      {"\"data\":null,\"metadata\":null", "true,\"metadata\":{\"host\""},
  };
  char uuid[16], more[256];

  use_relay(",\"aborted\":\"failure\"");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    (void)snprintf(uuid, sizeof uuid, "u-%zu", i);
    (void)snprintf(more, sizeof more, ",%s", cases[i].at_end);
    run_agent(uuid, "coach", more);
    cr_assert_eq(runs_of("coach"), i + 1, "%s", cases[i].at_end);
    HOLDS(last_line("coach"), cases[i].holds);
  }
}

Test(nemo_relay_runs, an_aborted_run_is_skipped_unless_it_is_to_count_as_a_failure) {
  use_relay("");
  run_agent("u-1", "coach", ",\"metadata\":{\"status\":\"aborted\"}");
  emit_scope("start", "agent", "u-2", "coach", "");
  drop_relay(&relay);
  cr_assert_eq(runs_of("coach"), 0);

  use_relay(",\"aborted\":\"failure\"");
  emit_scope("start", "agent", "u-3", "coach", ",\"metadata\":{\"session_id\":\"s\"}");
  emit_scope("start", "agent", "u-4", "mentor", ",\"parent_uuid\":\"u-3\"");
  emit_scope("start", "tool", "t-1", "search", ",\"parent_uuid\":\"u-3\"");
  drop_relay(&relay);
  cr_assert_eq(runs_of("coach"), 1);
  cr_assert_eq(runs_of("mentor"), 1);
  HOLDS(last_line("coach"), "\"success\":false");
  HOLDS(last_line("coach"), "\"outcome\":\"aborted\"");
  HOLDS(last_line("coach"), "\"execution_time_s\":");
  HOLDS(last_line("coach"), "\"session_id\":\"s\"");
  HOLDS(last_line("coach"), "\"idempotency_key\":\"u-3\"");
}

/* ---- identity and time ----------------------------------------------------------------------- */

Test(nemo_relay_runs, names_are_taken_by_their_length) {
  char longest[400], kept[300];

  use_relay("");
  run_agent("u-1", "coach\\u0000evil", "");
  HOLDS(last_line(folder_like("coach-evil-")), "\"agent_name\":\"coach\\u0000evil\"");
  cr_assert_eq(runs_of("coach"), 0);
  run_agent("u-2", "\\ud83d\\ude00", "");
  run_agent("u-3", "\\ud83d", "");
  memset(longest, 'x', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  run_agent("u-4", longest, "");
  (void)snprintf(kept, sizeof kept, "\"agent_name\":\"%.256s\"", longest);
  HOLDS(last_line(folder_like("xxx")), kept);
}

Test(nemo_relay_runs, an_end_without_a_name_is_no_ones_run) {
  use_relay("");
  run_agent("u-1", "", "");
  cr_assert_eq(emit("{\"kind\":\"scope\",\"scope_category\":\"end\",\"category\":\"agent\","
                    "\"uuid\":\"u-2\"}"),
               STATUS_OK);
  cr_assert_eq(
      emit("{\"kind\":\"scope\",\"scope_category\":\"end\",\"category\":\"agent\",\"uuid\":\"u-3\","
           "\"name\":7}"),
      STATUS_OK);
  cr_assert_not(is_there(in_sandbox(".kaizen/metrics/coach")));
  emit_scope("start", "agent", "u-4", "coach", "");
  cr_assert_eq(emit("{\"kind\":\"scope\",\"scope_category\":\"end\",\"category\":\"agent\","
                    "\"uuid\":\"u-4\"}"),
               STATUS_OK);
  cr_assert_eq(runs_of("coach"), 1);
}

Test(nemo_relay_runs, the_duration_is_the_hosts_or_absent) {
  static const struct {
    const char *start, *end, *holds;
  } cases[] = {
      {"\"2026-11-26T23:04:22.250000000+00:00\"", "\"2026-11-27T00:04:24.500000000+01:00\"",
       "\"execution_time_s\":2.25,"},
      {"\"2026-11-26T23:04:22.9Z\"", "\"2026-11-26T23:04:22.9Z\"", "\"execution_time_s\":0.0,"},
      {"1795000000000000", "1795000012500000", "\"timestamp\":\"2026-11-18T11:06:52Z\""},
      {"1795000000000000", "1795000012500000", "\"execution_time_s\":12.5,"},
      {"\"2026-11-26T23:04:22Z\"", "\"2026-11-26T23:04:21Z\"", NULL},
      {"\"yesterday\"", "\"2026-11-26T23:04:21Z\"", NULL},
      {"\"2026-11-26T23:04:22Z\"", "\"soon\"", NULL},
      {"null", "-5", NULL},
      {"9223372036854775807", "9223372036854775807", NULL},
  };
  char uuid[16], more[128];

  use_relay("");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    (void)snprintf(uuid, sizeof uuid, "u-%zu", i);
    (void)snprintf(more, sizeof more, ",\"timestamp\":%s", cases[i].start);
    emit_scope("start", "agent", uuid, "coach", more);
    (void)snprintf(more, sizeof more, ",\"timestamp\":%s", cases[i].end);
    emit_scope("end", "agent", uuid, "coach", more);
    cr_assert_eq(runs_of("coach"), i + 1, "case %zu", i);
    if (cases[i].holds)
      HOLDS(last_line("coach"), cases[i].holds);
    else
      LACKS(last_line("coach"), "execution_time_s");
  }
}

Test(nemo_relay_runs, an_end_told_twice_is_one_record) {
  use_relay("");
  run_agent("u-1", "coach", "");
  emit_scope("end", "agent", "u-1", "coach", "");
  emit_scope("start", "agent", "u-2", "coach", "");
  emit_scope("start", "agent", "u-2", "coach", "");
  emit_scope("end", "agent", "u-2", "coach", "");
  cr_assert_eq(runs_of("coach"), 2);
}

Test(nemo_relay_runs, a_trace_is_kept_as_w3c_writes_it) {
  static const struct {
    const char *metadata, *holds;
  } cases[] = {
      {"\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"",
       "\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\""},
      {"\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"span_id\":\"b7ad6b7169203331\"",
       "\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\""},
      {"\"trace_id\":\"00000000000000000000000000000000\",\"span_id\":\"b7ad6b7169203331\"", NULL},
      {"\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\"", NULL},
      {"\"traceparent\":\"the prompt, of fifty-five bytes or so, is not a trace ident\"", NULL},
  };
  char uuid[16], more[256];

  use_relay("");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    (void)snprintf(uuid, sizeof uuid, "u-%zu", i);
    (void)snprintf(more, sizeof more, ",\"metadata\":{%s}", cases[i].metadata);
    run_agent(uuid, "coach", more);
    if (cases[i].holds)
      HOLDS(last_line("coach"), cases[i].holds);
    else
      LACKS(last_line("coach"), "traceparent");
  }
}

/* ---- usage ----------------------------------------------------------------------------------- */

Test(nemo_relay_runs, usage_means_the_same_whoever_counted) {
  static const struct {
    const char *call, *holds;
  } cases[] = {
      {"\"data\":{\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,\"total_tokens\":120,"
       "\"prompt_tokens_details\":{\"cached_tokens\":40},\"completion_tokens_details\":{"
       "\"reasoning_tokens\":5}}}",
       "\"input_tokens\":100,\"output_tokens\":20,\"cache_read_tokens\":40,\"reasoning_tokens\":"
       "5,"},
      {"\"data\":{\"usage\":{\"input_tokens\":100,\"output_tokens\":20,\"input_tokens_details\":{"
       "\"cached_tokens\":40},"
       "\"output_tokens_details\":{\"reasoning_tokens\":5}}}",
       "\"input_tokens\":100,\"output_tokens\":20,\"cache_read_tokens\":40,\"reasoning_tokens\":"
       "5,"},
      {"\"data\":{\"usage\":{\"input_tokens\":50,\"output_tokens\":20,\"cache_read_input_tokens\":"
       "40,"
       "\"cache_creation_input_tokens\":10}}",
       "\"input_tokens\":100,\"output_tokens\":20,\"cache_read_tokens\":40,\"cache_write_tokens\":"
       "10,"},
      {"\"category_profile\":{\"annotated_response\":{\"model\":\"m-2\",\"usage\":{\"prompt_"
       "tokens\":50,"
       "\"completion_tokens\":20,\"total_tokens\":70,\"cache_read_tokens\":40,\"cache_write_"
       "tokens\":10,"
       "\"cost\":{\"total\":0.25,\"currency\":\"USD\"}},\"api_specific\":{\"api\":\"anthropic_"
       "messages\"}}}",
       "\"model\":\"m-2\",\"cost_usd\":0.25,\"input_tokens\":100,\"output_tokens\":20,"},
      {"\"category_profile\":{\"model_name\":\"m-1\",\"annotated_response\":{\"usage\":{\"prompt_"
       "tokens\":100,"
       "\"completion_tokens\":20,\"cache_read_tokens\":40}}}",
       "\"model\":\"m-1\",\"input_tokens\":100,\"output_tokens\":20,\"cache_read_tokens\":40,"
       "\"host\""},
      {"\"category_profile\":{\"annotated_response\":{\"usage\":{\"cost\":{\"total\":3,"
       "\"currency\":\"EUR\"}}}}",
       "\"metadata\":{\"host\""},
      {"\"data\":{\"usage\":{\"input_tokens\":-1,\"output_tokens\":\"many\",\"total_tokens\":1.5}}",
       "\"metadata\":{\"host\""},
      {"\"data\":{\"model\":\"not from the answer\"}", "\"metadata\":{\"host\""},
  };
  char uuid[16], more[512];

  use_relay("");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    (void)snprintf(uuid, sizeof uuid, "u-%zu", i);
    emit_scope("start", "agent", uuid, "coach", "");
    (void)snprintf(more, sizeof more, ",\"parent_uuid\":\"%s\",%s", uuid, cases[i].call);
    emit_scope("start", "llm", "call", "m", more);
    emit_scope("end", "llm", "call", "m", more);
    emit_scope("end", "agent", uuid, "coach", "");
    HOLDS(last_line("coach"), cases[i].holds);
    cr_assert_eq(strstr(last_line("coach"), "\"tokens\":120") != NULL, i < 5, "case %zu", i);
  }
}

Test(nemo_relay_runs, calls_add_up_and_belong_to_the_innermost_run) {
  static const char used[] =
      ",\"parent_uuid\":\"%s\",\"category_profile\":{\"model_name\":\"%s\"},\"data\":{\"usage\":"
      "{\"prompt_tokens\":%lld,\"completion_tokens\":1}}";
  char more[256];

  use_relay("");
  emit_scope("start", "agent", "outer", "coach", "");
  emit_scope("start", "agent", "inner", "helper", ",\"parent_uuid\":\"outer\"");
  emit_scope("start", "function", "step", "plan", ",\"parent_uuid\":\"inner\"");
  (void)snprintf(more, sizeof more, used, "step", "small", 10LL);
  emit_scope("end", "llm", "c-1", "m", more);
  (void)snprintf(more, sizeof more, used, "inner", "large", 20LL);
  emit_scope("end", "llm", "c-2", "m", more);
  (void)snprintf(more, sizeof more, used, "outer", "small", 9223372036854775807LL);
  emit_scope("end", "llm", "c-3", "m", more);
  emit_scope("end", "llm", "c-4", "m", more);
  emit_scope("end", "tool", "t-1", "search",
             ",\"parent_uuid\":\"step\",\"metadata\":{\"otel.status_code\":\"ERROR\"}");
  emit_scope("end", "tool", "t-2", "search",
             ",\"parent_uuid\":\"step\",\"metadata\":{\"otel.status_code\":\"OK\"}");
  emit_scope("end", "llm", "c-5", "m",
             ",\"parent_uuid\":\"nowhere\",\"data\":{\"usage\":{\"prompt_tokens\":1}}");
  emit_scope("end", "agent", "inner", "helper", "");
  emit_scope("end", "agent", "outer", "coach", "");
  HOLDS(last_line("helper"),
        "\"model\":\"large\",\"input_tokens\":30,\"output_tokens\":2,\"tool_errors\":1,");
  HOLDS(last_line("helper"), "\"tokens\":32");
  HOLDS(last_line("coach"), "\"input_tokens\":9223372036854775807,");
  LACKS(last_line("coach"), "tool_errors");
}

Test(nemo_relay_runs, of_several_models_the_costliest_is_named) {
  static const char call[] =
      ",\"parent_uuid\":\"u-1\",\"category_profile\":{\"model_name\":\"%s\",\"annotated_response\":"
      "{\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":1,\"cost\":{\"total\":%s}}}}";
  char more[256];

  use_relay("");
  emit_scope("start", "agent", "u-1", "coach", "");
  (void)snprintf(more, sizeof more, call, "cheap", 1000, "0.01");
  emit_scope("end", "llm", "c-1", "m", more);
  (void)snprintf(more, sizeof more, call, "dear", 10, "0.25");
  emit_scope("end", "llm", "c-2", "m", more);
  emit_scope("end", "agent", "u-1", "coach", "");
  HOLDS(last_line("coach"), "\"model\":\"dear\",\"cost_usd\":0.26,");
}

/* ---- what is kept out ------------------------------------------------------------------------ */

/* A canary in every text that is not an id, a name or a model. */
Test(nemo_relay_runs, no_prompt_answer_or_configuration_reaches_the_log) {
  static const char texts[] =
      ",\"parent_uuid\":\"u-1\",\"data\":{\"content\":\"CANARY\",\"messages\":[{\"role\":"
      "\"CANARY\","
      "\"content\":\"CANARY\"}],\"status\":\"CANARY\",\"model\":\"CANARY\",\"id\":\"CANARY\","
      "\"headers\":{\"h\":\"CANARY\"},"
      "\"usage\":{\"service_tier\":\"CANARY\"}},\"data_schema\":{\"name\":\"CANARY\",\"version\":"
      "\"CANARY\"},"
      "\"metadata\":{\"otel.status_code\":\"ERROR\",\"otel.status_description\":\"CANARY\","
      "\"error.type\":\"it said CANARY\",\"exception.message\":\"CANARY\",\"prompt\":\"CANARY\","
      "\"plugin_config\":{\"project_root\":\"CANARY\"},\"cwd\":\"CANARY\",\"user_email\":\"CANARY@"
      "example.org\"},"
      "\"category_profile\":{\"subtype\":\"CANARY\",\"tool_call_id\":\"CANARY\",\"annotated_"
      "request\":{\"messages\":"
      "[\"CANARY\"]},\"annotated_response\":{\"message\":\"CANARY\",\"finish_reason\":\"CANARY\"}}";

  use_relay("");
  emit_scope("start", "agent", "u-1", "coach", texts);
  emit_scope("start", "tool", "t-1", "CANARY", texts);
  emit_scope("end", "tool", "t-1", "CANARY", texts);
  emit_scope("start", "llm", "l-1", "CANARY", texts);
  emit_scope("end", "llm", "l-1", "CANARY", texts);
  cr_assert_eq(
      emit("{\"kind\":\"mark\",\"uuid\":\"m\",\"name\":\"CANARY\",\"data\":{\"x\":\"CANARY\"}}"),
      STATUS_OK);
  emit_scope("end", "agent", "u-1", "coach", texts);
  cr_assert_eq(runs_of("coach"), 1);
  LACKS(last_line("coach"), "CANARY");
}

Test(nemo_relay_runs, what_cannot_be_read_is_refused_and_hurts_nothing) {
  static const char *const broken[] = {
      "",
      "{",
      "[]",
      "null",
      "{\"kind\":\"scope\"",
      "{\"kind\":\"scope\",\"uuid\":\"u\"}",
      "{\"kind\":\"scope\",\"scope_category\":\"end\",\"category\":\"agent\",\"name\":\"coach\"}",
      "{\"kind\":\"scope\",\"scope_category\":\"end\",\"category\":\"agent\",\"name\":\"coach\","
      "\"uuid\":\"\"}",
      "{\"kind\":\"scope\",\"scope_category\":\"middle\",\"category\":\"agent\",\"uuid\":\"u\"}",
      "{\"kind\":\"scope\",\"scope_category\":\"end\",\"name\":\"\xff\",\"uuid\":\"u\"}",
      "{\"kind\":\"scope\",\"scope_category\":\"end\",\"uuid\":"
      "\"0123456789012345678901234567890123456789"
      "012345678901234567890123456789\"}",
  };

  use_relay("");
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
    cr_assert_eq(emit(broken[i]), 7, "%s", broken[i]);
  cr_assert_eq(emit("{}"), STATUS_OK);
  cr_assert_eq(emit("{\"kind\":\"mark\"}"), STATUS_OK);
  cr_assert_eq(emit_to(&relay, "{\"kind\":\"scope\0\"}", 17), 7);
  run_agent("u-1", "coach", "");
  cr_assert_eq(runs_of("coach"), 1);
}

enum { SCOPES_MAX = 16384 };

Test(nemo_relay_runs, scopes_that_never_end_fill_no_memory_and_cost_no_run) {
  char uuid[32];

  use_relay("");
  emit_scope("start", "agent", "u-1", "coach", ",\"timestamp\":\"2026-11-26T23:04:20Z\"");
  for (int i = 0; i < 2 * SCOPES_MAX; i++) {
    (void)snprintf(uuid, sizeof uuid, "tool-%d", i);
    emit_scope("start", "tool", uuid, "search", ",\"parent_uuid\":\"u-1\"");
  }
  emit_scope("end", "agent", "u-1", "coach", ",\"timestamp\":\"2026-11-26T23:04:22Z\"");
  HOLDS(last_line("coach"), "\"execution_time_s\":2.0");
  for (int i = 0; i <= SCOPES_MAX; i++) {
    (void)snprintf(uuid, sizeof uuid, "run-%d", i);
    emit_scope("start", "agent", uuid, "coach", ",\"timestamp\":\"2026-11-26T23:04:20Z\"");
  }
  emit_scope("end", "agent", "run-0", "coach", ",\"timestamp\":\"2026-11-26T23:04:22Z\"");
  LACKS(last_line("coach"), "execution_time_s");
  emit_scope("end", "agent", "run-1", "coach", ",\"timestamp\":\"2026-11-26T23:04:22Z\"");
  HOLDS(last_line("coach"), "\"execution_time_s\":2.0");
  cr_assert_eq(runs_of("coach"), 3);
}

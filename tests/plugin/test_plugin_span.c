/* test_plugin_span.c - kaizen.span/1 through the real file: a run is recorded once, whatever
 * becomes of its process.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_under_test.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <utime.h>

static const struct kaizen_span_1 *span;
static char token[KAIZEN_SPAN_TOKEN_SIZE];

static void set_up(void) {
  enter_plugin();
  span = plugin->get_extension(KAIZEN_SPAN_1);
}

TestSuite(plugin_span, .init = set_up, .fini = leave_plugin);

static struct kaizen_span run_of(const char *agent) {
  return (struct kaizen_span){.struct_size = sizeof(struct kaizen_span), .agent = text_of(agent)};
}

static void begin(struct kaizen_instance *of, const char *key) {
  struct kaizen_span run = run_of("coach");

  if (key)
    run.idempotency_key = text_of(key);
  run.session_id = text_of("s-1");
  cr_assert_eq(span->begin(of, &run, token), KAIZEN_OK, "%s", why(of));
}

static struct kaizen_receipt receipt;

static int32_t end_with(const struct kaizen_execution *execution) {
  receipt = (struct kaizen_receipt){.struct_size = sizeof receipt};
  return span->end(instance, token, execution, &receipt, NULL);
}

static struct kaizen_execution success(void) {
  return (struct kaizen_execution){.struct_size = sizeof(struct kaizen_execution),
                                   .outcome = KAIZEN_SUCCESS,
                                   .agent = text_of("coach")};
}

static const char *log_text(void) {
  return text_of_file(agent_file("coach", "executions.jsonl"));
}

static unsigned records(void) {
  unsigned count = 0;

  for (const char *at = log_text(); (at = strchr(at, '\n')); at++)
    count++;
  return count;
}

static bool is_open(void) {
  char name[64];

  (void)snprintf(name, sizeof name, ".open-%s", token);
  return access(agent_file("coach", name), F_OK) == 0;
}

/* A process that begins a run and is killed. */
static void begin_and_die(const char *key) {
  int ends[2];
  pid_t child;

  cr_assert_eq(pipe(ends), 0);
  child = fork();
  if (child == 0) {
    struct kaizen_host_v1 host = plain_host();

    begin(start_instance(&host, sandbox.root, ",\"delivery\":\"relay\""), key);
    (void)!write(ends[1], token, sizeof token);
    for (;;)
      (void)pause();
  }
  cr_assert_eq(read(ends[0], token, sizeof token), (ssize_t)sizeof token);
  (void)kill(child, SIGKILL);
  (void)waitpid(child, NULL, 0);
  (void)close(ends[0]);
  (void)close(ends[1]);
}

static int32_t take_text(void *ctx, const char *data, size_t len) {
  (void)strncat(ctx, data, len);
  return 0;
}

Test(plugin_span, the_end_is_recorded_once_with_the_time_that_was_measured) {
  struct kaizen_execution execution = success();

  use_instance("");
  begin(instance, NULL);
  cr_expect(is_open());
  cr_assert_eq(end_with(&execution), KAIZEN_RECORDED, "%s", receipt.reason);
  cr_expect_not(is_open());
  cr_expect_eq(records(), 1);
  cr_expect(strstr(log_text(), "\"execution_time_s\":"), "%s", log_text());
  cr_expect(strstr(log_text(), "\"idempotency_key\":\"span:"), "%s", log_text());
}

Test(plugin_span, a_time_that_the_host_gives_wins) {
  struct kaizen_execution execution = success();

  use_instance("");
  begin(instance, "k");
  execution.flags = KAIZEN_EXEC_HAS_TIME;
  execution.execution_time_s = 12.5;
  cr_assert_eq(end_with(&execution), KAIZEN_RECORDED, "%s", receipt.reason);
  cr_expect(strstr(log_text(), "\"execution_time_s\":12.5,"), "%s", log_text());
  cr_expect(strstr(log_text(), "\"idempotency_key\":\"k\""), "%s", log_text());
}

Test(plugin_span, a_second_end_needs_the_key_and_is_a_duplicate) {
  struct kaizen_execution execution = success();

  use_instance("");
  begin(instance, "k");
  cr_assert_eq(end_with(&execution), KAIZEN_RECORDED);
  cr_expect_eq(end_with(&execution), KAIZEN_E_REJECTED);
  cr_expect(strstr(receipt.reason, "idempotency_key"), "%s", receipt.reason);
  execution.idempotency_key = text_of("k");
  cr_expect_eq(end_with(&execution), KAIZEN_DUPLICATE);
  cr_expect_eq(records(), 1);
}

Test(plugin_span, another_key_than_the_spans_is_refused_and_leaves_it_open) {
  struct kaizen_execution execution = success();

  use_instance("");
  begin(instance, "k");
  execution.idempotency_key = text_of("other");
  cr_expect_eq(end_with(&execution), KAIZEN_E_REJECTED);
  cr_expect(is_open());
}

Test(plugin_span, a_run_whose_process_was_killed_is_one_failure) {
  struct kaizen_execution execution = success();

  begin_and_die("k");
  use_instance("");
  execution.idempotency_key = text_of("another run");
  cr_assert_eq(plugin->on_execution_end(instance, &execution, NULL, NULL), KAIZEN_RECORDED);
  cr_expect_eq(records(), 2);
  cr_expect(strstr(log_text(), "\"success\":false"), "%s", log_text());
  cr_expect(strstr(log_text(), "\"outcome\":\"lost\""), "%s", log_text());
  cr_expect(strstr(log_text(), "\"session_id\":\"s-1\""), "%s", log_text());
  cr_expect(strstr(log_text(), "\"idempotency_key\":\"k\""), "%s", log_text());
  cr_expect_not(strstr(log_text(), "execution_time_s"), "how long it ran is not known");
  cr_expect_not(is_open());
}

Test(plugin_span, an_end_that_was_recorded_is_not_lost_as_well) {
  struct kaizen_execution execution = success();
  uint64_t count = 7;

  begin_and_die("k"); /* as when it died between the record and the removal of the file */
  use_instance("");
  execution.agent = text_of("other");
  cr_assert_eq(plugin->on_execution_end(instance, &execution, NULL, NULL), KAIZEN_RECORDED);
  make_agent_folder("coach");
  put_file(agent_file("coach", "executions.jsonl"),
           "{\"timestamp\":\"2026-11-02T03:04:05Z\",\"agent\":\"coach\",\"success\":true,"
           "\"idempotency_key\":\"k\"}\n");
  cr_assert_eq(span->sweep(instance, &count), KAIZEN_OK, "%s", why(instance));
  cr_expect_eq(count, 0);
  cr_expect_eq(records(), 1);
  cr_expect_not(is_open());
}

static int sweep_with_an_instance_of_its_own(void) {
  struct kaizen_host_v1 host = plain_host();
  struct kaizen_instance *own =
      start_instance(&host, sandbox.root, ",\"delivery\":\"relay\",\"lock_timeout_ms\":60000");
  int32_t code = span->sweep(own, NULL);

  plugin->destroy(own);
  return code != KAIZEN_OK;
}

Test(plugin_span, many_who_sweep_at_once_record_it_once) {
  enum { SWEEPERS = 8 };

  begin_and_die(NULL);
  use_instance("");
  for (int i = 0; i < SWEEPERS; i++)
    if (fork() == 0)
      _exit(sweep_with_an_instance_of_its_own());
  for (int i = 0; i < SWEEPERS; i++) {
    int status;

    (void)wait(&status);
    cr_expect_eq(status, 0);
  }
  cr_expect_eq(records(), 1);
}

Test(plugin_span, a_run_that_still_runs_is_left_alone) {
  uint64_t count;

  use_instance("");
  begin(instance, NULL);
  cr_assert_eq(span->sweep(instance, &count), KAIZEN_OK);
  cr_expect_eq(count, 0);
  cr_expect(is_open());
}

Test(plugin_span, a_cancelled_run_leaves_nothing) {
  use_instance("");
  begin(instance, NULL);
  cr_expect_eq(span->cancel(instance, "coach", KAIZEN_NTS, token), KAIZEN_OK);
  cr_expect_eq(span->cancel(instance, "coach", KAIZEN_NTS, token), KAIZEN_OK);
  cr_expect_not(is_open());
  cr_expect_eq(access(agent_file("coach", "executions.jsonl"), F_OK), -1);
}

Test(plugin_span, an_end_that_could_not_be_recorded_can_be_given_again) {
  struct kaizen_execution execution = success();
  int lock;

  use_instance(",\"lock_timeout_ms\":1");
  begin(instance, NULL);
  cr_assert_eq(plugin->on_execution_end(instance, &execution, NULL, NULL), KAIZEN_RECORDED);
  lock = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(lock, LOCK_EX), 0);
  cr_expect_eq(end_with(&execution), KAIZEN_E_BUSY);
  cr_expect(is_open());
  (void)close(lock);
  cr_expect_eq(end_with(&execution), KAIZEN_RECORDED, "%s", receipt.reason);
  cr_expect_eq(records(), 2);
}

Test(plugin_span, what_is_open_is_listed) {
  char text[4096] = "", wanted[128];

  begin_and_die("k");
  use_instance("");
  cr_assert_eq(span->list(instance, NULL, 0, take_text, text), KAIZEN_OK);
  (void)snprintf(wanted, sizeof wanted, "{\"agent\":\"coach\",\"token\":\"%s\",\"began\":\"",
                 token);
  cr_expect(strstr(text, wanted), "%s", text);
  cr_expect(strstr(text, "\"session_id\":\"s-1\""), "%s", text);
  cr_expect(strstr(text, "\"lost\":true}"), "%s", text);
  cr_expect(is_open(), "listing changes nothing");
}

Test(plugin_span, too_many_open_runs_are_refused_and_said) {
  struct kaizen_span run = run_of("coach");
  int32_t code = KAIZEN_OK;
  int begun = 0;

  use_instance("");
  for (; code == KAIZEN_OK && begun < 2000; begun++)
    code = span->begin(instance, &run, token);
  cr_expect_eq(code, KAIZEN_E_BUSY, "%d: %d", begun, code);
  cr_expect(strstr(why(instance), "coach has 1000 open runs"), "%s", why(instance));
}

Test(plugin_span, what_can_never_be_a_run_is_refused) {
  static const struct {
    const char *name;
    struct kaizen_span run;
    int32_t code;
  } cases[] = {
      {"no agent", {.struct_size = sizeof(struct kaizen_span)}, KAIZEN_E_REJECTED},
      {"a path",
       {.struct_size = sizeof(struct kaizen_span), .agent = {"../x", KAIZEN_NTS}},
       KAIZEN_E_REJECTED},
      {"a struct too small", {.struct_size = 8, .agent = {"coach", KAIZEN_NTS}}, KAIZEN_E_ARGUMENT},
      {"an unknown flag",
       {.struct_size = sizeof(struct kaizen_span),
        .flags = 1u << 9,
        .agent = {"coach", KAIZEN_NTS}},
       KAIZEN_E_UNSUPPORTED},
      {"an empty key",
       {.struct_size = sizeof(struct kaizen_span),
        .agent = {"coach", KAIZEN_NTS},
        .idempotency_key = {"", 0}},
       KAIZEN_E_REJECTED},
      {"a session that is not UTF-8",
       {.struct_size = sizeof(struct kaizen_span),
        .agent = {"coach", KAIZEN_NTS},
        .session_id = {"\xFF", 1}},
       KAIZEN_E_REJECTED},
  };

  use_instance("");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cr_expect_eq(span->begin(instance, &cases[i].run, token), cases[i].code, "%s: %s",
                 cases[i].name, why(instance));
    cr_expect_str_eq(token, "", "%s", cases[i].name);
  }
  for (unsigned bit = 0; bit < 32; bit++) {
    struct kaizen_span run = {
        .struct_size = sizeof run, .flags = 1u << bit, .agent = {"coach", KAIZEN_NTS}};
    bool known = run.flags & (KAIZEN_EXEC_EMIT | KAIZEN_EXEC_NO_EMIT) || bit >= 16;

    cr_expect_eq(span->begin(instance, &run, token), known ? KAIZEN_OK : KAIZEN_E_UNSUPPORTED,
                 "flag bit %u: %s", bit, why(instance));
  }
  cr_expect_eq(span->begin(instance, NULL, token), KAIZEN_E_ARGUMENT);
  cr_expect_eq(span->cancel(instance, "coach", KAIZEN_NTS, "../../x"), KAIZEN_E_REJECTED);
}

Test(plugin_span, a_piece_of_a_file_goes_after_a_day) {
  struct utimbuf old = {.actime = 1, .modtime = 1};

  use_instance("");
  make_agent_folder("coach");
  (void)strcpy(token, "0a1b2c3d-0000-4000-8000-000000000001");
  put_file(agent_file("coach", ".open-0a1b2c3d-0000-4000-8000-000000000001"), "{\"ke");
  cr_assert_eq(span->sweep(instance, NULL), KAIZEN_OK, "%s", why(instance));
  cr_expect(is_open());
  cr_assert_eq(utime(agent_file("coach", ".open-0a1b2c3d-0000-4000-8000-000000000001"), &old), 0);
  cr_assert_eq(span->sweep(instance, NULL), KAIZEN_OK, "%s", why(instance));
  cr_expect_not(is_open());
}

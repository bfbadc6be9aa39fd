/* test_plugin_query.c - kaizen.query/1 through the real file: records by time, number and place.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_under_test.h"

#include <sys/file.h>

static const struct kaizen_query_1 *query;
static char output[65536]; /* what a sink was given */
static unsigned pieces;    /* in how many calls */
static struct kaizen_query_result answer;

static void set_up(void) {
  enter_plugin();
  query = plugin->get_extension(KAIZEN_QUERY_1);
}

TestSuite(plugin_query, .init = set_up, .fini = leave_plugin);

static int32_t take_output(void *ctx, const char *data, size_t len) {
  size_t before = strlen(output);

  cr_assert_eq(ctx, &pieces);
  cr_assert_lt(before + len + 1, sizeof output);
  memcpy(output + before, data, len);
  if (data[len - 1] != '\n') /* a name */
    output[before + len++] = '\n';
  output[before + len] = '\0';
  pieces++;
  return 0;
}

/* Counts; keeps the newest one only. */
static int32_t count_output(void *ctx, const char *data, size_t len) {
  ++*(unsigned *)ctx;
  cr_assert_lt(len, sizeof output);
  memcpy(output, data, len);
  output[len] = '\0';
  return 0;
}

static int32_t refuse_output(void *ctx, const char *data, size_t len) {
  (void)ctx;
  (void)data;
  (void)len;
  return 1;
}

#define DAY_NS INT64_C(86400000000000)
#define LINE(day, name)                                                                            \
  "{\"timestamp\":\"1970-01-0" day "T00:00:00Z\",\"agent\":\"coach\",\"success\":true,"            \
  "\"session_id\":\"" name "\"}\n"

static void use_log(const char *text) {
  use_instance("");
  make_agent_folder("coach");
  put_file(agent_file("coach", "executions.jsonl"), text);
}

static struct kaizen_query query_of(uint32_t flags) {
  return (struct kaizen_query){
      .struct_size = sizeof(struct kaizen_query), .flags = flags, .agent = text_of("coach")};
}

static int32_t ask(const struct kaizen_query *asked) {
  output[0] = '\0';
  pieces = 0;
  answer = (struct kaizen_query_result){.struct_size = sizeof answer};
  return query->records(instance, asked, take_output, &pieces, &answer);
}

/* Which lines came out: the session ids, in order. */
static const char *sessions(void) {
  static char found[256];
  const char *mark = "\"session_id\":\"";
  size_t len = 0;

  for (const char *at = output; (at = strstr(at, mark)) && len + 1 < sizeof found;)
    found[len++] = *(at += strlen(mark));
  found[len] = '\0';
  return found;
}

Test(plugin_query, records_come_by_time_in_the_order_of_the_log) {
  struct kaizen_query asked;
  const struct {
    const char *name;
    uint32_t flags;
    int64_t since_ns, until_ns;
    uint64_t last;
    const char *found;
    uint64_t undated;
  } cases[] = {
      {"all", 0, 0, 0, 0, "acbxde", 0},
      {"since the second day", KAIZEN_QUERY_SINCE, DAY_NS, 0, 0, "cbde", 1},
      {"since a moment later", KAIZEN_QUERY_SINCE, DAY_NS + 1, 0, 0, "cde", 1},
      {"until the third day", KAIZEN_QUERY_UNTIL, 0, 2 * DAY_NS, 0, "ab", 1},
      {"until a moment later", KAIZEN_QUERY_UNTIL, 0, 2 * DAY_NS + 1, 0, "acb", 1},
      {"both", KAIZEN_QUERY_SINCE | KAIZEN_QUERY_UNTIL, DAY_NS, 3 * DAY_NS, 0, "cb", 1},
      {"nothing between", KAIZEN_QUERY_SINCE | KAIZEN_QUERY_UNTIL, DAY_NS, DAY_NS, 0, "", 1},
      {"since the beginning", KAIZEN_QUERY_SINCE, INT64_MIN, 0, 0, "acbde", 1},
      {"until the end", KAIZEN_QUERY_UNTIL, 0, INT64_MAX, 0, "acbde", 1},
      {"the last one", 0, 0, 0, 1, "e", 0},
      {"the last four", 0, 0, 0, 4, "bxde", 0},
      {"more than there are", 0, 0, 0, 7, "acbxde", 0},
      {"the last two of a time", KAIZEN_QUERY_UNTIL, 0, 3 * DAY_NS, 2, "cb", 1},
      {"bounds without their flags", 0, DAY_NS, DAY_NS, 0, "acbxde", 0},
      {"a flag of a later day that adds data", 1u << 16, 0, 0, 0, "acbxde", 0},
  };

  use_log(LINE("1", "a") "garbage\n" LINE("3", "c") "\n" LINE(
      "2", "b") "{\"agent\":\"coach\",\"success\":true,\"session_id\":\"x\"}\n" LINE("4", "d")
              LINE("5", "e") "{\"torn\":");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    asked = query_of(cases[i].flags);
    asked.since_unix_ns = cases[i].since_ns;
    asked.until_unix_ns = cases[i].until_ns;
    asked.last = cases[i].last;
    cr_assert_eq(ask(&asked), KAIZEN_OK, "%s: %s", cases[i].name, answer.reason);
    cr_assert_str_eq(sessions(), cases[i].found, "%s: %s", cases[i].name, sessions());
    cr_assert_eq(answer.records, strlen(cases[i].found), "%s", cases[i].name);
    cr_assert_eq(pieces, strlen(cases[i].found), "%s", cases[i].name);
    cr_assert_eq(answer.undated, cases[i].undated, "%s", cases[i].name);
    cr_assert_eq(answer.skipped_lines, 1, "%s", cases[i].name);
  }
}

/* Thousands of lines, so that the window at the log's end has to grow, and is cut within a line. */
Test(plugin_query, the_last_records_of_a_long_log_are_found_from_its_end) {
  const unsigned lines = 4000;
  const uint64_t lasts[] = {1, 100, 150, 1000, 3999, 4000, 5000, UINT64_MAX};
  struct kaizen_query asked = query_of(0);
  char pad[1000];
  FILE *log;

  use_instance("");
  make_agent_folder("coach");
  memset(pad, 'p', sizeof pad);
  log = fopen(agent_file("coach", "executions.jsonl"), "w");
  for (unsigned i = 0; i < lines; i++)
    (void)fprintf(log,
                  i % 7 == 3 ? "garbage %u %.*s\n"
                             : "{\"agent\":\"coach\",\"success\":true,\"session_id\":\"%u\","
                               "\"repo\":\"%.*s\"}\n",
                  i, (int)(i % 1000), pad);
  cr_assert_eq(fclose(log), 0);
  for (size_t i = 0; i < sizeof lasts / sizeof *lasts; i++) {
    uint64_t there = lines - (lines + 3) / 7;

    asked.last = lasts[i];
    answer = (struct kaizen_query_result){.struct_size = sizeof answer};
    pieces = 0;
    output[0] = '\0';
    cr_assert_eq(query->records(instance, &asked, count_output, &pieces, &answer), KAIZEN_OK);
    cr_assert_eq(pieces, lasts[i] < there ? lasts[i] : there, "last %llu: %u",
                 (unsigned long long)lasts[i], pieces);
    cr_assert(strstr(output, "\"session_id\":\"3999\""), "%s", output);
  }
}

Test(plugin_query, a_place_goes_on_where_the_last_reading_ended) {
  struct kaizen_query asked = query_of(KAIZEN_QUERY_AFTER);
  const char *log;

  use_log(LINE("1", "a") LINE("2", "b") "{\"torn\":");
  log = agent_file("coach", "executions.jsonl");
  cr_assert_eq(ask(&asked), KAIZEN_OK);
  cr_assert_str_eq(sessions(), "ab");
  asked.after = answer.place;
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(ask(&asked), KAIZEN_OK);
    cr_assert_eq(answer.records, 0);
    cr_assert_eq(memcmp(&answer.place, &asked.after, sizeof asked.after), 0);
  }
  append_to_file(log, "1}\n" LINE("3", "c") LINE("4", "d"));
  cr_assert_eq(ask(&asked), KAIZEN_OK);
  cr_assert_str_eq(sessions(), "cd");
  cr_assert_eq(answer.skipped_lines, 1);
  cr_assert_eq(answer.flags, 0);
  asked.last = 1;
  cr_assert_eq(ask(&asked), KAIZEN_OK);
  cr_assert_str_eq(sessions(), "d");
}

Test(plugin_query, a_place_that_is_gone_begins_again_and_says_so) {
  struct kaizen_query asked = query_of(KAIZEN_QUERY_AFTER);
  const uint64_t nowhere[][4] = {
      {1, 1, 0, 0}, {UINT64_MAX, UINT64_MAX - 1, 1, 1}, {100, 0, 1, 1}, {1, 2, 3, 4}};
  const char *log;

  use_log(LINE("1", "a") LINE("2", "b"));
  log = agent_file("coach", "executions.jsonl");
  cr_assert_eq(ask(&asked), KAIZEN_OK);
  asked.after = answer.place;
  /* rewritten in place: as long as before, another last line */
  put_file(log, LINE("1", "a") LINE("2", "c"));
  cr_assert_eq(ask(&asked), KAIZEN_OK);
  cr_assert_str_eq(sessions(), "ac");
  cr_assert_eq(answer.flags, KAIZEN_QUERY_RESTARTED);
  asked.after = answer.place;
  /* shorter */
  put_file(log, LINE("2", "c"));
  cr_assert_eq(ask(&asked), KAIZEN_OK);
  cr_assert_str_eq(sessions(), "c");
  cr_assert_eq(answer.flags, KAIZEN_QUERY_RESTARTED);
  for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++) {
    memcpy(&asked.after, nowhere[i], sizeof nowhere[i]);
    cr_assert_eq(ask(&asked), KAIZEN_OK, "%zu: %s", i, answer.reason);
    cr_assert_str_eq(sessions(), "c");
    cr_assert_eq(answer.flags, KAIZEN_QUERY_RESTARTED, "%zu", i);
  }
}

/* The lock is held only while the log is measured: a sink may take it, and what is recorded in
 * between is not read. */
static int32_t record_between(void *ctx, const char *data, size_t len) {
  (void)data;
  (void)len;
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  ++*(unsigned *)ctx;
  return 0;
}

Test(plugin_query, a_reading_holds_nobody_up_and_ends_where_the_log_ended) {
  struct kaizen_query asked = query_of(0);
  unsigned seen = 0;

  use_instance("");
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(query->records(instance, &asked, record_between, &seen, NULL), KAIZEN_OK);
  cr_assert_eq(seen, 2);
  cr_assert_eq(ask(&asked), KAIZEN_OK);
  cr_assert_eq(answer.records, 4);
}

Test(plugin_query, what_cannot_be_read_is_said) {
  struct kaizen_query asked = query_of(0);
  struct kaizen_query_result wide[2] = {{.struct_size = sizeof wide}};
  int lock;

  use_instance("");
  cr_assert_eq(ask(&asked), KAIZEN_E_REJECTED);
  cr_assert(strstr(answer.reason, "agent coach"), "%s", answer.reason);
  cr_assert_not(is_there(in_sandbox(".kaizen")));
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  asked.agent = text_of("../x");
  cr_assert_eq(ask(&asked), KAIZEN_E_REJECTED);
  cr_assert(answer.reason[0] != '\0');
  asked = query_of(1u << 15);
  cr_assert_eq(ask(&asked), KAIZEN_E_UNSUPPORTED);
  cr_assert(strstr(answer.reason, "0x8000"), "%s", answer.reason);
  memset(&answer.flags, 0xA5, sizeof answer - sizeof answer.struct_size);
  cr_assert_eq(query->records(instance, NULL, take_output, &pieces, &answer), KAIZEN_E_ARGUMENT);
  cr_assert(answer.records == 0 && strstr(answer.reason, "query"), "%s", answer.reason);
  asked = query_of(0);
  cr_assert_eq(query->records(instance, &asked, refuse_output, NULL, NULL), KAIZEN_E_ENDED);
  cr_assert_eq(query->records(instance, &asked, NULL, NULL, NULL), KAIZEN_E_ARGUMENT);
  cr_assert_eq(query->records(instance, NULL, take_output, &pieces, NULL), KAIZEN_E_ARGUMENT);
  cr_assert_eq(query->records(NULL, &asked, take_output, &pieces, NULL), KAIZEN_E_ARGUMENT);
  memset(&wide[0].flags, 0xA5, sizeof wide - sizeof wide[0].struct_size);
  cr_assert_eq(query->records(instance, &asked, take_output, &pieces, wide), KAIZEN_OK);
  cr_assert_eq(wide[0].struct_size, sizeof wide);
  cr_assert_eq(wide[0].records, 1);
  cr_assert_eq(wide[1].struct_size, 0);
  wide[0].struct_size = sizeof wide[0] - 1;
  cr_assert_eq(query->records(instance, &asked, take_output, &pieces, wide), KAIZEN_E_ARGUMENT);
  asked.struct_size--;
  cr_assert_eq(ask(&asked), KAIZEN_E_ARGUMENT);
  asked.struct_size++;
  lock = open(agent_file("coach", ".lock"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(flock(lock, LOCK_EX), 0);
  cr_assert_eq(ask(&asked), KAIZEN_E_BUSY);
  cr_assert(strstr(answer.reason, "coach"), "%s", answer.reason);
  (void)close(lock);
}

Test(plugin_query, agents_are_those_with_a_log_by_name) {
  output[0] = '\0';
  use_instance("");
  cr_assert_eq(query->agents(instance, take_output, &pieces), KAIZEN_OK);
  cr_assert_eq(pieces, 0);
  cr_assert_eq(record_success(instance, "zebra", NULL), KAIZEN_RECORDED);
  cr_assert_eq(record_success(instance, "ant", NULL), KAIZEN_RECORDED);
  make_agent_folder("empty");
  make_agent_folder("bee");
  cr_assert_eq(symlink("/dev/null", agent_file("bee", "executions.jsonl")), 0);
  cr_assert_eq(query->agents(instance, take_output, &pieces), KAIZEN_OK);
  cr_assert_str_eq(output, "ant\nbee\nzebra\n");
  cr_assert_eq(query->agents(instance, refuse_output, NULL), KAIZEN_E_ENDED);
  cr_assert_eq(query->agents(instance, NULL, NULL), KAIZEN_E_ARGUMENT);
  cr_assert_eq(plugin->stop(instance, 0), KAIZEN_OK);
  cr_assert_eq(query->agents(instance, take_output, &pieces), KAIZEN_OK);
}

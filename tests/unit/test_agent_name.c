/* test_agent_name.c - the names agents may have, and what any other name is mapped to.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "execution_scene.h"

#include "record/agent_name.h"

TestSuite(agent_name, .init = set_up, .fini = tear_down);

Test(agent_name, agent_names_follow_the_grammar) {
  static const char *const legal[] = {
      "a",    "Z",           "0",
      "_",    "a-b",         "a.b",
      "a..b", "coach_2.x-y", "Optimizer",
      "a-",   "_.a",         "0123456789012345678901234567890123456789012345678901234567890123"};
  for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++)
    cr_expect_eq(agent_name_check(text(legal[i]), &error), 0, "%s: %s", legal[i], error.text);
  static const struct {
    const char *agent, *message;
  } illegal[] = {
      {"", "agent is empty; name the agent that ran"},
      {"..", "agent \"..\" starts with \".\"; start it with a letter, a digit or _"},
      {".hidden", "agent \".hidden\" starts with \".\"; start it with a letter, a digit or _"},
      {"-a", "agent \"-a\" starts with \"-\"; start it with a letter, a digit or _"},
      {"a.", "agent \"a.\" ends with a dot; remove the dot"},
      {"a b", "agent \"a b\" has the character \" \"; only letters, digits, _ - and . are allowed"},
      {"a/b", "agent \"a/b\" has the character \"/\"; only letters, digits, _ - and . are allowed"},
      {"a*", "agent \"a*\" has the character \"*\"; only letters, digits, _ - and . are allowed"},
      {"a>", "agent \"a>\" has the character \">\"; only letters, digits, _ - and . are allowed"},
      {"caf\xC3\xA9", "agent \"caf\xC3\xA9\" has the character \"\xC3\xA9\"; only letters, digits, "
                      "_ - and . are allowed"},
      {"a\n",
       "agent \"a\\x0a\" has the character \"\\x0a\"; only letters, digits, _ - and . are allowed"},
      {"a\xFF",
       "agent \"a\\xff\" has the character \"\\xff\"; only letters, digits, _ - and . are allowed"},
      {"optimizer", "agent \"optimizer\" is a reserved name; choose another"},
      {"01234567890123456789012345678901234567890123456789012345678901234",
       "agent \"012345678901234567890123456789012345678901234567890123456789...\" has 65 "
       "characters; at most 64 are "
       "allowed"},
  };
  for (size_t i = 0; i < sizeof illegal / sizeof illegal[0]; i++)
    must_be_refused(illegal[i].agent, agent_name_check(text(illegal[i].agent), &error),
                    illegal[i].message);
  must_be_refused(
      "NUL", agent_name_check((struct span){"a\0b", 3}, &error),
      "agent \"a\\x00b\" has the character \"\\x00\"; only letters, digits, _ - and . are allowed");
  must_be_refused("none", agent_name_check((struct span){NULL, 0}, &error),
                  "agent is missing; name the agent that ran");
}

Test(agent_name, any_name_maps_to_a_legal_one_that_tells_it_apart) {
  static const char *const names[] = {
      "Triage Agent",
      "triage agent",
      "triage-agent ",
      "pr-review-toolkit:code-reviewer",
      "../../etc/passwd",
      ".",
      "...",
      "-",
      "\xE4\xBD\xA0\xE5\xA5\xBD",
      "optimizer",
      "a.",
      "a/",
      " leading",
      "x                                                        y!",
      "A name of rather more than sixty-four characters, as people like to give them"};
  char seen[sizeof names / sizeof names[0]][AGENT_NAME_MAX + 1];
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    cr_expect_eq(agent_name_map(text(names[i]), seen[i], NULL), 1, "%s", names[i]);
    cr_expect_eq(agent_name_check(text(seen[i]), &error), 0, "%s -> %s: %s", names[i], seen[i],
                 error.text);
    for (size_t j = 0; j < i; j++)
      cr_expect_str_neq(seen[i], seen[j], "%s and %s", names[i], names[j]);
  }
}

/* The mapping is shared by adapters everywhere: these results never change. */
Test(agent_name, the_mapping_is_what_it_always_was) {
  static const struct {
    const char *name, *mapped;
  } cases[] = {{"Triage Agent", "triage-agent-e5c53b"},
               {"pr-review-toolkit:code-reviewer", "pr-review-toolkit-code-reviewer-e019e6"},
               {"optimizer", "optimizer-631e7a"},
               {"\xE4\xBD\xA0\xE5\xA5\xBD", "agent-f15652"}};
  char out[AGENT_NAME_MAX + 1];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    agent_name_map(text(cases[i].name), out, NULL);
    cr_expect_str_eq(out, cases[i].mapped, "%s -> %s", cases[i].name, out);
  }
  cr_expect_eq(agent_name_map(text("Already.Legal"), out, NULL), 0);
  cr_expect_str_eq(out, "Already.Legal");
  cr_expect_eq(agent_name_map(text(""), out, NULL), -1);
  cr_expect_eq(agent_name_map(text("\xFF"), out, NULL), -1);
  cr_expect_str_eq(out, "");
}

static bool in_line(const char *part) {
  return memmem(execution.line.data, execution.line.len, part, strlen(part)) != NULL;
}

Test(agent_name, a_foreign_name_is_mapped_when_that_is_wanted) {
  in.flags = KAIZEN_EXEC_MAP_AGENT;
  in.agent = nts("Triage Agent");
  in.metadata_json = nts("{\"a\": 1}");
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  cr_expect(strncmp(execution.agent, "triage-agent-", 13) == 0, "%s", execution.agent);
  cr_expect(in_line("\"metadata\":{\"a\":1,\"agent_name\":\"Triage Agent\"}"));
  in.metadata_json = (struct kaizen_str){0};
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  cr_expect(in_line("\"metadata\":{\"agent_name\":\"Triage Agent\"}"));
  in.metadata_json = nts("{\"agent_name\":\"told\"}");
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  cr_expect(in_line("\"metadata\":{\"agent_name\":\"told\"}"));
  in.agent = nts("coach");
  in.metadata_json = (struct kaizen_str){0};
  cr_assert_eq(from_struct(), 0, "%s", error.text);
  cr_expect_not(in_line("metadata"));
  in.agent = (struct kaizen_str){0};
  must_be_refused("no name", from_struct(), "agent is missing or empty; name the agent that ran");
}

/* command_verify.c - check the logs and all files derived from them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "base/utf8_text.h"
#include "host/command.h"
#include "host/report_text.h"
#include "host/unreadable.h"
#include "operator/operator_commands.h"
#include "report/agent_history.h"

static const struct option_spec own_options[] = {
    {"repair", 0, OPTION_FLAG, NULL, "save and remove bad lines, rebuild derived files"},
    {"dry-run", 0, OPTION_FLAG, NULL, "with --repair: show what would be done"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"verify", "check log, summary, checkpoint and state of every agent"},
    {"verify coach --repair", "repair one agent"},
    {NULL, NULL},
};

struct verify {
  struct session session;
  const struct kaizen_repair_1 *repair;
  bool repairs, dry_run;
  struct json_object *reports; /* array, for -o json */
  struct unreadable unreadable;
  size_t agents, inconsistent;
};

static void print_part(const char *name, const char *state, bool consistent) {
  /* A file that is not needed yet is made when it is. */
  bool needed = !consistent && strcmp(name, "summary") == 0;

  if (strcmp(state, "ok") != 0 && (strcmp(state, "missing") != 0 || needed))
    printf("  %-11s %s\n", name, state);
}

static void print_bad_lines(struct json_object *report) {
  struct json_object *lines = report_text_member(report, "bad_lines");
  uint64_t count = report_text_count(report, "bad_line_count");
  size_t listed = json_object_is_type(lines, json_type_array) ? json_object_array_length(lines) : 0;

  for (size_t i = 0; i < listed; i++) {
    struct json_object *line = json_object_array_get_idx(lines, i);

    printf("  line %" PRIu64 ": ", report_text_count(line, "line"));
    utf8_text_print(stdout, report_text_string(line, "reason", "?"));
    putchar('\n');
  }
  if (count > listed)
    printf("  ... and %" PRIu64 " more\n", count - listed);
}

static void print_report(const struct verify *verify, const char *agent,
                         struct json_object *report) {
  static const char *const parts[] = {"summary", "checkpoint", "state"};
  bool consistent = json_object_get_boolean(report_text_member(report, "consistent"));
  const char *saved_to = report_text_string(report, "saved_to", "");
  uint64_t held_back = report_text_count(report, "held_back");

  utf8_text_print(stdout, agent);
  printf(": %" PRIu64 " record%s, %s%s%s\n", report_text_count(report, "records"),
         output_plural(report_text_count(report, "records")),
         output_style(consistent ? OUTPUT_GREEN : OUTPUT_RED),
         !consistent       ? "inconsistent"
         : verify->repairs ? "consistent after the repair"
                           : "consistent",
         output_style_end());
  print_bad_lines(report);
  if (json_object_get_boolean(report_text_member(report, "torn_tail")))
    puts("  the last line is torn; the next record begins after it");
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    print_part(parts[i], report_text_string(report, parts[i], "ok"), consistent);
  if (*saved_to != '\0')
    utf8_text_printf("  removed lines are in %s", saved_to), putchar('\n');
  if (held_back > 0)
    printf("  %" PRIu64 " event%s held back: it is unknown what was sent; continue with "
           "drain --resend-all or drain --assume-sent\n",
           held_back, held_back == 1 ? " is" : "s are");
  if (verify->dry_run && !consistent)
    puts("  --repair would save and remove the bad lines and rebuild the rest");
}

static int verify_agent(void *ctx, const char *agent, struct problem *problem) {
  struct verify *verify = ctx;
  struct report_text text = {.text = NULL};
  bool repairs = verify->repairs && !verify->dry_run;
  int32_t result = (repairs ? verify->repair->repair : verify->repair->verify)(
      verify->session.instance, agent, KAIZEN_NTS, report_text_sink, &text);

  if (result < 0) {
    free(text.text);
    return result == KAIZEN_E_REJECTED ? agent_history_unknown(&verify->session, agent, problem)
                                       : session_failed(&verify->session, agent, result, problem);
  }
  struct json_object *report = report_text_parse(&text, "verify", problem);
  if (!report)
    return -1;
  verify->agents++;
  verify->inconsistent += !json_object_get_boolean(report_text_member(report, "consistent"));
  if (output_is_json())
    json_object_array_add(verify->reports, json_object_get(report));
  else
    print_report(verify, agent, report);
  json_object_put(report);
  return 0;
}

/* One of all agents: if it cannot be verified, the others still are. */
static int verify_each(void *ctx, const char *agent, struct problem *problem) {
  struct verify *verify = ctx;

  if (verify_agent(ctx, agent, problem) < 0)
    unreadable_add(&verify->unreadable, NULL, agent, problem);
  return 0;
}

static int verify_opened(struct verify *verify, const char *agent, struct problem *problem) {
  verify->repair = session_extension(&verify->session, KAIZEN_REPAIR_1, problem);
  if (!verify->repair)
    return -1;
  int result = agent ? verify_agent(verify, agent, problem)
                     : agent_history_each(&verify->session, verify_each, verify, problem);
  if (result < 0)
    return -1;
  if (output_is_json()) {
    struct json_object *document = json_object_new_object();

    json_object_object_add(
        document, "consistent",
        json_object_new_boolean(verify->inconsistent == 0 && !verify->unreadable.list));
    json_object_object_add(document, "agents", json_object_get(verify->reports));
    unreadable_add_json(verify->unreadable.list, document);
    output_json(document);
  } else if (verify->agents == 0 && !verify->unreadable.list) {
    output_note("nothing is recorded in %s", verify->session.project_root);
  }
  return 0;
}

static int run(const struct host *host) {
  struct problem problem;
  struct verify verify = {
      .repairs = options_given(host->arguments, "repair"),
      .dry_run = options_given(host->arguments, "dry-run"),
  };

  if (verify.dry_run && !verify.repairs) {
    problem_set(&problem, EXIT_CODE_USAGE,
                "verify: --dry-run needs --repair; without it nothing is changed");
    return output_problem(&problem);
  }
  if (session_open(host, &verify.session, &problem) < 0)
    return output_problem(&problem);
  verify.reports = json_object_new_array();
  int result = verify_opened(&verify, command_word(host, 0), &problem);
  json_object_put(verify.reports);
  session_close(&verify.session);
  int status = unreadable_finish(&verify.unreadable);
  if (result < 0)
    return output_problem(&problem);
  return verify.inconsistent > 0 ? EXIT_CODE_FAILED : status;
}

const struct command command_verify = {
    .name = "verify",
    .synopsis = "[AGENT] [OPTIONS]",
    .summary = "check the logs and all files derived from them",
    .details = "Status 1: something is inconsistent.  Without --repair nothing is written.",
    .examples = examples,
    .option_groups = {own_options},
    .takes_agent = true,
    .words_max = 1,
    .only_reads = true,
    .run = run,
};

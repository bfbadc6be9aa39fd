/* command_check.c - check an agent's runs against rules, for CI ("check").
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json_text.h"
#include "base/output.h"
#include "base/time_text.h"
#include "base/utf8_text.h"
#include "host/command.h"
#include "host/roots.h"
#include "report/agent_answer.h"
#include "report/agent_history.h"
#include "report/check_rules.h"
#include "report/report_commands.h"

enum {
  RUNS_CHECKED = 20, /* unless the command line says otherwise */
  CHECK_LABEL_MAX = 384
};

static const struct option_spec own_options[] = {
    {"all", 'a', OPTION_FLAG, NULL, "every agent of the project"},
    {"min-count", 0, OPTION_COUNT, "N", "fewest runs that can be judged; default: 1"},
    {"on-too-few", 0, OPTION_CHOICE, "pass|fail", "result with fewer runs; default: fail"},
    {"markdown", 0, OPTION_FILE, "FILE", "append a Markdown table, as for $GITHUB_STEP_SUMMARY"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"check coach --min-success 0.8", "the last 20 runs; status 1 if fewer succeeded"},
    {"check --all --no-worse-than 30d --min-count 5 --on-too-few pass",
     "does any agent succeed less often than in the month before?"},
    {"check coach --since 7d --max-p95 10m --max-cost 2.50 --max-failures-in-a-row 3",
     "this week: duration, cost, failures in a row"},
    {NULL, NULL},
};

struct check {
  const char *agent; /* NULL: all */
  struct session *session;
  const char *project; /* with --roots, else NULL */
  struct window window;
  struct check_rules rules;
  uint64_t min_count;
  bool too_few_passes, passed;
  FILE *markdown;             /* NULL: none was asked for */
  struct json_object *agents; /* for the document */
  struct unreadable unreadable;
};

static bool passes(const struct check *check, enum check_status status) {
  return status == CHECK_MET || (status == CHECK_TOO_FEW && check->too_few_passes);
}

/* A cell of a table in Markdown: a name with '|', '<' or '`' stays a name. */
static void print_cell(FILE *out, const char *text) {
  for (char one[5] = ""; *text != '\0'; text += strlen(one)) {
    size_t len = utf8_text_character(text);

    snprintf(one, sizeof one, "%.*s", (int)(len > 0 ? len : 1), text);
    if (strchr("|<>&`*[]\\", *text))
      putc('\\', out);
    utf8_text_print(out, one);
  }
}

static void tell_result(const struct check *check, const char *agent,
                        const struct check_result *result) {
  const char *name = result->rule->option->name;
  bool passed = passes(check, result->status);
  const char *few = result->status == CHECK_TOO_FEW ? ", too few to tell" : "";

  if (check->markdown) {
    fputs("| ", check->markdown);
    print_cell(check->markdown, agent);
    fprintf(check->markdown, " | %s | %s | %s%s | %s |\n", name, result->wanted, result->found, few,
            passed ? "pass" : "**fail**");
  }
  if (!output_is_json() && result->status != CHECK_MET && (!passed || !output_is_quiet())) {
    fputs(passed ? "" : output_style(OUTPUT_RED), stdout);
    utf8_text_printf("%s: %s: %s%s, wanted %s%s", agent, name, result->found, few, result->wanted,
                     passed ? " (passes)" : "");
    printf("%s\n", passed ? "" : output_style_end());
  }
}

static struct json_object *result_json(const struct check_result *result) {
  struct json_object *object = json_object_new_object();

  json_object_object_add(object, "rule", json_object_new_string(result->rule->option->name));
  json_object_object_add(object, "status",
                         json_object_new_string(check_rules_status_name(result->status)));
  json_object_object_add(object, "limit", json_text_new_double(result->rule->limit));
  json_object_object_add(object, "value",
                         isnan(result->value) ? NULL : json_text_new_double(result->value));
  json_object_object_add(object, "wanted", json_text_new_string(result->wanted));
  json_object_object_add(object, "found", json_text_new_string(result->found));
  return object;
}

static struct json_object *new_entry(const struct check *check, const char *agent) {
  struct json_object *entry = json_object_new_object();

  if (check->project) {
    json_object_object_add(entry, "project", json_text_new_string(check->project));
    json_object_object_add(entry, "project_root",
                           json_text_new_string(check->session->project_root));
  }
  json_object_object_add(entry, "agent", json_text_new_string(agent));
  return entry;
}

/* All rules on one agent's runs. */
static void hold_to_rules(struct check *check, const char *agent,
                          const struct check_subject *subject) {
  char label[CHECK_LABEL_MAX];
  size_t count = subject->figures->share.count, met = 0;
  struct json_object *results = json_object_new_array();
  bool agent_passed = true;

  snprintf(label, sizeof label, "%s%s%s", check->project ? check->project : "",
           check->project ? "/" : "", agent);
  for (size_t i = 0; i < check->rules.count; i++) {
    struct check_result result;

    check_rules_apply(&check->rules.list[i], subject, &result);
    if (count < check->min_count || count == 0) {
      result.status = CHECK_TOO_FEW;
      snprintf(result.found, sizeof result.found, "%zu run%s", count, output_plural(count));
    }
    tell_result(check, label, &result);
    met += result.status == CHECK_MET;
    agent_passed = agent_passed && passes(check, result.status);
    json_object_array_add(results, result_json(&result));
  }
  if (met == check->rules.count && !output_is_json() && !output_is_quiet()) {
    utf8_text_printf("%s: %zu rule%s met by %zu run%s", label, met, output_plural(met), count,
                     output_plural(count));
    putchar('\n');
  }
  struct json_object *entry = new_entry(check, agent);
  json_object_object_add(entry, "passed", json_object_new_boolean(agent_passed));
  json_object_object_add(entry, "count", json_object_new_uint64(count));
  json_object_object_add(entry, "rules", results);
  json_object_array_add(check->agents, entry);
  check->passed = check->passed && agent_passed;
}

static int check_agent(void *ctx, const char *agent, struct problem *problem) {
  struct check *check = ctx;
  struct figures figures;
  struct runs runs;

  if (runs_read(check->session, agent, NULL, &runs, problem) < 0)
    return -1;
  struct run_slice chosen = runs_in_window(&runs, &check->window);
  int result = figures_of(chosen, &figures, problem);
  if (result == 0) {
    const struct check_subject subject = {
        .figures = &figures,
        .before = {runs.list, chosen.count > 0 ? (size_t)(chosen.list - runs.list) : runs.count},
        .until_s = check_rules_until(&check->window),
    };

    hold_to_rules(check, agent, &subject);
    figures_free(&figures);
  }
  runs_free(&runs);
  return result;
}

/* Of all agents: one that cannot be read does not hide the others, and is not a pass. */
static int check_each(void *ctx, const char *agent, struct problem *problem) {
  struct check *check = ctx;

  if (check_agent(check, agent, problem) < 0)
    unreadable_add(&check->unreadable, check->project ? check->session->project_root : NULL, agent,
                   problem);
  return 0;
}

static void print_json(struct check *check) {
  struct json_object *document = json_object_new_object();

  json_object_object_add(document, "passed",
                         json_object_new_boolean(check->passed && !check->unreadable.list));
  json_object_object_add(document, "agents", json_object_get(check->agents));
  json_object_object_add(document, "window", window_json(&check->window));
  unreadable_add_json(check->unreadable.list, document);
  output_json(document);
}

static int check_project(void *ctx, struct session *session, const char *project,
                         struct problem *problem) {
  struct check *check = ctx;

  check->session = session;
  check->project = project;
  return check->agent ? check_agent(check, check->agent, problem)
                      : agent_history_each(session, check_each, check, problem);
}

static int check_all(struct check *check, const struct host *host, struct problem *problem) {
  if (check->markdown)
    fputs("| agent | rule | wanted | found | |\n|---|---|---|---|---|\n", check->markdown);
  if (roots_each(host, check_project, check, &check->unreadable, problem) < 0)
    return -1;
  if (json_object_array_length(check->agents) == 0 && !check->unreadable.list) {
    output_note("nothing is recorded: too few to tell");
    check->passed = check->too_few_passes;
  }
  if (output_is_json())
    print_json(check);
  return 0;
}

static int check_given(struct check *check, const struct host *host, struct problem *problem) {
  const struct arguments *arguments = host->arguments;
  const char *few = options_text(arguments, "on-too-few", "fail");
  const char *file = options_text(arguments, "markdown", NULL);

  if ((command_word(host, 0) != NULL) == options_given(arguments, "all"))
    return problem_set(problem, EXIT_CODE_USAGE, "check: name one agent, or --all");
  if (check->agent && roots_are_given(host))
    return problem_set(problem, EXIT_CODE_USAGE,
                       "check: --roots goes with --all; an agent is one of one project");
  if (window_read(arguments, &check->window, problem) < 0 ||
      check_rules_read(arguments, &check->rules, problem) < 0 ||
      check_rules_fit(&check->rules, &check->window, problem) < 0)
    return -1;
  if (!window_is_given(&check->window) && !options_given(arguments, "last"))
    check->window.last = RUNS_CHECKED;
  check->min_count = (uint64_t)options_number(arguments, "min-count", 1);
  check->too_few_passes = strcmp(few, "pass") == 0;
  if (!file)
    return 0;
  check->markdown = fopen(file, "ae");
  return check->markdown
             ? 0
             : problem_set(problem, EXIT_CODE_FAILED, "--markdown %s: %s", file, strerror(errno));
}

static int run(const struct host *host) {
  struct check check = {.agent = command_word(host, 0), .passed = true};
  struct problem problem;

  int result = check_given(&check, host, &problem);
  check.agents = json_object_new_array();
  if (result == 0)
    result = check_all(&check, host, &problem);
  json_object_put(check.agents);
  bool is_cut = check.markdown && ferror(check.markdown) != 0;
  if (check.markdown && (fclose(check.markdown) != 0 || is_cut) && result == 0)
    result = problem_set(&problem, EXIT_CODE_FAILED, "--markdown %s: %s",
                         options_text(host->arguments, "markdown", ""), strerror(errno));
  int status = unreadable_finish(&check.unreadable);
  return result < 0 ? output_problem(&problem) : check.passed ? status : EXIT_CODE_FAILED;
}

const struct command command_check = {
    .name = "check",
    .synopsis = "AGENT|--all RULE... [OPTIONS]",
    .summary = "check an agent's runs against rules, for CI",
    .details =
        "The last 20 runs are checked, unless --since, --until or --last choose others.  Status 1 "
        "if a rule is not met, or if there are too few runs and --on-too-few is fail.",
    .examples = examples,
    .option_groups = {check_rules_options, own_options, window_options, roots_options},
    .takes_agent = true,
    .words_max = 1,
    .only_reads = true,
    .run = run,
};

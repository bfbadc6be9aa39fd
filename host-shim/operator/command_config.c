/* command_config.c - show or change the host's configuration file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/nearest.h"
#include "base/output.h"
#include "base/table.h"
#include "host/command.h"
#include "host/report_text.h"
#include "host/session.h"
#include "operator/config_edit.h"
#include "operator/operator_commands.h"

enum { WORD_PATH, WORD_SHOW, WORD_GET, WORD_SET, WORD_UNSET };

static const struct command_example examples[] = {
    {"config show", "every setting, its value and its source"},
    {"config set nats_url nats://broker.example:4222",
     "change a setting, in the file in use or the user's"},
    {"config set emit_event true", "the plugin checks it before the file is written"},
    {"config path", "show which file is used"},
    {NULL, NULL},
};

static void visit_json(void *ctx, const char *origin, const char *file) {
  struct json_object *entry = json_object_new_object();

  json_object_object_add(entry, "origin", json_object_new_string(origin));
  json_object_object_add(entry, "file", file ? json_text_new_string(file) : NULL);
  json_object_object_add(entry, "exists", json_object_new_boolean(file && access(file, F_OK) == 0));
  json_object_array_add(ctx, entry);
}

static void visit_text(void *ctx, const char *origin, const char *file) {
  (void)ctx;
  if (output_is_verbose())
    output_note("%-18s %s%s", origin, file ? file : "not set",
                file && access(file, F_OK) != 0 ? " (does not exist)" : "");
}

static int show_path(const struct host *host, struct problem *problem) {
  struct host_config config;

  if (host_config_load(host->config_file, &config, problem) < 0)
    return -1;
  if (output_is_json()) {
    struct json_object *document = json_object_new_object();
    struct json_object *candidates = json_object_new_array();

    host_config_each_candidate(host->config_file, visit_json, candidates);
    json_object_object_add(document, "file",
                           config.file ? json_text_new_string(config.file) : NULL);
    json_object_object_add(document, "candidates", candidates);
    output_json(document);
  } else {
    host_config_each_candidate(host->config_file, visit_text, NULL);
    if (config.file)
      puts(config.file);
    else
      output_note("no configuration file; built-in defaults are used");
  }
  host_config_free(&config);
  return 0;
}

static int refuse_key(struct json_object *report, const char *key, struct problem *problem) {
  struct nearest nearest = nearest_to(key);
  struct json_object_iter member;

  json_object_object_foreachC(report, member) {
    nearest_offer(&nearest, member.key);
  }
  return problem_set(problem, EXIT_CODE_FAILED, "config: no setting '%s'; %s%s%s", key,
                     nearest.best ? "did you mean '" : "'kaizen-host config show' lists them",
                     nearest.best ? nearest.best : "", nearest.best ? "'?" : "");
}

static const char *value_text(struct json_object *entry) {
  struct json_object *value = report_text_member(entry, "value");

  return value ? json_object_get_string(value) : "";
}

static int show_all(const struct host *host, struct session *session, struct problem *problem) {
  static const char *const headings[] = {"setting", "value", "from", NULL};
  struct json_object *report = NULL;
  struct json_object_iter member;

  if (config_edit_report(host, session, &report, problem) < 0)
    return -1;
  if (output_is_json()) {
    output_json(report);
    return 0;
  }
  struct table table;
  table_init(&table, headings);
  json_object_object_foreachC(report, member) {
    const char *origin = report_text_string(member.val, "origin", "?");

    table_cell(&table, "%s", member.key);
    table_cell(&table, "%s", value_text(member.val));
    table_cell_styled(&table, strcmp(origin, "default") == 0 ? OUTPUT_DIM : OUTPUT_PLAIN, "%s",
                      origin);
  }
  table_print(&table);
  json_object_put(report);
  return 0;
}

static int get(const struct host *host, struct session *session, const char *key,
               struct problem *problem) {
  struct json_object *report = NULL, *entry = NULL;
  if (config_edit_report(host, session, &report, problem) < 0)
    return -1;
  int result =
      json_object_object_get_ex(report, key, &entry) ? 0 : refuse_key(report, key, problem);
  if (result == 0 && output_is_json())
    output_json(json_object_get(entry));
  else if (result == 0)
    puts(value_text(entry));
  json_object_put(report);
  return result;
}

static int run_opened(const struct host *host, int word, struct session *session,
                      struct problem *problem) {
  if (word == WORD_SHOW)
    return show_all(host, session, problem);
  if (word == WORD_GET)
    return get(host, session, command_word(host, 1), problem);
  return config_edit_apply(session, command_word(host, 1),
                           word == WORD_SET ? command_word(host, 2) : NULL, problem);
}

static int check_given(const struct host *host, int word, struct problem *problem) {
  static const struct {
    size_t words;
    const char *usage;
  } wanted[] = {{1, "config path"},
                {1, "config show"},
                {2, "config get KEY"},
                {3, "config set KEY VALUE"},
                {2, "config unset KEY"}};
  if (host->arguments->word_count != wanted[word].words)
    return problem_set(problem, EXIT_CODE_USAGE, "config: usage: kaizen-host %s",
                       wanted[word].usage);
  return 0;
}

static int run(const struct host *host) {
  struct session session;
  struct problem problem;
  int word = command_choose_word(&command_config, host, &problem);

  if (word < 0 || check_given(host, word, &problem) < 0)
    return output_problem(&problem);
  if (word == WORD_PATH)
    return show_path(host, &problem) < 0 ? output_problem(&problem) : EXIT_CODE_OK;
  /* unset must work on a file that the plugin refuses: that is how a bad setting is removed. */
  if ((word == WORD_UNSET ? session_load : config_edit_open)(host, &session, &problem) < 0)
    return output_problem(&problem);
  int result = run_opened(host, word, &session, &problem);
  session_close(&session);
  return result < 0 ? output_problem(&problem) : EXIT_CODE_OK;
}

const struct command command_config = {
    .name = "config",
    .synopsis = "path|show|get KEY|set KEY VALUE|unset KEY",
    .summary = "show or change the configuration of kaizen-host",
    .details = "The first of these files that exists is used: --config FILE, $KAIZEN_HOST_CONFIG, "
               "$XDG_CONFIG_HOME/kaizen-host/config.json, /etc/kaizen-host/config.json; never a "
               "file in a project.",
    .examples = examples,
    .words = {"path", "show", "get", "set", "unset", NULL},
    .words_min = 1,
    .words_max = 3,
    .only_reads = true,
    .run = run,
};

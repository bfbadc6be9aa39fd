/* complete_words.c - candidates that are not in a table: a project's agents, a plugin's settings.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/complete_words.h"

#include <stdio.h>
#include <string.h>

#include "base/json_text.h"
#include "base/utf8_text.h"
#include "host/report_text.h"
#include "report/agent_history.h"

static int print_agent(void *ctx, const char *agent, struct problem *problem) {
  (void)ctx;
  (void)problem;
  utf8_text_print(stdout, agent);
  puts("\t");
  return 0;
}

void complete_words_agents(const struct host *host) {
  struct session session;
  struct problem ignored;

  if (session_open(host, &session, &ignored) < 0)
    return;
  agent_history_each(&session, print_agent, NULL, &ignored);
  session_close(&session);
}

static void print_values(struct json_object *setting, const char *before) {
  struct json_object *words = report_text_member(setting, "enum");

  if (strcmp(report_text_string(setting, "type", ""), "boolean") == 0)
    printf("%strue\t\n%sfalse\t\n", before, before);
  for (size_t i = 0;
       json_object_is_type(words, json_type_array) && i < json_object_array_length(words); i++)
    printf("%s%s\t\n", before, json_object_get_string(json_object_array_get_idx(words, i)));
}

static void print_settings(struct json_object *settings, const char *prefix, const char *of,
                           bool as_pairs) {
  struct json_object_iter setting;
  char before[256];
  json_object_object_foreachC(settings, setting) {
    size_t len = strlen(setting.key);
    const char *about = report_text_string(setting.val, "description", "");
    const char *stop = strstr(about, ". "); /* its first sentence is enough */

    if (!of)
      printf("%s%s%s\t%.*s\n", prefix, setting.key, as_pairs ? "=" : "",
             (int)(stop ? (size_t)(stop - about) : strcspn(about, "\n")), about);
    if (!of || strcspn(of, "=") != len || memcmp(of, setting.key, len) != 0)
      continue;
    snprintf(before, sizeof before, "%s%s%s", prefix, as_pairs ? setting.key : "",
             as_pairs ? "=" : "");
    print_values(setting.val, before);
  }
}

void complete_words_settings(const struct host *host, const char *prefix, const char *of,
                             bool as_pairs) {
  struct session session;
  struct problem ignored;
  size_t at = 0;
  const char *description = NULL;
  if (session_load(host, &session, &ignored) < 0)
    return;
  const char *text = session.plugin.table->config_schema;
  struct json_object *schema = json_text_parse(text, strlen(text), &at, &description);
  print_settings(report_text_member(schema, "properties"), prefix, of, as_pairs);
  json_object_put(schema);
  session_close(&session);
}

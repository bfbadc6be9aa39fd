/* command_dead_letters.c - events that the broker refused permanently: list them, send them again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/json_text.h"
#include "base/output.h"
#include "base/table.h"
#include "host/command.h"
#include "host/report_text.h"
#include "host/session.h"
#include "operator/operator_commands.h"

enum { WORD_LIST, WORD_RETRY };

static const struct command_example examples[] = {
    {"dead-letters list", "which events, and why"},
    {"dead-letters retry", "when the cause is fixed: make them pending again"},
    {NULL, NULL},
};

struct letters {
  struct table table;
  uint64_t count;
};

static int32_t take_letter(void *ctx, const char *data, size_t len) {
  struct letters *letters = ctx;
  size_t at = 0;
  const char *description = NULL;

  letters->count++;
  if (output_is_json())
    return fwrite(data, 1, len, stdout) == len &&
                   (len == 0 || data[len - 1] == '\n' || putchar('\n') != EOF)
               ? 0
               : -1;
  struct json_object *letter = json_text_parse(data, len, &at, &description);
  table_cell(&letters->table, "%s", report_text_string(letter, "time", "?"));
  table_cell(&letters->table, "%s", report_text_string(letter, "agent", "?"));
  table_cell(&letters->table, "%s", report_text_string(letter, "event_id", "?"));
  table_cell(&letters->table, "%s",
             report_text_string(letter, "reason", !letter ? description : "?"));
  json_object_put(letter);
  return 0;
}

static int list(struct session *session, const struct kaizen_delivery_1 *delivery,
                struct problem *problem) {
  static const char *const headings[] = {"time", "agent", "event", "reason", NULL};
  struct letters letters = {.count = 0};
  table_init(&letters.table, headings);
  int32_t result = delivery->dead_letters(session->instance, take_letter, &letters);
  if (!output_is_json() && letters.count > 0)
    table_print(&letters.table);
  if (result < 0)
    return session_failed(session, "dead letters", result, problem);
  if (letters.count == 0)
    output_note("no dead letters in %s", session->project_root);
  return letters.count > 0 ? EXIT_CODE_UNDELIVERABLE : EXIT_CODE_OK;
}

static int retry(struct session *session, const struct kaizen_delivery_1 *delivery,
                 struct problem *problem) {
  uint64_t count = 0;
  if (session_start(session, problem) < 0)
    return -1;
  int32_t result = delivery->retry_dead_letters(session->instance, &count);
  if (result < 0)
    return session_failed(session, "dead letters", result, problem);
  if (output_is_json()) {
    struct json_object *document = json_object_new_object();

    json_object_object_add(document, "retried", json_object_new_uint64(count));
    output_json(document);
  } else {
    printf("%" PRIu64 " event%s pending again; 'drain' sends what is pending\n", count,
           count == 1 ? " is" : "s are");
  }
  return EXIT_CODE_OK;
}

static int run(const struct host *host) {
  struct session session;
  struct problem problem;
  struct host as_it_is = *host;
  int word = command_choose_word(&command_dead_letters, host, &problem);

  as_it_is.only_reads = word == WORD_LIST;
  if (word < 0 || session_open(&as_it_is, &session, &problem) < 0)
    return output_problem(&problem);
  const struct kaizen_delivery_1 *delivery =
      session_extension(&session, KAIZEN_DELIVERY_1, &problem);
  int status = !delivery           ? -1
               : word == WORD_LIST ? list(&session, delivery, &problem)
                                   : retry(&session, delivery, &problem);
  session_close(&session);
  return status < 0 ? output_problem(&problem) : status;
}

const struct command command_dead_letters = {
    .name = "dead-letters",
    .synopsis = "list|retry",
    .summary = "events that the broker refused permanently",
    .details =
        "With -o json, list prints one JSON object per line.  Status 6: there are dead letters.",
    .examples = examples,
    .words = {"list", "retry", NULL},
    .words_min = 1,
    .words_max = 1,
    .run = run,
};

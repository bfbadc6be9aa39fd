/* report_data.c - an agent's executions as numbers, for the report.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "host/report_text.h"
#include "report/agent_history.h"

static void take_sample(struct report_sample *sample, struct json_object *record) {
  snprintf(sample->ended, sizeof sample->ended, "%s", report_text_string(record, "timestamp", ""));
  sample->success = json_object_get_boolean(report_text_member(record, "success"));
  sample->quality = report_text_number(record, "quality_score", -1);
  sample->duration_s = report_text_number(record, "execution_time_s", -1);
}

static void take_failure(struct report_data *data, struct json_object *record) {
  struct json_object *metadata = report_text_member(record, "metadata");

  if (data->failure_count == REPORT_FAILURES_MAX)
    return;
  struct report_failure *failure = &data->failures[data->failure_count++];
  snprintf(failure->ended, sizeof failure->ended, "%s",
           report_text_string(record, "timestamp", ""));
  snprintf(failure->reason, sizeof failure->reason, "%s",
           report_text_string(metadata, "error_type", report_text_string(metadata, "outcome", "")));
  snprintf(failure->session_id, sizeof failure->session_id, "%s",
           report_text_string(record, "session_id", ""));
}

int report_data_read(struct session *session, const char *agent, const struct window *window,
                     struct report_data *data, struct problem *problem) {
  struct agent_history history;
  memset(data, 0, sizeof *data);
  if (agent_history_read(session, agent, window, REPORT_SAMPLES_MAX, &history, problem) < 0)
    return -1;
  data->summary = history.summary;
  data->samples = calloc(history.line_count + 1, sizeof *data->samples);
  for (size_t i = history.line_count; data->samples && i > 0; i--) {
    size_t at = 0;
    const char *description = NULL;
    const char *line = history.lines[i - 1];
    struct json_object *record = json_text_parse(line, strlen(line), &at, &description);

    if (!record)
      continue;
    take_sample(&data->samples[history.line_count - 1 - data->sample_count], record);
    if (!data->samples[history.line_count - 1 - data->sample_count].success)
      take_failure(data, record);
    data->sample_count++;
    json_object_put(record);
  }
  if (data->samples && data->sample_count < history.line_count)
    memmove(data->samples, data->samples + (history.line_count - data->sample_count),
            data->sample_count * sizeof *data->samples);
  agent_history_free(&history);
  return data->samples ? 0 : problem_no_memory(problem);
}

void report_data_free(struct report_data *data) {
  free(data->samples);
  data->samples = NULL;
}

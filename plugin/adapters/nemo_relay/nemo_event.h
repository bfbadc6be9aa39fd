/* nemo_event.h - one event of the host's, read.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Events are JSON objects (ATOF 0.1): a scope starts and ends with the same uuid; marks and
 * everything else are ignored. */
#ifndef KAIZEN_NEMO_EVENT_H
#define KAIZEN_NEMO_EVENT_H

#include "adapters/nemo_relay/nemo_json.h"

enum { NEMO_WORD_SIZE = 65, NEMO_ID_SIZE = 65 };

enum nemo_phase { NEMO_NO_SCOPE, NEMO_SCOPE_START, NEMO_SCOPE_END };
enum nemo_category { NEMO_OTHER, NEMO_AGENT, NEMO_TURN, NEMO_LLM, NEMO_TOOL };

struct nemo_event {
  enum nemo_phase phase; /* NEMO_NO_SCOPE: nothing below is filled */
  enum nemo_category category;
  char uuid[NEMO_ID_SIZE], parent[NEMO_ID_SIZE]; /* the parent's may be "" */
  int64_t time_ns;                               /* since 1970; 0: not given, or unreadable */
  /* Spans of the event's text; JSON_NULL when it has none.  `data` holds prompts and answers:
   * numbers may be taken from it, texts never. */
  struct json_value name, metadata, profile, data;
};

/* 0, or -1: no JSON object, or a scope without a phase or a uuid. */
int nemo_event_read(struct nemo_event *event, struct span text);

enum nemo_outcome {
  NEMO_NOT_TOLD, /* counts as a success */
  NEMO_COMPLETED,
  NEMO_FAILED,
  NEMO_TIMED_OUT,
  NEMO_ABORTED
};
/* How the scope ended: by the OpenTelemetry status, else by the fields of an error, else by the
 * words for a state.  error_type: the error's class, "" when there is none or it is not a word. */
enum nemo_outcome nemo_event_outcome(const struct nemo_event *event,
                                     char error_type[NEMO_WORD_SIZE]);

#endif

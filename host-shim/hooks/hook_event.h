/* hook_event.h - a payload read as an event: which host, what happened, to which turn.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing here looks at the clock, a file or the environment. */
#ifndef KAIZEN_HOST_HOOK_EVENT_H
#define KAIZEN_HOST_HOOK_EVENT_H

#include <json-c/json.h>

#include "base/hook_redact.h"
#include "base/problem.h"
#include "hooks/hook_host.h"
#include "usage/usage.h"

enum hook_outcome { HOOK_UNKNOWN, HOOK_COMPLETED, HOOK_FAILED, HOOK_ABORTED, HOOK_TIMEOUT };

struct hook_event { /* texts are "" when they are missing; what is in them may be stored */
  struct json_object *payload;  /* borrowed */
  const struct hook_host *host; /* the host whose payload it is, also when another name was given */
  enum hook_kind kind;
  char name[HOOK_WORD_MAX + 1];
  char session[HOOK_ID_MAX + 1], turn[HOOK_ID_MAX + 1], agent_id[HOOK_ID_MAX + 1];
  char stamp[HOOK_WORD_MAX + 1];
  char agent_name[HOOK_TEXT_MAX + 1];
  bool is_agents; /* about a subagent's run, even if the event is that of a turn */
  char model[HOOK_WORD_MAX + 1], version[HOOK_WORD_MAX + 1];
  char status[HOOK_WORD_MAX + 1], error[HOOK_WORD_MAX + 1];
  const char *folder;        /* borrowed, or NULL; never stored */
  const struct usage *usage; /* borrowed: what the transcript says (hook_usage.h), or NULL */
  enum hook_outcome outcome; /* UNKNOWN: the host does not say */
  bool is_blank;             /* a start without a prompt: the host continues by itself */
  double duration_s;         /* 0: not known */
  bool is_continued;         /* the turn continued after an earlier end */
  bool is_resumed;           /* a session that starts may have turns after it */
};

/* Reads the payload. `host` NULL: detected. `name` is the event when the configuration names it
 * (NULL: the payload does). `key` is that of fingerprints, in place of ids that cannot be stored;
 * NULL: such ids count as missing. -1 with *problem: the payload cannot be used. */
int hook_event_read(struct json_object *payload, const struct hook_host *host, const char *name,
                    const uint8_t *key, struct hook_event *event, struct problem *problem);

/* A field of the payload by its names in the host's table, or NULL; null, "" and [] count as
 * absent. */
struct json_object *hook_event_field(const struct hook_event *event, enum hook_field field);
/* A number above 0; 0 when it is missing. */
double hook_event_number(const struct hook_event *event, enum hook_field field);
const char *hook_event_outcome_word(enum hook_outcome outcome);

#endif

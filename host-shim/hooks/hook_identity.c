/* hook_identity.c - the idempotency key and the duration of an execution that a host reports.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_identity.h"

#include <stdio.h>
#include <string.h>

#include "hooks/hook_log.h"
#include "hooks/hook_payload.h"
#include "hooks/hook_transcript.h"
#include "hooks/hook_turn.h"

enum { LANE_AGENT_MAX = HOOK_TEXT_MAX + HOOK_ID_MAX + 2 };

/* A turn or a subagent's run with an id of the host's own. */
static bool has_id(const struct hook_event *event) {
  return event->turn[0] != '\0' && (!event->is_agents || event->agent_id[0] != '\0');
}

/* Subagents without an id are identified by their name and their session's turn. */
static void fill_lane(const struct hook_event *event, bool by_name, char agent[LANE_AGENT_MAX],
                      struct hook_turn_lane *lane) {
  bool by_id = event->agent_id[0] != '\0' && !by_name;
  if (by_id)
    snprintf(agent, LANE_AGENT_MAX, "%s", event->agent_id);
  else
    snprintf(agent, LANE_AGENT_MAX, "%s %s", event->agent_name, event->turn);
  *lane = (struct hook_turn_lane){
      .host = event->host->family,
      .session = event->session,
      .agent = event->is_agents ? agent : NULL,
      .runs_once = event->is_agents && by_id,
  };
}

static const char *text_or_null(const char *text) {
  return text[0] != '\0' ? text : NULL;
}

/* One fingerprint of all the fields' values that are present; 0 when none is. */
static uint64_t mark_fields(const struct hook_state *state, const struct hook_event *event,
                            enum hook_field field) {
  uint64_t both[2] = {0, 0};
  for (size_t i = 0; i < HOOK_FIELD_NAMES_MAX && event->host->fields[field][i]; i++) {
    struct json_object *value = NULL;

    if (!json_object_object_get_ex(event->payload, event->host->fields[field][i], &value) ||
        !json_object_is_type(value, json_type_string))
      continue;
    both[1] = hook_state_mark(state, json_object_get_string(value),
                              (size_t)json_object_get_string_len(value));
    both[0] = hook_state_mark(state, both, sizeof both);
  }
  return both[0];
}

/* Codex begins the turn of a review under the session's id, but with a transcript of its own. */
static bool is_other_thread(const struct hook_event *event) {
  struct json_object *value = NULL;
  const char *path = hook_payload_find(event->payload, "transcript_path", &value)
                         ? hook_payload_text(value)
                         : NULL;
  const char *name = path ? strrchr(path, '/') : NULL;

  return event->host->unheard == HOOK_UNHEARD_FAILURE && name &&
         strncmp(name, "/rollout-", 9) == 0 && !strstr(name, event->session);
}

/* What a turn without an end means when the next one begins; not for a subagent's, and not by a
 * transcript, which has the new turn in it already. */
static enum hook_unheard unheard_by(const struct hook_event *event) {
  bool is_open =
      event->is_agents || event->host->unheard == HOOK_UNHEARD_WRITTEN || is_other_thread(event);

  return is_open ? HOOK_UNHEARD_NOTHING : event->host->unheard;
}

void hook_identity_begin(const struct hook_state *state, const struct hook_event *event,
                         struct hook_turn_losses *losses) {
  struct hook_turn_lane lane;
  char agent[LANE_AGENT_MAX];
  bool is_nameless = event->is_agents && event->agent_id[0] == '\0';
  struct hook_turn_start start = {
      .id = text_or_null(event->turn),
      .stamp = text_or_null(event->stamp),
      .agent_name = event->agent_name,
      .is_blank = event->is_blank,
      .may_overlap = event->is_agents ? is_nameless : has_id(event),
  };

  losses->count = 0;
  if (!state || event->session[0] == '\0')
    return;
  fill_lane(event, false, agent, &lane);
  start.asked = mark_fields(state, event, HOOK_FIELD_ASKED);
  if (hook_turn_begin(state, &lane, &start, unheard_by(event), losses) < 0)
    hook_log("%s: cannot store the start; the duration will be unknown", event->name);
}

void hook_identity_note_error(const struct hook_state *state, const struct hook_event *event) {
  struct hook_turn_lane lane;
  char agent[LANE_AGENT_MAX];

  if (!state || event->session[0] == '\0')
    return;
  fill_lane(event, false, agent, &lane);
  if (hook_turn_note_error(state, &lane, event->error, text_or_null(event->stamp)) < 0)
    hook_log("%s: cannot store the error", event->name);
}

void hook_identity_resume(const struct hook_state *state, const struct hook_event *event) {
  const struct hook_turn_lane lane = {.host = event->host->family, .session = event->session};

  if (!state || event->session[0] == '\0' || !event->is_resumed)
    return;
  if (hook_turn_resume(state, &lane) < 0)
    hook_log("%s: cannot read the session's turns", event->name);
}

void hook_identity_close(const struct hook_state *state, const struct hook_event *event,
                         double deadline_s, struct hook_turn_losses *losses) {
  const struct hook_turn_lane lane = {.host = event->host->family, .session = event->session};
  enum hook_unheard unheard = event->host->unheard;
  char error[HOOK_WORD_MAX + 1];

  losses->count = 0;
  if (!state || event->session[0] == '\0' || unheard == HOOK_UNHEARD_NOTHING)
    return;
  if (unheard == HOOK_UNHEARD_WRITTEN) {
    if (!hook_transcript_failed(event, deadline_s, error))
      return; /* interrupted, or its end will still be reported */
    hook_turn_note_error(state, &lane, error, NULL);
    unheard = HOOK_UNHEARD_FAILURE;
  }
  if (event->outcome == HOOK_FAILED)
    unheard = HOOK_UNHEARD_FAILURE;
  if (event->outcome == HOOK_ABORTED)
    unheard = HOOK_UNHEARD_NOTHING;
  if (hook_turn_close(state, &lane, unheard, losses) < 0)
    hook_log("%s: cannot read the session's turns", event->name);
}

/* "a:b:c" of what is there. */
static void join(char *key, size_t room, const char *part) {
  size_t len = strlen(key);

  if (part[0] != '\0')
    snprintf(key + len, room - len, "%s%s", len > 0 ? ":" : "", part);
}

/* Nothing can be looked up: only what the event itself says is known. */
static void end_without_state(const struct hook_event *event, const struct hook_turn_lane *lane,
                              struct hook_identity *identity) {
  if (event->session[0] == '\0' || (event->stamp[0] == '\0' && !lane->runs_once))
    identity->key[0] = '\0';
  else if (!lane->runs_once)
    join(identity->key, sizeof identity->key, event->stamp);
  if (identity->key[0] == '\0')
    hook_log("%s: cannot tell this turn from others; if it is reported twice, it is recorded twice",
             event->name);
}

static void end_by_name(const struct hook_state *state, struct hook_event *event,
                        const struct hook_turn_lane *lane, struct hook_identity *identity) {
  struct hook_turn_end end = {
      .id = event->is_agents ? text_or_null(event->turn) : NULL,
      .stamp = text_or_null(event->stamp),
      .is_continued = event->is_continued,
  };
  if (state)
    end.answered = mark_fields(state, event, HOOK_FIELD_ANSWERED);
  if (!state || event->session[0] == '\0' || hook_turn_finish(state, lane, &end) < 0) {
    if (!has_id(event))
      end_without_state(event, lane, identity);
    return;
  }
  identity->elapsed_s = end.elapsed_s;
  if (strcmp(end.name, HOOK_TURN_ONLY) != 0)
    join(identity->key, sizeof identity->key, end.name);
  if (event->is_agents && event->agent_name[0] == '\0')
    snprintf(event->agent_name, sizeof event->agent_name, "%s", end.agent_name);
}

/* For hosts where the start has a subagent's name and only its end the id. */
static void take_start_by_name(const struct hook_state *state, const struct hook_event *event,
                               struct hook_identity *identity) {
  struct hook_turn_lane lane;
  char agent[LANE_AGENT_MAX];

  fill_lane(event, true, agent, &lane);
  identity->elapsed_s = hook_turn_take_start(state, &lane, NULL);
}

void hook_identity_end(const struct hook_state *state, struct hook_event *event,
                       struct hook_identity *identity) {
  struct hook_turn_lane lane;
  char agent[LANE_AGENT_MAX];
  bool has_session = state && event->session[0] != '\0';
  memset(identity, 0, sizeof *identity);
  fill_lane(event, false, agent, &lane);
  join(identity->key, sizeof identity->key, event->host->family);
  join(identity->key, sizeof identity->key, event->session);
  if (event->is_agents)
    join(identity->key, sizeof identity->key, event->agent_id);
  join(identity->key, sizeof identity->key, event->turn);
  if (event->is_agents || !has_id(event))
    end_by_name(state, event, &lane, identity);
  else if (has_session)
    identity->elapsed_s = hook_turn_take_start(state, &lane, event->turn);
  if (has_session && lane.runs_once && identity->elapsed_s <= 0 && event->agent_name[0] != '\0')
    take_start_by_name(state, event, identity);
}

void hook_identity_lose(const struct hook_event *seen, const struct hook_turn_lost *lost,
                        struct hook_event *event, struct hook_identity *identity) {
  *event = *seen;
  event->kind = HOOK_TURN_FAILURE;
  event->outcome = HOOK_FAILED;
  event->duration_s = 0;
  snprintf(event->error, sizeof event->error, "%s", lost->error);
  memset(identity, 0, sizeof *identity);
  join(identity->key, sizeof identity->key, event->host->family);
  join(identity->key, sizeof identity->key, event->session);
  join(identity->key, sizeof identity->key, lost->name);
}

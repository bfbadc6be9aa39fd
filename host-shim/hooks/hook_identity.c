/* hook_identity.c - the idempotency key of an execution a host tells of, and how long it took.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_identity.h"

#include <stdio.h>
#include <string.h>

#include "hooks/hook_log.h"
#include "hooks/hook_turn.h"

enum { LANE_AGENT_MAX = HOOK_TEXT_MAX + HOOK_ID_MAX + 2 };

static bool is_agents(const struct hook_event *event) {
  return event->kind == HOOK_AGENT_START || event->kind == HOOK_AGENT_END;
}

/* A turn or a subagent's run with an id of the host's own. */
static bool has_id(const struct hook_event *event) {
  return event->turn[0] != '\0' && (!is_agents(event) || event->agent_id[0] != '\0');
}

/* Subagents without an id are told apart by their name and their session's turn. */
static void fill_lane(const struct hook_event *event, char agent[LANE_AGENT_MAX],
                      struct hook_turn_lane *lane) {
  if (event->agent_id[0] != '\0')
    snprintf(agent, LANE_AGENT_MAX, "%s", event->agent_id);
  else
    snprintf(agent, LANE_AGENT_MAX, "%s %s", event->agent_name, event->turn);
  *lane = (struct hook_turn_lane){
      .host = event->host->family,
      .session = event->session,
      .agent = is_agents(event) ? agent : NULL,
      .runs_once = is_agents(event) && event->agent_id[0] != '\0',
  };
}

static uint64_t mark_text(const struct hook_state *state, const char *text) {
  return text[0] != '\0' ? hook_state_mark(state, text, strlen(text)) : 0;
}

/* One mark of all the fields' values that are there; 0 when none is. */
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

void hook_identity_begin(const struct hook_state *state, const struct hook_event *event) {
  struct hook_turn_lane lane;
  char agent[LANE_AGENT_MAX];

  if (!state || event->session[0] == '\0')
    return;
  fill_lane(event, agent, &lane);
  uint64_t asked = is_agents(event) ? 0
                   : has_id(event)  ? mark_text(state, event->turn)
                                    : mark_fields(state, event, HOOK_FIELD_ASKED);
  if (hook_turn_start(state, &lane, asked, event->stamp[0] != '\0' ? event->stamp : NULL) < 0)
    hook_log("%s: the start cannot be remembered; the duration will not be known", event->name);
}

void hook_identity_resume(const struct hook_state *state, const struct hook_event *event) {
  const struct hook_turn_lane lane = {.host = event->host->family, .session = event->session};

  if (!state || event->session[0] == '\0' || event->is_same_run)
    return;
  if (hook_turn_resume(state, &lane) < 0)
    hook_log("%s: the session's turns cannot be looked up", event->name);
}

/* "a:b:c" of what is there. */
static void join(char *key, size_t room, const char *part) {
  size_t len = strlen(key);

  if (part[0] != '\0')
    snprintf(key + len, room - len, "%s%s", len > 0 ? ":" : "", part);
}

static void end_with_id(const struct hook_state *state, const struct hook_event *event,
                        const struct hook_turn_lane *lane, struct hook_identity *identity) {
  if (state && event->session[0] != '\0')
    identity->elapsed_s =
        hook_turn_take_start(state, lane, is_agents(event) ? 0 : mark_text(state, event->turn));
  join(identity->key, sizeof identity->key, event->turn);
}

/* Nothing can be looked up: what the event says by itself has to do. */
static void end_without_state(const struct hook_event *event, const struct hook_turn_lane *lane,
                              struct hook_identity *identity) {
  if (event->session[0] == '\0' || (event->stamp[0] == '\0' && !lane->runs_once))
    identity->key[0] = '\0';
  else
    join(identity->key, sizeof identity->key, event->stamp);
  if (identity->key[0] == '\0')
    hook_log("%s: the turn cannot be told from others; told of twice, it is recorded twice",
             event->name);
}

static void end_by_number(const struct hook_state *state, const struct hook_event *event,
                          const struct hook_turn_lane *lane, struct hook_identity *identity) {
  struct hook_turn_end end = {
      .is_continued = event->is_continued,
      .own_name = event->stamp[0] != '\0' ? event->stamp : NULL,
  };
  if (state)
    end.answered = mark_fields(state, event, HOOK_FIELD_ANSWERED);
  if (!state || event->session[0] == '\0' || hook_turn_end(state, lane, &end) < 0) {
    end_without_state(event, lane, identity);
    return;
  }
  identity->elapsed_s = end.elapsed_s;
  if (strcmp(end.name, HOOK_TURN_ONLY) != 0)
    join(identity->key, sizeof identity->key, end.name);
}

void hook_identity_end(const struct hook_state *state, const struct hook_event *event,
                       struct hook_identity *identity) {
  struct hook_turn_lane lane;
  char agent[LANE_AGENT_MAX];
  memset(identity, 0, sizeof *identity);
  fill_lane(event, agent, &lane);
  join(identity->key, sizeof identity->key, event->host->family);
  join(identity->key, sizeof identity->key, event->session);
  if (is_agents(event)) {
    join(identity->key, sizeof identity->key, event->agent_id);
    if (!has_id(event))
      join(identity->key, sizeof identity->key, event->turn);
  }
  if (has_id(event))
    end_with_id(state, event, &lane, identity);
  else
    end_by_number(state, event, &lane, identity);
}

/* known_records.c - which turns of a coding agent are already in the project's logs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "operator/known_records.h"

#include <stdlib.h>
#include <string.h>

#include "base/hook_fingerprint.h"
#include "base/json_text.h"
#include "base/time_text.h"
#include "host/report_text.h"

/* A hook records when the host calls it, which is a moment after the answer. */
enum { EARLIER_S = 1, LATER_S = 5, UNIQUE_MIN = 16 };

static const uint8_t no_key[HOOK_FINGERPRINT_KEY_BYTES];

static uint64_t mark_of(const char *text) {
  return *text != '\0' ? hook_fingerprint(no_key, text, strlen(text)) : 0;
}

static const char *tail_of(const char *key) {
  const char *session = strchr(key, ':');
  const char *tail = session ? strchr(session + 1, ':') : NULL;

  return tail ? tail + 1 : "";
}

static int32_t take_line(void *ctx, const char *line, size_t len) {
  struct known_records *known = ctx;
  const char *description = NULL;
  size_t at = 0;
  int64_t unix_ns = 0;
  struct json_object *record = json_text_parse(line, len, &at, &description);

  if (!record)
    return 0;
  if (known->count == known->room) {
    size_t room = known->room > 0 ? known->room * 2 : 1024;
    struct known_record *larger = reallocarray(known->list, room, sizeof *larger);

    if (!larger) {
      known->no_memory = true;
      json_object_put(record);
      return 1;
    }
    known->list = larger;
    known->room = room;
  }
  if (time_text_parse(report_text_string(record, "timestamp", ""), &unix_ns) == 0)
    known->list[known->count++] = (struct known_record){
        .session = mark_of(report_text_string(record, "session_id", "")),
        .turn = mark_of(tail_of(report_text_string(record, "idempotency_key", ""))),
        .agent = mark_of(report_text_string(record, "agent", "")),
        .unix_s = unix_ns / 1000000000,
    };
  json_object_put(record);
  return 0;
}

struct names {
  char **list;
  size_t count;
};

static int32_t take_name(void *ctx, const char *name, size_t len) {
  struct names *names = ctx;
  char **larger = reallocarray(names->list, names->count + 1, sizeof *larger);

  if (!larger)
    return 1;
  names->list = larger;
  larger[names->count] = strndup(name, len);
  return larger[names->count++] ? 0 : 1;
}

static int by_session(const void *a, const void *b) {
  const struct known_record *left = a, *right = b;

  if (left->session != right->session)
    return left->session < right->session ? -1 : 1;
  return left->unix_s < right->unix_s ? -1 : left->unix_s > right->unix_s;
}

static int by_turn(const void *a, const void *b) {
  const struct known_turn *left = a, *right = b;

  return left->turn < right->turn ? -1 : left->turn > right->turn;
}

static int sort(struct known_records *known) {
  known->turns = calloc(known->count + 1, sizeof *known->turns);
  if (!known->turns)
    return -1;
  if (known->count > 0)
    qsort(known->list, known->count, sizeof *known->list, by_session);
  for (size_t i = 0; i < known->count; i++)
    if (known->list[i].turn != 0)
      known->turns[known->turn_count++] =
          (struct known_turn){.turn = known->list[i].turn, .record = &known->list[i]};
  qsort(known->turns, known->turn_count, sizeof *known->turns, by_turn);
  return 0;
}

int known_records_read(struct session *session, int64_t since_ns, struct known_records *known,
                       struct problem *problem) {
  const struct kaizen_query_1 *query = session_extension(session, KAIZEN_QUERY_1, problem);
  struct names names = {.list = NULL};
  int result = query ? 0 : -1;

  *known = (struct known_records){.list = NULL};
  int32_t answer = query ? query->agents(session->instance, take_name, &names) : KAIZEN_OK;
  if (answer < 0)
    result = session_failed(session, "the agents", answer, problem);
  for (size_t i = 0; result == 0 && i < names.count; i++) {
    struct kaizen_query_result told = {.struct_size = sizeof told};
    const struct kaizen_query request = {.struct_size = sizeof request,
                                         .flags = KAIZEN_QUERY_SINCE,
                                         .agent = session_text(names.list[i]),
                                         .since_unix_ns = since_ns};

    answer = query->records(session->instance, &request, take_line, known, &told);
    if (answer < 0)
      result = problem_set(problem, problem_exit_code(answer), "%s: %s", names.list[i],
                           told.reason[0] != '\0' ? told.reason : "its log cannot be read");
  }
  if (result == 0 && (known->no_memory || sort(known) < 0))
    result = problem_no_memory(problem);
  for (size_t i = 0; i < names.count; i++)
    free(names.list[i]);
  free(names.list);
  return result;
}

static size_t first_of(const struct known_records *known, uint64_t session, int64_t unix_s) {
  size_t from = 0, to = known->count;

  while (from < to) {
    size_t middle = from + (to - from) / 2;
    const struct known_record *record = &known->list[middle];

    if (record->session < session || (record->session == session && record->unix_s < unix_s))
      from = middle + 1;
    else
      to = middle;
  }
  return from;
}

static size_t first_with(const struct known_records *known, uint64_t turn) {
  size_t from = 0, to = known->turn_count;

  while (from < to) {
    size_t middle = from + (to - from) / 2;

    if (known->turns[middle].turn < turn)
      from = middle + 1;
    else
      to = middle;
  }
  return from;
}

/* The id of a turn that was copied into another session is still its own, unless it is a short one:
 * older versions of some hosts number the turns of each session. */
bool known_records_take_id(struct known_records *known, const char *session, const char *tail) {
  uint64_t turn = mark_of(tail), session_mark = mark_of(session);
  bool is_unique = strlen(tail) >= UNIQUE_MIN, found = false;

  for (size_t i = turn != 0 ? first_with(known, turn) : known->turn_count;
       i < known->turn_count && known->turns[i].turn == turn; i++)
    if (is_unique || known->turns[i].record->session == session_mark)
      found = known->turns[i].record->is_taken = true;
  return found;
}

bool known_records_take(struct known_records *known, const char *session, const char *tail,
                        const char *agent, int64_t ended_ns) {
  uint64_t session_mark = mark_of(session), agent_mark = mark_of(agent);
  int64_t unix_s = ended_ns / 1000000000;

  if (known_records_take_id(known, session, tail))
    return true;
  for (size_t i = first_of(known, session_mark, unix_s - EARLIER_S);
       i < known->count && known->list[i].session == session_mark &&
       known->list[i].unix_s <= unix_s + LATER_S;
       i++)
    if (!known->list[i].is_taken && known->list[i].agent == agent_mark) {
      known->list[i].is_taken = true;
      return true;
    }
  return false;
}

void known_records_free(struct known_records *known) {
  free(known->list);
  free(known->turns);
  *known = (struct known_records){.list = NULL};
}

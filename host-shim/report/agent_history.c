/* agent_history.c - a project's agents, each one's summary, and the records of its log.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/agent_history.h"

#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "common/timestamp.h"
#include "report/names.h"
#include "report/record_members.h"

static int32_t take_name(void *ctx, const char *data, size_t len) {
  return names_number(ctx, (struct span){data, len}) == UINT32_MAX ? -1 : 0;
}

int agent_history_each(struct session *session,
                       int (*visit)(void *ctx, const char *agent, struct problem *problem),
                       void *ctx, struct problem *problem) {
  const struct kaizen_query_1 *query = session_extension(session, KAIZEN_QUERY_1, problem);
  struct names agents = {.texts = NULL};

  if (!query)
    return -1;
  int32_t code = query->agents(session->instance, take_name, &agents);
  int result = code == KAIZEN_OK ? 0 : session_failed(session, "agents", code, problem);
  for (uint32_t i = 1; result == 0 && i < agents.count; i++)
    result = visit(ctx, names_text(&agents, i), problem);
  names_free(&agents);
  return result;
}

struct nearest_agent {
  struct nearest nearest;
  char best[KAIZEN_NAME_MAX + 1];
};

static int offer(void *ctx, const char *agent, struct problem *problem) {
  struct nearest_agent *search = ctx;

  (void)problem;
  nearest_offer(&search->nearest, agent);
  if (search->nearest.best == agent && strlen(agent) < sizeof search->best) {
    strcpy(search->best, agent);
    search->nearest.best = search->best;
  }
  return 0;
}

int agent_history_unknown(struct session *session, const char *agent, struct problem *problem) {
  struct nearest_agent search = {.nearest = nearest_to(agent), .best = ""};
  struct problem ignored;

  agent_history_each(session, offer, &search, &ignored);
  if (search.best[0] != '\0')
    return problem_set(problem, EXIT_CODE_FAILED, "no agent '%s' in %s; did you mean '%s'?", agent,
                       session->project_root, search.best);
  return problem_set(problem, EXIT_CODE_FAILED,
                     "no agent '%s' in %s; 'kaizen-host list' shows the agents", agent,
                     session->project_root);
}

/* ---- records of a window --------------------------------------------------------------------- */

/* Nanoseconds end in 2262.  A window that begins or ends later is kept here, line by line. */
struct far_window {
  const struct window *window;
  kaizen_sink sink; /* NULL: they are only counted */
  void *ctx;
  uint64_t matched, skipped, undated;
};

static int32_t pass_line(void *ctx, const char *data, size_t len) {
  struct far_window *far = ctx;
  struct record_told told;
  int64_t time_s;

  record_members_tell((struct span){data, len}, &told);
  if (timestamp_parse((struct span){told.ended, strlen(told.ended)}, &time_s) != 0) {
    far->undated++;
    return 0;
  }
  if ((far->window->has_since && time_s < far->window->since_s) ||
      (far->window->has_until && time_s >= far->window->until_s))
    return 0;
  if (far->matched++ < far->skipped || !far->sink)
    return 0;
  return far->sink(far->ctx, data, len);
}

static int32_t query_far(const struct kaizen_query_1 *query, struct kaizen_instance *instance,
                         struct kaizen_query asked, struct far_window *far,
                         struct kaizen_query_result *answer) {
  kaizen_sink sink = far->sink;
  uint64_t last = asked.last;
  int32_t code = KAIZEN_OK;

  asked.flags = 0;
  asked.last = 0;
  if (last > 0) {
    far->sink = NULL;
    code = query->records(instance, &asked, pass_line, far, answer);
    far->skipped = far->matched > last ? far->matched - last : 0;
  }
  far->matched = far->undated = 0;
  far->sink = sink;
  if (code == KAIZEN_OK)
    code = query->records(instance, &asked, pass_line, far, answer);
  answer->undated = far->undated;
  return code;
}

int agent_history_query(struct session *session, const char *agent, const struct window *window,
                        kaizen_sink sink, void *ctx, uint64_t *undated, struct problem *problem) {
  const struct kaizen_query_1 *query = session_extension(session, KAIZEN_QUERY_1, problem);
  const struct kaizen_query asked = {
      .struct_size = sizeof asked,
      .flags = (window->has_since ? KAIZEN_QUERY_SINCE : 0u) |
               (window->has_until ? KAIZEN_QUERY_UNTIL : 0u),
      .agent = session_text(agent),
      .since_unix_ns = window_ns(window->since_s),
      .until_unix_ns = window_ns(window->until_s),
      .last = window->last,
  };
  struct kaizen_query_result answer = {.struct_size = sizeof answer};
  struct far_window far = {.window = window, .sink = sink, .ctx = ctx};
  bool is_far = (window->has_since && asked.since_unix_ns == INT64_MAX) ||
                (window->has_until && asked.until_unix_ns == INT64_MAX);

  *undated = 0;
  if (!query)
    return -1;
  int32_t code = is_far ? query_far(query, session->instance, asked, &far, &answer)
                        : query->records(session->instance, &asked, sink, ctx, &answer);
  *undated = answer.undated;
  if (code == KAIZEN_E_REJECTED)
    return agent_history_unknown(session, agent, problem);
  if (code < 0)
    return problem_about(problem, problem_exit_code(code), agent,
                         answer.reason[0] != '\0' ? answer.reason : "its log cannot be read");
  return 0;
}

int agent_history_summary(struct session *session, const char *agent,
                          struct kaizen_summary *summary, struct problem *problem) {
  const struct kaizen_inspect_1 *inspect = session_extension(session, KAIZEN_INSPECT_1, problem);

  *summary = (struct kaizen_summary){.struct_size = sizeof *summary};
  if (!inspect)
    return -1;
  int32_t result = inspect->summary(session->instance, agent, KAIZEN_NTS, summary);
  if (result == KAIZEN_E_REJECTED)
    return agent_history_unknown(session, agent, problem);
  return result < 0 ? session_failed(session, agent, result, problem) : 0;
}

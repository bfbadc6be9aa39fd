/* agent_history.c - one agent's summary and recent runs, read through kaizen.inspect/1.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/agent_history.h"

#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "report/names.h"

static int32_t take_line(void *ctx, const char *data, size_t len) {
  struct agent_history *view = ctx;

  if (view->line_count == view->line_room) {
    size_t room = view->line_room == 0 ? 32 : view->line_room * 2;
    char **lines = reallocarray(view->lines, room, sizeof *lines);

    if (!lines)
      return -1;
    view->lines = lines;
    view->line_room = room;
  }
  if (len > 0 && data[len - 1] == '\n')
    len--;
  char *line = strndup(data, len);
  if (!line)
    return -1;
  view->lines[view->line_count++] = line;
  return 0;
}

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

int agent_history_query(struct session *session, const char *agent, const struct window *window,
                        uint64_t max, kaizen_sink sink, void *ctx, struct problem *problem) {
  const struct kaizen_query_1 *query = session_extension(session, KAIZEN_QUERY_1, problem);
  const struct kaizen_query asked = {
      .struct_size = sizeof asked,
      .flags = (window->has_since ? KAIZEN_QUERY_SINCE : 0u) |
               (window->has_until ? KAIZEN_QUERY_UNTIL : 0u),
      .agent = session_text(agent),
      .since_unix_ns = window_ns(window->since_s),
      .until_unix_ns = window_ns(window->until_s),
      .last = window->last > 0 && (max == 0 || window->last < max) ? window->last : max,
  };
  struct kaizen_query_result answer = {.struct_size = sizeof answer};
  if (!query)
    return -1;
  int32_t code = query->records(session->instance, &asked, sink, ctx, &answer);
  if (code == KAIZEN_E_REJECTED)
    return agent_history_unknown(session, agent, problem);
  if (code < 0)
    return problem_about(problem, problem_exit_code(code), agent,
                         answer.reason[0] != '\0' ? answer.reason : "its log cannot be read");
  return 0;
}

int agent_history_read(struct session *session, const char *agent, const struct window *window,
                       uint64_t max, struct agent_history *view, struct problem *problem) {
  const struct kaizen_inspect_1 *inspect = session_extension(session, KAIZEN_INSPECT_1, problem);
  *view = (struct agent_history){.summary.struct_size = sizeof view->summary};
  if (!inspect)
    return -1;
  int32_t result = inspect->summary(session->instance, agent, KAIZEN_NTS, &view->summary);
  if (result == KAIZEN_E_REJECTED)
    return agent_history_unknown(session, agent, problem);
  if (result < 0)
    return session_failed(session, agent, result, problem);
  if (max > 0 && agent_history_query(session, agent, window, max, take_line, view, problem) < 0) {
    agent_history_free(view);
    return -1;
  }
  return 0;
}

void agent_history_free(struct agent_history *view) {
  for (size_t i = 0; i < view->line_count; i++)
    free(view->lines[i]);
  free(view->lines);
  *view = (struct agent_history){.lines = NULL};
}

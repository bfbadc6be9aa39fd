/* agent_survey.c - all agents of a project looked at within one deadline.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/agent_survey.h"

#include <stdlib.h>
#include <string.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "record/agent_name.h"

#define BEGUN_ANYWAY 64 /* so many agents are read, however late it is */
#define GIVES_WAY_TO 4  /* so many leave the processor to a writer for a moment */

struct busy_agent { /* its lock was not free at the first try */
  struct busy_agent *next;
  struct error why;
  char name[AGENT_NAME_MAX + 1];
};

struct walk {
  const struct agent_survey *survey;
  struct survey_walk settled;
  struct busy_agent *first, **last;
  unsigned busy, seen;
};

static void tell_unknown(const struct agent_survey *survey, const char *agent, struct error *why) {
  error_prefix(why, "%s", agent);
  survey->unknown(survey->ctx, agent, why);
}

/* -1: there is no time for it, or no memory. */
static int put_off(struct walk *walk, const char *name, const struct error *why) {
  struct survey_memory *memory = walk->survey->memory;
  struct busy_agent *busy = NULL;

  if (memory && survey_memory_was_in_vain(memory, name))
    survey_memory_waited_in_vain(memory, name);
  else
    busy = calloc(1, sizeof *busy);
  if (!busy)
    return -1;
  memcpy(busy->name, name, strlen(name) + 1); /* the grammar bounds it */
  busy->why = *why;
  *walk->last = busy;
  walk->last = &busy->next;
  walk->busy++;
  return 0;
}

static int visit(void *ctx, const char *name) {
  struct walk *walk = ctx;
  const struct agent_survey *survey = walk->survey;
  unsigned seen = walk->seen++;
  const struct agent_view_limits limits = {.work_ns = survey->read_ns,
                                           .at_once = seen >= GIVES_WAY_TO};
  struct settled_agent found;
  struct agent_view view;
  struct error error = {0};
  int result;

  if (seen >= BEGUN_ANYWAY && clock_monotonic_ns() >= survey->begin_ns) {
    (void)error_set(&error, KAIZEN_E_BUSY,
                    "not counted: the project has more agents than the time allows");
    tell_unknown(survey, name, &error);
    return 0;
  }
  if (survey_memory_next(&walk->settled, name, &found) && survey->settled) {
    survey->settled(survey->ctx, name, &found);
    return 0;
  }
  result = agent_view_read(survey->project, name, &limits, &view, &error);
  if (result == 0) {
    survey_memory_keep(&walk->settled, name, &view);
    survey->known(survey->ctx, name, &view);
  } else if (result < 0 && (error.code != KAIZEN_E_BUSY || put_off(walk, name, &error) != 0)) {
    tell_unknown(survey, name, &error);
  }
  return 0;
}

/* Each gets its share of the time that is left, so that one busy lock hides no other agent. */
static void try_again(struct walk *walk, struct busy_agent *busy) {
  const struct agent_survey *survey = walk->survey;
  int64_t now_ns = clock_monotonic_ns(), left_ns = survey->lock_ns - now_ns;
  const struct agent_view_limits limits = {
      .lock_ns = now_ns + left_ns / walk->busy, .work_ns = survey->read_ns, .at_once = true};
  struct agent_view view;
  int result = -1;

  if (left_ns > 0) {
    busy->why = (struct error){0};
    result = agent_view_read(survey->project, busy->name, &limits, &view, &busy->why);
  }
  if (result == 0)
    survey->known(survey->ctx, busy->name, &view);
  if (result >= 0)
    return;
  if (busy->why.code == KAIZEN_E_BUSY && survey->memory)
    survey_memory_waited_in_vain(survey->memory, busy->name);
  tell_unknown(survey, busy->name, &busy->why);
}

int agent_survey_run(const struct agent_survey *survey, struct error *error) {
  struct walk walk = {.survey = survey};
  int result;

  walk.last = &walk.first;
  survey_memory_begin(&walk.settled, survey->settled ? survey->memory : NULL, survey->project);
  result = project_each_agent(survey->project, false, visit, &walk, error);
  survey_memory_end(&walk.settled);
  while (walk.first) {
    struct busy_agent *busy = walk.first;

    try_again(&walk, busy);
    walk.busy--;
    walk.first = busy->next;
    free(busy);
  }
  return result;
}

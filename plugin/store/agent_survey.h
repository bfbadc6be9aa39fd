/* agent_survey.h - all agents of a project looked at within one deadline.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A busy lock or a long log costs the other agents nothing: first each agent that can be read at
 * once is read, then the rest share what is left of the time for locks.  What is not known by the
 * deadline is reported as unknown, with the cause. */
#ifndef KAIZEN_AGENT_SURVEY_H
#define KAIZEN_AGENT_SURVEY_H

#include "store/survey_memory.h"

struct agent_survey {
  const struct project *project;
  struct survey_memory *memory; /* may be NULL */
  /* CLOCK_MONOTONIC: for the locks of all agents together; for reading one log; to begin with
   * another agent, after the first of many */
  int64_t lock_ns, read_ns, begin_ns;
  void *ctx; /* of the calls below, each of which is made at most once per agent, in any order */
  void (*known)(void *ctx, const char *agent, const struct agent_view *view);
  /* NULL: every agent is read, whatever the memory says */
  void (*settled)(void *ctx, const char *agent, const struct settled_agent *found);
  void (*unknown)(void *ctx, const char *agent, const struct error *why); /* text names it */
};

/* -1 with *error: there may be agents whose names are unknown. */
int agent_survey_run(const struct agent_survey *survey, struct error *error);

#endif

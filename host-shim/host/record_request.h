/* record_request.h - one execution as the options of record and exec describe it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_RECORD_REQUEST_H
#define KAIZEN_HOST_RECORD_REQUEST_H

#include <kaizen/extensions.h>
#include <kaizen/plugin.h>

#include "base/json_text.h"
#include "base/problem.h"
#include "host/options.h"
#include "host/session.h"

extern const struct option_spec record_request_options[];

struct record_request {
  struct kaizen_execution execution; /* its texts point into the members below or into argv */
  struct json_text_members metadata, extra; /* extra: from the environment */
  char *metadata_json, *extra_json, *primary_name;
  const char *agent_as_given;      /* NULL: only the JSON on standard input names one */
  char agent[KAIZEN_NAME_MAX + 1]; /* of --map-agent */
};

/* Reads options and HELIX_* variables; agent may be NULL.  A variable that must be a number and is
 * not is left out with a warning: an orchestrator's mistake must not cost the record.  -1:
 * EXIT_CODE_USAGE. */
int record_request_init(struct record_request *request, const struct arguments *arguments,
                        const char *agent, struct problem *problem);
void record_request_fini(struct record_request *request);
/* --map-agent: the plugin's shared mapping; the raw name goes into metadata.agent_name. */
int record_request_map_agent(struct record_request *request, const struct session *session,
                             struct problem *problem);
/* Makes the metadata and extra texts that `execution` carries: again after members were added. */
int record_request_finish(struct record_request *request, struct problem *problem);
/* The record on standard input with what was given by options in place of its own members, and the
 * environment's where it has none.  Newly allocated; a text that is not an object comes back
 * unchanged: the plugin says what is wrong. NULL without memory. */
char *record_request_merge(const struct record_request *request, const struct arguments *arguments,
                           const char *json, size_t len);

#endif

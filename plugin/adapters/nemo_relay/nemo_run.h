/* nemo_run.h - one execution of an agent as the host reports it, and its record.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_NEMO_RUN_H
#define KAIZEN_NEMO_RUN_H

#include <kaizen/extensions.h>
#include <kaizen/plugin.h>

#include "adapters/nemo_relay/nemo_host.h"
#include "adapters/nemo_relay/nemo_usage.h"

enum {
  NEMO_SESSION_SIZE = 257,
  NEMO_NAME_SHOWN_MAX = 256, /* bytes of a name that had to be mapped */
  NEMO_TRACEPARENT_SIZE = 56
};

struct nemo_run {
  char uuid[NEMO_ID_SIZE];         /* the record's key */
  char agent[KAIZEN_NAME_MAX + 1]; /* "": the host gave no name */
  char session[NEMO_SESSION_SIZE]; /* "": not known, or longer than an id may be */
  char traceparent[NEMO_TRACEPARENT_SIZE];
  struct buffer raw_name;   /* as the host gave it, when it was mapped; else empty */
  int64_t start_ns, end_ns; /* the host's times; 0: not known */
  int64_t seen_ns;          /* when its start came, by the monotonic clock */
  int64_t elapsed_ns;       /* < 0: not known */
  struct nemo_usage usage;
  int64_t tool_errors;
  enum nemo_outcome outcome;
  char error_type[NEMO_WORD_SIZE];
};

/* Takes name, session and trace from the event; what the run already has stays.  -1: no memory. */
int nemo_run_identify(struct nemo_run *run, const struct nemo_event *event,
                      const struct kaizen_names_1 *names);
void nemo_run_fini(struct nemo_run *run);
/* on_execution_end() of the run; its answer, with the reason in *receipt. */
int32_t nemo_run_record(const struct nemo_run *run, const struct kaizen_plugin_v1 *plugin,
                        struct kaizen_instance *instance, const struct nemo_host *host,
                        struct kaizen_receipt *receipt);

#endif

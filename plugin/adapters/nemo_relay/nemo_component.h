/* nemo_component.h - one configured component: the host's events in, records out.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Events may come on any threads, several at once.  A component lives as long as the host keeps it
 * and as long as an event is in progress, whichever ends later. */
#ifndef KAIZEN_NEMO_COMPONENT_H
#define KAIZEN_NEMO_COMPONENT_H

#include "adapters/nemo_relay/nemo_host.h"
#include "adapters/nemo_relay/nemo_reason.h"

struct nemo_component;

/* Reads the configuration and makes the instance; `starts` false is the dry run.  -1 with
 * *reason. */
int nemo_component_open(const struct nemo_host *host, struct span config, bool starts,
                        struct nemo_component **out, struct nemo_reason *reason);
/* Hands the component to the host as a subscriber.  Whatever the answer, the caller no longer owns
 * it. */
int32_t nemo_component_subscribe(struct nemo_component *component,
                                 struct nemo_relay_context *context);
/* Ends what nemo_component_open() made, when it was not handed over. */
void nemo_component_close(struct nemo_component *component);

#endif

/* stream_verdict.h - whether events can be published to the stream that takes our subject.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_STREAM_VERDICT_H
#define KAIZEN_STREAM_VERDICT_H

#include "broker/broker_stream.h"

/* 0: events can be published to it, as far as is known; 1: they cannot; -1: unknown. *trouble says
 * why. */
int stream_verdict_of(const struct broker_stream *stream, const struct transport_settings *settings,
                      struct transport_trouble *trouble);
/* Why a stream that is UNKNOWN, UNHEARD or NAMED tells no more. */
const char *stream_verdict_silence(const struct broker_stream *stream);
/* Why nothing is acknowledged; *trouble stays as it is when the broker does not say. */
void stream_verdict_find_trouble(const struct nats_library *nats, natsConnection *connection,
                                 int64_t deadline_ns, const struct transport_settings *settings,
                                 struct transport_trouble *trouble);
/* Is our stream useless: does it refuse every event for its size, or acknowledge events and store
 * none?  1 with *trouble: it does; 0: it does not; -1: unknown. */
int stream_verdict_find_useless(const struct nats_library *nats, natsConnection *connection,
                                int64_t deadline_ns, struct transport_trouble *trouble);

#endif

/* publish_answer.h - what a stream's answer to an event means.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_PUBLISH_ANSWER_H
#define KAIZEN_PUBLISH_ANSWER_H

#include "broker/nats_library.h"
#include "broker/transport.h"

/* Fills *answer, except its ticket, and *trouble where it failed or was declined.  Only an answer
 * with a sequence is an acknowledgement: a clustered broker answers "duplicate" without one for a
 * message that may never be stored. */
void publish_answer_judge(const struct nats_library *nats,
                          const struct transport_settings *settings, const jsPubAck *ack,
                          const jsPubAckErr *failure, struct transport_answer *answer,
                          struct transport_trouble *trouble);

#endif

/* publish_answer.c - what a stream's answer to an event means.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/publish_answer.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "broker/transport_explain.h"

/* Why an event will never be accepted; NULL when it may be. */
static const char *refusal_of(int code) {
  switch (code) {
  case JSStreamMessageExceedsMaximumErr:
    return "larger than the stream's maximum message size (JetStream error 10054)";
  case NATS_LIBRARY_HEADER_TOO_LARGE:
    return "its header is larger than the stream allows (JetStream error 10097)";
  default:
    return NULL;
  }
}

/* Codes that say nothing about one event: all others would get the same answer. */
static bool is_general(int code) {
  switch (code) {
  case 0: /* no JetStream error: no responders, a time-out, the connection */
  case JSStreamNotMatchErr:
  case JSStreamSealedErr:
  case JSNotEnabledErr:
  case JSNotEnabledForAccountErr:
  case JSInsufficientResourcesErr:
  case JSStorageResourcesExceededErr:
  case JSMemoryResourcesExceededErr:
  case JSAccountResourcesExceededErr:
  case JSClusterNotAvailErr:
  case JSClusterNotLeaderErr:
  case NATS_LIBRARY_STORE_FAILED:
    return true;
  default:
    return false;
  }
}

/* The answer's error, 0: none.  An answer from another stream than the configured one does not
 * count. */
static int error_of(const struct transport_settings *settings, const jsPubAck *ack,
                    const jsPubAckErr *failure) {
  const char *stream = settings->stream;

  if (failure)
    return (int)failure->ErrCode;
  return ack && stream[0] && (!ack->Stream || strcmp(ack->Stream, stream) != 0)
             ? JSStreamNotMatchErr
             : 0;
}

/* Distinguishes one stream from another: a leaf node and its hub may both answer. */
static uint64_t place_of(const jsPubAck *ack) {
  uint64_t hash = 1;

  if (ack->Stream)
    hash = hash_bytes(ack->Stream, strlen(ack->Stream), hash);
  if (ack->Domain)
    hash = hash_bytes(ack->Domain, strlen(ack->Domain), hash);
  return hash;
}

/* The library reads "-5" as a huge number, which no stream reaches. */
static uint64_t sequence_of(const jsPubAck *ack) {
  return ack->Sequence <= INT64_MAX ? ack->Sequence : 0;
}

/* An id that the stream refused while it was full, or that it dropped for lack of a consumer, is
 * "duplicate" to it as long as its deduplication window lasts (nats-server 2.10). */
static const char no_place[] = "the stream knows the event's id and does not store it until its "
                               "deduplication window has passed";

void publish_answer_judge(const struct nats_library *nats,
                          const struct transport_settings *settings, const jsPubAck *ack,
                          const jsPubAckErr *failure, struct transport_answer *answer,
                          struct transport_trouble *trouble) {
  int code = error_of(settings, ack, failure);
  bool taken = !failure && ack && code == 0;

  answer->reason = refusal_of(code);
  answer->duplicate = taken && ack->Duplicate;
  answer->sequence = taken ? sequence_of(ack) : 0;
  answer->stream_hash = taken ? place_of(ack) : 0;
  if (answer->sequence > 0) {
    answer->outcome = TRANSPORT_ACKNOWLEDGED;
  } else if (answer->reason) {
    answer->outcome = TRANSPORT_REFUSED;
  } else if (taken) {
    answer->outcome = TRANSPORT_DECLINED;
    *trouble = (struct transport_trouble){.text = ""};
    (void)snprintf(trouble->text, sizeof trouble->text, "%s",
                   answer->duplicate ? no_place : "an acknowledgement without a sequence");
  } else if (failure && code == 0 && failure->Err == NATS_ERR) {
    answer->outcome = TRANSPORT_FAILED;
    *trouble = (struct transport_trouble){.text = "the answer to an event is not a stream's"};
  } else {
    answer->outcome = is_general(code) ? TRANSPORT_FAILED : TRANSPORT_DECLINED;
    transport_explain(nats, settings, failure ? failure->Err : NATS_OK, code,
                      failure ? failure->ErrText : NULL, trouble);
  }
}

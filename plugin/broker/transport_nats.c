/* transport_nats.c - the transport that is NATS.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The library's threads may still be inside a handler when the connection has been destroyed, so
 * what handlers touch, the mailbox, is never freed: a closed transport leaves its mailbox on a list
 * for the next one.  There are never more mailboxes than there were transports at one time.
 *
 * An asynchronous publish gets no MaxWait: with one, the library keeps 84 bytes of each message
 * until then, also when it was acknowledged.  The publisher looks at the time itself, and closes a
 * connection that owes answers. */
#include "broker/transport_nats.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/process.h"
#include "broker/broker_server.h"
#include "broker/broker_stream.h"
#include "broker/publish_answer.h"
#include "broker/stream_verdict.h"
#include "broker/transport_connect.h"
#include "broker/transport_explain.h"
#include "record/event.h"

#define WAKE_AT                                                                                    \
  (TRANSPORT_WINDOW / 8) /* so many answers are worth waking the publisher for; it also polls */
#define CORE_FLUSH_MS 1000
#define CONNECT_NS INT64_C(15000000000)
#define CONNECT_SERVER_NS                                                                          \
  INT64_C(7500000000) /* a login may be slow: bcrypt, a callout, a resolver */
#define MESSAGE_ID_HEADER "Nats-Msg-Id"
/* "NATS/1.0" CRLF, "name: value" CRLF each, CRLF */
#define HEADER_BYTES(name, value_len) (sizeof(name) - 1 + 2 + (value_len) + 2)
#define HEADER_FRAME_BYTES 12
#define WHY_NS INT64_C(500000000)
#define HOLDS_NS INT64_C(200000000) /* an acknowledgement waits for it */

struct flight { /* message NULL: answered */
  const natsMsg *message;
  uint64_t ticket;
};

struct mailbox { /* everything under the mutex */
  pthread_mutex_t mutex;
  struct mailbox *next_free;
  transport_wake wake; /* NULL: nobody listens */
  void *wake_ctx;
  const struct transport_settings *settings;
  const struct nats_library *nats;
  natsConnection *connection; /* to recognise a late handler of an earlier connection */
  bool closed;
  natsStatus error;                       /* what the broker said without being asked */
  char said[TRANSPORT_EXPLAIN_SAID_SIZE]; /* its words about that, or about the end */
  bool api_barred;                        /* this user may not ask about streams */
  struct broker_stream_place newest;      /* the stream that acknowledged last */
  /* a ring, in the order of sending: most answers come in it */
  struct flight flights[TRANSPORT_WINDOW];
  size_t first, count, unanswered;
  struct transport_answer answers[TRANSPORT_WINDOW];
  size_t answer_count;
  struct transport_trouble trouble; /* of the last failed answer */
};

struct transport {
  const struct nats_library *nats;
  const struct transport_settings *settings;
  natsConnection *connection;
  jsCtx *stream_context; /* NULL: core */
  struct mailbox *mailbox;
  int64_t max_payload, header_bytes;
};

static struct process_state free_state = PROCESS_STATE_INITIALIZER;
static struct mailbox *free_mailboxes;

/* The parent's threads may have left the list half changed. */
static void forget_free_mailboxes(void) {
  free_mailboxes = NULL;
}

static struct mailbox *mailbox_take(void) {
  struct mailbox *mailbox;

  process_state_lock(&free_state, forget_free_mailboxes);
  mailbox = free_mailboxes;
  if (mailbox)
    free_mailboxes = mailbox->next_free;
  process_state_unlock(&free_state);
  if (mailbox)
    return mailbox;
  mailbox = calloc(1, sizeof *mailbox);
  if (mailbox)
    (void)pthread_mutex_init(&mailbox->mutex, NULL);
  return mailbox;
}

static void mailbox_open(struct mailbox *mailbox, const struct nats_library *nats,
                         const struct transport_settings *settings, transport_wake wake,
                         void *ctx) {
  (void)pthread_mutex_lock(&mailbox->mutex);
  mailbox->nats = nats;
  mailbox->settings = settings;
  mailbox->wake = wake;
  mailbox->wake_ctx = ctx;
  mailbox->connection = NULL;
  mailbox->closed = mailbox->api_barred = false;
  broker_stream_place_set(&mailbox->newest, NULL, "");
  mailbox->error = NATS_OK;
  mailbox->said[0] = '\0';
  mailbox->first = mailbox->count = mailbox->unanswered = mailbox->answer_count = 0;
  (void)pthread_mutex_unlock(&mailbox->mutex);
}

/* From here on a handler finds nothing to do. */
static void mailbox_shut(struct mailbox *mailbox) {
  (void)pthread_mutex_lock(&mailbox->mutex);
  mailbox->wake = NULL;
  mailbox->connection = NULL;
  mailbox->first = mailbox->count = mailbox->unanswered = mailbox->answer_count = 0;
  (void)pthread_mutex_unlock(&mailbox->mutex);
}

static void mailbox_give_back(struct mailbox *mailbox) {
  process_state_lock(&free_state, forget_free_mailboxes);
  mailbox->next_free = free_mailboxes;
  free_mailboxes = mailbox;
  process_state_unlock(&free_state);
}

static void mailbox_break(struct mailbox *mailbox) {
  (void)pthread_mutex_lock(&mailbox->mutex);
  mailbox->closed = true;
  (void)pthread_mutex_unlock(&mailbox->mutex);
}

static struct flight *flight_at(struct mailbox *mailbox, size_t i) {
  return &mailbox->flights[(mailbox->first + i) % TRANSPORT_WINDOW];
}

static bool flight_begin(struct mailbox *mailbox, const natsMsg *message, uint64_t ticket) {
  bool room;

  (void)pthread_mutex_lock(&mailbox->mutex);
  room = mailbox->count < TRANSPORT_WINDOW &&
         mailbox->unanswered + mailbox->answer_count < TRANSPORT_WINDOW;
  if (room) {
    *flight_at(mailbox, mailbox->count++) = (struct flight){message, ticket};
    mailbox->unanswered++;
  }
  (void)pthread_mutex_unlock(&mailbox->mutex);
  return room;
}

static void flight_forget(struct mailbox *mailbox, struct flight *flight) {
  flight->message = NULL;
  mailbox->unanswered--;
  while (mailbox->count > 0 && !flight_at(mailbox, 0)->message) {
    mailbox->first = (mailbox->first + 1) % TRANSPORT_WINDOW;
    mailbox->count--;
  }
}

static void flight_cancel(struct mailbox *mailbox) {
  (void)pthread_mutex_lock(&mailbox->mutex);
  if (mailbox->count > 0) {
    flight_forget(mailbox, flight_at(mailbox, mailbox->count - 1));
    while (mailbox->count > 0 && !flight_at(mailbox, mailbox->count - 1)->message)
      mailbox->count--;
  }
  (void)pthread_mutex_unlock(&mailbox->mutex);
}

static struct flight *flight_of(struct mailbox *mailbox, const natsMsg *message) {
  for (size_t i = 0; i < mailbox->count; i++)
    if (flight_at(mailbox, i)->message == message)
      return flight_at(mailbox, i);
  return NULL; /* of an earlier connection */
}

static void on_answer(jsCtx *context, natsMsg *message, jsPubAck *ack, jsPubAckErr *failure,
                      void *closure) {
  struct mailbox *mailbox = closure;
  const struct nats_library *nats;
  struct flight *flight;

  (void)context;
  (void)pthread_mutex_lock(&mailbox->mutex);
  nats = mailbox->nats;
  flight = flight_of(mailbox, message);
  if (flight) {
    struct transport_answer *answer = &mailbox->answers[mailbox->answer_count++];

    answer->ticket = flight->ticket;
    if (ack && ack->Stream && !broker_stream_place_is(&mailbox->newest, ack->Domain, ack->Stream))
      broker_stream_place_set(&mailbox->newest, ack->Domain, ack->Stream);
    publish_answer_judge(nats, mailbox->settings, ack, failure, answer, &mailbox->trouble);
    flight_forget(mailbox, flight);
    if (mailbox->wake && (mailbox->unanswered == 0 || mailbox->answer_count % WAKE_AT == 0 ||
                          answer->outcome != TRANSPORT_ACKNOWLEDGED))
      mailbox->wake(mailbox->wake_ctx);
  }
  (void)pthread_mutex_unlock(&mailbox->mutex);
  if (message && nats)
    nats->natsMsg_Destroy(message); /* done without the mutex, which the publisher needs for each
                                     * send */
}

static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status,
                     void *closure) {
  struct mailbox *mailbox = closure;
  const struct nats_library *nats = nats_library_get(NULL);
  const char *text = NULL;
  bool has_text = nats && nats->natsConnection_GetLastError(connection, &text) != NATS_OK && text;
  bool about_api = status == NATS_NOT_PERMITTED && has_text && strstr(text, "$JS.API") != NULL;

  (void)subscription;
  (void)pthread_mutex_lock(&mailbox->mutex);
  if (mailbox->connection == connection && about_api) {
    mailbox->api_barred = true; /* events need no more than their own subject */
  } else if (mailbox->connection == connection) {
    mailbox->error = status;
    (void)snprintf(mailbox->said, sizeof mailbox->said, "%s", text ? text : "");
    if (mailbox->wake)
      mailbox->wake(mailbox->wake_ctx);
  }
  (void)pthread_mutex_unlock(&mailbox->mutex);
}

static void on_closed(natsConnection *connection, void *closure) {
  struct mailbox *mailbox = closure;
  const struct nats_library *nats = nats_library_get(NULL);
  const char *text = NULL;
  natsStatus last = nats ? nats->natsConnection_GetLastError(connection, &text) : NATS_OK;

  (void)pthread_mutex_lock(&mailbox->mutex);
  if (mailbox->connection == connection) {
    mailbox->closed = true;
    if (last != NATS_OK && last != NATS_NOT_PERMITTED && text)
      (void)snprintf(mailbox->said, sizeof mailbox->said, "%s", text);
    if (mailbox->wake)
      mailbox->wake(mailbox->wake_ctx);
  }
  (void)pthread_mutex_unlock(&mailbox->mutex);
}

static void nats_close(struct transport *transport) {
  mailbox_shut(transport->mailbox);
  if (transport->stream_context)
    transport->nats->jsCtx_Destroy(transport->stream_context);
  if (transport->connection)
    transport->nats->natsConnection_Destroy(transport->connection);
  transport->nats->nats_ReleaseThreadMemory();
  mailbox_give_back(transport->mailbox);
  free(transport);
}

static natsStatus open_stream_context(struct transport *transport) {
  jsOptions options;
  natsStatus status = transport->nats->jsOptions_Init(&options);

  if (status != NATS_OK)
    return status;
  options.PublishAsync.MaxPending =
      2 * TRANSPORT_WINDOW; /* the publisher limits its window itself; the library must never block
                             * it */
  options.PublishAsync.AckHandler = on_answer;
  options.PublishAsync.AckHandlerClosure = transport->mailbox;
  return transport->nats->natsConnection_JetStream(&transport->stream_context,
                                                   transport->connection, &options);
}

static int start(struct transport *transport, struct transport_trouble *trouble) {
  const struct transport_settings *settings = transport->settings;
  natsStatus status;

  transport->connection = transport_connect(
      transport->nats, settings,
      (struct transport_patience){clock_monotonic_ns() + CONNECT_NS, CONNECT_SERVER_NS, false},
      on_error, on_closed, transport->mailbox, NULL, trouble);
  if (!transport->connection)
    return -1;
  (void)pthread_mutex_lock(&transport->mailbox->mutex);
  transport->mailbox->connection = transport->connection;
  (void)pthread_mutex_unlock(&transport->mailbox->mutex);
  if (transport->nats->natsConnection_Status(transport->connection) == NATS_CONN_STATUS_CLOSED)
    mailbox_break(transport->mailbox); /* its handler ran before the mailbox knew the connection */
  if (!broker_server_takes_events(transport->nats, transport->connection, trouble))
    return -1;
  transport->max_payload = transport->nats->natsConnection_GetMaxPayload(transport->connection);
  transport->header_bytes = HEADER_FRAME_BYTES + HEADER_BYTES(MESSAGE_ID_HEADER, 36);
  if (settings->core)
    return 0;
  if (settings->stream[0])
    transport->header_bytes +=
        (int64_t)HEADER_BYTES(NATS_LIBRARY_EXPECTED_STREAM, strlen(settings->stream));
  status = open_stream_context(transport);
  if (status == NATS_OK)
    return 0;
  transport_explain(transport->nats, settings, status, 0, NULL, trouble);
  return -1;
}

static struct transport *nats_open(const struct transport_settings *settings, transport_wake wake,
                                   void *ctx, struct transport_trouble *trouble) {
  struct error error;
  const struct nats_library *nats = nats_library_get(&error);
  struct transport *transport;

  memset(trouble, 0, sizeof *trouble);
  if (!nats) {
    trouble->hopeless = true;
    (void)snprintf(trouble->text, sizeof trouble->text, "%.150s", error.text);
    return NULL;
  }
  transport = calloc(1, sizeof *transport);
  if (transport)
    transport->mailbox = mailbox_take();
  if (!transport || !transport->mailbox) {
    free(transport);
    (void)snprintf(trouble->text, sizeof trouble->text, "out of memory");
    return NULL;
  }
  transport->nats = nats;
  transport->settings = settings;
  mailbox_open(transport->mailbox, nats, settings, wake, ctx);
  if (start(transport, trouble) == 0)
    return transport;
  nats_close(transport);
  return NULL;
}

static bool nats_connected(struct transport *transport, struct transport_trouble *trouble) {
  struct mailbox *mailbox = transport->mailbox;
  char said[TRANSPORT_EXPLAIN_SAID_SIZE];
  natsStatus error;
  bool closed;

  (void)pthread_mutex_lock(&mailbox->mutex);
  error = mailbox->error;
  memcpy(said, mailbox->said, sizeof said);
  closed = mailbox->closed;
  (void)pthread_mutex_unlock(&mailbox->mutex);
  /* a refused permission leaves the connection open, and the events it was about without an
   * answer */
  if (!closed && error != NATS_NOT_PERMITTED)
    return true;
  if (error != NATS_NOT_PERMITTED && error != NATS_CONNECTION_AUTH_FAILED)
    error = NATS_CONNECTION_CLOSED; /* what else there was to say are the broker's words */
  transport_explain(transport->nats, transport->settings, error, 0, said, trouble);
  return false;
}

static natsStatus publish(struct transport *transport, natsMsg **message, const char *id) {
  const struct transport_settings *settings = transport->settings;
  jsPubOptions options;
  natsStatus status;

  if (settings->core) {
    status = transport->nats->natsMsgHeader_Set(*message, MESSAGE_ID_HEADER, id);
    return status == NATS_OK
               ? transport->nats->natsConnection_PublishMsg(transport->connection, *message)
               : status;
  }
  status = transport->nats->jsPubOptions_Init(&options);
  if (status != NATS_OK)
    return status;
  options.MsgId = id;
  if (settings->stream[0])
    options.ExpectStream = settings->stream;
  return transport->nats->js_PublishMsgAsync(transport->stream_context, message, &options);
}

static enum transport_sent nats_send(struct transport *transport, uint64_t ticket, const char *id,
                                     struct span payload, struct transport_trouble *trouble) {
  const struct nats_library *nats = transport->nats;
  natsMsg *message = NULL;
  natsStatus status;

  if (payload.len > INT32_MAX ||
      (int64_t)payload.len + transport->header_bytes > transport->max_payload) {
    trouble->hopeless = false;
    (void)snprintf(trouble->text, sizeof trouble->text,
                   "%zu bytes with its header, the broker takes at most %lld",
                   payload.len + (size_t)transport->header_bytes,
                   (long long)transport->max_payload);
    return TRANSPORT_TOO_LARGE;
  }
  status = nats->natsMsg_Create(&message, EVENT_SUBJECT, NULL, payload.ptr, (int)payload.len);
  if (status == NATS_OK && !flight_begin(transport->mailbox, message, ticket)) {
    status = NATS_INSUFFICIENT_BUFFER;
  } else if (status == NATS_OK) {
    status = publish(transport, &message, id);
    if (status != NATS_OK) {
      flight_cancel(transport->mailbox);
      if (status != NATS_NO_MEMORY)
        mailbox_break(transport->mailbox);
    }
  }
  if (message && (status != NATS_OK || transport->settings->core))
    nats->natsMsg_Destroy(message);
  if (status == NATS_OK)
    return TRANSPORT_SENT;
  transport_explain(nats, transport->settings, status, 0, NULL, trouble);
  return TRANSPORT_NOT_SENT;
}

/* Core: a publish that "succeeds" lies in the library's buffer.  It has arrived when the broker has
 * answered a ping after it. */
static void nats_flush(struct transport *transport) {
  struct mailbox *mailbox = transport->mailbox;
  natsStatus status;

  if (!transport->settings->core)
    return; /* the library's own thread sends within a millisecond */
  status = broker_server_await_leave(transport->nats, transport->connection, EVENT_SUBJECT,
                                     CORE_FLUSH_MS);
  (void)pthread_mutex_lock(&mailbox->mutex);
  if (status != NATS_OK)
    transport_explain(transport->nats, transport->settings, status, 0, NULL, &mailbox->trouble);
  while (mailbox->count > 0) {
    mailbox->answers[mailbox->answer_count++] = (struct transport_answer){
        .ticket = flight_at(mailbox, 0)->ticket,
        .outcome = status == NATS_OK ? TRANSPORT_ACKNOWLEDGED : TRANSPORT_FAILED,
    };
    flight_forget(mailbox, flight_at(mailbox, 0));
  }
  (void)pthread_mutex_unlock(&mailbox->mutex);
}

/* Does the broker answer this user's questions about streams, as far as is known? */
static bool may_ask(struct transport *transport) {
  bool may;

  (void)pthread_mutex_lock(&transport->mailbox->mutex);
  may = !transport->mailbox->api_barred && !transport->mailbox->closed;
  (void)pthread_mutex_unlock(&transport->mailbox->mutex);
  return may && !transport->settings->core;
}

static void nats_why(struct transport *transport, struct transport_trouble *trouble) {
  if (may_ask(transport))
    stream_verdict_find_trouble(transport->nats, transport->connection,
                                clock_monotonic_ns() + WHY_NS, transport->settings, trouble);
}

static int nats_useless(struct transport *transport, struct transport_trouble *trouble) {
  return may_ask(transport) ? stream_verdict_find_useless(transport->nats, transport->connection,
                                                          clock_monotonic_ns() + WHY_NS, trouble)
                            : -1;
}

static int nats_holds(struct transport *transport, uint64_t sequence, const char *id) {
  struct broker_stream_place place;

  (void)pthread_mutex_lock(&transport->mailbox->mutex);
  place = transport->mailbox->newest;
  (void)pthread_mutex_unlock(&transport->mailbox->mutex);
  if (!place.name[0] || !may_ask(transport))
    return -1;
  return broker_stream_holds(transport->nats, transport->connection, &place, sequence, id,
                             clock_monotonic_ns() + HOLDS_NS);
}

static size_t nats_answers(struct transport *transport, struct transport_answer *answers,
                           size_t max, struct transport_trouble *trouble) {
  struct mailbox *mailbox = transport->mailbox;
  size_t count;

  (void)pthread_mutex_lock(&mailbox->mutex);
  count = mailbox->answer_count < max ? mailbox->answer_count : max;
  memcpy(answers, mailbox->answers, count * sizeof *answers);
  mailbox->answer_count -= count;
  memmove(mailbox->answers, mailbox->answers + count, mailbox->answer_count * sizeof *answers);
  if (mailbox->trouble.text[0])
    *trouble = mailbox->trouble;
  mailbox->trouble.text[0] = '\0';
  (void)pthread_mutex_unlock(&mailbox->mutex);
  return count;
}

const struct transport_kind transport_nats = {
    .open = nats_open,
    .close = nats_close,
    .connected = nats_connected,
    .send = nats_send,
    .flush = nats_flush,
    .why = nats_why,
    .useless = nats_useless,
    .holds = nats_holds,
    .answers = nats_answers,
};

/* fuzz_broker.c - any answers of a broker: an event counts as acknowledged when the broker said so
 * of this event, as refused when it said so, and else is sent again, the same.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The real publisher and the real transport; in the place of the NATS library stands one whose
 * every answer is taken from the input.  Zeros, also those after the input's end, are an honest
 * broker, so that everything must have arrived when the input is used up. */
#include <kaizen/plugin.h>
#include <stdio.h>
#include <string.h>

#include "broker/nats_library.h"
#include "broker/transport_nats.h"
#include "broker_scene.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FLYING_MAX 64
#define ROUND_MS 4000 /* longer than an answer is waited for */
#define ROUNDS_HONEST 40

enum answer {
  ACKNOWLEDGES,
  ACKNOWLEDGES_DUPLICATE,
  ACKNOWLEDGES_LOWER, /* as a stream that began again */
  WITHOUT_SEQUENCE,
  DUPLICATE_WITHOUT_SEQUENCE,
  FAILS,
  FAILS_WITH_ACKNOWLEDGEMENT, /* both: the failure counts */
  SAYS_NOTHING,               /* neither */
  NEVER_ANSWERS,
  ANSWERS_FOR_ANOTHER, /* of an earlier connection, say */
  REPORTS_ERROR,
  REPORTS_ERROR_OF_ANOTHER,
  CLOSES,
  ANSWER_KINDS
};

struct __natsMsg {
  char id[UUID_TEXT_SIZE];
  struct buffer payload;
};
struct __natsConnection {
  int number;
};
struct __natsOptions {
  natsErrHandler on_error;
  natsConnectionHandler on_closed;
  void *closure;
};
struct __jsCtx {
  jsPubAckHandler handler;
  void *closure;
};

static struct input input;
static bool core;
static struct __natsConnection connection, another;
static bool connected;
static struct __natsOptions options, of_connection;
static struct __jsCtx context;
static natsMsg *flying[FLYING_MAX], *silent[FLYING_MAX]; /* silent: will not be answered */
static size_t flying_count, silent_count, messages;
static uint64_t sequence;
static int64_t max_payload;
static bool was_small; /* it was said that nothing larger is taken: a reason of its own to refuse */

/* ---- the library ------------------------------------------------------------------------------
 */

static natsStatus take_failure(void) {
  static const natsStatus failures[] = {
      NATS_ERR,         NATS_TIMEOUT,          NATS_NO_SERVER,         NATS_CONNECTION_AUTH_FAILED,
      NATS_NO_MEMORY,   NATS_SSL_ERROR,        NATS_CONNECTION_CLOSED, NATS_NO_RESPONDERS,
      NATS_IO_ERROR,    NATS_STALE_CONNECTION, NATS_NOT_PERMITTED,     NATS_INSUFFICIENT_BUFFER,
      NATS_MAX_PAYLOAD, NATS_PROTOCOL_ERROR,   NATS_INVALID_ARG,       (natsStatus)9999};

  return failures[input_byte(&input) % (sizeof failures / sizeof *failures)];
}

/* One time in eight, where the input says so. */
static natsStatus may_fail(void) {
  return input_byte(&input) % 8 == 7 ? take_failure() : NATS_OK;
}

/* Also for those that answer nothing. */
static natsStatus set_nothing(void) {
  return NATS_OK;
}

static const char *text_of(natsStatus status) {
  return status == NATS_OK ? "OK" : "some failure";
}

static natsStatus create_options(natsOptions **out) {
  options = (struct __natsOptions){0};
  *out = &options;
  return NATS_OK;
}

static natsStatus set_error_handler(natsOptions *of, natsErrHandler handler, void *closure) {
  of->on_error = handler;
  of->closure = closure;
  return NATS_OK;
}

static natsStatus set_closed_handler(natsOptions *of, natsConnectionHandler handler,
                                     void *closure) {
  of->on_closed = handler;
  of->closure = closure;
  return NATS_OK;
}

static natsStatus connect_it(natsConnection **out, natsOptions *with) {
  natsStatus status = may_fail();

  require(!connected);
  if (status != NATS_OK)
    return status;
  connected = true;
  of_connection = *with;
  max_payload = input_byte(&input) % 8 == 7 ? input_byte(&input) * 4 : 1 << 20;
  was_small |= max_payload < 1 << 20;
  *out = &connection;
  return NATS_OK;
}

static void destroy_message(natsMsg *message) {
  require(messages-- > 0);
  buffer_fini(&message->payload);
  free(message);
}

static void destroy_connection(natsConnection *gone) {
  require(gone == &connection && connected);
  connected = false;
  while (flying_count > 0)
    destroy_message(flying[--flying_count]);
  while (silent_count > 0)
    destroy_message(silent[--silent_count]);
}

static natsConnStatus status_of(natsConnection *of) {
  (void)of;
  return input_byte(&input) % 16 == 15 ? NATS_CONN_STATUS_CLOSED : NATS_CONN_STATUS_CONNECTED;
}

static natsStatus flush_it(natsConnection *of, int64_t timeout_ms) {
  natsStatus status = may_fail();

  (void)of;
  (void)timeout_ms;
  for (; status == NATS_OK && flying_count > 0; destroy_message(flying[--flying_count]))
    scene_event_of(flying[flying_count - 1]->id)->acknowledged = true;
  return status;
}

static natsStatus last_error(natsConnection *of, const char **text) {
  (void)of;
  *text = "";
  return NATS_OK;
}

static const char *no_text(natsStatus *status) {
  (void)status;
  return "";
}

/* Nobody answers questions about streams. */
static natsStatus ask_nobody(natsMsg **answer, natsConnection *of, const char *subject,
                             const void *question, int len, int64_t timeout_ms) {
  (void)answer;
  (void)of;
  (void)subject;
  (void)question;
  (void)len;
  (void)timeout_ms;
  return NATS_TIMEOUT;
}

static int64_t max_payload_of(natsConnection *of) {
  (void)of;
  return max_payload;
}

static natsStatus make_context(jsCtx **out, natsConnection *of, jsOptions *with) {
  (void)of;
  context.handler = with->PublishAsync.AckHandler;
  context.closure = with->PublishAsync.AckHandlerClosure;
  *out = &context;
  return NATS_OK;
}

static natsStatus init_options(jsOptions *to) {
  memset(to, 0, sizeof *to);
  return NATS_OK;
}

static natsStatus init_publish_options(jsPubOptions *to) {
  memset(to, 0, sizeof *to);
  return NATS_OK;
}

static void destroy_context(jsCtx *of) {
  require(of == &context);
}

static natsStatus create_message(natsMsg **out, const char *subject, const char *reply,
                                 const char *data, int len) {
  natsStatus status = may_fail();

  require(strcmp(subject, "activity.kaizen.metrics.recorded") == 0 && !reply);
  if (status != NATS_OK)
    return status;
  *out = calloc(1, sizeof **out);
  require(*out != NULL);
  buffer_append(&(*out)->payload, data, (size_t)len);
  messages++;
  return NATS_OK;
}

static natsStatus set_header(natsMsg *message, const char *name, const char *value) {
  require(strcmp(name, "Nats-Msg-Id") == 0);
  (void)snprintf(message->id, sizeof message->id, "%s", value);
  return NATS_OK;
}

static void take_off(natsMsg *message) {
  require(connected && flying_count + silent_count < FLYING_MAX);
  (void)scene_require_sent(message->id, buffer_span(&message->payload));
  flying[flying_count++] = message;
}

static natsStatus publish_asynchronously(jsCtx *with, natsMsg **message, jsPubOptions *said) {
  natsStatus status = may_fail();

  require(with == &context && strcmp(said->ExpectStream, "ACTIVITY_EVENTS") == 0);
  if (status != NATS_OK)
    return status;
  (void)set_header(*message, "Nats-Msg-Id", said->MsgId);
  take_off(*message);
  *message = NULL;
  return NATS_OK;
}

/* The caller keeps its message. */
static natsStatus publish_core(natsConnection *with, natsMsg *message) {
  natsStatus status = may_fail();
  natsMsg *copy;

  require(with == &connection);
  if (status != NATS_OK)
    return status;
  copy = calloc(1, sizeof *copy);
  require(copy != NULL);
  memcpy(copy->id, message->id, sizeof copy->id);
  buffer_append(&copy->payload, message->payload.data, message->payload.len);
  messages++;
  take_off(copy);
  return NATS_OK;
}

const struct nats_library *nats_library_get(struct error *error) {
  static struct nats_library table;

  (void)error;
#define FILL(name) table.name = (__typeof__(name) *)(void (*)(void))set_nothing;
  NATS_LIBRARY_FUNCTIONS(FILL)
#undef FILL
  table.natsStatus_GetText = text_of;
  table.nats_GetLastError = no_text;
  table.natsConnection_Request = ask_nobody;
  table.natsOptions_Create = create_options;
  table.natsOptions_SetErrorHandler = set_error_handler;
  table.natsOptions_SetClosedCB = set_closed_handler;
  table.natsConnection_Connect = connect_it;
  table.natsConnection_Destroy = destroy_connection;
  table.natsConnection_Status = status_of;
  table.natsConnection_FlushTimeout = flush_it;
  table.natsConnection_GetLastError = last_error;
  table.natsConnection_GetMaxPayload = max_payload_of;
  table.natsConnection_JetStream = make_context;
  table.natsConnection_PublishMsg = publish_core;
  table.natsMsg_Create = create_message;
  table.natsMsg_Destroy = destroy_message;
  table.natsMsgHeader_Set = set_header;
  table.jsOptions_Init = init_options;
  table.jsPubOptions_Init = init_publish_options;
  table.jsCtx_Destroy = destroy_context;
  table.js_PublishMsgAsync = publish_asynchronously;
  return &table;
}

void nats_library_enter(struct nats_library_guard *guard) {
  (void)guard;
}

void nats_library_leave(const struct nats_library_guard *guard) {
  (void)guard;
}

/* ---- the broker -------------------------------------------------------------------------------
 */

static void hand_over(natsMsg *message, jsPubAck *ack, jsPubAckErr *failure) {
  struct scene_event *event = scene_event_of(message->id);

  if (event && ack && !failure && ack->Sequence > 0)
    event->acknowledged = true;
  if (event && failure && (failure->ErrCode == 10054 || failure->ErrCode == 10097) &&
      !event->acknowledged)
    event->refused = true;
  context.handler(&context, message, ack, failure, context.closure);
}

static jsErrCode take_code(void) {
  static const uint16_t codes[] = {0, 10054, 10097, 10060, 10109, 10076, 10039, 10023, 10077, 1};
  uint8_t which = input_byte(&input);

  return (jsErrCode)(which < 200 ? codes[which % (sizeof codes / sizeof *codes)]
                                 : input_number(&input, 2));
}

static void answer_for_another(void) {
  natsMsg *message;
  jsPubAck ack = {.Stream = (char *)"ACTIVITY_EVENTS", .Sequence = 1};

  message = calloc(1, sizeof *message);
  require(message != NULL);
  messages++;
  hand_over(message, &ack, NULL);
}

static void answer(natsMsg *message, enum answer kind) {
  jsPubAck ack = {.Stream = (char *)"ACTIVITY_EVENTS", .Sequence = sequence + 1};
  jsPubAckErr failure = {.Msg = message, .ErrText = "some failure"};

  switch (kind) {
  case ACKNOWLEDGES_DUPLICATE:
    ack.Duplicate = true;
    ack.Sequence = 1 + input_byte(&input);
    break;
  case ACKNOWLEDGES_LOWER:
    ack.Sequence = 1 + input_byte(&input);
    break;
  case DUPLICATE_WITHOUT_SEQUENCE:
    ack.Duplicate = true;
    ack.Sequence = 0;
    break;
  case WITHOUT_SEQUENCE:
    ack.Sequence = 0;
    break;
  case FAILS:
  case FAILS_WITH_ACKNOWLEDGEMENT:
    failure.ErrCode = take_code();
    failure.Err = failure.ErrCode ? NATS_ERR : take_failure();
    hand_over(message, kind == FAILS ? NULL : &ack, &failure);
    return;
  case SAYS_NOTHING:
    hand_over(message, NULL, NULL);
    return;
  default:
    sequence++;
    break;
  }
  hand_over(message, &ack, NULL);
}

/* What the broker does of its own accord between two rounds of the publisher. */
static void let_broker_act(void) {
  while (connected && flying_count > 0) {
    size_t which = input_byte(&input) % flying_count;
    enum answer kind = (enum answer)(input_byte(&input) % ANSWER_KINDS);
    natsMsg *message = flying[which];

    if (kind == REPORTS_ERROR)
      of_connection.on_error(&connection, NULL, take_failure(), of_connection.closure);
    else if (kind == REPORTS_ERROR_OF_ANOTHER)
      of_connection.on_error(&another, NULL, take_failure(), of_connection.closure);
    else if (kind == CLOSES)
      of_connection.on_closed(&connection, of_connection.closure);
    else if (kind == ANSWERS_FOR_ANOTHER)
      answer_for_another();
    else {
      memmove(&flying[which], &flying[which + 1], (--flying_count - which) * sizeof *flying);
      if (kind == NEVER_ANSWERS)
        silent[silent_count++] = message;
      else
        answer(message, kind);
    }
    if (input_byte(&input) % 4 == 3)
      return;
  }
}

/* Of what stands before the cursor the broker has said one or the other; and that is all it said.
 */
static void require_told_by_broker(bool complete) {
  size_t acknowledged = 0, refused = 0;
  struct agent_view view;

  scene_view(&view);
  for (size_t i = 0; i < SCENE_EVENTS; i++) {
    const struct scene_event *event = &scene_events[i];

    acknowledged += event->acknowledged;
    refused += event->refused || was_small;
    require(i >= view.state.cursor.marked || event->acknowledged || event->refused || was_small);
  }
  require(view.acknowledged <= acknowledged && view.dead_lettered <= refused);
  require(!complete || view.pending == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct publisher *publisher;

  input = (struct input){data, size};
  scene_set();
  core = input_byte(&input) & 1;
  sequence = 0;
  was_small = false;
  publisher = scene_open(&transport_nats, core);
  while (input.left > 0) {
    bool long_ago = input_byte(&input) % 2;

    scene_tick(publisher, core || long_ago ? ROUND_MS : 10);
    if (!core)
      let_broker_act();
    require_told_by_broker(false);
  }
  for (int i = 0; i < ROUNDS_HONEST; i++) {
    scene_tick(publisher, ROUND_MS);
    let_broker_act();
  }
  scene_close(publisher);
  require(messages == 0 && !connected);
  require_told_by_broker(true);
  return 0;
}

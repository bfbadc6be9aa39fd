/* broker_stream.c - the stream that takes our subject.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "broker/broker_server.h"
#include "common/json_reader.h"
#include "common/utf8.h"
#include "record/event.h"

#define API "$JS.API."
#define FIND_STREAM API "STREAM.NAMES"
#define READ_STREAM API "STREAM.INFO."
#define NO_STREAM "kaizen-plugin-asks-whether-a-stream-listens" /* a name that no stream has */
#define HEADERS_MAX 1024

/* ---- reading answers ------------------------------------------------------------------------- */

/* The member's value; its `raw` is absent when there is none. */
static struct json_value member_of(struct span object, const char *name) {
  struct json_value found = {JSON_NULL, {NULL, 0}};
  struct json_reader reader;
  struct json_member member;

  if (!object.ptr || json_reader_open(&reader, object, JSON_LENIENT, JSON_DEPTH_MAX, NULL) != 0)
    return found;
  while (json_reader_next(&reader, &member, NULL) == 1)
    if (json_value_is_named(&member, name))
      found = member.value;
  return found;
}

static int64_t number_of(struct span object, const char *name, int64_t otherwise) {
  struct json_value value = member_of(object, name);
  int64_t number;

  return value.raw.ptr && value.type == JSON_NUMBER && json_value_integer(value, &number) == 1
             ? number
             : otherwise;
}

/* Every server tells what is TOLD; it leaves out what is OPTIONAL and not set. */
enum presence { TOLD, OPTIONAL };

/* False where there is no such value, which is noted where there should be. */
static bool find_setting(struct span object, const char *name, enum presence presence,
                         struct broker_stream *stream, struct json_value *value) {
  *value = member_of(object, name);
  if (value->raw.ptr)
    return true;
  if (presence == OPTIONAL)
    return false;
  if (stream->untold.len > 0)
    buffer_append_text(&stream->untold, ", ");
  buffer_append_text(&stream->untold, name);
  return false;
}

/* -1: no limit, or not told. */
static int64_t take_number(struct span object, const char *name, enum presence presence,
                           struct broker_stream *stream) {
  struct json_value value;
  int64_t number;

  if (!find_setting(object, name, presence, stream, &value))
    return -1;
  if (value.type == JSON_NUMBER && json_value_integer(value, &number) == 1 && number >= -1)
    return number;
  stream->unread = name;
  return -1;
}

static bool take_flag(struct span object, const char *name, struct broker_stream *stream) {
  struct json_value value;

  if (!find_setting(object, name, OPTIONAL, stream, &value))
    return false;
  if (value.type != JSON_TRUE && value.type != JSON_FALSE)
    stream->unread = name;
  return value.type == JSON_TRUE;
}

static bool take_word(struct span object, const char *name, const char *word,
                      struct broker_stream *stream) {
  struct json_value value;

  if (!find_setting(object, name, TOLD, stream, &value))
    return false;
  if (value.type != JSON_STRING)
    stream->unread = name;
  return value.type == JSON_STRING && value.raw.len == strlen(word) + 2 &&
         memcmp(value.raw.ptr + 1, word, strlen(word)) == 0;
}

bool broker_stream_is_name(struct span name) {
  for (size_t i = 0; i < name.len; i++)
    if ((unsigned char)name.ptr[i] <= ' ' || name.ptr[i] == 0x7f || strchr(".*>\\/", name.ptr[i]))
      return false;
  return name.len > 0 && name.len <= BROKER_STREAM_NAME_MAX && utf8_valid(name);
}

/* Takes the first name in the text; false when it is not a possible name. */
static bool take_name(struct span text, struct broker_stream *stream) {
  const char *begin = text.ptr ? memchr(text.ptr, '"', text.len) : NULL;
  const char *end =
      begin ? memchr(begin + 1, '"', (size_t)(text.ptr + text.len - begin - 1)) : NULL;
  struct span name;

  if (!end)
    return true;
  name = (struct span){begin + 1, (size_t)(end - begin - 1)};
  if (!broker_stream_is_name(name))
    return false;
  memcpy(stream->name, name.ptr, name.len);
  stream->name[name.len] = '\0';
  return true;
}

/* True when the answer is an error: the state says which. */
static bool take_error(struct span answer, struct broker_stream *stream) {
  struct json_value error = member_of(answer, "error");

  if (!error.raw.ptr || error.type != JSON_OBJECT)
    return false;
  switch (number_of(error.raw, "err_code", 0)) {
  case JSNotEnabledErr:
  case JSNotEnabledForAccountErr:
    stream->state = BROKER_STREAM_NO_JETSTREAM;
    break;
  case JSStreamNotFoundErr:
    stream->state = BROKER_STREAM_NONE;
    break;
  case JSClusterNotAvailErr:
  case JSClusterNotLeaderErr:
    stream->electing = true;
    break;
  default:
    break;
  }
  return true;
}

static void take_config(struct span config, struct broker_stream *stream) {
  struct json_value subjects, checked;

  stream->replicas = take_number(config, "num_replicas", TOLD, stream);
  stream->duplicates_ns = take_number(config, "duplicate_window", TOLD, stream);
  stream->max_messages = take_number(config, "max_msgs", TOLD, stream);
  stream->max_bytes = take_number(config, "max_bytes", TOLD, stream);
  stream->max_message_bytes = take_number(config, "max_msg_size", OPTIONAL, stream);
  stream->max_of_subject = take_flag(config, "discard_new_per_subject", stream)
                               ? take_number(config, "max_msgs_per_subject", OPTIONAL, stream)
                               : -1;
  stream->in_memory = take_word(config, "storage", "memory", stream);
  stream->no_ack = take_flag(config, "no_ack", stream);
  stream->sealed = take_flag(config, "sealed", stream);
  stream->discards_new = take_word(config, "discard", "new", stream);
  stream->wants_interest = take_word(config, "retention", "interest", stream);
  buffer_clear(&stream->subjects);
  if (!find_setting(config, "subjects", TOLD, stream, &subjects))
    return;
  if (subjects.type == JSON_ARRAY &&
      json_reader_check(subjects.raw, JSON_STRICT, JSON_DEPTH_MAX, &checked, NULL) == 0)
    json_value_compact(checked, &stream->subjects);
  else
    stream->unread = "subjects";
}

static void take_info(struct span answer, struct broker_stream *stream) {
  struct json_value config = member_of(answer, "config"), state = member_of(answer, "state");

  if (!config.raw.ptr || config.type != JSON_OBJECT)
    return;
  buffer_clear(&stream->untold);
  stream->unread = NULL;
  take_config(config.raw, stream);
  stream->messages = take_number(state.raw, "messages", TOLD, stream);
  stream->bytes = take_number(state.raw, "bytes", TOLD, stream);
  stream->consumers = take_number(state.raw, "consumer_count", TOLD, stream);
  stream->of_subject = -1;
  stream->state = BROKER_STREAM_KNOWN;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* NULL with *status: NATS_NOT_PERMITTED when the broker denied the question. */
static natsMsg *ask(const struct nats_library *nats, natsConnection *connection,
                    const char *subject, const char *question, int64_t deadline_ns,
                    struct span *answer, natsStatus *status) {
  natsMsg *message = NULL;

  *status = nats->natsConnection_Request(&message, connection, subject, question,
                                         (int)strlen(question), clock_left_ms(deadline_ns));
  if (*status == NATS_TIMEOUT && broker_server_denied(nats, connection, subject))
    *status = NATS_NOT_PERMITTED;
  if (*status != NATS_OK)
    return NULL;
  *answer =
      (struct span){nats->natsMsg_GetData(message), (size_t)nats->natsMsg_GetDataLength(message)};
  return message;
}

/* A server leaves out a subject without messages.  -1: unknown. */
static int64_t count_of_subject(struct span answer, struct broker_stream *stream) {
  struct json_value state = member_of(answer, "state"), subjects, count;

  if (!state.raw.ptr || state.type != JSON_OBJECT)
    return -1;
  subjects = member_of(state.raw, "subjects");
  count = member_of(subjects.raw, EVENT_SUBJECT);
  return count.raw.ptr ? take_number(subjects.raw, EVENT_SUBJECT, TOLD, stream) : 0;
}

void broker_stream_read(const struct nats_library *nats, natsConnection *connection,
                        const char *name, int64_t deadline_ns, struct broker_stream *stream) {
  char subject[sizeof READ_STREAM + BROKER_STREAM_NAME_MAX];
  static const char of_subject[] = "{\"subjects_filter\":\"" EVENT_SUBJECT "\"}";
  struct span answer = {NULL, 0};
  natsMsg *message;

  (void)snprintf(subject, sizeof subject, READ_STREAM "%s", name);
  message = ask(nats, connection, subject, "", deadline_ns, &answer, &stream->status);
  if (!message)
    return;
  if (!take_error(answer, stream))
    take_info(answer, stream);
  nats->natsMsg_Destroy(message);
  if (stream->state != BROKER_STREAM_KNOWN || stream->max_of_subject < 0)
    return;
  message = ask(nats, connection, subject, of_subject, deadline_ns, &answer, &stream->status);
  if (message) {
    stream->of_subject = count_of_subject(answer, stream);
    nats->natsMsg_Destroy(message);
  }
}

void broker_stream_find(const struct nats_library *nats, natsConnection *connection,
                        int64_t deadline_ns, struct broker_stream *stream) {
  static const char question[] = "{\"subject\":\"" EVENT_SUBJECT "\"}";
  struct span answer = {NULL, 0};
  natsMsg *message =
      ask(nats, connection, FIND_STREAM, question, deadline_ns, &answer, &stream->status);
  struct json_value streams;

  stream->state = BROKER_STREAM_UNKNOWN;
  if (!message) {
    if (stream->status == NATS_NO_RESPONDERS)
      stream->state = BROKER_STREAM_NO_JETSTREAM;
    return;
  }
  streams = member_of(answer, "streams");
  if (!take_error(answer, stream) && streams.raw.ptr &&
      (streams.type == JSON_ARRAY || streams.type == JSON_NULL) && take_name(streams.raw, stream))
    stream->state = BROKER_STREAM_NONE;
  nats->natsMsg_Destroy(message);
  if (!stream->name[0])
    return;
  stream->state = BROKER_STREAM_NAMED;
  broker_stream_read(nats, connection, stream->name, deadline_ns, stream);
}

/* NULL with *status. */
static natsMsg *make_probe(const struct nats_library *nats, natsStatus *status) {
  natsMsg *probe = NULL;

  *status = nats->natsMsg_Create(&probe, EVENT_SUBJECT, NULL, "", 0);
  if (*status == NATS_OK)
    *status = nats->natsMsgHeader_Set(probe, NATS_LIBRARY_EXPECTED_STREAM, NO_STREAM);
  if (*status == NATS_OK)
    return probe;
  if (probe)
    nats->natsMsg_Destroy(probe);
  return NULL;
}

natsStatus broker_stream_ask_leave(const struct nats_library *nats, natsConnection *connection,
                                   int64_t deadline_ns) {
  natsStatus status;
  natsMsg *probe = make_probe(nats, &status);

  return probe ? broker_server_ask_leave(nats, connection, probe, EVENT_SUBJECT, deadline_ns)
               : status;
}

/* BEYOND, LISTENED, NONE, or UNKNOWN. */
static void ask_subject(const struct nats_library *nats, natsConnection *connection,
                        int64_t deadline_ns, struct broker_stream *stream) {
  natsMsg *question = make_probe(nats, &stream->status), *message = NULL;
  struct span answer;

  if (question) {
    stream->status =
        nats->natsConnection_RequestMsg(&message, connection, question, clock_left_ms(deadline_ns));
    nats->natsMsg_Destroy(question);
  }
  if (stream->status == NATS_NO_RESPONDERS) {
    stream->state = BROKER_STREAM_NONE;
  } else if (stream->status == NATS_TIMEOUT) {
    stream->state = BROKER_STREAM_LISTENED;
  } else if (stream->status == NATS_OK) {
    answer =
        (struct span){nats->natsMsg_GetData(message), (size_t)nats->natsMsg_GetDataLength(message)};
    stream->state = number_of(member_of(answer, "error").raw, "err_code", 0) == JSStreamNotMatchErr
                        ? BROKER_STREAM_BEYOND
                        : BROKER_STREAM_LISTENED;
    (void)take_name(member_of(answer, "stream").raw, stream);
    nats->natsMsg_Destroy(message);
  } else {
    stream->state = BROKER_STREAM_UNKNOWN;
  }
}

void broker_stream_try(const struct nats_library *nats, natsConnection *connection,
                       int64_t deadline_ns, struct broker_stream *stream) {
  struct broker_stream tried = {.state = BROKER_STREAM_UNKNOWN};

  if (stream->state != BROKER_STREAM_NONE && stream->state != BROKER_STREAM_NO_JETSTREAM &&
      (stream->state != BROKER_STREAM_UNKNOWN || stream->electing))
    return;
  ask_subject(nats, connection, deadline_ns, &tried);
  if (tried.state == BROKER_STREAM_BEYOND || tried.state == BROKER_STREAM_LISTENED)
    *stream = tried;
  else if (tried.state == BROKER_STREAM_NONE && stream->state == BROKER_STREAM_UNKNOWN)
    stream->state = BROKER_STREAM_UNHEARD;
}

/* ---- what it holds --------------------------------------------------------------------------- */

bool broker_stream_place_is(const struct broker_stream_place *place, const char *domain,
                            const char *name) {
  return strcmp(place->name, name) == 0 && strcmp(place->domain, domain ? domain : "") == 0;
}

void broker_stream_place_set(struct broker_stream_place *place, const char *domain,
                             const char *name) {
  (void)snprintf(place->domain, sizeof place->domain, "%s", domain ? domain : "");
  (void)snprintf(place->name, sizeof place->name, "%s", name);
}

/* The subject for questions about the stream. */
static void api_subject(const struct broker_stream_place *place, const char *what, char *subject,
                        size_t size) {
  if (place->domain[0])
    (void)snprintf(subject, size, "$JS.%s.API.%s.%s", place->domain, what, place->name);
  else
    (void)snprintf(subject, size, API "%s.%s", what, place->name);
}

static int base64_digit(char c) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *at = c ? strchr(digits, c) : NULL;

  return at ? (int)(at - digits) : -1;
}

/* Do the headers of a stored message, in base64, name this id? */
static bool names_id(struct span headers, const char *id) {
  char text[HEADERS_MAX];
  unsigned bits = 0, held = 0;
  size_t len = 0;

  for (size_t i = 0; i < headers.len && len < sizeof text; i++) {
    int digit = base64_digit(headers.ptr[i]);

    if (digit < 0)
      continue;
    bits = bits << 6 | (unsigned)digit;
    held += 6;
    if (held >= 8) {
      held -= 8;
      text[len++] = (char)(bits >> held & 0xff);
    }
  }
  return memmem(text, len, id, strlen(id)) != NULL;
}

static int last_sequence_reaches(const struct nats_library *nats, natsConnection *connection,
                                 const struct broker_stream_place *place, uint64_t sequence,
                                 int64_t deadline_ns) {
  char subject[sizeof place->domain + sizeof place->name + 32];
  struct span answer = {NULL, 0};
  natsStatus status;
  natsMsg *message;
  int64_t last;

  api_subject(place, "STREAM.INFO", subject, sizeof subject);
  message = ask(nats, connection, subject, "", deadline_ns, &answer, &status);
  if (!message)
    return -1;
  last = number_of(member_of(answer, "state").raw, "last_seq", -1);
  nats->natsMsg_Destroy(message);
  return last < 0 ? -1 : (uint64_t)last < sequence ? 0 : 2;
}

int broker_stream_holds(const struct nats_library *nats, natsConnection *connection,
                        const struct broker_stream_place *place, uint64_t sequence, const char *id,
                        int64_t deadline_ns) {
  char subject[sizeof place->domain + sizeof place->name + 32], question[48];
  struct span answer = {NULL, 0};
  struct json_value stored;
  natsStatus status;
  natsMsg *message;
  int result = -1;

  api_subject(place, "STREAM.MSG.GET", subject, sizeof subject);
  (void)snprintf(question, sizeof question, "{\"seq\":%" PRIu64 "}", sequence);
  message = ask(nats, connection, subject, question, deadline_ns, &answer, &status);
  if (!message)
    return -1;
  stored = member_of(answer, "message");
  if (stored.raw.ptr && stored.type == JSON_OBJECT)
    result = names_id(member_of(stored.raw, "hdrs").raw, id) ? 1 : 0;
  else if (number_of(member_of(answer, "error").raw, "err_code", 0) == NATS_LIBRARY_NO_MESSAGE)
    result = last_sequence_reaches(nats, connection, place, sequence, deadline_ns);
  nats->natsMsg_Destroy(message);
  return result;
}

void broker_stream_fini(struct broker_stream *stream) {
  buffer_fini(&stream->subjects);
  buffer_fini(&stream->untold);
}

/* stream_verdict.c - whether events can be published to the stream that takes our subject.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/stream_verdict.h"

#include <stdio.h>
#include <string.h>

#include "broker/broker_server.h"

/* 1 with *trouble. */
static int say(struct transport_trouble *trouble, bool hopeless, const char *before,
               const char *name, const char *after) {
  trouble->hopeless = hopeless;
  (void)snprintf(trouble->text, sizeof trouble->text, "%s%.64s%s", before, name, after);
  return 1;
}

/* -1 with *trouble, which may pass. */
static int doubt(struct transport_trouble *trouble, const char *before, const char *name,
                 const char *between, const char *why) {
  trouble->hopeless = false;
  (void)snprintf(trouble->text, sizeof trouble->text, "%s%.64s%s%s", before, name, between, why);
  return -1;
}

/* True with *trouble: it refuses every event for its size, or acknowledges events and stores
 * none. */
static bool is_useless(const struct broker_stream *stream, struct transport_trouble *trouble) {
  if (stream->max_message_bytes >= 0 && stream->max_message_bytes < BROKER_SERVER_EVENT_LEAST)
    return say(trouble, true, "stream ", stream->name,
               " does not take a message as large as an event; raise its max_msg_size");
  if (!stream->discards_new && stream->max_bytes >= 0 &&
      stream->max_bytes < BROKER_SERVER_EVENT_LEAST)
    return say(trouble, true, "stream ", stream->name,
               " has no room for a single event (max_bytes); raise its max_bytes");
  if (stream->wants_interest && stream->consumers == 0)
    return say(
        trouble, true, "stream ", stream->name,
        " keeps only messages for its consumers and has no consumer: events would be dropped");
  return false;
}

/* True with *trouble: it may have a limit, or have reached one, and does not tell. */
static bool is_doubtful(const struct broker_stream *stream, struct transport_trouble *trouble) {
  if (stream->unread)
    return doubt(trouble, "stream ", stream->name, " tells what cannot be read: ", stream->unread);
  if (stream->wants_interest && stream->consumers < 0)
    return doubt(trouble, "stream ", stream->name, " keeps only messages for its consumers and ",
                 "does not tell how many it has");
  if (stream->discards_new && ((stream->max_of_subject > 0 && stream->of_subject < 0) ||
                               (stream->max_messages >= 0 && stream->messages < 0) ||
                               (stream->max_bytes >= 0 && stream->bytes < 0)))
    return doubt(trouble, "stream ", stream->name, " discards new messages when it is full, and ",
                 "does not tell what it holds");
  return false;
}

static int judge_config(const struct broker_stream *stream, struct transport_trouble *trouble) {
  const char *name = stream->name;

  if (stream->no_ack)
    return say(trouble, true, "stream ", name,
               " acknowledges nothing (no_ack); set its no_ack to false");
  if (stream->sealed)
    return say(trouble, true, "stream ", name,
               " is sealed and accepts no messages; create another stream for the subject");
  if (is_useless(stream, trouble))
    return 1;
  if (stream->discards_new && stream->max_of_subject > 0 &&
      stream->of_subject >= stream->max_of_subject)
    return say(trouble, true, "stream ", name,
               " is full (max_msgs_per_subject) and discards new messages; raise the limit");
  if (stream->discards_new && stream->max_messages >= 0 && stream->messages >= stream->max_messages)
    return say(trouble, true, "stream ", name,
               " is full (max_msgs) and discards new messages; raise the limit or purge it");
  if (stream->discards_new && stream->max_bytes >= 0 &&
      stream->bytes > stream->max_bytes - BROKER_SERVER_EVENT_LEAST)
    return say(trouble, true, "stream ", name,
               " is full (max_bytes) and discards new messages; raise the limit or purge it");
  if (is_doubtful(stream, trouble))
    return -1;
  if (stream->max_message_bytes >= 0 && stream->max_message_bytes < BROKER_SERVER_EVENT_MOST)
    return doubt(trouble, "stream ", name, " refuses events with long names; ",
                 "raise its max_msg_size to 768 or more");
  return 0;
}

const char *stream_verdict_silence(const struct broker_stream *stream) {
  if (stream->electing)
    return "the cluster is electing a leader";
  switch (stream->status) {
  case NATS_OK:
    return "the answers on $JS.API are not those of a NATS server";
  case NATS_NOT_PERMITTED:
    return "this user may not ask on $JS.API or receive the answer";
  case NATS_CONNECTION_CLOSED:
  case NATS_CONNECTION_DISCONNECTED:
  case NATS_IO_ERROR:
    return "the broker closed the connection";
  default:
    return stream->name[0] ? "its leader is being elected or its servers are down"
                           : "no answer on $JS.API";
  }
}

int stream_verdict_of(const struct broker_stream *stream, const struct transport_settings *settings,
                      struct transport_trouble *trouble) {
  const char *wanted = settings->stream;

  if (stream->name[0] && wanted[0] && strcmp(wanted, stream->name) != 0)
    return say(trouble, true, "the subject belongs to another stream than the configured ", wanted,
               "");
  switch (stream->state) {
  case BROKER_STREAM_KNOWN:
    return judge_config(stream, trouble);
  case BROKER_STREAM_BEYOND:
    return wanted[0] && !stream->name[0]
               ? doubt(trouble, "the stream of the subject does not tell whether it is ", wanted,
                       "", "")
               : 0;
  case BROKER_STREAM_NAMED:
    return doubt(trouble, "stream ", stream->name,
                 stream->status == NATS_TIMEOUT ? " does not answer: " : " cannot be asked: ",
                 stream_verdict_silence(stream));
  case BROKER_STREAM_NONE:
  case BROKER_STREAM_UNHEARD:
    return say(trouble, true, "no stream takes the subject; create one: kaizen-host broker init",
               "", "");
  case BROKER_STREAM_NO_JETSTREAM:
    return say(trouble, true, "no JetStream for this account; enable it, or set publish to core",
               "", "");
  case BROKER_STREAM_LISTENED:
    (void)say(trouble, true, "something listens on the subject, but no stream says that it stores",
              "", "");
    return -1;
  case BROKER_STREAM_UNKNOWN:
    break;
  }
  return doubt(trouble, "cannot ask any stream", "", ": ", stream_verdict_silence(stream));
}

void stream_verdict_find_trouble(const struct nats_library *nats, natsConnection *connection,
                                 int64_t deadline_ns, const struct transport_settings *settings,
                                 struct transport_trouble *trouble) {
  struct broker_stream stream = {.state = BROKER_STREAM_UNKNOWN};
  struct transport_trouble its = {0};
  int verdict = 0;

  broker_stream_find(nats, connection, deadline_ns, &stream);
  if (stream.state != BROKER_STREAM_UNKNOWN || stream.electing)
    verdict = stream_verdict_of(&stream, settings, &its);
  if (verdict > 0 || (verdict < 0 && stream.state != BROKER_STREAM_KNOWN))
    *trouble = its; /* a doubt about a known stream explains nothing */
  broker_stream_fini(&stream);
}

int stream_verdict_find_useless(const struct nats_library *nats, natsConnection *connection,
                                int64_t deadline_ns, struct transport_trouble *trouble) {
  struct broker_stream stream = {.state = BROKER_STREAM_UNKNOWN};
  struct transport_trouble doubts;
  int useless = -1;

  broker_stream_find(nats, connection, deadline_ns, &stream);
  if (stream.state == BROKER_STREAM_KNOWN && is_useless(&stream, trouble))
    useless = 1;
  else if (stream.state == BROKER_STREAM_KNOWN && !is_doubtful(&stream, &doubts))
    useless = 0;
  broker_stream_fini(&stream);
  return useless;
}

/* broker.c - looking at and setting up the broker.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "broker/broker_version.h"
#include "broker/transport_connect.h"
#include "broker/transport_explain.h"
#include "common/json_reader.h"
#include "common/json_writer.h"
#include "common/utf8.h"
#include "record/event.h"

#define DEFAULT_STREAM "ACTIVITY_EVENTS"
#define STREAM_NAME_MAX 255
#define FIND_STREAM "$JS.API.STREAM.NAMES"
#define DUPLICATES_NS (INT64_C(86400) * 1000000000)
#define SUBJECTS_OVERLAP 10065 /* JSStreamSubjectOverlapErr */
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define LOOK_MS 100
#define URL_MAX 512

/* What was found out, and says so. */
struct broker {
  const struct nats_library *nats;
  struct transport_settings settings;
  uint32_t timeout_ms;
  natsConnection *connection;
  jsCtx *stream_context;
  bool jetstream;
  char version[BROKER_VERSION_MAX]; /* "" when it does not tell */
  char stream[STREAM_NAME_MAX + 1]; /* that takes our subject; "": none does */
  jsStreamInfo *info;
  const char *action;               /* init only */
  struct transport_trouble trouble; /* "": events can be published */
};

static int explain(struct broker *broker, natsStatus status, int code) {
  transport_explain(broker->nats, &broker->settings, status, code, &broker->trouble);
  return -1;
}

static void read_version(struct broker *broker) {
  char url[URL_MAX];

  if (broker->nats->natsConnection_GetConnectedUrl(broker->connection, url, sizeof url) == NATS_OK)
    broker_version_read(url, clock_monotonic_ns() + broker->timeout_ms * NS_PER_MS,
                        broker->version);
  if (!utf8_valid((struct span){broker->version, strlen(broker->version)}))
    broker->version[0] = '\0';
}

static int connect_broker(struct broker *broker) {
  struct error error;
  natsStatus status;

  broker->nats = nats_library_get(&error);
  if (!broker->nats) {
    (void)snprintf(broker->trouble.text, sizeof broker->trouble.text, "%.150s", error.text);
    return -1;
  }
  broker->connection =
      transport_connect(broker->nats, &broker->settings, NULL, NULL, NULL, &broker->trouble);
  if (!broker->connection)
    return -1;
  read_version(broker);
  status =
      broker->nats->natsConnection_JetStream(&broker->stream_context, broker->connection, NULL);
  return status == NATS_OK ? 0 : explain(broker, status, 0);
}

static void close_broker(struct broker *broker) {
  if (broker->info)
    broker->nats->jsStreamInfo_Destroy(broker->info);
  if (broker->stream_context)
    broker->nats->jsCtx_Destroy(broker->stream_context);
  if (broker->connection)
    broker->nats->natsConnection_Destroy(broker->connection);
  if (broker->nats)
    broker->nats->nats_ReleaseThreadMemory();
}

/* The first name in the answer's "streams". */
static void read_stream_name(struct broker *broker, struct span answer) {
  struct json_reader cursor;
  struct json_member member;

  if (json_reader_open(&cursor, answer, JSON_LENIENT, JSON_DEPTH_MAX, NULL) != 0)
    return;
  while (json_reader_next(&cursor, &member, NULL) == 1) {
    const char *begin, *end;

    if (!json_value_is_named(&member, "streams") || member.value.type != JSON_ARRAY)
      continue;
    begin = memchr(member.value.raw.ptr, '"', member.value.raw.len);
    end = begin ? memchr(begin + 1, '"',
                         (size_t)(member.value.raw.ptr + member.value.raw.len - begin - 1))
                : NULL;
    if (!end || (size_t)(end - begin - 1) > STREAM_NAME_MAX)
      continue; /* names hold no quotes */
    memcpy(broker->stream, begin + 1, (size_t)(end - begin - 1));
    broker->stream[end - begin - 1] = '\0';
  }
}

static int find_stream(struct broker *broker) {
  static const char question[] = "{\"subject\":\"" EVENT_SUBJECT "\"}";
  natsMsg *answer = NULL;
  natsStatus status =
      broker->nats->natsConnection_Request(&answer, broker->connection, FIND_STREAM, question,
                                           (int)sizeof question - 1, broker->timeout_ms);

  if (status == NATS_NO_RESPONDERS)
    return explain(broker, NATS_ERR, JSNotEnabledErr);
  if (status != NATS_OK)
    return explain(broker, status, 0);
  broker->jetstream =
      memmem(broker->nats->natsMsg_GetData(answer),
             (size_t)broker->nats->natsMsg_GetDataLength(answer), "\"error\"", 7) == NULL;
  read_stream_name(broker, (struct span){broker->nats->natsMsg_GetData(answer),
                                         (size_t)broker->nats->natsMsg_GetDataLength(answer)});
  broker->nats->natsMsg_Destroy(answer);
  return broker->jetstream ? 0 : explain(broker, NATS_ERR, JSNotEnabledForAccountErr);
}

static int read_stream(struct broker *broker, const char *name) {
  jsErrCode code = 0;
  jsOptions options;
  natsStatus status;

  (void)broker->nats->jsOptions_Init(&options);
  options.Wait = broker->timeout_ms;
  status =
      broker->nats->js_GetStreamInfo(&broker->info, broker->stream_context, name, &options, &code);
  if (status == NATS_OK)
    return 0;
  return code == JSStreamNotFoundErr ? 1 : explain(broker, status, (int)code);
}

/* Everything that must hold before events can be published. */
static int look(struct broker *broker) {
  const char *wanted = broker->settings.stream;

  if (connect_broker(broker) != 0)
    return -1;
  if (find_stream(broker) != 0) {
    if (!broker->settings.core || broker->jetstream)
      return -1;
    broker->trouble.text[0] = '\0';
    return 0;
  }
  if (broker->stream[0] && read_stream(broker, broker->stream) < 0)
    return -1;
  if (broker->settings.core)
    return 0;
  if (!broker->stream[0])
    return explain(broker, NATS_NO_RESPONDERS, 0);
  if (wanted[0] && strcmp(wanted, broker->stream) != 0)
    return explain(broker, NATS_ERR, JSStreamNotMatchErr);
  return 0;
}

static void write_text(struct buffer *out, const char *name, const char *value) {
  buffer_append_text(out, name);
  json_writer_string(out, (struct span){value, strlen(value)});
}

static void write_stream(const jsStreamInfo *info, struct buffer *out) {
  const jsStreamConfig *config = info ? info->Config : NULL;

  buffer_append_text(out, ",\"subjects\":[");
  for (int i = 0; config && i < config->SubjectsLen; i++)
    write_text(out, i ? "," : "", config->Subjects[i]);
  buffer_append_text(out, "],\"replicas\":");
  json_writer_integer(out, config ? config->Replicas : 0);
  buffer_append_text(out, ",\"duplicate_window_s\":");
  json_writer_integer(out, config ? config->Duplicates / NS_PER_S : 0);
}

static void write_report(const struct broker *broker, struct buffer *out) {
  bool ok = !broker->trouble.text[0];

  write_text(out, "{\"url\":", broker->settings.shown_url);
  buffer_append_text(out, broker->connection ? ",\"connected\":true" : ",\"connected\":false");
  write_text(out, ",\"server_version\":", broker->version);
  buffer_append_text(out, broker->jetstream ? ",\"jetstream\":true" : ",\"jetstream\":false");
  write_text(out, ",\"stream\":", broker->stream);
  write_stream(broker->info, out);
  buffer_append_text(out, ok ? ",\"ok\":true" : ",\"ok\":false");
  write_text(out, ",\"reason\":", broker->trouble.text);
  if (broker->action)
    write_text(out, ",\"action\":", broker->action);
  buffer_append_byte(out, '}');
}

/* Ends a call: the report, then 0 or what is wrong. */
static int finish(struct broker *broker, struct buffer *report, struct error *error) {
  write_report(broker, report);
  close_broker(broker);
  if (broker->trouble.text[0])
    return error_set(error, KAIZEN_E_IO, "%s", broker->trouble.text);
  return report->failed ? error_set(error, KAIZEN_E_NOMEM, "out of memory") : 0;
}

int broker_check(const struct transport_settings *settings, uint32_t timeout_ms,
                 struct buffer *report, struct error *error) {
  struct broker broker = {.settings = transport_settings_complete(settings),
                          .timeout_ms = timeout_ms > 0 ? timeout_ms : 1};
  struct nats_library_guard guard;
  int result;

  nats_library_enter(&guard);
  (void)look(&broker);
  result = finish(&broker, report, error);
  nats_library_leave(&guard);
  return result;
}

static void refuse(struct broker *broker, const char *before, const char *name, const char *after) {
  broker->action = "refused";
  broker->trouble.hopeless = true;
  (void)snprintf(broker->trouble.text, sizeof broker->trouble.text, "%s%.64s%s", before, name,
                 after);
}

static void add_stream(struct broker *broker, const char *name, uint32_t replicas) {
  static const char *subjects[] = {"activity.>", "org.>"}; /* the router listens on both */
  jsStreamConfig config;
  jsErrCode code = 0;
  jsOptions options;
  natsStatus status;

  (void)broker->nats->jsOptions_Init(&options);
  options.Wait = broker->timeout_ms;
  (void)broker->nats->jsStreamConfig_Init(&config);
  config.Name = name;
  config.Subjects = subjects;
  config.SubjectsLen = 2;
  config.Storage = js_FileStorage;
  config.Replicas = replicas;
  config.Duplicates = DUPLICATES_NS;
  status =
      broker->nats->js_AddStream(&broker->info, broker->stream_context, &config, &options, &code);
  if (status == NATS_OK) {
    broker->action = "created";
    broker->trouble.text[0] = '\0';
    (void)snprintf(broker->stream, sizeof broker->stream, "%s", name);
  } else if (code == SUBJECTS_OVERLAP) {
    refuse(broker, "another stream has subjects that ", name,
           " would take; name that one with --stream");
  } else {
    broker->action = "refused";
    (void)explain(broker, status, (int)code);
  }
}

static void decide(struct broker *broker, const char *name, uint32_t replicas, bool dry_run) {
  int result;

  broker->trouble.text[0] = '\0';
  if (broker->stream[0] && strcmp(broker->stream, name) == 0) {
    broker->action = "exists";
    return;
  }
  if (broker->stream[0]) {
    refuse(broker, "the subject " EVENT_SUBJECT " belongs to stream ", broker->stream, "");
    return;
  }
  result = read_stream(broker, name);
  if (result == 0) {
    refuse(broker, "stream ", name, " exists and does not take " EVENT_SUBJECT);
  } else if (result == 1 && dry_run) {
    broker->action = "would-create";
    broker->trouble.text[0] = '\0';
  } else if (result == 1) {
    add_stream(broker, name, replicas);
  }
}

int broker_init(const struct transport_settings *settings, const char *name, uint32_t replicas,
                bool dry_run, uint32_t timeout_ms, struct buffer *report, struct error *error) {
  struct broker broker = {.settings = transport_settings_complete(settings),
                          .timeout_ms = timeout_ms > 0 ? timeout_ms : 1,
                          .action = "refused"};
  struct nats_library_guard guard;
  int result;

  if (replicas < 1 || replicas > 5)
    return error_set(error, KAIZEN_E_ARGUMENT, "replicas %u: must be 1 to 5", (unsigned)replicas);
  nats_library_enter(&guard);
  if (connect_broker(&broker) == 0 && find_stream(&broker) == 0 &&
      (!broker.stream[0] || read_stream(&broker, broker.stream) == 0))
    decide(&broker, name && *name ? name : DEFAULT_STREAM, replicas, dry_run);
  result = finish(&broker, report, error);
  nats_library_leave(&guard);
  return result;
}

/* The host's signal handlers run between the looks. */
static natsStatus next_message(const struct broker *broker, natsSubscription *subscription,
                               natsMsg **message) {
  struct nats_library_guard guard;
  natsStatus status;

  nats_library_enter(&guard);
  status = broker->nats->natsSubscription_NextMsg(message, subscription, LOOK_MS);
  nats_library_leave(&guard);
  return status;
}

static int watch(struct broker *broker, natsSubscription *subscription, kaizen_sink sink, void *ctx,
                 struct error *error) {
  int64_t last_ns = clock_monotonic_ns();

  for (;;) {
    natsMsg *message = NULL;
    natsStatus status = next_message(broker, subscription, &message);
    int32_t ended;

    if (status == NATS_OK) {
      ended = sink(ctx, broker->nats->natsMsg_GetData(message),
                   (size_t)broker->nats->natsMsg_GetDataLength(message));
      broker->nats->natsMsg_Destroy(message);
      last_ns = clock_monotonic_ns();
    } else if (status == NATS_TIMEOUT) {
      ended = sink(ctx, "", 0);
    } else {
      (void)explain(broker, status, 0);
      return error_set(error, KAIZEN_E_IO, "%s", broker->trouble.text);
    }
    if (ended != 0 || (broker->timeout_ms > 0 &&
                       clock_monotonic_ns() >= last_ns + broker->timeout_ms * NS_PER_MS))
      return 0;
  }
}

int broker_watch(const struct transport_settings *settings, uint32_t timeout_ms, kaizen_sink sink,
                 void *ctx, struct error *error) {
  struct broker broker = {.settings = transport_settings_complete(settings),
                          .timeout_ms = timeout_ms}; /* 0: for as long as the host wants */
  struct nats_library_guard guard;
  natsSubscription *subscription = NULL;
  int result = -1;

  nats_library_enter(&guard);
  if (connect_broker(&broker) == 0) {
    natsStatus status =
        broker.nats->natsConnection_SubscribeSync(&subscription, broker.connection, EVENT_SUBJECT);

    if (status != NATS_OK)
      (void)explain(&broker, status, 0);
  }
  nats_library_leave(&guard);
  if (subscription)
    result = watch(&broker, subscription, sink, ctx, error);
  else
    (void)error_set(error, KAIZEN_E_IO, "%s", broker.trouble.text);
  nats_library_enter(&guard);
  if (subscription)
    broker.nats->natsSubscription_Destroy(subscription);
  close_broker(&broker);
  nats_library_leave(&guard);
  return result;
}

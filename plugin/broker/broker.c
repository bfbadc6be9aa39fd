/* broker.c - checking and setting up the broker.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The check runs on a thread that is left behind at the caller's deadline, so that neither the
 * library nor the broker can make the call late.  Each step keeps that deadline; closing has its
 * own. */
#include "broker/broker.h"

#include <kaizen/plugin.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/errand.h"
#include "broker/broker_findings.h"
#include "broker/broker_server.h"
#include "broker/stream_verdict.h"
#include "broker/transport_connect.h"
#include "broker/transport_explain.h"
#include "common/utf8.h"
#include "record/event.h"

#define DEFAULT_STREAM "ACTIVITY_EVENTS"
#define DUPLICATES_NS (INT64_C(86400) * 1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define SPARE_NS (50 * NS_PER_MS) /* of the caller's time, for the report */
#define VERSION_NS (500 * NS_PER_MS)
#define CLOSE_NS (100 * NS_PER_MS)
#define LEAVE "permission to publish"

/* What is waited for before there is a connection. */
static const char the_library[] = "the NATS library", the_login[] = "the login";

/* What is asked, and what was found out. */
struct broker {
  const struct nats_library *nats;
  struct transport_settings settings; /* owns its strings */
  int64_t deadline_ns;
  natsConnection *connection;
  char connected_url[TRANSPORT_CONNECT_URL_SIZE];
  _Atomic(const char *) waits_for; /* what it waits for now */
  const char **waited_for;         /* the caller's: what it waited for when it was left behind */
  natsStatus leave; /* as broker_stream_ask_leave(); NATS_OK, too, where it is not asked */
  struct broker_findings found;

  /* init only */
  char name[BROKER_STREAM_NAME_MAX + 1];
  uint32_t replicas;
  bool dry_run;
};

static void refuse(struct broker *broker, const char *before, const char *name, const char *after) {
  broker->found.verdict = 1;
  broker->found.trouble.hopeless = true;
  (void)snprintf(broker->found.trouble.text, sizeof broker->found.trouble.text, "%s%.64s%s", before,
                 name, after);
}

static void read_version(struct broker *broker) {
  int64_t deadline_ns = clock_monotonic_ns() + VERSION_NS;

  if (deadline_ns > broker->deadline_ns)
    deadline_ns = broker->deadline_ns;
  broker_version_read(broker->connected_url, deadline_ns, broker->found.version);
  if (!utf8_valid((struct span){broker->found.version, strlen(broker->found.version)}))
    broker->found.version[0] = '\0';
  if (!broker->found.version[0])
    broker_findings_add_unknown(&broker->found, "the server's version",
                                "no greeting that names one was read within half a second");
}

static int connect_broker(struct broker *broker) {
  struct error error;

  atomic_store(&broker->waits_for, the_login);
  broker->nats = nats_library_get(&error);
  if (!broker->nats) {
    broker->found.verdict = 1;
    (void)snprintf(broker->found.trouble.text, sizeof broker->found.trouble.text, "%.150s",
                   error.text);
    return -1;
  }
  broker->connection = transport_connect(
      broker->nats, &broker->settings, (struct transport_patience){broker->deadline_ns, 0, true},
      NULL, NULL, NULL, broker->connected_url, &broker->found.trouble);
  broker->found.connected = broker->connection != NULL;
  broker->found.verdict = broker->connection ? 0 : broker->found.trouble.hopeless ? 1 : -1;
  return broker->connection ? 0 : -1;
}

static void close_broker(void *ctx) {
  struct broker *broker = ctx;

  if (broker->connection)
    broker->nats->natsConnection_Destroy(broker->connection);
  if (broker->nats)
    broker->nats->nats_ReleaseThreadMemory();
  broker_findings_fini(&broker->found);
  transport_settings_fini(&broker->settings);
  free(broker);
}

static void explain_denial(struct broker *broker) {
  transport_explain(broker->nats, &broker->settings, NATS_NOT_PERMITTED, 0, NULL,
                    &broker->found.trouble);
  broker->found.verdict = 1;
}

/* A stream may be there, and this user not be permitted to publish to it. */
static void judge_leave(struct broker *broker) {
  struct broker_findings *found = &broker->found;

  if (broker->leave == NATS_NOT_PERMITTED && found->verdict <= 0) {
    explain_denial(broker);
  } else if (broker->leave != NATS_OK && found->verdict == 0) {
    transport_explain(broker->nats, &broker->settings, broker->leave, 0, NULL, &found->trouble);
    found->verdict = -1;
  }
}

static void judge_stream(struct broker *broker) {
  struct broker_findings *found = &broker->found;

  found->verdict = broker->settings.core
                       ? 0
                       : stream_verdict_of(&found->stream, &broker->settings, &found->trouble);
  judge_leave(broker);
}

/* ---- making one ------------------------------------------------------------------------------ */

static void add_stream(struct broker *broker) {
  static const char *subjects[] = {"activity.>", "org.>"}; /* the router listens on both */
  const struct nats_library *nats = broker->nats;
  jsCtx *context = NULL;
  jsStreamConfig config;
  jsErrCode code = 0;
  jsOptions options;
  natsStatus status;

  (void)nats->jsOptions_Init(&options);
  options.Wait = clock_left_ms(broker->deadline_ns);
  (void)nats->jsStreamConfig_Init(&config);
  config.Name = broker->name;
  config.Subjects = subjects;
  config.SubjectsLen = 2;
  config.Storage = js_FileStorage;
  config.Replicas = broker->replicas;
  config.Duplicates = DUPLICATES_NS;
  status = nats->natsConnection_JetStream(&context, broker->connection, NULL);
  if (status == NATS_OK)
    status = nats->js_AddStream(NULL, context, &config, &options, &code);
  if (status == NATS_OK) {
    broker->found.action = "created";
    broker_stream_find(nats, broker->connection, broker->deadline_ns, &broker->found.stream);
    judge_stream(broker);
  } else if (code == NATS_LIBRARY_SUBJECTS_OVERLAP) {
    refuse(broker, "another stream has subjects that ", broker->name,
           " would take; name that one with --stream");
  } else if (broker_server_denied(nats, broker->connection, "STREAM.CREATE")) {
    refuse(broker, "the broker does not permit this user to create stream ", broker->name,
           "; use another login");
  } else {
    transport_explain(nats, &broker->settings, status, (int)code, nats->nats_GetLastError(NULL),
                      &broker->found.trouble);
    broker->found.verdict = 1;
  }
  if (context)
    nats->jsCtx_Destroy(context);
}

static const char *why_not_made(const struct broker_stream *stream) {
  switch (stream->state) {
  case BROKER_STREAM_NO_JETSTREAM:
    return "no JetStream for this account; enable it";
  case BROKER_STREAM_UNKNOWN:
    return stream_verdict_silence(stream);
  default:
    return "something answers for the subject and tells no name";
  }
}

static void decide(struct broker *broker) {
  struct broker_stream named = {.state = BROKER_STREAM_UNKNOWN};
  struct broker_stream *stream = &broker->found.stream;

  if (stream->name[0] && strcmp(stream->name, broker->name) == 0) {
    broker->found.action = "exists"; /* the verdict says whether it is suitable */
    return;
  }
  if (stream->name[0]) {
    refuse(broker, "the subject " EVENT_SUBJECT " belongs to stream ", stream->name, "");
    return;
  }
  if (stream->state != BROKER_STREAM_NONE && stream->state != BROKER_STREAM_UNHEARD) {
    if (broker->found.verdict == 0) /* events may be published all the same */
      refuse(broker, "no stream was made: ", why_not_made(stream), "");
    return; /* else the trouble already says so */
  }
  broker_stream_read(broker->nats, broker->connection, broker->name, broker->deadline_ns, &named);
  if (named.state == BROKER_STREAM_KNOWN) {
    refuse(broker, "stream ", broker->name, " exists and does not take " EVENT_SUBJECT);
  } else if (named.state == BROKER_STREAM_NONE) {
    broker->found.verdict = 0;
    broker->found.action = broker->dry_run ? "would-create" : "refused";
    if (broker->dry_run)
      judge_leave(broker);
    else
      add_stream(broker);
  } else {
    (void)stream_verdict_of(&named, &broker->settings, &broker->found.trouble);
    broker->found.verdict = -1;
  }
  broker_stream_fini(&named);
}

/* ---- the check ------------------------------------------------------------------------------- */

static int64_t half_way_ns(const struct broker *broker) {
  int64_t now_ns = clock_monotonic_ns();

  return now_ns + (broker->deadline_ns - now_ns) / 2;
}

static void ask_leave(struct broker *broker) {
  atomic_store(&broker->waits_for, "an answer on the subject");
  broker->leave = broker_stream_ask_leave(broker->nats, broker->connection, broker->deadline_ns);
  if (broker->leave == NATS_OK) /* without it, silence would be taken for a listener's */
    broker_stream_try(broker->nats, broker->connection, broker->deadline_ns, &broker->found.stream);
  else if (broker->leave != NATS_NOT_PERMITTED)
    broker_findings_add_unknown(&broker->found, LEAVE,
                                broker->nats->natsStatus_GetText(broker->leave));
}

static void find_stream(struct broker *broker) {
  struct broker_findings *found = &broker->found;
  natsStatus hearing;

  if (!broker_server_takes_events(broker->nats, broker->connection, &found->trouble)) {
    broker_findings_add_unknown(found, "the stream", "not asked, as the server takes no event");
    found->verdict = 1;
    return;
  }
  atomic_store(&broker->waits_for, "a ping");
  hearing = broker_server_ask_hearing(broker->nats, broker->connection, half_way_ns(broker));
  atomic_store(&broker->waits_for, "the stream");
  found->stream.status = hearing;
  if (hearing == NATS_OK)
    broker_stream_find(broker->nats, broker->connection, half_way_ns(broker), &found->stream);
  if (hearing != NATS_OK && hearing != NATS_NOT_PERMITTED) {
    transport_explain(broker->nats, &broker->settings, hearing, 0, NULL, &found->trouble);
    found->verdict = -1;
  } else if (broker->settings.core) {
    broker_findings_add_unknown(
        found, LEAVE, "not asked with publish: core, as subscribers would see the question");
    judge_stream(broker);
  } else if (hearing == NATS_NOT_PERMITTED) {
    explain_denial(broker); /* no answer can arrive */
  } else {
    ask_leave(broker);
    judge_stream(broker);
  }
  atomic_store(&broker->waits_for, "the stream");
  if (found->action)
    decide(broker);
  broker_findings_add_stream(found);
}

/* Limits of the account come on top of the stream's. */
static void find_room(struct broker *broker) {
  struct broker_findings *found = &broker->found;
  struct transport_trouble trouble;
  int room;

  if (broker->settings.core || found->stream.state != BROKER_STREAM_KNOWN || found->verdict > 0)
    return;
  atomic_store(&broker->waits_for, "the account's room");
  room = broker_server_has_room(broker->nats, broker->connection, found->stream.in_memory,
                                broker->deadline_ns, &trouble);
  if (room < 0)
    broker_findings_add_unknown(found, "the account's room", trouble.text);
  if (room == 0) {
    found->trouble = trouble;
    found->verdict = 1;
  }
}

/* ---- calls ----------------------------------------------------------------------------------- */

static struct broker *new_broker(const struct transport_settings *given, int64_t deadline_ns) {
  const struct transport_settings settings = transport_settings_complete(given);
  struct broker *broker = calloc(1, sizeof *broker);

  if (!broker)
    return NULL;
  broker->deadline_ns = deadline_ns;
  if (transport_settings_copy(&broker->settings, &settings))
    return broker;
  transport_settings_fini(&broker->settings);
  free(broker);
  return NULL;
}

static void look(void *ctx) {
  struct broker *broker = ctx;

  if (connect_broker(broker) != 0)
    return;
  read_version(broker);
  find_stream(broker);
  find_room(broker);
  broker->nats->nats_ReleaseThreadMemory();
}

/* Called by the caller, while the thread works. */
static void note_wait(void *ctx) {
  struct broker *broker = ctx;
  const char *waits_for = atomic_load(&broker->waits_for);

  *broker->waited_for = waits_for ? waits_for : the_library;
}

/* The report of a check that was left behind. */
static void report_late(const struct transport_settings *given, const char *waited_for,
                        const char *action, struct buffer *report, struct error *error) {
  struct transport_settings settings = transport_settings_complete(given);
  struct broker_findings late = {
      .connected = waited_for != the_library && waited_for != the_login,
      .verdict = -1,
      .action = action,
  };

  (void)snprintf(late.trouble.text, sizeof late.trouble.text,
                 "no answer in time from %.80s: waited for %s", settings.shown_url, waited_for);
  if (late.connected)
    broker_findings_add_unknown(&late, "the stream", late.trouble.text);
  broker_findings_write(&late, settings.shown_url, report);
  (void)error_set(error, KAIZEN_E_IO, "%s", late.trouble.text);
}

/* Runs the check within the deadline.  Returns `broker`, or NULL with *report and *error. */
static struct broker *visit(struct broker *broker, const struct transport_settings *given,
                            struct buffer *report, struct error *error) {
  static const struct errand errand = {.work = look, .hurry = note_wait, .drop = close_broker};
  const char *action = broker->found.action, *waited_for = the_library;
  int result;

  broker->waited_for = &waited_for;
  result = errand_run(&errand, broker, broker->deadline_ns + SPARE_NS);
  if (result == 0)
    return broker;
  if (result < 0) {
    close_broker(broker);
    (void)error_set(error, KAIZEN_E_NOMEM, "no memory or no thread to contact the broker");
    return NULL;
  }
  report_late(given, waited_for, action, report, error);
  return NULL;
}

static int visit_and_report(struct broker *broker, const struct transport_settings *given,
                            struct buffer *report, struct error *error) {
  static const struct errand closing = {.work = close_broker};
  struct nats_library_guard guard;
  int result = -1;

  if (!broker)
    return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  nats_library_enter(&guard);
  broker = visit(broker, given, report, error);
  if (broker) {
    broker_findings_write(&broker->found, broker->settings.shown_url, report);
    if (broker->found.verdict != 0)
      (void)error_set(error, KAIZEN_E_IO, "%s", broker->found.trouble.text);
    else
      result = report->failed ? error_set(error, KAIZEN_E_NOMEM, "out of memory") : 0;
    if (errand_run(&closing, broker, clock_monotonic_ns() + CLOSE_NS) < 0)
      close_broker(broker);
  }
  nats_library_leave(&guard);
  return result;
}

static int64_t deadline_of(uint32_t timeout_ms) {
  return clock_monotonic_ns() + timeout_ms * NS_PER_MS - (timeout_ms > 200 ? 2 * SPARE_NS : 0);
}

int broker_check(const struct transport_settings *settings, uint32_t timeout_ms,
                 struct buffer *report, struct error *error) {
  return visit_and_report(new_broker(settings, deadline_of(timeout_ms)), settings, report, error);
}

int broker_init(const struct transport_settings *settings, const char *name, uint32_t replicas,
                bool dry_run, uint32_t timeout_ms, struct buffer *report, struct error *error) {
  char shown[UTF8_SHOWN_SIZE];
  struct broker *broker;

  if (replicas < 1 || replicas > 5)
    return error_set(error, KAIZEN_E_ARGUMENT, "replicas %u: must be 1 to 5", (unsigned)replicas);
  if (name && *name && !broker_stream_is_name((struct span){name, strlen(name)}))
    return error_set(error, KAIZEN_E_ARGUMENT,
                     "stream name \"%.60s\": at most %d bytes without blanks, control characters "
                     "and .*>/\\ are allowed",
                     utf8_show((struct span){name, strlen(name)}, shown), BROKER_STREAM_NAME_MAX);
  broker = new_broker(settings, deadline_of(timeout_ms));
  if (broker) {
    broker->found.action = "refused";
    broker->replicas = replicas;
    broker->dry_run = dry_run;
    (void)snprintf(broker->name, sizeof broker->name, "%s", name && *name ? name : DEFAULT_STREAM);
  }
  return visit_and_report(broker, settings, report, error);
}

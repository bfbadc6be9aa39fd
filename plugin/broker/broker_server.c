/* broker_server.c - whether a server takes events at all.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define ACCOUNT_INFO "$JS.API.INFO"
#define INBOX "_INBOX.kaizen-plugin.*" /* of the library's own form */
#define NO_LIMIT (-1)
#define ROOM_NS INT64_C(200000000) /* longer than a ping takes: the answer can be done without */

bool broker_server_takes_events(const struct nats_library *nats, natsConnection *connection,
                                struct transport_trouble *trouble) {
  int64_t most = nats->natsConnection_GetMaxPayload(connection);

  *trouble = (struct transport_trouble){.hopeless = true};
  if (nats->natsConnection_HasHeaderSupport(connection) != NATS_OK)
    (void)snprintf(trouble->text, sizeof trouble->text,
                   "the broker takes no headers, which every event has; remove no_header_support "
                   "from its configuration");
  else if (most < BROKER_SERVER_EVENT_LEAST)
    (void)snprintf(trouble->text, sizeof trouble->text,
                   "the broker takes at most %" PRId64
                   " bytes, less than any event has; raise its max_payload",
                   most);
  else
    return true;
  return false;
}

bool broker_server_denied(const struct nats_library *nats, natsConnection *connection,
                          const char *part) {
  const char *said = NULL;

  return nats->natsConnection_GetLastError(connection, &said) == NATS_NOT_PERMITTED && said &&
         strstr(said, part);
}

natsStatus broker_server_await_leave(const struct nats_library *nats, natsConnection *connection,
                                     const char *part, int64_t timeout_ms) {
  natsStatus status = nats->natsConnection_FlushTimeout(connection, timeout_ms);

  return status == NATS_OK && broker_server_denied(nats, connection, part) ? NATS_NOT_PERMITTED
                                                                           : status;
}

natsStatus broker_server_ask_leave(const struct nats_library *nats, natsConnection *connection,
                                   natsMsg *probe, const char *subject, int64_t deadline_ns) {
  natsStatus status = nats->natsConnection_PublishMsg(connection, probe);

  nats->natsMsg_Destroy(probe);
  return status == NATS_OK
             ? broker_server_await_leave(nats, connection, subject, clock_left_ms(deadline_ns))
             : status;
}

natsStatus broker_server_ask_hearing(const struct nats_library *nats, natsConnection *connection,
                                     int64_t deadline_ns) {
  natsSubscription *inbox = NULL;
  natsStatus status = nats->natsConnection_SubscribeSync(&inbox, connection, INBOX);

  if (status == NATS_OK)
    status = broker_server_await_leave(nats, connection, INBOX, clock_left_ms(deadline_ns));
  if (inbox)
    nats->natsSubscription_Destroy(inbox);
  return status;
}

/* A question that is denied would only be met with silence. */
static natsStatus may_ask_for_room(const struct nats_library *nats, natsConnection *connection,
                                   int64_t deadline_ns) {
  natsMsg *probe = NULL;
  natsStatus status = nats->natsMsg_Create(&probe, ACCOUNT_INFO, NULL, "", 0);

  return status == NATS_OK
             ? broker_server_ask_leave(nats, connection, probe, ACCOUNT_INFO, deadline_ns)
             : status;
}

static natsStatus ask_account(const struct nats_library *nats, natsConnection *connection,
                              int64_t deadline_ns, jsAccountInfo **account, jsErrCode *code) {
  int64_t asked_ns = clock_monotonic_ns(), answer_ns;
  natsStatus status = may_ask_for_room(nats, connection, deadline_ns);
  jsCtx *context = NULL;
  jsOptions options;

  if (status == NATS_OK)
    status = nats->natsConnection_JetStream(&context, connection, NULL);
  if (status != NATS_OK)
    return status;
  answer_ns = 2 * clock_monotonic_ns() - asked_ns + ROOM_NS;
  (void)nats->jsOptions_Init(&options);
  options.Wait = clock_left_ms(answer_ns < deadline_ns ? answer_ns : deadline_ns);
  status = nats->js_GetAccountInfo(account, context, &options, code);
  nats->jsCtx_Destroy(context);
  return status;
}

static const char *silence_about_room(const struct nats_library *nats, natsStatus status) {
  switch (status) {
  case NATS_NOT_PERMITTED:
    return "this user may not ask on " ACCOUNT_INFO;
  case NATS_TIMEOUT:
    return "no answer in time on " ACCOUNT_INFO;
  case NATS_ERR:
    return "the answer on " ACCOUNT_INFO " is not an account's";
  default:
    return nats->natsStatus_GetText(status);
  }
}

int broker_server_has_room(const struct nats_library *nats, natsConnection *connection,
                           bool in_memory, int64_t deadline_ns, struct transport_trouble *trouble) {
  jsAccountInfo *account = NULL;
  jsErrCode code = 0;
  natsStatus status = ask_account(nats, connection, deadline_ns, &account, &code);
  uint64_t used;
  int64_t most;

  *trouble = (struct transport_trouble){.text = ""};
  if (!account) {
    if (code != 0)
      (void)snprintf(trouble->text, sizeof trouble->text,
                     ACCOUNT_INFO " answers with JetStream error %d", (int)code);
    else
      (void)snprintf(trouble->text, sizeof trouble->text, "%s", silence_about_room(nats, status));
    return -1;
  }
  used = in_memory ? account->Memory : account->Store;
  most = in_memory ? account->Limits.MaxMemory : account->Limits.MaxStore;
  nats->jsAccountInfo_Destroy(account);
  if (most == NO_LIMIT)
    return 1;
  if (most <= 0 || used > INT64_MAX) {
    (void)snprintf(trouble->text, sizeof trouble->text, "the account's %s of %s cannot be read%s",
                   most <= 0 ? "limit" : "use", in_memory ? "memory" : "files",
                   most == 0 ? "; it may have limits per tier" : "");
    return -1;
  }
  if ((int64_t)used <= most - BROKER_SERVER_EVENT_LEAST)
    return 1;
  (void)snprintf(trouble->text, sizeof trouble->text,
                 "the account stores %" PRIu64 " of %" PRId64
                 " bytes; raise its JetStream limits, or remove messages",
                 used, most);
  return 0;
}

/* broker_server.c - whether a server takes events at all.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define ACCOUNT_INFO "$JS.API.INFO"
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

/* A question that is denied would only be met with silence. */
static natsStatus may_ask_for_room(const struct nats_library *nats, natsConnection *connection,
                                   int64_t deadline_ns) {
  natsMsg *probe = NULL;
  natsStatus status = nats->natsMsg_Create(&probe, ACCOUNT_INFO, NULL, "", 0);

  return status == NATS_OK
             ? broker_server_ask_leave(nats, connection, probe, ACCOUNT_INFO, deadline_ns)
             : status;
}

bool broker_server_has_room(const struct nats_library *nats, natsConnection *connection,
                            bool in_memory, int64_t deadline_ns,
                            struct transport_trouble *trouble) {
  int64_t used, most, asked_ns = clock_monotonic_ns(), answer_ns;
  jsAccountInfo *account = NULL;
  jsCtx *context = NULL;
  jsOptions options;

  if (asked_ns >= deadline_ns || may_ask_for_room(nats, connection, deadline_ns) != NATS_OK ||
      nats->natsConnection_JetStream(&context, connection, NULL) != NATS_OK)
    return true;
  answer_ns = 2 * clock_monotonic_ns() - asked_ns + ROOM_NS;
  (void)nats->jsOptions_Init(&options);
  options.Wait = clock_left_ms(answer_ns < deadline_ns ? answer_ns : deadline_ns);
  (void)nats->js_GetAccountInfo(&account, context, &options, NULL);
  nats->jsCtx_Destroy(context);
  if (!account)
    return true;
  used = (int64_t)(in_memory ? account->Memory : account->Store);
  most = in_memory ? account->Limits.MaxMemory : account->Limits.MaxStore;
  nats->jsAccountInfo_Destroy(account);
  if (most <= 0 || used + BROKER_SERVER_EVENT_LEAST <= most) /* 0: limits of another kind */
    return true;
  *trouble = (struct transport_trouble){.text = ""};
  (void)snprintf(trouble->text, sizeof trouble->text,
                 "the account stores %" PRId64 " of %" PRId64
                 " bytes; raise its JetStream limits, or remove messages",
                 used, most);
  return false;
}

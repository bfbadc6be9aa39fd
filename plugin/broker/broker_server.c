/* broker_server.c - whether a server takes events at all.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_server.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"

#define NS_PER_MS INT64_C(1000000)

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

bool broker_server_has_room(const struct nats_library *nats, natsConnection *connection,
                            bool in_memory, int64_t deadline_ns,
                            struct transport_trouble *trouble) {
  jsAccountInfo *account = NULL;
  int64_t used, most;
  jsCtx *context = NULL;
  jsOptions options;

  (void)nats->jsOptions_Init(&options);
  options.Wait = (deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
  if (options.Wait < 1 || nats->natsConnection_JetStream(&context, connection, NULL) != NATS_OK)
    return true;
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

/* broker_watch.c - receiving events as anybody would.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_watch.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/errand.h"
#include "broker/broker_server.h"
#include "broker/transport_connect.h"
#include "broker/transport_explain.h"
#include "record/event.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define CLOSE_NS (100 * NS_PER_MS)
/* The caller's time-out is the time without an event: it begins once the subscription stands. */
#define WATCH_CONNECT_LEAST_NS (2 * NS_PER_S)
#define WATCH_CONNECT_MOST_NS (10 * NS_PER_S)
#define LOOK_MS 100

struct watch {
  const struct nats_library *nats;
  struct transport_settings settings; /* the caller's strings */
  int64_t deadline_ns;                /* of the connection and the subscription */
  natsConnection *connection;
  natsSubscription *subscription;
  struct transport_trouble trouble;
};

/* The host's signal handlers run between two polls. */
static natsStatus next_message(const struct watch *watch, natsMsg **message) {
  struct nats_library_guard guard;
  natsStatus status;

  nats_library_enter(&guard);
  status = watch->nats->natsSubscription_NextMsg(message, watch->subscription, LOOK_MS);
  nats_library_leave(&guard);
  return status;
}

static int hand_out(struct watch *watch, uint32_t timeout_ms, kaizen_sink sink, void *ctx,
                    struct error *error) {
  int64_t last_ns = clock_monotonic_ns();

  for (;;) {
    natsMsg *message = NULL;
    natsStatus status = next_message(watch, &message);
    int32_t ended;

    if (status == NATS_OK) {
      ended = sink(ctx, watch->nats->natsMsg_GetData(message),
                   (size_t)watch->nats->natsMsg_GetDataLength(message));
      watch->nats->natsMsg_Destroy(message);
      last_ns = clock_monotonic_ns();
    } else if (status == NATS_TIMEOUT) {
      ended = sink(ctx, "", 0);
    } else {
      transport_explain(watch->nats, &watch->settings, status, 0, NULL, &watch->trouble);
      return error_set(error, KAIZEN_E_IO, "%s", watch->trouble.text);
    }
    if (ended != 0 || (timeout_ms > 0 && clock_monotonic_ns() >= last_ns + timeout_ms * NS_PER_MS))
      return 0;
  }
}

static int subscribe(struct watch *watch) {
  const struct nats_library *nats = watch->nats;
  natsStatus status =
      nats->natsConnection_SubscribeSync(&watch->subscription, watch->connection, EVENT_SUBJECT);

  if (status == NATS_OK)
    status = broker_server_await_leave(nats, watch->connection, EVENT_SUBJECT,
                                       clock_left_ms(watch->deadline_ns));
  if (status == NATS_OK)
    return 0;
  if (status == NATS_NOT_PERMITTED)
    (void)snprintf(watch->trouble.text, sizeof watch->trouble.text, "%s",
                   "the broker does not permit this user to subscribe to " EVENT_SUBJECT);
  else
    transport_explain(nats, &watch->settings, status, 0, NULL, &watch->trouble);
  return -1;
}

static int64_t connect_ns(uint32_t timeout_ms) {
  int64_t wanted_ns = timeout_ms * NS_PER_MS;

  if (timeout_ms == 0 || wanted_ns > WATCH_CONNECT_MOST_NS)
    return WATCH_CONNECT_MOST_NS;
  return wanted_ns > WATCH_CONNECT_LEAST_NS ? wanted_ns : WATCH_CONNECT_LEAST_NS;
}

static int start(struct watch *watch, struct error *error) {
  struct error missing;

  watch->nats = nats_library_get(&missing);
  if (!watch->nats)
    return error_set(error, KAIZEN_E_IO, "%s", missing.text);
  watch->connection = transport_connect(watch->nats, &watch->settings,
                                        (struct transport_patience){watch->deadline_ns, 0, true},
                                        NULL, NULL, NULL, NULL, &watch->trouble);
  if (watch->connection && subscribe(watch) == 0)
    return 0;
  return error_set(error, KAIZEN_E_IO, "%s", watch->trouble.text);
}

/* A thread that does it may be left behind. */
static void close_connection(void *ctx) {
  const struct nats_library *nats = nats_library_get(NULL);

  nats->natsConnection_Destroy(ctx);
  nats->nats_ReleaseThreadMemory();
}

static void end(const struct watch *watch) {
  static const struct errand closing = {.work = close_connection};

  if (watch->subscription)
    watch->nats->natsSubscription_Destroy(watch->subscription);
  if (watch->connection &&
      errand_run(&closing, watch->connection, clock_monotonic_ns() + CLOSE_NS) < 0)
    close_connection(watch->connection);
}

int broker_watch(const struct transport_settings *settings, uint32_t timeout_ms, kaizen_sink sink,
                 void *ctx, struct error *error) {
  struct watch watch = {.settings = transport_settings_complete(settings),
                        .deadline_ns = clock_monotonic_ns() + connect_ns(timeout_ms)};
  struct nats_library_guard guard;
  int result;

  nats_library_enter(&guard);
  result = start(&watch, error);
  nats_library_leave(&guard);
  if (result == 0)
    result = hand_out(&watch, timeout_ms, sink, ctx, error);
  nats_library_enter(&guard);
  end(&watch);
  nats_library_leave(&guard);
  return result;
}

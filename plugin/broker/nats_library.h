/* nats_library.h - libnats, loaded on demand, and what protects the host from it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A host that never publishes never maps it.  Only the soname that was compiled against is
 * accepted: the layouts of its structs change with every minor version.  It is never closed: its
 * global threads outlive every connection, and nats_Close() would end the library for a host that
 * uses it itself. */
#ifndef KAIZEN_NATS_LIBRARY_H
#define KAIZEN_NATS_LIBRARY_H

#include <nats/nats.h>
#include <signal.h>
#include <stdbool.h>

#include "base/error.h"

/* What the library has no public name for: errors of JetStream, and the header that names the
 * stream that a message is for. */
#define NATS_LIBRARY_NO_MESSAGE 10037
#define NATS_LIBRARY_SUBJECTS_OVERLAP 10065
#define NATS_LIBRARY_STORE_FAILED 10077 /* a stream that discards what is new is full, or a disk */
#define NATS_LIBRARY_HEADER_TOO_LARGE 10097
#define NATS_LIBRARY_EXPECTED_STREAM "Nats-Expected-Stream"

/* clang-format off */
#define NATS_LIBRARY_FUNCTIONS(X) \
  X(nats_Open) X(nats_GetVersionNumber) X(nats_ReleaseThreadMemory) X(natsStatus_GetText) \
  X(nats_GetLastError) X(natsOptions_SetUserInfo) X(natsOptions_SetToken) \
  X(natsOptions_Create) X(natsOptions_Destroy) X(natsOptions_SetServers) \
  X(natsOptions_SetNoRandomize) X(natsOptions_SetTimeout) X(natsOptions_SetName) \
  X(natsOptions_SetNoEcho) X(natsOptions_SetAllowReconnect) X(natsOptions_SetReconnectBufSize) \
  X(natsOptions_SetWriteDeadline) X(natsOptions_SetPingInterval) X(natsOptions_SetMaxPingsOut) \
  X(natsOptions_SetIgnoreDiscoveredServers) X(natsOptions_SetErrorHandler) \
  X(natsOptions_SetClosedCB) X(natsOptions_SetUserCredentialsFromFiles) X(natsOptions_SetSecure) \
  X(natsOptions_LoadCATrustedCertificates) X(natsOptions_LoadCertificatesChain) \
  X(natsConnection_Connect) X(natsConnection_Destroy) X(natsConnection_Status) \
  X(natsConnection_FlushTimeout) X(natsConnection_PublishMsg) \
  X(natsConnection_GetMaxPayload) X(natsConnection_GetLastError) \
  X(natsConnection_GetLocalIPAndPort) X(natsConnection_HasHeaderSupport) \
  X(natsConnection_JetStream) X(natsConnection_SubscribeSync) \
  X(natsConnection_Request) X(natsConnection_RequestMsg) X(natsSubscription_NextMsg) \
  X(natsSubscription_Destroy) \
  X(natsMsg_Create) X(natsMsg_Destroy) X(natsMsg_GetData) X(natsMsg_GetDataLength) \
  X(natsMsgHeader_Set) X(jsOptions_Init) X(jsPubOptions_Init) X(jsCtx_Destroy) \
  X(js_PublishMsgAsync) X(jsStreamConfig_Init) X(js_AddStream) X(js_GetAccountInfo) \
  X(jsAccountInfo_Destroy)
/* clang-format on */

struct nats_library {
#define NATS_LIBRARY_MEMBER(name) __typeof__(name) *name;
  NATS_LIBRARY_FUNCTIONS(NATS_LIBRARY_MEMBER)
#undef NATS_LIBRARY_MEMBER
};

/* The table, loaded and opened at the first call that succeeds; NULL with *error (KAIZEN_E_CONFIG:
 * not installed, another version).  To be called with every signal blocked: its threads inherit the
 * mask, and then never run the host's handlers. */
const struct nats_library *nats_library_get(struct error *error);

/* For a caller's own thread: blocks every signal meanwhile, and removes a SIGPIPE that the
 * library's writes left pending. */
struct nats_library_guard {
  sigset_t mask;
  bool sigpipe_was_pending;
};
void nats_library_enter(struct nats_library_guard *guard);
void nats_library_leave(const struct nats_library_guard *guard);

#endif

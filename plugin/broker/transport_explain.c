/* transport_explain.c - explains failures of the library and the broker to the person who must fix
 * them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/transport_explain.h"

#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

static void say(struct transport_trouble *trouble, bool hopeless, const char *text,
                const char *what) {
  trouble->hopeless = hopeless;
  (void)snprintf(trouble->text, sizeof trouble->text, "%s%s", text, what);
}

/* Adds what library or broker said, printable. */
static void quote(struct transport_trouble *trouble, const char *said) {
  char shown[UTF8_SHOWN_SIZE];
  size_t used = strlen(trouble->text);

  if (!said || !said[0] || strstr(trouble->text, said))
    return;
  (void)snprintf(trouble->text + used, sizeof trouble->text - used, " (%s)",
                 utf8_show((struct span){said, strlen(said)}, shown));
}

static void explain_code(const struct transport_settings *settings, int code,
                         struct transport_trouble *trouble) {
  switch (code) {
  case JSStreamNotMatchErr:
    say(trouble, true, "the subject belongs to another stream than the configured ",
        settings->stream);
    break;
  case JSStreamSealedErr:
    say(trouble, true, "the stream is sealed", "");
    break;
  case JSNotEnabledErr:
  case JSNotEnabledForAccountErr:
    say(trouble, true, "no JetStream for this account; enable it, or set publish to core", "");
    break;
  default:
    trouble->hopeless = false;
    (void)snprintf(trouble->text, sizeof trouble->text,
                   "the stream refused the event (JetStream error %d)", code);
  }
}

void transport_explain(const struct nats_library *nats, const struct transport_settings *settings,
                       natsStatus status, int code, const char *said,
                       struct transport_trouble *trouble) {
  trouble->unreachable = false;
  if (code != 0) {
    explain_code(settings, code, trouble);
    quote(trouble, said);
    return;
  }
  switch (status) {
  case NATS_NO_RESPONDERS:
    say(trouble, false,
        "no stream answers for the subject: there is none (kaizen-host broker init creates it), or "
        "it is electing a leader",
        "");
    break;
  case NATS_NO_SERVER:
    say(trouble, false, "no broker answers at ", settings->shown_url);
    trouble->unreachable = true;
    break;
  case NATS_CONNECTION_AUTH_FAILED:
    say(trouble, true, "the broker refused the login; check the credentials for ",
        settings->shown_url);
    break;
  case NATS_NOT_PERMITTED:
    say(trouble, true,
        "the broker does not permit this user to publish the event or to receive the answer", "");
    break;
  case NATS_SSL_ERROR:
  case NATS_SECURE_CONNECTION_REQUIRED:
  case NATS_SECURE_CONNECTION_WANTED:
    say(trouble, true,
        "no secure connection (authority, certificate or host name); check nats_ca, nats_cert and ",
        settings->shown_url);
    break;
  case NATS_TIMEOUT:
    say(trouble, false, "no answer in time from ", settings->shown_url);
    break;
  default:
    say(trouble, false, "broker connection: ", nats->natsStatus_GetText(status));
    quote(trouble, said);
  }
}

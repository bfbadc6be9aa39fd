/* transport_explain.c - explains failures of the library and the broker to the person who must fix
 * them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/transport_explain.h"

#include <stdio.h>
#include <string.h>

#include "broker/login_filter.h"
#include "common/utf8.h"

static void say(struct transport_trouble *trouble, bool hopeless, const char *text,
                const char *what) {
  trouble->hopeless = hopeless;
  (void)snprintf(trouble->text, sizeof trouble->text, "%s%s", text, what);
}

#define SHOWN_OF_SAID_MAX 120

/* What library or broker said, printable, without the places in the library's own source:
 * "(conn.c:587): ". */
static const char *show_said(const char *said, char shown[UTF8_SHOWN_SIZE]) {
  char text[SHOWN_OF_SAID_MAX];
  size_t len = 0;

  while (said && *said && len < sizeof text) {
    size_t file_len = *said == '(' ? strcspn(said, ") ") : 0;

    if (file_len > 0 && strncmp(said + file_len, "): ", 3) == 0 && memmem(said, file_len, ".c:", 3))
      said += file_len + 3;
    else
      text[len++] = *said++;
  }
  return utf8_show((struct span){text, len}, shown);
}

/* Adds it, where it is news. */
static void quote(const struct transport_settings *settings, const char *said,
                  struct transport_trouble *trouble) {
  char shown[UTF8_SHOWN_SIZE];
  size_t used = strlen(trouble->text);

  if (said && login_filter_holds(settings, said))
    return;
  if (*show_said(said, shown) && !strstr(trouble->text, shown))
    (void)snprintf(trouble->text + used, sizeof trouble->text - used, " (%s)", shown);
}

static void explain_code(const struct transport_settings *settings, int code,
                         struct transport_trouble *trouble) {
  switch (code) {
  case JSStreamNotMatchErr:
    say(trouble, true, "the subject belongs to another stream than the configured ",
        settings->stream);
    break;
  case JSStreamSealedErr:
    say(trouble, true, "the stream is sealed; create another stream for the subject", "");
    break;
  case NATS_LIBRARY_STORE_FAILED:
    say(trouble, false,
        "the stream stored nothing, as it is full or its disk is; raise its limits or purge it",
        "");
    break;
  case JSInsufficientResourcesErr:
  case JSStorageResourcesExceededErr:
  case JSMemoryResourcesExceededErr:
  case JSAccountResourcesExceededErr:
    say(trouble, false,
        "the server or the account has no room for the stream; raise its JetStream limits", "");
    break;
  case JSNotEnabledErr:
  case JSNotEnabledForAccountErr:
    say(trouble, true, "no JetStream for this account; enable it, or set publish to core", "");
    break;
  default:
    trouble->hopeless = false;
    (void)snprintf(trouble->text, sizeof trouble->text, "JetStream refuses it with error %d", code);
  }
}

static bool is_encrypted(const struct transport_settings *settings) {
  return settings->ca[0] || settings->cert[0] || strcasestr(settings->url, "tls://");
}

/* Does the library complain about the file of credentials? */
static bool is_about_credentials(const struct transport_settings *settings, natsStatus status,
                                 const char *said) {
  return settings->creds[0] && status == NATS_ERR && said &&
         (strstr(said, "seed") || strstr(said, "nkey") || strstr(said, "base32"));
}

static const char *words_of(const struct nats_library *nats,
                            const struct transport_settings *settings, natsStatus status,
                            const char *said) {
  if (status == NATS_PROTOCOL_ERROR && said && strstr(said, "got ''"))
    return is_encrypted(settings) ? "the connection broke off during the login; the broker may "
                                    "demand a nats_cert that it trusts"
                                  : "the connection broke off during the login";
  switch (status) {
  case NATS_CONNECTION_CLOSED:
  case NATS_IO_ERROR:
    return "the connection broke off";
  case NATS_PROTOCOL_ERROR:
  case NATS_LINE_TOO_LONG:
    return "no answer that a NATS server would give";
  case NATS_ERR:
    return "failed";
  default:
    return nats->natsStatus_GetText(status);
  }
}

void transport_explain(const struct nats_library *nats, const struct transport_settings *settings,
                       natsStatus status, int code, const char *said,
                       struct transport_trouble *trouble) {
  trouble->unreachable = false;
  if (code != 0) {
    explain_code(settings, code, trouble);
    quote(settings, said, trouble);
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
    quote(settings, said, trouble);
    break;
  case NATS_CONNECTION_AUTH_FAILED:
    say(trouble, true, "the broker refused the login; check the credentials for ",
        settings->shown_url);
    if (said && !strcasestr(said, "authorization violation"))
      quote(settings, said, trouble);
    break;
  case NATS_NOT_PERMITTED:
    say(trouble, true,
        "the broker does not permit this user to publish the event or to receive the answer", "");
    break;
  case NATS_SECURE_CONNECTION_WANTED:
    say(trouble, true,
        "no secure connection: the broker offers no TLS; if that is right, use nats:// and no "
        "nats_ca or nats_cert: ",
        settings->shown_url);
    break;
  case NATS_SSL_ERROR:
  case NATS_SECURE_CONNECTION_REQUIRED:
    say(trouble, true, "no secure connection; check nats_ca, nats_cert, the host name and ",
        settings->shown_url);
    quote(settings, said, trouble);
    break;
  case NATS_TIMEOUT:
    say(trouble, false, "no answer in time from ", settings->shown_url);
    break;
  default:
    trouble->hopeless = is_about_credentials(settings, status, said);
    if (trouble->hopeless)
      say(trouble, true,
          "nats_creds cannot be used: it needs a user's JWT and seed, in lines that end "
          "in LF alone",
          "");
    else
      (void)snprintf(trouble->text, sizeof trouble->text, "%.60s: %s", settings->shown_url,
                     words_of(nats, settings, status, said));
    if (said && strcmp(said, nats->natsStatus_GetText(status)) != 0)
      quote(settings, said, trouble);
  }
}

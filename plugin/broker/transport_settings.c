/* transport_settings.c - which broker, and how to reach it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/transport_settings.h"

#include <stdlib.h>
#include <string.h>

static const char *given(const char *text) {
  return text ? text : "";
}

struct transport_settings transport_settings_complete(const struct transport_settings *settings) {
  return (struct transport_settings){
      .core = settings->core,
      .url = given(settings->url),
      .creds = given(settings->creds),
      .ca = given(settings->ca),
      .cert = given(settings->cert),
      .key = given(settings->key),
      .stream = given(settings->stream),
      .shown_url = settings->shown_url ? settings->shown_url : "the broker",
  };
}

bool transport_settings_copy(struct transport_settings *to, const struct transport_settings *from) {
  *to = (struct transport_settings){
      .core = from->core,
      .url = strdup(from->url),
      .creds = strdup(from->creds),
      .ca = strdup(from->ca),
      .cert = strdup(from->cert),
      .key = strdup(from->key),
      .stream = strdup(from->stream),
      .shown_url = strdup(from->shown_url),
  };
  return to->url && to->creds && to->ca && to->cert && to->key && to->stream && to->shown_url;
}

void transport_settings_fini(struct transport_settings *settings) {
  free((void *)settings->url);
  free((void *)settings->creds);
  free((void *)settings->ca);
  free((void *)settings->cert);
  free((void *)settings->key);
  free((void *)settings->stream);
  free((void *)settings->shown_url);
}

bool transport_settings_equal(const struct transport_settings *a,
                              const struct transport_settings *b) {
  return a->core == b->core && strcmp(a->url, b->url) == 0 && strcmp(a->creds, b->creds) == 0 &&
         strcmp(a->ca, b->ca) == 0 && strcmp(a->cert, b->cert) == 0 &&
         strcmp(a->key, b->key) == 0 && strcmp(a->stream, b->stream) == 0;
}

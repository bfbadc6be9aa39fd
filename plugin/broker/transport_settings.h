/* transport_settings.h - which broker, and how to reach it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TRANSPORT_SETTINGS_H
#define KAIZEN_TRANSPORT_SETTINGS_H

#include <stdbool.h>

/* A function that is given one borrows its strings until the call returns, unless it says
 * otherwise. */
struct transport_settings {
  bool core;                                          /* publish and flush, no stream */
  const char *url, *creds, *ca, *cert, *key, *stream; /* NULL or "": not set */
  const char *shown_url; /* the url without credentials, for messages; NULL: named in none */
};

/* The same with "" for each that is NULL, and words for the url that is not shown: what the rest of
 * this folder, and the functions below, expect. */
struct transport_settings transport_settings_complete(const struct transport_settings *settings);
/* A copy that owns its strings, to be freed by _fini, also after a failure.  False: out of
 * memory. */
bool transport_settings_copy(struct transport_settings *to, const struct transport_settings *from);
void transport_settings_fini(struct transport_settings *settings);
/* The same broker, reached in the same way? */
bool transport_settings_equal(const struct transport_settings *a,
                              const struct transport_settings *b);

#endif

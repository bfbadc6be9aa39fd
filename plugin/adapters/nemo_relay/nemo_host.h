/* nemo_host.h - what the host offered, copied: nothing is assumed about how long its table lives.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_NEMO_HOST_H
#define KAIZEN_NEMO_HOST_H

#include "adapters/nemo_relay/nemo_abi.h"
#include "common/buffer.h"

enum { NEMO_HOST_VERSION_MAX = 63 };

struct nemo_host {
  struct nemo_relay_table table;           /* the prefix; relay_version is not to be read */
  char version[NEMO_HOST_VERSION_MAX + 1]; /* "" when the host gives none */
};

/* Copies the table when it is one of those we know.  -1: refused; the host's last error says why
 * whenever the table has room for the call that sets it. */
int nemo_host_take(struct nemo_host *host, const struct nemo_relay_table *table);

/* A new text of the host's, or NULL. */
struct nemo_relay_string *nemo_host_string(const struct nemo_host *host, struct span text);
struct span nemo_host_span(const struct nemo_host *host, const struct nemo_relay_string *string);
/* Makes `text` the host's last error of this thread. */
void nemo_host_set_error(const struct nemo_host *host, const char *text);

#endif

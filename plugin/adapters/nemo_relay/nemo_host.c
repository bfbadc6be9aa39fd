/* nemo_host.c - what the host offered, checked and copied.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "adapters/nemo_relay/nemo_host.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Up to here all tables ever made agree, table 1 included: enough to say why one is refused. */
#define HEAD_SIZE offsetof(struct nemo_relay_table, codecs)

/* Reads nothing beyond the head. */
static void refuse(const struct nemo_relay_table *table, const char *text) {
  struct nemo_host head = {.version = ""};

  if (table->struct_size < HEAD_SIZE)
    return;
  memcpy(&head.table, table, HEAD_SIZE);
  if (head.table.string_new && head.table.string_free && head.table.last_error_set)
    nemo_host_set_error(&head, text);
}

static bool is_complete(const struct nemo_relay_table *table) {
  return table->string_new && table->string_data && table->string_len && table->string_free &&
         table->last_error_clear && table->last_error_set && table->register_subscriber;
}

/* A version goes into every record: printable ASCII of a sensible length, or it is left out. */
static void take_version(struct nemo_host *host, const char *version) {
  size_t len = version ? strnlen(version, NEMO_HOST_VERSION_MAX + 1) : 0;

  for (size_t i = 0; i < len; i++)
    if (version[i] <= ' ' || version[i] > '~')
      return;
  if (len <= NEMO_HOST_VERSION_MAX && len > 0)
    memcpy(host->version, version, len);
}

int nemo_host_take(struct nemo_host *host, const struct nemo_relay_table *table) {
  char text[200];

  *host = (struct nemo_host){.version = ""};
  if (table->abi_version < NEMO_RELAY_TABLE_MIN || table->abi_version > NEMO_RELAY_TABLE_MAX) {
    (void)snprintf(text, sizeof text,
                   NEMO_RELAY_KIND ": host table %" PRIu32
                                   " is unknown; tables %d to %d are supported",
                   table->abi_version, NEMO_RELAY_TABLE_MIN, NEMO_RELAY_TABLE_MAX);
    refuse(table, text);
    return -1;
  }
  if (table->struct_size < sizeof *table) {
    (void)snprintf(text, sizeof text,
                   NEMO_RELAY_KIND ": host table %" PRIu32 " has %zu bytes; it needs at least %zu",
                   table->abi_version, table->struct_size, sizeof *table);
    refuse(table, text);
    return -1;
  }
  if (!is_complete(table)) {
    (void)snprintf(text, sizeof text,
                   NEMO_RELAY_KIND ": host table %" PRIu32 " lacks a required function",
                   table->abi_version);
    refuse(table, text);
    return -1;
  }
  host->table = *table;
  take_version(host, table->relay_version);
  host->table.relay_version = NULL;
  return 0;
}

struct nemo_relay_string *nemo_host_string(const struct nemo_host *host, struct span text) {
  struct nemo_relay_string *string = NULL;
  int32_t status = host->table.string_new((const uint8_t *)text.ptr, text.len, &string);

  return status == NEMO_RELAY_OK ? string : NULL;
}

struct span nemo_host_span(const struct nemo_host *host, const struct nemo_relay_string *string) {
  const char *data = string ? (const char *)host->table.string_data(string) : NULL;

  return (struct span){data ? data : "", data ? host->table.string_len(string) : 0};
}

void nemo_host_set_error(const struct nemo_host *host, const char *text) {
  struct nemo_relay_string *string = nemo_host_string(host, (struct span){text, strlen(text)});

  if (!string)
    return;
  host->table.last_error_set(string);
  host->table.string_free(string);
}

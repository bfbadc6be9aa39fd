/* nemo_relay.c - the plugin for NeMo Relay: the entry point, and the functions of its descriptor.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing here knows the inside of the plugin: this is a host of kaizen_plugin_v1() like any
 * other. */
#include "adapters/nemo_relay/nemo_relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/nemo_relay/nemo_component.h"
#include "common/json_writer.h"

/* [{"level":"error",...}]: Relay refuses the configuration and shows the message. */
static struct nemo_relay_string *diagnostics_of(const struct nemo_host *host,
                                                const struct nemo_reason *reason) {
  struct buffer text = {0};
  struct nemo_relay_string *string = NULL;

  buffer_append_text(&text, "[{\"level\":\"error\",\"code\":\"kaizen.configuration\","
                            "\"component\":\"" NEMO_RELAY_KIND "\",\"message\":");
  json_writer_string(&text, (struct span){reason->text, strlen(reason->text)});
  buffer_append_text(&text, "}]");
  if (!text.failed)
    string = nemo_host_string(host, buffer_span(&text));
  buffer_fini(&text);
  return string;
}

static int32_t validate(void *user, const struct nemo_relay_string *config,
                        struct nemo_relay_string **diagnostics) {
  const struct nemo_host *host = user;
  struct nemo_component *component;
  struct nemo_reason reason;
  int saved_errno = errno;
  int32_t status = NEMO_RELAY_OK;

  if (!diagnostics)
    return NEMO_RELAY_NULL_POINTER;
  *diagnostics = NULL;
  if (nemo_component_open(host, nemo_host_span(host, config), false, &component, &reason) == 0)
    nemo_component_close(component);
  else if ((*diagnostics = diagnostics_of(host, &reason)) == NULL) {
    nemo_host_set_error(host, reason.text);
    status = NEMO_RELAY_INVALID_ARG;
  }
  errno = saved_errno;
  return status;
}

static int32_t on_register(void *user, const struct nemo_relay_string *config,
                           struct nemo_relay_context *context) {
  const struct nemo_host *host = user;
  struct nemo_component *component;
  struct nemo_reason reason;
  int saved_errno = errno;
  int32_t status = NEMO_RELAY_INVALID_ARG;

  if (nemo_component_open(host, nemo_host_span(host, config), true, &component, &reason) == 0) {
    status = nemo_component_subscribe(component, context);
  } else {
    struct nemo_reason prefixed;

    (void)nemo_reason_set(&prefixed, NEMO_RELAY_KIND ": %s", reason.text);
    nemo_host_set_error(host, prefixed.text);
  }
  errno = saved_errno;
  return status;
}

static void drop(void *user) {
  free(user);
}

int32_t nemo_relay_register_plugin(const struct nemo_relay_table *table,
                                   struct nemo_relay_plugin *out) {
  struct nemo_host offered, *host;
  struct nemo_relay_string *kind;

  if (!table || !out)
    return NEMO_RELAY_NULL_POINTER;
  if (nemo_host_take(&offered, table) != 0)
    return NEMO_RELAY_INVALID_ARG;
  if (out->struct_size < sizeof *out) {
    nemo_host_set_error(&offered, NEMO_RELAY_KIND ": the descriptor is too small");
    return NEMO_RELAY_INVALID_ARG;
  }
  host = malloc(sizeof *host);
  kind = host ? nemo_host_string(&offered, (struct span){NEMO_RELAY_KIND, strlen(NEMO_RELAY_KIND)})
              : NULL;
  if (!kind) {
    free(host);
    nemo_host_set_error(&offered, NEMO_RELAY_KIND ": out of memory");
    return NEMO_RELAY_INTERNAL;
  }
  *host = offered;
  host->table.last_error_clear(); /* of what was said about newer tables */
  *out = (struct nemo_relay_plugin){
      .struct_size = sizeof *out,
      .plugin_kind = kind,
      .allows_multiple_components = false,
      .user_data = host,
      .validate = validate,
      .on_register = on_register,
      .drop = drop,
  };
  return NEMO_RELAY_OK;
}

/* settings.h - the plugin's settings in use.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_SETTINGS_H
#define KAIZEN_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

enum config_publish { CONFIG_PUBLISH_JETSTREAM, CONFIG_PUBLISH_CORE };
enum config_delivery { CONFIG_DELIVERY_IN_PROCESS, CONFIG_DELIVERY_RELAY };
enum config_fsync { CONFIG_FSYNC_NEVER, CONFIG_FSYNC_ALWAYS };
enum config_owner { CONFIG_OWNER_SELF, CONFIG_OWNER_GROUP };
enum config_origin { CONFIG_DEFAULT, CONFIG_ENVIRONMENT, CONFIG_CONFIGURED };

/* Values in force.  Strings are owned, never NULL ("" = not set) except as noted. */
struct config {
  char *project_root; /* absolute; required: config_finish() refuses without */
  char *project;      /* slug; after config_finish() never empty */
  bool emit_event;    /* false */
  int32_t publish;    /* enum config_publish; "jetstream" */
  int32_t delivery;   /* enum config_delivery; "in-process" */
  char *nats_url;     /* else NATS_URL, else nats://localhost:4222; may be a comma list */
  char *nats_creds, *nats_ca, *nats_cert, *nats_key; /* file names; absolute */
  char *stream;             /* expected stream name; "" = whichever takes the subject */
  int32_t fsync;            /* enum config_fsync; "never" */
  int64_t retention_days;   /* 180; 0 = keep forever */
  int64_t trend_window;     /* 10; 1-64 */
  int64_t lock_timeout_ms;  /* 2000 */
  int64_t max_record_bytes; /* 65536 */
  bool allow_network_fs;
  int32_t owner; /* enum config_owner; "self" */
};
enum { CONFIG_KEY_COUNT = 18 };
struct config_origins {
  uint8_t of[CONFIG_KEY_COUNT]; /* enum config_origin, in the table's order */
};

#endif

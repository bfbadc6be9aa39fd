/* proof_world.h - one instance of the plugin on one project root, and a transcript of what it was
 * given and what it answered.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The transcript goes to standard output, one line a write, so that it is in order with the system
 * calls of the plugin for the tracer of the process:
 *   give AGENT KEY            before a call
 *   told AGENT KEY CODE ID    after it ("-" for no event id)
 *   acked AGENT ID            the broker has acknowledged it, the cursor has not moved yet */
#ifndef PROOF_WORLD_H
#define PROOF_WORLD_H

#include <kaizen/extensions.h>
#include <stdbool.h>
#include <stddef.h>

struct world {
  const struct kaizen_plugin_v1 *plugin;
  const char *root;
  const char *fsync;   /* "always" or "never" */
  const char *session; /* of every execution; NULL: none */
  struct kaizen_instance *instance;
};

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The plugin of that file; NULL with a message on standard error. */
const struct kaizen_plugin_v1 *world_load(const char *path);
/* PROOF_NATS_URL: a broker, for a publisher in the process; NULL: a relay would publish. */
const char *world_broker(void);
/* A running instance: 0, or the first code that was not a KAIZEN_OK. */
int32_t world_open(struct world *world);
void world_close(struct world *world);

int32_t world_give(struct world *world, const char *agent, const char *key, bool marked);
/* Lines as they are, through kaizen.batch/1. */
int32_t world_give_batch(struct world *world, const char *lines);
void world_repair(struct world *world, const char *agent);
/* The delivery report on one line: "delivery {...}". */
void world_report(struct world *world);
/* The verify report: "verify {...}". */
void world_verify(struct world *world, const char *agent);

/* Below <root>/.kaizen/metrics/<agent>/: whole file, made with its folders; appended to; -1. */
int world_write_file(const struct world *world, const char *agent, const char *name,
                     const void *bytes, size_t len, bool append);
/* Reads at most cap - 1 bytes, adds a NUL; the length, 0 when there is none. */
size_t world_read_file(const struct world *world, const char *agent, const char *name, char *bytes,
                       size_t cap);

#endif

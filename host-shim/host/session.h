/* session.h - one plugin instance for one project, from the host's configuration to destroy().
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_SESSION_H
#define KAIZEN_HOST_SESSION_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include <kaizen/extensions.h>
#include <kaizen/plugin.h>

#include "host/command.h"
#include "host/host_config.h"
#include "host/loader.h"

struct session {
  struct host_config config;
  struct loaded_plugin plugin;
  struct kaizen_instance *instance;
  char project_root[PATH_MAX];
  bool running;
};

/* Configuration file, plugin, create, configure: everything but start.  -1 with *problem; closed
 * again. */
int session_open(const struct host *host, struct session *session, struct problem *problem);
/* For a command that is one session: opens it, answers `work`'s exit status, closes it. */
int session_run(const struct host *host,
                int (*work)(const struct host *host, struct session *session,
                            struct problem *problem));
/* The parts, for commands that want to know more or need less: the file and the plugin's image;
 * then an instance for the project root in session->project_root, found by
 * session_find_project(). */
int session_load(const struct host *host, struct session *session, struct problem *problem);
int session_find_project(const struct host *host, struct session *session, struct problem *problem);
int session_create(const struct host *host, struct session *session, struct problem *problem);

/* Sets one key on top of the configuration; not while running. */
int session_set(struct session *session, const char *key, const char *value,
                struct problem *problem);
int session_start(struct session *session, struct problem *problem);
/* running -> stopped, flushing for at most flush_ms. */
void session_stop(struct session *session, uint32_t flush_ms);
/* The same at once, where events are known to be pending. */
void session_abandon(struct session *session);
/* A stopped plugin may have left a thread behind that hangs in the network.  Such a process must
 * end without exit handlers, because they would unload libraries that the thread is using. */
bool session_threads_left(void);
/* Any state, also a zeroed session. */
void session_close(struct session *session);

/* The extension, or NULL, with *problem: this plugin lacks it, and what needs it. */
const void *session_extension(const struct session *session, const char *id,
                              struct problem *problem);
/* Fills *problem for a failed call: "WHAT: the plugin's last error"; -1. */
int session_failed(const struct session *session, const char *what, int32_t result,
                   struct problem *problem);
struct kaizen_str session_text(const char *text);

#endif

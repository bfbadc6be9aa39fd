/* hook_host.h - the coding agents whose hooks are understood: one table of their events and fields.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything that differs between them is in this table; docs/hosts/ has a page for each. */
#ifndef KAIZEN_HOST_HOOK_HOST_H
#define KAIZEN_HOST_HOOK_HOST_H

#include <stdbool.h>
#include <stddef.h>

enum hook_kind {
  HOOK_IGNORED, /* an event that says nothing about an execution */
  HOOK_SESSION_START,
  HOOK_TURN_START,
  HOOK_TURN_END,
  HOOK_TURN_FAILURE, /* ended by an error */
  HOOK_TURN_ABORTED, /* ended by the user */
  HOOK_ERROR,        /* an error; the turn may continue, and its end decides */
  HOOK_AGENT_START,  /* the same for a subagent */
  HOOK_AGENT_END,
  HOOK_SESSION_END /* nothing is recorded: what is pending is sent */
};

enum hook_field {
  HOOK_FIELD_EVENT,
  HOOK_FIELD_SESSION,
  HOOK_FIELD_TURN,     /* the host's own id of the turn */
  HOOK_FIELD_STAMP,    /* the host's time of the event: names a turn that has no id */
  HOOK_FIELD_AGENT_ID, /* a subagent's run */
  HOOK_FIELD_PARENT,   /* who started the run: only present for a subagent's */
  HOOK_FIELD_AGENT_NAME,
  HOOK_FIELD_FOLDER, /* where the search for the project begins */
  HOOK_FIELD_MODEL,
  HOOK_FIELD_VERSION,
  HOOK_FIELD_STATUS,        /* how it ended, in the host's own word */
  HOOK_FIELD_SUCCESS,       /* the same as true or false */
  HOOK_FIELD_ERROR,         /* the error's name */
  HOOK_FIELD_ERROR_GOES_ON, /* true: the host may continue after this error */
  HOOK_FIELD_ERROR_PLACE,   /* where it happened */
  HOOK_FIELD_CONTINUED,     /* true: the turn continued after an earlier end */
  HOOK_FIELD_SOURCE,        /* why a session starts */
  HOOK_FIELD_DURATION_MS,
  HOOK_FIELD_TURNS,
  HOOK_FIELD_COST_USD,
  HOOK_FIELD_INPUT_TOKENS,
  HOOK_FIELD_OUTPUT_TOKENS,
  HOOK_FIELD_CACHE_READ_TOKENS,
  HOOK_FIELD_CACHE_WRITE_TOKENS,
  HOOK_FIELD_REASONING_TOKENS,
  HOOK_FIELD_LOOPS,
  HOOK_FIELD_ASKED, /* compared by their fingerprints (hook_turn.h), never stored */
  HOOK_FIELD_ANSWERED,
  HOOK_FIELD_COUNT
};
enum { HOOK_FIELD_NAMES_MAX = 4 };

struct hook_event_name {
  const char *name;
  enum hook_kind kind;
};

/* What it means when a turn has begun and not ended, and the next one begins or the session
 * ends. */
enum hook_unheard {
  HOOK_UNHEARD_NOTHING, /* nothing is known: the user may have interrupted it */
  HOOK_UNHEARD_ERROR,   /* a failure, when an error was reported before */
  HOOK_UNHEARD_WRITTEN, /* a failure, when the host's transcript ends with one */
  HOOK_UNHEARD_FAILURE  /* a failure: the host reports everything else */
};

struct hook_host {
  const char *name; /* on the command line */
  /* In keys and metadata, and the agent's name when the payload has none: two ways in which one
   * agent reports (hooks and notify) are one family. */
  const char *family;
  bool takes_argument; /* the payload is the last argument, not standard input */
  bool says_outcome;   /* an end event means that the turn did what it was for */
  bool stamp_in_ms;    /* its events' times are in milliseconds */
  enum hook_unheard unheard;
  const char *own_prompt;      /* turns whose prompt begins so are the host's own, or NULL */
  const char *folder_variable; /* environment variable with the project's folder, or NULL */
  const struct hook_event_name *events; /* ends with a zeroed entry */
  /* Names of a field in the payload, "a.b" for b inside a; the first one that is present counts. */
  const char *fields[HOOK_FIELD_COUNT][HOOK_FIELD_NAMES_MAX];
};

/* All of them; NULL-terminated. */
extern const struct hook_host *const hook_hosts[];
/* Their names, for a command's words. */
#define HOOK_HOST_NAMES                                                                            \
  "claude-code", "codex", "codex-notify", "gemini", "cursor", "copilot", "goose", "openhands",     \
      "opencode", "openclaw", "qwen", "cline", "droid", "kimi", "windsurf"
/* Not one of them: stands for payloads that none of them sends. Its name says so. */
extern const struct hook_host hook_host_unknown;
const struct hook_host *hook_host_find(const char *name);
/* What an event of this host means; HOOK_IGNORED also for an unknown one. */
enum hook_kind hook_host_kind(const struct hook_host *host, const char *event);

#endif

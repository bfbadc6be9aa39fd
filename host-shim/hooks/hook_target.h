/* hook_target.h - where each coding agent looks for hooks, and what it needs there.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_TARGET_H
#define KAIZEN_HOST_HOOK_TARGET_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/problem.h"
#include "hooks/hook_command.h"

enum hook_scope { HOOK_SCOPE_USER, HOOK_SCOPE_PROJECT };
enum { HOOK_TARGETS_MAX = 8 };

enum hook_form {
  /* shared JSON: {"hooks": {EVENT: [{"hooks": [{"type": "command", "command": C}]}]}} */
  HOOK_FORM_GROUPS,
  HOOK_FORM_LIST,   /* shared JSON: {"version": 1, "hooks": {EVENT: [{`command_name`: C}]}} */
  HOOK_FORM_ENTRY,  /* shared JSON: one member, `entry` at `entry_path` */
  HOOK_FORM_NOTIFY, /* shared TOML: notify = [...] */
  HOOK_FORM_TABLES, /* shared TOML: [[hooks]] with event and command, between two marks */
  HOOK_FORM_FILE    /* a file of our own, made from `text` */
};

struct hook_target {
  const char *host;
  const char *files[2];      /* by scope: below home, below the project's root; NULL: none */
  const char *home_variable; /* when set, it names the first folder of the user's file; or NULL */
  bool home_has_folder;      /* it names the folder in which that one is */
  bool is_projects;          /* the project's file is the default */
  enum hook_form form;
  const char *const *events; /* GROUPS, LIST, TABLES; NULL-terminated */
  const char *fields;        /* GROUPS, LIST: members after the command, as JSON */
  const char *command_name;  /* LIST: "command", or what the host calls it */
  bool names_event;          /* LIST: the payload does not name its event, so the command does */
  bool has_no_version;       /* LIST: without the "version" */
  bool is_program;           /* FILE: the host runs it */
  const char *text;          /* FILE: see hook_command_fill(); ENTRY: the value */
  const char *const *entry_path;
};

/* The targets of a host in a scope; how many, 0 when the host has none there. */
size_t hook_target_all_of(const char *host, enum hook_scope scope,
                          const struct hook_target *targets[HOOK_TARGETS_MAX]);
/* Where a host's hooks go by default. */
enum hook_scope hook_target_scope(const char *host);
/* What the user has to do after that, or NULL. */
const char *hook_target_note(const char *host);
/* The file's full name.  -1: there is no home folder, or its variable names none. */
int hook_target_file(const struct hook_target *target, enum hook_scope scope,
                     const char *project_root, char file[PATH_MAX], struct problem *problem);

#endif

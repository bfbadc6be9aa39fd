/* hook_install.c - what install-hooks and uninstall-hooks share: their options, and how a plan is
 * carried out and shown.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_install.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/nearest.h"
#include "base/output.h"
#include "hooks/hook_diff.h"
#include "hooks/hook_host.h"
#include "hooks/hook_switch.h"
#include "hooks/nemo_package.h"
#include "host/project_root.h"

enum { TRIES_MAX = 100 };

const struct option_spec hook_install_options[] = {
    {"user", 0, OPTION_FLAG, NULL,
     "user's settings, for all projects; the default if there are any"},
    {"project", 0, OPTION_FLAG, NULL, "project's settings"},
    {"dry-run", 0, OPTION_FLAG, NULL, "show the change, write nothing"},
    {"state-dir", 0, OPTION_DIRECTORY, "DIR", "folder for backups; default: in $XDG_STATE_HOME"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static int find_host(const char *name, struct problem *problem) {
  struct nearest nearest = nearest_to(name);
  char known[400] = "";
  size_t len = 0;

  if (hook_host_find(name))
    return 0;
  for (size_t i = 0; hook_hosts[i]; i++) {
    nearest_offer(&nearest, hook_hosts[i]->name);
    if (len < sizeof known)
      len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", i > 0 ? ", " : "",
                              hook_hosts[i]->name);
  }
  return problem_set(problem, EXIT_CODE_USAGE, "unknown coding agent '%s'; %s%s%s", name,
                     nearest.best ? "did you mean '" : "known are ",
                     nearest.best ? nearest.best : known,
                     nearest.best ? "'?" : " and " NEMO_PACKAGE_HOST);
}

int hook_install_begin(const struct host *host, struct hook_plan *plan, char root[PATH_MAX],
                       struct problem *problem) {
  *plan = (struct hook_plan){.host = command_word(host, 0)};
  root[0] = '\0';
  if (find_host(plan->host, problem) < 0 ||
      hook_plan_scope(plan->host, options_given(host->arguments, "user"),
                      options_given(host->arguments, "project"), &plan->scope, problem) < 0)
    return -1;
  plan->project_root = root;
  return plan->scope == HOOK_SCOPE_PROJECT ? project_root_checkout(host->directory, root, problem)
                                           : 0;
}

int hook_install_open_state(const struct host *host, struct hook_state *state,
                            struct problem *problem) {
  bool dry_run = options_given(host->arguments, "dry-run");
  int result =
      hook_state_open(options_text(host->arguments, "state-dir", NULL), !dry_run, state, problem);

  return dry_run && *state->path != '\0' && access(state->path, F_OK) != 0 ? 0 : result;
}

int hook_install_carry_out(const struct host *host, struct hook_plan *plan,
                           const struct hook_state *state,
                           int (*make)(const struct host *host, struct hook_plan *plan,
                                       const struct hook_state *state, struct problem *problem),
                           struct problem *problem) {
  bool is_dry = options_given(host->arguments, "dry-run");

  for (int tries = 0; tries < TRIES_MAX; tries++) {
    if (make(host, plan, state, problem) < 0)
      return -1;
    int result = is_dry ? 0 : hook_plan_apply(plan, state, problem);
    if (result <= 0)
      return result;
    hook_plan_free(plan);
  }
  return problem_set(
      problem, EXIT_CODE_FAILED,
      "the settings of %s keep changing; stop the program that writes them, then try again",
      plan->host);
}

static const char *action_of(const struct hook_change *change) {
  return !hook_plan_changes(change) ? "unchanged"
         : !change->before          ? "create"
         : !change->after           ? "remove"
                                    : "change";
}

static struct json_object *diff_of(const struct hook_change *change) {
  char *text = NULL;
  size_t len = 0;
  FILE *out = open_memstream(&text, &len);

  if (!out)
    return NULL;
  hook_diff_print(out, change->file, change->before, change->after);
  struct json_object *diff = fclose(out) == 0 ? json_text_new_string(text) : NULL;
  free(text);
  return diff;
}

static void print_json(const struct hook_plan *plan, bool is_dry, const char *note) {
  struct json_object *document = json_object_new_object();
  struct json_object *files = json_object_new_array();

  for (size_t i = 0; i < plan->count; i++) {
    const struct hook_change *change = &plan->changes[i];
    struct json_object *entry = json_object_new_object();

    json_object_object_add(entry, "file", json_text_new_string(change->file));
    json_object_object_add(entry, "action", json_object_new_string(action_of(change)));
    json_object_object_add(entry, "diff", diff_of(change));
    json_object_object_add(entry, "backup",
                           change->backup[0] != '\0' ? json_text_new_string(change->backup) : NULL);
    json_object_array_add(files, entry);
  }
  json_object_object_add(document, "host", json_object_new_string(plan->host));
  json_object_object_add(
      document, "scope",
      json_object_new_string(plan->scope == HOOK_SCOPE_USER ? "user" : "project"));
  json_object_object_add(document, "dry_run", json_object_new_boolean(is_dry));
  json_object_object_add(document, "files", files);
  json_object_object_add(document, "note", note ? json_object_new_string(note) : NULL);
  output_json(document);
}

static void say_switch(void *ctx, const char *file, const char *reason) {
  (void)ctx;
  output_warning("%s: %s", file, reason);
}

/* What the user must know even when all went well. */
static void warn(const struct hook_plan *plan) {
  for (size_t i = 0; i < plan->count; i++)
    if (plan->changes[i].has_mixed)
      output_note("%s: a command of yours already calls kaizen-host; left unchanged",
                  plan->changes[i].file);
  hook_switch_check(plan->host, plan->project_root ? plan->project_root : "", say_switch, NULL);
}

int hook_install_report(const struct host *host, const struct hook_plan *plan, const char *note) {
  bool is_dry = options_given(host->arguments, "dry-run");

  if (!plan->removes)
    warn(plan);
  if (output_is_json()) {
    print_json(plan, is_dry, note);
    return EXIT_CODE_OK;
  }
  for (size_t i = 0; i < plan->count; i++)
    hook_diff_print(stdout, plan->changes[i].file, plan->changes[i].before, plan->changes[i].after);
  if (hook_plan_is_done(plan))
    output_note("%s: %s", plan->host,
                plan->removes ? "no hooks of kaizen-host are installed"
                              : "the hooks are already installed");
  else if (is_dry)
    output_note("%s: --dry-run: nothing written", plan->host);
  else
    output_note("%s: hooks %s", plan->host, plan->removes ? "removed" : "installed");
  for (size_t i = 0; i < plan->count; i++)
    if (plan->changes[i].backup[0] != '\0')
      output_note("backup of %s: %s", plan->changes[i].file, plan->changes[i].backup);
  if (note)
    output_note("%s", note);
  return EXIT_CODE_OK;
}

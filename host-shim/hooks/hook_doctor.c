/* hook_doctor.c - which hooks are in place, and when each last fired: for doctor.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_doctor.h"

#include <stdio.h>
#include <string.h>

#include "hooks/hook_host.h"
#include "hooks/hook_log.h"
#include "hooks/hook_plan.h"
#include "hooks/hook_switch.h"
#include "hooks/nemo_package.h"

static const char *where(enum hook_presence user, enum hook_presence project) {
  if (user != HOOK_ABSENT && project != HOOK_ABSENT)
    return "installed for the user and for this project";
  return user != HOOK_ABSENT      ? "installed for the user"
         : project != HOOK_ABSENT ? "installed for this project"
                                  : "not installed for the user or this project";
}

static void say_switch(void *ctx, const char *file, const char *reason) {
  doctor_findings_add(ctx, FINDING_WARNING, "hooks", "change that setting, or uninstall the hooks",
                      "%s: %s", file, reason);
}

/* The coding agent says nothing of a hook that cannot be started, or not here. */
static void check_program(struct doctor_findings *findings, const char *host, enum hook_scope scope,
                          const char *project_root) {
  char program[PATH_MAX], way_out[128];

  if (!hook_plan_lost_program(host, scope, project_root, program))
    return;
  snprintf(way_out, sizeof way_out, "'kaizen-host install-hooks %s%s' names this program", host,
           scope == HOOK_SCOPE_PROJECT ? " --project" : "");
  doctor_findings_add(findings, FINDING_WARNING, "hooks", way_out,
                      "%s: the hooks call %s, which is not there", host, program);
}

/* True when there was something to say about the host. */
static bool check_host(struct doctor_findings *findings, const char *host, const char *project_root,
                       const struct hook_state *state) {
  char fired[128], way_out[128];
  enum hook_presence user = hook_plan_presence(host, HOOK_SCOPE_USER, "");
  enum hook_presence project = project_root[0] != '\0'
                                   ? hook_plan_presence(host, HOOK_SCOPE_PROJECT, project_root)
                                   : HOOK_ABSENT;
  bool has_fired = state && hook_log_last_fired(state, host, fired, sizeof fired) == 0;
  if (user == HOOK_ABSENT && project == HOOK_ABSENT && !has_fired)
    return false;
  snprintf(way_out, sizeof way_out, "'kaizen-host install-hooks %s%s' completes them", host,
           project == HOOK_PARTLY ? " --project" : "");
  bool is_partial = user == HOOK_PARTLY || project == HOOK_PARTLY;
  doctor_findings_add(findings, is_partial ? FINDING_WARNING : FINDING_OK, "hooks",
                      is_partial ? way_out : NULL, "%s: %s%s; %s%s", host, where(user, project),
                      is_partial ? ", but not all of them" : "",
                      has_fired ? "last fired " : "not fired yet", has_fired ? fired : "");
  check_program(findings, host, HOOK_SCOPE_USER, "");
  if (project != HOOK_ABSENT)
    check_program(findings, host, HOOK_SCOPE_PROJECT, project_root);
  if (user != HOOK_ABSENT || project != HOOK_ABSENT)
    hook_switch_check(host, project_root, say_switch, findings);
  return true;
}

/* Payloads came that no host of the table sends: their runs are recorded under a name that says
 * so. */
static bool check_unknown(struct doctor_findings *findings, const struct hook_state *state) {
  char fired[128];

  if (!state || hook_log_last_fired(state, hook_host_unknown.name, fired, sizeof fired) < 0)
    return false;
  doctor_findings_add(
      findings, FINDING_WARNING, "hooks", "name the coding agent in its settings instead of 'auto'",
      "%s: 'hook auto' got unknown payloads; last fired %s", hook_host_unknown.name, fired);
  return true;
}

void hook_doctor_check(struct doctor_findings *findings, const char *project_root) {
  struct hook_state state = {.folder = -1};
  struct problem ignored;
  bool has_state = hook_state_open(NULL, false, &state, &ignored) == 0;
  size_t count = 0;

  for (size_t i = 0; hook_hosts[i]; i++)
    count += check_host(findings, hook_hosts[i]->name, project_root, has_state ? &state : NULL);
  count += check_unknown(findings, has_state ? &state : NULL);
  if (count == 0)
    doctor_findings_add(findings, FINDING_OK, "hooks", NULL,
                        "none installed; 'kaizen-host install-hooks HOST' connects a coding agent");
  hook_state_close(&state);
  nemo_package_check(findings);
}

/* nemo_install.c - install-hooks and uninstall-hooks for NeMo Relay, which loads the plugin itself.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/nemo_install.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/output.h"
#include "hooks/hook_install.h"
#include "hooks/nemo_package.h"
#include "host/project_root.h"
#include "host/session.h"

bool nemo_install_is_meant(const struct host *host) {
  const char *word = command_word(host, 0);

  return word && strcmp(word, NEMO_PACKAGE_HOST) == 0;
}

/* Relay does not call our command, and reads no settings of a project. */
static int check_options(const struct host *host, struct problem *problem) {
  static const char *const no_use[] = {"agent", "metadata", "metadata-allow", "test-cmd",
                                       "test-timeout"};

  if (options_given(host->arguments, "project"))
    return problem_set(problem, EXIT_CODE_USAGE,
                       "NeMo Relay does not read a project's plugins.toml; use --user");
  for (size_t i = 0; i < sizeof no_use / sizeof *no_use; i++)
    if (options_given(host->arguments, no_use[i]))
      return problem_set(problem, EXIT_CODE_USAGE,
                         "--%s does not apply: NeMo Relay loads the plugin and runs no command",
                         no_use[i]);
  return 0;
}

/* ---- the lines for plugins.toml -------------------------------------------------------------- */

static void print_setting(FILE *out, const char *name, size_t len, const char *value) {
  bool is_bare = strcmp(value, "true") == 0 || strcmp(value, "false") == 0 ||
                 (*value != '\0' && strspn(value, "0123456789") == strlen(value));
  char *quoted = is_bare ? NULL : json_text_quote(value);

  fprintf(out, "%.*s = %s\n", (int)len, name, is_bare ? value : quoted ? quoted : "\"\"");
  free(quoted);
}

static void print_settings(FILE *out, const struct host *host) {
  const char *aborted = options_text(host->arguments, "aborted", NULL);

  for (size_t i = 0; i < host->arguments->value_count; i++) {
    const struct option_value *value = &host->arguments->values[i];

    if (strcmp(value->spec->name, "set") == 0)
      print_setting(out, value->text, strcspn(value->text, "="),
                    value->text + strcspn(value->text, "=") + 1);
  }
  if (options_given(host->arguments, "emit-event"))
    print_setting(out, "emit_event", strlen("emit_event"), "true");
  if (aborted)
    print_setting(out, "aborted", strlen("aborted"), aborted);
}

/* Newly allocated; NULL without memory. */
static char *make_lines(const struct host *host, const struct hook_plan *plan) {
  char root[PATH_MAX], *lines = NULL;
  struct problem ignored;
  size_t len = 0;
  FILE *out = open_memstream(&lines, &len);

  if (!out)
    return NULL;
  if (project_root_find(host->directory, root, &ignored) < 0)
    snprintf(root, sizeof root, "/path/of/the/project");
  fputs("[[plugins.dynamic]]\n", out);
  print_setting(out, "manifest", strlen("manifest"), plan->changes[0].file);
  fputs("[plugins.dynamic.config]\n", out);
  print_setting(out, "project_root", strlen("project_root"), root);
  print_settings(out, host);
  return fclose(out) == 0 ? lines : NULL;
}

/* ---- both ------------------------------------------------------------------------------------ */

static int report_install(const struct host *host, const struct hook_plan *plan) {
  char file[PATH_MAX], *note = NULL;
  struct problem ignored;
  char *lines = nemo_package_is_named() ? NULL : make_lines(host, plan);
  int status, len = -1;

  if (lines && nemo_package_file("plugins.toml", file, &ignored) == 0)
    len = asprintf(
        &note,
        "add these lines to %s and choose how to trust the plugin: docs/hosts/nemo-relay.md%s%s",
        file, output_is_json() ? "\n" : "", output_is_json() ? lines : "");
  status = hook_install_report(host, plan, len < 0 ? NULL : note);
  if (lines && !output_is_json())
    fputs(lines, stdout);
  if (len >= 0)
    free(note);
  free(lines);
  return status;
}

static int prepare(const struct host *host, struct hook_plan *plan, struct hook_state *state,
                   struct problem *problem) {
  *plan = (struct hook_plan){.host = NEMO_PACKAGE_HOST, .scope = HOOK_SCOPE_USER};
  if (check_options(host, problem) < 0)
    return -1;
  return hook_install_open_state(host, state, problem);
}

static int plan_install(const struct host *host, struct hook_plan *plan,
                        const struct hook_state *state, struct problem *problem) {
  struct session session = {.instance = NULL};

  (void)state;
  if (session_load(host, &session, problem) < 0)
    return -1;
  int result = nemo_package_install(plan, &session.plugin, problem);
  session_close(&session);
  return result;
}

static int plan_uninstall(const struct host *host, struct hook_plan *plan,
                          const struct hook_state *state, struct problem *problem) {
  (void)host;
  return nemo_package_uninstall(plan, state, problem);
}

int nemo_install_run(const struct host *host) {
  struct hook_plan plan;
  struct hook_state state = {.folder = -1};
  struct problem problem;
  int result = prepare(host, &plan, &state, &problem);

  if (result == 0)
    result = hook_install_carry_out(host, &plan, &state, plan_install, &problem);
  int status = result < 0 ? output_problem(&problem) : report_install(host, &plan);
  hook_plan_free(&plan);
  hook_state_close(&state);
  return status;
}

int nemo_install_undo(const struct host *host) {
  struct hook_plan plan;
  struct hook_state state = {.folder = -1};
  struct problem problem;
  int result = prepare(host, &plan, &state, &problem);

  if (result == 0)
    result = hook_install_carry_out(host, &plan, &state, plan_uninstall, &problem);
  int status =
      result < 0
          ? output_problem(&problem)
          : hook_install_report(
                host, &plan,
                nemo_package_is_named()
                    ? "plugins.toml still names the manifest: remove its [[plugins.dynamic]] entry"
                    : NULL);
  hook_plan_free(&plan);
  hook_state_close(&state);
  return status;
}

/* hook_plan.c - what installing or removing the hooks of a host changes, before it is done.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_text.h"
#include "base/json_text.h"
#include "hooks/hook_backup.h"
#include "hooks/hook_block.h"
#include "hooks/hook_entries.h"
#include "hooks/hook_file.h"
#include "hooks/hook_line.h"
#include "hooks/hook_tables.h"
#include "hooks/hook_toml.h"

static const size_t FILE_BYTES_MAX = 4 * 1024 * 1024;

void hook_plan_free(struct hook_plan *plan) {
  for (size_t i = 0; i < plan->count; i++) {
    free(plan->changes[i].before);
    free(plan->changes[i].after);
    json_object_put(plan->changes[i].made);
    json_object_put(plan->changes[i].folders);
  }
  plan->count = 0;
}

int hook_plan_scope(const char *host, bool user, bool project, enum hook_scope *scope,
                    struct problem *problem) {
  const struct hook_target *targets[HOOK_TARGETS_MAX];
  bool has_user = hook_target_all_of(host, HOOK_SCOPE_USER, targets) > 0;
  bool has_project = hook_target_all_of(host, HOOK_SCOPE_PROJECT, targets) > 0;
  if (user && project)
    return problem_set(problem, EXIT_CODE_USAGE, "--user and --project cannot be used together");
  *scope = user ? HOOK_SCOPE_USER : project ? HOOK_SCOPE_PROJECT : hook_target_scope(host);
  if (*scope == HOOK_SCOPE_USER ? has_user : has_project)
    return 0;
  return problem_set(problem, EXIT_CODE_USAGE, "%s has no settings for a %s; use --%s", host,
                     *scope == HOOK_SCOPE_USER ? "user" : "project", has_user ? "user" : "project");
}

static int read_present(struct hook_change *change, struct problem *problem) {
  size_t len = 0;

  if (access(change->file, F_OK) < 0 && errno == ENOENT)
    return 0;
  if (file_text_read_regular(change->file, FILE_BYTES_MAX, &change->before, &len, problem) < 0)
    return -1;
  return strlen(change->before) == len
             ? 0
             : problem_set(problem, EXIT_CODE_REFUSED,
                           "%s: contains zero bytes; nothing is changed", change->file);
}

static struct hook_change *add_change(struct hook_plan *plan, const struct hook_target *target,
                                      struct problem *problem) {
  struct hook_change *change = &plan->changes[plan->count];
  *change =
      (struct hook_change){.made = json_object_new_array(), .folders = json_object_new_array()};
  plan->count++;
  if (hook_target_file(target, plan->scope, plan->project_root, change->file, problem) < 0)
    return NULL;
  if (hook_file_resolve(change->file, problem) < 0)
    return NULL;
  return read_present(change, problem) < 0 ? NULL : change;
}

/* Says which file a problem is about. */
static int in_file(const struct hook_change *change, struct problem *problem) {
  const struct problem inner = *problem;

  return problem_set(problem, inner.exit_code, "%.400s: %.500s", change->file, inner.text);
}

/* ---- install --------------------------------------------------------------------------------- */

static int install_json(struct hook_change *change, const struct hook_target *target,
                        const struct hook_command *command, struct problem *problem) {
  struct hook_json json = {.text = NULL};
  const char *present = change->before ? change->before : "";
  int result = hook_json_open(&json, present, strlen(present), problem);
  if (result == 0) {
    struct hook_entries_found found = hook_entries_count(&json, target);

    change->had_ours = found.ours + found.others > 0;
    change->has_mixed = found.mixed > 0;
    result = hook_entries_add(&json, target, command, change->made, problem);
  }
  if (result == 0)
    change->after = strdup(json.text);
  hook_json_close(&json);
  if (result == 0 && !change->after)
    result = problem_no_memory(problem);
  return result < 0 ? in_file(change, problem) : 0;
}

static enum hook_line_owner notify_owner(const char *text, const struct hook_toml_key *key,
                                         const char *host) {
  return hook_line_judge_array(text + key->value, key->value_end - key->value, host);
}

/* 1: a line of ours, or one that calls us, is at *key; 0: a new line belongs at *at; -1: it cannot
 * be put there. */
static int find_notify(const char *file, const char *text, const char *host,
                       struct hook_toml_key *key, size_t *at, struct problem *problem) {
  size_t line = 1;
  int found = hook_toml_find(text, strlen(text), "notify", key, at);
  if (found > 0 && notify_owner(text, key, host) == HOOK_LINE_FOREIGN)
    return problem_set(problem, EXIT_CODE_REFUSED,
                       "%s: another program already uses notify, and Codex allows only one; use "
                       "'install-hooks codex' instead",
                       file);
  struct hook_toml_key second;
  size_t ignored = 0;
  if (found > 0 &&
      hook_toml_find(text + key->end, strlen(text + key->end), "notify", &second, &ignored) > 0)
    return problem_set(problem, EXIT_CODE_REFUSED, "%s: notify is set twice; remove one first",
                       file);
  if (found >= 0)
    return found;
  for (size_t i = 0; i < *at; i++)
    line += text[i] == '\n';
  return problem_set(problem, EXIT_CODE_REFUSED, "%s: cannot parse line %zu; fix it first", file,
                     line);
}

static int install_notify(struct hook_change *change, const struct hook_target *target,
                          const struct hook_command *command, struct problem *problem) {
  const char *present = change->before ? change->before : "";
  struct hook_toml_key key;
  size_t at = 0;
  int len = -1;
  int found = find_notify(change->file, present, target->host, &key, &at, problem);
  if (found < 0)
    return -1;
  change->has_mixed = found > 0 && notify_owner(present, &key, target->host) == HOOK_LINE_MIXED;
  change->had_ours = found > 0 && !change->has_mixed;
  char *array = hook_command_array(command);
  bool is_line_open = at > 0 && present[at - 1] != '\n' && (at > 3 || *present != '\xEF');
  if (change->has_mixed)
    len = asprintf(&change->after, "%s", present);
  else if (array && found > 0)
    len = asprintf(&change->after, "%.*s%s%s", (int)key.value, present, array,
                   present + key.value_end);
  else if (array)
    len = asprintf(&change->after, "%.*s%snotify = %s%s%s", (int)at, present,
                   is_line_open ? hook_block_line_end(present) : "", array,
                   hook_block_line_end(present), present + at);
  free(array);
  change->after = len < 0 ? NULL : change->after;
  return len < 0 ? problem_no_memory(problem) : 0;
}

/* A program of the user's may call ours, too. */
static bool is_our_file(const struct hook_target *target, const char *text) {
  return strstr(text,
                target->is_program ? "# Written by 'kaizen-host install-hooks " : "kaizen-host");
}

static int install_file(struct hook_change *change, const struct hook_target *target,
                        const struct hook_command *command, struct problem *problem) {
  change->had_ours = change->before && is_our_file(target, change->before);
  if (change->before && !change->had_ours)
    return problem_set(problem, EXIT_CODE_REFUSED,
                       "%s: not written by kaizen-host; move it away first", change->file);
  change->is_program = target->is_program;
  change->after = hook_command_fill(command, target->text);
  return !change->after ? problem_no_memory(problem) : 0;
}

static int install_tables(struct hook_change *change, const struct hook_target *target,
                          const struct hook_command *command, struct problem *problem) {
  const char *present = change->before ? change->before : "";
  bool fits = true;
  char *tables = hook_command_tables(command, target->events);
  change->had_ours = hook_tables_found(present, target->host);
  change->after = tables ? hook_tables_put(present, tables, target->host, &fits) : NULL;
  free(tables);
  if (!fits)
    return problem_set(problem, EXIT_CODE_REFUSED,
                       "%s: cannot add [[hooks]]: the file has hooks in another notation or cannot "
                       "be parsed; fix it first",
                       change->file);
  return !change->after ? problem_no_memory(problem) : 0;
}

int hook_plan_install(struct hook_plan *plan, const struct hook_command *command,
                      struct problem *problem) {
  const struct hook_target *targets[HOOK_TARGETS_MAX];
  size_t count = hook_target_all_of(plan->host, plan->scope, targets);
  for (size_t i = 0; i < count; i++) {
    struct hook_change *change = add_change(plan, targets[i], problem);
    int result = !change ? -1
                 : targets[i]->form == HOOK_FORM_FILE
                     ? install_file(change, targets[i], command, problem)
                 : targets[i]->form == HOOK_FORM_NOTIFY
                     ? install_notify(change, targets[i], command, problem)
                 : targets[i]->form == HOOK_FORM_TABLES
                     ? install_tables(change, targets[i], command, problem)
                     : install_json(change, targets[i], command, problem);

    if (result < 0)
      return -1;
  }
  return 0;
}

/* ---- uninstall ------------------------------------------------------------------------------- */

/* The text without what is ours; NULL in `after`: nothing is left.  Where nothing is ours, nothing
 * is removed. */
static int uninstall_json(struct hook_change *change, const struct hook_target *target,
                          const struct hook_backup *known, struct problem *problem) {
  struct hook_json json = {.text = NULL};
  bool made_file = !known ? false : !known->was_there;
  int result = hook_json_open(&json, change->before, strlen(change->before), problem);
  struct hook_entries_found found = {.wanted = 0};
  if (result == 0)
    found = hook_entries_count(&json, target);
  bool has_ours = result == 0 && (known || found.ours + found.others > 0);
  if (has_ours)
    result = hook_entries_remove(&json, target, known ? known->made : NULL, problem);
  if (result == 0 && !(made_file && hook_entries_is_bare(&json))) {
    change->after = strdup(has_ours ? json.text : change->before);
    result = !change->after ? problem_no_memory(problem) : 0;
  }
  hook_json_close(&json);
  return result < 0 ? in_file(change, problem) : 0;
}

static int uninstall_notify(struct hook_change *change, const struct hook_target *target,
                            const struct hook_backup *known, struct problem *problem) {
  struct hook_toml_key key;
  size_t at = 0;
  const char *text = change->before;
  bool is_ours = hook_toml_find(text, strlen(text), "notify", &key, &at) > 0 &&
                 notify_owner(text, &key, target->host) == HOOK_LINE_OURS;
  int len = is_ours ? asprintf(&change->after, "%.*s%s", (int)key.start, text, text + key.end)
                    : asprintf(&change->after, "%s", text);
  if (len < 0) {
    change->after = NULL;
    return problem_no_memory(problem);
  }
  if (len == 0 && known && !known->was_there) {
    free(change->after);
    change->after = NULL;
  }
  return 0;
}

static int uninstall_tables(struct hook_change *change, const struct hook_target *target,
                            const struct hook_backup *known, struct problem *problem) {
  change->after = hook_tables_cut(change->before, target->host);
  if (!change->after)
    return problem_no_memory(problem);
  if (*change->after == '\0' && known && !known->was_there) {
    free(change->after);
    change->after = NULL;
  }
  return 0;
}

/* Restores the original bytes when nobody changed the file since; else removes only what is
 * ours. */
static int uninstall_target(struct hook_change *change, const struct hook_target *target,
                            const struct hook_backup *known, struct problem *problem) {
  if (known && known->is_unchanged && known->is_exact) {
    change->after = known->original ? strdup(known->original) : NULL;
    return known->original && !change->after ? problem_no_memory(problem) : 0;
  }
  if (target->form == HOOK_FORM_FILE) {
    change->after = is_our_file(target, change->before) ? NULL : strdup(change->before);
    return 0;
  }
  if (target->form == HOOK_FORM_TABLES)
    return uninstall_tables(change, target, known, problem);
  return target->form == HOOK_FORM_NOTIFY ? uninstall_notify(change, target, known, problem)
                                          : uninstall_json(change, target, known, problem);
}

int hook_plan_uninstall(struct hook_plan *plan, const struct hook_state *state,
                        struct problem *problem) {
  const struct hook_target *targets[HOOK_TARGETS_MAX];
  size_t count = hook_target_all_of(plan->host, plan->scope, targets);
  plan->removes = true;
  for (size_t i = 0; i < count; i++) {
    struct hook_change *change = add_change(plan, targets[i], problem);
    struct hook_backup backup;

    if (!change)
      return -1;
    if (!change->before)
      continue;
    bool is_known = hook_backup_load(state, change->file, change->before, &backup);
    int result = uninstall_target(change, targets[i], is_known ? &backup : NULL, problem);
    if (is_known) {
      json_object_put(change->folders);
      change->folders = json_object_get(backup.folders);
      hook_backup_free(&backup);
    }
    if (result < 0)
      return -1;
  }
  return 0;
}

/* ---- both ------------------------------------------------------------------------------------ */

bool hook_plan_changes(const struct hook_change *change) {
  if (!change->before || !change->after)
    return change->before != change->after;
  return strcmp(change->before, change->after) != 0;
}

bool hook_plan_is_done(const struct hook_plan *plan) {
  for (size_t i = 0; i < plan->count; i++)
    if (hook_plan_changes(&plan->changes[i]))
      return false;
  return true;
}

/* Makes missing folders, and notes them. */
static void make_folders(struct hook_change *change) {
  char path[PATH_MAX];

  snprintf(path, sizeof path, "%s", change->file);
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(path, 0777) == 0) {
      hook_file_adopt(path);
      json_object_array_put_idx(change->folders, json_object_array_length(change->folders),
                                json_text_new_string(path));
    }
    *slash = '/';
  }
}

static void remove_folders(struct json_object *folders) {
  for (size_t i = json_object_array_length(folders); i-- > 0;)
    if (rmdir(json_object_get_string(json_object_array_get_idx(folders, i))) < 0)
      return; /* somebody else uses the folder by now */
}

static void append_all(struct json_object *to, struct json_object *from) {
  for (size_t i = 0; i < json_object_array_length(from); i++)
    json_object_array_add(to, json_object_get(json_object_array_get_idx(from, i)));
}

/* What an earlier installation replaced and made is remembered. */
static int keep_backup(struct hook_change *change, const struct hook_state *state,
                       struct problem *problem) {
  struct hook_backup earlier = {.original = NULL};
  struct hook_backup backup = {.is_exact = !change->had_ours,
                               .was_there = change->before != NULL,
                               .original = change->before,
                               .made = change->made,
                               .folders = change->folders};
  if (change->had_ours && hook_backup_load(state, change->file, change->before, &earlier)) {
    backup.is_exact = earlier.is_exact && earlier.is_unchanged;
    backup.was_there = earlier.was_there;
    backup.original = NULL;
    append_all(backup.made, earlier.made);
    append_all(backup.folders, earlier.folders);
  }
  if (backup.was_there)
    hook_backup_name(state, change->file, change->backup);
  int result = hook_backup_keep(state, change->file, &backup, change->after, problem);
  hook_backup_free(&earlier);
  return result;
}

/* 1: somebody changed the file since the plan was made. */
static int write_file(struct hook_change *change, const struct hook_state *state, bool removes,
                      struct problem *problem) {
  if (!removes) {
    make_folders(change);
    if (keep_backup(change, state, problem) < 0)
      return -1;
  }
  int result = hook_file_write(change->file, change->before, change->after, problem);
  if (result == 0 && change->is_program && chmod(change->file, 0755) < 0)
    return problem_set(problem, EXIT_CODE_FAILED, "%s: cannot make executable: %s", change->file,
                       strerror(errno));
  return result;
}

static int remove_file(struct hook_change *change, struct problem *problem) {
  int result = hook_file_remove(change->file, change->before, problem);

  if (result == 0)
    remove_folders(change->folders);
  return result;
}

int hook_plan_apply(struct hook_plan *plan, const struct hook_state *state,
                    struct problem *problem) {
  for (size_t i = 0; i < plan->count; i++) { /* what was made first is removed last, with its
                                              * folders */
    struct hook_change *change = &plan->changes[plan->removes ? plan->count - 1 - i : i];
    if (!hook_plan_changes(change))
      continue;
    int result = change->after ? write_file(change, state, plan->removes, problem)
                               : remove_file(change, problem);
    if (result != 0)
      return result;
    if (plan->removes)
      hook_backup_forget(state, change->file);
  }
  return 0;
}

static enum hook_presence presence_of(const struct hook_target *target, const char *text) {
  struct hook_json json = {.text = NULL};
  struct hook_toml_key key;
  struct problem ignored;
  struct hook_entries_found entries = {.wanted = 1};
  size_t at = 0;

  if (target->form == HOOK_FORM_FILE)
    return strstr(text, "kaizen-host") ? HOOK_IN_PLACE : HOOK_ABSENT;
  if (target->form == HOOK_FORM_TABLES)
    return hook_tables_found(text, target->host) ? HOOK_IN_PLACE : HOOK_ABSENT;
  if (target->form == HOOK_FORM_NOTIFY)
    entries.ours = hook_toml_find(text, strlen(text), "notify", &key, &at) > 0 &&
                   notify_owner(text, &key, target->host) != HOOK_LINE_FOREIGN;
  else if (hook_json_open(&json, text, strlen(text), &ignored) == 0)
    entries = hook_entries_count(&json, target);
  hook_json_close(&json);
  size_t found = entries.ours + entries.mixed;
  return found == 0 ? HOOK_ABSENT : found < entries.wanted ? HOOK_PARTLY : HOOK_IN_PLACE;
}

enum hook_presence hook_plan_presence(const char *host, enum hook_scope scope,
                                      const char *project_root) {
  const struct hook_target *targets[HOOK_TARGETS_MAX];
  struct hook_plan plan = {.host = host, .scope = scope, .project_root = project_root};
  struct problem ignored;
  size_t count = hook_target_all_of(host, scope, targets), whole = 0, absent = 0;
  for (size_t i = 0; i < count; i++) {
    const struct hook_change *change = add_change(&plan, targets[i], &ignored);
    enum hook_presence presence =
        change && change->before ? presence_of(targets[i], change->before) : HOOK_ABSENT;

    whole += presence == HOOK_IN_PLACE;
    absent += presence == HOOK_ABSENT;
  }
  hook_plan_free(&plan);
  return absent == count ? HOOK_ABSENT : whole == count ? HOOK_IN_PLACE : HOOK_PARTLY;
}

static bool is_lost(const struct hook_target *target, const char *text, char program[PATH_MAX]) {
  struct hook_json json = {.text = NULL};
  struct problem ignored;
  bool is_json = target->form == HOOK_FORM_GROUPS || target->form == HOOK_FORM_LIST;

  program[0] = '\0';
  if (is_json && hook_json_open(&json, text, strlen(text), &ignored) == 0)
    hook_entries_program(&json, target, program, PATH_MAX);
  hook_json_close(&json);
  return program[0] == '/' && access(program, X_OK) != 0;
}

bool hook_plan_lost_program(const char *host, enum hook_scope scope, const char *project_root,
                            char program[PATH_MAX]) {
  const struct hook_target *targets[HOOK_TARGETS_MAX];
  struct hook_plan plan = {.host = host, .scope = scope, .project_root = project_root};
  struct problem ignored;
  size_t count = hook_target_all_of(host, scope, targets);
  bool lost = false;
  for (size_t i = 0; i < count && !lost; i++) {
    const struct hook_change *change = add_change(&plan, targets[i], &ignored);

    lost = change && change->before && is_lost(targets[i], change->before, program);
  }
  hook_plan_free(&plan);
  return lost;
}

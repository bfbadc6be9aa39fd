/* hook_entries.c - our entries in a settings file of JSON that other people's entries share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_entries.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "hooks/hook_line.h"

enum { EVENT_NAME_MAX = 40 };

struct place { /* where the entries of one event are */
  const char *path[HOOK_JSON_PATH_MAX];
  char name[EVENT_NAME_MAX];
};

/* "SessionEnd" as "session_end". */
static void snake_case(const char *event, char name[EVENT_NAME_MAX]) {
  size_t len = 0;

  for (; *event != '\0' && len + 2 < EVENT_NAME_MAX; event++) {
    if (isupper((unsigned char)*event) && len > 0)
      name[len++] = '_';
    name[len++] = (char)tolower((unsigned char)*event);
  }
  name[len] = '\0';
}

/* OpenHands has two layouts: that of the others, and one with its own names and nothing around
 * them. */
static bool has_own_names(const struct hook_json *json, const struct hook_target *target) {
  const char *const hooks[HOOK_JSON_PATH_MAX] = {"hooks"};
  const char *const root[HOOK_JSON_PATH_MAX] = {NULL};
  struct hook_json_span span, member;

  return strcmp(target->host, "openhands") == 0 && !hook_json_find(json, hooks, &span) &&
         hook_json_find(json, root, &span) && hook_json_element(json, &span, 0, &member);
}

static void set_path(struct place *place, bool own_names) {
  place->path[0] = own_names ? place->name : "hooks";
  place->path[1] = own_names ? NULL : place->name;
}

static struct place *find_place(const struct hook_json *json, const struct hook_target *target,
                                size_t event, struct place *place) {
  *place = (struct place){.path = {NULL}};
  bool own_names = has_own_names(json, target);
  if (own_names)
    snake_case(target->events[event], place->name);
  else
    snprintf(place->name, sizeof place->name, "%s", target->events[event]);
  set_path(place, own_names);
  return place;
}

/* The place of the i-th event that the file has, of the target or not; false: there are fewer. */
static bool find_present(const struct hook_json *json, const struct hook_target *target, size_t i,
                         struct place *place) {
  bool own_names = has_own_names(json, target);
  const char *const events[HOOK_JSON_PATH_MAX] = {own_names ? NULL : "hooks"};
  struct hook_json_span object;

  *place = (struct place){.path = {NULL}};
  set_path(place, own_names);
  return hook_json_find(json, events, &object) &&
         hook_json_name(json, &object, i, place->name, sizeof place->name);
}

static bool is_wanted(const struct hook_json *json, const struct hook_target *target,
                      const struct place *present) {
  struct place place;

  for (size_t i = 0; target->events[i]; i++)
    if (strcmp(find_place(json, target, i, &place)->name, present->name) == 0)
      return true;
  return false;
}

/* The next command in the span that calls the hook: one of ours (its string is *command) or a line
 * of the user's that contains the call. */
static enum hook_line_owner find_call(const struct hook_json *json,
                                      const struct hook_target *target,
                                      const struct hook_json_span *span,
                                      struct hook_json_span *command) {
  enum hook_line_owner found = HOOK_LINE_FOREIGN;
  char line[HOOK_LINE_BYTES_MAX];

  for (size_t from = span->start;
       hook_json_next_string(json, span, from, command, line, sizeof line); from = command->end) {
    enum hook_line_owner owner = hook_line_judge(line, target->host);

    if (owner == HOOK_LINE_OURS && command->end - command->start < sizeof line)
      return HOOK_LINE_OURS;
    if (owner != HOOK_LINE_FOREIGN)
      found = HOOK_LINE_MIXED;
  }
  return found;
}

static bool is_ours(const struct hook_json *json, const struct hook_target *target,
                    const struct hook_json_span *span) {
  struct hook_json_span command;

  return find_call(json, target, span, &command) == HOOK_LINE_OURS;
}

/* "a b": what `made` calls a path. */
static void note_missing(const struct hook_json *json, const char *const *path,
                         struct json_object *made) {
  const char *part[HOOK_JSON_PATH_MAX] = {NULL};
  struct hook_json_span value;
  char name[256] = "";
  for (size_t i = 0; i < HOOK_JSON_PATH_MAX && path[i]; i++) {
    size_t len = strlen(name);

    part[i] = path[i];
    snprintf(name + len, sizeof name - len, "%s%s", i > 0 ? " " : "", path[i]);
    if (made && !hook_json_find(json, part, &value))
      json_object_array_add(made, json_text_new_string(name));
  }
}

static bool is_made(struct json_object *made, const char *outer, const char *inner) {
  char name[256];

  snprintf(name, sizeof name, "%s%s%s", outer, inner ? " " : "", inner ? inner : "");
  for (size_t i = 0; made && i < json_object_array_length(made); i++)
    if (strcmp(json_object_get_string(json_object_array_get_idx(made, i)), name) == 0)
      return true;
  return made == NULL;
}

static char *make_entry(const struct hook_target *target, const char *quoted) {
  char *entry = NULL;
  int len =
      target->form == HOOK_FORM_GROUPS
          ? asprintf(&entry, "{ \"hooks\": [{ \"type\": \"command\", \"command\": %s, %s }] }",
                     quoted, target->fields)
          : asprintf(&entry, "{ \"%s\": %s, %s }", target->command_name, quoted, target->fields);

  return len < 0 ? NULL : entry;
}

static int put_entry(struct hook_json *json, const struct hook_target *target,
                     const struct place *place, const char *quoted, struct problem *problem) {
  struct hook_json_span entries, command;
  enum hook_line_owner owner = hook_json_find(json, place->path, &entries)
                                   ? find_call(json, target, &entries, &command)
                                   : HOOK_LINE_FOREIGN;
  if (owner == HOOK_LINE_MIXED)
    return 0; /* a line that is not ours calls it already */
  if (owner == HOOK_LINE_OURS) {
    bool is_same = command.end - command.start == strlen(quoted) &&
                   memcmp(json->text + command.start, quoted, strlen(quoted)) == 0;
    return is_same ? 0 : hook_json_replace(json, &command, quoted, problem);
  }
  char *entry = make_entry(target, quoted);
  if (!entry)
    return problem_no_memory(problem);
  int result = hook_json_append(json, place->path, entry, problem);
  free(entry);
  return result;
}

static int add_event(struct hook_json *json, const struct hook_target *target,
                     const struct hook_command *command, size_t event, struct json_object *made,
                     struct problem *problem) {
  struct place place;
  char *line = hook_command_shell(command, target->names_event ? target->events[event] : NULL);
  char *quoted = line ? json_text_quote(line) : NULL;
  int result = problem_no_memory(problem);
  if (quoted) {
    note_missing(json, find_place(json, target, event, &place)->path, made);
    result = put_entry(json, target, &place, quoted, problem);
  }
  free(quoted);
  free(line);
  return result;
}

static bool is_empty(const struct hook_json *json, const struct hook_json_span *container) {
  struct hook_json_span child;

  return !hook_json_element(json, container, 0, &child);
}

/* Removes from one entry of an event: the whole entry, or our part when others share it. */
static int remove_from(struct hook_json *json, const struct hook_target *target,
                       const struct hook_json_span *entries, size_t i, struct problem *problem) {
  struct hook_json_span entry, group, hook;
  hook_json_element(json, entries, i, &entry);
  bool is_group = hook_json_member(json, &entry, "hooks", &group);
  size_t count = 0, ours = 0;
  for (size_t j = 0; is_group && hook_json_element(json, &group, j, &hook); j++) {
    count++;
    ours += is_ours(json, target, &hook);
  }
  if (!is_group || ours == count)
    return is_ours(json, target, &entry) ? hook_json_remove(json, entries, i, problem) : 0;
  for (size_t j = count; j-- > 0;) {
    hook_json_element(json, entries, i, &entry);
    hook_json_member(json, &entry, "hooks", &group);
    hook_json_element(json, &group, j, &hook);
    if (is_ours(json, target, &hook) && hook_json_remove(json, &group, j, problem) < 0)
      return -1;
  }
  return 0;
}

/* Removes ours of one event, but not the first `kept` of them; then the event, if it is empty. */
static int remove_event(struct hook_json *json, const struct hook_target *target,
                        const struct place *place, size_t kept, struct json_object *made,
                        struct problem *problem) {
  struct hook_json_span entries, entry;
  size_t count = 0, first = 0, ours = 0;
  if (!hook_json_find(json, place->path, &entries))
    return 0;
  for (; hook_json_element(json, &entries, count, &entry); count++) {
    first = ours < kept ? count + 1 : first;
    ours += is_ours(json, target, &entry);
  }
  for (size_t i = count; ours > kept && i-- > first;) {
    if (!hook_json_find(json, place->path, &entries) ||
        remove_from(json, target, &entries, i, problem) < 0)
      return -1;
  }
  hook_json_find(json, place->path, &entries);
  return ours > 0 && is_empty(json, &entries) && is_made(made, place->path[0], place->path[1])
             ? hook_json_unset(json, place->path, problem)
             : 0;
}

static size_t count_present(const struct hook_json *json, const struct hook_target *target) {
  struct place place;
  size_t count = 0;

  while (find_present(json, target, count, &place))
    count++;
  return count;
}

/* What another version of ours, or one in another place, has left beside the entries we keep. */
static int remove_surplus(struct hook_json *json, const struct hook_target *target,
                          struct problem *problem) {
  struct place place;

  for (size_t i = count_present(json, target); i-- > 0;)
    if (find_present(json, target, i, &place) &&
        remove_event(json, target, &place, is_wanted(json, target, &place), NULL, problem) < 0)
      return -1;
  return 0;
}

int hook_entries_add(struct hook_json *json, const struct hook_target *target,
                     const struct hook_command *command, struct json_object *made,
                     struct problem *problem) {
  const char *const version[HOOK_JSON_PATH_MAX] = {"version"};
  if (target->form == HOOK_FORM_ENTRY) {
    note_missing(json, target->entry_path, made);
    return hook_json_set(json, target->entry_path, target->text, problem);
  }
  if (target->form == HOOK_FORM_LIST && !target->has_no_version) {
    note_missing(json, version, made);
    if (hook_json_set(json, version, "1", problem) < 0)
      return -1;
  }
  for (size_t i = 0; target->events[i]; i++)
    if (add_event(json, target, command, i, made, problem) < 0)
      return -1;
  return remove_surplus(json, target, problem);
}

static int unset_empty(struct hook_json *json, const char *const *path, const char *outer,
                       const char *inner, struct json_object *made, struct problem *problem) {
  struct hook_json_span value;
  bool goes =
      hook_json_find(json, path, &value) && is_empty(json, &value) && is_made(made, outer, inner);
  return goes ? hook_json_unset(json, path, problem) : 0;
}

static int remove_entry(struct hook_json *json, const struct hook_target *target,
                        struct json_object *made, struct problem *problem) {
  const char *const inner[HOOK_JSON_PATH_MAX] = {target->entry_path[0], target->entry_path[1]};
  const char *const outer[HOOK_JSON_PATH_MAX] = {target->entry_path[0]};
  if (hook_json_unset(json, target->entry_path, problem) < 0 ||
      unset_empty(json, inner, inner[0], inner[1], made, problem) < 0)
    return -1;
  return unset_empty(json, outer, outer[0], NULL, made, problem);
}

/* The version was added for the hooks; hooks that somebody added since need it, too. */
static int remove_version(struct hook_json *json, const char *const *hooks,
                          struct json_object *made, struct problem *problem) {
  const char *const version[HOOK_JSON_PATH_MAX] = {"version"};
  struct hook_json_span value;
  bool is_needed = hook_json_find(json, hooks, &value) && is_made(made, "hooks", NULL);
  bool goes = made && is_made(made, "version", NULL) && !is_needed;
  return goes ? hook_json_unset(json, version, problem) : 0;
}

int hook_entries_remove(struct hook_json *json, const struct hook_target *target,
                        struct json_object *made, struct problem *problem) {
  const char *const hooks[HOOK_JSON_PATH_MAX] = {"hooks"};
  struct place place;
  if (target->form == HOOK_FORM_ENTRY)
    return remove_entry(json, target, made, problem);
  for (size_t i = count_present(json, target); i-- > 0;)
    if (find_present(json, target, i, &place) &&
        remove_event(json, target, &place, 0, made, problem) < 0)
      return -1;
  if (unset_empty(json, hooks, "hooks", NULL, made, problem) < 0)
    return -1;
  return target->form == HOOK_FORM_LIST ? remove_version(json, hooks, made, problem) : 0;
}

struct hook_entries_found hook_entries_count(const struct hook_json *json,
                                             const struct hook_target *target) {
  struct hook_entries_found found = {.wanted = 0};
  struct hook_json_span value, command;
  struct place place;

  if (target->form == HOOK_FORM_ENTRY)
    return (struct hook_entries_found){.wanted = 1,
                                       .ours = hook_json_find(json, target->entry_path, &value)};
  for (; target->events[found.wanted]; found.wanted++) {
    if (!hook_json_find(json, find_place(json, target, found.wanted, &place)->path, &value))
      continue;
    enum hook_line_owner owner = find_call(json, target, &value, &command);

    found.ours += owner == HOOK_LINE_OURS;
    found.mixed += owner == HOOK_LINE_MIXED;
  }
  for (size_t i = 0; find_present(json, target, i, &place); i++)
    found.others += !is_wanted(json, target, &place) && hook_json_find(json, place.path, &value) &&
                    find_call(json, target, &value, &command) == HOOK_LINE_OURS;
  return found;
}

bool hook_entries_program(const struct hook_json *json, const struct hook_target *target,
                          char *program, size_t room) {
  struct hook_json_span value, command;
  struct place place;
  char line[HOOK_LINE_BYTES_MAX];

  for (size_t i = 0; target->form != HOOK_FORM_ENTRY && find_present(json, target, i, &place); i++)
    if (hook_json_find(json, place.path, &value) &&
        find_call(json, target, &value, &command) == HOOK_LINE_OURS &&
        hook_json_next_string(json, &command, command.start, &command, line, sizeof line) &&
        hook_line_program(line, target->host, program, room))
      return true;
  return false;
}

bool hook_entries_is_bare(const struct hook_json *json) {
  const char *const root[HOOK_JSON_PATH_MAX] = {NULL};
  struct hook_json_span object;

  return hook_json_find(json, root, &object) && is_empty(json, &object);
}

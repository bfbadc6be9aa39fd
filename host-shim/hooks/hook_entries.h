/* hook_entries.h - our entries in a settings file of JSON that other people's entries share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_ENTRIES_H
#define KAIZEN_HOST_HOOK_ENTRIES_H

#include <json-c/json.h>

#include "hooks/hook_json.h"
#include "hooks/hook_target.h"

/* Adds what is missing, and replaces another command of ours by this one.  An event that a line of
 * the user's already covers is left alone. The names of the members that had to be made for it
 * ("hooks", "hooks Stop") are added to the array `made`. */
int hook_entries_add(struct hook_json *json, const struct hook_target *target,
                     const struct hook_command *command, struct json_object *made,
                     struct problem *problem);
/* Removes our entries, of whatever event, and what is then empty if it is in `made`; with NULL
 * anything that is empty. */
int hook_entries_remove(struct hook_json *json, const struct hook_target *target,
                        struct json_object *made, struct problem *problem);
struct hook_entries_found { /* of the target's events */
  size_t wanted;            /* how many there are */
  size_t ours;              /* those with an entry of ours */
  size_t mixed;             /* those that a line of the user's covers, too (hook_line.h) */
  size_t others;            /* other events with an entry of ours, of another version */
};
struct hook_entries_found hook_entries_count(const struct hook_json *json,
                                             const struct hook_target *target);
/* The program that the first of our entries calls; false: there are none. */
bool hook_entries_program(const struct hook_json *json, const struct hook_target *target,
                          char *program, size_t room);
/* True when there is no member left in the document. */
bool hook_entries_is_bare(const struct hook_json *json);

#endif

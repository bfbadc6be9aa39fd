/* replay_rest.h - lines of a replay that the plugin left out of a call for a transient reason.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A call commits each agent's lines together: when one agent's lock is held by others, its lines
 * are left out and those around them are in their logs.  They are given again before any line that
 * follows them. */
#ifndef KAIZEN_HOST_REPLAY_REST_H
#define KAIZEN_HOST_REPLAY_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replay_rest {
  uint64_t *numbers; /* of the lines, from 1 in the whole input; ascending once they are kept */
  size_t count, room;
  char *text; /* the lines themselves, each with its newline */
  size_t len;
  int32_t code;   /* the reason: the one after which no retry is safe, if there is one */
  bool no_memory; /* some could not be noted or kept */
};

/* During a call: the line was left out. */
void replay_rest_note(struct replay_rest *rest, uint64_t number, int32_t code);
/* After it: copies the text of the noted lines, and of all lines that begin at `consumed` or after
 * it, from what was given.  `numbers` are those of the lines given; NULL: they count from
 * `first`. */
void replay_rest_keep(struct replay_rest *rest, const char *given, size_t len, size_t consumed,
                      const uint64_t *numbers, uint64_t first);
/* Writes the lines to a new file in the working directory and names it; -1 with errno. */
int replay_rest_save(const struct replay_rest *rest, char name[64]);
void replay_rest_clear(struct replay_rest *rest);

#endif

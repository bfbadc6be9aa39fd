/* replay_rest.c - lines of a replay that the plugin left out of a call for a transient reason.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "operator/replay_rest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kaizen/plugin.h>

void replay_rest_note(struct replay_rest *rest, uint64_t number, int32_t code) {
  if (rest->count == rest->room) {
    size_t room = rest->room > 0 ? rest->room * 2 : 256;
    uint64_t *grown = realloc(rest->numbers, room * sizeof *grown);

    rest->no_memory |= !grown;
    if (!grown)
      return;
    rest->numbers = grown;
    rest->room = room;
  }
  rest->numbers[rest->count++] = number;
  if (rest->code == 0 || !KAIZEN_MAY_RETRY(code, false))
    rest->code = code;
}

static int by_number(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

  return (x > y) - (x < y);
}

void replay_rest_keep(struct replay_rest *rest, const char *given, size_t len, size_t consumed,
                      const uint64_t *numbers, uint64_t first) {
  size_t noted = rest->count, at = 0, next = 0;

  if (noted > 0)
    qsort(rest->numbers, noted, sizeof *rest->numbers, by_number);
  rest->len = 0;
  rest->text = malloc(len + 1);
  rest->no_memory |= !rest->text;
  for (size_t i = 0; rest->text && at < len; i++) {
    const char *newline = memchr(given + at, '\n', len - at);
    size_t end = newline ? (size_t)(newline - given) + 1 : len;
    uint64_t number = numbers ? numbers[i] : first + i;
    bool is_noted = next < noted && rest->numbers[next] == number;

    if (is_noted)
      next++;
    else if (at >= consumed)
      replay_rest_note(rest, number, rest->code);
    if (is_noted || at >= consumed) {
      memcpy(rest->text + rest->len, given + at, end - at);
      rest->len += end - at;
      if (!newline)
        rest->text[rest->len++] = '\n';
    }
    at = end;
  }
}

int replay_rest_save(const struct replay_rest *rest, char name[64]) {
  FILE *file;

  snprintf(name, 64, "replay-rest-%ld.jsonl", (long)getpid());
  file = fopen(name, "wxe");
  if (!file)
    return -1;
  bool written = fwrite(rest->text, 1, rest->len, file) == rest->len;
  return fclose(file) == 0 && written ? 0 : -1;
}

void replay_rest_clear(struct replay_rest *rest) {
  free(rest->numbers);
  free(rest->text);
  *rest = (struct replay_rest){.count = 0};
}

/* hook_input.c - the payload of a hook, read to its end within limits of size and time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/time_text.h"

enum { ROOM_FIRST = 65536, BYTES_MAX = 16 * 1024 * 1024, PIPE_BYTES = 1024 * 1024 };

/* 1: there is something to read, or the end; 0: the deadline passed. */
static int wait_for_input(int fd, double deadline_s) {
  for (;;) {
    double left_s = deadline_s - time_text_monotonic_s();
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    int ready = poll(&entry, 1, left_s > 0 ? (int)(left_s * 1000) + 1 : 0);

    if (ready > 0)
      return 1;
    if (ready == 0 && left_s <= 0)
      return 0;
    if (ready < 0 && errno != EINTR)
      return 1; /* read() will report what is wrong */
  }
}

/* Room for at least one more byte and the NUL. */
static int make_room(struct hook_input *input, size_t *room) {
  if (input->len + 1 < *room)
    return 0;
  size_t larger = *room == 0 ? ROOM_FIRST : *room * 2;
  char *text = realloc(input->text, larger);
  if (!text)
    return -1;
  input->text = text;
  *room = larger;
  return 0;
}

int hook_input_read(int fd, double deadline_s, double drop_deadline_s, struct hook_input *input) {
  char dropped[ROOM_FIRST];
  size_t room = 0;

  *input = (struct hook_input){.text = NULL};
  fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* a larger pipe saves the writer waiting; it also works when
                                        * this is refused */
  for (;;) {
    if (make_room(input, &room) < 0)
      return -1;
    if (!wait_for_input(fd, input->is_cut ? drop_deadline_s : deadline_s)) {
      input->is_open = true;
      break;
    }
    bool is_full = input->len == BYTES_MAX;
    size_t space = room - input->len - 1, wanted = BYTES_MAX - input->len;
    ssize_t got = is_full ? read(fd, dropped, sizeof dropped)
                          : read(fd, input->text + input->len, wanted < space ? wanted : space);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    if (got <= 0)
      break;
    input->is_cut = input->is_cut || is_full;
    input->len += is_full ? 0 : (size_t)got;
  }
  input->text[input->len] = '\0';
  return 0;
}

/* result_capture.c - standard output of a command, passed through and kept.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/result_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEPT_MAX = 16 * 1024 * 1024, QUIET_MS = 100 };

struct result_capture {
  pthread_t thread;
  int from, to;        /* the command's output, and where it would have gone */
  atomic_bool is_over; /* the command has ended; others may still hold the pipe open */
  bool is_deaf;        /* nobody reads what is passed on */
  char *text;
  size_t len, room;
};

/* Of too much the end is kept: that is where the result stands. */
static void keep(struct result_capture *capture, const char *bytes, size_t len) {
  if (capture->len + len > KEPT_MAX) {
    size_t drop = capture->len > KEPT_MAX / 2 ? capture->len - KEPT_MAX / 2 : 0;

    memmove(capture->text, capture->text + drop, capture->len - drop);
    capture->len -= drop;
  }
  if (capture->len + len > capture->room) {
    size_t room = (capture->len + len) * 2;
    char *text = realloc(capture->text, room);

    if (!text)
      return;
    capture->text = text;
    capture->room = room;
  }
  memcpy(capture->text + capture->len, bytes, len);
  capture->len += len;
}

static void pass_on(struct result_capture *capture, const char *bytes, size_t len) {
  while (len > 0 && !capture->is_deaf) {
    ssize_t done = write(capture->to, bytes, len);

    if (done > 0) {
      bytes += done;
      len -= (size_t)done;
    } else if (done < 0 && errno != EINTR && errno != EAGAIN) {
      capture->is_deaf = true;
    }
  }
}

static void *copy(void *context) {
  struct result_capture *capture = context;
  char bytes[65536];

  while (!capture->is_deaf) {
    struct pollfd entry = {.fd = capture->from, .events = POLLIN};
    bool is_over = atomic_load(&capture->is_over);
    int ready = poll(&entry, 1, QUIET_MS);

    if (ready == 0 && is_over)
      break;
    if (ready <= 0)
      continue;
    ssize_t got = read(capture->from, bytes, sizeof bytes);
    if (got == 0 || (got < 0 && errno != EINTR))
      break;
    if (got > 0) {
      pass_on(capture, bytes, (size_t)got);
      keep(capture, bytes, (size_t)got);
    }
  }
  close(capture->from); /* a command whose reader is gone hears of it, as without us */
  return NULL;
}

static int start_thread(struct result_capture *capture) {
  sigset_t all, before;

  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all,
                  &before); /* signals are the main thread's, and a broken pipe is an error here */
  int error = pthread_create(&capture->thread, NULL, copy, capture);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

struct result_capture *result_capture_begin(struct problem *problem) {
  int ends[2] = {-1, -1};
  struct result_capture *capture = calloc(1, sizeof *capture);

  if (!capture) {
    problem_no_memory(problem);
    return NULL;
  }
  fflush(stdout);
  capture->to = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (capture->to < 0 || pipe2(ends, O_CLOEXEC) < 0)
    goto failed;
  capture->from = ends[0];
  errno = start_thread(capture);
  if (errno != 0)
    goto failed;
  dup2(ends[1], STDOUT_FILENO);
  close(ends[1]);
  return capture;
failed:
  problem_set(problem, EXIT_CODE_EXEC, "exec: the command's output cannot be read along: %s",
              strerror(errno));
  for (int i = 0; i < 2; i++)
    if (ends[i] >= 0)
      close(ends[i]);
  if (capture->to >= 0)
    close(capture->to);
  free(capture);
  return NULL;
}

void result_capture_end(struct result_capture *capture, const char **text, size_t *len) {
  dup2(capture->to, STDOUT_FILENO); /* closes the last end of the pipe that is ours */
  atomic_store(&capture->is_over, true);
  pthread_join(capture->thread, NULL);
  close(capture->to);
  *text = capture->text ? capture->text : "";
  *len = capture->len;
}

void result_capture_free(struct result_capture *capture) {
  if (capture)
    free(capture->text);
  free(capture);
}

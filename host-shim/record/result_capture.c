/* result_capture.c - passes a command's standard output through and keeps a copy.
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
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/time_text.h"

enum { KEPT_MAX = 16 * 1024 * 1024, QUIET_MS = 100 };
static const double OTHERS_S = 0.5; /* for output of processes that the command left behind */

struct result_capture {
  pthread_t thread;
  int from;            /* the command's output */
  int to;              /* the original standard output; -1: it was closed */
  atomic_bool is_over; /* the command has ended; others may still hold the pipe open */
  bool is_deaf;        /* the reader of what is passed on is gone */
  char *text;
  size_t len, room;
};

/* When there is too much, the end is kept: the result is there. */
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
  while (len > 0 && capture->to >= 0 && !capture->is_deaf) {
    ssize_t done = write(capture->to, bytes, len);

    if (done > 0) {
      bytes += done;
      len -= (size_t)done;
    } else if (done < 0 && errno != EINTR && errno != EAGAIN) {
      capture->is_deaf = true;
    }
  }
}

/* When the command has ended, its output is in the pipe; a process that it left behind may run
 * forever. */
static void *copy(void *context) {
  struct result_capture *capture = context;
  char bytes[65536];
  double last_s = 0; /* when to stop waiting for the rest; 0: the command runs */
  int left = 0;      /* bytes that are certainly in the pipe */

  while (!capture->is_deaf) {
    struct pollfd entry = {.fd = capture->from, .events = POLLIN};
    if (last_s <= 0 && atomic_load(&capture->is_over)) {
      last_s = time_text_monotonic_s() + OTHERS_S;
      ioctl(capture->from, FIONREAD, &left);
    }
    bool is_late = last_s > 0 && left <= 0 && time_text_monotonic_s() > last_s;
    int ready = is_late ? 0 : poll(&entry, 1, QUIET_MS);

    if (ready == 0 && last_s > 0)
      break;
    if (ready <= 0)
      continue;
    ssize_t got = read(capture->from, bytes, sizeof bytes);
    left -= got > 0 ? (int)got : left;
    if (got == 0 || (got < 0 && errno != EINTR))
      break;
    if (got > 0) {
      pass_on(capture, bytes, (size_t)got);
      keep(capture, bytes, (size_t)got);
    }
  }
  close(capture->from); /* the command notices that its reader is gone, as it would without us */
  return NULL;
}

/* Above the standard descriptors, also when one of them is closed. */
static int open_pipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) < 0)
    return -1;
  for (int i = 0; i < 2; i++) {
    int end = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);

    close(ends[i]);
    ends[i] = end;
  }
  return ends[0] < 0 || ends[1] < 0 ? -1 : 0;
}

static int start_thread(struct result_capture *capture) {
  sigset_t all, before;

  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all,
                  &before); /* the main thread handles signals, and a broken pipe is an error
                             * here */
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
  if ((capture->to < 0 && errno != EBADF) || open_pipe(ends) < 0)
    goto failed;
  capture->from = ends[0];
  errno = start_thread(capture);
  if (errno != 0)
    goto failed;
  dup2(ends[1], STDOUT_FILENO);
  close(ends[1]);
  return capture;
failed:
  problem_set(problem, EXIT_CODE_EXEC, "exec: cannot read the command's output: %s",
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
  if (capture->to >= 0)
    dup2(capture->to, STDOUT_FILENO); /* closes the last end of the pipe that is ours */
  else
    close(STDOUT_FILENO);
  atomic_store(&capture->is_over, true);
  pthread_join(capture->thread, NULL);
  if (capture->to >= 0)
    close(capture->to);
  *text = capture->text ? capture->text : "";
  *len = capture->len;
}

void result_capture_free(struct result_capture *capture) {
  if (capture)
    free(capture->text);
  free(capture);
}

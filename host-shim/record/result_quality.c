/* result_quality.c - a command that judges a result: a number from 0 to 1 on its standard output.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/result_quality.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/time_text.h"

enum { OUTPUT_MAX = 4096 };
static const double STEP_S = 0.05; /* how soon a signal is noticed */

static void become(const char *command, int out, const sigset_t *mask) {
  int nowhere = open("/dev/null", O_RDONLY | O_CLOEXEC);

  setpgid(0, 0); /* so that everything it starts can be ended */
  if (nowhere >= 0)
    dup2(nowhere, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  sigprocmask(SIG_SETMASK, mask, NULL);
  execl("/bin/sh", "sh", "-c", command, (char *)NULL);
  _exit(EXIT_CODE_NOT_FOUND);
}

static pid_t start(const char *command, int exit_status, const sigset_t *mask, int *out) {
  int ends[2];
  char status[16];

  if (pipe2(ends, O_CLOEXEC) < 0)
    return -1;
  snprintf(status, sizeof status, "%d", exit_status);
  setenv("KAIZEN_EXEC_STATUS", status, 1);
  pid_t child = fork();
  if (child == 0)
    become(command, ends[1], mask);
  unsetenv("KAIZEN_EXEC_STATUS");
  close(ends[1]);
  if (child < 0)
    close(ends[0]);
  else
    setpgid(child, child); /* both do it: either may come first */
  *out = ends[0];
  return child;
}

/* A Ctrl-C ends the judging command, not the record of the judged run. */
static bool is_interrupted(const sigset_t *watched) {
  const struct timespec at_once = {.tv_sec = 0};

  return sigtimedwait(watched, NULL, &at_once) > 0;
}

/* Reads what it prints until its output ends; false: not in time, or interrupted. */
static bool read_output(int from, const sigset_t *watched, double deadline_s,
                        char text[OUTPUT_MAX]) {
  char dropped[OUTPUT_MAX];
  size_t len = 0;

  for (;;) {
    double left_s = deadline_s - time_text_monotonic_s();
    struct pollfd entry = {.fd = from, .events = POLLIN};
    int ready = poll(&entry, 1, left_s > STEP_S ? (int)(STEP_S * 1000) : left_s > 0 ? 1 : 0);

    if ((ready == 0 && left_s <= 0) || is_interrupted(watched))
      return false;
    if (ready <= 0)
      continue;
    bool is_full = len == OUTPUT_MAX - 1;
    ssize_t got = is_full ? read(from, dropped, sizeof dropped)
                          : read(from, text + len, OUTPUT_MAX - 1 - len);
    if (got == 0 || (got < 0 && errno != EINTR))
      break;
    len += got > 0 && !is_full ? (size_t)got : 0;
  }
  text[len] = '\0';
  return true;
}

/* Its output may end before it does. */
static bool wait_for(pid_t child, const sigset_t *watched, double deadline_s, int *wait_status) {
  while (waitpid(child, wait_status, WNOHANG) != child) {
    const struct timespec step = {.tv_nsec = 5 * 1000 * 1000};

    if (time_text_monotonic_s() > deadline_s || is_interrupted(watched))
      return false;
    nanosleep(&step, NULL);
  }
  return true;
}

static int read_number(const char *command, char *text, double *quality, struct problem *problem) {
  char *word = text + strspn(text, " \t\r\n");

  word[strcspn(word, " \t\r\n")] = '\0';
  *quality = json_text_is_number(word) ? strtod(word, NULL) : -1;
  if (*quality >= 0 && *quality <= 1)
    return 0;
  return problem_set(problem, EXIT_CODE_FAILED,
                     "--quality-cmd %.200s: printed '%.60s', which is not a number from 0 to 1",
                     command, word);
}

/* 0: it ended by itself, *wait_status says how; -1: not in time, or interrupted. */
static int run(const char *command, int exit_status, double timeout_s, const sigset_t *mask,
               const sigset_t *watched, char text[OUTPUT_MAX], int *wait_status,
               struct problem *problem) {
  double deadline_s = time_text_monotonic_s() + timeout_s;
  int from = -1;
  pid_t child = start(command, exit_status, mask, &from);
  if (child < 0)
    return problem_set(problem, EXIT_CODE_FAILED, "--quality-cmd: cannot run it: %s",
                       strerror(errno));
  bool has_ended = read_output(from, watched, deadline_s, text) &&
                   wait_for(child, watched, deadline_s, wait_status);
  if (!has_ended) {
    kill(-child, SIGKILL);
    waitpid(child, wait_status, 0);
  }
  close(from);
  if (has_ended)
    return 0;
  return time_text_monotonic_s() < deadline_s
             ? problem_set(problem, EXIT_CODE_FAILED, "--quality-cmd %.200s: interrupted", command)
             : problem_set(problem, EXIT_CODE_FAILED,
                           "--quality-cmd %.200s: not finished within %g s", command, timeout_s);
}

int result_quality_run(const char *command, int exit_status, double timeout_s, double *quality,
                       struct problem *problem) {
  char text[OUTPUT_MAX] = "";
  int wait_status = 0;
  sigset_t watched, before;
  sigemptyset(&watched);
  sigaddset(&watched, SIGINT);
  sigaddset(&watched, SIGTERM);
  sigaddset(&watched, SIGHUP);
  sigprocmask(SIG_BLOCK, &watched, &before);
  int result = run(command, exit_status, timeout_s, &before, &watched, text, &wait_status, problem);
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (result < 0)
    return -1;
  if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0)
    return problem_set(problem, EXIT_CODE_FAILED, "--quality-cmd %.200s: failed with status %d",
                       command,
                       WIFEXITED(wait_status) ? WEXITSTATUS(wait_status)
                                              : EXIT_CODE_SIGNALLED + WTERMSIG(wait_status));
  return read_number(command, text, quality, problem);
}

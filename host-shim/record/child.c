/* child.c - a command run in the foreground: timed, signals handed on, terminal untouched.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time_text.h"

static const int handed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM};

static void block_signals(sigset_t *watched, sigset_t *before) {
  sigemptyset(watched);
  sigaddset(watched, SIGCHLD);
  for (size_t i = 0; i < sizeof handed_on / sizeof handed_on[0]; i++)
    sigaddset(watched, handed_on[i]);
  sigprocmask(SIG_BLOCK, watched, before);
}

/* In the child: nothing but async-signal-safe calls. */
static void become(char *const *argv, const sigset_t *mask, int error_pipe) {
  sigprocmask(SIG_SETMASK, mask, NULL);
  execvp(argv[0], argv);
  int error = errno;
  ssize_t written = write(error_pipe, &error, sizeof error);
  _exit(written == sizeof error ? EXIT_CODE_NOT_FOUND : EXIT_CODE_NOT_EXECUTABLE);
}

/* The pipe closes without a word when exec succeeds. */
static int read_exec_error(int error_pipe) {
  int error = 0;
  ssize_t got;

  do
    got = read(error_pipe, &error, sizeof error);
  while (got < 0 && errno == EINTR);
  return got == sizeof error ? error : 0;
}

/* si_code > 0 is the kernel speaking: the terminal has told the whole process group. */
static void hand_on(const siginfo_t *info, pid_t child, struct child_result *result) {
  if (info->si_signo == SIGINT || info->si_signo == SIGTERM || info->si_signo == SIGHUP)
    result->interrupted_by = info->si_signo;
  if (info->si_code <= 0)
    kill(child, info->si_signo);
}

static bool has_ended(pid_t child, struct child_result *result) {
  return waitpid(child, &result->wait_status, WNOHANG) == child;
}

static void wait_for(pid_t child, const sigset_t *watched, struct child_result *result) {
  while (!has_ended(child, result)) {
    siginfo_t info;

    if (sigwaitinfo(watched, &info) > 0 && info.si_signo != SIGCHLD)
      hand_on(&info, child, result);
  }
}

/* A Ctrl-C that reached both at once is still waiting here when the child has ended by it. */
static void take_waiting_signals(const sigset_t *watched, struct child_result *result) {
  const struct timespec at_once = {.tv_sec = 0, .tv_nsec = 0};
  siginfo_t info;

  while (sigtimedwait(watched, &info, &at_once) > 0)
    if (info.si_signo == SIGINT || info.si_signo == SIGTERM || info.si_signo == SIGHUP)
      result->interrupted_by = info.si_signo;
}

int child_run(char *const *argv, struct child_result *result, struct problem *problem) {
  sigset_t watched, before;
  int error_pipe[2];
  struct sigaction child_default = {.sa_flags = 0};

  *result = (struct child_result){.exec_error = 0};
  if (pipe2(error_pipe, O_CLOEXEC) < 0)
    return problem_set(problem, EXIT_CODE_EXEC, "exec: no pipe: %s", strerror(errno));
  child_default.sa_handler = SIG_DFL; /* inherited as ignored, it would take the status away */
  sigaction(SIGCHLD, &child_default, NULL);
  block_signals(&watched, &before);
  double started_s = time_text_monotonic_s();
  pid_t child = fork();
  if (child == 0)
    become(argv, &before, error_pipe[1]);
  close(error_pipe[1]);
  if (child > 0) {
    result->exec_error = read_exec_error(error_pipe[0]);
    wait_for(child, &watched, result);
    result->elapsed_s = time_text_monotonic_s() - started_s;
    take_waiting_signals(&watched, result);
  } else {
    problem_set(problem, EXIT_CODE_EXEC, "exec: no process: %s", strerror(errno));
  }
  close(error_pipe[0]);
  sigprocmask(SIG_SETMASK, &before, NULL);
  return child > 0 ? 0 : -1;
}

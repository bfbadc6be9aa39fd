/* child.c - a command run in the foreground: timed, signals passed on, terminal untouched.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time_text.h"
#include "record/group_signals.h"

/* A command that runs on for so long after a signal does not end because of it. */
static const double HANDLED_S = 10;

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

/* The pipe closes without data when exec succeeds. */
static int read_exec_error(int error_pipe) {
  int error = 0;
  ssize_t got;

  do
    got = read(error_pipe, &error, sizeof error);
  while (got < 0 && errno == EINTR);
  return got == sizeof error ? error : 0;
}

struct watch { /* of one command */
  pid_t child;
  int signals; /* signalfd */
  struct group_signals group;
  double interrupted_s; /* when the last interrupting signal came */
  bool by_terminal;     /* and it was a key */
  struct child_result *result;
};

static bool is_interrupting(int number) {
  return number == SIGINT || number == SIGTERM || number == SIGHUP;
}

/* A code above 0 means the kernel: the terminal has sent it to the whole process group. */
static void take_signal(struct watch *watch, const struct signalfd_siginfo *info) {
  int number = (int)info->ssi_signo;
  bool by_kernel = info->ssi_code > 0;

  if (is_interrupting(number)) {
    watch->result->interrupted_by = number;
    watch->interrupted_s = time_text_monotonic_s();
    watch->by_terminal = by_kernel;
  }
  if (number == SIGCHLD)
    return;
  bool to_group = group_signals_has(&watch->group, number);
  bool has_it = by_kernel || (to_group && getpgid(watch->child) == getpgrp());
  if (!has_it)
    kill(watch->child, number);
}

/* Reads waiting signals; false: there is none. */
static bool take_signals(struct watch *watch) {
  struct signalfd_siginfo info;

  if (read(watch->signals, &info, sizeof info) != sizeof info)
    return false;
  take_signal(watch, &info);
  return true;
}

/* When the user types on after a Ctrl-C, the command has handled it. */
static bool waits_for_input(const struct watch *watch) {
  return watch->result->interrupted_by != 0 && watch->by_terminal && isatty(STDIN_FILENO);
}

static void wait_for(struct watch *watch) {
  struct pollfd entries[2] = {{.fd = watch->signals, .events = POLLIN},
                              {.fd = STDIN_FILENO, .events = POLLIN}};

  while (waitpid(watch->child, &watch->result->wait_status, WNOHANG) != watch->child) {
    int count = poll(entries, waits_for_input(watch) ? 2 : 1, -1);

    if (count > 0 && entries[0].revents != 0)
      take_signals(watch);
    else if (count > 0 && (entries[1].revents & POLLIN) != 0)
      watch->result->interrupted_by = 0;
    else if (count > 0)
      watch->by_terminal = false; /* the terminal is gone: nothing more will be typed */
  }
}

/* A Ctrl-C that reached both is still waiting here when the command has ended because of it. */
static void settle(struct watch *watch, double ended_s) {
  while (take_signals(watch))
    continue;
  if (ended_s - watch->interrupted_s > HANDLED_S)
    watch->result->interrupted_by = 0;
}

int child_run(char *const *argv, struct child_result *result, struct problem *problem) {
  sigset_t watched, before;
  int error_pipe[2];
  struct sigaction child_default = {.sa_flags = 0};

  *result = (struct child_result){.exec_error = 0};
  if (pipe2(error_pipe, O_CLOEXEC) < 0)
    return problem_set(problem, EXIT_CODE_EXEC, "exec: cannot create a pipe: %s", strerror(errno));
  child_default.sa_handler = SIG_DFL; /* if it were inherited as ignored, the status would be
                                       * lost */
  sigaction(SIGCHLD, &child_default, NULL);
  block_signals(&watched, &before);
  struct watch watch = {.result = result,
                        .signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK)};
  group_signals_begin(&watch.group, &watched);
  double started_s = time_text_monotonic_s();
  pid_t child = watch.signals < 0 ? -1 : fork();
  if (child == 0)
    become(argv, &before, error_pipe[1]);
  close(error_pipe[1]);
  if (child > 0) {
    watch.child = child;
    result->exec_error = read_exec_error(error_pipe[0]);
    wait_for(&watch);
    double ended_s = time_text_monotonic_s();
    result->elapsed_s = ended_s - started_s;
    settle(&watch, ended_s);
  } else {
    problem_set(problem, EXIT_CODE_EXEC, "exec: cannot create a process: %s", strerror(errno));
  }
  group_signals_end(&watch.group);
  if (watch.signals >= 0)
    close(watch.signals);
  close(error_pipe[0]);
  sigprocmask(SIG_SETMASK, &before, NULL);
  return child > 0 ? 0 : -1;
}

/* child.c - a command run in the foreground: timed, signals passed on, terminal untouched.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/child.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
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
/* For its own clean-up, once its time is over. */
static const double KILL_AFTER_S = 5;

static const int handed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM};

static void block_signals(sigset_t *watched, sigset_t *before) {
  sigemptyset(watched);
  sigaddset(watched, SIGCHLD);
  for (size_t i = 0; i < sizeof handed_on / sizeof handed_on[0]; i++)
    sigaddset(watched, handed_on[i]);
  sigprocmask(SIG_BLOCK, watched, before);
}

static bool has_terminal(void) {
  int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

  if (fd >= 0)
    close(fd);
  return fd >= 0;
}

/* In the child: nothing but async-signal-safe calls. */
static void become(char *const *argv, bool leads_group, const sigset_t *mask, int error_pipe) {
  if (leads_group)
    setpgid(0, 0);
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
  bool leads_group; /* the command is the leader of a process group of its own */
  int signals;      /* signalfd */
  struct group_signals group;
  double stop_s;        /* when it is stopped, or stopped for certain; 0: never */
  double interrupted_s; /* when the last interrupting signal came */
  bool by_terminal;     /* and it was a key */
  struct child_result *result;
};

static bool is_interrupting(int number) {
  return number == SIGINT || number == SIGTERM || number == SIGHUP;
}

static void tell(const struct watch *watch, int number) {
  kill(watch->child, number);
}

static void tell_all(const struct watch *watch, int number) {
  kill(watch->leads_group ? -watch->child : watch->child, number);
}

/* A code above 0 means the kernel: the terminal has sent it to the whole process group.  In a group
 * of its own the command gets what was meant for one process, such as SIGUSR1, alone. */
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
  bool has_it =
      !watch->leads_group && (by_kernel || (to_group && getpgid(watch->child) == getpgrp()));
  if (!has_it && (by_kernel || to_group || is_interrupting(number)))
    tell_all(watch, number);
  else if (!has_it)
    tell(watch, number);
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

/* Its time is over: SIGTERM, and SIGKILL when that was not enough. */
static void stop(struct watch *watch) {
  if (!watch->result->timed_out) {
    watch->result->timed_out = true;
    watch->stop_s = time_text_monotonic_s() + KILL_AFTER_S;
    tell_all(watch, SIGTERM);
    tell_all(watch, SIGCONT); /* a stopped process does not get it */
  } else {
    watch->stop_s = 0;
    tell_all(watch, SIGKILL);
  }
}

/* Stops the command when it is time to; answers how long to wait, for poll(). */
static int take_time(struct watch *watch) {
  double now_s = time_text_monotonic_s();

  if (watch->stop_s > 0 && now_s >= watch->stop_s)
    stop(watch);
  return watch->stop_s > 0 ? (int)ceil(fmax(watch->stop_s - now_s, 0) * 1000) : -1;
}

/* What a command that was stopped leaves in its group ends, too, while the group's number is still
 * its own. */
static bool has_ended(struct watch *watch) {
  siginfo_t info = {.si_pid = 0};

  if (waitid(P_PID, (id_t)watch->child, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
    return false;
  if (watch->result->timed_out && watch->leads_group)
    tell_all(watch, SIGKILL);
  return waitpid(watch->child, &watch->result->wait_status, WNOHANG) == watch->child;
}

static void wait_for(struct watch *watch) {
  struct pollfd entries[2] = {{.fd = watch->signals, .events = POLLIN},
                              {.fd = STDIN_FILENO, .events = POLLIN}};

  while (!has_ended(watch)) {
    int wait_ms = take_time(watch);
    int count = poll(entries, waits_for_input(watch) ? 2 : 1, wait_ms);

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

int child_run(char *const *argv, double limit_s, struct child_result *result,
              struct problem *problem) {
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
                        .leads_group = limit_s > 0 && !has_terminal(),
                        .signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK)};
  group_signals_begin(&watch.group, &watched);
  double started_s = time_text_monotonic_s();
  watch.stop_s = limit_s > 0 ? started_s + limit_s : 0;
  pid_t child = watch.signals < 0 ? -1 : fork();
  if (child == 0)
    become(argv, watch.leads_group, &before, error_pipe[1]);
  close(error_pipe[1]);
  if (child > 0) {
    watch.child = child;
    if (watch.leads_group)
      setpgid(child, child); /* both do it: either may come first */
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

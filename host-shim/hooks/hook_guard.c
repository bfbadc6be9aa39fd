/* hook_guard.c - keeps a hook within its limits: on time, status 0, nothing on standard output.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/time_text.h"

/* Of 900 ms; the rest is for starting and ending the processes. */
static const double READ_S = 0.55, FLUSH_S = 0.75, TOTAL_S = 0.86, ALONE_S = 0.89;

static double begun_s;

static void provide_descriptors(void) {
  int fd;

  do
    fd = open("/dev/null", O_RDWR); /* fills 0, 1 and 2 where the host closed them */
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) {
    dup2(fd, STDOUT_FILENO);
    close(fd);
  }
}

static void provide_home(void) {
  const char *home = secure_getenv("HOME");

  if (home && *home == '/')
    return;
  const struct passwd *user = getpwuid(getuid());
  if (user && user->pw_dir && *user->pw_dir == '/')
    setenv("HOME", user->pw_dir, 1);
}

static void dispose(int number, void (*disposition)(int)) {
  struct sigaction action = {.sa_flags = 0};

  action.sa_handler = disposition;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, NULL);
}

/* A host that ends kills the process group of its hooks, also with SIGKILL. The worker ends soon in
 * any case, so it leaves the group. Not when it reads from a terminal, which it then could not. */
static void leave_group(void) {
  if (!isatty(STDIN_FILENO))
    setpgid(0, 0);
}

/* Without the guard nothing would end it: so a timer of its own does. A signal that ends the guard,
 * such as a Ctrl-C meant for the agent, must not cost the record. */
static void become_worker(const sigset_t *watched) {
  const struct itimerval limit = {.it_value = {.tv_usec = (suseconds_t)(ALONE_S * 1e6)}};
  sigset_t needed = *watched;
  static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGXFSZ, SIGTTOU};

  leave_group();
  for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
    dispose(ignored[i], SIG_IGN);
  dispose(SIGALRM, SIG_DFL);
  sigaddset(&needed, SIGALRM);
  sigprocmask(SIG_UNBLOCK, &needed, NULL);
  setitimer(ITIMER_REAL, &limit, NULL);
  provide_home();
}

static enum hook_guard_side side_of(int wait_status) {
  if (!WIFSIGNALED(wait_status))
    return HOOK_GUARD_DONE;
  return WTERMSIG(wait_status) == SIGALRM ? HOOK_GUARD_LATE : HOOK_GUARD_CRASHED;
}

static enum hook_guard_side wait_for_worker(pid_t worker, const sigset_t *watched) {
  int wait_status = 0;

  for (;;) {
    double left_s = begun_s + TOTAL_S - time_text_monotonic_s();
    struct timespec left = {.tv_nsec = left_s > 0 ? (long)(left_s * 1e9) : 0};

    if (waitpid(worker, &wait_status, WNOHANG) == worker)
      return side_of(wait_status);
    int number = sigtimedwait(watched, NULL, &left);
    if (number < 0 && errno == EAGAIN)
      break;
    if (number > 0 && number != SIGCHLD)
      return HOOK_GUARD_LEFT;
  }
  kill(worker, SIGKILL);
  return HOOK_GUARD_LATE;
}

enum hook_guard_side hook_guard_begin(void) {
  sigset_t watched;

  sigemptyset(&watched);
  sigaddset(&watched, SIGCHLD);
  sigaddset(&watched, SIGTERM);
  sigaddset(&watched, SIGINT);
  sigaddset(&watched, SIGHUP);
  sigprocmask(SIG_BLOCK, &watched, NULL); /* first of all: the host may be ending already */
  begun_s = time_text_monotonic_s();
  dispose(SIGCHLD, SIG_DFL); /* if it were inherited as ignored, it would never come */
  provide_descriptors();
  pid_t worker = fork();
  if (worker > 0) {
    close(STDIN_FILENO); /* only the worker keeps it: the host notices when nobody reads any more */
    return wait_for_worker(worker, &watched);
  }
  become_worker(&watched);
  return HOOK_GUARD_WORKER;
}

double hook_guard_deadline_s(enum hook_guard_phase phase) {
  return begun_s + (phase == HOOK_GUARD_READ ? READ_S : FLUSH_S);
}

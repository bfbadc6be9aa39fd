/* hook_guard.c - the manners of a hook: it ends in time, with status 0, and says nothing on
 * standard output.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hook_guard.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "hook_log.h"
#include "time_text.h"

/* Of 900 ms; the rest is for starting and ending the process. */
static const double READ_S = 0.40, FLUSH_S = 0.75;
static const suseconds_t TOTAL_US = 860 * 1000;

static double begun_s;

static void end_in_time(int number) {
  (void)number;
  hook_log_signal("hook: ended by its deadline of 900 ms\n");
  _exit(0);
}

static void end_asked(int number) {
  (void)number;
  hook_log_signal("hook: ended by a signal of the host\n");
  _exit(0);
}

static void end_crashed(int number) {
  (void)number;
  hook_log_signal("hook: crashed; 'kaizen-host doctor' looks at the set-up\n");
  _exit(0);
}

static void handle(int number, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_flags = flags};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, NULL);
}

static void handle_signals(void) {
  sigset_t mine;
  sigemptyset(&mine);
  sigaddset(&mine, SIGALRM);
  sigaddset(&mine, SIGTERM);
  sigprocmask(SIG_UNBLOCK, &mine, NULL); /* inherited as blocked it would never come */
  handle(SIGALRM, end_in_time, 0);
  handle(SIGTERM, end_asked, 0);
  handle(SIGINT, end_asked, 0);
  handle(SIGHUP, end_asked, 0);
  handle(SIGPIPE, SIG_IGN, 0);
#if !defined(__SANITIZE_ADDRESS__) /* it has its own, with a report */
  static char stack[64 * 1024];
  const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
  sigaltstack(&alternate, NULL);
  for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++)
    handle(crashes[i], end_crashed, SA_ONSTACK);
#else
  (void)end_crashed;
#endif
}

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
  if (home != NULL && *home == '/')
    return;
  const struct passwd *user = getpwuid(getuid());
  if (user != NULL && user->pw_dir != NULL && *user->pw_dir == '/')
    setenv("HOME", user->pw_dir, 1);
}

void hook_guard_begin(void) {
  const struct itimerval limit = {.it_value = {.tv_usec = TOTAL_US}};
  begun_s = time_text_monotonic_s();
  provide_descriptors();
  handle_signals();
  setitimer(ITIMER_REAL, &limit, NULL);
  provide_home();
}

double hook_guard_deadline_s(enum hook_guard_phase phase) {
  return begun_s + (phase == HOOK_GUARD_READ ? READ_S : FLUSH_S);
}

/* proof_kill.c - kills a process before its n-th system call.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A counter for each thread, as tracing tools have, cannot name one moment of a program with eight
 * threads; this one counts over all of them.  A thread is killed at the stop before the call, so
 * that the call itself does not happen. */
#include "proof_kill.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSCALL_STOP (SIGTRAP | 0x80)
#define OPTIONS                                                                                    \
  (PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK)

void kill_wait_for_tracer(void) {
  (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
  (void)raise(SIGSTOP);
}

static bool is_before_call(pid_t thread) {
  struct __ptrace_syscall_info info = {0};

  return ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof info, &info) > 0 &&
         info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

static void go_on(pid_t thread, int signal_number) {
  (void)ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(long)signal_number);
}

/* The signal to hand on with a stop that is not a call: none for those that tracing itself
 * makes. */
static int signal_of(int status) {
  int number = WSTOPSIG(status);

  return number == SIGSTOP || number == SIGTRAP ? 0 : number;
}

static int end_of(int status, bool killed) {
  if (killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
    return 1;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

int kill_before_call(pid_t child, unsigned long kill_at, unsigned long *count) {
  bool killed = false;
  int status;

  *count = 0;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
    return -1;
  (void)ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)OPTIONS);
  go_on(child, 0);
  for (;;) {
    pid_t thread = waitpid(-1, &status, __WALL);

    if (thread < 0 && errno == EINTR)
      continue;
    if (thread < 0)
      return -1;
    if (!WIFSTOPPED(status)) {
      if (thread == child)
        return end_of(status, killed);
      continue;
    }
    if (killed)
      continue;
    if (WSTOPSIG(status) != SYSCALL_STOP) {
      go_on(thread, signal_of(status));
      continue;
    }
    if (is_before_call(thread) && ++*count == kill_at) {
      killed = true;
      (void)kill(child, SIGKILL);
      continue;
    }
    go_on(thread, 0);
  }
}

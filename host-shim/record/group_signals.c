/* group_signals.c - whether a signal was sent to this process alone or to its whole process group.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/group_signals.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/time_text.h"

/* Both processes get a group's signal within one kill(2). timeout(1) sends it to its command first
 * and to the group right after. */
enum { GRACE_MS = 30, WITNESS_STOPPED_MS = 1000 };
static const double TOGETHER_S = 0.1;

/* Waiting signals are read only when asked for, so that the answer does not depend on when this
 * process is scheduled. Keeps only the socket open, and dies with its parent. */
static void be_witness(const sigset_t *watched, int question) {
  const struct timespec at_once = {0};
  char byte;

  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (dup2(question, STDIN_FILENO) < 0)
    _exit(1);
  close_range(STDIN_FILENO + 1, ~0U, 0);
  while (read(STDIN_FILENO, &byte, 1) == 1) {
    uint64_t seen = 0;
    int number;

    while ((number = sigtimedwait(watched, NULL, &at_once)) > 0)
      seen |= UINT64_C(1) << (number - 1);
    if (write(STDIN_FILENO, &seen, sizeof seen) != sizeof seen)
      break;
  }
  _exit(0);
}

void group_signals_begin(struct group_signals *group, const sigset_t *watched) {
  int ends[2];

  *group = (struct group_signals){.witness = -1, .question = -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    return;
  group->witness = fork();
  if (group->witness == 0)
    be_witness(watched, ends[1]);
  close(ends[1]);
  group->question = ends[0];
}

/* The signals that the witness got since it was last asked. A witness that was stopped or killed
 * does not answer and is not asked again. */
static void ask_witness(struct group_signals *group) {
  struct pollfd entry = {.fd = group->question, .events = POLLIN};
  uint64_t seen = 0;

  if (group->question < 0)
    return;
  if (send(group->question, "?", 1, MSG_NOSIGNAL) != 1 ||
      poll(&entry, 1, WITNESS_STOPPED_MS) <= 0 ||
      read(group->question, &seen, sizeof seen) != sizeof seen) {
    close(group->question);
    group->question = -1;
    return;
  }
  for (int number = 1; number < 64; number++)
    if ((seen & UINT64_C(1) << (number - 1)) != 0)
      group->last_s[number] = time_text_monotonic_s();
}

bool group_signals_has(struct group_signals *group, int number) {
  double now_s = time_text_monotonic_s();

  ask_witness(group);
  for (int waited = 0; waited < GRACE_MS && now_s - group->last_s[number] > TOGETHER_S;
       waited += 10) {
    poll(NULL, 0, 10);
    ask_witness(group);
  }
  return now_s - group->last_s[number] <= TOGETHER_S;
}

void group_signals_end(struct group_signals *group) {
  if (group->witness > 0) {
    kill(group->witness, SIGKILL);
    while (waitpid(group->witness, NULL, 0) < 0 && errno == EINTR)
      continue;
  }
  if (group->question >= 0)
    close(group->question);
}

/* group_signals.c - whether a signal was sent to this process alone or to its whole process group.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "record/group_signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time_text.h"

/* Both get a group's signal within the one call that sends it. timeout(1) sends to its command
 * first and to the group right after. */
enum { GRACE_MS = 30 };
static const double TOGETHER_S = 0.1;

/* Holds nothing open but the pipe, and dies with its parent. */
static void be_witness(const sigset_t *watched, int out) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (dup2(out, STDIN_FILENO) < 0)
    _exit(1);
  close_range(STDIN_FILENO + 1, ~0U, 0);
  for (;;) {
    int number = sigwaitinfo(watched, NULL);
    unsigned char byte = (unsigned char)number;

    if (number > 0 && number != SIGCHLD && write(STDIN_FILENO, &byte, 1) != 1)
      _exit(0);
  }
}

void group_signals_begin(struct group_signals *group, const sigset_t *watched) {
  int ends[2];

  *group = (struct group_signals){.witness = -1, .seen = -1};
  if (pipe2(ends, O_CLOEXEC) < 0)
    return;
  group->witness = fork();
  if (group->witness == 0)
    be_witness(watched, ends[1]);
  close(ends[1]);
  group->seen = ends[0];
}

static void read_seen(struct group_signals *group, int wait_ms) {
  struct pollfd entry = {.fd = group->seen, .events = POLLIN};
  unsigned char numbers[64];

  if (poll(&entry, 1, wait_ms) <= 0)
    return;
  ssize_t got = read(group->seen, numbers, sizeof numbers);
  for (ssize_t i = 0; i < got; i++)
    if (numbers[i] < NSIG)
      group->last_s[numbers[i]] = time_text_monotonic_s();
}

bool group_signals_has(struct group_signals *group, int number) {
  double now_s = time_text_monotonic_s();

  if (group->witness < 0)
    return false;
  read_seen(group, 0);
  for (int waited = 0; waited < GRACE_MS && now_s - group->last_s[number] > TOGETHER_S;
       waited += 10)
    read_seen(group, 10);
  return now_s - group->last_s[number] <= TOGETHER_S;
}

void group_signals_end(struct group_signals *group) {
  if (group->witness > 0) {
    kill(group->witness, SIGKILL);
    while (waitpid(group->witness, NULL, 0) < 0 && errno == EINTR)
      continue;
  }
  if (group->seen >= 0)
    close(group->seen);
}

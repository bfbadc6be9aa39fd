/* project_scene.h - a project in a sandbox, and what is refused of it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TESTS_PROJECT_SCENE_H
#define KAIZEN_TESTS_PROJECT_SCENE_H

#include "legacy_lock.h"

#include <kaizen/plugin.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "store/project.h"

#define NOBODY 65534

static struct project project;
static struct error error;

SANDBOX_HELPER void set_up(void) {
  sandbox_enter();
  project.root_fd = -1;
}

SANDBOX_HELPER void tear_down(void) {
  project_close(&project);
  sandbox_leave();
}

SANDBOX_HELPER void open_project(bool sync) {
  cr_assert_eq(project_open(&project, sandbox.root, false, sync, &error), 0, "%s", error.text);
}

SANDBOX_HELPER void must_refuse(const char *name, int result, const char *thing, const char *why) {
  cr_expect_eq(result, -1, "%s", name);
  cr_expect(strstr(error.text, thing), "%s: \"%s\" is not named: %s", name, thing, error.text);
  cr_expect(strstr(error.text, why), "%s: \"%s\" is not said: %s", name, why, error.text);
}

SANDBOX_HELPER int open_agent(bool create) {
  int fd, result = project_agent_folder(&project, "coach", create, &fd, &error);

  if (result == 0)
    (void)close(fd);
  return result;
}

/* Kernels before 5.6 have no openat2(2); containers answer it with one error or another. */
SANDBOX_HELPER void forbid_openat2(int answer) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)answer & SECCOMP_RET_DATA)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    cr_skip_test("no system call can be forbidden here");
}

#endif

/* project_sandbox.h - a sandbox that is a project.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TESTS_PROJECT_SANDBOX_H
#define KAIZEN_TESTS_PROJECT_SANDBOX_H

#include "sandbox.h"

#include "store/project.h"

static struct project project;
static struct error error;

SANDBOX_HELPER void enter_project(void) {
  sandbox_enter();
  cr_assert_eq(project_open(&project, sandbox.root, false, false, &error), 0, "%s", error.text);
}

SANDBOX_HELPER void leave_project(void) {
  project_close(&project);
  sandbox_leave();
}

#endif

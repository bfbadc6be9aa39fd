/* hook_doctor.h - which hooks are in place, and when each last fired: for doctor.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_DOCTOR_H
#define KAIZEN_HOST_HOOK_DOCTOR_H

#include "base/doctor_findings.h"

/* `project_root` "" when there is no project. */
void hook_doctor_check(struct doctor_findings *findings, const char *project_root);

#endif

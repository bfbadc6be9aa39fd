/* doctor_findings.h - the findings of doctor, each with its fix.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_DOCTOR_FINDINGS_H
#define KAIZEN_HOST_DOCTOR_FINDINGS_H

#include <json-c/json.h>

#include "base/exit_code.h"

/* FINDING_SKIPPED: not checked, or not needed. */
enum finding_level { FINDING_OK, FINDING_SKIPPED, FINDING_WARNING, FINDING_PROBLEM };

struct doctor_findings {
  struct json_object *list; /* for -o json; NULL: each is printed at once */
  unsigned warnings, problems;
  enum exit_code status; /* of the first problem */
};

void doctor_findings_init(struct doctor_findings *findings);
/* `subject` is a word or two; `way_out` NULL when there is nothing to do. */
void doctor_findings_add(struct doctor_findings *findings, enum finding_level level,
                         const char *subject, const char *way_out, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* A problem that decides the exit status. */
void doctor_findings_fail(struct doctor_findings *findings, enum exit_code status,
                          const char *subject, const char *way_out, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The last line, or the whole document; answers the exit status. */
int doctor_findings_end(struct doctor_findings *findings);

#endif

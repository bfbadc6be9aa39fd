/* report_page.h - one self-contained page about a project: no network, light and dark, fit to
 * print.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_PAGE_H
#define KAIZEN_HOST_REPORT_PAGE_H

#include <stdio.h>

#include "host/command.h"
#include "report/report_project.h"

enum { REPORT_PAGE_BYTES_MAX = 1000000 };

/* Agents are shown in full, the worst first, until the page has REPORT_PAGE_BYTES_MAX.  Their runs
 * are read again for it: one that can no longer be read becomes unreadable. */
int report_page_print(FILE *out, const struct host *host, struct report_project *project,
                      struct problem *problem);

#endif

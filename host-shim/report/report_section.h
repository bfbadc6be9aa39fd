/* report_section.h - one agent in full: figures, pictures, models, reasons, last failures.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_SECTION_H
#define KAIZEN_HOST_REPORT_SECTION_H

#include <stdbool.h>
#include <stdio.h>

#include "report/agent_rows.h"
#include "report/report_failures.h"

/* The agent's name, as a link to its section if there is one. */
void report_section_print_name(FILE *out, const struct agent_row *row, bool linked);
/* The section's tag and its heading. */
void report_section_begin(FILE *out, const struct agent_row *row);
/* `answer` is the row's, with its runs. */
void report_section_print(FILE *out, const struct agent_row *row, const struct agent_answer *answer,
                          const struct report_failures *failures);

/* Tiles about the runs: quality, duration, cost, tokens, primary metric; none for what no run
 * carries. */
void report_section_print_numbers(FILE *out, const struct figures *figures,
                                  const struct names *names);
/* Two tables beside each other: models with success and cost, failures by reason. */
void report_section_print_splits(FILE *out, const struct figures *figures,
                                 const struct names *names);

#endif

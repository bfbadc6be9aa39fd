/* report_reader.c - an agent of the report read in full: its runs and its last failures.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_reader.h"

#include <string.h>

#include "host/roots.h"

static int open_project(struct report_reader *reader, const char *root, struct problem *problem) {
  if (reader->is_open && (!root || strcmp(root, reader->root) == 0))
    return 0;
  report_reader_close(reader);
  int result = root ? roots_open(reader->host, root, &reader->session, problem)
                    : session_open(reader->host, &reader->session, problem);
  reader->is_open = result == 0;
  reader->root = root;
  return result;
}

int report_reader_read(struct report_reader *reader, const struct agent_row *row,
                       const struct window *window, struct agent_answer *answer,
                       struct report_failures *failures, struct problem *problem) {
  struct run_lines lines = {.max = REPORT_FAILURES_MAX, .failures_only = true};

  if (open_project(reader, row->root, problem) < 0 ||
      agent_answer_read_lines(&reader->session, row->agent, window, answer, &lines, problem) < 0)
    return -1;
  report_failures_of(&lines, failures);
  run_lines_free(&lines);
  return 0;
}

void report_reader_close(struct report_reader *reader) {
  if (reader->is_open)
    session_close(&reader->session);
  reader->is_open = false;
}

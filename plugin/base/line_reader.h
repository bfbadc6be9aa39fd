/* line_reader.h - the lines of a range of a file, in order, in bounded memory.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_BASE_LINE_READER_H
#define KAIZEN_BASE_LINE_READER_H

#include <stdbool.h>

#include "base/error.h"
#include "common/buffer.h"

/* A longer line is handed out as `too_long`, without its bytes. */
#define LINE_READER_LINE_MAX (UINT64_C(2) << 20)

struct line_reader {
  int fd;               /* borrowed; read with pread, its position stays */
  uint64_t offset, end; /* of the next line; nothing at or after `end` is read */
  struct buffer window; /* file bytes from window_offset on */
  uint64_t window_offset;
  int64_t deadline_ns; /* CLOCK_MONOTONIC, looked at now and then; INT64_MAX unless it is set */
};
struct line {
  struct span text;     /* without its newline; valid until the next call */
  uint64_t offset, end; /* end: after the newline */
  bool too_long;
};

void line_reader_init(struct line_reader *reader, int fd, uint64_t offset, uint64_t end);
void line_reader_fini(struct line_reader *reader);
/* 1 with a line that has its newline before `end`, 0 when there is no more (reader->offset then is
 * where an unfinished line begins, or `end`), -1 with *error, ERROR_BUSY at the deadline. */
int line_reader_next(struct line_reader *reader, struct line *line, struct error *error);

#endif

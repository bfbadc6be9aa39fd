/* line_reader.c - the lines of a range of a file, in order, in bounded memory.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/line_reader.h"

#include <string.h>

#include "base/clock.h"
#include "base/directory.h"

#define CHUNK (UINT64_C(64) << 10)

void line_reader_init(struct line_reader *reader, int fd, uint64_t offset, uint64_t end) {
  *reader = (struct line_reader){
      .fd = fd, .offset = offset, .end = end, .window_offset = offset, .deadline_ns = INT64_MAX};
}

void line_reader_fini(struct line_reader *reader) {
  buffer_fini(&reader->window);
}

static uint64_t window_end(const struct line_reader *reader) {
  return reader->window_offset + reader->window.len;
}

/* Reads more of the file into the window.  1 when it grew, 0 at the end, -1 with *error. */
static int take_more(struct line_reader *reader, struct error *error) {
  uint64_t from = window_end(reader), want = from < reader->end ? reader->end - from : 0;
  size_t got, used = (size_t)(reader->offset - reader->window_offset);
  char *room;

  if (want == 0)
    return 0;
  /* the first piece is always read: most logs are one */
  if (reader->deadline_ns < INT64_MAX && reader->window.len > 0 &&
      clock_monotonic_ns() >= reader->deadline_ns)
    return error_set(error, ERROR_BUSY, "the log cannot be read within the given time");
  if (used > 0) {
    memmove(reader->window.data, reader->window.data + used, reader->window.len - used);
    reader->window.len -= used;
    reader->window_offset = reader->offset;
  }
  if (want > CHUNK)
    want = CHUNK;
  room = buffer_reserve(&reader->window, (size_t)want);
  if (!room)
    return error_set(error, ERROR_NO_MEMORY, "out of memory");
  if (directory_read_at(reader->fd, room, (size_t)want, from, &got, error) != 0)
    return -1;
  reader->window.len += got;
  return got > 0;
}

/* The line that begins at reader->offset is too long to be kept: looks for its newline, window by
 * window. */
static int skip_long_line(struct line_reader *reader, struct line *line, struct error *error) {
  uint64_t begin = reader->offset;
  int more;

  do {
    size_t used = (size_t)(reader->offset - reader->window_offset);
    const char *newline = memchr(reader->window.data + used, '\n', reader->window.len - used);

    if (newline) {
      reader->offset = reader->window_offset + (uint64_t)(newline - reader->window.data) + 1;
      *line =
          (struct line){.text = {"", 0}, .offset = begin, .end = reader->offset, .too_long = true};
      return 1;
    }
    reader->offset = window_end(reader);
    more = take_more(reader, error);
  } while (more == 1);
  reader->offset = reader->window_offset = begin;
  buffer_clear(&reader->window);
  return more;
}

int line_reader_next(struct line_reader *reader, struct line *line, struct error *error) {
  size_t searched = 0;

  for (;;) {
    size_t used = (size_t)(reader->offset - reader->window_offset);
    const char *begin = reader->window.data ? reader->window.data + used : "";
    size_t held = reader->window.len - used;
    const char *newline = held > searched ? memchr(begin + searched, '\n', held - searched) : NULL;
    int more;

    if (newline) {
      size_t len = (size_t)(newline - begin);

      *line = (struct line){
          .text = {begin, len}, .offset = reader->offset, .end = reader->offset + len + 1};
      reader->offset = line->end;
      return 1;
    }
    if (held > LINE_READER_LINE_MAX)
      return skip_long_line(reader, line, error);
    searched = held;
    more = take_more(reader, error);
    if (more != 1)
      return more;
  }
}

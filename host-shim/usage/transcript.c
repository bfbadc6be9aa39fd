/* transcript.c - a coding agent's own record of a session, read for numbers, ids and times.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "usage/transcript.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time_text.h"

enum { READ_BYTES = 256 * 1024, LINE_BYTES_MAX = 32 * 1024 * 1024, DEPTH_MAX = 256 };

int transcript_open(struct transcript *transcript, const struct transcript_format *format,
                    const char *path, struct problem *problem) {
  struct stat entry;

  *transcript = (struct transcript){.format = format, .total_tokens = USAGE_NOT_SAID};
  transcript->usage.tells_tool_errors = format->tells_tool_errors;
  transcript->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (transcript->fd < 0)
    return problem_set(problem, EXIT_CODE_FAILED, "%s: cannot open: %s", path, strerror(errno));
  if (fstat(transcript->fd, &entry) == 0 && S_ISREG(entry.st_mode) && entry.st_uid == geteuid())
    return 0;
  close(transcript->fd);
  transcript->fd = -1;
  return problem_set(problem, EXIT_CODE_FAILED, "%s: not a regular file of this user", path);
}

void transcript_close(struct transcript *transcript) {
  if (transcript->fd >= 0)
    close(transcript->fd);
  free(transcript->buffer);
  usage_free(&transcript->usage);
  *transcript = (struct transcript){.fd = -1};
}

void transcript_take(struct transcript *transcript, struct json_object *document) {
  struct transcript_line line = {.step = TRANSCRIPT_OTHER};

  transcript->ordinal++;
  if (!json_object_is_type(document, json_type_object))
    return;
  transcript->format->read(transcript, document, &line);
  if (line.step != TRANSCRIPT_OTHER)
    transcript->last_step = line.step;
  if (transcript->each)
    transcript->each(transcript->ctx, &line);
}

static bool has_mark(const struct transcript_format *format, const char *text, size_t len) {
  for (size_t i = 0; format->marks[i]; i++)
    if (memmem(text, len, format->marks[i], strlen(format->marks[i])))
      return true;
  return false;
}

/* Most of a transcript is irrelevant text: only lines with a known marker are parsed. */
static void take_line(struct transcript *transcript, const char *text, size_t len) {
  if (!has_mark(transcript->format, text, len))
    return;
  struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
  struct json_object *document =
      tokener && len < INT_MAX ? json_tokener_parse_ex(tokener, text, (int)len) : NULL;
  if (document)
    transcript_take(transcript, document);
  else
    transcript->usage.is_partial = true;
  json_object_put(document);
  if (tokener)
    json_tokener_free(tokener);
}

static int make_room(struct transcript *transcript) {
  size_t room = transcript->room > 0 ? transcript->room * 2 : 2 * READ_BYTES;

  if (transcript->room - transcript->used >= READ_BYTES)
    return 0;
  if (room > LINE_BYTES_MAX) {
    transcript->skipped += !transcript->is_skipping;
    transcript->usage.is_partial = transcript->is_skipping = true;
    transcript->used = 0;
    return 0;
  }
  char *larger = realloc(transcript->buffer, room);
  if (!larger)
    return -1;
  transcript->buffer = larger;
  transcript->room = room;
  return 0;
}

int transcript_read(struct transcript *transcript, double deadline_s) {
  for (;;) {
    if (deadline_s > 0 && time_text_monotonic_s() >= deadline_s)
      return 1;
    ssize_t got = make_room(transcript) == 0
                      ? pread(transcript->fd, transcript->buffer + transcript->used, READ_BYTES,
                              (off_t)transcript->at)
                      : -1;
    if (got < 0) {
      transcript->usage.is_partial = true;
      return -1;
    }
    if (got == 0)
      return 0;
    const char *line = transcript->buffer;
    const char *end = transcript->buffer + transcript->used + got;
    const char *fresh = transcript->buffer + transcript->used; /* no newline before it */
    const char *newline;
    while ((newline = memchr(fresh, '\n', (size_t)(end - fresh))) != NULL) {
      if (!transcript->is_skipping)
        take_line(transcript, line, (size_t)(newline - line));
      transcript->is_skipping = false;
      line = fresh = newline + 1;
    }
    transcript->at += (uint64_t)got;
    transcript->used = (size_t)(end - line);
    memmove(transcript->buffer, line, transcript->used);
  }
}

void transcript_end(struct transcript *transcript) {
  if (transcript->used > 0 && !transcript->is_skipping)
    take_line(transcript, transcript->buffer, transcript->used);
  transcript->used = 0;
}

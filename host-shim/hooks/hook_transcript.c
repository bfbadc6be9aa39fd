/* hook_transcript.c - how a turn ended whose end was not reported, according to the host's
 * transcript.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_transcript.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "hooks/hook_payload.h"
#include "usage/transcript_format.h"

enum { TAIL_BYTES = 2 * 1024 * 1024 }; /* a turn that fails writes little after its prompt */

/* The transcript that the payload names, at its last part.  *is_whole: that is all of it.  -1:
 * there is none. */
static int open_tail(const struct hook_event *event, struct transcript *transcript,
                     bool *is_whole) {
  const struct transcript_format *format = transcript_format_find(event->host->family);
  struct json_object *value = NULL;
  struct problem ignored;
  struct stat entry;
  const char *path = hook_payload_find(event->payload, "transcript_path", &value)
                         ? hook_payload_text(value)
                         : NULL;

  if (!format || !path || *path != '/' || transcript_open(transcript, format, path, &ignored) < 0)
    return -1;
  *is_whole = fstat(transcript->fd, &entry) == 0 && entry.st_size <= TAIL_BYTES;
  transcript->at = *is_whole ? 0 : (uint64_t)entry.st_size - TAIL_BYTES;
  return 0;
}

static void note_error(void *ctx, const struct transcript_line *line) {
  if (line->step == TRANSCRIPT_FAILED)
    snprintf(ctx, HOOK_WORD_MAX + 1, "%s", line->error);
}

bool hook_transcript_failed(const struct hook_event *event, double deadline_s,
                            char error[HOOK_WORD_MAX + 1]) {
  struct transcript transcript;
  bool is_whole;

  error[0] = '\0';
  if (open_tail(event, &transcript, &is_whole) < 0)
    return false;
  transcript.each = note_error;
  transcript.ctx = error;
  bool failed =
      transcript_read(&transcript, deadline_s) == 0 && transcript.last_step == TRANSCRIPT_FAILED;
  transcript_close(&transcript);
  return failed;
}

struct ending { /* of a turn */
  const char *id;
  bool is_begun, is_over, has_answer;
  bool is_anothers;          /* the end is that of a turn which this one was part of */
  enum transcript_step step; /* OTHER: not ended */
  char error[HOOK_WORD_MAX + 1];
};

/* The first end after the turn's begin is its own, also under the id of the turn that it was part
 * of. */
static void note_ending(void *ctx, const struct transcript_line *line) {
  struct ending *ending = ctx;
  bool is_end = line->step == TRANSCRIPT_COMPLETED || line->step == TRANSCRIPT_FAILED ||
                line->step == TRANSCRIPT_ABORTED;

  if (line->step == TRANSCRIPT_PROMPT) {
    ending->is_over = ending->is_begun;
    ending->is_begun = ending->is_begun || strcmp(line->turn, ending->id) == 0;
  } else if (is_end && ending->is_begun && !ending->is_over) {
    ending->is_over = true;
    ending->is_anothers = strcmp(line->turn, ending->id) != 0;
    ending->step = line->step;
    snprintf(ending->error, sizeof ending->error, "%s", line->error);
  } else if (line->step == TRANSCRIPT_ANSWER && !ending->is_over) {
    ending->has_answer = ending->is_begun;
  }
}

bool hook_transcript_settle(const char *id, double deadline_s, struct hook_event *event) {
  struct ending ending = {.id = id, .step = TRANSCRIPT_OTHER};
  struct transcript transcript;
  bool is_whole;

  if (open_tail(event, &transcript, &is_whole) < 0)
    return true;
  transcript.each = note_ending;
  transcript.ctx = &ending;
  bool is_read = transcript_read(&transcript, deadline_s) == 0;
  transcript_close(&transcript);
  if (ending.step == TRANSCRIPT_FAILED && event->error[0] == '\0')
    snprintf(event->error, sizeof event->error, "%s", ending.error);
  if (ending.step == TRANSCRIPT_ABORTED)
    event->outcome = HOOK_ABORTED;
  if (ending.step == TRANSCRIPT_COMPLETED) {
    if (!ending.has_answer && !ending.is_anothers)
      return false;
    event->kind = HOOK_TURN_END;
    event->outcome = HOOK_COMPLETED;
    event->error[0] = '\0';
  }
  return ending.is_begun || !is_read || !is_whole;
}

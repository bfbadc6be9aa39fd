/* hook_transcript.c - whether the last turn of a session failed, according to the host's
 * transcript.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_transcript.h"

#include <stdio.h>
#include <sys/stat.h>

#include "hooks/hook_payload.h"
#include "usage/transcript_format.h"

enum { TAIL_BYTES = 512 * 1024 }; /* a turn that fails writes little after its prompt */

static void note_error(void *ctx, const struct transcript_line *line) {
  if (line->step == TRANSCRIPT_FAILED)
    snprintf(ctx, HOOK_WORD_MAX + 1, "%s", line->error);
}

bool hook_transcript_failed(const struct hook_event *event, double deadline_s,
                            char error[HOOK_WORD_MAX + 1]) {
  const struct transcript_format *format = transcript_format_find(event->host->family);
  struct transcript transcript;
  struct json_object *value = NULL;
  struct problem ignored;
  struct stat entry;
  error[0] = '\0';
  const char *path = hook_payload_find(event->payload, "transcript_path", &value)
                         ? hook_payload_text(value)
                         : NULL;
  if (!format || !path || *path != '/' || transcript_open(&transcript, format, path, &ignored) < 0)
    return false;
  if (fstat(transcript.fd, &entry) == 0 && entry.st_size > TAIL_BYTES)
    transcript.at = (uint64_t)entry.st_size - TAIL_BYTES;
  transcript.each = note_error;
  transcript.ctx = error;
  bool failed =
      transcript_read(&transcript, deadline_s) == 0 && transcript.last_step == TRANSCRIPT_FAILED;
  transcript_close(&transcript);
  return failed;
}

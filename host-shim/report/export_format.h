/* export_format.h - a record of the log in the format of other programs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_EXPORT_FORMAT_H
#define KAIZEN_HOST_EXPORT_FORMAT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum export_format {
  EXPORT_JSONL,       /* as the log has it */
  EXPORT_CSV,         /* RFC 4180, a column for each member that is documented */
  EXPORT_CLOUDEVENTS, /* CloudEvents 1.0, one JSON object per line */
  EXPORT_OTLP_JSON,   /* OTLP/JSON, one span in one TracesData per line; GenAI conventions */
  EXPORT_FORMATS
};
#define EXPORT_FORMAT_WORDS "jsonl|csv|cloudevents|otlp-json"

enum { EXPORT_EQUAL_MAX = 1024 };
struct export_writer {
  enum export_format format;
  FILE *out;
  const char *project; /* its slug */
  const char *agent;   /* the one whose log is read */
  int64_t second_s;    /* of the lines before, as far as they are of one second: their hashes */
  uint64_t hashes[EXPORT_EQUAL_MAX];
  size_t hash_count;
};

/* One of EXPORT_FORMAT_WORDS. */
enum export_format export_format_named(const char *word);
/* Prints what comes before the first record. */
void export_format_begin(struct export_writer *writer);
/* One line of the log with its newline.  -1: it is not strict JSON, nothing was written. */
int export_format_record(struct export_writer *writer, const char *line, size_t len);

#endif

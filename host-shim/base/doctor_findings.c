/* doctor_findings.c - the findings of doctor, each with its fix.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/doctor_findings.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json_text.h"
#include "base/output.h"
#include "base/utf8_text.h"

static const char *const level_words[] = {"ok", "skip", "warning", "problem"};

void doctor_findings_init(struct doctor_findings *findings) {
  *findings = (struct doctor_findings){.list = output_is_json() ? json_object_new_array() : NULL};
}

static void print(enum finding_level level, const char *subject, const char *text,
                  const char *way_out) {
  static const enum output_style styles[] = {OUTPUT_GREEN, OUTPUT_DIM, OUTPUT_YELLOW, OUTPUT_RED};
  printf("%s%-8s%s %-12s ", output_style(styles[level]), level_words[level], output_style_end(),
         subject);
  utf8_text_print(stdout, text);
  putchar('\n');
  if (way_out)
    printf("%22s-> %s\n", "", way_out);
}

static void add(struct doctor_findings *findings, enum finding_level level, const char *subject,
                const char *way_out, const char *format, va_list arguments)
    __attribute__((format(printf, 5, 0)));

static void add(struct doctor_findings *findings, enum finding_level level, const char *subject,
                const char *way_out, const char *format, va_list arguments) {
  char text[1200];
  vsnprintf(text, sizeof text, format, arguments);
  findings->warnings += level == FINDING_WARNING;
  findings->problems += level == FINDING_PROBLEM;
  if (!findings->list) {
    print(level, subject, text, way_out);
    return;
  }
  struct json_object *entry = json_object_new_object();
  json_object_object_add(entry, "level", json_object_new_string(level_words[level]));
  json_object_object_add(entry, "subject", json_object_new_string(subject));
  json_object_object_add(entry, "finding", json_text_new_string(text));
  json_object_object_add(entry, "way_out", way_out ? json_text_new_string(way_out) : NULL);
  json_object_array_add(findings->list, entry);
}

void doctor_findings_add(struct doctor_findings *findings, enum finding_level level,
                         const char *subject, const char *way_out, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  add(findings, level, subject, way_out, format, arguments);
  va_end(arguments);
}

void doctor_findings_fail(struct doctor_findings *findings, enum exit_code status,
                          const char *subject, const char *way_out, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  add(findings, FINDING_PROBLEM, subject, way_out, format, arguments);
  va_end(arguments);
  if (findings->status == EXIT_CODE_OK)
    findings->status = status;
}

int doctor_findings_end(struct doctor_findings *findings) {
  if (findings->list) {
    struct json_object *document = json_object_new_object();

    json_object_object_add(document, "problems", json_object_new_int((int)findings->problems));
    json_object_object_add(document, "warnings", json_object_new_int((int)findings->warnings));
    json_object_object_add(document, "findings", findings->list);
    output_json(document);
  } else {
    printf("\n%u problem%s, %u warning%s\n", findings->problems, output_plural(findings->problems),
           findings->warnings, output_plural(findings->warnings));
  }
  return findings->status;
}

/* metrics_text.c - samples in Prometheus' text format.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/metrics_text.h"

#include <string.h>

#include "common/json_writer.h"

void metrics_text_begin(FILE *out, const char *name, const char *type, const char *help) {
  fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_text_label(FILE *out, const char *name, const char *value, const char *end) {
  fprintf(out, "%s=\"", name);
  for (; *value != '\0'; value++) {
    if (*value == '\n')
      fputs("\\n", out);
    else if (*value == '"' || *value == '\\')
      fprintf(out, "\\%c", *value);
    else
      putc(*value, out);
  }
  fprintf(out, "\"%s", end);
}

void metrics_text_value(FILE *out, double value) {
  char text[32];

  (void)json_writer_format_double(value, text);
  char *point = strstr(text, ".0");
  if (point && point[2] == '\0')
    *point = '\0'; /* a count */
  fprintf(out, "%s\n", text);
}

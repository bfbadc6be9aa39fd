/* html_text.c - pieces of a page: text that cannot become markup, times, numbers, tiles.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/html_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/amount_text.h"
#include "base/time_text.h"
#include "base/utf8_text.h"

static const char *entity_of(char character) {
  switch (character) {
  case '&':
    return "&amp;";
  case '<':
    return "&lt;";
  case '>':
    return "&gt;";
  case '"':
    return "&quot;";
  case '\'':
    return "&#39;";
  default:
    return NULL;
  }
}

void html_text_print(FILE *out, const char *text) {
  while (*text != '\0') {
    const char *entity = entity_of(*text);
    char one[5] = "";
    size_t len = utf8_text_character(text);

    len = len > 0 ? len : 1;
    memcpy(one, text, len);
    if (entity)
      fputs(entity, out);
    else
      utf8_text_print(out, one);
    text += len;
  }
}

void html_text_cut(FILE *out, const char *text, size_t characters) {
  size_t bytes = utf8_text_bytes(text, characters);
  char *shown = text[bytes] != '\0' ? strndup(text, bytes) : NULL;

  if (!shown) {
    html_text_print(out, text);
    return;
  }
  fputs("<span title=\"", out);
  html_text_print(out, text);
  fputs("\">", out);
  html_text_print(out, shown);
  fputs("...</span>", out);
  free(shown);
}

void html_text_table_head(FILE *out, const char *class_name, const char *columns) {
  fprintf(out, "<table class=\"%s\">\n<thead><tr>", class_name);
  for (size_t len; *columns != '\0'; columns += len + (columns[len] == '|')) {
    len = strcspn(columns, "|");
    fprintf(out, "<th scope=\"col\">%.*s</th>", (int)len, columns);
  }
  fputs("</tr></thead>\n<tbody>\n", out);
}

void html_text_time(FILE *out, int64_t time_s) {
  char text[TIME_TEXT_MAX];

  if (time_s < 0)
    return;
  time_text_format_s(time_s, text);
  fprintf(out, "<time datetime=\"%s\">%.10s %.5s</time>", text, text, text + 11);
}

void html_text_timestamp(FILE *out, const char *timestamp) {
  int64_t time_ns = 0;

  if (time_text_parse(timestamp, &time_ns) < 0)
    html_text_print(out, timestamp);
  else
    html_text_time(out, time_ns / 1000000000);
}

void html_text_number(double number, char out[HTML_TEXT_NUMBER_MAX]) {
  if (number >= 999.995e9)
    snprintf(out, HTML_TEXT_NUMBER_MAX, "%.3g", number);
  else if (number >= 999.995e6)
    snprintf(out, HTML_TEXT_NUMBER_MAX, "%.2f G", number / 1e9);
  else if (number >= 999.5e3)
    snprintf(out, HTML_TEXT_NUMBER_MAX, "%.2f M", number / 1e6);
  else if (number >= 99999.5)
    snprintf(out, HTML_TEXT_NUMBER_MAX, "%.0f k", number / 1e3);
  else if (number >= 999.5)
    snprintf(out, HTML_TEXT_NUMBER_MAX, "%d,%03d", (int)(number + 0.5) / 1000,
             (int)(number + 0.5) % 1000);
  else
    snprintf(out, HTML_TEXT_NUMBER_MAX, "%.0f", number);
}

void html_text_usd(double amount, char out[HTML_TEXT_NUMBER_MAX]) {
  char number[HTML_TEXT_NUMBER_MAX];

  html_text_number(amount, number);
  if (amount < 999.995)
    amount_text_usd(amount, 2, out);
  else
    snprintf(out, HTML_TEXT_NUMBER_MAX, "$%.*s", HTML_TEXT_NUMBER_MAX - 2, number);
}

void html_text_percent(struct share share, char out[HTML_TEXT_NUMBER_MAX]) {
  if (share.count > 0)
    amount_text_percent(share_rate(share), 1, out);
  else
    strcpy(out, "–");
}

void html_text_tile(FILE *out, const char *what, const char *value, const char *detail) {
  fputs("<div class=\"tile\"><span>", out);
  html_text_print(out, what);
  fputs("</span><b>", out);
  html_text_print(out, value);
  fputs("</b><small>", out);
  html_text_print(out, detail);
  fputs("</small></div>\n", out);
}

void html_text_share_tile(FILE *out, const char *what, struct share share) {
  char value[HTML_TEXT_NUMBER_MAX], successes[HTML_TEXT_NUMBER_MAX], count[HTML_TEXT_NUMBER_MAX];
  char detail[96] = "no runs";

  html_text_percent(share, value);
  html_text_number((double)share.successes, successes);
  html_text_number((double)share.count, count);
  if (share.count > 0)
    snprintf(detail, sizeof detail, "%s of %s", successes, count);
  html_text_tile(out, what, value, detail);
}

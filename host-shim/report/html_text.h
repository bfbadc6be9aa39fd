/* html_text.h - pieces of a page: text that cannot become markup, times, numbers, tiles.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HTML_TEXT_H
#define KAIZEN_HOST_HTML_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "stats/share.h"

/* Text as it is read: what would be markup is escaped, what is not a character is shown as one. */
void html_text_print(FILE *out, const char *text);
/* "2026-11-20 14:02" in a <time>, UTC; nothing for a time that is not known (negative). */
void html_text_time(FILE *out, int64_t time_s);
/* The same of a record's timestamp; the text itself where it is none. */
void html_text_timestamp(FILE *out, const char *timestamp);
/* "1,234", and "2.1 M" from a hundred thousand on. */
enum { HTML_TEXT_NUMBER_MAX = 32 };
void html_text_number(double number, char out[HTML_TEXT_NUMBER_MAX]);
/* "$0.0042", "$12.34", "$79,405". */
void html_text_usd(double amount, char out[HTML_TEXT_NUMBER_MAX]);
/* "85.8 %", or "–" of none. */
void html_text_percent(struct share share, char out[HTML_TEXT_NUMBER_MAX]);

/* Tiles stand in a <div class="tiles">: a number, what it is, and a word on it (may be ""). */
void html_text_tile(FILE *out, const char *what, const char *value, const char *detail);
/* The same of a share: "85.8 %", "345 of 402". */
void html_text_share_tile(FILE *out, const char *what, struct share share);

#endif

/* html_text.h - pieces of a page: text that cannot become markup, times, numbers, tiles.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HTML_TEXT_H
#define KAIZEN_HOST_HTML_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "stats/share.h"

/* Text for readers: markup is escaped, and invalid bytes become a replacement character. */
void html_text_print(FILE *out, const char *text);
/* At most so many characters of it; of a longer one "..." follows, and the whole is its title. */
void html_text_cut(FILE *out, const char *text, size_t characters);
/* The head of a table: its columns, separated by '|'. */
void html_text_table_head(FILE *out, const char *class_name, const char *columns);
/* "2026-11-20 14:02" in a <time>, UTC; nothing for an unknown time (negative). */
void html_text_time(FILE *out, int64_t time_s);
/* The same for a record's timestamp; the text itself when it is not one. */
void html_text_timestamp(FILE *out, const char *timestamp);
/* "1,234", and "2.1 M" from a hundred thousand on. */
enum { HTML_TEXT_NUMBER_MAX = 32 };
void html_text_number(double number, char out[HTML_TEXT_NUMBER_MAX]);
/* "$0.0042", "$12.34", "$79,405". */
void html_text_usd(double amount, char out[HTML_TEXT_NUMBER_MAX]);
/* "85.8%", or "–" when there are none. */
void html_text_percent(struct share share, char out[HTML_TEXT_NUMBER_MAX]);

/* A tile goes into a <div class="tiles">: a number, what it is, and a remark (may be ""). */
void html_text_tile(FILE *out, const char *what, const char *value, const char *detail);
/* The same for a share: "85.8%", "345 of 402". */
void html_text_share_tile(FILE *out, const char *what, struct share share);

#endif

/* table.c - aligned columns, trend arrows and sparklines on standard output.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8_text.h"

void table_init(struct table *table, const char *const *headings) {
  *table = (struct table){.headings = headings};
  while (headings[table->column_count])
    table->column_count++;
}

static int make_room(struct table *table) {
  if (table->cell_count < table->room)
    return 0;
  size_t room = table->room == 0 ? 64 : table->room * 2;
  char **cells = reallocarray(table->cells, room, sizeof *cells);
  if (!cells)
    return -1;
  table->cells = cells;
  enum output_style *styles = reallocarray(table->styles, room, sizeof *styles);
  if (!styles)
    return -1;
  table->styles = styles;
  table->room = room;
  return 0;
}

static void add_cell(struct table *table, enum output_style style, const char *format,
                     va_list arguments) __attribute__((format(printf, 3, 0)));

static void add_cell(struct table *table, enum output_style style, const char *format,
                     va_list arguments) {
  char *text = NULL;
  if (make_room(table) < 0)
    return;
  if (vasprintf(&text, format, arguments) < 0)
    text = NULL;
  table->cells[table->cell_count] = text;
  table->styles[table->cell_count++] = style;
}

void table_cell(struct table *table, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  add_cell(table, OUTPUT_PLAIN, format, arguments);
  va_end(arguments);
}

void table_cell_styled(struct table *table, enum output_style style, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  add_cell(table, style, format, arguments);
  va_end(arguments);
}

static const char *heading(const struct table *table, size_t column) {
  return table->headings[column] + (table->headings[column][0] == '>');
}

static const char *cell(const struct table *table, size_t row, size_t column) {
  const char *text = table->cells[row * table->column_count + column];

  return text ? text : "";
}

static void print_cell(const struct table *table, size_t column, const char *text, size_t width,
                       enum output_style style, bool last) {
  size_t columns = utf8_text_columns(text);
  int padding = columns < width ? (int)(width - columns) : 0;
  bool right = table->headings[column][0] == '>';
  printf("%*s%s", right ? padding : 0, "", output_style(style));
  utf8_text_print(stdout, text);
  printf("%s%*s", style != OUTPUT_PLAIN ? output_style_end() : "", right || last ? 0 : padding, "");
  fputs(last ? "\n" : "  ", stdout);
}

/* Empty cells at the end of a row print no blanks. */
static void print_row(const struct table *table, size_t row, const size_t *widths) {
  size_t count = table->column_count;

  while (count > 1 && *cell(table, row, count - 1) == '\0')
    count--;
  for (size_t column = 0; column < count; column++)
    print_cell(table, column, cell(table, row, column), widths[column],
               table->styles[row * table->column_count + column], column + 1 == count);
}

void table_print(struct table *table) {
  size_t widths[TABLE_COLUMNS_MAX] = {0};
  size_t rows = table->cell_count / table->column_count;

  for (size_t column = 0; column < table->column_count; column++) {
    widths[column] = utf8_text_columns(heading(table, column));
    for (size_t row = 0; row < rows; row++) {
      size_t columns = utf8_text_columns(cell(table, row, column));

      widths[column] = columns > widths[column] ? columns : widths[column];
    }
  }
  for (size_t column = 0; column < table->column_count; column++)
    print_cell(table, column, heading(table, column), widths[column], OUTPUT_BOLD,
               column + 1 == table->column_count);
  for (size_t row = 0; row < rows; row++)
    print_row(table, row, widths);
  for (size_t i = 0; i < table->cell_count; i++)
    free(table->cells[i]);
  free(table->cells);
  free(table->styles);
}

const char *table_trend_arrow(const char *trend) {
  if (strcmp(trend, "up") == 0)
    return output_is_utf8() ? "↑" : "up";
  if (strcmp(trend, "down") == 0)
    return output_is_utf8() ? "↓" : "down";
  if (strcmp(trend, "stable") == 0)
    return output_is_utf8() ? "→" : "stable";
  return "";
}

const char *table_spark(double value) {
  static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static const char *const digits[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

  if (!(value >= 0))
    return output_is_utf8() ? "·" : ".";
  double capped = value > 1 ? 1 : value;
  return output_is_utf8() ? bars[(size_t)(capped * 7 + 0.5)] : digits[(size_t)(capped * 9 + 0.5)];
}

/* report_table.c - the report's table of all agents, which the reader can search and sort where
 * scripts run.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_table.h"

#include <string.h>

#include "base/json_text.h"
#include "report/agent_columns.h"
#include "report/html_text.h"
#include "report/report_section.h"

static const char column_names[] =
    "change,runs,success,last20,week,quality,p50,p95,cost,primary,last";

/* ---- cells ----------------------------------------------------------------------------------- */

static void cut_at(char *text, char character) {
  char *at = strchr(text, character);

  if (at)
    *at = '\0';
}

/* As in list, but shorter: the section has the numbers of a change, and times need no seconds. */
static void cell_text(const struct agent_column *column, const struct agent_row *row,
                      char out[AGENT_COLUMNS_TEXT_MAX]) {
  agent_columns_text(column, row, out);
  if (strcmp(column->name, "change") == 0)
    cut_at(out, ',');
  if (strcmp(out, "too few to tell") == 0)
    strcpy(out, "too few");
  if (strcmp(column->name, "last") == 0 && strlen(out) > 16) {
    out[10] = ' ';
    out[16] = '\0';
  }
}

static bool is_carried(const struct agent_column *column, const struct agent_rows *rows) {
  char text[AGENT_COLUMNS_TEXT_MAX];

  for (size_t i = 0; i < rows->count; i++) {
    cell_text(column, &rows->list[i], text);
    if (text[0] != '\0')
      return true;
  }
  return false;
}

/* Those with content, after the column of the change. */
static void choose_columns(const struct agent_rows *rows, struct agent_columns *columns) {
  struct agent_columns all;
  struct problem ignored;

  columns->count = 0;
  (void)agent_columns_choose(column_names, "columns", &all, &ignored);
  for (size_t i = 0; i < all.count; i++)
    if (i == 0 || is_carried(all.list[i], rows))
      columns->list[columns->count++] = all.list[i];
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void print_row(FILE *out, const struct agent_columns *columns, const struct agent_row *row,
                      bool linked) {
  char text[AGENT_COLUMNS_TEXT_MAX];

  fputs("<tr><td>", out);
  report_section_print_name(out, row, linked);
  fputs("</td>", out);
  for (size_t i = 0; i < columns->count; i++) {
    cell_text(columns->list[i], row, text);
    fputs(i == 0 && figures_change_score(&row->answer.changes) < 0 ? "<td class=\"bad\">" : "<td>",
          out);
    html_text_print(out, text);
    fputs("</td>", out);
  }
  fputs("</tr>\n", out);
}

/* The texts of a row.  In a page a "<" might end the element that the data stand in. */
static void print_row_data(FILE *out, const struct agent_columns *columns,
                           const struct agent_row *row) {
  char text[AGENT_COLUMNS_TEXT_MAX], label[AGENT_ROWS_LABEL_MAX];
  struct json_object *texts = json_object_new_array();

  agent_rows_label(row, label);
  json_object_array_add(texts, json_text_new_string(label));
  for (size_t i = 0; i < columns->count; i++) {
    cell_text(columns->list[i], row, text);
    json_object_array_add(texts, json_text_new_string(text));
  }
  const char *json = json_object_to_json_string_ext(texts, JSON_C_TO_STRING_PLAIN);
  for (; *json != '\0'; json++)
    if (*json == '<')
      fputs("\\u003c", out);
    else
      putc(*json, out);
  json_object_put(texts);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const char *heading_of(const struct agent_column *column) {
  return column->heading + (*column->heading == '>');
}

/* On a narrow screen a row is a card, and each number says what it is. */
static void print_labels(FILE *out, const struct agent_columns *columns) {
  fputs("<style>\n", out);
  for (size_t i = 0; i < columns->count; i++)
    if (*columns->list[i]->heading == '>')
      fprintf(out, ".agents th:nth-child(%zu),.agents td:nth-child(%zu){text-align:right}\n", i + 2,
              i + 2);
  fputs("@media screen and (max-width:60rem){\n", out);
  for (size_t i = 0; i < columns->count; i++)
    if (strcmp(columns->list[i]->name, "change") != 0)
      fprintf(out, ".agents td:nth-child(%zu)::before{content:\"%s \"}\n", i + 2,
              heading_of(columns->list[i]));
  fputs("}</style>\n", out);
}

static void print_head(FILE *out, const struct agent_columns *columns) {
  fputs("<thead><tr><th scope=\"col\">agent</th>", out);
  for (size_t i = 0; i < columns->count; i++)
    fprintf(out, "<th scope=\"col\">%s</th>", heading_of(columns->list[i]));
  fputs("</tr></thead>\n<tbody>\n", out);
}

/* Answers how many rows fitted. */
static size_t print_rest(FILE *out, const struct agent_columns *columns,
                         const struct agent_rows *rows, size_t first, long begin) {
  size_t i = first;

  fputs("<script type=\"application/json\" id=\"rest\">[", out);
  for (; i < rows->count && ftell(out) - begin < REPORT_TABLE_BYTES_MAX; i++) {
    fputs(i > first ? ",\n" : "\n", out);
    print_row_data(out, columns, &rows->list[i]);
  }
  fputs("]</script>\n", out);
  return i;
}

void report_table_print(FILE *out, const struct agent_rows *rows, size_t linked) {
  struct agent_columns columns;
  long begin = ftell(out);
  size_t shown = rows->count < REPORT_TABLE_ROWS_MAX ? rows->count : REPORT_TABLE_ROWS_MAX;

  choose_columns(rows, &columns);
  print_labels(out, &columns);
  fputs("<table class=\"agents\">\n", out);
  print_head(out, &columns);
  for (size_t i = 0; i < shown; i++)
    print_row(out, &columns, &rows->list[i], i < linked);
  fputs("</tbody>\n</table>\n", out);
  if (shown == rows->count)
    return;
  fprintf(out, "<p class=\"soft\" id=\"shown\">The worst %zu of %zu agents.</p>\n", shown,
          rows->count);
  size_t told = print_rest(out, &columns, rows, shown, begin);
  if (told < rows->count)
    fprintf(out,
            "<p class=\"soft\">%zu more agents have no room on this page; kaizen-host list shows "
            "all.</p>\n",
            rows->count - told);
}

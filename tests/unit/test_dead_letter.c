/* test_dead_letter.c - the dead letters of an outbox: added, counted, taken back and removed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "outbox_project.h"

#include "store/agent_view.h"
#include "store/dead_letter.h"

TestSuite(dead_letter, .init = make_project, .fini = remove_project);

static void append_letter(unsigned n, const char *reason) {
  struct buffer lines = {0};
  struct error error = {0};
  unsigned char id[16];

  id_of(n, id);
  dead_letter_write(id, "coach", reason, 0, (struct span){"{}", 2}, &lines);
  cr_assert_eq(dead_letter_append(agent_fd, buffer_span(&lines), false, &error), 0, "%s",
               error.text);
  buffer_fini(&lines);
}

static int collect(void *ctx, const unsigned char id[16], struct span line) {
  struct buffer *out = ctx;

  (void)id;
  buffer_append(out, line.ptr, line.len);
  return 0;
}

Test(dead_letter, reads_as_one_line_of_json) {
  struct buffer out = {0};

  append_letter(1, "too \"large\"\n");
  cr_assert_eq(dead_letter_each(agent_fd, collect, &out, NULL), 0);
  buffer_append_byte(&out, '\0');
  cr_assert_str_eq(out.data,
                   "{\"event_id\":\"00000000-0000-4000-8000-000000000001\",\"agent\":\"coach\","
                   "\"reason\":\"too \\\"large\\\"\\n\",\"time\":\"1970-01-01T00:00:00Z\","
                   "\"event\":{}}\n");
  buffer_fini(&out);
}

Test(dead_letter, an_id_that_stands_twice_counts_once) {
  struct dead_letter_ids ids = {0};
  struct buffer out = {0};

  append_letter(1, "a");
  append_letter(2, "b");
  append_letter(1, "c");
  cr_assert_eq(dead_letter_load_ids(agent_fd, &ids, NULL), 0);
  cr_assert_eq(ids.count, 2);
  cr_assert_eq(dead_letter_each(agent_fd, collect, &out, NULL), 0);
  buffer_append_byte(&out, '\0');
  cr_assert_null(strstr(out.data, "\"c\""));
  dead_letter_ids_fini(&ids);
  buffer_fini(&out);
}

Test(dead_letter, what_is_taken_back_leaves_what_stood_there_before) {
  struct dead_letter_ids ids = {0};
  struct buffer out = {0};

  append_letter(1, "a");
  cr_assert_eq(dead_letter_each(agent_fd, collect, &out, NULL), 0);
  append_letter(2, "b");
  cr_assert_eq(dead_letter_take_back(agent_fd, out.len), 0);
  cr_assert_eq(dead_letter_load_ids(agent_fd, &ids, NULL), 0);
  cr_assert_eq(ids.count, 1);
  cr_assert_eq(dead_letter_take_back(agent_fd, out.len + 1), -1, "more than there is");
  dead_letter_ids_fini(&ids);
  buffer_fini(&out);
}

Test(dead_letter, a_torn_line_costs_no_other) {
  struct dead_letter_ids ids = {0};

  append_letter(1, "a");
  write_file(agent_fd, ".dead-letter.jsonl", O_APPEND, "{\"event_id\":\"0000");
  append_letter(2, "b");
  cr_assert_eq(dead_letter_load_ids(agent_fd, &ids, NULL), 0);
  cr_assert_eq(ids.count, 2);
  dead_letter_ids_fini(&ids);
}

Test(dead_letter, a_line_torn_behind_its_id_is_no_letter) {
  struct dead_letter_ids ids = {0};
  struct buffer out = {0};

  write_file(agent_fd, ".dead-letter.jsonl", O_APPEND,
             "{\"event_id\":\"00000000-0000-4000-8000-000000000009\",\"agent\":\"co\n");
  append_letter(1, "a");
  cr_assert_eq(dead_letter_load_ids(agent_fd, &ids, NULL), 0);
  cr_assert_eq(ids.count, 1);
  cr_assert_eq(dead_letter_each(agent_fd, collect, &out, NULL), 0);
  buffer_append_byte(&out, '\0');
  cr_assert_null(strstr(out.data, "\"co\n"));
  dead_letter_ids_fini(&ids);
  buffer_fini(&out);
}

Test(dead_letter, of_an_event_as_deep_as_a_foreign_line_may_be_is_one) {
  struct dead_letter_ids ids = {0};
  struct buffer line = {0}, event = {0};
  unsigned char id[16];

  for (int i = 0; i < 500; i++)
    buffer_append_text(&event, "{\"a\":");
  buffer_append_text(&event, "1");
  for (int i = 0; i < 500; i++)
    buffer_append_text(&event, "}");
  id_of(1, id);
  dead_letter_write(id, "coach", "no numbers", 0, buffer_span(&event), &line);
  cr_assert_eq(dead_letter_append(agent_fd, buffer_span(&line), false, NULL), 0);
  cr_assert_eq(dead_letter_load_ids(agent_fd, &ids, NULL), 0);
  cr_assert_eq(ids.count, 1);
  dead_letter_ids_fini(&ids);
  buffer_fini(&line);
  buffer_fini(&event);
}

Test(dead_letter, the_file_goes_with_the_last_one_removed) {
  struct dead_letter_ids ids = {0}, left = {0};
  unsigned char id[16];

  append_letter(1, "a");
  append_letter(2, "b");
  id_of(1, id);
  cr_assert_eq(dead_letter_ids_add(&ids, id, NULL), 0);
  cr_assert_eq(dead_letter_remove(agent_fd, &ids, false, NULL), 0);
  cr_assert_eq(dead_letter_load_ids(agent_fd, &left, NULL), 0);
  cr_assert_eq(left.count, 1);
  cr_assert_not(dead_letter_has(&left, id));
  cr_assert_eq(dead_letter_remove(agent_fd, &left, false, NULL), 0);
  cr_assert_eq(faccessat(agent_fd, ".dead-letter.jsonl", F_OK, 0), -1);
  dead_letter_ids_fini(&ids);
  dead_letter_ids_fini(&left);
}

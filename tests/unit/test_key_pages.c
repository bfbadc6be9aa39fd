/* test_key_pages.c - many entries at once in the pages of the index.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include "store/key_pages.h"

static struct error error;

TestSuite(key_pages, .init = sandbox_enter, .fini = sandbox_leave);

enum { BITS = 6, ENTRIES = 1500 };

static struct key_pages pages;

/* A table of 64 pages. */
static void make_table(void) {
  struct key_pages small = {.seed = 5};

  small.fd = open(in_sandbox("small"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  cr_assert_eq(key_pages_begin(&small, &error), 0);
  pages = (struct key_pages){.seed = 5, .bits = BITS};
  pages.fd = open(in_sandbox("table"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  cr_assert_eq(key_pages_copy(&small, pages.fd, BITS, &error), 0, "%s", error.text);
  (void)close(small.fd);
}

static struct key_pages_entry entry_on(unsigned page, uint64_t offset) {
  return (struct key_pages_entry){((uint64_t)page << (64 - BITS)) + offset, offset};
}

static bool is_found(struct key_pages_entry entry) {
  uint64_t found[8];
  size_t count;

  if (key_pages_find(&pages, entry.hash, found, 8, &count, &error) != 0)
    return false;
  for (size_t i = 0; i < count; i++)
    if (found[i] == entry.offset)
      return true;
  return false;
}

/* Lines whose offsets are equal except for the last digit carry the same key. */
static int same_but_for_a_digit(void *ctx, uint64_t first, uint64_t second, struct error *why) {
  unsigned *asked = ctx;

  (void)why;
  cr_assert_lt(first, second);
  (*asked)++;
  return first / 10 == second / 10;
}

static int add_sorted(struct key_pages_entry *entries, size_t count, size_t *done) {
  unsigned asked = 0;

  key_pages_sort(entries, count);
  return key_pages_add_sorted(&pages, entries, count, same_but_for_a_digit, &asked, INT64_MAX, done,
                              &error);
}

Test(key_pages, entries_of_many_pages_are_all_added) {
  static struct key_pages_entry entries[ENTRIES];
  size_t done;

  make_table();
  for (unsigned i = 0; i < ENTRIES; i++)
    entries[i] = entry_on(i * 7 % (1 << BITS), 10 * i);
  cr_assert_eq(add_sorted(entries, ENTRIES, &done), 0, "%s", error.text);
  cr_assert_eq(done, ENTRIES);
  for (unsigned i = 0; i < ENTRIES; i++)
    cr_assert(is_found(entries[i]), "entry %u", i);
}

Test(key_pages, of_equal_hashes_only_the_line_that_has_the_same_key_as_an_earlier_one_is_left_out) {
  struct key_pages_entry entries[] = {{77, 100}, {77, 101}, {77, 205}, {77, 109}, {77, 204}};
  size_t done;

  make_table();
  cr_assert_eq(add_sorted(entries, 5, &done), 0);
  cr_assert_eq(done, 5);
  cr_assert(is_found((struct key_pages_entry){77, 100}));
  cr_assert(is_found((struct key_pages_entry){77, 204}));
  cr_assert_not(is_found((struct key_pages_entry){77, 101}));
  cr_assert_not(is_found((struct key_pages_entry){77, 205}));
}

Test(key_pages, a_page_that_is_full_stops_it_there_and_what_was_before_is_in) {
  struct key_pages_entry entries[65];
  size_t done;

  make_table();
  entries[0] = entry_on(8, 10);
  for (unsigned i = 1; i < 65; i++)
    entries[i] = entry_on(9, 10 * i);
  cr_assert_eq(add_sorted(entries, 65, &done), 2);
  cr_assert_eq(done, 64);
  cr_assert(is_found(entries[0]));
  cr_assert(is_found(entries[63]));
}

Test(key_pages, a_damaged_page_between_two_that_are_written_stays_damaged) {
  struct key_pages_entry known = entry_on(9, 50), entries[] = {entry_on(8, 10), entry_on(10, 20)};
  size_t done;
  char byte = 1;

  make_table();
  cr_assert_eq(add_sorted(&known, 1, &done), 0);
  cr_assert_eq(pwrite(pages.fd, &byte, 1, KEY_PAGES_AT + 9 * 1024 + 20), 1);
  cr_assert_eq(add_sorted(entries, 2, &done), 0);
  cr_assert_eq(key_pages_find(&pages, known.hash, &(uint64_t){0}, 1, &done, &error), 1);
}

Test(key_pages, a_damaged_page_is_not_added_to) {
  struct key_pages_entry entry = entry_on(9, 50);
  size_t done;
  char byte = 1;

  make_table();
  cr_assert_eq(pwrite(pages.fd, &byte, 1, KEY_PAGES_AT + 9 * 1024 + 8), 1);
  cr_assert_eq(add_sorted(&entry, 1, &done), 1);
}

/* Its number and its sum are right in either table. */
Test(key_pages, a_page_of_a_smaller_table_is_damaged) {
  struct key_pages_entry entry = entry_on(2, 10);
  size_t count;

  make_table();
  pages.bits = BITS - 1;
  cr_assert_eq(key_pages_add(&pages, entry.hash, entry.offset, &error), 0);
  cr_assert_eq(key_pages_find(&pages, entry.hash, &(uint64_t){0}, 1, &count, &error), 0);
  pages.bits = BITS;
  cr_expect_eq(key_pages_find(&pages, entry_on(1, 0).hash, &(uint64_t){0}, 1, &count, &error), 1);
}

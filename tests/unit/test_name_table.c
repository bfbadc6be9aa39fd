/* test_name_table.c - a value for each of many names.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/name_table.h"

enum { MANY = 1000, FIRST_ROOM = 64 };

static struct name_table table;

static void enter(void) {
  table = (struct name_table){.value_bytes = sizeof(uint64_t)};
}

static void leave(void) {
  name_table_fini(&table);
}

TestSuite(name_table, .init = enter, .fini = leave);

/* Lives until the next call. */
static struct span name_of(unsigned number) {
  static char name[32];

  return (struct span){name, (size_t)snprintf(name, sizeof name, "name-%u", number)};
}

static void put(unsigned number, uint64_t value) {
  uint64_t *place = name_table_put(&table, name_of(number));

  cr_assert(place);
  *place = value;
}

static void assert_value(unsigned number, uint64_t expected) {
  const uint64_t *place = name_table_find(&table, name_of(number));

  cr_assert(place, "name-%u", number);
  cr_assert_eq(*place, expected, "name-%u", number);
}

Test(name_table, in_an_empty_one_no_name_is_known) {
  cr_assert_null(name_table_find(&table, name_of(0)));
  put(0, 1);
  name_table_fini(&table);
  cr_assert_null(name_table_find(&table, name_of(0)));
  cr_assert_eq(table.count, 0);
  put(1, 2);
  assert_value(1, 2);
}

Test(name_table, each_name_keeps_its_value_while_the_table_grows) {
  for (unsigned i = 0; i < MANY; i++)
    put(i, i);
  cr_assert_eq(table.count, MANY);
  for (unsigned i = 0; i < MANY; i++)
    assert_value(i, i);
  for (unsigned i = MANY; i < 2 * MANY; i++)
    cr_assert_null(name_table_find(&table, name_of(i)), "name-%u", i);
}

Test(name_table, a_name_that_is_put_again_has_the_value_it_had) {
  put(0, 7);
  cr_assert_eq(*(uint64_t *)name_table_put(&table, name_of(0)), 7);
  cr_assert_eq(*(uint64_t *)name_table_put(&table, name_of(1)), 0);
  cr_assert_eq(table.count, 2);
}

static size_t wanted_place(unsigned number) {
  struct span name = name_of(number);

  return (size_t)hash_bytes(name.ptr, name.len, 0) % FIRST_ROOM;
}

/* In the last place, so that the next one is the first. */
Test(name_table, names_that_want_the_same_place_have_one_each) {
  unsigned same[3];

  for (unsigned found = 0, i = 0; found < 3; i++)
    if (wanted_place(i) == FIRST_ROOM - 1)
      same[found++] = i;
  put(same[0], 1);
  put(same[1], 2);
  cr_assert_eq(table.room, FIRST_ROOM);
  assert_value(same[0], 1);
  assert_value(same[1], 2);
  cr_assert_null(name_table_find(&table, name_of(same[2])));
}

Test(name_table, a_name_needs_no_value) {
  table.value_bytes = 0;
  for (unsigned i = 0; i < MANY; i++)
    cr_assert(name_table_put(&table, name_of(i)));
  for (unsigned i = 0; i < MANY; i++) {
    cr_assert(name_table_find(&table, name_of(i)), "name-%u", i);
    cr_assert_null(name_table_find(&table, name_of(MANY + i)), "name-%u", MANY + i);
  }
}

/* ---- out of memory --------------------------------------------------------------------------- */

#ifdef __SANITIZE_ADDRESS__

Test(name_table, without_memory_for_more_what_is_known_stays) {
  cr_skip_test("the sanitizer has an allocator of its own");
}

#else

extern void *__libc_calloc(size_t count, size_t size);

static bool out_of_memory;

/* The program's own stands before the C library's. */
__attribute__((visibility("default"))) void *calloc(size_t count, size_t size) {
  return out_of_memory ? NULL : __libc_calloc(count, size);
}

/* For the name that comes after so many. */
static void refuse_memory_for(unsigned known) {
  void *place;

  out_of_memory = true;
  place = name_table_put(&table, name_of(known));
  out_of_memory = false;
  cr_assert_null(place);
  cr_assert_eq(table.count, known);
  cr_assert_null(name_table_find(&table, name_of(known)));
}

static void put_without_memory(unsigned known) {
  void *place;

  out_of_memory = true;
  place = name_table_put(&table, name_of(known));
  out_of_memory = false;
  cr_assert_eq(place, name_table_find(&table, name_of(known)));
  cr_assert(place);
}

Test(name_table, without_memory_for_more_what_is_known_stays) {
  const char *runner = getenv("KAIZEN_TEST_RUNNER");
  unsigned known;

  if (runner && strstr(runner, "valgrind"))
    cr_skip_test("valgrind has an allocator of its own");
  refuse_memory_for(0);
  for (known = 0; known < FIRST_ROOM / 2; known++)
    put(known, known);
  refuse_memory_for(known);
  put_without_memory(0);
  for (unsigned i = 0; i < known; i++)
    assert_value(i, i);
  put(known, known);
  assert_value(known, known);
}

#endif

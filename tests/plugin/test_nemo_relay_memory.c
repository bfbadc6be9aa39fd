/* test_nemo_relay_memory.c - each allocation of the plugin fails while NeMo Relay uses it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The program's own malloc() stands before the C library's; a sanitizer and valgrind have one of
 * their own, and then the test is skipped. */
#include "relay_conformance.h"

#include <link.h>

TestSuite(nemo_relay_memory, .init = enter_relay, .fini = leave_relay, .timeout = 120);

#ifdef __SANITIZE_ADDRESS__

Test(nemo_relay_memory, any_allocation_may_fail) {
  cr_skip_test("the sanitizer has an allocator of its own");
}

#else

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static uintptr_t image_begin, image_end; /* the plugin's code */
static unsigned long nth, seen;          /* which of its allocations fails; 0: none */
static bool sticky;                      /* and all after it */

static bool fails(const void *caller) {
  uintptr_t at = (uintptr_t)caller;

  if (nth == 0 || at < image_begin || at >= image_end)
    return false;
  seen++;
  return seen == nth || (sticky && seen > nth);
}

/* Out of line, so that the return address is the caller's; seen by the plugin. */
#define INTERPOSED __attribute__((noinline, visibility("default")))

INTERPOSED void *malloc(size_t size) {
  return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

INTERPOSED void *calloc(size_t count, size_t size) {
  return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

INTERPOSED void *realloc(void *old, size_t size) {
  return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

static int find_image(struct dl_phdr_info *info, size_t size, void *entry) {
  (void)size;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    uintptr_t end = begin + info->dlpi_phdr[i].p_memsz;

    if (info->dlpi_phdr[i].p_type == PT_LOAD && begin <= (uintptr_t)entry &&
        (uintptr_t)entry < end) {
      image_begin = begin;
      image_end = end;
      return 1;
    }
  }
  return 0;
}

/* A whole life, as far as it comes. */
static void live(const char *uuid) {
  char parent[64];

  (void)snprintf(parent, sizeof parent, ",\"parent_uuid\":\"%s\"", uuid);
  if (load_relay(&relay, 5, 608) == STATUS_OK &&
      register_component(&relay, sandbox.root, ",\"scopes\":[\"agent\"]") == STATUS_OK) {
    emit_scope("start", "agent", uuid, "The Coach", "");
    emit_scope("start", "tool", "tool", "search", parent);
    emit_scope("end", "agent", uuid, "The Coach", "");
  }
  drop_relay(&relay);
}

static size_t runs_so_far(void) {
  static char name[KAIZEN_NAME_MAX + 1];
  const struct kaizen_names_1 *names = plugin->get_extension(KAIZEN_NAMES_1);

  (void)names->map("The Coach", KAIZEN_NTS, name, NULL, 0);
  return runs_of(name);
}

Test(nemo_relay_memory, any_allocation_may_fail) {
  char uuid[32];
  size_t before, after;
  const char *runner = getenv("KAIZEN_TEST_RUNNER");

  if (runner && strstr(runner, "valgrind"))
    cr_skip_test("valgrind has an allocator of its own");
  cr_assert_eq(dl_iterate_phdr(find_image, *(void **)&relay_entry), 1);
  for (int way = 0; way < 2; way++) {
    sticky = way == 1;
    for (unsigned long i = 1;; i++) {
      (void)snprintf(uuid, sizeof uuid, "%d-%lu", way, i);
      before = runs_so_far();
      seen = 0;
      nth = i;
      live(uuid);
      nth = 0;
      after = runs_so_far();
      cr_assert(after == before || after == before + 1, "allocation %lu", i);
      cr_assert_eq(atomic_load(&live_texts), 0, "allocation %lu leaves a text", i);
      live(uuid);
      cr_assert_eq(runs_so_far(), before + 1, "allocation %lu, then with memory", i);
      while (sandbox.text_count > 0)
        free(sandbox.texts[--sandbox.text_count]);
      if (seen < i)
        break;
    }
    cr_assert_gt(seen, 10);
  }
}

#endif

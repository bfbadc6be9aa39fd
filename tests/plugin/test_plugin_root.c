/* test_plugin_root.c - the project's root is removed, moved or made again under a running instance.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_under_test.h"

TestSuite(plugin_root, .init = enter_plugin, .fini = leave_plugin);

static char root[512];
static int moves_told;

static void hear(void *ctx, int32_t level, int32_t id, const char *text, size_t len) {
  (void)ctx;
  (void)level;
  (void)text;
  (void)len;
  moves_told += id == 112;
}

/* An instance on a folder of its own, below the sandbox. */
static void make_root(void) {
  struct kaizen_host_v1 host = plain_host();

  host.log = hear;
  moves_told = 0;
  (void)snprintf(root, sizeof root, "%s", in_sandbox("project"));
  cr_assert_eq(mkdir(root, 0700), 0);
  instance = start_instance(&host, root, ",\"emit_event\":true,\"delivery\":\"relay\"");
}

/* With one event that nobody sends. */
static void begin(void) {
  make_root();
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
}

static void remove_root(void) {
  char command[PATH_MAX + 16];

  (void)snprintf(command, sizeof command, "rm -r '%s'", root);
  cr_assert_eq(system(command), 0);
}

static void must_be_told_as_removed(void) {
  uint64_t pending;

  for (unsigned i = 0; i < 2; i++) {
    struct kaizen_execution execution = execution_of(i == 0 ? "coach" : "new");
    struct kaizen_receipt receipt = receipt_of();

    cr_expect_eq(plugin->on_execution_end(instance, &execution, &receipt, NULL), KAIZEN_E_IO);
    cr_expect(strstr(receipt.reason, "was removed while it was in use"), "%s", receipt.reason);
  }
  cr_expect_eq(plugin->flush(instance, 0, &pending), KAIZEN_E_IO, "what was pending is unknown");
  cr_expect(strstr(why(instance), "was removed while it was in use"), "%s", why(instance));
  cr_expect_eq(stats_of(instance).flags, KAIZEN_STATS_INCOMPLETE);
}

Test(plugin_root, that_is_removed_is_told_and_its_counts_are_unknown) {
  begin();
  remove_root();
  must_be_told_as_removed();
}

Test(plugin_root, that_is_removed_and_made_again_is_another_one) {
  begin();
  remove_root();
  cr_assert_eq(mkdir(root, 0700), 0);
  must_be_told_as_removed();
  cr_expect_not(is_there(in_sandbox("project/.kaizen")));
}

Test(plugin_root, that_is_moved_is_recorded_to_where_it_is_and_told) {
  make_root();
  cr_assert_eq(rename(root, in_sandbox("aside")), 0);
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(moves_told, 1);
  cr_assert(is_there(in_sandbox("aside/.kaizen/metrics/coach/executions.jsonl")));
}

Test(plugin_root, that_is_moved_with_another_in_its_place_is_told) {
  make_root();
  cr_assert_eq(rename(root, in_sandbox("aside")), 0);
  cr_assert_eq(mkdir(root, 0700), 0);
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(moves_told, 1);
  cr_assert_not(is_there(in_sandbox("project/.kaizen")));
}

Test(plugin_root, that_stays_is_nothing_to_tell) {
  make_root();
  cr_assert_eq(record_success(instance, "coach", NULL), KAIZEN_RECORDED);
  cr_assert_eq(moves_told, 0);
}

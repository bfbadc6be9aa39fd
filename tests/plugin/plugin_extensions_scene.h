/* plugin_extensions_scene.h - the extensions of the real file, and what they give out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TESTS_PLUGIN_EXTENSIONS_SCENE_H
#define KAIZEN_TESTS_PLUGIN_EXTENSIONS_SCENE_H

#include "plugin_under_test.h"

static const struct kaizen_batch_1 *batch;
static const struct kaizen_inspect_1 *inspect;
static const struct kaizen_repair_1 *repair;
static const struct kaizen_names_1 *names;
static char output[65536]; /* what a sink was given */
static unsigned pieces;    /* in how many calls */

SANDBOX_HELPER void set_up(void) {
  enter_plugin();
  batch = plugin->get_extension(KAIZEN_BATCH_1);
  inspect = plugin->get_extension(KAIZEN_INSPECT_1);
  repair = plugin->get_extension(KAIZEN_REPAIR_1);
  names = plugin->get_extension(KAIZEN_NAMES_1);
}

SANDBOX_HELPER int32_t take_output(void *ctx, const char *data, size_t len) {
  size_t before = strlen(output);

  cr_assert_eq(ctx, &pieces);
  cr_assert_lt(before + len, sizeof output);
  memcpy(output + before, data, len);
  output[before + len] = '\0';
  pieces++;
  return 0;
}

SANDBOX_HELPER void forget_output(void) {
  output[0] = '\0';
  pieces = 0;
}

SANDBOX_HELPER int32_t refuse_output(void *ctx, const char *data, size_t len) {
  (void)ctx;
  (void)data;
  (void)len;
  return 1;
}

#define COACH "{\"agent\":\"coach\",\"success\":true}\n"
#define OTHER "{\"agent\":\"other\",\"success\":true}\n"
#define KEYED(agent, key)                                                                          \
  "{\"agent\":\"" agent "\",\"success\":true,\"idempotency_key\":\"" key "\"}\n"

#endif

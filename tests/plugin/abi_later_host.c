/* abi_later_host.c - a host of a later day with the plugin that it is given.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: abi_later_host PLUGIN PROJECT_ROOT
 *
 * Compiled against headers whose structs have all got `appended`.  It fills what 1.0 does not know,
 * sets every flag bit that may be ignored, tries what may be refused and then does without: no
 * record is lost. */
#include <dlfcn.h>
#include <kaizen/extensions.h>
#include <stdio.h>
#include <string.h>

#define DATA_FLAGS 0xFFFE0000u /* except for KAIZEN_HOST_ONLY_READS, which 1.0 knows */
#define LATER_MEANING (1u << 14)

static const struct kaizen_plugin_v1 *plugin;
static struct kaizen_instance *instance;
static unsigned failures;

static void expect(int fact, const char *what, int32_t code) {
  char why[400] = "";

  if (fact)
    return;
  failures++;
  if (instance)
    (void)plugin->last_error(instance, why, sizeof why);
  printf("FAILED: %s: %d %s\n", what, code, why);
}

#define FILL(s) memset((s).appended, 0x5A, sizeof(s).appended)
#define IS_ZERO(s) (memcmp((s).appended, (uint64_t[3]){0}, sizeof(s).appended) == 0)

static void take_message(void *ctx, int32_t level, int32_t id, const char *text, size_t len) {
  (void)ctx, (void)level, (void)id, (void)text, (void)len;
}

static void enter(const char *project_root) {
  struct kaizen_host_v1 host = {.struct_size = sizeof host,
                                .abi_version = KAIZEN_ABI_VERSION + 7,
                                .flags = DATA_FLAGS | LATER_MEANING,
                                .log = take_message};
  int32_t code;

  FILL(host);
  code = plugin->create(&host, &instance);
  expect(code == KAIZEN_E_UNSUPPORTED && !instance, "a flag that changes a meaning", code);
  host.flags = DATA_FLAGS;
  code = plugin->create(&host, &instance);
  expect(code == KAIZEN_OK, "flags that add data", code);
  code = plugin->configure_key(instance, "later_setting", "7", KAIZEN_NTS);
  expect(code == KAIZEN_E_CONFIG, "a setting of later", code);
  code = plugin->configure_key(instance, "project_root", project_root, KAIZEN_NTS);
  expect(code == KAIZEN_OK, "the project", code);
  code = plugin->start(instance);
  expect(code == KAIZEN_OK, "start", code);
}

static void record_struct(void) {
  struct kaizen_execution execution = {.struct_size = sizeof execution,
                                       .outcome = KAIZEN_SUCCESS,
                                       .execution_time_s = 1.5,
                                       .agent = {"coach", KAIZEN_NTS}};
  struct kaizen_receipt receipt = {.struct_size = sizeof receipt};
  struct kaizen_summary summary = {.struct_size = sizeof summary};
  struct kaizen_stats stats = {.struct_size = sizeof stats};
  int32_t code;

  FILL(execution);
  execution.flags = DATA_FLAGS | KAIZEN_EXEC_HAS_TIME | LATER_MEANING;
  code = plugin->on_execution_end(instance, &execution, &receipt, &summary);
  expect(code == KAIZEN_E_UNSUPPORTED, "an execution whose meaning is of later", code);
  execution.flags &= ~LATER_MEANING;
  FILL(receipt);
  FILL(summary);
  code = plugin->on_execution_end(instance, &execution, &receipt, &summary);
  expect(code == KAIZEN_RECORDED, "the same without", code);
  expect(IS_ZERO(receipt) && IS_ZERO(summary), "what it does not know is zeroed", code);
  FILL(stats);
  code = plugin->stats(instance, &stats);
  expect(code == KAIZEN_OK && stats.recorded == 1 && IS_ZERO(stats), "stats", code);
}

static void record_json(void) {
  static const char line[] = "{\"agent\":\"coach\",\"success\":true,\"later\":{\"a\":[1]}}";
  int32_t code = plugin->on_execution_end_json(instance, line, KAIZEN_NTS, 0, NULL, NULL);

  expect(code == KAIZEN_E_REJECTED, "a key of later", code);
  code = plugin->on_execution_end_json(instance, line, KAIZEN_NTS,
                                       DATA_FLAGS | KAIZEN_EXEC_KEEP_UNKNOWN, NULL, NULL);
  expect(code == KAIZEN_RECORDED, "a key of later that is to be kept", code);
}

static void record_batch(void) {
  static const char lines[] = "{\"agent\":\"coach\",\"success\":true,\"later\":2}\n"
                              "{\"agent\":\"coach\",\"success\":false,\"x_ours\":3}\n";
  const struct kaizen_batch_1 *batch = plugin->get_extension(KAIZEN_BATCH_1);
  struct kaizen_batch_result result = {.struct_size = sizeof result};
  int32_t code;

  FILL(result);
  code = batch->record(instance, lines, KAIZEN_NTS, DATA_FLAGS | KAIZEN_EXEC_KEEP_UNKNOWN,
                       DATA_FLAGS, NULL, NULL, &result);
  expect(code == KAIZEN_OK && result.recorded == 2 && IS_ZERO(result), "a batch", code);
}

static void record_span(void) {
  const struct kaizen_span_1 *span = plugin->get_extension(KAIZEN_SPAN_1);
  struct kaizen_span run = {
      .struct_size = sizeof run, .flags = DATA_FLAGS, .agent = {"coach", KAIZEN_NTS}};
  struct kaizen_execution execution = {.struct_size = sizeof execution,
                                       .flags = DATA_FLAGS,
                                       .outcome = KAIZEN_SUCCESS,
                                       .agent = run.agent};
  char token[KAIZEN_SPAN_TOKEN_SIZE];
  int32_t code;

  FILL(run);
  FILL(execution);
  code = span->begin(instance, &run, token);
  expect(code == KAIZEN_OK, "a span", code);
  code = span->end(instance, token, &execution, NULL, NULL);
  expect(code == KAIZEN_RECORDED, "its end", code);
}

static int32_t count_keys(void *ctx, const char *line, size_t len) {
  char text[400] = "";
  unsigned *keys = ctx;

  memcpy(text, line, len < sizeof text ? len : sizeof text - 1);
  *keys += strstr(text, "\"later\":") != NULL;
  return 0;
}

static void read_back(void) {
  const struct kaizen_query_1 *query = plugin->get_extension(KAIZEN_QUERY_1);
  struct kaizen_query all = {
      .struct_size = sizeof all, .flags = DATA_FLAGS, .agent = {"coach", KAIZEN_NTS}};
  struct kaizen_query_result result = {.struct_size = sizeof result};
  unsigned keys = 0;
  int32_t code;

  FILL(all);
  FILL(result);
  code = query->records(instance, &all, count_keys, &keys, &result);
  expect(code == KAIZEN_OK && result.records == 5 && IS_ZERO(result), "every record", code);
  expect(keys == 2, "every key", (int32_t)keys);
  expect(!plugin->get_extension("kaizen.query/2"), "an extension of later", 0);
}

int main(int argc, char **argv) {
  void *image = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  kaizen_plugin_v1_fn entry = NULL;

  if (image)
    *(void **)&entry = dlsym(image, KAIZEN_PLUGIN_V1_SYMBOL);
  plugin = entry ? entry() : NULL;
  if (!plugin) {
    fprintf(stderr, "usage: abi_later_host PLUGIN PROJECT_ROOT\n");
    return 2;
  }
  expect(!KAIZEN_HAS(plugin, struct kaizen_plugin_v1, appended), "a function of later", 0);
  enter(argv[2]);
  record_struct();
  record_json();
  record_batch();
  record_span();
  read_back();
  plugin->destroy(instance);
  return failures != 0;
}

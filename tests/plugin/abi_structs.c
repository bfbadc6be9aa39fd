/* abi_structs.c - a host of 1.0 against the plugin of today: structs shorter and longer by every
 * member.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Compiled against tests/plugin/abi-1.0, the header as it was then.  Usage: abi_structs PLUGIN
 * PROJECT_ROOT
 *
 * Shorter than its 1.0 layout: refused, and nothing recorded.  Longer: taken, its unknown tail
 * ignored or, in what the plugin fills, zeroed.  Never changed: struct_size, and the bytes after
 * what it says. */
#include <dlfcn.h>
#include <kaizen/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARD 0xA5
#define ROOM 512 /* more than any struct and what is appended to it here */
#define LONGER_MAX 48

static const struct kaizen_plugin_v1 *plugin;
static struct kaizen_instance *instance;
static unsigned checks, failures;

static void expect(int fact, const char *what, const char *name, size_t size) {
  checks++;
  if (fact)
    return;
  failures++;
  printf("FAILED: %s: %s with %zu bytes\n", what, name, size);
}

/* ---- a struct of any length, guard bytes after it ------------------------------------------- */

union box {
  unsigned char bytes[ROOM];
  uint32_t struct_size;
  struct kaizen_host_v1 host;
  struct kaizen_execution execution;
  struct kaizen_receipt receipt;
  struct kaizen_summary summary;
  struct kaizen_stats stats;
};

static void box_out(union box *box, size_t size) {
  memset(box->bytes, GUARD, ROOM);
  box->struct_size = (uint32_t)size;
}

/* A copy of the struct whose last bytes are the last that may be read. */
static void *before_the_end(const union box *box, size_t size) {
  static unsigned char *pages;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  unsigned char *at;
  if (!pages) {
    pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + page, page, PROT_NONE) != 0)
      exit(2);
  }
  at = pages + page - (size + 7) / 8 * 8;
  memcpy(at, box->bytes, size);
  return at;
}

static int all(const unsigned char *bytes, size_t count, unsigned char value) {
  size_t i;
  for (i = 0; i < count; i++)
    if (bytes[i] != value)
      return 0;
  return 1;
}

/* After a call that was given this out-struct, `known` bytes of which 1.0 has. */
static void check_out(const union box *box, const char *name, size_t size, size_t known) {
  expect(box->struct_size == size, "struct_size is changed", name, size);
  expect(all(box->bytes + size, ROOM - size, GUARD), "bytes after it are written", name, size);
  if (size < known)
    return;
  expect(all(box->bytes + known, size - known, 0), "its unknown tail is not zero", name, size);
  expect(!all(box->bytes + 4, known - 4, GUARD), "it is not written", name, size);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void fill_execution(struct kaizen_execution *execution, const char *key) {
  memset(execution, 0, sizeof *execution);
  execution->struct_size = sizeof *execution;
  execution->outcome = KAIZEN_SUCCESS;
  execution->agent.ptr = "coach";
  execution->agent.len = KAIZEN_NTS;
  if (key) {
    execution->idempotency_key.ptr = key;
    execution->idempotency_key.len = KAIZEN_NTS;
  }
}

static uint64_t recorded(void) {
  struct kaizen_stats stats = {0};
  stats.struct_size = sizeof stats;
  return plugin->stats(instance, &stats) == KAIZEN_OK ? stats.recorded : UINT64_MAX;
}

static const char *const what_comes[] = {"RECORDED", "DUPLICATE", "REJECTED", "UNSUPPORTED"};
static const int32_t codes[] = {KAIZEN_RECORDED, KAIZEN_DUPLICATE, KAIZEN_E_REJECTED,
                                KAIZEN_E_UNSUPPORTED};

static void fill_for(struct kaizen_execution *execution, size_t answer) {
  fill_execution(execution, answer == 1 ? "known" : NULL);
  if (answer == 2)
    execution->outcome = 0;
  if (answer == 3)
    execution->flags = 1u << 15;
}

/* ---- what the plugin fills ------------------------------------------------------------------- */

static void record_into(size_t receipt_size, size_t summary_size, size_t answer) {
  struct kaizen_execution execution;
  union box receipt, summary;
  uint64_t before = recorded();
  int short_one = receipt_size < sizeof receipt.receipt || summary_size < sizeof summary.summary;
  int32_t code;
  fill_for(&execution, answer);
  box_out(&receipt, receipt_size);
  box_out(&summary, summary_size);
  code = plugin->on_execution_end(instance, &execution, &receipt.receipt, &summary.summary);
  expect(code == (short_one ? KAIZEN_E_ARGUMENT : codes[answer]), what_comes[answer],
         "receipt and summary",
         receipt_size < sizeof receipt.receipt ? receipt_size : summary_size);
  check_out(&receipt, "kaizen_receipt", receipt_size, sizeof receipt.receipt);
  check_out(&summary, "kaizen_summary", summary_size, sizeof summary.summary);
  if (short_one)
    expect(recorded() == before, "something was recorded", "a short struct", receipt_size);
}

static void record_json_into(size_t receipt_size, size_t summary_size) {
  static const char text[] = "{\"agent\":\"coach\",\"success\":true}";
  union box receipt, summary;
  int32_t code;
  box_out(&receipt, receipt_size);
  box_out(&summary, summary_size);
  code = plugin->on_execution_end_json(instance, text, KAIZEN_NTS, 0, &receipt.receipt,
                                       &summary.summary);
  expect(code == (receipt_size < sizeof receipt.receipt || summary_size < sizeof summary.summary
                      ? KAIZEN_E_ARGUMENT
                      : KAIZEN_RECORDED),
         "the answer", "receipt and summary", receipt_size);
  check_out(&receipt, "kaizen_receipt", receipt_size, sizeof receipt.receipt);
  check_out(&summary, "kaizen_summary", summary_size, sizeof summary.summary);
}

static void stats_into(size_t size) {
  union box stats;
  int32_t code;
  box_out(&stats, size);
  code = plugin->stats(instance, &stats.stats);
  expect(code == (size < sizeof stats.stats ? KAIZEN_E_ARGUMENT : KAIZEN_OK), "the answer",
         "kaizen_stats", size);
  check_out(&stats, "kaizen_stats", size, sizeof stats.stats);
}

/* ---- what the host fills --------------------------------------------------------------------- */

static void record_from(size_t size) {
  union box box;
  uint64_t before = recorded();
  int32_t code;
  memset(box.bytes, GUARD, ROOM); /* what a later host may have put after the 1.0 members */
  fill_execution(&box.execution, NULL);
  box.execution.struct_size = (uint32_t)size;
  code = plugin->on_execution_end(instance, before_the_end(&box, size), NULL, NULL);
  expect(code == (size < sizeof box.execution ? KAIZEN_E_ARGUMENT : KAIZEN_RECORDED), "the answer",
         "kaizen_execution", size);
  expect(box.struct_size == size, "struct_size is changed", "kaizen_execution", size);
  expect(recorded() == before + (code == KAIZEN_RECORDED), "the count", "kaizen_execution", size);
}

static void create_from(size_t size) {
  struct kaizen_instance *created = (struct kaizen_instance *)&failures; /* must become NULL */
  union box box;
  int32_t code;
  memset(box.bytes, GUARD, ROOM);
  memset(&box.host, 0, sizeof box.host);
  box.host.abi_version = KAIZEN_ABI_VERSION + 7; /* a later minor version */
  box.host.struct_size = (uint32_t)size;
  code = plugin->create(before_the_end(&box, size), &created);
  expect(code == (size < sizeof box.host ? KAIZEN_E_ARGUMENT : KAIZEN_OK), "the answer",
         "kaizen_host_v1", size);
  expect((created != NULL) == (code == KAIZEN_OK), "the instance", "kaizen_host_v1", size);
  if (code == KAIZEN_OK)
    plugin->destroy(created);
}

/* ---- every member ---------------------------------------------------------------------------- */

/* Calls `with` for a struct of `known` bytes, cut at each of its members and appended to. */
static void each_size(const size_t *offsets, size_t count, size_t known, void (*with)(size_t)) {
  size_t i;
  for (i = 1; i < count; i++) /* struct_size itself is always there */
    with(offsets[i]);
  with(known - 1);
  for (i = 0; i <= LONGER_MAX; i++)
    with(known + i);
}

static size_t other_size, answer_wanted;
static void receipt_of(size_t size) {
  record_into(size, other_size, answer_wanted);
}
static void summary_of(size_t size) {
  record_into(other_size, size, answer_wanted);
}
static void json_receipt_of(size_t size) {
  record_json_into(size, sizeof(struct kaizen_summary));
}

#define AT(type, member) offsetof(struct type, member)
#define COUNT(array) (sizeof array / sizeof array[0])

static void all_structs(void) {
  static const size_t host[] = {AT(kaizen_host_v1, struct_size), AT(kaizen_host_v1, abi_version),
                                AT(kaizen_host_v1, flags),       AT(kaizen_host_v1, log_level),
                                AT(kaizen_host_v1, ctx),         AT(kaizen_host_v1, name),
                                AT(kaizen_host_v1, version),     AT(kaizen_host_v1, log),
                                AT(kaizen_host_v1, now_unix_ns), AT(kaizen_host_v1, get_extension)};
  static const size_t execution[] = {AT(kaizen_execution, struct_size),
                                     AT(kaizen_execution, flags),
                                     AT(kaizen_execution, outcome),
                                     AT(kaizen_execution, reserved0),
                                     AT(kaizen_execution, timestamp_unix_ns),
                                     AT(kaizen_execution, execution_time_s),
                                     AT(kaizen_execution, quality_score),
                                     AT(kaizen_execution, primary_value),
                                     AT(kaizen_execution, primary_target),
                                     AT(kaizen_execution, idempotency_key),
                                     AT(kaizen_execution, agent),
                                     AT(kaizen_execution, session_id),
                                     AT(kaizen_execution, primary_name),
                                     AT(kaizen_execution, metadata_json),
                                     AT(kaizen_execution, extra_json)};
  static const size_t receipt[] = {AT(kaizen_receipt, struct_size), AT(kaizen_receipt, flags),
                                   AT(kaizen_receipt, event_id), AT(kaizen_receipt, reason)};
  static const size_t summary[] = {AT(kaizen_summary, struct_size),
                                   AT(kaizen_summary, flags),
                                   AT(kaizen_summary, execution_count),
                                   AT(kaizen_summary, success_rate),
                                   AT(kaizen_summary, avg_quality_score),
                                   AT(kaizen_summary, avg_execution_time_s),
                                   AT(kaizen_summary, last_execution_unix_ns),
                                   AT(kaizen_summary, trend_success_rate),
                                   AT(kaizen_summary, trend_quality_score)};
  static const size_t stats[] = {AT(kaizen_stats, struct_size),
                                 AT(kaizen_stats, state),
                                 AT(kaizen_stats, recorded),
                                 AT(kaizen_stats, duplicates),
                                 AT(kaizen_stats, rejected),
                                 AT(kaizen_stats, failed),
                                 AT(kaizen_stats, marked),
                                 AT(kaizen_stats, acknowledged),
                                 AT(kaizen_stats, pending),
                                 AT(kaizen_stats, dead_lettered),
                                 AT(kaizen_stats, publish_failures),
                                 AT(kaizen_stats, oldest_pending_unix_ns),
                                 AT(kaizen_stats, last_acknowledged_unix_ns),
                                 AT(kaizen_stats, publisher),
                                 AT(kaizen_stats, flags),
                                 AT(kaizen_stats, publisher_reason),
                                 AT(kaizen_stats, unknown_agents),
                                 AT(kaizen_stats, incomplete_reason)};
  each_size(host, COUNT(host), sizeof(struct kaizen_host_v1), create_from);
  each_size(execution, COUNT(execution), sizeof(struct kaizen_execution), record_from);
  each_size(stats, COUNT(stats), sizeof(struct kaizen_stats), stats_into);
  for (answer_wanted = 0; answer_wanted < COUNT(codes); answer_wanted++) {
    other_size = sizeof(struct kaizen_summary) + 8;
    each_size(receipt, COUNT(receipt), sizeof(struct kaizen_receipt), receipt_of);
    other_size = sizeof(struct kaizen_receipt) + 8;
    each_size(summary, COUNT(summary), sizeof(struct kaizen_summary), summary_of);
  }
  each_size(receipt, COUNT(receipt), sizeof(struct kaizen_receipt), json_receipt_of);
}

/* ---- flags, and the table as a host of 1.0 looks at it --------------------------------------- */

static void flag_bits(void) {
  struct kaizen_execution execution;
  unsigned bit;
  for (bit = 9; bit < 32; bit++) {
    fill_execution(&execution, NULL);
    execution.flags = 1u << bit;
    expect(plugin->on_execution_end(instance, &execution, NULL, NULL) ==
               (bit < 16 ? KAIZEN_E_UNSUPPORTED : KAIZEN_RECORDED),
           "the answer to an unknown flag", "bit", bit);
  }
}

static void host_of_another_major(void) {
  struct kaizen_instance *created = NULL;
  struct kaizen_host_v1 host = {0};
  host.struct_size = sizeof host;
  host.abi_version = 2u << 16;
  expect(plugin->create(&host, &created) == KAIZEN_E_UNSUPPORTED && created == NULL,
         "the answer to a host of", "major", 2);
}

/* KAIZEN_HAS for a table that ends before, and after, each function. */
#define TABLE_HAS(member)                                                                          \
  do {                                                                                             \
    struct kaizen_plugin_v1 cut = *plugin;                                                         \
    cut.struct_size = offsetof(struct kaizen_plugin_v1, member);                                   \
    expect(!KAIZEN_HAS(&cut, struct kaizen_plugin_v1, member), "KAIZEN_HAS", #member,              \
           cut.struct_size);                                                                       \
    cut.struct_size += sizeof cut.member;                                                          \
    expect(KAIZEN_HAS(&cut, struct kaizen_plugin_v1, member), "KAIZEN_HAS", #member,               \
           cut.struct_size);                                                                       \
    cut.member = NULL;                                                                             \
    expect(!KAIZEN_HAS(&cut, struct kaizen_plugin_v1, member), "KAIZEN_HAS", #member, 0);          \
  } while (0)

static void table(void) {
  expect(plugin->struct_size >= sizeof *plugin, "the table is shorter than 1.0", "table",
         plugin->struct_size);
  expect(plugin->abi_version >> 16 == KAIZEN_ABI_MAJOR, "the major version", "table",
         plugin->abi_version);
  TABLE_HAS(id);
  TABLE_HAS(version);
  TABLE_HAS(config_schema);
  TABLE_HAS(code_name);
  TABLE_HAS(create);
  TABLE_HAS(configure);
  TABLE_HAS(configure_key);
  TABLE_HAS(start);
  TABLE_HAS(on_execution_end);
  TABLE_HAS(on_execution_end_json);
  TABLE_HAS(flush);
  TABLE_HAS(stats);
  TABLE_HAS(last_error);
  TABLE_HAS(stop);
  TABLE_HAS(destroy);
  TABLE_HAS(get_extension);
}

static int start(const char *path, const char *project_root) {
  void *image = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  kaizen_plugin_v1_fn entry = NULL;
  struct kaizen_host_v1 host = {0};
  struct kaizen_execution execution;
  if (image)
    *(void **)&entry = dlsym(image, KAIZEN_PLUGIN_V1_SYMBOL);
  plugin = entry ? entry() : NULL;
  if (!plugin)
    return -1;
  host.struct_size = sizeof host;
  host.abi_version = KAIZEN_ABI_VERSION;
  fill_execution(&execution, "known");
  return plugin->create(&host, &instance) == KAIZEN_OK &&
                 plugin->configure_key(instance, "project_root", project_root, KAIZEN_NTS) ==
                     KAIZEN_OK &&
                 plugin->start(instance) == KAIZEN_OK &&
                 plugin->on_execution_end(instance, &execution, NULL, NULL) == KAIZEN_RECORDED
             ? 0
             : -1;
}

int main(int argc, char **argv) {
  if (argc != 3 || start(argv[1], argv[2]) != 0) {
    fprintf(stderr, "abi_structs: cannot record through %s\n", argc > 1 ? argv[1] : "(no plugin)");
    return 2;
  }
  table();
  host_of_another_major();
  flag_bits();
  all_structs();
  plugin->destroy(instance);
  printf("%u checks, %u failed\n", checks, failures);
  return failures != 0;
}

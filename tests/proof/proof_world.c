/* proof_world.c - one instance of the plugin on one project root, and its transcript.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "proof_world.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX 4096

void say(const char *format, ...) {
  char text[TEXT_MAX];
  va_list arguments;
  int len;

  va_start(arguments, format);
  len = vsnprintf(text, sizeof text - 1, format, arguments);
  va_end(arguments);
  if (len < 0 || (size_t)len >= sizeof text - 1)
    len = (int)sizeof text - 2;
  text[len++] = '\n';
  (void)!write(STDOUT_FILENO, text, (size_t)len);
}

const struct kaizen_plugin_v1 *world_load(const char *path) {
  void *image = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  kaizen_plugin_v1_fn entry = NULL;

  if (image)
    *(void **)&entry = dlsym(image, KAIZEN_PLUGIN_V1_SYMBOL);
  if (!entry) {
    (void)fprintf(stderr, "%s\n", dlerror());
    return NULL;
  }
  return entry();
}

const char *world_broker(void) {
  return getenv("PROOF_NATS_URL");
}

int32_t world_open(struct world *world) {
  struct kaizen_host_v1 host = {.struct_size = sizeof host, .abi_version = KAIZEN_ABI_VERSION};
  const char *url = world_broker();
  char config[TEXT_MAX];
  int32_t code;

  world->instance = NULL;
  (void)snprintf(config, sizeof config,
                 "{\"project_root\":\"%s\",\"project\":\"proof\",\"delivery\":\"%s\","
                 "\"nats_url\":\"%s\",\"fsync\":\"%s\",\"lock_timeout_ms\":300,"
                 "\"emit_event\":%s,\"allow_network_fs\":true}",
                 world->root, url ? "in-process" : "relay", url ? url : "nats://127.0.0.1:9",
                 world->fsync, url ? "true" : "false");
  code = world->plugin->create(&host, &world->instance);
  if (code == KAIZEN_OK)
    code = world->plugin->configure(world->instance, config, KAIZEN_NTS);
  if (code == KAIZEN_OK)
    code = world->plugin->start(world->instance);
  if (code != KAIZEN_OK)
    say("open %d", (int)code);
  return code;
}

void world_close(struct world *world) {
  if (!world->instance)
    return;
  (void)world->plugin->stop(world->instance, 0);
  world->plugin->destroy(world->instance);
  world->instance = NULL;
}

int32_t world_give(struct world *world, const char *agent, const char *key, bool marked) {
  struct kaizen_execution execution = {
      .struct_size = sizeof execution,
      .flags = KAIZEN_EXEC_HAS_TIME | KAIZEN_EXEC_HAS_QUALITY,
      .outcome = KAIZEN_SUCCESS,
      .execution_time_s = 12.5,
      .quality_score = 0.75,
      .idempotency_key = {key, KAIZEN_NTS},
      .agent = {agent, KAIZEN_NTS},
      .metadata_json = {"{\"note\":\"long enough that a line does not fit one sector twice: "
                        "abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz\"}",
                        KAIZEN_NTS},
  };
  struct kaizen_receipt receipt = {.struct_size = sizeof receipt};
  int32_t code;

  if (world->session)
    execution.session_id = (struct kaizen_str){world->session, KAIZEN_NTS};
  execution.flags |= marked ? KAIZEN_EXEC_EMIT : KAIZEN_EXEC_NO_EMIT;
  say("give %s %s", agent, key);
  code = world->plugin->on_execution_end(world->instance, &execution, &receipt, NULL);
  say("told %s %s %d %s", agent, key, (int)code, receipt.event_id[0] ? receipt.event_id : "-");
  return code;
}

int32_t world_give_batch(struct world *world, const char *lines) {
  const struct kaizen_batch_1 *batch = world->plugin->get_extension(KAIZEN_BATCH_1);
  struct kaizen_batch_result result = {.struct_size = sizeof result};
  int32_t code;

  say("give-batch");
  code = batch->record(world->instance, lines, strlen(lines), KAIZEN_EXEC_NO_EMIT, 0, NULL, NULL,
                       &result);
  say("told-batch %d %llu", (int)code, (unsigned long long)result.consumed);
  return code;
}

static int32_t print_piece(void *ctx, const char *data, size_t len) {
  const char *label = ctx;

  say("%s %.*s", label, (int)len, data);
  return 0;
}

void world_repair(struct world *world, const char *agent) {
  const struct kaizen_repair_1 *repair = world->plugin->get_extension(KAIZEN_REPAIR_1);
  int32_t code = repair->repair(world->instance, agent, KAIZEN_NTS, print_piece,
                                (void *)(uintptr_t) "repaired");

  say("told-repair %s %d", agent, (int)code);
}

void world_verify(struct world *world, const char *agent) {
  const struct kaizen_repair_1 *repair = world->plugin->get_extension(KAIZEN_REPAIR_1);

  (void)repair->verify(world->instance, agent, KAIZEN_NTS, print_piece,
                       (void *)(uintptr_t) "verify");
}

void world_report(struct world *world) {
  const struct kaizen_inspect_1 *inspect = world->plugin->get_extension(KAIZEN_INSPECT_1);
  int32_t code = inspect->delivery(world->instance, print_piece, (void *)(uintptr_t) "delivery");

  if (code != KAIZEN_OK)
    say("delivery-failed %d", (int)code);
}

int world_write_file(const struct world *world, const char *agent, const char *name,
                     const void *bytes, size_t len, bool append) {
  static const char *const folders[] = {".kaizen", ".kaizen/metrics", NULL};
  char path[TEXT_MAX];
  int fd, result;
  size_t i;

  for (i = 0; i < 3; i++) {
    if (folders[i])
      (void)snprintf(path, sizeof path, "%s/%s", world->root, folders[i]);
    else
      (void)snprintf(path, sizeof path, "%s/.kaizen/metrics/%s", world->root, agent);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
      return -1;
  }
  (void)snprintf(path, sizeof path, "%s/.kaizen/metrics/%s/%s", world->root, agent, name);
  fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0600);
  if (fd < 0)
    return -1;
  result = write(fd, bytes, len) == (ssize_t)len ? 0 : -1;
  (void)close(fd);
  return result;
}

size_t world_read_file(const struct world *world, const char *agent, const char *name, char *bytes,
                       size_t cap) {
  char path[TEXT_MAX];
  ssize_t got;
  int fd;

  (void)snprintf(path, sizeof path, "%s/.kaizen/metrics/%s/%s", world->root, agent, name);
  fd = open(path, O_RDONLY | O_CLOEXEC);
  got = fd < 0 ? 0 : read(fd, bytes, cap - 1);
  if (fd >= 0)
    (void)close(fd);
  bytes[got > 0 ? got : 0] = '\0';
  return got > 0 ? (size_t)got : 0;
}

/* outbox_project.h - a project whose one agent has a log as outbox.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TESTS_OUTBOX_PROJECT_H
#define KAIZEN_TESTS_OUTBOX_PROJECT_H

#include "sandbox.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "store/outbox.h"
#include "store/project_identity.h"

static char root[] = "/tmp/kaizen-outbox-XXXXXX";
static struct project project;
static struct outbox outbox;
static int metrics_fd = -1, agent_fd = -1;

SANDBOX_HELPER void make_project(void) {
  struct error error = {0};

  cr_assert_not_null(mkdtemp(root));
  cr_assert_eq(project_open(&project, root, true, false, &error), 0, "%s", error.text);
  cr_assert_eq(project_metrics_folder(&project, true, &metrics_fd, &error), 0);
  cr_assert_eq(project_agent_folder(&project, "coach", true, &agent_fd, &error), 0);
}

SANDBOX_HELPER void remove_project(void) {
  static const char *const files[] = {"executions.jsonl", ".lock", ".next", ".state",
                                      ".dead-letter.jsonl"};

  outbox_close(&outbox);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    (void)unlinkat(agent_fd, files[i], 0);
  (void)unlinkat(metrics_fd, ".doorbell", 0);
  (void)unlinkat(metrics_fd, ".id", 0);
  (void)unlinkat(metrics_fd, "coach", AT_REMOVEDIR);
  (void)unlinkat(metrics_fd, ".gitignore", 0);
  (void)unlinkat(project.root_fd, ".kaizen/metrics", AT_REMOVEDIR);
  (void)unlinkat(project.root_fd, ".kaizen", AT_REMOVEDIR);
  (void)rmdir(root);
  (void)close(agent_fd);
  (void)close(metrics_fd);
  project_close(&project);
}

SANDBOX_HELPER void write_file(int folder, const char *name, int flags, const char *text) {
  int fd = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

  cr_assert_geq(fd, 0);
  cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  (void)close(fd);
}

/* Event number n has an id that shows it. */
SANDBOX_HELPER void id_of(unsigned n, unsigned char id[16]) {
  memset(id, 0, 16);
  id[6] = 0x40;
  id[8] = 0x80;
  id[15] = (unsigned char)n;
}

SANDBOX_HELPER void append_marked(unsigned n) {
  unsigned char id[16];
  char id_text[UUID_TEXT_SIZE], line[512];

  id_of(n, id);
  uuid_unpack(id, id_text);
  (void)snprintf(line, sizeof line,
                 "{\"timestamp\":\"2025-01-02T03:04:05Z\",\"agent\":\"coach\",\"success\":true,"
                 "\"event_id\":\"%s\",\"event\":{\"project\":\"p\",\"success_rate\":1.0,"
                 "\"execution_count\":%u,\"avg_quality\":0.0}}\n",
                 id_text, n);
  write_file(agent_fd, "executions.jsonl", O_APPEND, line);
}

SANDBOX_HELPER void append_other(const char *text) {
  write_file(agent_fd, "executions.jsonl", O_APPEND, text);
}

SANDBOX_HELPER void look(void) {
  struct error error = {0};

  if (outbox.agent_fd <= 0)
    cr_assert_eq(outbox_open(&outbox, &project, "coach", &error), 0, "%s", error.text);
  cr_assert_eq(outbox_look(&outbox, clock_monotonic_ns() + 1000000000, NULL, NULL, &error),
               OUTBOX_SEEN, "%s", error.text);
}

#endif

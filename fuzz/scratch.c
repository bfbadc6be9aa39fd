/* scratch.c - a project of a fuzz target's own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <kaizen/plugin.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/json_reader.h"
#include "record/execution_from_json.h"
#include "record/execution_from_struct.h"
#include "store/agent_log.h"
#include "store/agent_view.h"
#include "store/project_identity.h"
#include "store/summary.h"

static char root[256];
static struct project project = {.root_fd = -1};
static int agent_fd = -1;

_Noreturn void scratch_fail(const char *what, const char *file, int line) {
  (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  abort();
}

/* ---- the input ------------------------------------------------------------------------------- */

uint8_t input_byte(struct input *input) {
  if (input->left == 0)
    return 0;
  input->left--;
  return *input->at++;
}

uint64_t input_number(struct input *input, unsigned bytes) {
  uint64_t number = 0;

  for (unsigned i = 0; i < bytes; i++)
    number |= (uint64_t)input_byte(input) << (8 * i);
  return number;
}

struct span input_part(struct input *input) {
  const uint8_t *mark = input->left ? memmem(input->at, input->left, "\xff\xfe", 2) : NULL;
  struct span part = {(const char *)input->at, mark ? (size_t)(mark - input->at) : input->left};
  size_t taken = part.len + (mark ? 2 : 0);

  input->at += taken;
  input->left -= taken;
  return part;
}

/* ---- the folder ------------------------------------------------------------------------------ */

static void remove_files_of(int folder_fd) {
  int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY);
  DIR *folder = fdopendir(fd);
  struct dirent *entry;

  require(folder != NULL);
  while ((entry = readdir(folder)))
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      (void)unlinkat(folder_fd, entry->d_name, 0);
  (void)closedir(folder);
}

static void leave(void) {
  char path[512];

  remove_files_of(agent_fd);
  for (const char *const *name = (const char *const[]){"/.kaizen/metrics/" SCRATCH_AGENT,
                                                       "/.kaizen/metrics", "/.kaizen", "", NULL};
       *name; name++) {
    (void)snprintf(path, sizeof path, "%s%s", root, *name);
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    if (fd >= 0) {
      remove_files_of(fd);
      (void)close(fd);
    }
    (void)rmdir(path);
  }
}

const struct project *scratch_project(void) {
  const char *above = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
  unsigned char id[PROJECT_ID_SIZE];
  struct error error;
  int metrics_fd;

  if (project.root_fd >= 0)
    return &project;
  (void)snprintf(root, sizeof root, "%s/kaizen-fuzz-XXXXXX", above ? above : "/tmp");
  require(mkdtemp(root) != NULL);
  require(project_open(&project, root, true, false, &error) == 0);
  require(project_metrics_folder(&project, true, &metrics_fd, &error) == 0);
  (void)close(metrics_fd);
  require(project_agent_folder(&project, SCRATCH_AGENT, true, &agent_fd, &error) == 0);
  require(project_identity(&project, id, &error) == 0);
  (void)atexit(leave);
  return &project;
}

void scratch_clear(void) {
  (void)scratch_project();
  remove_files_of(agent_fd);
  scratch_remove("../.doorbell");
}

void scratch_put(const char *name, struct span bytes) {
  int fd = openat(agent_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  require(fd >= 0);
  require(bytes.len == 0 || write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
  (void)close(fd);
}

void scratch_remove(const char *name) {
  (void)unlinkat(agent_fd, name, 0);
}

bool scratch_get(const char *name, struct buffer *out) {
  int fd = openat(agent_fd, name, O_RDONLY | O_CLOEXEC);
  struct stat status;
  char *room = NULL;

  buffer_clear(out);
  if (fd < 0)
    return false;
  require(fstat(fd, &status) == 0 && (room = buffer_reserve(out, (size_t)status.st_size + 1)));
  require(read(fd, room, (size_t)status.st_size) == status.st_size);
  out->len = (size_t)status.st_size;
  (void)close(fd);
  return true;
}

/* ---- recording ------------------------------------------------------------------------------- */

/* A message has words, and fits a line. */
static void hear(void *ctx, int32_t level, int32_t id, const char *text) {
  (void)ctx;
  require(level >= KAIZEN_LOG_ERROR && level <= KAIZEN_LOG_DEBUG && id > 0);
  require(text[0] != '\0' && !strchr(text, '\n'));
}

struct recorder *scratch_recorder(bool sync, unsigned trend_window, int64_t retention_days) {
  static struct recorder_options options;
  struct recorder *recorder;

  options = (struct recorder_options){.project = scratch_project(),
                                      .slug = "shop",
                                      .sync = sync,
                                      .trend_window = trend_window,
                                      .lock_timeout_ms = 5000,
                                      .retention_days = retention_days,
                                      .messages = {hear, NULL}};
  recorder = recorder_new(&options);
  require(recorder != NULL);
  return recorder;
}

static bool is_documented(int32_t code) {
  return code == KAIZEN_RECORDED || code == KAIZEN_DUPLICATE || code == KAIZEN_E_BUSY ||
         code == KAIZEN_E_NOMEM || code == KAIZEN_E_IO || code == KAIZEN_E_INDETERMINATE;
}

int32_t scratch_record(struct recorder *recorder, const struct scratch_given *given) {
  const struct execution_limits limits = {
      .now_s = given->now_s, .oldest_s = INT64_MIN, .max_record_bytes = 65536};
  struct kaizen_execution in = {.struct_size = sizeof in,
                                .flags = given->marked ? KAIZEN_EXEC_EMIT : 0,
                                .outcome = KAIZEN_SUCCESS,
                                .agent = {SCRATCH_AGENT, KAIZEN_NTS},
                                .idempotency_key = {given->key, given->key ? given->key_len : 0}};
  struct execution execution = {0};
  struct recorder_request request = {.execution = &execution};
  struct summary summary;
  struct error error = {0};

  require(execution_from_struct(&execution, &in, &limits, &error) == 0);
  recorder_record(recorder, &request, 1, given->now_s, &summary, &error);
  execution_fini(&execution);
  require(is_documented(request.code) && (request.code >= 0 || error.text[0]));
  return request.code;
}

/* ---- what must hold -------------------------------------------------------------------------- */

void scratch_recount(struct span log, struct fold *fold) {
  const char *at = log.ptr, *end = log.ptr + log.len;

  fold_init(fold);
  while (at < end) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    struct record record;
    enum record_kind kind;

    if (!stop)
      break;
    kind = record_read((struct span){at, (size_t)(stop - at)}, &record, NULL);
    if (kind == RECORD_OK)
      fold_add(fold, &record, (uint64_t)(stop + 1 - log.ptr));
    if (kind == RECORD_GARBAGE)
      fold_skip(fold);
    at = stop + 1;
  }
}

void scratch_require_sound(unsigned trend_window) {
  struct buffer log = {0}, found = {0}, expected = {0};
  struct agent_view view;
  const struct agent_view_limits limits = agent_view_patience(5000);
  struct summary summary;
  struct error error = {0};
  struct fold fold;

  require(scratch_get(AGENT_LOG_FILE, &log) && log.len > 0 && log.data[log.len - 1] == '\n');
  scratch_recount(buffer_span(&log), &fold);
  summary_of(&fold, trend_window, &summary);
  summary_append_json(&summary, &expected);
  require(scratch_get("summary.json", &found));
  require(span_equal(buffer_span(&found), buffer_span(&expected)));

  require(agent_view_read(scratch_project(), SCRATCH_AGENT, &limits, &view, &error) == 0);
  require(view.fold.execution_count == fold.execution_count && view.fold.marked == fold.marked);
  require(view.fold.skipped_lines == fold.skipped_lines && view.committed_end == log.len);
  require(fold.marked == view.acknowledged + view.pending + view.dead_lettered);
  require(view.held <= view.pending);
  buffer_fini(&log);
  buffer_fini(&found);
  buffer_fini(&expected);
}

void scratch_require_appended(struct span before, struct span after) {
  size_t len = before.len;
  const char *stop;

  require(after.len > len && (len == 0 || memcmp(before.ptr, after.ptr, len) == 0));
  if (len > 0 && before.ptr[len - 1] != '\n')
    require(after.ptr[len++] == '\n');
  stop = memchr(after.ptr + len, '\n', after.len - len);
  require(stop && stop == after.ptr + after.len - 1 && stop > after.ptr + len);
}

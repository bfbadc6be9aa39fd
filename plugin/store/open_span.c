/* open_span.c - `.open-<token>`: a run that has begun and whose end has not been recorded yet.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/open_span.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/os_files.h"
#include "common/json_reader.h"
#include "common/json_writer.h"

#define PREFIX ".open-"
#define NAME_SIZE (sizeof PREFIX - 1 + UUID_TEXT_SIZE)
#define FILE_BYTES_MAX 8192u
#define NS_PER_S INT64_C(1000000000)
#define DAY_NS (INT64_C(86400) * NS_PER_S)

static void name_of(const char token[UUID_TEXT_SIZE], char name[NAME_SIZE]) {
  memcpy(name, PREFIX, sizeof PREFIX - 1);
  memcpy(name + sizeof PREFIX - 1, token, UUID_TEXT_SIZE);
}

void open_span_fini(struct open_span *span) {
  buffer_fini(&span->key);
  buffer_fini(&span->session_id);
}

/* ---- the file's text ------------------------------------------------------------------------- */

static void append_text(struct buffer *out, const char *name, struct span text) {
  buffer_append_text(out, name);
  json_writer_string(out, text);
}

static void append_number(struct buffer *out, const char *name, int64_t number) {
  buffer_append_text(out, name);
  json_writer_integer(out, number);
}

static void write_text(const struct open_span *span, struct buffer *out) {
  const struct process_identity *owner = &span->owner;

  append_text(out, "{\"key\":", buffer_span(&span->key));
  if (span->session_id.len > 0)
    append_text(out, ",\"session_id\":", buffer_span(&span->session_id));
  append_number(out, ",\"flags\":", span->exec_flags);
  append_number(out, ",\"began_unix_ns\":", span->began_unix_ns);
  append_number(out, ",\"began_boot_ns\":", span->began_boot_ns);
  append_text(out, ",\"boot\":", (struct span){owner->boot, strlen(owner->boot)});
  append_number(out, ",\"pid_namespace\":", (int64_t)owner->pid_namespace);
  append_number(out, ",\"pid\":", owner->pid);
  append_number(out, ",\"start_ticks\":", (int64_t)owner->start_ticks);
  buffer_append_text(out, "}\n");
}

static void take_boot(struct process_identity *owner, struct json_value value) {
  size_t len = json_value_decode_bounded(value, owner->boot, sizeof owner->boot - 1);

  owner->boot[len < sizeof owner->boot ? len : sizeof owner->boot - 1] = '\0';
}

static bool take_member(struct open_span *span, const struct json_member *member) {
  int64_t number = 0;

  if (member->value.type == JSON_STRING) {
    if (json_value_is_named(member, "key"))
      json_value_decode(member->value, &span->key);
    else if (json_value_is_named(member, "session_id"))
      json_value_decode(member->value, &span->session_id);
    else if (json_value_is_named(member, "boot"))
      take_boot(&span->owner, member->value);
    return !span->key.failed && !span->session_id.failed;
  }
  if (json_value_integer(member->value, &number) == 0)
    return true;
  if (json_value_is_named(member, "flags"))
    span->exec_flags = (uint32_t)number;
  else if (json_value_is_named(member, "began_unix_ns"))
    span->began_unix_ns = number;
  else if (json_value_is_named(member, "began_boot_ns"))
    span->began_boot_ns = number;
  else if (json_value_is_named(member, "pid_namespace"))
    span->owner.pid_namespace = (uint64_t)number;
  else if (json_value_is_named(member, "pid"))
    span->owner.pid = number;
  else if (json_value_is_named(member, "start_ticks"))
    span->owner.start_ticks = (uint64_t)number;
  return true;
}

static int read_text(struct span text, struct open_span *span, struct error *error) {
  struct json_reader reader;
  struct json_member member;

  if (json_reader_open(&reader, text, JSON_STRICT, 1, NULL) != 0)
    return error_set(error, KAIZEN_E_REJECTED, "not a JSON object");
  while (json_reader_next(&reader, &member, NULL) == 1)
    if (!take_member(span, &member))
      return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  if (span->key.len == 0)
    return error_set(error, KAIZEN_E_REJECTED, "no key");
  return 0;
}

/* ---- the files ------------------------------------------------------------------------------- */

int open_span_create(int agent_fd, const char token[UUID_TEXT_SIZE], const struct open_span *span,
                     struct error *error) {
  struct buffer text = {0};
  char name[NAME_SIZE];
  int fd = -1, result;

  name_of(token, name);
  write_text(span, &text);
  if (text.failed)
    result = error_set(error, KAIZEN_E_NOMEM, "out of memory");
  else if (text.len > FILE_BYTES_MAX)
    result = error_set(error, KAIZEN_E_REJECTED, "session_id is too long for a span");
  else
    result = directory_open_file(agent_fd, name, O_WRONLY | O_CREAT | O_EXCL, &fd, error);
  if (result == 0)
    result = directory_write_at(fd, text.data, text.len, 0, error);
  if (fd >= 0)
    (void)close(fd);
  if (fd >= 0 && result != 0)
    (void)unlinkat(agent_fd, name, 0);
  buffer_fini(&text);
  return result;
}

int open_span_read(int agent_fd, const char token[UUID_TEXT_SIZE], struct open_span *span,
                   struct error *error) {
  char name[NAME_SIZE], text[FILE_BYTES_MAX];
  size_t got = 0;
  int fd, result;

  memset(span, 0, sizeof *span);
  name_of(token, name);
  result = directory_open_file(agent_fd, name, O_RDONLY, &fd, error);
  if (result != 0)
    return result;
  result = directory_read_at(fd, text, sizeof text, 0, &got, error);
  (void)close(fd);
  if (result == 0)
    result = read_text((struct span){text, got}, span, error);
  if (result != 0) {
    error_prefix(error, "%s", name);
    open_span_fini(span);
  }
  return result;
}

int open_span_remove(int agent_fd, const char token[UUID_TEXT_SIZE], struct error *error) {
  char name[NAME_SIZE];

  name_of(token, name);
  if (unlinkat(agent_fd, name, 0) == 0 || errno == ENOENT)
    return 0;
  return error_set_errno(error, KAIZEN_E_IO, errno, "%s: unlink", name);
}

int open_span_each(int agent_fd, int (*each)(void *ctx, const char *token), void *ctx,
                   struct error *error) {
  /* a descriptor of its own: the place in the folder belongs to the open file */
  int fd = os_files_openat(agent_fd, ".", O_RDONLY | O_DIRECTORY, 0), result = 0;
  DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
  const struct dirent *entry;

  if (!folder) {
    result = error_set_errno(error, KAIZEN_E_IO, errno, "the agent's folder cannot be read");
    if (fd >= 0)
      (void)close(fd);
    return result;
  }
  while (result == 0 && (entry = readdir(folder)) != NULL) {
    const char *token = entry->d_name + sizeof PREFIX - 1;

    if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) == 0 &&
        uuid_is_text((struct span){token, strlen(token)}))
      result = each(ctx, token);
  }
  (void)closedir(folder);
  return result;
}

struct count {
  int found, max;
};

static int count_one(void *ctx, const char *token) {
  struct count *count = ctx;

  (void)token;
  return ++count->found >= count->max;
}

int open_span_count(int agent_fd, int max, struct error *error) {
  struct count count = {.max = max};

  return open_span_each(agent_fd, count_one, &count, error) < 0 ? -1 : count.found;
}

/* ---- what became of it ----------------------------------------------------------------------- */

int64_t open_span_elapsed_ns(const struct open_span *span, const struct process_identity *own) {
  int64_t now_ns = clock_boot_ns();

  if (own->boot[0] == '\0' || strcmp(own->boot, span->owner.boot) != 0 ||
      now_ns < span->began_boot_ns)
    return -1;
  return now_ns - span->began_boot_ns;
}

bool open_span_is_lost(const struct open_span *span, const struct process_identity *own) {
  enum process_fate fate = process_identity_fate(&span->owner, own);
  int64_t elapsed_ns;

  if (fate != PROCESS_UNKNOWN)
    return fate == PROCESS_GONE;
  elapsed_ns = clock_boot_ns() - span->began_boot_ns;
  if (elapsed_ns >= 0) /* within one boot that is how long ago it began, over boots it is less */
    return elapsed_ns > DAY_NS;
  return clock_wall_ns() - span->began_unix_ns > DAY_NS;
}

bool open_span_is_scrap(int agent_fd, const char token[UUID_TEXT_SIZE]) {
  char name[NAME_SIZE];
  struct stat status;

  name_of(token, name);
  return fstatat(agent_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         clock_wall_ns() / NS_PER_S - status.st_mtime > DAY_NS / NS_PER_S;
}

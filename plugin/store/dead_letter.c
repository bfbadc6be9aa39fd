/* dead_letter.c - the events of an agent that the broker refused permanently.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/dead_letter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/directory.h"
#include "base/line_reader.h"
#include "base/uuid.h"
#include "common/json_reader.h"
#include "common/json_writer.h"
#include "common/timestamp.h"

#define DEAD_LETTER_FILE ".dead-letter.jsonl"
#define DEAD_LETTER_SPARE ".dead-letter.new"
#define EVENT_BYTES_MAX (LINE_READER_LINE_MAX / 2) /* so that every line can be read back */

void dead_letter_write(const unsigned char id[16], const char *agent, const char *reason,
                       int64_t time_s, struct span event, struct buffer *out) {
  char text[UUID_TEXT_SIZE], time_text[TIMESTAMP_TEXT_SIZE];

  uuid_unpack(id, text);
  timestamp_format(time_s, time_text);
  buffer_append_text(out, "{\"event_id\":\"");
  buffer_append_text(out, text);
  buffer_append_text(out, "\",\"agent\":");
  json_writer_string(out, (struct span){agent, strlen(agent)});
  buffer_append_text(out, ",\"reason\":");
  json_writer_string(out, (struct span){reason, strlen(reason)});
  buffer_append_text(out, ",\"time\":\"");
  buffer_append_text(out, time_text);
  buffer_append_text(out, "\",\"event\":");
  if (event.ptr && event.len <= EVENT_BYTES_MAX)
    buffer_append(out, event.ptr, event.len);
  else
    buffer_append_text(out, "null");
  buffer_append_text(out, "}\n");
}

/* A writer that was killed may have left half a line. */
static int end_torn_line(int fd, uint64_t size, struct error *error) {
  char last;
  size_t got;

  if (size == 0)
    return 0;
  if (directory_read_at(fd, &last, 1, size - 1, &got, error) != 0)
    return -1;
  return got == 1 && last != '\n' ? directory_write_at(fd, "\n", 1, size, error) : 0;
}

static int write_behind(int fd, struct span lines, struct error *error) {
  struct stat status;

  if (fstat(fd, &status) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, "fstat");
  if (end_torn_line(fd, (uint64_t)status.st_size, error) != 0)
    return -1;
  if (fstat(fd, &status) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, "fstat");
  return directory_write_at(fd, lines.ptr, lines.len, (uint64_t)status.st_size, error);
}

bool dead_letter_has_room(int agent_fd, size_t more) {
  struct stat status;

  return more < DEAD_LETTER_BYTES_MAX &&
         (fstatat(agent_fd, DEAD_LETTER_FILE, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
          status.st_size < (off_t)(DEAD_LETTER_BYTES_MAX - more));
}

static int make_durable(int agent_fd, int fd, struct error *error) {
  if (fdatasync(fd) != 0 || fsync(agent_fd) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, "sync");
  return 0;
}

int dead_letter_append(int agent_fd, struct span lines, bool sync, struct error *error) {
  struct stat before;
  int fd, result = directory_open_file(agent_fd, DEAD_LETTER_FILE, O_RDWR | O_CREAT, &fd, error);

  if (result != 0)
    return result < 0
               ? -1
               : error_set(error, KAIZEN_E_IO, DEAD_LETTER_FILE ": the agent's folder is gone");
  if (fstat(fd, &before) != 0) {
    result = error_set_errno(error, KAIZEN_E_IO, errno, "fstat");
  } else {
    result = write_behind(fd, lines, error);
    if (result == 0 && sync)
      result = make_durable(agent_fd, fd, error);
    if (result != 0)
      (void)!ftruncate(fd, before.st_size);
  }
  if (result != 0)
    error_prefix(error, DEAD_LETTER_FILE);
  (void)close(fd);
  return result;
}

int dead_letter_take_back(int agent_fd, size_t len) {
  struct stat status;
  int fd, result = directory_open_file(agent_fd, DEAD_LETTER_FILE, O_WRONLY, &fd, NULL);

  if (result != 0)
    return -1;
  result = fstat(fd, &status) == 0 && status.st_size >= (off_t)len
               ? ftruncate(fd, status.st_size - (off_t)len)
               : -1;
  (void)close(fd);
  return result;
}

/* Only of a whole letter: a line that a killed process or a full disk left is not one, and must not
 * be passed on as JSON. */
static bool read_id(struct span line, unsigned char id[16]) {
  struct json_reader cursor;
  struct json_member member;
  bool found = false;
  int more;

  /* what a foreign line's event says is in it, as deep as it was in the log */
  if (json_reader_open(&cursor, line, JSON_LENIENT, JSON_DEPTH_LIMIT, NULL) != 0)
    return false;
  while ((more = json_reader_next(&cursor, &member, NULL)) == 1) {
    struct span text = {member.value.raw.ptr + 1, member.value.raw.len - 2};

    if (!json_value_is_named(&member, "event_id") || member.value.type != JSON_STRING)
      continue;
    found = uuid_is_text(text);
    if (found)
      uuid_pack(text.ptr, id);
  }
  return more == 0 && found;
}

static int compare_ids(const void *a, const void *b) {
  return memcmp(a, b, 16);
}

bool dead_letter_has(const struct dead_letter_ids *ids, const unsigned char id[16]) {
  return ids->count > 0 && bsearch(id, ids->ids, ids->count, sizeof *ids->ids, compare_ids) != NULL;
}

void dead_letter_ids_fini(struct dead_letter_ids *ids) {
  free(ids->ids);
  *ids = (struct dead_letter_ids){0};
}

int dead_letter_ids_add(struct dead_letter_ids *ids, const unsigned char id[16],
                        struct error *error) {
  if (ids->count == ids->room) {
    size_t more = ids->room ? ids->room * 2 : 64;
    unsigned char(*grown)[16] = realloc(ids->ids, more * sizeof *grown);

    if (!grown)
      return error_set(error, KAIZEN_E_NOMEM, "out of memory");
    ids->ids = grown;
    ids->room = more;
  }
  memcpy(ids->ids[ids->count++], id, 16);
  return 0;
}

void dead_letter_ids_sort(struct dead_letter_ids *ids) {
  size_t kept = 0;

  if (ids->count > 1)
    qsort(ids->ids, ids->count, sizeof *ids->ids, compare_ids);
  for (size_t i = 0; i < ids->count; i++) {
    if (i > 0 && memcmp(ids->ids[i], ids->ids[kept - 1], 16) == 0)
      continue;
    if (kept != i)
      memcpy(ids->ids[kept], ids->ids[i], 16);
    kept++;
  }
  ids->count = kept;
}

/* 0 with the file open and a reader on all of it, 1 when there is none. */
static int open_letters(int agent_fd, int *fd, struct line_reader *reader, struct error *error) {
  struct stat status;
  int result = directory_open_file(agent_fd, DEAD_LETTER_FILE, O_RDONLY, fd, error);

  if (result != 0)
    return result;
  if (fstat(*fd, &status) != 0) {
    result = error_set_errno(error, KAIZEN_E_IO, errno, DEAD_LETTER_FILE ": fstat");
    (void)close(*fd);
    return result;
  }
  line_reader_init(reader, *fd, 0, (uint64_t)status.st_size);
  return 0;
}

int dead_letter_load_ids(int agent_fd, struct dead_letter_ids *ids, struct error *error) {
  struct line_reader reader;
  struct line line;
  unsigned char id[16];
  int fd, result;

  dead_letter_ids_fini(ids);
  result = open_letters(agent_fd, &fd, &reader, error);
  if (result != 0)
    return result < 0 ? -1 : 0;
  while ((result = line_reader_next(&reader, &line, error)) == 1)
    if (!line.too_long && read_id(line.text, id) && dead_letter_ids_add(ids, id, error) != 0) {
      result = -1;
      break;
    }
  line_reader_fini(&reader);
  (void)close(fd);
  if (result != 0)
    dead_letter_ids_fini(ids);
  else
    dead_letter_ids_sort(ids);
  return result;
}

/* True the first time it is asked for an id of `ids`. */
static bool first_time(const struct dead_letter_ids *ids, bool *seen, const unsigned char id[16]) {
  const unsigned char(*found)[16] =
      ids->count ? bsearch(id, ids->ids, ids->count, sizeof *ids->ids, compare_ids) : NULL;

  if (!found || seen[found - (const unsigned char(*)[16])ids->ids])
    return false;
  seen[found - (const unsigned char(*)[16])ids->ids] = true;
  return true;
}

static int hand_out(struct line_reader *reader, const struct dead_letter_ids *ids, bool *seen,
                    int (*each)(void *ctx, const unsigned char id[16], struct span line), void *ctx,
                    struct error *error) {
  struct line line;
  unsigned char id[16];
  int result;

  while ((result = line_reader_next(reader, &line, error)) == 1) {
    if (line.too_long || !read_id(line.text, id) || !first_time(ids, seen, id))
      continue;
    result = each(
        ctx, id,
        (struct span){line.text.ptr, line.text.len + 1}); /* the newline follows it in the window */
    if (result != 0)
      break;
  }
  return result;
}

int dead_letter_each(int agent_fd,
                     int (*each)(void *ctx, const unsigned char id[16], struct span line),
                     void *ctx, struct error *error) {
  struct dead_letter_ids ids = {0};
  struct line_reader reader;
  bool *seen;
  int fd, result;

  if (dead_letter_load_ids(agent_fd, &ids, error) != 0)
    return -1;
  result = open_letters(agent_fd, &fd, &reader, error);
  if (result == 0) {
    seen = calloc(ids.count + 1, sizeof *seen);
    result = seen ? hand_out(&reader, &ids, seen, each, ctx, error)
                  : error_set(error, KAIZEN_E_NOMEM, "out of memory");
    free(seen);
    line_reader_fini(&reader);
    (void)close(fd);
  } else if (result == 1) {
    result = 0;
  }
  dead_letter_ids_fini(&ids);
  return result;
}

struct removal {
  const struct dead_letter_ids *removed;
  struct buffer kept;
};

static int keep_others(void *ctx, const unsigned char id[16], struct span line) {
  struct removal *removal = ctx;

  if (!dead_letter_has(removal->removed, id))
    buffer_append(&removal->kept, line.ptr, line.len);
  return 0;
}

static int replace_letters(int agent_fd, struct span kept, bool sync, struct error *error) {
  int fd, result = directory_open_file(agent_fd, DEAD_LETTER_SPARE, O_WRONLY | O_CREAT | O_TRUNC,
                                       &fd, error);

  if (result != 0)
    return result < 0
               ? -1
               : error_set(error, KAIZEN_E_IO, DEAD_LETTER_SPARE ": the agent's folder is gone");
  result = directory_write_at(fd, kept.ptr, kept.len, 0, error);
  if (result == 0 && sync)
    result = make_durable(agent_fd, fd, error);
  (void)close(fd);
  if (result == 0)
    result = directory_replace_file(agent_fd, DEAD_LETTER_SPARE, DEAD_LETTER_FILE, error);
  return result;
}

int dead_letter_remove(int agent_fd, const struct dead_letter_ids *ids, bool sync,
                       struct error *error) {
  struct removal removal = {.removed = ids};
  int result = dead_letter_each(agent_fd, keep_others, &removal, error);

  if (result == 0 && removal.kept.failed)
    result = error_set(error, KAIZEN_E_NOMEM, "out of memory");
  if (result == 0 && removal.kept.len > 0) {
    result = replace_letters(agent_fd, buffer_span(&removal.kept), sync, error);
  } else if (result == 0 && unlinkat(agent_fd, DEAD_LETTER_FILE, 0) != 0 && errno != ENOENT) {
    result = error_set_errno(error, KAIZEN_E_IO, errno, DEAD_LETTER_FILE);
  }
  buffer_fini(&removal.kept);
  return result;
}

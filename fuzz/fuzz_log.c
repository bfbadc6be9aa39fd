/* fuzz_log.c - any bytes as a log that somebody left: recording goes on after them, and adds up.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * First byte: how (see enum); then a log, and after FF FE what a foreign writer appends, or puts in
 * its place, between our first record and our second. */
#include <kaizen/plugin.h>

#include <string.h>

#include "scratch.h"
#include "store/agent_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
  SYNCED = 1,         /* fsync: always */
  MARKED = 2,         /* what we record is to be published */
  COLD = 4,           /* another process records the second time */
  REPLACED = 8,       /* the second part is a log of its own, in the place of the first */
  OLD_KEY = 16,       /* the second record has the key of the first line that has one */
  WITHOUT_INDEX = 32, /* somebody removed what is derived */
  LATER = 64,         /* the second record comes after three days: lines may expire */
};

static struct buffer before, after;

/* The next line of the log, also one that lacks its newline: it gets one before ours. */
static bool next_line(struct span *log, struct span *line) {
  const char *stop = log->len ? memchr(log->ptr, '\n', log->len) : NULL;
  size_t taken;

  if (log->len == 0)
    return false;
  *line = (struct span){log->ptr, stop ? (size_t)(stop - log->ptr) : log->len};
  taken = line->len + (stop ? 1 : 0);
  *log = (struct span){log->ptr + taken, log->len - taken};
  return true;
}

/* Does a line have this key?  Of an empty one: has any line a key that could be given; it is put
 * there. */
static bool has_key(struct span log, struct buffer *wanted) {
  struct buffer key = {0};
  struct record record;
  struct span line;
  bool found = false;

  while (!found && next_line(&log, &line)) {
    if (record_read(line, &record, NULL) != RECORD_OK || !record_key(&record, &key))
      continue;
    if (wanted->len == 0 && key.len <= EXECUTION_KEY_MAX)
      buffer_append(wanted, key.data, key.len);
    found = span_equal(buffer_span(&key), buffer_span(wanted));
  }
  buffer_fini(&key);
  return found;
}

/* A record that is not in `after` any more has expired, and what is left stands in its order. */
static void require_pruned(struct span log, struct span pruned, int64_t oldest_s) {
  struct span line, left = pruned;
  struct record record;

  while (next_line(&log, &line)) {
    if (left.len > line.len && memcmp(left.ptr, line.ptr, line.len) == 0 &&
        left.ptr[line.len] == '\n') {
      left = (struct span){left.ptr + line.len + 1, left.len - line.len - 1};
      continue;
    }
    require(record_read(line, &record, NULL) == RECORD_OK);
    require(record.timestamp_s >= 0 && record.timestamp_s < oldest_s);
  }
}

static void record_again(struct recorder *recorder, unsigned how) {
  struct scratch_given given = {.marked = how & MARKED, .now_s = SCRATCH_NOW_S};
  struct buffer key = {0};
  bool known;
  int32_t code;

  if (how & LATER)
    given.now_s += 3 * SCRATCH_DAY_S;
  require(scratch_get(AGENT_LOG_FILE, &before));
  if (!(how & OLD_KEY) || !has_key(buffer_span(&before), &key))
    buffer_append_text(&key, "a new key");
  known = has_key(buffer_span(&before), &key);
  given.key = key.data;
  given.key_len = key.len;
  code = scratch_record(recorder, &given);
  require(scratch_get(AGENT_LOG_FILE, &after));
  require(code == (known ? KAIZEN_DUPLICATE : KAIZEN_RECORDED));
  if (how & LATER)
    require_pruned(buffer_span(&before), buffer_span(&after), given.now_s - 180 * SCRATCH_DAY_S);
  else if (known)
    require(after.len >= before.len && memcmp(before.data, after.data, before.len) == 0);
  else
    scratch_require_appended(buffer_span(&before), buffer_span(&after));
  if (code == KAIZEN_DUPLICATE && how & WITHOUT_INDEX) { /* it leaves a missing summary missing */
    given.key = NULL;
    require(scratch_record(recorder, &given) == KAIZEN_RECORDED);
  }
  buffer_fini(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, size};
  unsigned how = input_byte(&input), window = how & SYNCED ? 3 : 10;
  const struct scratch_given first = {.marked = how & MARKED, .now_s = SCRATCH_NOW_S};
  struct span log = input_part(&input), more = {(const char *)input.at, input.left};
  struct recorder *recorder;

  scratch_clear();
  if (log.len > 0)
    scratch_put(AGENT_LOG_FILE, log);
  recorder = scratch_recorder(how & SYNCED, window, 180);
  require(scratch_record(recorder, &first) == KAIZEN_RECORDED);
  require(scratch_get(AGENT_LOG_FILE, &after));
  scratch_require_appended(log, buffer_span(&after));
  scratch_require_sound(window);

  if (how & REPLACED) {
    scratch_remove(AGENT_LOG_FILE);
    scratch_put(AGENT_LOG_FILE, more);
  } else {
    buffer_append(&after, more.ptr, more.len);
    scratch_put(AGENT_LOG_FILE, buffer_span(&after));
  }
  if (how & COLD) {
    recorder_free(recorder);
    recorder = scratch_recorder(how & SYNCED, window, 180);
  }
  if (how & WITHOUT_INDEX) {
    scratch_remove(".index-2");
    scratch_remove("summary.json");
  }
  record_again(recorder, how);
  scratch_require_sound(window);
  recorder_free(recorder);
  return 0;
}

/* fuzz_derived.c - any bytes in the files beside a real log: recording goes on, and ends right.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * First byte: which file; second: how (see enum); then the file's bytes, or patches of the real one
 * {offset: 2 bytes, length: 1, bytes}, length 0: cut there.  A checksum that is made right again
 * lets a patch come as far as the code that trusts it. */
#include <fcntl.h>
#include <kaizen/plugin.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "common/json_reader.h"
#include "record/agent_name.h"
#include "scratch.h"
#include "store/agent.h"
#include "store/agent_fold.h"
#include "store/agent_state.h"
#include "store/checkpoint_point.h"
#include "store/dead_letter.h"
#include "store/delivery.h"
#include "store/doorbell.h"
#include "store/salvage.h"
#include "store/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
  PATCHED = 1, /* patches, else the whole file */
  SUMMED = 2,  /* checksums are made right again */
  WARM = 4,    /* under the feet of a process that has recorded already */
  MARKED = 8,
  REPAIRED = 16, /* verify --repair afterwards */
  LATER = 32,    /* another process than the one that wrote the index: its slots count */
};
enum { SUMMARY, INDEX, STATE, LETTERS, ID, BELL, LOCK, TURNSTILE, FILES };

#define OLD_KEY "key-7"
#define BASE_RECORDS 12
#define INDEX_MAGIC UINT64_C(0x32584449495a414b)
#define INDEX_BLOCK 4096 /* the head, then two slots */
#define INDEX_LIFE_AT 24
#define INDEX_DEVICE_AT 40
#define INDEX_INODE_AT 48
#define INDEX_SEED_AT 56
#define INDEX_SUM_AT (104 + sizeof(struct fold))
#define STATE_PAGE 4096
#define STATE_SUM_AT (STATE_PAGE - 8)

static const char *const names[FILES] = {
    "summary.json", CHECKPOINT_FILE, ".state", ".dead-letter.jsonl",
    "../.id",       "../.doorbell",  ".lock",  ".next"};
static struct buffer log_before, real[FILES], bytes, after;

/* ---- checksums, as the product makes them -----------------------------------------------------
 */

static void put_number(struct buffer *file, size_t at, uint64_t number) {
  memcpy(file->data + at, &number, sizeof number);
}

static uint64_t number_at(const struct buffer *file, size_t at) {
  uint64_t number;

  memcpy(&number, file->data + at, sizeof number);
  return number;
}

static void sum_index(struct buffer *index) {
  for (size_t at = 0; at < KEY_PAGES_AT && at + INDEX_SUM_AT + 8 <= index->len; at += INDEX_BLOCK)
    if (number_at(index, at) == INDEX_MAGIC)
      put_number(index, at + INDEX_SUM_AT, hash_bytes(index->data + at, INDEX_SUM_AT, INDEX_MAGIC));
  for (size_t number = 0, at = KEY_PAGES_AT; at + 1024 <= index->len; number++, at += 1024) {
    uint64_t count = number_at(index, at);
    uint64_t sum =
        number_at(index, INDEX_SEED_AT) ^ (UINT64_C(0x9e3779b97f4a7c15) * (number + 1) + count);

    for (uint64_t i = 0; i < count && i < 63; i++)
      sum += number_at(index, at + 16 + 16 * i) * UINT64_C(0x9e3779b97f4a7c15) +
             number_at(index, at + 24 + 16 * i) * UINT64_C(0xd6e8feb86659fd93);
    put_number(index, at + 8, sum);
  }
}

static void sum_state(struct buffer *state) {
  for (size_t page = 0; page + STATE_PAGE <= state->len; page += STATE_PAGE) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    if (memcmp(state->data + page, "kznstate", 8) != 0)
      continue;
    for (size_t i = 0; i < STATE_SUM_AT; i++)
      hash = (hash ^ (unsigned char)state->data[page + i]) * UINT64_C(0x100000001b3);
    put_number(state, page + STATE_SUM_AT, hash);
  }
}

static void copy(struct buffer *to, struct span from) {
  buffer_clear(to);
  buffer_append(to, from.ptr, from.len);
}

static void sum(unsigned file) {
  if (file == INDEX)
    sum_index(&bytes);
  if (file == STATE)
    sum_state(&bytes);
}

/* ---- the real files ---------------------------------------------------------------------------
 */

static int32_t record(struct recorder *recorder, const char *key, bool marked) {
  const struct scratch_given given = {
      .key = key, .key_len = strlen(key), .marked = marked, .now_s = SCRATCH_NOW_S};

  return scratch_record(recorder, &given);
}

static void fill_slot(void) {
  struct agent agent;
  struct checkpoint_point point;
  struct error error;

  agent_init(&agent, scratch_project(), SCRATCH_AGENT);
  require(agent_fold_acquire(&agent, INT64_MAX, &error) == 0);
  checkpoint_point_take(&agent.checkpoint, agent.log.fd, &agent.anchor, &agent.fold, &point);
  agent_release(&agent);
  require(checkpoint_point_sync(&point) == 0);
  agent_close(&agent);
}

static void make_real_files(void) {
  const unsigned char id[16] = {0x8d, 1};
  struct recorder *recorder;
  char key[16];

  scratch_clear();
  recorder = scratch_recorder(false, 10, 0);
  scratch_put(AGENT_LOG_FILE, (struct span){"no record\n", 10});
  for (int i = 0; i < BASE_RECORDS; i++) {
    (void)snprintf(key, sizeof key, "key-%d", i);
    require(record(recorder, key, i % 3 == 0) == KAIZEN_RECORDED);
    if (i % 4 == 3)
      fill_slot();
  }
  recorder_free(recorder);
  dead_letter_write(id, SCRATCH_AGENT, "too large", SCRATCH_NOW_S, (struct span){"{}", 2}, &bytes);
  scratch_put(names[LETTERS], buffer_span(&bytes));
  scratch_put(names[BELL], (struct span){SCRATCH_AGENT "\n", sizeof SCRATCH_AGENT});
  require(scratch_get(AGENT_LOG_FILE, &log_before));
  for (unsigned i = 0; i < FILES; i++)
    require(scratch_get(names[i], &real[i]));
  for (unsigned i = INDEX; i <= STATE; i++) { /* that the sums are made here as they are there */
    copy(&bytes, buffer_span(&real[i]));
    sum(i);
    require(span_equal(buffer_span(&bytes), buffer_span(&real[i])));
  }
}

/* The index says in which file, and by whom, it was written: by this process, or by another. */
static void put_real_index(bool later) {
  char path[sizeof ".kaizen/metrics//" CHECKPOINT_FILE + AGENT_NAME_MAX];
  const struct project *project = scratch_project();
  struct stat status;

  (void)snprintf(path, sizeof path, ".kaizen/metrics/%s/" CHECKPOINT_FILE, SCRATCH_AGENT);
  require(fstatat(project->root_fd, path, &status, 0) == 0);
  memcpy(real[INDEX].data + INDEX_LIFE_AT, project->life, sizeof project->life);
  real[INDEX].data[INDEX_LIFE_AT] ^= later;
  put_number(&real[INDEX], INDEX_DEVICE_AT, status.st_dev);
  put_number(&real[INDEX], INDEX_INODE_AT, status.st_ino);
  sum_index(&real[INDEX]);
  scratch_put(names[INDEX], buffer_span(&real[INDEX]));
}

static void put_real_files(bool later) {
  if (log_before.len == 0)
    make_real_files();
  scratch_put(AGENT_LOG_FILE, buffer_span(&log_before));
  for (unsigned i = 0; i < FILES; i++)
    scratch_put(names[i], buffer_span(&real[i]));
  put_real_index(later);
}

static void patch(struct input *input, const struct buffer *file) {
  copy(&bytes, buffer_span(file));
  while (input->left > 0) {
    size_t at = input_number(input, 2), len = input_byte(input);

    if (at >= bytes.len)
      continue;
    if (len == 0)
      bytes.len = at;
    for (; len > 0 && at < bytes.len && input->left > 0; len--)
      bytes.data[at++] = (char)input_byte(input);
  }
}

/* ---- what must hold ---------------------------------------------------------------------------
 */

static void hear_name(void *ctx, const char *agent) {
  struct error error;

  (void)ctx;
  require(agent_name_check((struct span){agent, strlen(agent)}, &error) == 0);
}

static void require_bell_harmless(void) {
  struct doorbell bell;
  struct error error;
  int metrics_fd;

  require(project_metrics_folder(scratch_project(), false, &metrics_fd, &error) == 0);
  doorbell_init(&bell);
  (void)doorbell_listen(&bell, metrics_fd, hear_name, NULL);
  doorbell_close(&bell);
  (void)close(metrics_fd);
}

static int32_t take_letter(void *ctx, const char *data, size_t len) {
  struct json_value value;

  (void)ctx;
  require(len > 0 && data[len - 1] == '\n');
  require(json_reader_check((struct span){data, len - 1}, JSON_LENIENT, 1024, &value, NULL) == 0);
  return 0;
}

static void require_letters_readable(void) {
  struct error error = {0};
  uint64_t count;

  if (delivery_dead_letters(scratch_project(), take_letter, NULL, &error) != 0)
    require(error.text[0] != '\0');
  if (delivery_retry_dead_letters(scratch_project(), 5000, &count, &error) != 0)
    require(error.text[0] != '\0');
}

/* What another program removed stays lost, and stays told. */
static bool tells_a_loss(const char *report) {
  return strstr(report, "\"state\":\"marked lines were removed from the log") != NULL;
}

/* A repair leaves what verify has nothing to say about, or says that it cannot be repaired. */
static void require_verifiable(bool repair) {
  struct buffer report = {0};
  struct json_value value;
  struct error error = {0};
  struct salvage_result done;

  require(verify_agent(scratch_project(), SCRATCH_AGENT, 10, INT64_MAX, &report, &error) == 0);
  require(json_reader_check(buffer_span(&report), JSON_STRICT, JSON_DEPTH_MAX, &value, NULL) == 0);
  if (repair) {
    require(salvage_agent(scratch_project(), SCRATCH_AGENT, 10, 5000, false, &done, &error) == 0);
    require(done.saved_to[0] != '\0'); /* the line that is not a record */
    buffer_clear(&report);
    require(verify_agent(scratch_project(), SCRATCH_AGENT, 10, INT64_MAX, &report, &error) == 0);
    buffer_append_byte(&report, '\0');
    require(strstr(report.data, "\"bad_line_count\":0") &&
            (strstr(report.data, "\"consistent\":true") || tells_a_loss(report.data)));
    require(salvage_agent(scratch_project(), SCRATCH_AGENT, 10, 5000, false, &done, &error) == 0);
    require(done.saved_to[0] == '\0' && done.held_back == 0); /* nothing was left to be done */
    scratch_require_sound(10);
  }
  buffer_fini(&report);
}

/* With right checksums an index may say anything: that keys are not there, that the log is another.
 * What it says of records is wrong then until it is removed; the log stays what it is. */
static void record_beside(struct recorder *recorder, unsigned file, unsigned how) {
  bool believed = file == INDEX && how & SUMMED;
  bool lies = believed &&
              (bytes.len < KEY_PAGES_AT || memcmp(bytes.data, real[INDEX].data, KEY_PAGES_AT) != 0);
  int32_t code = record(recorder, "a new key", how & MARKED);

  require(code == KAIZEN_RECORDED || lies);
  require(scratch_get(AGENT_LOG_FILE, &after));
  if (code == KAIZEN_RECORDED && !(how & WARM))
    scratch_require_appended(buffer_span(&log_before), buffer_span(&after));
  code = record(recorder, OLD_KEY, how & MARKED);
  require(code == KAIZEN_DUPLICATE || believed);
  require(scratch_get(AGENT_LOG_FILE, &after));
  require(memcmp(after.data, log_before.data, log_before.len) == 0);
  if (!lies)
    scratch_require_sound(10);
}

static struct recorder *start_again(struct recorder *recorder) {
  recorder_free(recorder);
  return scratch_recorder(false, 10, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, size};
  unsigned file = input_byte(&input) % FILES, how = input_byte(&input);
  struct recorder *recorder;

  put_real_files(how & LATER);
  recorder = scratch_recorder(false, 10, 0);
  if (how & WARM)
    require(record(recorder, "before", how & MARKED) == KAIZEN_RECORDED);
  if (how & PATCHED)
    patch(&input, &real[file]);
  else
    copy(&bytes, (struct span){(const char *)input.at, input.left});
  if (how & SUMMED)
    sum(file);
  scratch_put(names[file], buffer_span(&bytes));

  if (file == BELL)
    require_bell_harmless();
  record_beside(recorder, file, how);
  if (file == LETTERS || file == STATE)
    require_letters_readable();
  recorder = start_again(recorder);
  scratch_remove(CHECKPOINT_FILE);
  require(record(recorder, "another new key", how & MARKED) == KAIZEN_RECORDED);
  scratch_require_sound(10);
  require_verifiable(how & REPAIRED);
  recorder_free(recorder);
  if (how & REPAIRED) /* the log is another file now: real[INDEX] does not fit it */
    log_before.len = 0;
  return 0;
}

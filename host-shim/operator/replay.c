/* replay.c - JSON Lines from a file or a pipe into the plugin, batch by batch.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "operator/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/output.h"
#include "base/signals.h"
#include "base/time_text.h"

enum {
  BATCH_BYTES_MIN = 256,
  BATCH_SIZE_FIRST = 4, /* doubled as often */
  BUFFER_BYTES = BATCH_BYTES_MIN << (REPLAY_SIZES - 1),
  LINE_BYTES_MAX =
      16 * 1024 * 1024, /* the plugin already rejects much shorter lines; this only bounds memory */
  RETRIES_MAX = 5,
  SLICE_MS = 100 /* how soon a Ctrl-C ends a wait for input */
};
/* How long a call should take, and how long it may: the larger it is, the fewer commits per
 * agent. */
static const double BATCH_S = 0.2, BATCH_MAX_S = 2, PAYS = 1.2;

void replay_init(struct replay *replay, struct session *session) {
  memset(replay, 0, sizeof *replay);
  replay->session = session;
  replay->fd = -1;
}

static int open_buffer(struct replay *replay, struct problem *problem) {
  replay->batch = session_extension(replay->session, KAIZEN_BATCH_1, problem);
  if (!replay->batch)
    return -1;
  replay->room = BUFFER_BYTES;
  replay->batch_size = BATCH_SIZE_FIRST;
  replay->batch_bytes = BATCH_BYTES_MIN << BATCH_SIZE_FIRST;
  replay->batch_flags |= KAIZEN_BATCH_ANY_ORDER;
  replay->buffer = malloc(replay->room);
  replay->started_s = time_text_monotonic_s();
  return replay->buffer ? 0 : problem_no_memory(problem);
}

int replay_open(struct replay *replay, const char *file, struct problem *problem) {
  struct stat entry;

  if (open_buffer(replay, problem) < 0)
    return -1;
  if (file && *file == '\0')
    return problem_set(problem, EXIT_CODE_USAGE,
                       "replay: the name of the file is empty; give FILE, or - for standard input");
  replay->fd = !file || strcmp(file, "-") == 0 ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
  if (replay->fd < 0)
    return problem_set(problem, EXIT_CODE_FAILED, "%s: cannot open: %s", file, strerror(errno));
  if (fstat(replay->fd, &entry) == 0) {
    if (S_ISDIR(entry.st_mode))
      return problem_set(problem, EXIT_CODE_FAILED, "%s: is a folder", file ? file : "-");
    if (S_ISREG(entry.st_mode))
      replay->input_bytes = (uint64_t)entry.st_size;
  }
  return 0;
}

int replay_open_descriptor(struct replay *replay, int fd, struct problem *problem) {
  struct stat entry;

  replay->fd = fd;
  if (fstat(fd, &entry) == 0)
    replay->input_bytes = (uint64_t)entry.st_size;
  if (lseek(fd, 0, SEEK_SET) < 0)
    return problem_set(problem, EXIT_CODE_FAILED, "cannot read the input: %s", strerror(errno));
  return open_buffer(replay, problem);
}

void replay_close(struct replay *replay) {
  if (replay->fd > STDIN_FILENO)
    close(replay->fd);
  replay_rest_clear(&replay->rest);
  free(replay->buffer);
}

static uint64_t count_newlines(const char *text, size_t len) {
  uint64_t count = 0;
  const char *end = text + len;

  for (const char *at = text; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
    count++;
  return count;
}

/* Length of the whole lines in the buffer; at the end of the input the last one may lack its
 * newline. */
static size_t whole_lines(const struct replay *replay) {
  const char *last = memrchr(replay->buffer, '\n', replay->used);

  if (replay->ended)
    return replay->used;
  return last ? (size_t)(last - replay->buffer) + 1 : 0;
}

/* Waits for input in slices: a blocking read would miss a signal that came just before it.  `ready`
 * bytes of whole lines do not wait for a writer that pauses, nor for more than the next call
 * takes. */
static bool has_input(const struct replay *replay, size_t ready) {
  struct pollfd input = {.fd = replay->fd, .events = POLLIN};

  if (ready >= replay->batch_bytes)
    return false;
  while (signals_pending() == 0) {
    if (poll(&input, 1, SLICE_MS) > 0)
      return true;
    if (ready > 0)
      return false;
  }
  return false;
}

/* Reads until the buffer is full, the input ended or pauses after whole lines, or a signal
 * came. */
static int fill(struct replay *replay, struct problem *problem) {
  while (!replay->ended && replay->used < replay->room && has_input(replay, whole_lines(replay))) {
    ssize_t got = read(replay->fd, replay->buffer + replay->used, replay->room - replay->used);

    if (got < 0 && errno != EINTR && errno != EAGAIN)
      return problem_set(problem, EXIT_CODE_FAILED, "cannot read the input: %s", strerror(errno));
    replay->used += got > 0 ? (size_t)got : 0;
    replay->ended = got == 0;
  }
  return 0;
}

/* How many of `len` bytes of whole lines the next call gets: at least one line. */
static size_t batch_of(const struct replay *replay, size_t len) {
  if (len <= replay->batch_bytes)
    return len;
  const char *last = memrchr(replay->buffer, '\n', replay->batch_bytes);
  if (!last)
    last = memchr(replay->buffer + replay->batch_bytes, '\n', len - replay->batch_bytes);
  return last ? (size_t)(last - replay->buffer) + 1 : len;
}

/* During a call no progress is shown and no Ctrl-C is noticed, so calls are kept short.  But the
 * larger a call, the fewer commits per agent: a size that is faster is kept. */
static void fit_batch(struct replay *replay, size_t bytes, double took_s) {
  double *rates = replay->rates, rate = (double)bytes / (took_s > 1e-6 ? took_s : 1e-6);
  unsigned size = replay->batch_size;

  if (bytes < replay->batch_bytes / 2) /* the input pauses, or ends */
    return;
  rates[size] = rate;
  if (size + 1 < REPLAY_SIZES &&
      (took_s < BATCH_S ||
       (took_s < BATCH_MAX_S && (rates[size + 1] == 0 || rates[size + 1] > PAYS * rate))))
    replay->batch_size++;
  else if (size > 0 && took_s > BATCH_MAX_S && rate < PAYS * rates[size - 1])
    replay->batch_size--;
  replay->batch_bytes = BATCH_BYTES_MIN << replay->batch_size;
}

static int grow(struct replay *replay, struct problem *problem) {
  char *larger = replay->room < LINE_BYTES_MAX ? realloc(replay->buffer, replay->room * 2) : NULL;

  if (!larger)
    return problem_set(problem, EXIT_CODE_FAILED,
                       "line %" PRIu64
                       " has more than %zu bytes; to continue after it: --skip %" PRIu64,
                       replay->lines_done + 1, replay->room, replay->lines_done + 1);
  replay->buffer = larger;
  replay->room *= 2;
  return 0;
}

static void drop(struct replay *replay, size_t len) {
  bool partial = len > 0 && replay->buffer[len - 1] != '\n'; /* the input's last line */

  replay->lines_done += count_newlines(replay->buffer, len) + partial;
  replay->bytes_done += len;
  memmove(replay->buffer, replay->buffer + len, replay->used - len);
  replay->used -= len;
}

/* Bytes of the lines at the start of the buffer that --skip leaves out. */
static size_t skipped_bytes(struct replay *replay, size_t len) {
  size_t at = 0;

  while (at < len && replay->lines_to_skip > 0) {
    const char *newline = memchr(replay->buffer + at, '\n', len - at);

    at = newline ? (size_t)(newline - replay->buffer) + 1 : len;
    replay->lines_to_skip--;
  }
  return at;
}

static void take_refusal(void *ctx, uint64_t line, int32_t code, const char *reason) {
  struct replay *replay = ctx;
  uint64_t number = replay->given ? replay->given[line - 1] : replay->lines_done + line;

  if (code >= 0)
    return;
  if (code <= -64) { /* the line is not the cause: fail() reports it when it lasts */
    snprintf(replay->failure, sizeof replay->failure, "%s", reason ? reason : "");
    replay_rest_note(&replay->rest, number, code);
    return;
  }
  if (replay->refusal_count == REPLAY_REFUSALS_MAX)
    return;
  struct replay_refusal *refusal = &replay->refusals[replay->refusal_count++];
  refusal->line = number;
  refusal->code = code;
  snprintf(refusal->reason, sizeof refusal->reason, "%s", reason ? reason : "");
}

static void add_counts(struct replay *replay, const struct kaizen_batch_result *result) {
  replay->total.lines += result->lines;
  replay->total.recorded += result->recorded;
  replay->total.duplicates += result->duplicates;
  replay->total.rejected += result->rejected;
  replay->total.older_than_retention += result->older_than_retention;
}

/* Text for the operator: what to do after a failure that lasts. */
static void say_how_to_go_on(struct replay *replay, int32_t result, char text[256]) {
  struct replay_rest *rest = &replay->rest;
  char name[64];

  if (rest->count > 0 && rest->numbers[0] == replay->lines_done + 1 - rest->count) {
    replay->lines_done -= rest->count; /* they are the last ones: they count as not reached */
    rest->count = 0;
  }
  if (rest->count == 0) {
    snprintf(text, 256, "to continue: --skip %" PRIu64 "%s", replay->lines_done,
             problem_exit_code(result) == EXIT_CODE_UNKNOWN
                 ? ", and --derive-keys unless each line has its own key"
                 : "");
  } else if (!rest->no_memory && replay_rest_save(rest, name) == 0) {
    snprintf(text, 256,
             "%zu of them, from line %" PRIu64
             " on, are not recorded but saved as %s; to continue: replay that file, then this one "
             "with --skip %" PRIu64,
             rest->count, rest->numbers[0], name, replay->lines_done);
  } else {
    output_error("not recorded and not saved (%s): these lines",
                 rest->no_memory ? "out of memory" : strerror(errno));
    for (size_t i = 0; i < rest->count; i++)
      output_note("line %" PRIu64, rest->numbers[i]);
    snprintf(text, 256, "to continue: extract these lines by hand, then --skip %" PRIu64,
             replay->lines_done);
  }
}

static int fail(struct replay *replay, int32_t result, struct problem *problem) {
  const struct kaizen_plugin_v1 *plugin = replay->session->plugin.table;
  const char *name = plugin->code_name(result);
  char how[256];

  if (replay->failure[0] == '\0')
    plugin->last_error(replay->session->instance, replay->failure, sizeof replay->failure);
  say_how_to_go_on(replay, result, how);
  return problem_set(problem, problem_exit_code(result), "%" PRIu64 " line%s done, then %s%s%s; %s",
                     replay->lines_done, output_plural(replay->lines_done),
                     name ? name : "a failure", replay->failure[0] != '\0' ? ": " : "",
                     replay->failure, how);
}

/* Waits, longer each time; false when `attempt` is the last, or a signal came. */
static bool may_try_again(unsigned attempt) {
  const struct timespec pause = {.tv_sec = 0, .tv_nsec = 50000000L << (attempt < 4 ? attempt : 4)};

  if (attempt > RETRIES_MAX || signals_pending())
    return false;
  nanosleep(&pause, NULL);
  return true;
}

/* Repeats until all that was left out is recorded. */
static int record_rest(struct replay *replay, struct problem *problem) {
  for (unsigned attempt = 1; replay->rest.count > 0;) {
    struct replay_rest given = replay->rest;
    struct kaizen_batch_result batch = {.struct_size = sizeof batch};

    if (given.no_memory || !KAIZEN_MAY_RETRY(given.code, false) || !may_try_again(attempt))
      return fail(replay, given.code, problem);
    replay->rest = (struct replay_rest){.code = 0};
    replay->given = given.numbers;
    int32_t result =
        replay->batch->record(replay->session->instance, given.text, given.len, replay->exec_flags,
                              replay->batch_flags, take_refusal, replay, &batch);
    replay->given = NULL;
    add_counts(replay, &batch);
    if (result < 0 && replay->rest.code == 0)
      replay->rest.code = result;
    replay_rest_keep(&replay->rest, given.text, given.len, (size_t)batch.consumed, given.numbers,
                     0);
    attempt = replay->rest.count < given.count ? 1 : attempt + 1;
    replay_rest_clear(&given);
  }
  replay_rest_clear(&replay->rest);
  return 0;
}

/* Gives `len` bytes of whole lines to the plugin; what it left out for a transient reason is given
 * again. */
static int record_lines(struct replay *replay, size_t len, struct problem *problem) {
  for (unsigned attempt = 0; len > 0;) {
    struct kaizen_batch_result batch = {.struct_size = sizeof batch};
    int32_t result =
        replay->batch->record(replay->session->instance, replay->buffer, len, replay->exec_flags,
                              replay->batch_flags, take_refusal, replay, &batch);
    size_t consumed = batch.consumed < len ? (size_t)batch.consumed : len;

    if (result == KAIZEN_E_UNSUPPORTED && (replay->batch_flags & KAIZEN_BATCH_ANY_ORDER)) {
      replay->batch_flags &= ~(uint32_t)KAIZEN_BATCH_ANY_ORDER; /* an older plugin */
      continue;
    }
    add_counts(replay, &batch);
    if (replay->batch_flags & KAIZEN_BATCH_ANY_ORDER)
      replay_rest_keep(&replay->rest, replay->buffer, consumed, consumed, NULL,
                       replay->lines_done + 1);
    else
      replay_rest_clear(&replay->rest); /* what is left begins at `consumed` */
    drop(replay, consumed);
    len -= consumed;
    if (record_rest(replay, problem) < 0)
      return -1;
    attempt = consumed > 0 ? 0 : attempt + 1;
    if (consumed > 0)
      continue;
    if (result >= 0 || !KAIZEN_MAY_RETRY(result, false) || !may_try_again(attempt))
      return fail(replay, result, problem);
  }
  return 0;
}

static void show_progress(const struct replay *replay) {
  double elapsed_s = time_text_monotonic_s() - replay->started_s;
  double rate = elapsed_s > 0 ? (double)replay->lines_done / elapsed_s : 0;
  char bar[25] = "", left[TIME_TEXT_MAX];

  if (!output_is_animated())
    return;
  if (replay->input_bytes == 0) {
    output_progress("%" PRIu64 " lines, %.0f a second", replay->lines_done, rate);
    return;
  }
  double share = (double)replay->bytes_done / (double)replay->input_bytes;
  share = share > 1 ? 1 : share;
  for (size_t i = 0; i < sizeof bar - 1; i++)
    bar[i] = (double)i < share * (double)(sizeof bar - 1) ? '#' : '-';
  time_text_duration(share > 0 ? elapsed_s * (1 - share) / share : 0, left);
  output_progress("[%s] %3.0f%%  %" PRIu64 " lines, %.0f a second, %s left", bar, share * 100,
                  replay->lines_done, rate, left);
}

int replay_run(struct replay *replay, struct problem *problem) {
  do {
    if (fill(replay, problem) < 0)
      return -1;
    replay->interrupted = signals_pending();
    if (replay->interrupted != 0)
      break;
    size_t len = whole_lines(replay);
    if (len == 0 && replay->used == replay->room && grow(replay, problem) < 0)
      return -1;
    size_t skipped = skipped_bytes(replay, len);
    drop(replay, skipped);
    size_t given = batch_of(replay, len - skipped);
    double called_s = time_text_monotonic_s();
    if (record_lines(replay, given, problem) < 0)
      return -1;
    fit_batch(replay, given, time_text_monotonic_s() - called_s);
    show_progress(replay);
  } while (!(replay->ended && replay->used == 0));
  output_progress_end();
  return 0;
}

static void print_json(const struct replay *replay) {
  struct json_object *document = json_object_new_object();
  struct json_object *refusals = json_object_new_array();

  for (size_t i = 0; i < replay->refusal_count; i++) {
    const struct replay_refusal *refusal = &replay->refusals[i];
    const char *name = replay->session->plugin.table->code_name(refusal->code);
    struct json_object *entry = json_object_new_object();

    json_object_object_add(entry, "line", json_object_new_uint64(refusal->line));
    json_object_object_add(entry, "code", json_text_new_string(name ? name : "UNKNOWN"));
    json_object_object_add(entry, "reason", json_text_new_string(refusal->reason));
    json_object_array_add(refusals, entry);
  }
  json_object_object_add(document, "lines", json_object_new_uint64(replay->total.lines));
  json_object_object_add(document, "recorded", json_object_new_uint64(replay->total.recorded));
  json_object_object_add(document, "duplicates", json_object_new_uint64(replay->total.duplicates));
  json_object_object_add(document, "rejected", json_object_new_uint64(replay->total.rejected));
  json_object_object_add(document, "older_than_retention",
                         json_object_new_uint64(replay->total.older_than_retention));
  json_object_object_add(document, "first_refusals", refusals);
  json_object_object_add(document, "interrupted",
                         json_object_new_boolean(replay->interrupted != 0));
  json_object_object_add(document, "next_skip", json_object_new_uint64(replay->lines_done));
  output_json(document);
}

static void print_text(const struct replay *replay) {
  const struct kaizen_batch_result *total = &replay->total;

  printf("%" PRIu64 " line%s: %" PRIu64 " recorded, %" PRIu64 " duplicate%s, %" PRIu64 " rejected",
         total->lines, output_plural(total->lines), total->recorded, total->duplicates,
         output_plural(total->duplicates), total->rejected);
  if (total->older_than_retention > 0)
    printf(" (%" PRIu64 " older than the retention)", total->older_than_retention);
  putchar('\n');
  fflush(stdout);
  for (size_t i = 0; i < replay->refusal_count; i++)
    output_note("line %" PRIu64 ": %s", replay->refusals[i].line, replay->refusals[i].reason);
  if (total->rejected > replay->refusal_count)
    output_note("... and %" PRIu64 " more", total->rejected - replay->refusal_count);
}

int replay_report(const struct replay *replay) {
  if (output_is_json())
    print_json(replay);
  else
    print_text(replay);
  if (replay->interrupted != 0) {
    output_error("interrupted; to continue: --skip %" PRIu64, replay->lines_done);
    return EXIT_CODE_SIGNALLED + replay->interrupted;
  }
  /* Lines that are only too old are lines that retention would have removed from the log. */
  return replay->total.rejected > replay->total.older_than_retention ? EXIT_CODE_REJECTED
                                                                     : EXIT_CODE_OK;
}

/* hook_usage.c - what a turn used, from the transcript that the payload names.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/time_text.h"
#include "hooks/hook_log.h"
#include "host/report_text.h"
#include "usage/transcript_format.h"

/* How long to wait for an answer that the host still writes while it already calls the hook. */
static const double SETTLE_S = 0.15;
enum { SETTLE_STEP_NS = 5 * 1000 * 1000 };

static const char MAGIC[8] = {'K', 'Z', 'P', 'L', 'A', 'C', 'E', '3'};
static const uint8_t no_key[HOOK_FINGERPRINT_KEY_BYTES];

struct place { /* in one transcript, as stored in the state folder */
  char magic[8];
  uint64_t checksum;   /* of everything after it */
  uint64_t turn;       /* fingerprint of the host's own name of the turn that began at `begin`, or
                        * 0 */
  uint64_t begin, end; /* of the last turn that began, of the last one that ended */
  uint64_t ended;      /* fingerprint of the key of the last turn that ended, or 0 */
  uint64_t file;       /* fingerprint of the file's device and number; 0: it was not there */
  int64_t since_ns; /* the time of the begin when the file was not there: a fork's is copied then */
  int64_t begin_tokens, end_tokens; /* the session's total there, where the host counts it */
  uint8_t is_open;                  /* a turn began, and has not ended */
  uint8_t reserved[7];
};

static uint64_t checksum_of(const struct place *place) {
  size_t skip = offsetof(struct place, turn);

  return hook_fingerprint(no_key, (const char *)place + skip, sizeof *place - skip);
}

static uint64_t mark_of(const struct hook_state *state, const char *text) {
  return *text != '\0' ? hook_state_mark(state, text, strlen(text)) : 0;
}

static int64_t wall_ns(void) {
  struct timespec now;

  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static uint64_t file_mark(const struct stat *entry) {
  const uint64_t name[2] = {(uint64_t)entry->st_dev, (uint64_t)entry->st_ino};

  return hook_fingerprint(no_key, name, sizeof name);
}

/* The file of the place; *known: it held a valid one. */
static int open_place(const struct hook_state *state, const char *path, struct place *place,
                      bool *known) {
  char name[48];

  snprintf(name, sizeof name, "turns/%016llx.usage", (unsigned long long)mark_of(state, path));
  int fd = hook_state_file(state, name, O_RDWR | O_CREAT);
  *known = fd >= 0 && pread(fd, place, sizeof *place, 0) == (ssize_t)sizeof *place &&
           memcmp(place->magic, MAGIC, sizeof MAGIC) == 0 && place->checksum == checksum_of(place);
  if (!*known)
    *place = (struct place){.begin_tokens = USAGE_NOT_SAID, .end_tokens = USAGE_NOT_SAID};
  return fd;
}

static void close_place(int fd, struct place *place) {
  memcpy(place->magic, MAGIC, sizeof MAGIC);
  place->checksum = checksum_of(place);
  if (fd < 0)
    return;
  if (pwrite(fd, place, sizeof *place, 0) != (ssize_t)sizeof *place)
    hook_log("cannot store where the turn begins in the transcript");
  close(fd);
}

static const char *path_of(const struct hook_event *event, const char *member) {
  const char *path = report_text_string(event->payload, member, NULL);

  return path && *path == '/' ? path : NULL;
}

/* A subagent's run has a transcript of its own, which begins with it. */
void hook_usage_begin(const struct hook_state *state, const struct hook_event *event) {
  const char *path = path_of(event, "transcript_path");
  struct place place;
  struct stat entry;
  bool known;

  if (!state || !path || event->kind != HOOK_TURN_START || event->agent_id[0] != '\0' ||
      !transcript_format_find(event->host->family))
    return;
  int fd = open_place(state, path, &place, &known);
  uint64_t turn = mark_of(state, event->turn);
  if (!known || !place.is_open || turn == 0 || turn != place.turn) {
    place.turn = turn;
    bool is_there = stat(path, &entry) == 0;

    place.begin = is_there ? (uint64_t)entry.st_size : 0;
    place.file = is_there ? file_mark(&entry) : 0;
    place.since_ns = is_there ? 0 : wall_ns();
    place.begin_tokens = place.begin == place.end ? place.end_tokens : USAGE_NOT_SAID;
    place.is_open = 1;
  }
  close_place(fd, &place);
}

/* Where the turn that ends began; false: only the transcript can show it. */
static bool find_begin(struct place *place, bool known, bool is_agents, uint64_t key) {
  bool is_again = known && key != 0 && key == place->ended;

  if (is_again || (known && place->is_open))
    return true;
  if (!known && !is_agents)
    return false;
  /* without a start it began where the one before it ended */
  place->begin = known ? place->end : 0;
  place->begin_tokens = place->end_tokens;
  return true;
}

static bool has_answer(const struct transcript *transcript) {
  return transcript->last_step == TRANSCRIPT_ANSWER ||
         transcript->last_step == TRANSCRIPT_COMPLETED;
}

/* Reads what is there, and waits a moment for an answer that is still being written.  0, or -1:
 * it was not read to its end. */
static int read_part(struct transcript *transcript, bool wants_answer, double deadline_s) {
  double settled_s = time_text_monotonic_s() + SETTLE_S;
  const struct timespec step = {.tv_nsec = SETTLE_STEP_NS};

  for (;;) {
    if (transcript_read(transcript, deadline_s) != 0)
      return -1;
    if (!wants_answer || has_answer(transcript) ||
        time_text_monotonic_s() >= (settled_s < deadline_s ? settled_s : deadline_s))
      break;
    nanosleep(&step, NULL);
  }
  transcript_end(transcript);
  return transcript->usage.is_partial || (wants_answer && !has_answer(transcript)) ? -1 : 0;
}

/* The last prompt in the file begins the turn that ends, when the start was not seen; under the
 * host's own name of the turn, where both have one. */
struct search {
  struct transcript *transcript;
  const char *turn;
  bool is_found;
};

static void find_prompt(void *ctx, const struct transcript_line *line) {
  struct search *search = ctx;

  if (line->step != TRANSCRIPT_PROMPT)
    return;
  usage_clear(&search->transcript->usage);
  search->is_found =
      search->turn[0] == '\0' || line->turn[0] == '\0' || strcmp(search->turn, line->turn) == 0;
}

/* The host has put another file in its place, or has begun it again: places in it mean nothing. */
static bool is_rewritten(const struct transcript *transcript, const struct place *place) {
  struct stat entry;

  return fstat(transcript->fd, &entry) == 0 &&
         ((uint64_t)entry.st_size < place->begin ||
          (place->begin > 0 && place->file != 0 && place->file != file_mark(&entry)));
}

static void take_usage(struct transcript *transcript, struct usage *usage) {
  *usage = transcript->usage;
  transcript->usage = (struct usage){.calls = NULL};
}

/* Reads the turn from where it began, or all of the file where that is not known or has changed. */
static void read_turn(struct transcript *transcript, const struct hook_event *event,
                      struct place *place, bool is_found, double deadline_s, struct usage *usage) {
  bool is_agents = event->kind == HOOK_AGENT_END;
  bool wants_answer = event->outcome == HOOK_COMPLETED || event->outcome == HOOK_UNKNOWN;
  struct search search = {
      .transcript = transcript,
      .turn = event->turn,
      .is_found = is_found && !is_rewritten(transcript, place),
  };
  bool searches = !search.is_found && !is_agents;

  if (!search.is_found)
    *place = (struct place){.begin_tokens = USAGE_NOT_SAID, .end_tokens = USAGE_NOT_SAID};
  transcript->is_agents_own = is_agents;
  transcript->at = place->begin;
  transcript->total_tokens = place->begin_tokens;
  transcript->since_ns = place->begin == 0 ? place->since_ns : 0;
  transcript->each = searches ? find_prompt : NULL;
  transcript->ctx = &search;
  if (read_part(transcript, wants_answer, deadline_s) < 0)
    hook_log("%s: the transcript was not complete in time; usage unknown", event->name);
  else if (!search.is_found)
    hook_log("%s: the turn's start was not seen; usage unknown", event->name);
  else
    take_usage(transcript, usage);
  transcript->each = NULL; /* the search ends with this function */
  transcript->ctx = NULL;
}

void hook_usage_end(const struct hook_state *state, const struct hook_event *event, const char *key,
                    double deadline_s, struct usage *usage) {
  const struct transcript_format *format = transcript_format_find(event->host->family);
  bool is_agents = event->kind == HOOK_AGENT_END, known;
  const char *path = path_of(event, is_agents ? "agent_transcript_path" : "transcript_path");
  struct transcript transcript = {.fd = -1};
  struct problem problem;
  struct place place;
  struct stat entry;

  *usage = (struct usage){.calls = NULL};
  if (!state || !format || !path)
    return;
  int fd = open_place(state, path, &place, &known);
  uint64_t ended = mark_of(state, key);
  bool is_found = find_begin(&place, known, is_agents, ended);
  if (transcript_open(&transcript, format, path, &problem) < 0) {
    hook_log("%s: cannot use the transcript; usage unknown", event->name);
  } else {
    read_turn(&transcript, event, &place, is_found, deadline_s, usage);
    place.file = fstat(transcript.fd, &entry) == 0 ? file_mark(&entry) : 0;
    place.end = transcript.at;
    place.end_tokens = transcript.total_tokens;
    place.ended = ended;
    place.is_open = 0;
  }
  transcript_close(&transcript);
  close_place(fd, &place);
}

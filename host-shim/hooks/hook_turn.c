/* hook_turn.c - which turn of a session an event belongs to, and when that turn began.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_turn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/lock_wait.h"

enum { ENDED_MAX = 256 };
static const int64_t LOCK_WAIT_NS = 200000000;
static const char MAGIC[8] = {'K', 'Z', 'T', 'U', 'R', 'N', '1', '\n'};
static const double ELAPSED_MAX_S = 30.0 * 86400;

struct ended_turn {
  char name[HOOK_TURN_NAME_MAX];
  uint64_t asked, answered;
};

struct turn_file { /* as it lies on disk; another layout gets another magic */
  char magic[8];
  uint64_t checksum; /* of everything behind it */
  uint64_t boot;     /* mark of the boot id: the clock below counts from there */
  int64_t started_ns;
  uint64_t asked;
  char name[HOOK_TURN_NAME_MAX]; /* of the open turn */
  uint32_t series, next;         /* names made here: SERIES.NEXT */
  uint32_t ended_count, ended_next;
  uint8_t is_open, is_resumed, has_starts, reserved[5];
  struct ended_turn ended[ENDED_MAX]; /* a ring */
};

static const uint8_t no_key[HOOK_FINGERPRINT_KEY_BYTES];

static uint64_t checksum(const struct turn_file *file) {
  size_t skip = offsetof(struct turn_file, boot);

  return hook_fingerprint(no_key, (const char *)file + skip, sizeof *file - skip);
}

static uint64_t boot_mark(void) {
  char id[64];
  int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    return 0;
  ssize_t got = read(fd, id, sizeof id);
  close(fd);
  return got > 0 ? hook_fingerprint(no_key, id, (size_t)got) : 0;
}

static int64_t clock_ns(clockid_t id) {
  struct timespec now;

  clock_gettime(id, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Counts on while the machine sleeps, and is not set by anybody. */
static int64_t boot_time_ns(void) {
  return clock_ns(CLOCK_BOOTTIME);
}

static void lane_name(const struct hook_state *state, const struct hook_turn_lane *lane,
                      char name[32]) {
  char text[512];
  int len = snprintf(text, sizeof text, "%s%c%s%c%s", lane->host, 0, lane->session, 0,
                     lane->agent ? lane->agent : "");
  size_t used = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
  snprintf(name, 32, "turns/%016llx", (unsigned long long)hook_state_mark(state, text, used));
}

static void start_afresh(struct turn_file *file) {
  memset(file, 0, sizeof *file);
  memcpy(file->magic, MAGIC, sizeof MAGIC);
  /* A file that was lost must not bring back names that stand in a log already. */
  if (getrandom(&file->series, sizeof file->series, 0) != (ssize_t)sizeof file->series)
    file->series = (uint32_t)boot_time_ns();
}

static bool is_sound(const struct turn_file *file, ssize_t got) {
  return got == (ssize_t)sizeof *file && memcmp(file->magic, MAGIC, sizeof MAGIC) == 0 &&
         file->checksum == checksum(file) && file->ended_count <= ENDED_MAX &&
         file->ended_next < ENDED_MAX;
}

/* The lane's file, locked and read; a damaged one counts as empty. -1 when there is none to be
 * had. */
static int open_lane(const struct hook_state *state, const struct hook_turn_lane *lane,
                     struct turn_file *file) {
  char name[32];
  lane_name(state, lane, name);
  int fd = hook_state_file(state, name, O_RDWR | O_CREAT);
  if (fd < 0)
    return -1;
  if (lock_wait_take(fd, LOCK_EX, clock_ns(CLOCK_MONOTONIC) + LOCK_WAIT_NS) != 0) {
    close(fd);
    return -1;
  }
  if (!is_sound(file, pread(fd, file, sizeof *file, 0)))
    start_afresh(file);
  return fd;
}

static int close_lane(int fd, struct turn_file *file) {
  file->checksum = checksum(file);
  int result = pwrite(fd, file, sizeof *file, 0) == (ssize_t)sizeof *file ? 0 : -1;
  close(fd);
  return result;
}

static bool is_session_resumed(const struct hook_state *state, const struct hook_turn_lane *lane) {
  const struct hook_turn_lane session = {.host = lane->host, .session = lane->session};
  struct turn_file file;
  char name[32];

  lane_name(state, &session, name);
  int fd = hook_state_file(state, name, O_RDONLY);
  if (fd < 0)
    return false;
  bool sound = is_sound(&file, pread(fd, &file, sizeof file, 0));
  close(fd);
  return sound && file.is_resumed;
}

static void make_name(struct turn_file *file, const struct hook_turn_lane *lane, const char *given,
                      char name[HOOK_TURN_NAME_MAX]) {
  file->next++;
  if (given && strlen(given) < HOOK_TURN_NAME_MAX)
    snprintf(name, HOOK_TURN_NAME_MAX, "%s", given);
  else if (lane->runs_once && file->next == 1)
    snprintf(name, HOOK_TURN_NAME_MAX, "%s", HOOK_TURN_ONLY);
  else
    snprintf(name, HOOK_TURN_NAME_MAX, "%08x.%u", file->series, file->next);
}

int hook_turn_start(const struct hook_state *state, const struct hook_turn_lane *lane,
                    uint64_t asked, const char *name) {
  struct turn_file file;
  int fd = open_lane(state, lane, &file);
  if (fd < 0)
    return -1;
  make_name(&file, lane, name, file.name);
  file.asked = asked;
  file.boot = boot_mark();
  file.started_ns = boot_time_ns();
  file.is_open = 1;
  file.has_starts = 1;
  return close_lane(fd, &file);
}

int hook_turn_resume(const struct hook_state *state, const struct hook_turn_lane *lane) {
  struct turn_file file;
  int fd = open_lane(state, lane, &file);

  if (fd < 0)
    return -1;
  file.is_resumed = file.ended_count > 0;
  file.is_open = 0; /* whatever was open ended with the process */
  return close_lane(fd, &file);
}

static const struct ended_turn *last_ended(const struct turn_file *file) {
  return file->ended_count > 0 ? &file->ended[(file->ended_next + ENDED_MAX - 1) % ENDED_MAX]
                               : NULL;
}

/* A turn that ended with this answer to this question, or to any. */
static const struct ended_turn *find_ended(const struct turn_file *file, const uint64_t *asked,
                                           uint64_t answered) {
  for (uint32_t i = 0; i < file->ended_count; i++) {
    const struct ended_turn *turn = &file->ended[i];

    if (turn->answered == answered && (!asked || turn->asked == *asked))
      return turn;
  }
  return NULL;
}

static void add_ended(struct turn_file *file, const char *name, uint64_t asked, uint64_t answered) {
  struct ended_turn *turn = &file->ended[file->ended_next];

  memset(turn, 0, sizeof *turn);
  snprintf(turn->name, sizeof turn->name, "%s", name);
  turn->asked = asked;
  turn->answered = answered;
  file->ended_next = (file->ended_next + 1) % ENDED_MAX;
  file->ended_count += file->ended_count < ENDED_MAX;
}

static double elapsed_s(const struct turn_file *file) {
  double elapsed = (double)(boot_time_ns() - file->started_ns) / 1e9;

  return file->boot == boot_mark() && elapsed > 0 && elapsed < ELAPSED_MAX_S ? elapsed : 0;
}

/* The turn that ended before and is told of again, or NULL: this is a new one. */
static const struct ended_turn *find_repeated(const struct turn_file *file,
                                              const struct hook_turn_end *end, bool is_resumed) {
  const struct ended_turn *last = last_ended(file);
  if (file->is_open)
    return is_resumed && end->answered != 0 ? find_ended(file, &file->asked, end->answered) : NULL;
  if (!last)
    return NULL;
  if (end->is_continued)
    return last;
  if (end->answered != 0)
    return is_resumed                        ? find_ended(file, NULL, end->answered)
           : last->answered == end->answered ? last
                                             : NULL;
  return file->has_starts ? last : NULL; /* a new turn would have had a start */
}

static void take_end(struct turn_file *file, const struct hook_turn_lane *lane,
                     struct hook_turn_end *end, bool is_resumed) {
  const struct ended_turn *repeated = find_repeated(file, end, is_resumed);
  if (file->is_open)
    end->elapsed_s = elapsed_s(file);
  if (repeated) {
    snprintf(end->name, sizeof end->name, "%s", repeated->name);
  } else {
    if (file->is_open)
      snprintf(end->name, sizeof end->name, "%s", file->name);
    else
      make_name(file, lane, end->own_name, end->name);
    add_ended(file, end->name, file->is_open ? file->asked : 0, end->answered);
    file->is_resumed = 0; /* from here on the session is past what it had done before */
  }
  file->is_open = 0;
}

int hook_turn_end(const struct hook_state *state, const struct hook_turn_lane *lane,
                  struct hook_turn_end *end) {
  struct turn_file file;
  end->name[0] = '\0';
  end->elapsed_s = 0;
  int fd = open_lane(state, lane, &file);
  if (fd < 0)
    return -1;
  bool is_resumed = file.is_resumed || (lane->agent && is_session_resumed(state, lane));
  take_end(&file, lane, end, is_resumed);
  return close_lane(fd, &file);
}

double hook_turn_take_start(const struct hook_state *state, const struct hook_turn_lane *lane,
                            uint64_t asked) {
  struct turn_file file;
  double elapsed = 0;
  int fd = open_lane(state, lane, &file);
  if (fd < 0)
    return 0;
  if (file.is_open && file.asked == asked) {
    elapsed = elapsed_s(&file);
    file.is_open = 0;
  }
  close_lane(fd, &file);
  return elapsed;
}

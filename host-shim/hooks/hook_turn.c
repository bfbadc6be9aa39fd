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
static const char MAGIC[8] = {'K', 'Z', 'T', 'U', 'R', 'N', '2', '\n'};
static const double ELAPSED_MAX_S = 30.0 * 86400;

struct open_turn {
  int64_t started_ns; /* 0: only an error was reported */
  uint64_t asked, id; /* fingerprints, or 0 */
  char name[HOOK_ID_MAX + 1];
  char error[HOOK_WORD_MAX + 1];
  uint8_t is_named; /* by the host's own id or time */
  uint8_t reserved[5];
};

struct ended_turn {
  char name[HOOK_TURN_NAME_MAX];
  uint64_t asked, answered;
};

struct turn_file { /* the layout on disk; a new layout gets a new magic */
  char magic[8];
  uint64_t checksum;     /* of everything after it */
  uint64_t boot;         /* fingerprint of the boot id: the clocks below count from that boot */
  uint64_t last_id;      /* of the turn in which a subagent last ran */
  uint32_t series, next; /* names made here: SERIES.NEXT */
  uint32_t runs;         /* of a subagent in that turn */
  uint32_t ended_count, ended_next;
  uint8_t open_count, is_resumed, has_starts,
      is_mixed; /* mixed: it is unknown which start belongs to which end */
  char agent_name[HOOK_TEXT_MAX + 1];
  uint8_t reserved[7];
  struct open_turn open[HOOK_TURN_OPEN_MAX]; /* the oldest first */
  struct ended_turn ended[ENDED_MAX];        /* a ring */
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

/* Continues while the machine sleeps, and nobody can set it. */
static int64_t boot_time_ns(void) {
  return clock_ns(CLOCK_BOOTTIME);
}

static void lane_name(const struct hook_state *state, const struct hook_turn_lane *lane,
                      char name[32]) {
  char text[512];
  int len = snprintf(text, sizeof text, "%s%c%s%c%s", lane->host, 0, lane->session, 0,
                     lane->agent ? lane->agent : "");
  size_t used = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
  snprintf(name, 32, HOOK_STATE_TURNS "/%016llx",
           (unsigned long long)hook_state_mark(state, text, used));
}

static void start_afresh(struct turn_file *file) {
  memset(file, 0, sizeof *file);
  memcpy(file->magic, MAGIC, sizeof MAGIC);
  /* After a file was lost, names that are in a log already must not come again. */
  if (getrandom(&file->series, sizeof file->series, 0) != (ssize_t)sizeof file->series)
    file->series = (uint32_t)boot_time_ns();
}

static bool is_sound(const struct turn_file *file, ssize_t got) {
  return got == (ssize_t)sizeof *file && memcmp(file->magic, MAGIC, sizeof MAGIC) == 0 &&
         file->checksum == checksum(file) && file->ended_count <= ENDED_MAX &&
         file->ended_next < ENDED_MAX && file->open_count <= HOOK_TURN_OPEN_MAX;
}

/* The lane's file, locked and read; a damaged one counts as empty. -1 when there is none. */
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

static uint64_t text_mark(const struct hook_state *state, const char *text) {
  return text && *text != '\0' ? hook_state_mark(state, text, strlen(text)) : 0;
}

/* Makes a name for a turn that has none of its own. */
static void make_name(struct turn_file *file, const char *stamp, char name[HOOK_TURN_NAME_MAX]) {
  file->next++;
  if (stamp && strlen(stamp) < HOOK_TURN_NAME_MAX)
    snprintf(name, HOOK_TURN_NAME_MAX, "%s", stamp);
  else
    snprintf(name, HOOK_TURN_NAME_MAX, "%08x.%u", file->series, file->next);
}

/* A subagent usually runs once per turn: then its id and the turn's are enough. */
static void name_run(struct turn_file *file, uint64_t turn, char name[HOOK_TURN_NAME_MAX]) {
  file->runs = file->last_id == turn ? file->runs + 1 : 1;
  file->last_id = turn;
  if (file->runs == 1)
    snprintf(name, HOOK_TURN_NAME_MAX, "%s", HOOK_TURN_ONLY);
  else
    make_name(file, NULL, name);
}

/* ---- turns that are open --------------------------------------------------------------------- */

static void drop_open(struct turn_file *file, size_t i) {
  memmove(&file->open[i], &file->open[i + 1], (file->open_count - i - 1) * sizeof file->open[0]);
  file->open_count--;
  file->is_mixed = file->is_mixed && file->open_count > 0;
}

static struct open_turn *add_open(struct turn_file *file) {
  if (file->open_count == HOOK_TURN_OPEN_MAX)
    drop_open(file, 0);
  struct open_turn *turn = &file->open[file->open_count++];
  memset(turn, 0, sizeof *turn);
  return turn;
}

static void lose_open(struct turn_file *file, enum hook_unheard unheard,
                      struct hook_turn_losses *losses) {
  for (size_t i = 0; i < file->open_count; i++) {
    const struct open_turn *turn = &file->open[i];
    bool has_failed = unheard == HOOK_UNHEARD_FAILURE ||
                      (unheard == HOOK_UNHEARD_ERROR && turn->error[0] != '\0');
    if (!has_failed)
      continue;
    struct hook_turn_lost *lost = &losses->turns[losses->count++];
    snprintf(lost->name, sizeof lost->name, "%s", turn->name);
    snprintf(lost->error, sizeof lost->error, "%s", turn->error);
  }
  file->open_count = 0;
  file->is_mixed = 0;
}

/* Is it the same start, reported by another configuration?  By its id, its exact moment, or what
 * was asked. */
static bool is_open(const struct turn_file *file, const struct hook_turn_start *start,
                    uint64_t id) {
  for (size_t i = 0; i < file->open_count; i++) {
    const struct open_turn *turn = &file->open[i];
    bool is_same = turn->id != 0 || id != 0 ? turn->id == id
                   : turn->is_named && start->stamp
                       ? strcmp(turn->name, start->stamp) == 0
                       : start->may_overlap && start->asked != 0 && turn->asked == start->asked;

    if (is_same)
      return true;
  }
  return false;
}

static void start_turn(struct turn_file *file, const struct hook_turn_start *start, uint64_t id) {
  char made[HOOK_TURN_NAME_MAX];
  const char *name = start->id ? start->id : start->stamp;
  struct open_turn *turn = add_open(file);
  uint64_t boot = boot_mark();

  if (!name)
    make_name(file, NULL, made);
  snprintf(turn->name, sizeof turn->name, "%s", name ? name : made);
  turn->is_named = name != NULL;
  turn->id = id;
  turn->asked = start->asked;
  turn->started_ns = boot_time_ns();
  for (size_t i = 0; file->boot != boot && i < file->open_count; i++)
    if (&file->open[i] != turn)
      file->open[i].started_ns = 0;
  file->boot = boot;
  file->has_starts = 1;
  file->is_mixed = file->is_mixed || (file->open_count > 1 && id == 0);
  snprintf(file->agent_name, sizeof file->agent_name, "%s", start->agent_name);
}

int hook_turn_begin(const struct hook_state *state, const struct hook_turn_lane *lane,
                    const struct hook_turn_start *start, enum hook_unheard unheard,
                    struct hook_turn_losses *losses) {
  struct turn_file file;
  uint64_t id = text_mark(state, start->id);
  losses->count = 0;
  int fd = open_lane(state, lane, &file);
  if (fd < 0)
    return -1;
  bool goes_on = (start->is_blank && file.open_count > 0) || is_open(&file, start, id);
  if (!goes_on) {
    if (unheard != HOOK_UNHEARD_NOTHING || !start->may_overlap)
      lose_open(&file, unheard, losses);
    start_turn(&file, start, id);
  }
  return close_lane(fd, &file);
}

int hook_turn_close(const struct hook_state *state, const struct hook_turn_lane *lane,
                    enum hook_unheard unheard, struct hook_turn_losses *losses) {
  struct turn_file file;
  losses->count = 0;
  int fd = open_lane(state, lane, &file);
  if (fd < 0)
    return -1;
  lose_open(&file, unheard, losses);
  return close_lane(fd, &file);
}

int hook_turn_note_error(const struct hook_state *state, const struct hook_turn_lane *lane,
                         const char *error, const char *stamp) {
  struct turn_file file;
  int fd = open_lane(state, lane, &file);

  if (fd < 0)
    return -1;
  /* Where starts are not reported, the error is the first sign of the turn. */
  if (file.open_count == 0 && !file.has_starts) {
    struct open_turn *turn = add_open(&file);
    char name[HOOK_TURN_NAME_MAX];

    make_name(&file, stamp, name);
    snprintf(turn->name, sizeof turn->name, "%s", name);
  }
  if (file.open_count > 0) {
    struct open_turn *turn = &file.open[file.open_count - 1];

    snprintf(turn->error, sizeof turn->error, "%s", *error != '\0' ? error : "unknown");
  }
  return close_lane(fd, &file);
}

int hook_turn_resume(const struct hook_state *state, const struct hook_turn_lane *lane) {
  struct turn_file file;
  int fd = open_lane(state, lane, &file);

  if (fd < 0)
    return -1;
  file.is_resumed = file.ended_count > 0;
  file.open_count = 0; /* everything open ended with the process */
  file.is_mixed = 0;
  return close_lane(fd, &file);
}

/* ---- turns that ended ------------------------------------------------------------------------ */

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

static bool has_ended(const struct turn_file *file, const char *name) {
  for (uint32_t i = 0; i < file->ended_count; i++)
    if (strcmp(file->ended[i].name, name) == 0)
      return true;
  return false;
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

static double elapsed_s(const struct turn_file *file, const struct open_turn *turn) {
  double elapsed = (double)(boot_time_ns() - turn->started_ns) / 1e9;

  return turn->started_ns != 0 && !file->is_mixed && file->boot == boot_mark() && elapsed > 0 &&
                 elapsed < ELAPSED_MAX_S
             ? elapsed
             : 0;
}

/* The turn that ended before and is reported again, or NULL: this is a new one. */
static const struct ended_turn *find_repeated(const struct turn_file *file,
                                              const struct open_turn *open,
                                              const struct hook_turn_end *end, uint64_t id,
                                              bool is_resumed) {
  const struct ended_turn *last = last_ended(file);
  if (open && file->is_mixed)
    return last && end->answered != 0 && last->answered == end->answered ? last : NULL;
  if (open)
    return is_resumed && end->answered != 0 ? find_ended(file, &open->asked, end->answered) : NULL;
  if (!last)
    return NULL;
  if (end->is_continued || (id != 0 && id == file->last_id))
    return last;
  if (end->answered != 0 && is_resumed)
    return find_ended(file, NULL, end->answered);
  if (end->answered != 0 && last->answered != 0)
    return last->answered == end->answered ? last : NULL;
  return file->has_starts ? last : NULL; /* a new turn would have had a start */
}

static void take_end(struct turn_file *file, const struct hook_turn_lane *lane,
                     struct hook_turn_end *end, uint64_t id, bool is_resumed) {
  const struct open_turn *open = file->open_count > 0 ? &file->open[0] : NULL;
  const struct ended_turn *repeated = find_repeated(file, open, end, id, is_resumed);
  if (open)
    end->elapsed_s = elapsed_s(file, open);
  if (repeated) {
    snprintf(end->name, sizeof end->name, "%s", repeated->name);
  } else {
    if (lane->runs_once)
      name_run(file, id, end->name);
    else if (open && (!end->stamp || has_ended(file, end->stamp)) &&
             strlen(open->name) < sizeof end->name)
      snprintf(end->name, sizeof end->name, "%s", open->name);
    else
      make_name(file, end->stamp, end->name);
    add_ended(file, end->name, open ? open->asked : 0, end->answered);
    file->is_resumed = 0; /* from here on the session no longer repeats what it did before */
  }
  if (open && !(repeated && file->is_mixed))
    drop_open(file, 0);
  snprintf(end->agent_name, sizeof end->agent_name, "%s", file->agent_name);
}

int hook_turn_finish(const struct hook_state *state, const struct hook_turn_lane *lane,
                     struct hook_turn_end *end) {
  struct turn_file file;
  end->name[0] = '\0';
  end->agent_name[0] = '\0';
  end->elapsed_s = 0;
  int fd = open_lane(state, lane, &file);
  if (fd < 0)
    return -1;
  bool is_resumed = file.is_resumed || (lane->agent && is_session_resumed(state, lane));
  take_end(&file, lane, end, text_mark(state, end->id), is_resumed);
  return close_lane(fd, &file);
}

double hook_turn_take_start(const struct hook_state *state, const struct hook_turn_lane *lane,
                            const char *id) {
  struct turn_file file;
  double elapsed = 0;
  uint64_t mark = text_mark(state, id);
  int fd = open_lane(state, lane, &file);
  if (fd < 0)
    return 0;
  for (size_t i = 0; i < file.open_count; i++)
    if (!id || file.open[i].id == mark) {
      elapsed = elapsed_s(&file, &file.open[i]);
      drop_open(&file, i);
      break;
    }
  close_lane(fd, &file);
  return elapsed;
}

/* doorbell.c - how the process that publishes learns what others committed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/doorbell.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/directory.h"
#include "record/agent_name.h"

#define DOORBELL_FILE ".doorbell"
#define FULL_BYTES                                                                                 \
  (64 << 10) /* nobody listens, or the listener is about to cut it: it will look at every agent */
#define KEEP_PERCENT 75 /* the rest is for recorders */
#define LOOK_AGAIN_NS INT64_C(1000000000)
#define TRUST_LOOK_NS INT64_C(1000000) /* so that a burst pays for one look */

void doorbell_button_init(struct doorbell_button *button) {
  *button = (struct doorbell_button){.fd = -1};
}

void doorbell_button_close(struct doorbell_button *button) {
  if (button->kept)
    descriptors_release(1);
  if (button->fd >= 0)
    (void)close(button->fd);
  doorbell_button_init(button);
}

/* True when it can be rung: it is there, and not full. */
static bool find_bell(struct doorbell_button *button, const struct project *project) {
  int64_t now_ns = clock_monotonic_ns();
  bool named = button->fd >= 0 && now_ns < button->opened_ns + LOOK_AGAIN_NS;
  struct stat status;

  if (named && now_ns < button->looked_ns + TRUST_LOOK_NS && button->size < FULL_BYTES)
    return true;
  if (!named || fstat(button->fd, &status) != 0 || status.st_nlink == 0) {
    doorbell_button_close(button);
    button->opened_ns = now_ns;
    if (directory_open_file(project->root_fd, ".kaizen/metrics/" DOORBELL_FILE,
                            O_WRONLY | O_APPEND | O_CREAT, &button->fd, NULL) != 0 ||
        fstat(button->fd, &status) != 0)
      return false;
  }
  button->looked_ns = now_ns;
  button->size = (uint64_t)status.st_size;
  return button->size < FULL_BYTES;
}

void doorbell_ring(struct doorbell_button *button, const struct project *project,
                   const char *agent) {
  char text[AGENT_NAME_MAX + 2];
  size_t len = strlen(agent);
  int saved_errno = errno;

  if (len > AGENT_NAME_MAX)
    return;
  if (find_bell(button, project)) {
    memcpy(text, agent, len);
    text[len] = '\n';
    (void)!write(button->fd, text, len + 1);
    button->size += len + 1;
  }
  if (button->fd >= 0 && !button->kept)
    button->kept = descriptors_keep(1, KEEP_PERCENT);
  if (!button->kept)
    doorbell_button_close(button);
  errno = saved_errno;
}

void doorbell_init(struct doorbell *doorbell) {
  *doorbell = (struct doorbell){.fd = -1};
}

void doorbell_close(struct doorbell *doorbell) {
  if (doorbell->fd >= 0)
    (void)close(doorbell->fd);
  doorbell_init(doorbell);
}

void doorbell_pause(struct doorbell *doorbell) {
  if (doorbell->fd >= 0)
    (void)close(doorbell->fd);
  doorbell->fd = -1;
}

/* 0 the one that was heard before; 1 another: something may have rung before somebody listened; -1
 * there is none. */
static int open_bell(struct doorbell *doorbell, int metrics_fd) {
  struct stat status = {0};

  if (directory_open_file(metrics_fd, DOORBELL_FILE, O_RDWR, &doorbell->fd, NULL) != 0)
    return -1;
  if (fstat(doorbell->fd, &status) == 0 && doorbell->inode != 0 &&
      status.st_ino == doorbell->inode && status.st_dev == doorbell->device)
    return 0;
  doorbell->heard = 0;
  doorbell->device = status.st_dev;
  doorbell->inode = status.st_ino;
  return 1;
}

/* The names that end in `text`; answers the bytes used: what is after the last newline is still
 * being written. */
static size_t spell_names(char *text, size_t len, void (*each)(void *ctx, const char *agent),
                          void *ctx) {
  size_t begin = 0;
  char *newline;

  while ((newline = memchr(text + begin, '\n', len - begin)) != NULL) {
    size_t end = (size_t)(newline - text);

    *newline = '\0';
    if (agent_name_check((struct span){text + begin, end - begin}, NULL) == 0)
      each(ctx, text + begin);
    begin = end + 1;
  }
  return begin;
}

static bool listen_once(struct doorbell *doorbell, int metrics_fd,
                        void (*each)(void *ctx, const char *agent), void *ctx) {
  char text[4096];
  struct stat status;
  size_t got, used;

  if (doorbell->fd < 0) {
    int opened = open_bell(doorbell, metrics_fd);

    if (opened != 0)
      return opened == 1;
  }
  if (fstat(doorbell->fd, &status) != 0 || status.st_nlink == 0) {
    doorbell_close(doorbell); /* removed: another one rings */
    doorbell->removed_ns = clock_monotonic_ns();
    return true;
  }
  if ((uint64_t)status.st_size < doorbell->heard) {
    doorbell->heard = 0;
    return true;
  }
  while ((uint64_t)status.st_size > doorbell->heard) {
    if (directory_read_at(doorbell->fd, text, sizeof text, doorbell->heard, &got, NULL) != 0 ||
        got == 0)
      break;
    used = spell_names(text, got, each, ctx);
    if (used == 0 && got < sizeof text)
      break; /* a name being written */
    doorbell->heard += used ? used : got;
  }
  if (status.st_size < FULL_BYTES)
    return false;
  if (ftruncate(doorbell->fd, 0) == 0)
    doorbell->heard = 0;
  return true; /* what rang between the last read and the cut */
}

/* Who looked at a bell just before it was removed has rung that one until now. */
static bool was_rung_unheard(struct doorbell *doorbell) {
  if (doorbell->removed_ns == 0 || clock_monotonic_ns() < doorbell->removed_ns + TRUST_LOOK_NS)
    return false;
  doorbell->removed_ns = 0;
  return true;
}

bool doorbell_listen(struct doorbell *doorbell, int metrics_fd,
                     void (*each)(void *ctx, const char *agent), void *ctx) {
  bool unheard = was_rung_unheard(doorbell);

  return listen_once(doorbell, metrics_fd, each, ctx) || unheard;
}

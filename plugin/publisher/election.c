/* election.c - which process sends the events of a project.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/election.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/descriptors.h"
#include "base/directory.h"
#include "base/os_process.h"
#include "base/process.h"
#include "base/process_identity.h"

#define LOCK_FILE ".publisher.lock"
#define HOLDER_BYTE 0
#define CANDIDATE_BYTE 1
#define CANDIDATES_MAX 16
#define NAME_SIZE 128

struct election {
  struct election *next;
  dev_t device; /* of the project root */
  ino_t inode;
  unsigned users;
  int fd; /* of the lock file; -1: not open */
  dev_t file_device;
  ino_t file_inode;
  const void *owner; /* who in this process is elected */
  const void *candidates[CANDIDATES_MAX];
  unsigned candidate_count;
};

static struct process_state elections_state = PROCESS_STATE_INITIALIZER;
static struct election *elections;
/* How the lock file names this copy of the library: its process, then a number of its own.  Empty
 * until it is first needed, and again in a forked child. */
static char own_name[NAME_SIZE];
static size_t own_process_len; /* of its first part */

/* A child has none of its parent's locks, and the descriptors it inherits hold none. */
static void forget_elections(void) {
  elections = NULL;
  own_name[0] = '\0';
}

static void lock_elections(void) {
  process_state_lock(&elections_state, forget_elections);
}

/* When the host closes our descriptor, it drops the lock. */
static void forget_lost_file(struct election *election) {
  if (election->fd < 0 ||
      directory_is_file(election->fd, election->file_device, election->file_inode))
    return;
  election->fd = -1;
  election->owner = NULL;
}

static void lock_election(struct election *election) {
  lock_elections();
  forget_lost_file(election);
}

static void unlock_elections(void) {
  process_state_unlock(&elections_state);
}

struct election *election_join(const struct project *project) {
  struct election *election = NULL;
  struct stat root;

  if (fstat(project->root_fd, &root) != 0)
    return NULL;
  lock_elections();
  for (election = elections; election; election = election->next)
    if (election->device == root.st_dev && election->inode == root.st_ino)
      break;
  if (!election && (election = calloc(1, sizeof *election)) != NULL) {
    election->device = root.st_dev;
    election->inode = root.st_ino;
    election->fd = -1;
    descriptors_hold(1);
    election->next = elections;
    elections = election;
  }
  if (election)
    election->users++;
  unlock_elections();
  return election;
}

static int set_lock(int fd, short type, off_t byte) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
  int result;

  do
    result = fcntl(fd, F_SETLK, &lock);
  while (result != 0 && errno == EINTR);
  return result;
}

/* The process whose lock prevents ours; 0: none does. */
static pid_t blocked_by(int fd, short type, off_t byte) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

  if (fd < 0 || fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
    return 0;
  return lock.l_pid > 0 ? lock.l_pid : -1; /* of another pid namespace */
}

static void make_own_name(void) {
  struct process_identity own;
  uint64_t number = 0;

  if (own_name[0] != '\0')
    return;
  process_identity_own(&own);
  (void)os_process_random(&number, sizeof number);
  own_process_len = (size_t)snprintf(own_name, sizeof own_name, "%s %llu %lld %llu ", own.boot,
                                     (unsigned long long)own.pid_namespace, (long long)own.pid,
                                     (unsigned long long)own.start_ticks);
  (void)snprintf(own_name + own_process_len, sizeof own_name - own_process_len, "%016llx\n",
                 (unsigned long long)number);
}

/* Whose name is in the file. */
enum named { NAMED_SELF, NAMED_OTHER_COPY, NAMED_SOMEBODY };

static enum named read_name(int fd) {
  char name[NAME_SIZE] = "";
  size_t got = 0;

  make_own_name();
  if (directory_read_at(fd, name, sizeof name - 1, 0, &got, NULL) != 0)
    return NAMED_SOMEBODY;
  if (strcmp(name, own_name) == 0)
    return NAMED_SELF;
  return strncmp(name, own_name, own_process_len) == 0 ? NAMED_OTHER_COPY : NAMED_SOMEBODY;
}

/* Called with the lock: any other process that is named there is gone, or has lost it. */
static void write_name(int fd) {
  (void)ftruncate(fd, 0);
  (void)directory_write_at(fd, own_name, strlen(own_name), 0, NULL);
}

static void clear_name(int fd) {
  if (read_name(fd) == NAMED_SELF)
    (void)ftruncate(fd, 0);
}

/* 0: the lock is ours; 1: another copy of the library in this process has it; -1 with errno. */
static int take_lock(int fd) {
  enum named named;

  if (set_lock(fd, F_WRLCK, HOLDER_BYTE) != 0)
    return -1;
  named = read_name(fd);
  if (named == NAMED_OTHER_COPY)
    return 1; /* not unlocked: the lock is the process's, and so the other copy's */
  if (named == NAMED_SOMEBODY)
    write_name(fd);
  return 0;
}

static void show_candidates(const struct election *election) {
  if (election->fd >= 0)
    (void)set_lock(election->fd, election->candidate_count ? F_RDLCK : F_UNLCK, CANDIDATE_BYTE);
}

static void resign(struct election *election, const void *who) {
  if (election->owner != who)
    return;
  election->owner = NULL;
  if (election->fd < 0 || read_name(election->fd) == NAMED_OTHER_COPY)
    return;
  clear_name(election->fd);
  (void)set_lock(election->fd, F_UNLCK, HOLDER_BYTE);
}

static unsigned candidate_number(const struct election *election, const void *who) {
  unsigned i = 0;

  while (i < election->candidate_count && election->candidates[i] != who)
    i++;
  return i;
}

static void withdraw(struct election *election, const void *who) {
  unsigned i = candidate_number(election, who);

  if (i == election->candidate_count)
    return;
  election->candidates[i] = election->candidates[--election->candidate_count];
  show_candidates(election);
}

static void unlink_election(const struct election *election) {
  struct election **at = &elections;

  while (*at && *at != election)
    at = &(*at)->next;
  if (*at)
    *at = election->next;
}

void election_leave(struct election *election, const void *who) {
  lock_election(election);
  resign(election, who);
  withdraw(election, who);
  if (--election->users == 0) {
    unlink_election(election);
    descriptors_release(1);
    if (election->fd >= 0)
      (void)close(election->fd);
    free(election);
  }
  unlock_elections();
}

/* Opens the lock file by its name; a lock on a removed file keeps nobody out. */
static int open_lock_file(struct election *election, int metrics_fd, struct error *error) {
  struct stat named, held;
  int result;

  if (election->fd >= 0) {
    if (fstat(election->fd, &held) == 0 &&
        fstatat(metrics_fd, LOCK_FILE, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        named.st_ino == held.st_ino && named.st_dev == held.st_dev)
      return 0;
    (void)close(election->fd);
    election->fd = -1;
    election->owner = NULL;
  }
  result = directory_open_file(metrics_fd, LOCK_FILE, O_RDWR | O_CREAT, &election->fd, error);
  if (result == 1)
    return error_set(error, KAIZEN_E_IO, LOCK_FILE ": the metrics folder is gone");
  if (result == 0 && fstat(election->fd, &held) != 0) {
    result = error_set_errno(error, KAIZEN_E_IO, errno, LOCK_FILE ": fstat");
    (void)close(election->fd);
    election->fd = -1;
  }
  if (result != 0)
    return result;
  election->file_device = held.st_dev;
  election->file_inode = held.st_ino;
  show_candidates(election);
  return 0;
}

int election_stand(struct election *election, int metrics_fd, const void *who, pid_t *holder,
                   struct error *error) {
  int result, taken;

  lock_election(election);
  result = open_lock_file(election, metrics_fd, error);
  *holder = getpid();
  if (result == 0 && election->owner && election->owner != who) {
    result = 1;
  } else if (result == 0) {
    taken = take_lock(election->fd);
    if (taken == 0) {
      election->owner = who;
    } else if (taken == 1) {
      result = 1;
    } else if (errno == EAGAIN || errno == EACCES) {
      *holder = blocked_by(election->fd, F_WRLCK, HOLDER_BYTE);
      result = 1;
    } else {
      result = error_set_errno(error, KAIZEN_E_IO, errno, LOCK_FILE ": cannot lock");
    }
    if (result != 0 && election->owner == who)
      election->owner = NULL;
  }
  unlock_elections();
  return result;
}

bool election_assert(struct election *election, const void *who) {
  bool ours;

  lock_election(election);
  ours = election->owner == who && election->fd >= 0 && take_lock(election->fd) == 0;
  if (!ours && election->owner == who)
    election->owner = NULL;
  unlock_elections();
  return ours;
}

void election_resign(struct election *election, const void *who) {
  lock_election(election);
  resign(election, who);
  unlock_elections();
}

void election_want(struct election *election, const void *who, bool want) {
  lock_election(election);
  if (!want) {
    withdraw(election, who);
  } else if (candidate_number(election, who) == election->candidate_count &&
             election->candidate_count < CANDIDATES_MAX) {
    election->candidates[election->candidate_count++] = who;
    show_candidates(election);
  }
  unlock_elections();
}

bool election_wanted(struct election *election, const void *who) {
  bool wanted;

  lock_election(election);
  wanted = blocked_by(election->fd, F_WRLCK, CANDIDATE_BYTE) != 0;
  for (unsigned i = 0; i < election->candidate_count; i++)
    if (election->candidates[i] != who)
      wanted = true;
  unlock_elections();
  return wanted;
}

/* The lock file is not open in this process, so that closing it drops nobody's lock. */
static pid_t ask_file(const struct project *project) {
  struct error ignored = {0};
  pid_t holder = 0;
  int metrics_fd, fd;

  if (project_metrics_folder(project, false, &metrics_fd, &ignored) != 0)
    return 0;
  if (directory_open_file(metrics_fd, LOCK_FILE, O_RDWR, &fd, &ignored) == 0) {
    holder = blocked_by(fd, F_WRLCK, HOLDER_BYTE);
    (void)close(fd);
  }
  (void)close(metrics_fd);
  return holder;
}

pid_t election_ask(const struct project *project) {
  struct election *election = election_join(project);
  pid_t holder;

  if (!election)
    return 0;
  lock_election(election);
  holder = election->owner     ? getpid()
           : election->fd >= 0 ? blocked_by(election->fd, F_WRLCK, HOLDER_BYTE)
                               : ask_file(project);
  unlock_elections();
  election_leave(election, &holder);
  return holder;
}

pid_t election_holder(struct election *election) {
  pid_t holder;

  lock_election(election);
  holder = election->owner ? getpid() : blocked_by(election->fd, F_WRLCK, HOLDER_BYTE);
  unlock_elections();
  return holder;
}

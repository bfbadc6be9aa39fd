/* project_identity.c - the identity of a project's tree, in the file `.id` of its metrics folder.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/project_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/os_files.h"
#include "base/os_lock_keeper.h"
#include "base/uuid.h"
#include "common/lock_wait.h"

#define IDENTITY_FILE ".id"
#define IDENTITY_TEXT_MAX 128
#define IDENTITY_LOCK_NS INT64_C(2000000000)
#define LOOK_AFTER_NS INT64_C(100000000)

/* 1 when the file holds the identity of this very folder, 0 when not, -1 with *error: a file that
 * cannot be read need not be another folder's, and rebuilding it would hold back every event. */
static int read_identity(int fd, const struct os_files_mark *mark,
                         unsigned char id[PROJECT_ID_SIZE], struct error *error) {
  char text[IDENTITY_TEXT_MAX + 1], id_text[UUID_TEXT_SIZE];
  struct os_files_mark found;
  size_t got;

  if (directory_read_at(fd, text, IDENTITY_TEXT_MAX, 0, &got, error) != 0)
    return -1;
  text[got] = '\0';
  if (sscanf(text, "%36s inode %" SCNu64 " born %" SCNd64 "\n", id_text, &found.inode,
             &found.birth_ns) != 3)
    return 0;
  if (!uuid_is_text((struct span){id_text, strlen(id_text)}))
    return 0;
  if (found.inode != mark->inode)
    return 0;
  /* a process that may not read the birth time still recognises a folder that another one marked */
  if (found.birth_ns != mark->birth_ns && found.birth_ns != 0 && mark->birth_ns != 0)
    return 0;
  uuid_pack(id_text, id);
  return 1;
}

static int write_identity(const struct project *project, int metrics_fd, int fd,
                          const struct os_files_mark *mark, const unsigned char id[PROJECT_ID_SIZE],
                          struct error *error) {
  char text[IDENTITY_TEXT_MAX], id_text[UUID_TEXT_SIZE];
  int len;

  uuid_unpack(id, id_text);
  len = snprintf(text, sizeof text, "%s inode %" PRIu64 " born %" PRId64 "\n", id_text, mark->inode,
                 mark->birth_ns);
  if (ftruncate(fd, 0) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, IDENTITY_FILE ": ftruncate");
  if (directory_write_at(fd, text, (size_t)len, 0, error) != 0)
    return -1;
  if (project->sync && (fdatasync(fd) != 0 || fsync(metrics_fd) != 0)) {
    (void)error_set_errno(error, KAIZEN_E_IO, errno, IDENTITY_FILE ": cannot sync");
    /* a later call must not find it and take it for durable */
    (void)!ftruncate(fd, 0);
    return -1;
  }
  return 0;
}

/* The caller unlocks *locked_fd.  When a child of a process that was killed here keeps the file's
 * lock, the folder's lock is used. */
static int lock_identity(int metrics_fd, int fd, int *locked_fd, struct error *error) {
  int64_t begin_ns = clock_monotonic_ns(), deadline_ns = begin_ns + IDENTITY_LOCK_NS;
  int result = lock_wait_take(fd, LOCK_EX, begin_ns + LOOK_AFTER_NS);

  *locked_fd = fd;
  if (result == 1 && os_lock_keeper_look(fd, deadline_ns) == OS_LOCK_KEEPER_CHILD)
    *locked_fd = metrics_fd;
  if (result == 1)
    result = lock_wait_take(*locked_fd, LOCK_EX, deadline_ns);
  if (result == 1)
    return error_set(error, KAIZEN_E_BUSY, IDENTITY_FILE ": another process has it locked");
  return result < 0 ? error_set_errno(error, KAIZEN_E_IO, errno, IDENTITY_FILE ": flock") : 0;
}

/* Where the file holds no valid identity, writes `known` when that is given, else a new one. */
static int find_or_write_identity(const struct project *project,
                                  const unsigned char known_id[PROJECT_ID_SIZE],
                                  unsigned char id[PROJECT_ID_SIZE], struct error *error) {
  char text[UUID_TEXT_SIZE];
  struct os_files_mark mark;
  int metrics_fd, fd = -1, locked_fd, known = -1;
  int result = project_metrics_folder(project, false, &metrics_fd, error);

  if (result != 0)
    return result == 1 ? error_set(error, KAIZEN_E_IO, PROJECT_METRICS_PATH ": is gone") : -1;
  result = os_files_mark(metrics_fd, &mark);
  if (result != 0)
    (void)error_set_errno(error, KAIZEN_E_IO, errno, PROJECT_METRICS_PATH ": statx");
  else
    result = directory_open_file(metrics_fd, IDENTITY_FILE, O_RDWR | O_CREAT, &fd, error);
  if (result == 0)
    known = read_identity(fd, &mark, id, error);
  if (known == 0 && lock_identity(metrics_fd, fd, &locked_fd, error) == 0) {
    known = read_identity(fd, &mark, id, error);
    if (known == 0) {
      uuid_random(text);
      uuid_pack(text, id);
      if (known_id)
        memcpy(id, known_id, PROJECT_ID_SIZE);
      known = write_identity(project, metrics_fd, fd, &mark, id, error) == 0;
    }
    (void)flock(locked_fd, LOCK_UN); /* a child that was forked meanwhile has it open too */
  }
  if (fd >= 0)
    (void)close(fd);
  (void)close(metrics_fd);
  return known == 1 ? 0 : -1;
}

int project_identity(const struct project *project, unsigned char id[PROJECT_ID_SIZE],
                     struct error *error) {
  return find_or_write_identity(project, NULL, id, error);
}

int project_identity_restore(const struct project *project,
                             const unsigned char known_id[PROJECT_ID_SIZE],
                             unsigned char id[PROJECT_ID_SIZE], struct error *error) {
  return find_or_write_identity(project, known_id, id, error);
}

int project_identity_look(const struct project *project, unsigned char id[PROJECT_ID_SIZE],
                          struct error *error) {
  struct os_files_mark mark;
  int metrics_fd, fd, result = project_metrics_folder(project, false, &metrics_fd, error);

  if (result != 0)
    return result;
  result = os_files_mark(metrics_fd, &mark);
  if (result != 0)
    (void)error_set_errno(error, KAIZEN_E_IO, errno, PROJECT_METRICS_PATH ": statx");
  else
    result = directory_open_file(metrics_fd, IDENTITY_FILE, O_RDONLY, &fd, error);
  if (result == 0) {
    result = read_identity(fd, &mark, id, error);
    (void)close(fd);
    result = result < 0 ? -1 : !result;
  }
  (void)close(metrics_fd);
  return result;
}

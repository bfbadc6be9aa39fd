/* nats_library.c - libnats, loaded on demand.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/nats_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kaizen/plugin.h>

#ifndef KAIZEN_NATS_SONAME
#define QUOTE_(text) #text
#define QUOTE(text) QUOTE_(text)
#define KAIZEN_NATS_SONAME "libnats.so." QUOTE(NATS_VERSION_MAJOR) "." QUOTE(NATS_VERSION_MINOR)
#endif

#define RANDOM_STATE_BYTES 128

static pthread_mutex_t load_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct nats_library table;
static bool loaded;

static int find_functions(void *image, struct error *error) {
#define FIND(name)                                                                                 \
  *(void **)(&table.name) = dlsym(image, #name);                                                   \
  if (!table.name)                                                                                 \
    return error_set(error, KAIZEN_E_CONFIG, "%s lacks %s()", KAIZEN_NATS_SONAME, #name);
  NATS_LIBRARY_FUNCTIONS(FIND)
#undef FIND
  return 0;
}

/* nats_CheckCompatibility() would print to stderr and exit(). */
static int check_version(struct error *error) {
  uint32_t version = table.nats_GetVersionNumber();

  if (version >> 8 == NATS_VERSION_NUMBER >> 8)
    return 0;
  return error_set(error, KAIZEN_E_CONFIG, "%s is version %u.%u, built for %d.%d",
                   KAIZEN_NATS_SONAME, version >> 16, version >> 8 & 0xff, NATS_VERSION_MAJOR,
                   NATS_VERSION_MINOR);
}

/* nats_Open() sets SIGPIPE to ignored and calls srand(), both for the whole process.  The
 * disposition is put back.  srand() is led to a state of ours, so that the host's rand() and
 * random() go on where they were; a host thread that draws in these microseconds gets numbers of
 * that other state. */
static natsStatus open_quietly(void) {
  static char scratch[RANDOM_STATE_BYTES]; /* left behind by setstate(), never used again */
  struct sigaction sigpipe;
  bool have_sigpipe = sigaction(SIGPIPE, NULL, &sigpipe) == 0;
  char *random_state = initstate(1, scratch, sizeof scratch);
  natsStatus status = table.nats_Open(-1);

  if (random_state)
    (void)setstate(random_state);
  if (have_sigpipe)
    (void)sigaction(SIGPIPE, &sigpipe, NULL);
  return status;
}

static int load(struct error *error) {
  /* Never dlclose()d, also not after a failure: what an image left behind cannot be known. */
  void *image = dlopen(KAIZEN_NATS_SONAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  natsStatus status;

  if (!image)
    return error_set(error, KAIZEN_E_CONFIG,
                     "%s cannot be loaded; install it (Debian: apt install libnats3.4)",
                     KAIZEN_NATS_SONAME);
  if (find_functions(image, error) != 0 || check_version(error) != 0)
    return -1;
  status = open_quietly();
  if (status != NATS_OK)
    return error_set(error, KAIZEN_E_NOMEM, "%s cannot start: %s", KAIZEN_NATS_SONAME,
                     table.natsStatus_GetText(status));
  loaded = true;
  return 0;
}

const struct nats_library *nats_library_get(struct error *error) {
  const struct nats_library *library = NULL;

  (void)pthread_mutex_lock(&load_mutex);
  if (loaded || load(error) == 0)
    library = &table;
  (void)pthread_mutex_unlock(&load_mutex);
  return library;
}

void nats_library_enter(struct nats_library_guard *guard) {
  sigset_t all, pending;

  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &guard->mask);
  guard->sigpipe_was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

void nats_library_leave(const struct nats_library_guard *guard) {
  const struct timespec at_once = {0, 0};
  int saved_errno = errno;
  sigset_t sigpipe;

  (void)sigemptyset(&sigpipe);
  (void)sigaddset(&sigpipe, SIGPIPE);
  if (!guard->sigpipe_was_pending)
    while (sigtimedwait(&sigpipe, NULL, &at_once) < 0 && errno == EINTR)
      continue;
  (void)pthread_sigmask(SIG_SETMASK, &guard->mask, NULL);
  errno = saved_errno;
}

/* nats_library.c - libnats, loaded on demand.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "broker/nats_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/os_process.h"
#include "base/process.h"

#ifndef KAIZEN_NATS_SONAME
#define QUOTE_(text) #text
#define QUOTE(text) QUOTE_(text)
#define KAIZEN_NATS_SONAME "libnats.so." QUOTE(NATS_VERSION_MAJOR) "." QUOTE(NATS_VERSION_MINOR)
#endif

#define RANDOM_STATE_BYTES 128

static struct process_state load_state = PROCESS_STATE_INITIALIZER;
static struct nats_library table;
static bool loaded;
static atomic_bool loading;
static bool forked; /* the parent of this process had loaded it */
static bool forked_amid_load;

/* While the library and those below it (OpenSSL above all) start, they hold locks.  In a child that
 * is forked at that moment these stay locked, and an image of its own would not help. */
static void forget_library(void) {
  forked = true;
  forked_amid_load = forked_amid_load || loading;
  loaded = false;
  loading = false;
}

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
 * disposition is put back.  srand() is directed to a state of ours, so that the host's rand() and
 * random() continue where they were; a host thread that draws in these microseconds gets numbers of
 * our state. */
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

/* What the parent has mapped is of no use in a forked child: its threads are not here, and its
 * mutexes may be held forever.  The child maps an image of its own.  NULL when the parent had none,
 * or when that is impossible. */
static void *open_own_image(void) {
  void *parents = dlopen(KAIZEN_NATS_SONAME, RTLD_NOW | RTLD_NOLOAD), *image = NULL;
  struct link_map *map = NULL;
  char name[32];
  int fd;

  if (!parents || dlinfo(parents, RTLD_DI_LINKMAP, &map) != 0)
    return NULL;
  fd = os_process_copy_image(map->l_name, name);
  if (fd >= 0) {
    image = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    (void)close(fd);
  }
  return image;
}

static int load(struct error *error) {
  void *image;
  natsStatus status;

  if (forked_amid_load)
    return error_set(error, KAIZEN_E_CONFIG,
                     "this process was forked while its parent was loading %s, and cannot load it; "
                     "restart it (exec), or let another process publish",
                     KAIZEN_NATS_SONAME);
  image = forked ? open_own_image() : NULL;
  /* Never dlclose()d, not even after a failure: it is unknown what the image left behind. */
  if (!image)
    image = dlopen(KAIZEN_NATS_SONAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!image)
    return error_set(error, KAIZEN_E_CONFIG,
                     "%s cannot be loaded; install it (Debian: apt install %s), or use a plugin "
                     "that was built on this system",
                     KAIZEN_NATS_SONAME, KAIZEN_NATS_PACKAGE);
  if (find_functions(image, error) != 0 || check_version(error) != 0)
    return -1;
  status = open_quietly();
  if (status != NATS_OK)
    return error_set(error, KAIZEN_E_NOMEM, "%s cannot start: %s", KAIZEN_NATS_SONAME,
                     table.natsStatus_GetText(status));
  return 0;
}

const struct nats_library *nats_library_get(struct error *error) {
  const struct nats_library *library = NULL;

  process_state_lock(&load_state, forget_library);
  if (!loaded) {
    loading = true;
    loaded = load(error) == 0;
    loading = false;
  }
  if (loaded)
    library = &table;
  process_state_unlock(&load_state);
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

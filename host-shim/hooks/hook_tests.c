/* hook_tests.c - the project's tests, run in the background after each turn.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_tests.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hooks/hook_command.h"
#include "hooks/hook_log.h"
#include "host/project_root.h"

#define WITHIN_TESTS "KAIZEN_HOOK_TESTS"

/* Where exec has the lock. The command gets neither that nor the log, in which exec says what goes
 * wrong: a server that the tests leave behind must not keep the lock. */
enum { LOCK_FD = 3, WORDS_MAX = 24, KEY_MAX = 512 };
static const char PREFIX[] = "export " WITHIN_TESTS "=1; exec 2>/dev/null 3>&-\n";

const struct option_spec hook_tests_options[] = {
    {"test-cmd", 0, OPTION_NAME, "CMD",
     "after each turn, run CMD with sh in the background; recorded as AGENT-tests"},
    {"test-timeout", 0, OPTION_PERIOD, "S", "stop CMD after S seconds; default: 300"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

struct words { /* of a command line; NULL-terminated */
  char **list;
  size_t count;
  bool has_failed; /* no memory for one */
};

__attribute__((format(printf, 2, 3))) static void add(struct words *words, const char *format,
                                                      ...) {
  va_list arguments;

  va_start(arguments, format);
  int len = vasprintf(&words->list[words->count], format, arguments);
  words->has_failed |= len < 0;
  words->count += len >= 0;
  va_end(arguments);
}

static void free_words(struct words *words) {
  for (size_t i = 0; i < words->count; i++)
    free(words->list[i]);
  free(words->list);
}

/* Each of these options as it was given. */
static void add_options(struct words *words, const struct arguments *arguments,
                        const char *const *names) {
  for (size_t i = 0; i < arguments->value_count; i++)
    for (const char *const *name = names; *name; name++) {
      const struct option_value *value = &arguments->values[i];

      if (strcmp(value->spec->name, *name) == 0)
        add(words, "--%s%s%s", *name, value->text ? "=" : "", value->text ? value->text : "");
    }
}

/* The same configuration and project as the turn's, whatever the working directory is. */
static void add_session(struct words *words, const struct host *host,
                        const struct session *session) {
  char config_file[PATH_MAX];

  add(words, "--directory=%s", session->project_root);
  if (session->config.file && realpath(session->config.file, config_file))
    add(words, "--config=%s", config_file);
  if (host->plugin_name)
    add(words, "--plugin=%s", host->plugin_name);
  add_options(words, host->arguments, (const char *const[]){"set", NULL});
}

/* The key is the turn's: a test run is of that turn, and there is one of it. */
static void add_run(struct words *words, const struct host *host,
                    const struct kaizen_execution *turn, const char *agent) {
  add(words, "exec");
  add(words, "%s", agent);
  if (strlen(agent) > KAIZEN_NAME_MAX)
    add(words, "--map-agent");
  if (turn->session_id.ptr)
    add(words, "--session-id=%.*s", (int)turn->session_id.len, turn->session_id.ptr);
  if (turn->idempotency_key.ptr)
    add(words, "--idempotency-key=%.*s", (int)turn->idempotency_key.len, turn->idempotency_key.ptr);
  add(words, "--timeout=%s", options_text(host->arguments, "test-timeout", "300"));
  add_options(words, host->arguments,
              (const char *const[]){"metadata", "emit-event", "no-emit-event", NULL});
  add(words, "--");
  add(words, "/bin/sh");
  add(words, "-c");
  add(words, "%s%s", PREFIX, options_text(host->arguments, "test-cmd", ""));
}

/* The lock of a project's folder and an agent, held as long as the descriptor is open anywhere. The
 * file has the key of the turn that was tested last. -1 with errno: EWOULDBLOCK when a run has the
 * lock. */
static int take_lock(const struct hook_state *state, const char *folder, const char *agent) {
  char text[PATH_MAX + 2 * KAIZEN_NAME_MAX], name[32];
  int len = snprintf(text, sizeof text, "%s%c%s", folder, 0, agent);

  snprintf(name, sizeof name, HOOK_STATE_TESTS "/%016llx",
           (unsigned long long)hook_state_mark(state, text, (size_t)len));
  int fd = hook_state_file(state, name, O_RDWR | O_CREAT);
  if (fd < 0)
    return -1;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
    (void)futimens(fd, NULL); /* hook_state_clean() goes by it */
    return fd;
  }
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

/* One turn may be reported by two hooks, one in the user's settings and one in the project's. */
static bool was_tested(int lock, const struct kaizen_execution *turn) {
  char key[KEY_MAX];
  ssize_t len = pread(lock, key, sizeof key, 0);

  return turn->idempotency_key.ptr && len == (ssize_t)turn->idempotency_key.len &&
         memcmp(key, turn->idempotency_key.ptr, (size_t)len) == 0;
}

static void note_tested(int lock, const struct kaizen_execution *turn) {
  if (turn->idempotency_key.ptr && ftruncate(lock, 0) == 0)
    (void)!pwrite(lock, turn->idempotency_key.ptr, turn->idempotency_key.len, 0);
}

/* What the hook's process ignores or blocks is not for others. */
static int set_apart(posix_spawnattr_t *attributes) {
  sigset_t none, all;

  sigemptyset(&none);
  sigfillset(&all);
  return posix_spawnattr_setsigmask(attributes, &none) |
         posix_spawnattr_setsigdefault(attributes, &all) |
         posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                  POSIX_SPAWN_SETSIGDEF);
}

/* In a session of its own, and without a descriptor of the coding agent's. The hook's process ends
 * soon, so that nobody has to wait for it. Answers errno, or 0. */
static int spawn(const char *program, char *const *words, const char *folder, int lock) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  pid_t child;

  (void)posix_spawn_file_actions_init(&actions);
  (void)posix_spawnattr_init(&attributes);
  int failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) |
               posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) |
               posix_spawn_file_actions_adddup2(&actions, hook_log_descriptor(), STDERR_FILENO) |
               posix_spawn_file_actions_adddup2(&actions, lock, LOCK_FD) |
               posix_spawn_file_actions_addclosefrom_np(&actions, LOCK_FD + 1) |
               posix_spawn_file_actions_addchdir_np(&actions, folder) | set_apart(&attributes);
  int error = failed ? ENOMEM : posix_spawn(&child, program, &actions, &attributes, words, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

static int start(const struct host *host, const struct session *session,
                 const struct kaizen_execution *turn, const char *agent, const char *folder,
                 int lock) {
  char program[PATH_MAX];
  struct words words = {.list =
                            calloc(WORDS_MAX + host->arguments->value_count, sizeof *words.list)};
  int error = !words.list || hook_command_program(program) < 0 ? errno : 0;

  if (error == 0) {
    add(&words, "kaizen-host");
    add_session(&words, host, session);
    add_run(&words, host, turn, agent);
    error = words.has_failed ? ENOMEM : spawn(program, words.list, folder, lock);
  }
  free_words(&words);
  return error;
}

void hook_tests_start(const struct host *host, const struct hook_state *state,
                      const struct session *session, const struct kaizen_execution *turn,
                      const char *event) {
  const char *within = getenv(WITHIN_TESTS);
  char agent[2 * KAIZEN_NAME_MAX], folder[PATH_MAX];

  if (!options_given(host->arguments, "test-cmd"))
    return;
  if (within && *within != '\0') {
    hook_log("%s: this turn is part of a test run; no tests started", event);
    return;
  }
  snprintf(agent, sizeof agent, "%.*s-tests", (int)turn->agent.len, turn->agent.ptr);
  project_root_folder(host->directory, session->project_root, folder);
  int lock = take_lock(state, folder, agent);
  if (lock < 0) {
    if (errno == EWOULDBLOCK)
      hook_log("%s: other tests as %s are still running; none started", event, agent);
    else
      hook_log("%s: tests NOT STARTED: no lock in %s/" HOOK_STATE_TESTS ": %s", event, state->path,
               strerror(errno));
    return;
  }
  if (was_tested(lock, turn)) {
    close(lock);
    return;
  }
  int error = start(host, session, turn, agent, folder, lock);
  if (error == 0) {
    note_tested(lock, turn);
    hook_log("%s: tests started as %s", event, agent);
  } else {
    hook_log("%s: tests NOT STARTED in %s: %s", event, folder, strerror(error));
  }
  close(lock);
}

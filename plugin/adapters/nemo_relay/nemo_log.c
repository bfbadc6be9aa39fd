/* nemo_log.c - messages to the host's standard error.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "adapters/nemo_relay/nemo_log.h"

#include <errno.h>
#include <inttypes.h>
#include <kaizen/plugin.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "adapters/nemo_relay/nemo_abi.h"

#define NS_PER_S INT64_C(1000000000)
#define INTERVAL_NS (10 * NS_PER_S)

enum {
  LINE_MAX_BYTES = 512
}; /* at most PIPE_BUF: a line arrives whole, and poll() answers for it */

void nemo_log_init(struct nemo_log *log) {
  *log = (struct nemo_log){.recent = {{0, 0}}};
  (void)pthread_mutex_init(&log->mutex, NULL);
}

void nemo_log_fini(struct nemo_log *log) {
  (void)pthread_mutex_destroy(&log->mutex);
}

/* A pipe that nobody reads any more raises SIGPIPE, a file at its limit SIGXFSZ; either would end
 * the host. */
static void write_line(const char *line, size_t len) {
  struct pollfd standard_error = {.fd = STDERR_FILENO, .events = POLLOUT};
  const struct timespec at_once = {0, 0};
  sigset_t raised, before, pending;

  if (poll(&standard_error, 1, 0) != 1 || !(standard_error.revents & POLLOUT))
    return;
  (void)sigemptyset(&raised);
  (void)sigaddset(&raised, SIGPIPE);
  (void)sigaddset(&raised, SIGXFSZ);
  if (sigpending(&pending) != 0 || pthread_sigmask(SIG_BLOCK, &raised, &before) != 0)
    return;
  ssize_t written = write(STDERR_FILENO, line, len);
  /* A signal that the write raised on this thread is removed; one that was pending before is the
   * host's. */
  if (written < 0 && (errno == EPIPE || errno == EFBIG) && sigismember(&pending, SIGPIPE) == 0 &&
      sigismember(&pending, SIGXFSZ) == 0)
    while (sigtimedwait(&raised, NULL, &at_once) < 0 && errno == EINTR)
      continue;
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void nemo_log_message(void *ctx, int32_t level, int32_t id, const char *text, size_t len) {
  char line[LINE_MAX_BYTES];
  int cancel_state;
  const char *word = level <= KAIZEN_LOG_ERROR     ? "error"
                     : level == KAIZEN_LOG_WARNING ? "warning"
                                                   : "note";
  int n = snprintf(line, sizeof line, NEMO_RELAY_KIND ": %s: %.*s", word,
                   (int)(len < sizeof line ? len : sizeof line), text);

  (void)ctx;
  (void)id;
  if (n < 0)
    return;
  size_t end = (size_t)n < sizeof line - 1 ? (size_t)n : sizeof line - 1;
  line[end] = '\n';
  /* A thread that is cancelled here would leave its caller's locks behind. */
  (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
  write_line(line, end + 1);
  (void)pthread_setcancelstate(cancel_state, NULL);
}

void nemo_log_warn(struct nemo_log *log, enum nemo_log_id id, const char *format, ...) {
  char text[LINE_MAX_BYTES];
  struct timespec now;
  va_list arguments;

  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  int64_t now_ns = now.tv_sec * NS_PER_S + now.tv_nsec;
  (void)pthread_mutex_lock(&log->mutex);
  bool is_due = log->recent[id].next_ns <= now_ns;
  uint64_t left_out = log->recent[id].left_out;
  if (is_due)
    log->recent[id].next_ns = now_ns + INTERVAL_NS;
  log->recent[id].left_out = is_due ? 0 : left_out + 1;
  (void)pthread_mutex_unlock(&log->mutex);
  if (!is_due)
    return;
  va_start(arguments, format);
  int len = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (len < 0)
    return;
  if (left_out > 0 && (size_t)len < sizeof text)
    (void)snprintf(text + len, sizeof text - (size_t)len, " (and %" PRIu64 " more like it)",
                   left_out);
  nemo_log_message(NULL, KAIZEN_LOG_WARNING, (int32_t)id, text, strlen(text));
}

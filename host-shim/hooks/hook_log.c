/* hook_log.c - messages of hooks, in a bounded file: their output belongs to the host.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time_text.h"

enum { FILE_BYTES_MAX = 128 * 1024, LINE_BYTES_MAX = 1024 };

/* One log per process: every message goes there. */
static struct {
  int fd; /* 0: none; standard input is never the log */
  char host[32];

} hook_log_file;

static int open_file(const struct hook_state *state) {
  struct stat entry;
  int fd = hook_state_file(state, "hook.log", O_WRONLY | O_APPEND | O_CREAT);

  if (fd < 0 || fstat(fd, &entry) < 0 || entry.st_size < FILE_BYTES_MAX)
    return fd;
  /* When two processes see the same full file, one moves it, and the other's lines go to the moved
   * file. */
  renameat(state->folder, "hook.log", state->folder, "hook.log.1");
  close(fd);
  return hook_state_file(state, "hook.log", O_WRONLY | O_APPEND | O_CREAT);
}

void hook_log_open(const struct hook_state *state, const char *host) {
  snprintf(hook_log_file.host, sizeof hook_log_file.host, "%s", host);
  int fd = state && state->folder >= 0 ? open_file(state) : -1;
  if (fd < 0)
    fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (fd > 0)
    hook_log_file.fd = fd;
  if (fd > 0 && !isatty(STDERR_FILENO))
    dup2(fd, STDERR_FILENO);
}

int hook_log_descriptor(void) {
  return hook_log_file.fd;
}

/* Lines come from several processes: each is one write. */
static void write_line(const char *line, size_t len) {
  if (hook_log_file.fd > 0 && write(hook_log_file.fd, line, len) < 0)
    return; /* there is nowhere left to report it */
}

void hook_log(const char *format, ...) {
  char line[LINE_BYTES_MAX], now[TIME_TEXT_MAX];
  va_list arguments;
  time_text_format(time_text_now_ns(), now);
  int start = snprintf(line, sizeof line, "%s [%d] %s: ", now, (int)getpid(), hook_log_file.host);

  va_start(arguments, format);
  int more = vsnprintf(line + start, sizeof line - (size_t)start - 1, format, arguments);
  va_end(arguments);
  int len = start + (more < 0 ? 0 : more);
  if ((size_t)len > sizeof line - 2)
    len = sizeof line - 2;
  for (int i = 0; i < len; i++)
    if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
      line[i] = '?';
  line[len] = '\n';
  write_line(line, (size_t)len + 1);
  if (isatty(STDERR_FILENO))
    fprintf(stderr, "kaizen-host: hook %s: %.*s", hook_log_file.host, len - start + 1,
            line + start);
}

void hook_log_fired(const struct hook_state *state, const char *host, const char *event) {
  char name[64], text[96], now[TIME_TEXT_MAX];

  snprintf(name, sizeof name, "fired/%s", host);
  time_text_format(time_text_now_ns(), now);
  int len = snprintf(text, sizeof text, "%s %-64.64s\n", now,
                     event); /* always the same length, so no line is ever torn */
  int fd = hook_state_file(state, name, O_WRONLY | O_CREAT);
  if (fd < 0)
    return;
  if (pwrite(fd, text, (size_t)len, 0) < 0)
    hook_log("cannot store when it fired: %s", strerror(errno));
  close(fd);
}

int hook_log_last_fired(const struct hook_state *state, const char *host, char *text, size_t room) {
  char name[64];

  snprintf(name, sizeof name, "fired/%s", host);
  int fd = hook_state_file(state, name, O_RDONLY);
  if (fd < 0)
    return -1;
  ssize_t got = pread(fd, text, room - 1, 0);
  close(fd);
  if (got <= 0)
    return -1;
  text[got] = '\0';
  for (size_t len = strlen(text); len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '); len--)
    text[len - 1] = '\0';
  return 0;
}

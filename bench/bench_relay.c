/* bench_relay.c - Q6: what a relay for a thousand idle projects costs, and how soon it sends.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The relay is `kaizen-host drain --follow`.  A subscription without any code of ours sees when an
 * event reaches the broker.  Needs a broker at NATS_URL with a stream for the events. */
#include "bench.h"

#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROOTS = 1000, WRITERS = 20, EVENTS = 200, PATIENCE_MS = 60000 };
enum { SETTLE_MS = 15000, IDLE_MS = 20000, IDLE_MS_FULL = 60000, APART_MS = 20 };

extern char **environ;

static const char *const relay[] = {"emit_event", "true", "delivery", "relay", NULL};
static char roots[ROOTS][BENCH_PATH];

static void pause_ms(long ms) {
  (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- a subscription -------------------------------------------------------------------------- */

/* NATS_URL is nats://HOST:PORT. */
static int subscribe(void) {
  static const char hello[] = "CONNECT {\"verbose\":false}\r\nSUB activity.> 1\r\nPING\r\n";
  struct addrinfo *address;
  char host[256], port[16];
  int fd;

  if (sscanf(getenv("NATS_URL"), "nats://%255[^:]:%15[0-9]", host, port) != 2 ||
      getaddrinfo(host, port, &(struct addrinfo){.ai_socktype = SOCK_STREAM}, &address) != 0)
    bench_fail("NATS_URL");
  fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) != 0 ||
      write(fd, hello, strlen(hello)) != (ssize_t)strlen(hello))
    bench_fail("connect");
  freeaddrinfo(address);
  return fd;
}

/* Reads until `count` events have come; false when none comes for so long.  A payload has no line
 * that begins like a message. */
static bool await_events(int fd, unsigned count) {
  static char text[1 << 16];
  static size_t kept;

  while (count > 0) {
    char *line = text, *end;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    ssize_t got;

    if (poll(&readable, 1, PATIENCE_MS) != 1)
      return false;
    got = read(fd, text + kept, sizeof text - 1 - kept);
    if (got <= 0)
      return false;
    kept += (size_t)got;
    text[kept] = '\0';
    while (count > 0 && (end = strstr(line, "\r\n")) != NULL) {
      if (strncmp(line, "MSG ", 4) == 0 || strncmp(line, "HMSG ", 5) == 0)
        count--;
      if (strncmp(line, "PING", 4) == 0 && write(fd, "PONG\r\n", 6) != 6)
        return false;
      line = end + 2;
    }
    kept -= (size_t)(line - text);
    memmove(text, line, kept + 1);
  }
  return true;
}

/* ---- the relay ------------------------------------------------------------------------------- */

static void record_in(struct kaizen_instance *instance) {
  struct kaizen_execution execution = bench_execution("coach");

  bench_record(instance, &execution);
}

static void make_roots(const char *list) {
  FILE *file = fopen(list, "w");

  if (!file)
    bench_fail(list);
  for (unsigned i = 0; i < ROOTS; i++) {
    struct kaizen_instance *instance;

    bench_folder(roots[i], "relay", true);
    instance = bench_start(roots[i], relay);
    record_in(instance);
    bench_stop(instance);
    (void)fprintf(file, "%s\n", roots[i]);
  }
  if (fclose(file) != 0)
    bench_fail(list);
}

static pid_t start_relay(const char *list) {
  char set[512];
  const char *const arguments[] = {getenv("KAIZEN_HOST"),
                                   "--plugin",
                                   getenv("KAIZEN_PLUGIN"),
                                   "-q",
                                   "--set",
                                   set,
                                   "drain",
                                   "--follow",
                                   "--roots",
                                   list,
                                   NULL};
  pid_t child;

  (void)snprintf(set, sizeof set, "nats_url=%s", getenv("NATS_URL"));
  if (posix_spawn(&child, arguments[0], NULL, NULL, (char *const *)arguments, environ) != 0)
    bench_fail(arguments[0]);
  return child;
}

/* Of all threads of the process, in seconds. */
static double cpu_s_of(pid_t process) {
  char path[64], line[1024], *fields;
  unsigned long user, system;
  FILE *file;

  (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)process);
  file = fopen(path, "r");
  if (!file || !fgets(line, sizeof line, file) || !(fields = strrchr(line, ')')) ||
      sscanf(fields, ") %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &user, &system) != 2)
    bench_fail(path);
  (void)fclose(file);
  return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void measure_arrivals(int events_fd) {
  struct kaizen_instance *writers[WRITERS];
  double delay_ms[EVENTS];

  for (unsigned i = 0; i < WRITERS; i++)
    writers[i] = bench_start(roots[i * (ROOTS / WRITERS)], relay);
  for (unsigned i = 0; i < EVENTS; i++) {
    double begin_s;

    pause_ms(APART_MS + (long)(i * 7 % 50));
    record_in(writers[i % WRITERS]);
    begin_s = bench_wall_s();
    if (!await_events(events_fd, 1))
      bench_fail("an event did not come");
    delay_ms[i] = (bench_wall_s() - begin_s) * 1e3;
  }
  for (unsigned i = 0; i < WRITERS; i++)
    bench_stop(writers[i]);
  bench_sort(delay_ms, EVENTS);
  bench_print_one("q6.arrival.p99", bench_percentile(delay_ms, EVENTS, 0.99), "ms", "<= 60");
  bench_print("q6.arrival", delay_ms, EVENTS, "ms", NULL);
}

int main(void) {
  long idle_ms = bench_full() ? IDLE_MS_FULL : IDLE_MS;
  char list[BENCH_PATH + 16];
  double before_s;
  pid_t process;
  int events_fd;

  if (!getenv("NATS_URL")) {
    printf("q6 skipped: NATS_URL names no broker\n");
    return 0;
  }
  (void)snprintf(list, sizeof list, "%s/roots", getenv("BENCH_DIR"));
  make_roots(list);
  events_fd = subscribe();
  process = start_relay(list);
  if (!await_events(events_fd, ROOTS))
    bench_fail("the relay did not send all events");
  pause_ms(SETTLE_MS);
  before_s = cpu_s_of(process);
  pause_ms(idle_ms);
  bench_print_one("q6.idle", (cpu_s_of(process) - before_s) / ((double)idle_ms / 1e3) * 100,
                  "% of a core", "<= 1");
  measure_arrivals(events_fd);
  (void)kill(process, SIGTERM);
  (void)waitpid(process, NULL, 0);
  (void)close(events_fd);
  return 0;
}

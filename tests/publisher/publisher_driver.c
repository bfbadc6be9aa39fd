/* publisher_driver.c - a process with publishers, driven line by line by tests/test_publisher_*.py.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Reads one command a line, answers one line each:
 *   open ROOT | append[_and_die] AGENT COUNT [PADDING] | raw AGENT TEXT | view AGENT | ring AGENT
 *   attach SLOT URL [core] [sync] [ca=FILE] [creds=FILE] [STREAM]
 *   status SLOT | flush SLOT MS | detach SLOT MS | said
 *   resend SINCE_NS | assume | retry | letters | host | fork | become_child
 *   check URL [STREAM [CREDS]] | init URL NAME REPLICAS [dry] | watch URL COUNT FIFO
 * `append` does what a recorder does for its log: claims .state, writes marked lines under the
 * lock. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/uuid.h"
#include "broker/broker.h"
#include "broker/broker_watch.h"
#include "publisher/publisher.h"
#include "store/agent_lock.h"
#include "store/agent_log.h"
#include "store/agent_view.h"
#include "store/delivery.h"
#include "store/doorbell.h"
#include "store/project_identity.h"

#define SLOTS 8
#define WORDS 6
#define SAID_MAX 4096

static struct project project = {.root_fd = -1};
static struct doorbell_button button = {.fd = -1};
static struct publisher_attachment *slots[SLOTS];
static pthread_mutex_t said_mutex = PTHREAD_MUTEX_INITIALIZER;
static char said[SAID_MAX];
static int expected_random;

static int64_t after_ms(const char *text) {
  return clock_monotonic_ns() + atoll(text) * 1000000;
}

static void answer_error(const struct error *error) {
  printf("error %s\n", error->text);
}

static void hear(void *ctx, int32_t level, int32_t id, const char *text) {
  size_t used;

  (void)ctx;
  (void)pthread_mutex_lock(&said_mutex);
  used = strlen(said);
  (void)snprintf(said + used, sizeof said - used, "[%d:%d] %s;", level, id, text);
  (void)pthread_mutex_unlock(&said_mutex);
}

static void write_line(char *out, size_t size, const char *agent, uint64_t number, size_t padding) {
  char id[UUID_TEXT_SIZE];

  uuid_random(id);
  (void)snprintf(
      out, size,
      "{\"timestamp\":\"2025-01-02T03:04:05Z\",\"agent\":\"%s\",\"success\":true,\"event_id\":\"%"
      "s\","
      "\"event\":{\"project\":\"p%0*d\",\"success_rate\":1.0,\"execution_count\":%" PRIu64
      ",\"avg_quality\":0.0}}\n",
      agent, id, (int)padding, 0, number);
}

static int append_text(const char *agent, const char *text, struct error *error) {
  unsigned char id[PROJECT_ID_SIZE];
  struct agent_view_limits limits = agent_view_patience(5000);
  struct agent_view view;
  struct agent_state state;
  struct agent_lock lock;
  bool changed;
  int metrics_fd, agent_fd, fd, result;

  if (project_metrics_folder(&project, true, &metrics_fd, error) != 0)
    return -1;
  (void)close(metrics_fd);
  if (project_agent_folder(&project, agent, true, &agent_fd, error) != 0)
    return -1;
  result = agent_view_read(&project, agent, &limits, &view, error);
  if (result >= 0)
    result = agent_lock_open(&lock, agent_fd, error);
  if (result == 0) {
    result = agent_lock_exclusive(&lock, clock_monotonic_ns() + INT64_C(5000000000), error);
    if (result == 0 && project_identity(&project, id, error) == 0 &&
        agent_state_claim(agent_fd, id, &view.fold, false, &state, &changed, error) == 0 &&
        directory_open_file(agent_fd, AGENT_LOG_FILE, O_WRONLY | O_CREAT | O_APPEND, &fd, error) ==
            0) {
      result = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
      (void)close(fd);
    } else {
      result = -1;
    }
    agent_lock_close(&lock);
  }
  (void)close(agent_fd);
  return result;
}

static void tell(const char *agent) {
  bool told = false;

  for (int i = 0; i < SLOTS; i++)
    if (slots[i]) {
      publisher_committed(slots[i], agent);
      told = true;
    }
  if (!told)
    doorbell_ring(&button, &project, agent);
}

static void append(char *const words[WORDS]) {
  const char *agent = words[1];
  uint64_t count = strtoull(words[2], NULL, 10);
  size_t padding = words[3] ? strtoul(words[3], NULL, 10) : 1, room = 512 + padding, used = 0;
  char *text = malloc((size_t)count * room + 1);
  struct error error = {0};
  static uint64_t number;

  if (!text) {
    printf("error out of memory\n");
    return;
  }
  text[0] = '\0';
  for (uint64_t i = 0; i < count; i++) {
    write_line(text + used, room, agent, ++number, padding);
    used += strlen(text + used);
  }
  if (append_text(agent, text, &error) == 0) {
    tell(agent);
    if (strcmp(words[0], "append_and_die") == 0)
      (void)raise(SIGKILL);
    printf("ok\n");
  } else {
    answer_error(&error);
  }
  free(text);
}

static void raw(const char *agent, const char *text) {
  char line[4096];
  struct error error = {0};

  (void)snprintf(line, sizeof line, "%s\n", text);
  if (append_text(agent, line, &error) == 0) {
    tell(agent);
    printf("ok\n");
  } else {
    answer_error(&error);
  }
}

static void view(const char *agent) {
  struct agent_view_limits limits = agent_view_patience(5000);
  struct agent_view found;
  struct error error = {0};
  int result = agent_view_read(&project, agent, &limits, &found, &error);

  if (result < 0) {
    answer_error(&error);
    return;
  }
  printf("{\"marked\":%" PRIu64 ",\"acknowledged\":%" PRIu64 ",\"pending\":%" PRIu64
         ",\"held\":%" PRIu64 ",\"dead\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"store_lost\":%" PRIu64
         ",\"cursor_end\":%" PRIu64 "}\n",
         found.fold.marked, found.acknowledged, found.pending, found.held, found.dead_lettered,
         found.state.lost_by_rewrite, found.state.store_lost, found.state.cursor.end);
}

static void attach(char *const words[WORDS]) {
  struct transport_settings settings = {.url = words[2], .shown_url = "nats://broker"};
  struct error error = {0};
  bool sync = false;

  for (int i = 3; i < WORDS && words[i]; i++) {
    if (strcmp(words[i], "core") == 0)
      settings.core = true;
    else if (strcmp(words[i], "sync") == 0)
      sync = true;
    else if (strncmp(words[i], "ca=", 3) == 0)
      settings.ca = words[i] + 3;
    else if (strncmp(words[i], "creds=", 6) == 0)
      settings.creds = words[i] + 6;
    else
      settings.stream = words[i];
  }
  if (publisher_attach(&settings, &project, sync, hear, NULL, &slots[atoi(words[1])], &error) == 0)
    printf("ok\n");
  else
    answer_error(&error);
}

static void status(const char *slot) {
  struct publisher_status now;

  publisher_status(slots[atoi(slot)], &now);
  printf("{\"state\":%d,\"holder\":%ld,\"failures\":%" PRIu64
         ",\"hopeless\":%s,\"reason\":\"%s\"}\n",
         now.state, (long)now.holder_pid, now.publish_failures, now.hopeless ? "true" : "false",
         now.reason);
}

static void hurry(void *ctx) {
  publisher_hurry(ctx);
}

static void flush(const char *slot, const char *ms) {
  struct publisher_attachment *attachment = slots[atoi(slot)];
  int64_t until_ns = after_ms(ms);
  struct error error = {0};
  struct pending_wait wait;
  uint64_t pending;
  int result;

  pending_wait_begin(&wait, &project, NULL, until_ns);
  result = pending_wait_on(&wait, until_ns, hurry, attachment, &pending, &error);
  pending_wait_end(&wait);
  printf("%d %" PRIu64 "\n", result, pending);
}

static void detach(const char *slot, const char *ms) {
  int64_t begin_ns = clock_monotonic_ns();

  publisher_detach(slots[atoi(slot)], after_ms(ms));
  slots[atoi(slot)] = NULL;
  printf("%" PRId64 "\n", (clock_monotonic_ns() - begin_ns) / 1000000);
}

static int32_t print(void *ctx, const char *data, size_t len) {
  (void)ctx;
  printf("%.*s\t", (int)len - 1, data);
  return 0;
}

/* check URL [STREAM [CREDS [MS]]] | init URL NAME REPLICAS [dry]: the report, after the result. */
static void set_up(char *const words[WORDS]) {
  struct transport_settings settings = {.url = words[1], .shown_url = "nats://broker"};
  struct buffer report = {0};
  struct error error = {0};
  int result;

  if (strcmp(words[0], "check") == 0) {
    settings.stream = words[2] && strcmp(words[2], "-") != 0 ? words[2] : NULL;
    settings.creds = words[2] && words[3] && strcmp(words[3], "-") != 0 ? words[3] : NULL;
    result =
        broker_check(&settings, words[2] && words[3] && words[4] ? (uint32_t)atoi(words[4]) : 2000,
                     &report, &error);
  } else {
    result = broker_init(&settings, words[2], (uint32_t)atoi(words[3]), words[4] != NULL, 2000,
                         &report, &error);
  }
  printf("{\"result\":%d,\"report\":%.*s}\n", result, report.len ? (int)report.len : 4,
         report.len ? report.data : "null");
  buffer_fini(&report);
}

struct watched {
  int wanted, seen;
  FILE *ready;
};

static int32_t count_event(void *ctx, const char *data, size_t len) {
  struct watched *watched = ctx;

  if (len == 0 && watched->ready) {
    (void)fclose(watched->ready); /* the subscription stands */
    watched->ready = NULL;
  }
  if (len > 0) {
    printf("%.*s\t", (int)len, data);
    watched->seen++;
  }
  return watched->seen == watched->wanted;
}

/* watch URL COUNT FIFO [MS]: the fifo's end tells that it began. */
static void watch(char *const words[WORDS]) {
  struct transport_settings settings = {.url = words[1]};
  struct watched watched = {.wanted = atoi(words[2]), .ready = fopen(words[3], "w")};
  struct error error = {0};

  if (broker_watch(&settings, words[4] ? (uint32_t)atoi(words[4]) : 0, count_event, &watched,
                   &error) != 0)
    printf("error %s", error.text);
  printf("\n");
}

static void operate(char *const words[WORDS]) {
  struct error error = {0};
  uint64_t count = 0;
  int result;

  if (strcmp(words[0], "resend") == 0)
    result = delivery_resend(&project, atoll(words[1]), 2000, &count, &error);
  else if (strcmp(words[0], "assume") == 0)
    result = delivery_assume_sent(&project, 2000, &count, &error);
  else
    result = delivery_retry_dead_letters(&project, 2000, &count, &error);
  if (result == 0)
    printf("%" PRIu64 "\n", count);
  else
    answer_error(&error);
}

/* What a library could have changed in the process around it. */
static void show_host(void) {
  struct sigaction sigpipe;

  (void)sigaction(SIGPIPE, NULL, &sigpipe);
  printf("{\"rand\":%s,\"sigpipe\":%s}\n", rand() == expected_random ? "true" : "false",
         sigpipe.sa_handler == SIG_DFL ? "true" : "false");
}

/* A child that does nothing, and outlives this process. */
static void fork_child(void) {
  pid_t child = fork();

  if (child == 0) {
    (void)pause();
    _exit(0);
  }
  printf("%ld\n", (long)child);
}

/* What a host does that copies or packs its own project: the locks of this process on it are gone
 * (fcntl(2)). */
static void open_and_close(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);

  printf("%s\n", fd >= 0 && close(fd) == 0 ? "ok" : strerror(errno));
}

static void detach_all(void) {
  for (int i = 0; i < SLOTS; i++)
    if (slots[i])
      publisher_detach(slots[i], clock_monotonic_ns() + INT64_C(10000000000));
}

/* Goes on as a child of what it was, which lets go of its attachments and waits. */
static void become_child(void) {
  pid_t child = fork();
  int ended;

  if (child > 0) {
    detach_all();
    (void)waitpid(child, &ended, 0);
    _exit(WIFEXITED(ended) ? WEXITSTATUS(ended) : 1);
  }
  memset(slots, 0, sizeof slots);
  printf("ok\n");
}

static void obey(char *line) {
  char *words[WORDS] = {0}, *rest = line, *raw_text;
  char *brace = strchr(line, '{');
  struct error error = {0};

  raw_text = brace ? strdup(brace) : NULL; /* the words are cut out of the line */
  for (int i = 0; i < WORDS && (words[i] = strsep(&rest, " ")) != NULL;)
    i++;
  if (strcmp(words[0], "open") == 0) {
    if (project_open(&project, words[1], true, false, &error) == 0)
      printf("ok\n");
    else
      answer_error(&error);
  } else if (strncmp(words[0], "append", 6) == 0) {
    append(words);
  } else if (strcmp(words[0], "raw") == 0) {
    raw(words[1], raw_text ? raw_text : "");
  } else if (strcmp(words[0], "view") == 0) {
    view(words[1]);
  } else if (strcmp(words[0], "ring") == 0) {
    doorbell_ring(&button, &project, words[1]);
    printf("ok\n");
  } else if (strcmp(words[0], "attach") == 0) {
    attach(words);
  } else if (strcmp(words[0], "status") == 0) {
    status(words[1]);
  } else if (strcmp(words[0], "flush") == 0) {
    flush(words[1], words[2]);
  } else if (strcmp(words[0], "detach") == 0) {
    detach(words[1], words[2]);
  } else if (strcmp(words[0], "said") == 0) {
    (void)pthread_mutex_lock(&said_mutex);
    printf("%s\n", said);
    (void)pthread_mutex_unlock(&said_mutex);
  } else if (strcmp(words[0], "check") == 0 || strcmp(words[0], "init") == 0) {
    set_up(words);
  } else if (strcmp(words[0], "watch") == 0) {
    watch(words);
  } else if (strcmp(words[0], "host") == 0) {
    show_host();
  } else if (strcmp(words[0], "become_child") == 0) {
    become_child();
  } else if (strcmp(words[0], "open_and_close") == 0) {
    open_and_close(words[1]);
  } else if (strcmp(words[0], "fork") == 0) {
    fork_child();
  } else if (strcmp(words[0], "letters") == 0) {
    (void)delivery_dead_letters(&project, print, NULL, &error);
    printf("\n");
  } else {
    operate(words);
  }
  free(raw_text);
}

int main(void) {
  static char line[8192];

  (void)setvbuf(stdout, NULL, _IOLBF, 0);
  srand(7);
  expected_random = rand();
  srand(7);
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = '\0';
    obey(line);
    (void)fflush(stdout);
  }
  detach_all();
  project_close(&project);
  return 0;
}

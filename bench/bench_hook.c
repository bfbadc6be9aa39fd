/* bench_hook.c - a whole `kaizen-host hook` process, which a coding agent waits for after every
 * turn, over `true`.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { ARGUMENTS_MAX = 10 };

extern char **environ;

struct command {
  const char *arguments[ARGUMENTS_MAX];
  const char *payload; /* file for standard input */
};

static void run(void *ctx, unsigned count) {
  const struct command *command = ctx;

  for (unsigned i = 0; i < count; i++) {
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, command->payload, O_RDONLY, 0);
    errno =
        posix_spawnp(&child, command->arguments[0], &actions, NULL,
                     (char *const *)command->arguments, environ); /* which it does not write to */
    posix_spawn_file_actions_destroy(&actions);
    if (errno != 0 || waitpid(child, &status, 0) < 0 || status != 0)
      bench_fail(command->arguments[0]);
  }
}

static void write_payload(const char *file, const char *event, const char *root) {
  FILE *out = fopen(file, "w");

  /* An end without start, id and answer is a new turn each time. */
  if (out == NULL ||
      fprintf(out,
              "{\"session_id\":\"bench\",\"transcript_path\":\"/t.jsonl\",\"cwd\":\"%s\","
              "\"hook_event_name\":\"%s\",\"permission_mode\":\"default\"}\n",
              root, event) < 0 ||
      fclose(out) != 0)
    bench_fail(file);
}

int main(void) {
  char root[BENCH_PATH], end[BENCH_PATH + 16], begin[BENCH_PATH + 16], state[BENCH_PATH + 16];
  char *host = getenv("KAIZEN_HOST");
  unsigned slices = bench_full() ? 40 : 8;

  bench_folder(root, "hook", false);
  snprintf(end, sizeof end, "%s/end.json", root);
  snprintf(begin, sizeof begin, "%s/begin.json", root);
  snprintf(state, sizeof state, "%s/state", root);
  write_payload(end, "Stop", root);
  write_payload(begin, "UserPromptSubmit", root);
  struct command recording = {{host ? host : "kaizen-host", "--plugin", getenv("KAIZEN_PLUGIN"),
                               "-C", root, "hook", "claude-code", "--state-dir", state, NULL},
                              end};
  struct command remembering = recording, nothing = {{"true", NULL}, "/dev/null"};
  remembering.payload = begin;
  bench_compare("hook.end_over_true", (struct bench_side){run, &recording},
                (struct bench_side){run, &nothing}, slices, 5, true, NULL);
  bench_compare("hook.start_over_true", (struct bench_side){run, &remembering},
                (struct bench_side){run, &nothing}, slices, 5, true, NULL);
  return 0;
}

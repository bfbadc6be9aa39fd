/* proof_driver.c - runs, interrupts and recovers histories, as it is told on standard input.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: proof_driver PLUGIN               commands on standard input, one per line
 *        proof_driver PLUGIN COMMAND...    one command, in this process (to be traced)
 * Every command but `list` is done by a new process, forked off one that has never made an
 * instance: the plugin's image is all they share.  Answers are lines, the last of them "end ...".
 *   list
 *   setup SCENARIO ROOT FSYNC
 *   run SCENARIO ROOT FSYNC [KILL_AT]          killed before its KILL_AT-th system call
 *   recover ROOT FSYNC KILL_AT AGENT KEY...    gives each key and a new one again, then reports
 *   fill ROOT FSYNC MOST                        gives records until one is refused, at most MOST
 *   fault SCENARIO ROOT FSYNC KIND NTH STICKY ERRNO SHORTEN INTRUSION
 *                                              the NTH call of KIND fails while the history runs;
 *                                              INTRUSION "line" or "piece": before it another
 *                                              program appends to coach's log, else "none" */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault_preload.h"
#include "proof_kill.h"
#include "proof_scenario.h"

#define WORDS_MAX 64
#define LINE_MAX_BYTES 65536
#define LOG_MAX (1 << 20)

struct command {
  const struct kaizen_plugin_v1 *plugin;
  char *words[WORDS_MAX];
  unsigned count;
};

static const char *word(const struct command *command, unsigned i) {
  return i < command->count ? command->words[i] : "";
}

static struct world world_of(const struct command *command, unsigned root) {
  return (struct world){
      .plugin = command->plugin, .root = word(command, root), .fsync = word(command, root + 1)};
}

static const struct scenario *scenario_of(const struct command *command) {
  const struct scenario *scenario = scenario_find(word(command, 1));

  if (!scenario)
    exit(2);
  return scenario;
}

static void do_setup(const struct command *command) {
  struct world world = world_of(command, 2);
  const struct scenario *scenario = scenario_of(command);

  if (scenario->setup)
    scenario->setup(&world);
}

static void do_run(const struct command *command) {
  struct world world = world_of(command, 2);
  const struct scenario *scenario = scenario_of(command);

  if (world_open(&world) == KAIZEN_OK)
    scenario->run(&world);
  world_close(&world);
  say("ended");
}

static void do_recover(const struct command *command) {
  struct world world = world_of(command, 1);
  const char *agent = word(command, 4);
  unsigned i;

  if (world_open(&world) != KAIZEN_OK)
    return;
  say("before");
  world_report(&world);
  for (i = 5; i < command->count; i++)
    (void)world_give(&world, agent, word(command, i), true);
  (void)world_give(&world, agent, "after", true);
  (void)world_give(&world, agent, "after", true);
  say("after");
  world_report(&world);
  world_verify(&world, agent);
  world_close(&world);
}

/* On one instance: keys f0, f1, ... */
static void do_fill(const struct command *command) {
  struct world world = world_of(command, 1);
  unsigned long most = strtoul(word(command, 3), NULL, 10), i;
  char key[32];

  if (world_open(&world) != KAIZEN_OK)
    return;
  for (i = 0; i < most; i++) {
    (void)snprintf(key, sizeof key, "f%lu", i);
    if (world_give(&world, "coach", key, i % 2 == 0) < 0)
      break;
  }
  world_close(&world);
}

/* ---- faults -------------------------------------------------------------------------------------
 */

static int count_descriptors(void) {
  DIR *folder = opendir("/proc/self/fd");
  int count = 0;

  if (!folder)
    return -1;
  while (readdir(folder))
    count++;
  (void)closedir(folder);
  return count;
}

/* How many lines of the log carry the key. */
static void count_left(const struct world *world, const char *agent, const char *key) {
  static char log[LOG_MAX];
  char pattern[64];
  const char *at = log;
  int count = 0;

  (void)snprintf(pattern, sizeof pattern, "\"idempotency_key\":\"%s\"", key);
  (void)world_read_file(world, agent, "executions.jsonl", log, sizeof log);
  for (; (at = strstr(at, pattern)) != NULL; at++)
    count++;
  say("left %s %s %d", agent, key, count);
}

static void retry(struct world *world) {
  static const char *const keys[] = {"k1", "k2", "s2"};
  static char log[LOG_MAX];
  size_t i;

  say("bytes %zu", world_read_file(world, "coach", "executions.jsonl", log, sizeof log));
  for (i = 0; i < sizeof keys / sizeof *keys; i++)
    count_left(world, "coach", keys[i]);
  if (!world->instance || world->plugin->flush(world->instance, 0, NULL) < 0) {
    world_close(world); /* what failed may be create, configure or start */
    if (world_open(world) != KAIZEN_OK)
      return;
  }
  for (i = 0; i < sizeof keys / sizeof *keys; i++)
    (void)world_give(world, "coach", keys[i], true);
  (void)world_give(world, "coach", "next", true);
}

static void plan_intrusion(struct fault_plan *plan, const char *how, char path[512]) {
  if (strcmp(how, "line") != 0 && strcmp(how, "piece") != 0)
    return;
  (void)snprintf(path, 512, "%s/.kaizen/metrics/coach/executions.jsonl", plan->root);
  plan->intruder = path;
  plan->intrusion = strcmp(how, "line") == 0 ? "{\"agent\":\"coach\",\"success\":true,"
                                               "\"idempotency_key\":\"foreign\"}\n"
                                             : "{\"agent\":\"coach\",\"succ";
}

/* With a publisher in the process: has it sent everything within that time? */
static bool sent(const struct world *world, unsigned timeout_ms) {
  return !world_broker() ||
         (world->instance && world->plugin->flush(world->instance, timeout_ms, NULL) == KAIZEN_OK);
}

static void do_fault(const struct command *command) {
  struct world world = world_of(command, 2);
  const struct scenario *scenario = scenario_of(command);
  struct fault_plan plan = {.root = world.root,
                            .kind = word(command, 4),
                            .nth = strtoul(word(command, 5), NULL, 10),
                            .sticky = atoi(word(command, 6)),
                            .os_error = atoi(word(command, 7)),
                            .shorten = atoi(word(command, 8))};
  fault_arm_fn arm;
  fault_disarm_fn disarm;
  struct fault_report report = {0};
  char path[512];
  int descriptors;

  plan_intrusion(&plan, word(command, 9), path);
  *(void **)&arm = dlsym(RTLD_DEFAULT, "fault_arm");
  *(void **)&disarm = dlsym(RTLD_DEFAULT, "fault_disarm");
  if (!arm || !disarm)
    exit(3);
  descriptors = count_descriptors();
  arm(&plan);
  if (world_open(&world) == KAIZEN_OK)
    scenario->run(&world);
  (void)sent(&world, 300);
  world_report(&world);
  disarm(&report);
  say("calm %lu %lu %s", report.calls, report.failed, report.where[0] ? report.where : "-");
  retry(&world);
  if (!sent(&world, 20000))
    say("unsent");
  if (plan.nth > report.calls) {
    plan.nth -= report.calls;
    arm(&plan); /* and while everything is closed */
    world_close(&world);
    disarm(&report);
    say("closed %lu", report.failed);
  }
  world_close(&world);
  say("descriptors %d", count_descriptors() - descriptors);
}

/* ---- commands -----------------------------------------------------------------------------------
 */

static const struct {
  const char *name;
  void (*act)(const struct command *command);
  unsigned kill_at; /* which word; 0: none */
} commands[] = {
    {"setup", do_setup, 0}, {"run", do_run, 4},     {"recover", do_recover, 3},
    {"fill", do_fill, 0},   {"fault", do_fault, 0},
};

static void split(struct command *command, char *line) {
  char *rest = NULL;

  command->count = 0;
  for (char *at = strtok_r(line, " \n", &rest); at && command->count < WORDS_MAX;
       at = strtok_r(NULL, " \n", &rest))
    command->words[command->count++] = at;
}

/* The child's part of it: nothing of the plugin runs in the parent. */
static void act(const struct command *command, size_t number, bool traced) {
  struct rlimit none = {0, 0};

  (void)setrlimit(RLIMIT_CORE, &none);
  if (traced)
    kill_wait_for_tracer();
  commands[number].act(command);
  _exit(0);
}

static void answer_end(pid_t child) {
  int status = 0;

  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    continue;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    say("end done 0");
  else
    say("end crashed %d", status);
}

static void perform(const struct command *command) {
  unsigned long kill_at = 0, count;
  size_t i = 0;
  pid_t child;
  int result;

  while (i < sizeof commands / sizeof *commands && strcmp(commands[i].name, word(command, 0)) != 0)
    i++;
  if (i == sizeof commands / sizeof *commands) {
    say("end unknown");
    return;
  }
  if (commands[i].kill_at)
    kill_at = strtoul(word(command, commands[i].kill_at), NULL, 10);
  child = fork();
  if (child == 0)
    act(command, i, kill_at > 0);
  if (kill_at == 0) {
    answer_end(child);
    return;
  }
  result = kill_before_call(child, kill_at, &count);
  say("end %s %lu", result == 1 ? "killed" : result == 0 ? "done" : "crashed", count);
}

static int serve(struct command *command) {
  static char line[LINE_MAX_BYTES];

  while (fgets(line, sizeof line, stdin)) {
    split(command, line);
    if (strcmp(word(command, 0), "list") == 0) {
      scenario_list();
      say("end done 0");
    } else if (command->count > 0) {
      perform(command);
    }
  }
  return 0;
}

int main(int argc, char **argv) {
  struct command command = {0};
  int i;

  if (argc < 2)
    return 2;
  command.plugin = world_load(argv[1]);
  if (!command.plugin)
    return 3;
  if (argc == 2)
    return serve(&command);
  for (i = 2; i < argc && command.count < WORDS_MAX; i++)
    command.words[command.count++] = argv[i];
  for (size_t number = 0; number < sizeof commands / sizeof *commands; number++)
    if (strcmp(commands[number].name, word(&command, 0)) == 0)
      act(&command, number, false);
  return 2;
}

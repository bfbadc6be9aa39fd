/* test_plugin_trouble.c - the real file on full, read-only and foreign file systems, and among
 * damage.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin_under_test.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define NOBODY 65534

TestSuite(plugin_trouble, .init = enter_plugin, .fini = leave_plugin);

static struct kaizen_receipt receipt;

static int32_t record_in(const char *agent, const char *key) {
  struct kaizen_execution execution = execution_of(agent);

  execution.idempotency_key = text_of(key);
  receipt = receipt_of();
  return plugin->on_execution_end(instance, &execution, &receipt, NULL);
}

static void expect_refused(const char *name, int32_t code, const char *thing, const char *what) {
  cr_expect_eq(code, KAIZEN_E_IO, "%s: %s", name, plugin->code_name(code));
  cr_expect(strstr(receipt.reason, thing), "%s: \"%s\" is not named in: %s", name, thing,
            receipt.reason);
  cr_expect(strstr(receipt.reason, what), "%s: \"%s\" is not said in: %s", name, what,
            receipt.reason);
}

static void use_fresh_instance(const char *more) {
  plugin->destroy(instance);
  instance = NULL;
  use_instance(more);
}

/* What stands in the way. */

Test(plugin_trouble, links_pipes_and_folders_in_the_way_are_named_and_nothing_is_written_outside) {
  static const char *const names[] = {"executions.jsonl", ".lock", ".next", ".index-2"};
  struct stat before, after;

  make_folders(in_sandbox("outside"));
  put_file(in_sandbox("outside/file"), "");
  cr_assert_eq(stat(in_sandbox("outside"), &before), 0);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    make_agent_folder("coach");
    (void)unlink(agent_file("coach", names[i]));
    cr_assert_eq(symlink(in_sandbox("outside/file"), agent_file("coach", names[i])), 0);
    use_fresh_instance("");
    expect_refused(names[i], record_in("coach", NULL), names[i], "symbolic link");
    cr_assert_eq(unlink(agent_file("coach", names[i])), 0);

    cr_assert_eq(symlink(in_sandbox("outside/new"), agent_file("coach", names[i])), 0);
    expect_refused(names[i], record_in("coach", NULL), names[i], "symbolic link");
    cr_assert_eq(unlink(agent_file("coach", names[i])), 0);

    cr_assert_eq(link(in_sandbox("outside/file"), agent_file("coach", names[i])), 0);
    expect_refused(names[i], record_in("coach", NULL), names[i], "hard links");
    cr_assert_eq(unlink(agent_file("coach", names[i])), 0);

    cr_assert_eq(mkfifo(agent_file("coach", names[i]), 0600), 0);
    expect_refused(names[i], record_in("coach", NULL), names[i], "not a regular file");
    cr_assert_eq(unlink(agent_file("coach", names[i])), 0);

    cr_assert_eq(mkdir(agent_file("coach", names[i]), 0700), 0);
    expect_refused(names[i], record_in("coach", NULL), names[i], "");
    cr_assert_eq(rmdir(agent_file("coach", names[i])), 0);
    cr_expect_eq(record_in("coach", NULL), KAIZEN_RECORDED, "%s: %s", names[i], receipt.reason);
  }
  cr_assert_eq(stat(in_sandbox("outside"), &after), 0);
  cr_assert_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec, "something was made outside");
  cr_assert_eq(size_of_file(in_sandbox("outside/file")), 0);
}

Test(plugin_trouble, files_of_another_user_are_refused_with_both_users) {
  static const char *const names[] = {"executions.jsonl", ".lock", ".index-2", ".state"};

  if (geteuid() != 0)
    cr_skip_test("only root can give a file away");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    use_fresh_instance(",\"emit_event\":true");
    cr_assert_eq(record_in("coach", NULL), KAIZEN_RECORDED, "%s", receipt.reason);
    cr_assert_eq(chown(agent_file("coach", names[i]), NOBODY, NOBODY), 0);
    use_fresh_instance(",\"emit_event\":true");
    expect_refused(names[i], record_in("coach", NULL), names[i], "belongs to user 65534");
    cr_assert_eq(chown(agent_file("coach", names[i]), 0, 0), 0);
    cr_expect_eq(record_in("coach", NULL), KAIZEN_RECORDED, "%s: %s", names[i], receipt.reason);
  }
}

/* A host that closes everything but the standard descriptors, as closefrom(3) does, and then opens
 * files and a folder of its own under the same numbers. */

#define OWN_FILES 64
#define OWN_TEXT "the host's own\n"

static int open_own_files(void) {
  if (mkdir(in_sandbox("own"), 0700) != 0)
    return -1;
  for (int i = 0; i < OWN_FILES; i++) {
    int fd = i % 2 ? open(in_sandbox("own"), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                   : open(in_sandbox("file-%d", i), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || (i % 2 == 0 && write(fd, OWN_TEXT, strlen(OWN_TEXT)) < 0))
      return -1;
  }
  return 0;
}

static bool own_files_are_as_they_were(void) {
  for (int i = 0; i < OWN_FILES; i += 2) {
    char text[64] = "";
    int fd = open(in_sandbox("file-%d", i), O_RDONLY | O_CLOEXEC);

    if (read(fd, text, sizeof text - 1) < 0 || strcmp(text, OWN_TEXT) != 0)
      return false;
    (void)close(fd);
  }
  return rmdir(in_sandbox("own")) == 0; /* nothing was made in it */
}

static int record_after_closing_everything(void) {
  struct kaizen_stats stats;
  uint64_t pending;

  use_instance(",\"emit_event\":true");
  if (record_in("coach", "one") != KAIZEN_RECORDED)
    return 1;
  for (int fd = 3; fd < 1024; fd++)
    (void)close(fd);
  if (open_own_files() != 0)
    return 2;
  for (int i = 0; i < 3; i++)
    if (record_in("coach", "two") != KAIZEN_E_IO || !strstr(receipt.reason, "closed descriptors"))
      return 3;
  stats = stats_of(instance);
  if (!(stats.flags & KAIZEN_STATS_INCOMPLETE))
    return 4;
  if (plugin->flush(instance, 100, &pending) != KAIZEN_E_IO)
    return 5;
  plugin->destroy(instance);
  instance = NULL;
  return own_files_are_as_they_were() ? 0 : 6;
}

Test(plugin_trouble, a_host_that_closed_all_descriptors_is_told_and_keeps_its_files) {
  pid_t child = fork();
  int status;

  if (child == 0) {
    plugin->destroy(instance);
    instance = NULL;
    _exit(record_after_closing_everything());
  }
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert(WIFEXITED(status));
  cr_assert_eq(WEXITSTATUS(status), 0, "step %d", WEXITSTATUS(status));
  cr_assert_eq(lines_of_file(agent_file("coach", "executions.jsonl")), 1);
}

/* Folders that may not be written to, seen by a user who may not do everything. */

static void give_to_nobody(const char *path) {
  cr_assert_eq(chown(path, NOBODY, NOBODY), 0);
}

static int record_without_permission(void) {
  char counted[64];

  use_instance("");
  if (record_in("coach", NULL) != KAIZEN_RECORDED)
    return 1;
  /* what is open can be written; the summary cannot be replaced, which costs no record */
  if (chmod(in_sandbox(".kaizen/metrics/coach"), 0500) != 0 ||
      record_in("coach", NULL) != KAIZEN_RECORDED)
    return 2;
  use_fresh_instance("");
  if (record_in("coach", NULL) != KAIZEN_RECORDED)
    return 3;
  if (record_in("other", NULL) != KAIZEN_RECORDED)
    return 4;
  if (chmod(in_sandbox(".kaizen/metrics/coach/executions.jsonl"), 0400) != 0)
    return 5;
  use_fresh_instance("");
  if (record_in("coach", NULL) != KAIZEN_E_IO || !strstr(receipt.reason, "executions.jsonl") ||
      !strstr(receipt.reason, "Permission denied"))
    return 6;
  if (chmod(in_sandbox(".kaizen/metrics"), 0500) != 0 || record_in("third", NULL) != KAIZEN_E_IO ||
      !strstr(receipt.reason, "third"))
    return 7;
  (void)chmod(in_sandbox(".kaizen/metrics"), 0700);
  (void)chmod(in_sandbox(".kaizen/metrics/coach"), 0700);
  (void)chmod(in_sandbox(".kaizen/metrics/coach/executions.jsonl"), 0600);
  use_fresh_instance("");
  if (record_in("coach", NULL) != KAIZEN_RECORDED)
    return 8;
  (void)snprintf(counted, sizeof counted, "\"execution_count\": 4,");
  return strstr(text_of_file(agent_file("coach", "summary.json")), counted) ? 0 : 9;
}

Test(plugin_trouble, what_may_not_be_written_costs_what_it_must_and_no_more) {
  pid_t child;
  int status;

  if (geteuid() != 0)
    cr_skip_test("only root can become somebody else");
  give_to_nobody(sandbox.root);
  child = fork();
  if (child == 0) {
    sandbox.owner = 0;
    if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
      _exit(99);
    _exit(record_without_permission());
  }
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert(WIFEXITED(status));
  cr_assert_eq(WEXITSTATUS(status), 0, "step %d", WEXITSTATUS(status));
}

/* A full disk. */

static bool mount_small_disk(const char *path) {
  return unshare(CLONE_NEWNS) == 0 && mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
         mount("tmpfs", path, "tmpfs", 0, "size=512k,mode=0700") == 0;
}

/* Every line is whole, and begins and ends as ours do. */
static void expect_whole_lines(const char *path, unsigned count) {
  char *text = text_of_file(path), *line, *rest = text;

  cr_assert_eq(count_in(text, "\n"), count);
  while ((line = strsep(&rest, "\n")) != NULL && rest)
    cr_assert(strncmp(line, "{\"timestamp\":", 13) == 0 && line[strlen(line) - 1] == '}', "%s",
              line);
  cr_assert(line && line[0] == '\0');
}

Test(plugin_trouble, a_full_disk_loses_nothing_recorded_and_keeps_nothing_else) {
  static const char *const syncs[] = {"never", "always"};

  make_folders(in_sandbox("disk"));
  if (geteuid() != 0 || !mount_small_disk(in_sandbox("disk")))
    cr_skip_test("no file system can be mounted here");
  for (int s = 0; s < 2; s++) {
    char more[128], key[32], agent[24];
    unsigned recorded = 0, failed = 0;
    struct kaizen_host_v1 host = plain_host();

    (void)snprintf(agent, sizeof agent, "agent-%s", syncs[s]);
    (void)snprintf(more, sizeof more, ",\"delivery\":\"relay\",\"fsync\":\"%s\"", syncs[s]);
    put_file(in_sandbox("disk/ballast"), "");
    cr_assert_eq(truncate(in_sandbox("disk/ballast"), 0), 0);
    instance = start_instance(&host, in_sandbox("disk"), more);
    for (unsigned i = 0; i < 20000 && failed < 50; i++) {
      int32_t code;

      (void)snprintf(key, sizeof key, "key-%u", i);
      code = record_in(agent, key);
      recorded += code == KAIZEN_RECORDED;
      failed += code != KAIZEN_RECORDED;
      if (code != KAIZEN_RECORDED) {
        cr_assert_eq(code, KAIZEN_E_IO, "%s: %s", plugin->code_name(code), receipt.reason);
        cr_assert(strstr(receipt.reason, "No space left"), "%s", receipt.reason);
      }
    }
    cr_assert_geq(failed, 50, "the disk was never full");
    expect_whole_lines(in_sandbox("disk/.kaizen/metrics/%s/executions.jsonl", agent), recorded);

    cr_assert_eq(unlink(in_sandbox("disk/ballast")), 0);
    plugin->destroy(instance);
    instance = NULL;
    if (s == 0)
      cr_assert_eq(nftw(in_sandbox("disk/.kaizen"), sandbox_remove_entry, 16, FTW_DEPTH | FTW_PHYS),
                   0);
  }
  cr_assert_eq(umount(in_sandbox("disk")), 0);
}

static void fill(const char *path) {
  static const char block[4096];
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

  cr_assert_geq(fd, 0);
  while (write(fd, block, sizeof block) > 0)
    continue;
  (void)close(fd);
}

Test(plugin_trouble, a_disk_that_is_full_for_a_while_is_recorded_to_again) {
  struct kaizen_host_v1 host = plain_host();
  unsigned recorded = 0;
  char key[32];

  make_folders(in_sandbox("disk"));
  if (geteuid() != 0 || !mount_small_disk(in_sandbox("disk")))
    cr_skip_test("no file system can be mounted here");
  instance = start_instance(&host, in_sandbox("disk"), ",\"delivery\":\"relay\"");
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 200; i++) {
      (void)snprintf(key, sizeof key, "key-%d-%d", round, i);
      cr_assert_eq(record_in("coach", key), KAIZEN_RECORDED, "%s", receipt.reason);
      recorded++;
    }
    fill(in_sandbox("disk/ballast"));
    for (int i = 0; i < 300; i++) {
      (void)snprintf(key, sizeof key, "full-%d-%d", round, i);
      recorded += record_in("coach", key) == KAIZEN_RECORDED;
    }
    cr_assert_eq(unlink(in_sandbox("disk/ballast")), 0);
    cr_assert_eq(record_in("coach", "key-0-0"), KAIZEN_DUPLICATE, "%s", receipt.reason);
  }
  cr_assert_eq(record_in("coach", NULL), KAIZEN_RECORDED, "%s", receipt.reason);
  expect_whole_lines(in_sandbox("disk/.kaizen/metrics/coach/executions.jsonl"), recorded + 1);
  (void)snprintf(key, sizeof key, "\"execution_count\": %u,", recorded + 1);
  cr_assert(strstr(text_of_file(in_sandbox("disk/.kaizen/metrics/coach/summary.json")), key));
  plugin->destroy(instance);
  instance = NULL;
  cr_assert_eq(umount(in_sandbox("disk")), 0);
}

/* A failed append leaves no trace of its key either: of a key, only so many places in the log are
 * looked at. */
Test(plugin_trouble, a_key_that_failed_again_and_again_is_recorded_once) {
  struct rlimit saved, small;
  char filler[8192];

  use_instance("");
  memset(filler, 'x',
         sizeof filler - 1); /* the log is larger than the checkpoint, which may grow */
  filler[sizeof filler - 1] = '\0';
  for (int i = 0; i < 20; i++) {
    struct kaizen_execution execution = execution_of("coach");

    execution.session_id = text_of(filler);
    cr_assert_eq(plugin->on_execution_end(instance, &execution, NULL, NULL), KAIZEN_RECORDED);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &saved), 0);
    small = saved;
    small.rlim_cur = size_of_file(agent_file("coach", "executions.jsonl"));
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    cr_assert_eq(record_in("coach", "key"), KAIZEN_E_IO, "%s", receipt.reason);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &saved), 0);
  }
  cr_assert_eq(record_in("coach", "key"), KAIZEN_RECORDED, "%s", receipt.reason);
  cr_assert_eq(record_in("coach", "key"), KAIZEN_DUPLICATE, "%s", receipt.reason);
  cr_assert_eq(lines_of_file(agent_file("coach", "executions.jsonl")), 21);
}

/* Damage under a live instance. */

static void remove_file(const char *path) {
  cr_assert(unlink(path) == 0 || errno == ENOENT, "%s: %s", path, strerror(errno));
}

static void empty_file(const char *path) {
  put_file(path, "");
}

static void fill_with_garbage(const char *path) {
  static const char garbage[3000] = "\x01\x02garbage\n\n\xff";

  put_bytes(path, O_TRUNC, garbage, sizeof garbage);
}

Test(plugin_trouble, derived_files_may_be_removed_or_damaged_between_any_two_calls) {
  static void (*const harms[])(const char *) = {remove_file, empty_file, fill_with_garbage};
  static const char *const names[] = {"summary.json", ".index-2", ".lock", ".next"};
  unsigned lines = 0;
  char key[32], counted[64];

  use_instance(",\"emit_event\":true");
  for (size_t h = 0; h < 3; h++)
    for (size_t n = 0; n < 4; n++) {
      (void)snprintf(key, sizeof key, "%zu-%zu", h, n);
      cr_assert_eq(record_in("coach", key), KAIZEN_RECORDED, "%s", receipt.reason);
      harms[h](agent_file("coach", names[n]));
      cr_expect_eq(record_in("coach", key), KAIZEN_DUPLICATE, "%s: %s", names[n], receipt.reason);
      cr_expect_eq(record_in("coach", NULL), KAIZEN_RECORDED, "%s: %s", names[n], receipt.reason);
      lines += 2;
      (void)snprintf(counted, sizeof counted, "\"execution_count\": %u,", lines);
      cr_expect(strstr(text_of_file(agent_file("coach", "summary.json")), counted), "%s", names[n]);
    }
  cr_assert_eq(lines_of_file(agent_file("coach", "executions.jsonl")), lines);
}

/* The same file as before, as cp(1) restores it. */
static void expect_keys_survive_an_older_index(const char *agent, unsigned before, unsigned after) {
  char *older = NULL, key[32];
  size_t len = 0;

  for (unsigned i = 0; i < before + after; i++) {
    if (i == before)
      older = bytes_of_file(agent_file(agent, ".index-2"), &len);
    (void)snprintf(key, sizeof key, "key-%u", i);
    cr_assert_eq(record_in(agent, key), KAIZEN_RECORDED, "%s", receipt.reason);
  }
  put_bytes(agent_file(agent, ".index-2"), O_TRUNC, older, len);
  for (unsigned i = before; i < before + after; i++) {
    (void)snprintf(key, sizeof key, "key-%u", i);
    cr_expect_eq(record_in(agent, key), KAIZEN_DUPLICATE, "%s of %s: %s", key, agent,
                 receipt.reason);
  }
  cr_expect_eq(lines_of_file(agent_file(agent, "executions.jsonl")), before + after);
}

Test(plugin_trouble, an_older_index_that_is_written_over_it_costs_no_key) {
  use_instance("");
  expect_keys_survive_an_older_index("same-size", 40, 10);
  expect_keys_survive_an_older_index("it-had-grown", 100, 60);
}

Test(plugin_trouble, a_removed_state_holds_what_is_pending_and_stops_nobody) {
  use_instance(",\"emit_event\":true");
  cr_assert_eq(record_in("coach", "k"), KAIZEN_RECORDED);
  cr_assert_eq(stats_of(instance).pending, 1);
  fill_with_garbage(agent_file("coach", ".state"));
  cr_assert_eq(record_in("coach", "l"), KAIZEN_RECORDED, "%s", receipt.reason);
  remove_file(agent_file("coach", ".state"));
  cr_assert_eq(record_in("coach", "m"), KAIZEN_RECORDED, "%s", receipt.reason);
  cr_assert_eq(stats_of(instance).marked, 3);
  cr_assert_eq(stats_of(instance).pending, 3, "marked is the sum of the rest");
}

Test(plugin_trouble, a_state_that_is_gone_or_in_the_way_stops_no_host_that_lives) {
  const char *state = agent_file("coach", ".state");

  use_instance(",\"emit_event\":true");
  cr_assert_eq(record_in("coach", NULL), KAIZEN_RECORDED);
  remove_file(state);
  for (int i = 0; i < 80; i++)
    cr_assert_eq(record_in("coach", NULL), KAIZEN_RECORDED, "%s", receipt.reason);
  cr_expect(is_there(state), "it is made again, so that later events are not held back");
  remove_file(state);
  cr_assert_eq(mkdir(state, 0700), 0);
  for (int i = 0; i < 80; i++)
    cr_assert_eq(record_in("coach", NULL), KAIZEN_RECORDED, "%s", receipt.reason);
}

Test(plugin_trouble, an_id_that_was_removed_is_left_to_the_publisher) {
  const char *id = in_sandbox(".kaizen/metrics/.id");

  use_instance(",\"emit_event\":true");
  cr_assert_eq(record_in("coach", NULL), KAIZEN_RECORDED);
  remove_file(id);
  for (int i = 0; i < 80; i++)
    cr_assert_eq(record_in("coach", NULL), KAIZEN_RECORDED, "%s", receipt.reason);
  cr_assert_not(is_there(id), "another one would hold all events back");
}

Test(plugin_trouble, sixteen_descriptors_are_enough_for_forty_agents) {
  char agent[24];

  use_instance(",\"fsync\":\"always\",\"emit_event\":true");
  limit_descriptors(11);
  for (int i = 0; i < 80; i++) {
    (void)snprintf(agent, sizeof agent, "agent-%d", i % 40);
    cr_assert_eq(record_in(agent, NULL), KAIZEN_RECORDED, "%s", receipt.reason);
  }
  limit_descriptors(SIZE_MAX);
  cr_assert_eq(stats_of(instance).marked, 80);
}

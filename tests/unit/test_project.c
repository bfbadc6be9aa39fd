/* test_project.c - a project's root and folders, and everything in their place that is refused.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "project_scene.h"

TestSuite(project, .init = set_up, .fini = tear_down);

/* The root. */

Test(project, a_root_that_cannot_be_used_is_refused_with_its_path) {
  static const char *const why = "project_root";

  must_refuse("missing", project_open(&project, in_sandbox("none"), false, false, &error), "none",
              why);
  put_file(in_sandbox("file"), "");
  must_refuse("a file", project_open(&project, in_sandbox("file"), false, false, &error), "file",
              "Not a directory");
  cr_assert_eq(symlink("none", in_sandbox("link")), 0);
  must_refuse("a dead link", project_open(&project, in_sandbox("link"), false, false, &error),
              "link", "No such file");
  cr_assert_eq(error.code, KAIZEN_E_CONFIG);
}

Test(project, a_link_to_a_root_is_resolved_once) {
  cr_assert_eq(mkdir(in_sandbox("shop"), 0700), 0);
  cr_assert_eq(symlink("shop", in_sandbox("link")), 0);
  cr_assert_eq(project_open(&project, in_sandbox("link"), false, false, &error), 0);
  cr_assert_str_eq(project.root, in_sandbox("shop"));
}

Test(project, opening_touches_nothing) {
  open_project(true);
  cr_assert_eq(open_agent(false), 1);
  cr_assert_not(is_there(in_sandbox(".kaizen")));
}

Test(project, a_root_of_another_user_is_refused) {
  if (geteuid() != 0)
    cr_skip_test("only root can give a folder away");
  cr_assert_eq(mkdir(in_sandbox("theirs"), 0777), 0);
  cr_assert_eq(chown(in_sandbox("theirs"), NOBODY, NOBODY), 0);
  must_refuse("another's", project_open(&project, in_sandbox("theirs"), false, false, &error),
              "theirs", "belongs to user 65534");
}

/* Runs `check` as somebody who may not do everything; its result is the exit status. */
static int as_nobody(int (*check)(void)) {
  pid_t child = fork();
  int status;

  if (child == 0) {
    if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
      _exit(99);
    _exit(check());
  }
  cr_assert_eq(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int check_read_only_root(void) {
  return project_open(&project, in_sandbox("mine"), false, false, &error) == -1 &&
                 strstr(error.text, "cannot be written")
             ? 0
             : 1;
}

static int check_read_only_agent(void) {
  int fd, result;

  if (project_open(&project, in_sandbox("mine"), false, false, &error) != 0)
    return 1;
  result = project_agent_folder(&project, "coach", true, &fd, &error);
  return result == -1 && strstr(error.text, "coach") && strstr(error.text, "Permission denied") ? 0
                                                                                                : 2;
}

Test(project, what_may_not_be_written_to_is_said_to_be) {
  if (geteuid() != 0)
    cr_skip_test("only root can become somebody else");
  cr_assert_eq(chmod(sandbox.root, 0755), 0);
  cr_assert_eq(mkdir(in_sandbox("mine"), 0500), 0);
  cr_assert_eq(chown(in_sandbox("mine"), NOBODY, NOBODY), 0);
  cr_assert_eq(as_nobody(check_read_only_root), 0);

  cr_assert_eq(chmod(in_sandbox("mine"), 0700), 0);
  make_folders(in_sandbox("mine/.kaizen/metrics"));
  cr_assert_eq(chown(in_sandbox("mine/.kaizen"), NOBODY, NOBODY), 0);
  cr_assert_eq(chown(in_sandbox("mine/.kaizen/metrics"), NOBODY, NOBODY), 0);
  cr_assert_eq(chmod(in_sandbox("mine/.kaizen/metrics"), 0500), 0);
  cr_assert_eq(as_nobody(check_read_only_agent), 0);
}

/* Folders. */

Test(project, folders_are_made_private_whatever_the_umask) {
  static const char *const folders[] = {".kaizen", ".kaizen/metrics", ".kaizen/metrics/coach"};
  struct stat status;

  (void)umask(0);
  for (int sync = 0; sync < 2; sync++) {
    open_project(sync);
    cr_assert_eq(open_agent(true), 0, "%s", error.text);
    for (size_t i = 0; i < 3; i++) {
      cr_assert_eq(stat(in_sandbox("%s", folders[i]), &status), 0);
      cr_assert_eq(status.st_mode & 07777, 0700, "%s", folders[i]);
    }
    cr_assert_eq(open_agent(true), 0);
    project_close(&project);
    cr_assert_eq(nftw(in_sandbox(".kaizen"), sandbox_remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
  }
}

Test(project, a_new_metrics_folder_is_kept_out_of_git_once) {
  for (int sync = 0; sync < 2; sync++) {
    open_project(sync);
    cr_assert_eq(open_agent(true), 0, "%s", error.text);
    cr_expect_str_eq(text_of_file(in_sandbox(".kaizen/metrics/.gitignore")), "*\n");
    cr_assert_eq(unlink(in_sandbox(".kaizen/metrics/.gitignore")), 0);
    cr_assert_eq(rmdir(in_sandbox(".kaizen/metrics/coach")), 0);
    cr_assert_eq(open_agent(true), 0);
    cr_expect_not(is_there(in_sandbox(".kaizen/metrics/.gitignore")),
                  "sync %d: who deletes it wants the metrics in git", sync);
    project_close(&project);
    cr_assert_eq(nftw(in_sandbox(".kaizen"), sandbox_remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
  }
}

Test(project, a_metrics_folder_that_was_there_is_left_to_git) {
  make_folders(in_sandbox(".kaizen/metrics"));
  open_project(true);
  cr_assert_eq(open_agent(true), 0);
  cr_expect_not(is_there(in_sandbox(".kaizen/metrics/.gitignore")));
}

Test(project, a_metrics_folder_that_cannot_be_kept_out_of_git_is_not_made) {
  struct rlimit none = {0, RLIM_INFINITY}, before;
  int result;

  open_project(false);
  (void)signal(SIGXFSZ, SIG_IGN);
  cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
  none.rlim_max = before.rlim_max;
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
  result = open_agent(true);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
  must_refuse("no room", result, ".gitignore", "File too large");
  cr_expect_not(is_there(in_sandbox(".kaizen/metrics")));
  cr_assert_eq(open_agent(true), 0);
  cr_expect(is_there(in_sandbox(".kaizen/metrics/.gitignore")));
}

static void put_in_the_way(const char *kind, const char *path) {
  if (strcmp(kind, "link") == 0)
    cr_assert_eq(symlink(in_sandbox("outside"), path), 0);
  else if (strcmp(kind, "file") == 0)
    put_file(path, "in the way");
  else if (strcmp(kind, "fifo") == 0)
    cr_assert_eq(mkfifo(path, 0600), 0);
  else
    cr_assert(mkdir(path, 0700) == 0 && chown(path, NOBODY, NOBODY) == 0);
}

static void refuse_what_is_no_folder_of_ours(void) {
  static const struct {
    const char *kind, *why;
  } kinds[] = {{"link", "symbolic link"},
               {"file", "Not a directory"},
               {"fifo", "Not a directory"},
               {"another user's folder", "belongs to user"}};
  static const char *const paths[] = {".kaizen", ".kaizen/metrics", ".kaizen/metrics/coach"};
  unsigned before = open_descriptors();

  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
    for (size_t p = 0; p < 3; p++)
      for (int sync = 0; sync < 2; sync++) {
        char name[64], above[512];

        if (k == 3 && geteuid() != 0)
          continue;
        (void)snprintf(name, sizeof name, "%s at %s, sync %d", kinds[k].kind, paths[p], sync);
        (void)snprintf(above, sizeof above, "%s", in_sandbox("%s", paths[p]));
        *strrchr(above, '/') = '\0';
        make_folders(above);
        make_folders(in_sandbox("outside"));
        put_in_the_way(kinds[k].kind, in_sandbox("%s", paths[p]));
        open_project(sync);
        must_refuse(name, open_agent(true), strrchr(in_sandbox("%s", paths[p]), '/') + 1,
                    kinds[k].why);
        cr_expect_eq(error.code, KAIZEN_E_IO, "%s", name);
        cr_expect_eq(rmdir(in_sandbox("outside")), 0, "%s: something was made outside", name);
        project_close(&project);
        cr_assert_eq(nftw(in_sandbox(".kaizen"), sandbox_remove_entry, 16, FTW_DEPTH | FTW_PHYS),
                     0);
      }
  cr_assert_eq(open_descriptors(), before);
}

Test(project, what_is_no_folder_of_ours_is_refused_by_name_and_never_followed) {
  refuse_what_is_no_folder_of_ours();
}

Test(project, what_is_no_folder_of_ours_is_refused_by_older_kernels_too) {
  forbid_openat2(ENOSYS);
  refuse_what_is_no_folder_of_ours();
}

Test(project, what_is_no_folder_of_ours_is_refused_in_containers_too) {
  forbid_openat2(EPERM);
  refuse_what_is_no_folder_of_ours();
}

Test(project, what_is_no_folder_of_ours_is_refused_in_sandboxes_too) {
  forbid_openat2(EACCES);
  refuse_what_is_no_folder_of_ours();
}

static int note_agent(void *ctx, const char *agent) {
  (void)strcat(ctx, agent);
  (void)strcat(ctx, " ");
  return strcmp(agent, "stop") == 0 ? 7 : 0;
}

Test(project, agents_are_the_folders_with_legal_names) {
  char names[256] = "";

  open_project(false);
  cr_assert_eq(project_each_agent(&project, true, note_agent, names, &error), 0);
  cr_assert_str_eq(names, "");
  make_agent_folder("coach");
  make_agent_folder("a.b-c_9");
  make_agent_folder("optimizer");
  make_agent_folder("not legal");
  make_agent_folder(".hidden");
  put_file(in_sandbox(".kaizen/metrics/file"), "");
  cr_assert_eq(symlink("coach", in_sandbox(".kaizen/metrics/link")), 0);
  cr_assert_eq(project_each_agent(&project, true, note_agent, names, &error), 0);
  cr_assert_str_eq(names, "a.b-c_9 coach link ", "a link to a folder is refused, not overlooked");
  make_agent_folder("stop");
  make_agent_folder("zebra");
  names[0] = '\0';
  cr_assert_eq(project_each_agent(&project, true, note_agent, names, &error), 7);
  cr_assert_str_eq(names, "a.b-c_9 coach link stop ");
}

Test(project, many_agents_are_all_seen) {
  char *names = calloc(1, 20000);

  open_project(false);
  for (int i = 0; i < 1000; i++) {
    char agent[24];

    (void)snprintf(agent, sizeof agent, "agent-%d", i);
    make_agent_folder(agent);
  }
  cr_assert_eq(project_each_agent(&project, false, note_agent, names, &error), 0);
  cr_assert_eq(count_in(names, " "), 1000);
  free(names);
}

Test(project, a_root_whose_descriptor_the_host_took_is_unknown_and_nothing_is_made_there) {
  int elsewhere, fd;

  open_project(false);
  cr_assert_eq(open_agent(true), 0);
  make_folders(in_sandbox("elsewhere"));
  elsewhere = open(in_sandbox("elsewhere"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  cr_assert_eq(dup2(elsewhere, project.root_fd), project.root_fd);
  for (int create = 0; create < 2; create++) {
    error = (struct error){0};
    cr_assert_eq(project_metrics_folder(&project, create, &fd, &error), -1, "%d", create);
    cr_assert(strstr(error.text, "closed descriptors"), "%s", error.text);
    cr_assert_eq(project_agent_folder(&project, "coach", create, &fd, &error), -1, "%d", create);
  }
  cr_assert_not(is_there(in_sandbox("elsewhere/.kaizen")));
  make_folders(in_sandbox("elsewhere/.kaizen/metrics/coach"));
  cr_assert_eq(project_metrics_folder(&project, false, &fd, &error), -1, "another project's");
  fd = project.root_fd;
  project_close(&project);
  cr_assert_geq(fcntl(fd, F_GETFD), 0, "the host's folder was closed");
  (void)close(elsewhere);
}

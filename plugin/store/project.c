/* project.c - one project root on disk: its metrics folder, its agents' folders.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/project.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/directory.h"
#include "base/os_files.h"
#include "base/os_process.h"
#include "base/uuid.h"
#include "record/agent_name.h"
#include "store/project_root.h"

#define KAIZEN_FOLDER ".kaizen"
#define METRICS_FOLDER "metrics"
#define IGNORE_FILE ".gitignore"

struct project_users {
  atomic_uint count;
};

static int refuse_network_file_system(const char *root, int root_fd, struct error *error) {
  const char *name;

  if (os_files_network(root_fd, &name) != 0)
    return error_set_errno(error, KAIZEN_E_CONFIG, errno, "project_root \"%s\": fstatfs", root);
  if (!name)
    return 0;
  return error_set(
      error, KAIZEN_E_CONFIG,
      "project_root \"%s\" is on %s, where locks and appends are not safe between machines; use a "
      "local folder, or set allow_network_fs to true if only one machine writes",
      root, name);
}

/* All zero where the boot is not known: nothing is then taken to be of this one. */
static void read_boot_id(unsigned char boot_id[16]) {
  char text[UUID_TEXT_SIZE];

  memset(boot_id, 0, 16);
  os_process_boot_text(text, sizeof text);
  if (uuid_is_text((struct span){text, strlen(text)}))
    uuid_pack(text, boot_id);
}

/* Whether this process is of that group; root is of every one. */
static bool is_member(gid_t group) {
  int count = getgroups(0, NULL);
  gid_t *groups = count > 0 ? calloc((size_t)count, sizeof *groups) : NULL;
  bool found = geteuid() == 0 || getegid() == group;

  if (groups)
    count = getgroups(count, groups);
  for (int i = 0; groups && !found && i < count; i++)
    found = groups[i] == group;
  free(groups);
  return found;
}

static int check_root_owner(const struct project *project, const char *root,
                            const struct stat *status, struct error *error) {
  if (status->st_uid == geteuid())
    return 0;
  if (!project->of_group)
    return error_set(error, KAIZEN_E_CONFIG,
                     "project_root \"%s\" belongs to user %ld, this process runs as %ld; run as "
                     "its owner, give the folder to this user, or set owner to \"group\" where a "
                     "group shares it",
                     root, (long)status->st_uid, (long)geteuid());
  if (is_member(status->st_gid))
    return 0;
  return error_set(error, KAIZEN_E_CONFIG,
                   "project_root \"%s\" belongs to group %ld, of which this process is not a "
                   "member; run it in that group (its own is %ld)",
                   root, (long)status->st_gid, (long)getegid());
}

static int begin_life(struct project *project, struct error *error) {
  struct stat status;

  if (fstat(project->root_fd, &status) != 0)
    return error_set_errno(error, KAIZEN_E_CONFIG, errno, "project_root \"%s\"", project->root);
  project->device = status.st_dev;
  project->inode = status.st_ino;
  (void)os_process_random(project->life, sizeof project->life);
  return 0;
}

static int check_root(const struct project *project, const char *root, bool allow_network_fs,
                      struct error *error) {
  struct stat status;

  if (fstat(project->root_fd, &status) != 0)
    return error_set_errno(error, KAIZEN_E_CONFIG, errno, "project_root \"%s\"", root);
  if (check_root_owner(project, root, &status, error) != 0)
    return -1;
  if (faccessat(project->root_fd, ".", W_OK | X_OK, AT_EACCESS) != 0)
    return error_set_errno(error, KAIZEN_E_CONFIG, errno, "project_root \"%s\" cannot be written",
                           root);
  return allow_network_fs ? 0 : refuse_network_file_system(root, project->root_fd, error);
}

static int open_root(struct project *project, const char *root, struct error *error) {
  project->users = malloc(sizeof *project->users);
  if (!project->users)
    return error_set(error, KAIZEN_E_NOMEM, "out of memory");
  atomic_init(&project->users->count, 1);
  descriptors_hold(1);
  project->root = realpath(root, NULL);
  if (!project->root) {
    (void)(errno == ENOMEM
               ? error_set(error, KAIZEN_E_NOMEM, "out of memory")
               : error_set_errno(error, KAIZEN_E_CONFIG, errno, "project_root \"%s\"", root));
    project_close(project);
    return -1;
  }
  project->root_fd = os_files_openat(AT_FDCWD, project->root, O_RDONLY | O_DIRECTORY, 0);
  if (project->root_fd < 0) {
    (void)error_set_errno(error, KAIZEN_E_CONFIG, errno, "project_root \"%s\"", root);
    project_close(project);
    return -1;
  }
  read_boot_id(project->boot_id);
  if (begin_life(project, error) == 0)
    return 0;
  project_close(project);
  return -1;
}

int project_open_to_read(struct project *project, const char *root, struct error *error) {
  *project = (struct project){.root_fd = -1, .only_reads = true};
  return open_root(project, root, error);
}

static int open_checked(struct project *project, const char *root, bool allow_network_fs,
                        struct error *error) {
  if (open_root(project, root, error) != 0)
    return -1;
  if (check_root(project, root, allow_network_fs, error) == 0)
    return 0;
  project_close(project);
  return -1;
}

int project_open(struct project *project, const char *root, bool allow_network_fs, bool sync,
                 struct error *error) {
  *project = (struct project){.root_fd = -1, .sync = sync};
  return open_checked(project, root, allow_network_fs, error);
}

int project_open_for_group(struct project *project, const char *root, bool allow_network_fs,
                           bool sync, struct error *error) {
  *project = (struct project){.root_fd = -1, .sync = sync, .of_group = true};
  return open_checked(project, root, allow_network_fs, error);
}

int project_share(const struct project *project, struct project *copy) {
  *copy = *project;
  copy->root = strdup(project->root);
  if (!copy->root) {
    *copy = (struct project){.root_fd = -1};
    return -1;
  }
  (void)atomic_fetch_add(&copy->users->count, 1);
  return 0;
}

void project_close(struct project *project) {
  if (project->users && atomic_fetch_sub(&project->users->count, 1) == 1) {
    if (project->root_fd >= 0 &&
        (project->inode == 0 ||
         directory_is_file(project->root_fd, project->device, project->inode)))
      (void)close(project->root_fd);
    free(project->users);
    descriptors_release(1);
  }
  free(project->root);
  *project = (struct project){.root_fd = -1};
}

static int refuse_unshared(const char *name, uid_t owner, struct error *error) {
  return error_set(error, KAIZEN_E_IO,
                   "%s: belongs to user %ld and is not shared with a group; its owner can share it "
                   "with chmod -R g+rwX,g+s " KAIZEN_FOLDER,
                   name, (long)owner);
}

/* Checks that a folder below the root is shared by the group exactly when the setting `owner` says
 * so.  With `makes` a folder of ours is opened to the group. */
static int check_sharing(const struct project *project, const char *name, int fd, bool makes,
                         struct error *error) {
  struct stat status;

  if (project->only_reads)
    return 0;
  if (fstat(fd, &status) != 0)
    return error_set_errno(error, KAIZEN_E_IO, errno, "%s: fstat", name);
  if (directory_is_shared(&status) == project->of_group)
    return 0;
  if (!project->of_group)
    return error_set(
        error, KAIZEN_E_IO,
        "%s: is shared with group %ld; set owner to \"group\", or end it with chmod -R "
        "g-ws " KAIZEN_FOLDER,
        name, (long)status.st_gid);
  if (status.st_uid == geteuid())
    return makes ? directory_share_folder(project->root_fd, name, fd, error) : 0;
  return refuse_unshared(name, status.st_uid, error);
}

/* In a project of a group another user may have made the folder a moment ago, and not yet shared
 * it: try again while the folder is that new. */
static int make_folder(const struct project *project, int parent_fd, const char *name, bool *made,
                       int *fd, struct error *error) {
  enum { TRIES = 400, TRIES_OF_OTHERS = 20, PAUSE_NS = 5000000, YOUNG_S = 2 };
  struct stat status;
  int others = 0; /* refusals with another cause, or with one that was gone a moment later */

  for (int i = 0; directory_make_folder(parent_fd, name, made, fd, error) != 0; i++) {
    bool is_unshared = project->of_group &&
                       fstatat(parent_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                       status.st_uid != geteuid() && !directory_is_shared(&status);

    if (is_unshared &&
        (i == TRIES || clock_wall_ns() / 1000000000 > status.st_ctim.tv_sec + YOUNG_S))
      return refuse_unshared(name, status.st_uid, error);
    if (!project->of_group || (!is_unshared && ++others > TRIES_OF_OTHERS))
      return -1;
    clock_pause_ns(PAUSE_NS);
    if (error)
      *error = (struct error){0}; /* of a try that is made again */
  }
  if (check_sharing(project, name, *fd, true, error) == 0)
    return 0;
  (void)close(*fd);
  *fd = -1;
  return -1;
}

/* Opens `name` in `parent_fd`, made when missing and then synced into its parent; *made says
 * whether it was, and may be NULL. */
static int enter_folder(const struct project *project, int parent_fd, const char *name, bool *made,
                        int *fd, struct error *error) {
  bool is_new;

  if (make_folder(project, parent_fd, name, made ? made : &is_new, fd, error) != 0)
    return -1;
  if (project->sync && fsync(parent_fd) != 0) {
    (void)error_set_errno(error, KAIZEN_E_IO, errno, "%s: cannot sync the folder it is in", name);
    (void)close(*fd);
    *fd = -1;
    return -1;
  }
  return 0;
}

static int check_root_in_use(const struct project *project, struct error *error) {
  return project_root_check(project->root_fd, project->device, project->inode, project->root,
                            error);
}

/* One that is there. */
static int open_folder(const struct project *project, const char *path, bool makes, int *fd,
                       struct error *error) {
  int result = directory_open_folder(project->root_fd, path, fd, error);

  if (result == 0 && !directory_is_file(project->root_fd, project->device, project->inode)) {
    (void)close(*fd);
    *fd = -1;
    result = 1;
  }
  if (result == 0 && check_sharing(project, path, *fd, makes, error) != 0) {
    (void)close(*fd);
    *fd = -1;
    result = -1;
  }
  return result != 0 && check_root_in_use(project, error) != 0 ? -1 : result;
}

/* Keeps the new folder out of the user's repository.  Made together with the folder and never
 * again: a user who deletes it wants the metrics in git.  When it cannot be made the folder is
 * removed, too, so that the next call makes both. */
static int ignore_in_git(const struct project *project, int kaizen_fd, int metrics_fd,
                         struct error *error) {
  int fd;
  int result =
      directory_open_file(metrics_fd, IGNORE_FILE, O_WRONLY | O_CREAT | O_EXCL, &fd, error);

  if (result == 1)
    result = error_set(error, KAIZEN_E_IO,
                       PROJECT_METRICS_PATH ": was removed while it was being created");
  if (fd >= 0) {
    result = directory_write_at(fd, "*\n", 2, 0, error);
    if (result == 0 && project->sync && fdatasync(fd) != 0)
      result = error_set_errno(error, KAIZEN_E_IO, errno, "cannot sync");
    (void)close(fd);
    if (result != 0) {
      error_prefix(error, PROJECT_METRICS_PATH "/" IGNORE_FILE);
      (void)unlinkat(metrics_fd, IGNORE_FILE, 0);
    }
  }
  if (result != 0)
    (void)unlinkat(kaizen_fd, METRICS_FOLDER, AT_REMOVEDIR); /* stays when it is not empty */
  return result;
}

int project_metrics_folder(const struct project *project, bool create, int *fd,
                           struct error *error) {
  bool made = false;
  int kaizen_fd, result;

  if (!create)
    return open_folder(project, PROJECT_METRICS_PATH, false, fd, error);
  if (check_root_in_use(project, error) != 0 ||
      enter_folder(project, project->root_fd, KAIZEN_FOLDER, NULL, &kaizen_fd, error) != 0)
    return -1;
  result = enter_folder(project, kaizen_fd, METRICS_FOLDER, &made, fd, error);
  if (result == 0 && made && ignore_in_git(project, kaizen_fd, *fd, error) != 0) {
    (void)close(*fd);
    *fd = -1;
    result = -1;
  }
  (void)close(kaizen_fd);
  return result;
}

int project_agent_folder(const struct project *project, const char *agent, bool create, int *fd,
                         struct error *error) {
  char path[sizeof PROJECT_METRICS_PATH + 1 + AGENT_NAME_MAX];
  int metrics_fd, result;

  if (!create || !(project->sync || project->of_group)) { /* else each folder is looked after */
    (void)snprintf(path, sizeof path, PROJECT_METRICS_PATH "/%s", agent);
    result = open_folder(project, path, create, fd, error);
    if (result != 1 || !create)
      return result;
  }
  if (project_metrics_folder(project, true, &metrics_fd, error) != 0)
    return -1;
  result = enter_folder(project, metrics_fd, agent, NULL, fd, error);
  (void)close(metrics_fd);
  return result;
}

void project_drop_agent_folder(const struct project *project, const char *agent) {
  int metrics_fd;

  if (project_metrics_folder(project, false, &metrics_fd, NULL) != 0)
    return;
  (void)unlinkat(metrics_fd, agent, AT_REMOVEDIR);
  (void)close(metrics_fd);
}

static int compare_names(const void *a, const void *b) {
  return strcmp(a, b);
}

typedef char agent_name[AGENT_NAME_MAX + 1];

/* What cannot be looked at counts: opening it will say why. */
static bool is_agent_entry(int metrics_fd, const struct dirent *entry) {
  struct stat status;

  if (agent_name_check((struct span){entry->d_name, strlen(entry->d_name)}, NULL) != 0)
    return false;
  if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK)
    return entry->d_type == DT_DIR;
  if (fstatat(metrics_fd, entry->d_name, &status, 0) == 0)
    return S_ISDIR(status.st_mode);
  return errno != ENOENT && errno != ELOOP;
}

static int collect_agents(DIR *folder, agent_name **names, size_t *count, struct error *error) {
  size_t room = 0;
  struct dirent *entry;

  for (errno = 0; (entry = readdir(folder)) != NULL; errno = 0) {
    if (!is_agent_entry(dirfd(folder), entry))
      continue;
    if (*count == room) {
      size_t more = room ? room * 2 : 64;
      agent_name *grown = realloc(*names, more * sizeof **names);

      if (!grown)
        return error_set(error, KAIZEN_E_NOMEM, "out of memory");
      *names = grown;
      room = more;
    }
    memcpy((*names)[(*count)++], entry->d_name,
           strlen(entry->d_name) + 1); /* the grammar bounds it */
  }
  return errno != 0 ? error_set_errno(error, KAIZEN_E_IO, errno, PROJECT_METRICS_PATH ": readdir")
                    : 0;
}

int project_each_agent(const struct project *project, bool sorted,
                       int (*each)(void *ctx, const char *agent), void *ctx, struct error *error) {
  agent_name *names = NULL;
  size_t count = 0, i;
  int metrics_fd;
  int result = project_metrics_folder(project, false, &metrics_fd, error);
  DIR *folder;

  if (result != 0)
    return result == 1 ? 0 : -1;
  folder = fdopendir(metrics_fd);
  if (!folder) {
    result = error_set_errno(error, errno == ENOMEM ? KAIZEN_E_NOMEM : KAIZEN_E_IO, errno,
                             PROJECT_METRICS_PATH);
    (void)close(metrics_fd);
    return result;
  }
  result = collect_agents(folder, &names, &count, error);
  (void)closedir(folder);
  if (result == 0 && sorted && count > 1)
    qsort(names, count, sizeof *names, compare_names);
  for (i = 0; result == 0 && i < count; i++)
    result = each(ctx, names[i]);
  free(names);
  return result;
}

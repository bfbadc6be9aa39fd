/* command_doctor.c - check the set-up, say how to fix it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/doctor_findings.h"
#include "base/output.h"
#include "base/time_text.h"
#include "hooks/hook_doctor.h"
#include "host/command.h"
#include "host/project_root.h"
#include "host/report_text.h"
#include "host/unreadable.h"
#include "operator/broker_report.h"
#include "operator/config_edit.h"
#include "operator/operator_commands.h"

static const struct option_spec own_options[] = {
    {"no-broker", 0, OPTION_FLAG, NULL, "do not contact the broker"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"doctor", "the first thing to try when something is wrong"},
    {"doctor -o json", "for a program"},
    {NULL, NULL},
};

static const double BROKER_TIMEOUT_S = 3;
static const char SETTINGS_WAY_OUT[] =
    "fix it where it was set: --set, the environment, or the file that 'config path' names";

static void check_plugin(struct doctor_findings *findings, const struct session *session) {
  const struct kaizen_plugin_v1 *plugin = session->plugin.table;

  doctor_findings_add(findings, FINDING_OK, "host config", NULL, "%s",
                      session->config.file ? session->config.file : "no file, built-in defaults");
  doctor_findings_add(findings, FINDING_OK, "plugin", NULL, "%s %s, %s", plugin->id,
                      plugin->version, session->plugin.file);
  doctor_findings_add(findings, FINDING_OK, "ABI", NULL, "plugin %u.%u, host %u.%u",
                      plugin->abi_version >> 16, plugin->abi_version & 0xFFFFu, KAIZEN_ABI_MAJOR,
                      KAIZEN_ABI_MINOR);
}

static bool is_network(long type) {
  static const uint32_t magics[] = {
      NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC,  0xFF534D42 /* CIFS */, 0xFE534D42 /* SMB2 */,
      V9FS_MAGIC,       FUSE_SUPER_MAGIC, 0x00C36400 /* Ceph */, AFS_SUPER_MAGIC,
      CODA_SUPER_MAGIC, 0x0BD00BD0 /* Lustre */};

  for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++)
    if ((uint32_t)type == magics[i])
      return true;
  return false;
}

static void check_file_system(struct doctor_findings *findings, const char *root, bool allowed) {
  struct statfs fs;

  if (statfs(root, &fs) < 0)
    return;
  if (is_network((long)fs.f_type) && !allowed)
    doctor_findings_fail(findings, EXIT_CODE_REFUSED, "project",
                         "move the project to a local disk, or set allow_network_fs true",
                         "nothing is recorded in %s, which is on a network file system", root);
  if (is_network((long)fs.f_type))
    doctor_findings_add(findings, FINDING_WARNING, "file system",
                        "move the project to a local disk, or set allow_network_fs true and accept "
                        "lost or doubled records",
                        "%s is on a network file system, whose locks are unreliable", root);
  else if ((unsigned long)fs.f_type == TMPFS_MAGIC)
    doctor_findings_add(findings, FINDING_WARNING, "file system",
                        "move the project to a disk to keep the records",
                        "%s is in memory (tmpfs); a reboot empties it", root);
  else
    doctor_findings_add(findings, FINDING_OK, "file system", NULL, "local");
}

static bool is_shared(const struct stat *folder) {
  return (folder->st_mode & (S_ISGID | S_IWGRP)) == (S_ISGID | S_IWGRP);
}

/* What prevents this user from recording in the folder, with *way_out, or NULL; `is_root`: the
 * folder is the project root. */
static const char *refuse_folder(const struct stat *folder, bool is_root, bool by_group,
                                 const char **way_out) {
  if (folder->st_uid != geteuid() && !by_group) {
    *way_out = "run as its owner, change the owner, or set owner to \"group\" if a group shares it";
    return "belongs to another user";
  }
  if (!is_root && by_group && folder->st_uid != geteuid() && !is_shared(folder)) {
    *way_out = "its owner can share it: chmod -R g+rwX,g+s .kaizen";
    return "belongs to another user and is not shared with its group";
  }
  if (!is_root && !by_group && is_shared(folder)) {
    *way_out = "set owner to \"group\", or end it: chmod -R g-ws .kaizen";
    return "is shared with its group";
  }
  return NULL;
}

/* False, after printing why, when nothing can be recorded there. */
static bool check_folder(struct doctor_findings *findings, const char *path, bool is_root,
                         bool by_group) {
  struct stat entry;
  const char *way_out = NULL, *refused;

  if (lstat(path, &entry) < 0)
    return true; /* it will be made */
  refused = refuse_folder(&entry, is_root, by_group, &way_out);
  if (!S_ISDIR(entry.st_mode))
    doctor_findings_fail(findings, EXIT_CODE_FAILED, "project",
                         "remove or rename it; links are not followed", "%s is not a folder", path);
  else if (refused)
    doctor_findings_fail(findings, is_root ? EXIT_CODE_REFUSED : EXIT_CODE_FAILED, "project",
                         way_out, "%s %s: it is user %u's and group %u's, this is user %u", path,
                         refused, entry.st_uid, entry.st_gid, geteuid());
  else if (access(path, W_OK | X_OK) < 0)
    doctor_findings_fail(findings, EXIT_CODE_FAILED, "project",
                         "change its permissions, or name another project with -C",
                         "cannot write %s: %s", path, strerror(errno));
  else
    return true;
  return false;
}

/* Recording needs it; reading does not. */
static void check_writable(struct doctor_findings *findings, const char *root, bool by_group) {
  static const char *const below[] = {"", "/.kaizen", "/.kaizen/metrics"};
  char path[PATH_MAX + 32];

  for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
    snprintf(path, sizeof path, "%s%s", root, below[i]);
    if (!check_folder(findings, path, i == 0, by_group))
      return;
  }
  doctor_findings_add(findings, FINDING_OK, "project", NULL, "%s%s", root,
                      by_group ? ", shared by its group" : "");
}

/* Such folder names are the same on every machine, and event ids made from keys contain the
 * slug. */
static bool is_generic_slug(const char *slug) {
  static const char *const generic[] = {"workspace", "workspaces", "project", "repo",    "src",
                                        "app",       "code",       "work",    "main",    "build",
                                        "tmp",       "test",       "data",    "checkout"};

  for (size_t i = 0; i < sizeof generic / sizeof generic[0]; i++)
    if (strcmp(slug, generic[i]) == 0)
      return true;
  return false;
}

static const char *value_of(struct json_object *config, const char *key) {
  return report_text_string(report_text_member(config, key), "value", "");
}

static void check_slug(struct doctor_findings *findings, struct json_object *config) {
  const char *slug = value_of(config, "project");
  bool is_default = strcmp(report_text_string(report_text_member(config, "project"), "origin", ""),
                           "default") == 0;

  if (is_default && is_generic_slug(slug))
    doctor_findings_add(
        findings, FINDING_WARNING, "project name",
        "kaizen-host config set project NAME, or KAIZEN_PROJECT_SLUG in the environment",
        "\"%s\" is the folder's name; another project with that name would share its event ids",
        slug);
  else
    doctor_findings_add(findings, FINDING_OK, "project name", NULL, "%s", slug);
}

static void check_settings(struct doctor_findings *findings, struct json_object *config) {
  struct json_object_iter member;
  char text[800] = "";
  size_t used = 0;

  json_object_object_foreachC(config, member) {
    const char *origin = report_text_string(member.val, "origin", "");
    struct json_object *value = report_text_member(member.val, "value");

    if (strcmp(origin, "default") == 0 || !value || used >= sizeof text - 1)
      continue;
    int written = snprintf(text + used, sizeof text - used, "%s%s = %s (%s)", used > 0 ? "; " : "",
                           member.key, json_object_get_string(value), origin);
    used += written > 0 ? (size_t)written : 0;
  }
  doctor_findings_add(findings, FINDING_OK, "settings", NULL, "%s",
                      used > 0 ? text : "all defaults");
}

static void check_ci(struct doctor_findings *findings, bool emits) {
  static const char *const variables[] = {"CI", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL",
                                          "BUILDKITE"};

  for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
    const char *value = getenv(variables[i]);

    if (!value || *value == '\0' || strcmp(value, "false") == 0)
      continue;
    doctor_findings_add(
        findings, FINDING_WARNING, "CI job",
        emits ? "end the job with 'drain', or keep .kaizen/ as an artifact or cache"
              : "publish events (emit_event) and end the job with 'drain', or keep .kaizen/",
        "%s is set: the log may end with this job", variables[i]);
    return;
  }
}

static void check_clock(struct doctor_findings *findings, struct json_object *report) {
  char now[TIME_TEXT_MAX];
  struct stat entry;
  int64_t now_ns = time_text_now_ns();
  time_text_format(now_ns, now);
  bool before_program =
      stat("/proc/self/exe", &entry) == 0 && entry.st_mtim.tv_sec > now_ns / 1000000000 + 3600;
  struct json_object *agents = report_text_member(report, "agents");
  const char *ahead = NULL;

  for (size_t i = 0;
       json_object_is_type(agents, json_type_array) && i < json_object_array_length(agents); i++) {
    struct json_object *agent = json_object_array_get_idx(agents, i);
    int64_t last_ns = 0;
    if (time_text_parse(report_text_string(agent, "last_execution", ""), &last_ns) == 0 &&
        last_ns > now_ns + 3600 * INT64_C(1000000000))
      ahead = report_text_string(agent, "agent", "");
  }
  if (before_program || ahead)
    doctor_findings_add(findings, FINDING_WARNING, "clock",
                        "set the clock; nothing is lost meanwhile",
                        "the clock says %s, but %s%s is later", now,
                        ahead ? "the log of " : "this program", ahead ? ahead : "");
  else
    doctor_findings_add(findings, FINDING_OK, "clock", NULL, "%s", now);
}

/* System calls that are missing here, each with the promise that is weaker for it. */
static void check_limits(struct doctor_findings *findings, struct json_object *report) {
  struct json_object *limits = report_text_member(report, "limits");

  for (size_t i = 0;
       json_object_is_type(limits, json_type_array) && i < json_object_array_length(limits); i++) {
    struct json_object *limit = json_object_array_get_idx(limits, i);

    doctor_findings_add(
        findings, FINDING_WARNING, "system call", "allow the call in the sandbox or container",
        "%s: %s; %s", report_text_string(limit, "call", "?"),
        report_text_string(limit, "reason", "?"), report_text_string(limit, "effect", "?"));
  }
}

/* Agents whose records and events cannot be counted. */
static void check_agents(struct doctor_findings *findings, struct json_object *report) {
  struct json_object *unreadable = unreadable_in(report);
  struct json_object *agents = report_text_member(report, "agents");
  size_t count =
      json_object_is_type(agents, json_type_array) ? json_object_array_length(agents) : 0;

  for (size_t i = 0; i < json_object_array_length(unreadable); i++)
    doctor_findings_fail(findings, EXIT_CODE_FAILED, "agent",
                         "remove the cause, or wait for the process that holds the lock; its "
                         "events are not counted until then",
                         "%s",
                         report_text_string(json_object_array_get_idx(unreadable, i), "why", "?"));
  if (json_object_array_length(unreadable) == 0)
    doctor_findings_add(findings, FINDING_OK, "agents", NULL, "%zu, all readable", count);
}

static void check_publisher(struct doctor_findings *findings, struct json_object *report) {
  struct json_object *publisher = report_text_member(report, "publisher");

  if (json_object_get_boolean(report_text_member(publisher, "holder_stopped")))
    doctor_findings_add(findings, FINDING_WARNING, "publisher",
                        "let it go on ('kill -CONT'), or end it: another process then publishes",
                        "process %.0f, which publishes, is stopped: no event is sent",
                        report_text_number(publisher, "holder_pid", 0));
}

static void check_files(struct doctor_findings *findings, struct session *session) {
  struct json_object *report = NULL;
  struct problem problem;

  if (report_text_delivery(session, &report, &problem) < 0) {
    doctor_findings_fail(findings, EXIT_CODE_FAILED, "agents",
                         "remove the cause; until then the events are unknown", "%s", problem.text);
    return;
  }
  check_clock(findings, report);
  check_limits(findings, report);
  check_agents(findings, report);
  check_publisher(findings, report);
  json_object_put(report);
}

struct waiting {
  bool is_known;
  uint64_t pending, held, dead_lettered;
};

static struct waiting count_waiting(struct session *session) {
  struct waiting waiting = {.is_known = false};
  struct json_object *report = NULL;
  struct problem ignored;

  if (report_text_delivery(session, &report, &ignored) < 0)
    return waiting;
  struct json_object *agents = report_text_member(report, "agents");
  for (size_t i = 0;
       json_object_is_type(agents, json_type_array) && i < json_object_array_length(agents); i++) {
    struct json_object *agent = json_object_array_get_idx(agents, i);

    waiting.pending += report_text_count(agent, "pending");
    waiting.held += report_text_count(agent, "held");
    waiting.dead_lettered += report_text_count(agent, "dead_lettered");
  }
  waiting.is_known = json_object_array_length(unreadable_in(report)) == 0;
  json_object_put(report);
  return waiting;
}

/* What makes 'status' end with 6 is a problem here, too. */
static void check_events(struct doctor_findings *findings, const struct waiting *waiting,
                         bool emits) {
  const char *by_default = emits ? "events are on by default" : "events are off by default";

  if (!waiting->is_known)
    doctor_findings_add(findings, FINDING_WARNING, "events", "'status' says which agent and why",
                        "number of pending events unknown; %s", by_default);
  else
    doctor_findings_add(findings, FINDING_OK, "events", NULL, "%" PRIu64 " pending; %s",
                        waiting->pending, by_default);
  if (waiting->held > 0)
    doctor_findings_fail(findings, EXIT_CODE_UNDELIVERABLE, "events",
                         "'drain --resend-all' or 'drain --assume-sent' decides",
                         "%" PRIu64 " held back until 'drain --resend-all' or 'drain "
                         "--assume-sent': the project was copied or restored",
                         waiting->held);
  if (waiting->dead_lettered > 0)
    doctor_findings_fail(findings, EXIT_CODE_UNDELIVERABLE, "events",
                         "'dead-letters list' says why, 'dead-letters retry' sends them again",
                         "%" PRIu64 " refused by the broker (dead letters)",
                         waiting->dead_lettered);
}

static const char *broker_way_out(struct json_object *report) {
  if (json_object_get_boolean(report_text_member(report, "connected")))
    return "'broker check' says more, 'broker init' creates a stream; events stay in the log until "
           "then";
  /* No broker was asked, or it refused: starting one would not help. */
  if (strcmp(report_text_string(report, "verdict", ""), "no") == 0)
    return "correct that; events stay in the log until then";
  return "set nats_url or start the broker; events stay in the log until then";
}

static void check_broker(struct doctor_findings *findings, struct session *session,
                         bool is_needed) {
  struct json_object *report = NULL;
  struct problem problem;
  int result = broker_report_check(session, BROKER_TIMEOUT_S, &report, &problem);

  if (result == 0) {
    const char *stream = report_text_string(report, "stream", "");
    struct json_object *unknown = report_text_member(report, "unknown");
    bool is_all =
        !json_object_is_type(unknown, json_type_array) || json_object_array_length(unknown) == 0;

    doctor_findings_add(findings, FINDING_OK, "broker", NULL, "%s%s%s%s",
                        report_text_string(report, "url", "?"), *stream ? ", stream " : "", stream,
                        is_all ? "" : "; 'broker check' says what it does not tell");
  } else if (is_needed)
    doctor_findings_fail(findings, EXIT_CODE_UNDELIVERABLE, "broker", broker_way_out(report), "%s",
                         problem.text);
  else
    doctor_findings_add(findings, FINDING_SKIPPED, "broker", NULL,
                        "unavailable (%s); only needed for events", problem.text);
  json_object_put(report);
}

static void check_instance(const struct host *host, struct session *session,
                           struct doctor_findings *findings) {
  struct json_object *config = NULL;
  struct problem problem;
  if (config_edit_report(host, session, &config, &problem) < 0) {
    doctor_findings_fail(findings, problem.exit_code, "settings", SETTINGS_WAY_OUT, "%s",
                         problem.text);
    return;
  }
  bool emits = json_object_get_boolean(
      report_text_member(report_text_member(config, "emit_event"), "value"));
  check_writable(findings, session->project_root, strcmp(value_of(config, "owner"), "group") == 0);
  check_file_system(findings, session->project_root,
                    json_object_get_boolean(report_text_member(
                        report_text_member(config, "allow_network_fs"), "value")));
  check_settings(findings, config);
  check_slug(findings, config);
  check_ci(findings, emits);
  check_files(findings, session);
  struct waiting waiting = count_waiting(session);
  check_events(findings, &waiting, emits);
  if (!options_given(host->arguments, "no-broker"))
    check_broker(findings, session, emits || !waiting.is_known || waiting.pending > 0);
  json_object_put(config);
}

static int run(const struct host *host) {
  struct doctor_findings findings;
  struct session session;
  struct problem problem;
  char checkout[PATH_MAX];

  doctor_findings_init(&findings);
  if (session_load(host, &session, &problem) < 0) {
    doctor_findings_fail(&findings, problem.exit_code, "plugin",
                         "fix the configuration file ('config path' names it), or name the plugin "
                         "with --plugin; a name without a slash is looked up in KAIZEN_PLUGIN_PATH",
                         "%s", problem.text);
    return doctor_findings_end(&findings);
  }
  check_plugin(&findings, &session);
  if (session_find_project(host, &session, &problem) < 0) {
    doctor_findings_fail(&findings, problem.exit_code, "project",
                         "change to the project's folder, or name it with -C DIR", "%s",
                         problem.text);
  } else {
    if (session_create(host, &session, &problem) < 0) {
      check_writable(&findings, session.project_root, false);
      check_file_system(&findings, session.project_root, false);
      doctor_findings_fail(&findings, problem.exit_code, "settings", SETTINGS_WAY_OUT, "%s",
                           problem.text);
    } else {
      check_instance(host, &session, &findings);
    }
  }
  session_close(&session);
  if (project_root_checkout(host->directory, checkout, &problem) < 0)
    checkout[0] = '\0';
  hook_doctor_check(&findings, checkout);
  return doctor_findings_end(&findings);
}

const struct command command_doctor = {
    .name = "doctor",
    .synopsis = "[OPTIONS]",
    .summary = "check the set-up, say how to fix it",
    .examples = examples,
    .option_groups = {own_options},
    .only_reads = true,
    .run = run,
};

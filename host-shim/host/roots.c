/* roots.c - many projects at once: a file that lists their roots, one per line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "host/roots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_text.h"
#include "base/output.h"
#include "host/project_root.h"
#include "host/report_text.h"

enum { ROOTS_BYTES_MAX = 4 * 1024 * 1024 };

const struct option_spec roots_options[] = {
    {"roots", 0, OPTION_FILE, "FILE", "read all projects in FILE, one root folder per line"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

/* ---- the file -------------------------------------------------------------------------------- */

static char *trim(char *line) {
  line += strspn(line, " \t");
  for (size_t len = strlen(line); len > 0 && strchr(" \t\r", line[len - 1]); len--)
    line[len - 1] = '\0';
  return line;
}

static bool has_root(const struct roots *roots, const char *root) {
  for (size_t i = 0; i < roots->count; i++)
    if (strcmp(roots->list[i], root) == 0)
      return true;
  return false;
}

static int add_root(struct roots *roots, const char *root) {
  char **list = reallocarray(roots->list, roots->count + 1, sizeof *list);
  if (!list)
    return -1;
  roots->list = list;
  roots->list[roots->count] = strdup(root);
  return roots->list[roots->count] ? (roots->count++, 0) : -1;
}

/* Two lines can lead to one project: by a link, by a path written otherwise, or from a linked work
 * tree.  A folder that is not there yet is told by its name. */
static int add_project(struct roots *roots, struct roots *projects, const char *line) {
  char project[PATH_MAX];
  struct problem ignored;

  if (project_root_find(line, project, &ignored) < 0) {
    snprintf(project, sizeof project, "%s", line);
    for (size_t len = strlen(project); len > 1 && project[len - 1] == '/'; len--)
      project[len - 1] = '\0';
  }
  if (has_root(projects, project))
    return 0;
  return add_root(projects, project) < 0 || add_root(roots, line) < 0 ? -1 : 0;
}

int roots_read(const char *file, struct roots *roots, struct problem *problem) {
  struct roots projects = {.list = NULL};
  char *text = NULL;
  size_t len = 0;
  int result = 0;

  *roots = (struct roots){.list = NULL};
  if (file_text_read(file, ROOTS_BYTES_MAX, &text, &len, problem) < 0)
    return -1;
  char *rest = file_text_skip_mark(text);
  for (char *line = strsep(&rest, "\n"); line && result == 0; line = strsep(&rest, "\n")) {
    line = trim(line);
    if (*line == '\0' || *line == '#')
      continue;
    if (*line != '/')
      output_warning("%s: '%s' is not an absolute path; left out", file, line);
    else
      result = add_project(roots, &projects, line);
  }
  free(text);
  roots_free(&projects);
  if (result == 0)
    return 0;
  roots_free(roots);
  return problem_no_memory(problem);
}

void roots_free(struct roots *roots) {
  for (size_t i = 0; i < roots->count; i++)
    free(roots->list[i]);
  free(roots->list);
  *roots = (struct roots){.list = NULL};
}

/* ---- a visit to each ------------------------------------------------------------------------- */

typedef int (*visit_root)(void *ctx, struct session *session, const char *project,
                          struct problem *problem);

bool roots_are_given(const struct host *host) {
  return options_given(host->arguments, "roots");
}

int roots_open(const struct host *host, const char *root, struct session *session,
               struct problem *problem) {
  struct host there = *host;

  there.directory = root;
  if (session_open(&there, session, problem) == 0)
    return 0;
  if (strncmp(problem->text, "-C ", 3) == 0) /* nobody typed these */
    memmove(problem->text, problem->text + 3, strlen(problem->text) - 2);
  return -1;
}

static int visit_opened(struct session *session, visit_root visit, void *ctx,
                        struct problem *problem) {
  struct json_object *config = NULL;

  if (report_text_config(session, &config, problem) < 0)
    return -1;
  int result =
      visit(ctx, session, report_text_string(report_text_member(config, "project"), "value", "?"),
            problem);
  json_object_put(config);
  return result;
}

static int visit_one(const struct host *host, const char *root, visit_root visit, void *ctx,
                     struct problem *problem) {
  struct session session;

  if (roots_open(host, root, &session, problem) < 0)
    return -1;
  int result = visit_opened(&session, visit, ctx, problem);
  session_close(&session);
  return result;
}

static void visit_all(const struct host *host, const struct roots *roots, visit_root visit,
                      void *ctx, struct unreadable *unreadable) {
  struct problem problem;

  for (size_t i = 0; i < roots->count; i++)
    if (visit_one(host, roots->list[i], visit, ctx, &problem) < 0)
      unreadable_add(unreadable, roots->list[i], NULL, &problem);
}

int roots_each(const struct host *host, visit_root visit, void *ctx, struct unreadable *unreadable,
               struct problem *problem) {
  struct roots roots;
  struct session session;
  int result;

  if (!roots_are_given(host)) {
    if (session_open(host, &session, problem) < 0)
      return -1;
    result = visit(ctx, &session, NULL, problem);
    session_close(&session);
    return result;
  }
  if (host->directory)
    return problem_set(problem, EXIT_CODE_USAGE, "-C and --roots cannot be used together");
  if (roots_read(options_text(host->arguments, "roots", NULL), &roots, problem) < 0)
    return -1;
  if (roots.count == 0)
    output_warning("%s: names no project", options_text(host->arguments, "roots", ""));
  visit_all(host, &roots, visit, ctx, unreadable);
  roots_free(&roots);
  return 0;
}

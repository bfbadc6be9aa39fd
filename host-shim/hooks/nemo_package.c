/* nemo_package.c - the package by which NeMo Relay finds the plugin.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/nemo_package.h"

#include <dlfcn.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_text.h"
#include "base/json_text.h"
#include "base/sha256.h"
#include "hooks/hook_backup.h"

#define MANIFEST "kaizen-metrics/relay-plugin.toml"
#define SCHEMA "kaizen-metrics/config.schema.json"
#define ENTRY "nemo_relay_register_plugin"
#define AGAIN "'kaizen-host install-hooks nemo-relay' writes it again"

static const size_t FILE_BYTES_MAX = 1024 * 1024;

int nemo_package_file(const char *name, char file[PATH_MAX], struct problem *problem) {
  const char *settings = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
  int len;

  if (settings && *settings == '/')
    len = snprintf(file, PATH_MAX, "%s/nemo-relay/%s", settings, name);
  else if (home && *home == '/')
    len = snprintf(file, PATH_MAX, "%s/.config/nemo-relay/%s", home, name);
  else
    return problem_set(problem, EXIT_CODE_FAILED, "no home folder; set HOME");
  return len < PATH_MAX ? 0 : problem_set(problem, EXIT_CODE_FAILED, "the file name is too long");
}

/* NULL when it is not there, or cannot be read. */
static char *text_of(const char *name, char file[PATH_MAX]) {
  struct problem ignored;
  char *text = NULL;
  size_t len;

  if (nemo_package_file(name, file, &ignored) < 0 ||
      file_text_read_regular(file, FILE_BYTES_MAX, &text, &len, &ignored) < 0)
    return NULL;
  return text;
}

bool nemo_package_is_named(void) {
  char file[PATH_MAX];
  char *text = text_of("plugins.toml", file);
  bool is_named = text && strstr(text, MANIFEST);

  free(text);
  return is_named;
}

/* ---- the content of the files ---------------------------------------------------------------- */

/* The library in the form that Relay accepts: a regular file, by a name without links. */
static int find_library(const struct loaded_plugin *plugin, char library[PATH_MAX],
                        struct problem *problem) {
  if (!dlsym(plugin->handle, ENTRY))
    return problem_set(problem, EXIT_CODE_REFUSED, "%s: this plugin has no entry for NeMo Relay",
                       plugin->file);
  if (!realpath(plugin->file, library))
    return problem_set(problem, EXIT_CODE_FAILED, "%s: %s", plugin->file, strerror(errno));
  return 0;
}

static char *make_manifest(const char *library, const char *digest) {
  char signature[PATH_MAX + 8], *text = NULL;
  char *library_text = json_text_quote(library), *signature_text = NULL;
  int len = -1;

  snprintf(signature, sizeof signature, "%s.sig", library);
  if (access(signature, R_OK) == 0)
    signature_text = json_text_quote(signature);
  if (library_text)
    len = asprintf(&text,
                   "# Written by 'kaizen-host install-hooks nemo-relay'.  Run that again when the "
                   "library has changed.\n"
                   "manifest_version = 1\n\n"
                   "[plugin]\nid = \"kaizen.metrics\"\nkind = \"rust_dynamic\"\n\n"
                   "[compat]\nrelay = \">=0.8.0,<1.0\"\nnative_api = \"1\"\n\n"
                   "[defaults]\nenabled = false\n\n"
                   "[capabilities]\nitems = [\"plugin_native\", \"config_schema\"]\n\n"
                   "[config_schema]\npath = \"config.schema.json\"\n\n"
                   "[source]\nartifact = %s\n\n"
                   "[integrity]\nsha256 = \"sha256:%s\"\n%s%s%s\n"
                   "[load]\nlibrary = %s\nsymbol = \"" ENTRY "\"\n",
                   library_text, digest, signature_text ? "signature = " : "",
                   signature_text ? signature_text : "", signature_text ? "\n" : "", library_text);
  free(library_text);
  free(signature_text);
  return len < 0 ? NULL : text;
}

/* kaizen's own schema with the entry's keys in front. */
static char *make_schema(const struct kaizen_plugin_v1 *plugin) {
  static const char own[] =
      "{\"scopes\":{\"type\":\"array\",\"items\":{\"enum\":[\"agent\",\"turn\"]},\"minItems\":1,"
      "\"default\":[\"agent\",\"turn\"],\"description\":\"Which scopes are runs of an agent: those "
      "of the category agent, the turns that Relay's gateway opens for a coding agent.\"},"
      "\"nested\":{\"type\":\"boolean\",\"default\":true,\"description\":\"Whether a run inside "
      "another one is recorded too.\"},"
      "\"aborted\":{\"type\":\"string\",\"enum\":[\"skip\",\"failure\"],\"default\":\"skip\","
      "\"description\":\"What becomes of a run that was aborted or had not ended at close: no "
      "record, or a failure.\"}}";
  struct json_object *schema = json_tokener_parse(plugin->config_schema);
  struct json_object *properties = json_tokener_parse(own), *kaizens = NULL;
  char *text = NULL;

  if (schema && properties && json_object_object_get_ex(schema, "properties", &kaizens)) {
    struct json_object_iter member;

    json_object_object_foreachC(kaizens, member) {
      json_object_object_add(properties, member.key, json_object_get(member.val));
    }
    /* kaizen's own allows a configuration without a root, for hosts that give it by a call */
    json_object_object_add(schema, "required", json_tokener_parse("[\"project_root\"]"));
    json_object_object_add(schema, "properties", json_object_get(properties));
    const char *pretty = json_object_to_json_string_ext(
        schema, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (!pretty || asprintf(&text, "%s\n", pretty) < 0)
      text = NULL;
  }
  json_object_put(properties);
  json_object_put(schema);
  return text;
}

/* ---- install and uninstall ------------------------------------------------------------------- */

/* The file as it is now; `mark` is in every file of ours. */
static struct hook_change *add_change(struct hook_plan *plan, const char *name, const char *mark,
                                      struct problem *problem) {
  struct hook_change *change = &plan->changes[plan->count];
  size_t len;

  *change =
      (struct hook_change){.made = json_object_new_array(), .folders = json_object_new_array()};
  plan->count++;
  if (nemo_package_file(name, change->file, problem) < 0)
    return NULL;
  if (access(change->file, F_OK) < 0 && errno == ENOENT)
    return change;
  if (file_text_read_regular(change->file, FILE_BYTES_MAX, &change->before, &len, problem) < 0)
    return NULL;
  change->had_ours = strstr(change->before, mark) != NULL;
  if (change->had_ours)
    return change;
  (void)problem_set(problem, EXIT_CODE_REFUSED,
                    "%s: not written by kaizen-host; move it away first", change->file);
  return NULL;
}

static struct hook_change *add_manifest(struct hook_plan *plan, struct problem *problem) {
  return add_change(plan, MANIFEST, "kaizen-host", problem);
}

static struct hook_change *add_schema(struct hook_plan *plan, struct problem *problem) {
  return add_change(plan, SCHEMA, "kaizen_metrics", problem);
}

int nemo_package_install(struct hook_plan *plan, const struct loaded_plugin *plugin,
                         struct problem *problem) {
  char library[PATH_MAX], digest[SHA256_TEXT_SIZE];
  struct hook_change *change;

  if (find_library(plugin, library, problem) < 0 || sha256_file(library, digest, problem) < 0)
    return -1;
  change = add_manifest(plan, problem);
  if (!change)
    return -1;
  change->after = make_manifest(library, digest);
  if (!change->after)
    return problem_no_memory(problem);
  change = add_schema(plan, problem);
  if (!change)
    return -1;
  change->after = make_schema(plugin->table);
  return change->after ? 0 : problem_no_memory(problem);
}

int nemo_package_uninstall(struct hook_plan *plan, const struct hook_state *state,
                           struct problem *problem) {
  plan->removes = true;
  if (!add_manifest(plan, problem) || !add_schema(plan, problem))
    return -1;
  for (size_t i = 0; i < plan->count; i++) { /* with the folders that were made for them */
    struct hook_change *change = &plan->changes[i];
    struct hook_backup backup;

    if (!change->before || !hook_backup_load(state, change->file, change->before, &backup))
      continue;
    json_object_put(change->folders);
    change->folders = json_object_get(backup.folders);
    hook_backup_free(&backup);
  }
  return 0;
}

/* ---- doctor ---------------------------------------------------------------------------------- */

/* The text after `name = ` in a line of its own, as we wrote it. */
static bool read_line(const char *manifest, const char *name, char value[PATH_MAX]) {
  struct json_object *text = NULL;
  const char *at = manifest;
  size_t len = strlen(name);

  while (at && (strncmp(at, name, len) != 0 || strncmp(at + len, " = \"", 4) != 0))
    at = (at = strchr(at, '\n')) ? at + 1 : NULL;
  if (at)
    text = json_tokener_parse(at + len + 3);
  snprintf(value, PATH_MAX, "%s", text ? json_object_get_string(text) : "");
  json_object_put(text);
  return value[0] != '\0';
}

void nemo_package_check(struct doctor_findings *findings) {
  char file[PATH_MAX], library[PATH_MAX], wanted[PATH_MAX], digest[SHA256_TEXT_SIZE];
  struct problem problem;
  char *manifest = text_of(MANIFEST, file);

  if (!manifest)
    return;
  if (!read_line(manifest, "library", library) || !read_line(manifest, "sha256", wanted))
    doctor_findings_add(findings, FINDING_WARNING, "nemo-relay", AGAIN,
                        "%s: names no library or no digest", file);
  else if (sha256_file(library, digest, &problem) < 0)
    doctor_findings_add(findings, FINDING_WARNING, "nemo-relay", AGAIN, "%s: %s", file,
                        problem.text);
  else if (strncmp(wanted, "sha256:", 7) != 0 || strcmp(wanted + 7, digest) != 0)
    doctor_findings_add(findings, FINDING_WARNING, "nemo-relay", AGAIN,
                        "%s: the digest does not match %s; Relay will not load it", file, library);
  else if (!nemo_package_is_named())
    doctor_findings_add(findings, FINDING_WARNING, "nemo-relay",
                        "'kaizen-host install-hooks nemo-relay' shows the lines to add",
                        "%s: the user's plugins.toml does not name it", file);
  else
    doctor_findings_add(findings, FINDING_OK, "nemo-relay", NULL, "the digest matches %s", library);
  free(manifest);
}

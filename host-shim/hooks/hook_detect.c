/* hook_detect.c - which coding agent sent a payload, judged by all of its fields.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_detect.h"

#include <string.h>

#include "hooks/hook_payload.h"

enum { ENOUGH = 6, SIGNS_MAX = 14 };

struct sign {
  const char *field; /* as in a host's table */
  const char *holds; /* NULL, or what the field's text contains */
  int points;
};

/* What Claude Code sends today, and also the hosts that adopted its events. */
#define CLAUDE_SHAPE                                                                               \
  {"transcript_path", NULL, 2}, {"permission_mode", NULL, 2}, {"stop_hook_active", NULL, 1},       \
      {"last_assistant_message", NULL, 1}, {                                                       \
    "agent_transcript_path", NULL, 1                                                               \
  }

/* Of hosts with equal points the earlier one wins. A field that another host adds must not change
 * the result: what only one host has weighs more than what it shares. */
static const struct {
  const char *host;
  struct sign signs[SIGNS_MAX];
} hosts[] = {
    {"copilot",
     {{"hook_event_name", NULL, 1},
      {"sessionId", NULL, 3},
      {"timestamp", NULL, 2},
      {"hookEventName", NULL, 1},
      {"prompt", NULL, 1},
      {"source", NULL, 1},
      {"reason", NULL, 1},
      {"stopReason", NULL, 2},
      {"stop_reason", NULL, 4},
      {"errorContext", NULL, 3},
      {"error_context", NULL, 3},
      {"error.name", NULL, 1},
      {"transcript_path", "/.copilot/", 4}}},
    {"claude-code",
     {{"hook_event_name", NULL, 3},
      CLAUDE_SHAPE,
      {"prompt_id", NULL, 3},
      {"background_tasks", NULL, 1},
      {"session_crons", NULL, 1},
      {"transcript_path", "/.claude/", 4}}},
    {"codex",
     {{"hook_event_name", NULL, 1},
      CLAUDE_SHAPE,
      {"turn_id", NULL, 2},
      {"model", NULL, 1},
      {"transcript_path", "/.codex/", 4}}},
    {"codex-notify", {{"thread-id", NULL, 3}, {"turn-id", NULL, 3}, {"type", NULL, 3}}},
    {"gemini",
     {{"hook_event_name", NULL, 2},
      {"hook_event_name", "Agent", 1},
      {"timestamp", NULL, 1},
      {"transcript_path", NULL, 2},
      {"prompt_response", NULL, 2},
      {"prompt", NULL, 1},
      {"transcript_path", "/.gemini/", 4}}},
    {"qwen",
     {{"hook_event_name", NULL, 1},
      CLAUDE_SHAPE,
      {"timestamp", NULL, 1},
      {"prompt_id", NULL, 2},
      {"context_limit", NULL, 1},
      {"transcript_path", "/.qwen/", 6}}},
    {"droid", {{"hook_event_name", NULL, 1}, CLAUDE_SHAPE, {"transcript_path", "/.factory/", 6}}},
    {"cursor",
     {{"hook_event_name", NULL, 1},
      {"conversation_id", NULL, 3},
      {"generation_id", NULL, 4},
      {"cursor_version", NULL, 4}}},
    {"openhands", {{"event_type", NULL, 3}, {"working_dir", NULL, 3}}},
    {"goose",
     {{"event", NULL, 3},
      {"session_id", NULL, 3},
      {"working_dir", NULL, 3},
      {"cwd", NULL, -3},
      {"timestamp", NULL, -3}}},
    {"opencode",
     {{"type", "session.", 3},
      {"type", "chat.", 3},
      {"properties", NULL, 3},
      {"sessionID", NULL, 3}}},
    {"openclaw",
     {{"type", "_end", 3}, {"event", "_end", 3}, {"ctx", NULL, 3}, {"success", NULL, 3}}},
    {"cline",
     {{"clineVersion", NULL, 3},
      {"taskId", NULL, 2},
      {"hookName", NULL, 2},
      {"workspaceRoots", NULL, 1}}},
    {"windsurf",
     {{"agent_action_name", NULL, 3},
      {"trajectory_id", NULL, 2},
      {"execution_id", NULL, 2},
      {"tool_info", NULL, 1}}},
};

static bool is_there(struct json_object *payload, const struct sign *sign) {
  struct json_object *value = NULL;

  if (!hook_payload_find(payload, sign->field, &value))
    return false;
  const char *text = sign->holds ? hook_payload_text(value) : NULL;
  return !sign->holds || (text && strstr(text, sign->holds));
}

static int count_points(struct json_object *payload, const struct sign signs[SIGNS_MAX]) {
  int points = 0;

  for (size_t i = 0; i < SIGNS_MAX && signs[i].field; i++)
    if (is_there(payload, &signs[i]))
      points += signs[i].points;
  return points;
}

/* True for a transcript in the folder of a program that is not in the table: then the payload is
 * not from a host of the table, whatever its fields look like. */
static bool is_foreign(struct json_object *payload) {
  static const char *const known[] = {"/.claude", "/.codex",  "/.copilot", "/.gemini",  "/.qwen",
                                      "/.cursor", "/.config", "/.local",   "/.factory", "/.vscode"};
  struct json_object *value = NULL;
  const char *path =
      hook_payload_find(payload, "transcript_path", &value) ? hook_payload_text(value) : NULL;

  if (!path || !strstr(path, "/."))
    return false;
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (strstr(path, known[i]))
      return false;
  return true;
}

/* The host with the most points, when it has at least so many. */
static const struct hook_host *most_points(struct json_object *payload, int enough) {
  const char *best = NULL;
  int most = enough - 1;

  for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
    int points = count_points(payload, hosts[i].signs);

    if (points > most) {
      most = points;
      best = hosts[i].host;
    }
  }
  return best ? hook_host_find(best) : &hook_host_unknown;
}

const struct hook_host *hook_detect_host(struct json_object *payload) {
  return is_foreign(payload) ? &hook_host_unknown : most_points(payload, ENOUGH);
}

const struct hook_host *hook_detect_guest(struct json_object *payload,
                                          const struct hook_host *given) {
  static const char *const guests[] = {"cursor", "copilot", "qwen"};
  const struct hook_host *told = most_points(payload, 1);

  if (strcmp(given->name, "claude-code") != 0)
    return given;
  for (size_t i = 0; i < sizeof guests / sizeof guests[0]; i++)
    if (strcmp(told->name, guests[i]) == 0)
      return told;
  return given;
}

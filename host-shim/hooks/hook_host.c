/* hook_host.c - the coding agents whose hooks are understood: one table of their events and fields.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "hooks/hook_host.h"

#include <string.h>

/* ---- the family of Claude Code: hosts that adopted its names, each with what differs ------- */

/* clang-format off */
#define CLAUDE_EVENTS \
  {"SessionStart", HOOK_SESSION_START}, {"UserPromptSubmit", HOOK_TURN_START}, \
  {"Stop", HOOK_TURN_END}, {"SubagentStart", HOOK_AGENT_START}, \
  {"SubagentStop", HOOK_AGENT_END}, {"SessionEnd", HOOK_SESSION_END}
/* the same events, except the prompt's, as Cursor writes them */
#define CURSOR_EVENTS \
  {"sessionStart", HOOK_SESSION_START}, {"stop", HOOK_TURN_END}, \
  {"subagentStart", HOOK_AGENT_START}, {"subagentStop", HOOK_AGENT_END}, \
  {"sessionEnd", HOOK_SESSION_END}
#define CLAUDE_FIELDS \
  [HOOK_FIELD_EVENT] = {"hook_event_name"}, [HOOK_FIELD_SESSION] = {"session_id"}, \
  [HOOK_FIELD_FOLDER] = {"cwd"}, [HOOK_FIELD_CONTINUED] = {"stop_hook_active"}, \
  [HOOK_FIELD_SOURCE] = {"source"}, [HOOK_FIELD_ASKED] = {"prompt"}
/* clang-format on */

static const struct hook_event_name claude_events[] = {
    CLAUDE_EVENTS,
    {"StopFailure", HOOK_TURN_FAILURE},
    {"Interrupt", HOOK_TURN_ABORTED},
    {NULL, HOOK_IGNORED},
};

static const struct hook_host claude_code = {
    .name = "claude-code",
    .family = "claude-code",
    .says_outcome = true,
    .unheard = HOOK_UNHEARD_WRITTEN,
    .folder_variable = "CLAUDE_PROJECT_DIR",
    .events = claude_events,
    .fields =
        {
            CLAUDE_FIELDS,
            [HOOK_FIELD_TURN] = {"prompt_id"},
            [HOOK_FIELD_AGENT_ID] = {"agent_id"},
            [HOOK_FIELD_AGENT_NAME] = {"agent_type"},
            [HOOK_FIELD_MODEL] = {"model"},
            [HOOK_FIELD_ERROR] = {"error"},
            [HOOK_FIELD_ANSWERED] = {"last_assistant_message", "error"},
        },
};

static const struct hook_host codex = {
    .name = "codex",
    .family = "codex",
    .says_outcome = true,
    .unheard = HOOK_UNHEARD_FAILURE,
    .events = claude_events,
    .fields =
        {
            CLAUDE_FIELDS,
            [HOOK_FIELD_TURN] = {"turn_id"},
            [HOOK_FIELD_AGENT_ID] = {"agent_id"},
            [HOOK_FIELD_AGENT_NAME] = {"agent_type"},
            [HOOK_FIELD_MODEL] = {"model"},
            [HOOK_FIELD_ERROR] = {"error"},
            [HOOK_FIELD_ANSWERED] = {"last_assistant_message"},
        },
};

static const struct hook_host qwen = {
    .name = "qwen",
    .family = "qwen",
    .folder_variable = "QWEN_PROJECT_DIR",
    .events = claude_events,
    .fields =
        {
            CLAUDE_FIELDS,
            [HOOK_FIELD_TURN] = {"prompt_id"},
            [HOOK_FIELD_AGENT_ID] = {"agent_id"},
            [HOOK_FIELD_AGENT_NAME] = {"agent_type"},
            [HOOK_FIELD_MODEL] = {"model"},
            [HOOK_FIELD_ERROR] = {"error"},
            [HOOK_FIELD_ANSWERED] = {"last_assistant_message", "error"},
        },
};

static const struct hook_host droid = {
    .name = "droid",
    .family = "droid",
    .folder_variable = "FACTORY_PROJECT_DIR",
    .events = claude_events,
    .fields =
        {
            CLAUDE_FIELDS,
            [HOOK_FIELD_AGENT_ID] = {"agent_id"},
            [HOOK_FIELD_AGENT_NAME] = {"agent_type", "agent_name"},
            [HOOK_FIELD_MODEL] = {"model"},
            [HOOK_FIELD_ANSWERED] = {"last_assistant_message"},
        },
};

static const struct hook_host kimi = {
    .name = "kimi",
    .family = "kimi",
    .says_outcome = true,
    .events = claude_events,
    .fields =
        {
            CLAUDE_FIELDS,
            [HOOK_FIELD_AGENT_NAME] = {"agent_name"},
            [HOOK_FIELD_ERROR] = {"error_type"},
            [HOOK_FIELD_ANSWERED] = {"response", "error_type"},
        },
};

/* ---- the others ----------------------------------------------------------------------------- */

static const struct hook_event_name codex_notify_events[] = {
    {"agent-turn-complete", HOOK_TURN_END},
    {NULL, HOOK_IGNORED},
};

static const struct hook_host codex_notify = {
    .name = "codex-notify",
    .family = "codex",
    .takes_argument = true,
    .says_outcome = true,
    .own_prompt = "Generate a concise, single-line task title",
    .events = codex_notify_events,
    .fields =
        {
            [HOOK_FIELD_EVENT] = {"type"},
            [HOOK_FIELD_SESSION] = {"thread-id"},
            [HOOK_FIELD_TURN] = {"turn-id"},
            [HOOK_FIELD_FOLDER] = {"cwd"},
            [HOOK_FIELD_ASKED] = {"input-messages"},
        },
};

static const struct hook_event_name gemini_events[] = {
    {"SessionStart", HOOK_SESSION_START},
    {"BeforeAgent", HOOK_TURN_START},
    {"AfterAgent", HOOK_TURN_END},
    {"SessionEnd", HOOK_SESSION_END},
    {NULL, HOOK_IGNORED},
};

static const struct hook_host gemini = {
    .name = "gemini",
    .family = "gemini",
    .unheard = HOOK_UNHEARD_WRITTEN,
    .folder_variable = "GEMINI_PROJECT_DIR",
    .events = gemini_events,
    .fields =
        {
            [HOOK_FIELD_EVENT] = {"hook_event_name"},
            [HOOK_FIELD_SESSION] = {"session_id"},
            [HOOK_FIELD_STAMP] = {"timestamp"},
            [HOOK_FIELD_FOLDER] = {"cwd"},
            [HOOK_FIELD_CONTINUED] = {"stop_hook_active"},
            [HOOK_FIELD_SOURCE] = {"source"},
            [HOOK_FIELD_ASKED] = {"prompt"},
            [HOOK_FIELD_ANSWERED] = {"prompt_response"},
        },
};

static const struct hook_event_name cursor_events[] = {
    CURSOR_EVENTS,
    {"beforeSubmitPrompt", HOOK_TURN_START},
    CLAUDE_EVENTS, /* the names under which it runs the hooks of Claude Code's settings */
    {NULL, HOOK_IGNORED},
};

static const struct hook_host cursor = {
    .name = "cursor",
    .family = "cursor",
    .says_outcome = true,
    .folder_variable = "CURSOR_PROJECT_DIR",
    .events = cursor_events,
    .fields =
        {
            [HOOK_FIELD_EVENT] = {"hook_event_name"},
            [HOOK_FIELD_SESSION] = {"conversation_id", "session_id"},
            [HOOK_FIELD_TURN] = {"generation_id"},
            [HOOK_FIELD_AGENT_ID] = {"subagent_id", "tool_call_id", "agent_id"},
            [HOOK_FIELD_AGENT_NAME] = {"subagent_type", "agent_type"},
            [HOOK_FIELD_FOLDER] = {"workspace_roots", "cwd"},
            [HOOK_FIELD_MODEL] = {"model"},
            [HOOK_FIELD_VERSION] = {"cursor_version"},
            [HOOK_FIELD_STATUS] = {"status"},
            [HOOK_FIELD_DURATION_MS] = {"duration_ms"},
            [HOOK_FIELD_LOOPS] = {"loop_count"},
            [HOOK_FIELD_ANSWERED] = {"summary", "task", "description"},
        },
};

static const struct hook_event_name copilot_events[] = {
    {"sessionStart", HOOK_SESSION_START},
    {"userPromptSubmitted", HOOK_TURN_START},
    {"agentStop", HOOK_TURN_END},
    {"subagentStart", HOOK_AGENT_START},
    {"subagentStop", HOOK_AGENT_END},
    {"errorOccurred", HOOK_ERROR},
    {"sessionEnd", HOOK_SESSION_END},
    CLAUDE_EVENTS,
    {"UserPromptSubmitted", HOOK_TURN_START},
    {"AgentStop", HOOK_TURN_END},
    {"ErrorOccurred", HOOK_ERROR},
    {NULL, HOOK_IGNORED},
};

static const struct hook_host copilot = {
    .name = "copilot",
    .family = "copilot",
    .says_outcome = true,
    .stamp_in_ms = true,
    .unheard = HOOK_UNHEARD_ERROR,
    .events = copilot_events,
    .fields =
        {
            [HOOK_FIELD_EVENT] = {"hook_event_name", "hookEventName"},
            [HOOK_FIELD_SESSION] = {"sessionId", "session_id"},
            [HOOK_FIELD_STAMP] = {"timestamp"},
            [HOOK_FIELD_AGENT_ID] = {"agentId", "agent_id"},
            [HOOK_FIELD_PARENT] = {"parentAgentId", "parent_agent_id"},
            [HOOK_FIELD_AGENT_NAME] = {"agentName", "agent_name", "agentType", "agent_type"},
            [HOOK_FIELD_FOLDER] = {"cwd"},
            [HOOK_FIELD_STATUS] = {"stopReason", "stop_reason", "reason"},
            [HOOK_FIELD_ERROR] = {"error.name", "error"},
            [HOOK_FIELD_ERROR_GOES_ON] = {"recoverable"},
            [HOOK_FIELD_ERROR_PLACE] = {"errorContext", "error_context"},
            [HOOK_FIELD_SOURCE] = {"source"},
            [HOOK_FIELD_ASKED] = {"prompt"},
            [HOOK_FIELD_ANSWERED] = {"response"},
        },
};

static const struct hook_host goose = {
    .name = "goose",
    .family = "goose",
    .events = claude_events,
    .fields =
        {
            [HOOK_FIELD_EVENT] = {"event"},
            [HOOK_FIELD_SESSION] = {"session_id"},
            [HOOK_FIELD_FOLDER] = {"working_dir"},
            [HOOK_FIELD_ASKED] = {"message"},
            [HOOK_FIELD_ANSWERED] = {"last_assistant_message"},
        },
};

static const struct hook_host openhands = {
    .name = "openhands",
    .family = "openhands",
    .folder_variable = "OPENHANDS_PROJECT_DIR",
    .events = claude_events,
    .fields =
        {
            [HOOK_FIELD_EVENT] = {"event_type"},
            [HOOK_FIELD_SESSION] = {"session_id"},
            [HOOK_FIELD_FOLDER] = {"working_dir"},
            [HOOK_FIELD_ASKED] = {"message"},
        },
};

/* What our plugin for it sends, which keeps the names of its event bus. */
static const struct hook_event_name opencode_events[] = {
    {"session.created", HOOK_SESSION_START}, {"chat.message", HOOK_TURN_START},
    {"session.idle", HOOK_TURN_END},         {"session.error", HOOK_TURN_FAILURE},
    {"session.deleted", HOOK_SESSION_END},   {NULL, HOOK_IGNORED},
};

static const struct hook_host opencode = {
    .name = "opencode",
    .family = "opencode",
    .says_outcome = true,
    .events = opencode_events,
    .fields =
        {
            [HOOK_FIELD_EVENT] = {"type"},
            [HOOK_FIELD_SESSION] = {"properties.sessionID", "sessionID"},
            [HOOK_FIELD_TURN] = {"messageID"},
            [HOOK_FIELD_AGENT_NAME] = {"agent"},
            [HOOK_FIELD_FOLDER] = {"directory"},
            [HOOK_FIELD_MODEL] = {"model"},
            [HOOK_FIELD_VERSION] = {"version"},
            [HOOK_FIELD_ERROR] = {"properties.error.name", "error"},
            [HOOK_FIELD_DURATION_MS] = {"durationMs"},
            [HOOK_FIELD_COST_USD] = {"cost"},
            [HOOK_FIELD_INPUT_TOKENS] = {"tokens.input"},
            [HOOK_FIELD_OUTPUT_TOKENS] = {"tokens.output"},
            [HOOK_FIELD_CACHE_READ_TOKENS] = {"tokens.cacheRead"},
            [HOOK_FIELD_CACHE_WRITE_TOKENS] = {"tokens.cacheWrite"},
            [HOOK_FIELD_REASONING_TOKENS] = {"tokens.reasoning"},
        },
};

static const struct hook_event_name openclaw_events[] = {
    {"agent_end", HOOK_TURN_END},
    {"session_end", HOOK_SESSION_END},
    {NULL, HOOK_IGNORED},
};

static const struct hook_host openclaw = {
    .name = "openclaw",
    .family = "openclaw",
    .says_outcome = true,
    .events = openclaw_events,
    .fields =
        {
            [HOOK_FIELD_EVENT] = {"type", "event"},
            /* not the sessionKey: it can be a telephone number */
            [HOOK_FIELD_SESSION] = {"ctx.sessionId", "sessionId"},
            [HOOK_FIELD_TURN] = {"ctx.runId", "runId", "sequence"},
            [HOOK_FIELD_AGENT_NAME] = {"ctx.agentId", "agentId"},
            [HOOK_FIELD_FOLDER] = {"ctx.workspaceDir", "workspaceDir"},
            [HOOK_FIELD_MODEL] = {"model"},
            [HOOK_FIELD_STATUS] = {"stopReason"},
            [HOOK_FIELD_SUCCESS] = {"success"},
            [HOOK_FIELD_DURATION_MS] = {"durationMs"},
            [HOOK_FIELD_INPUT_TOKENS] = {"tokens.input"},
            [HOOK_FIELD_OUTPUT_TOKENS] = {"tokens.output"},
            [HOOK_FIELD_CACHE_READ_TOKENS] = {"tokens.cacheRead"},
            [HOOK_FIELD_CACHE_WRITE_TOKENS] = {"tokens.cacheWrite"},
        },
};

/* Known by the name of the file that it runs, or by the payload. */
static const struct hook_event_name cline_events[] = {
    {"agent_start", HOOK_TURN_START},
    {"agent_resume", HOOK_TURN_START},
    {"agent_end", HOOK_TURN_END},
    {"agent_error", HOOK_TURN_FAILURE},
    {"agent_abort", HOOK_TURN_ABORTED},
    {"session_shutdown", HOOK_SESSION_END},
    {"TaskStart", HOOK_TURN_START},
    {"TaskResume", HOOK_TURN_START},
    {"TaskComplete", HOOK_TURN_END},
    {"TaskError", HOOK_TURN_FAILURE},
    {"TaskCancel", HOOK_TURN_ABORTED},
    {"SessionShutdown", HOOK_SESSION_END},
    {NULL, HOOK_IGNORED},
};

static const struct hook_host cline = {
    .name = "cline",
    .family = "cline",
    .says_outcome = true,
    .events = cline_events,
    .fields =
        {
            [HOOK_FIELD_EVENT] = {"hookName"},
            [HOOK_FIELD_SESSION] = {"taskId"},
            [HOOK_FIELD_STAMP] = {"timestamp"},
            [HOOK_FIELD_AGENT_ID] = {"agent_id"},
            [HOOK_FIELD_PARENT] = {"parent_agent_id"},
            [HOOK_FIELD_AGENT_NAME] = {"agent_name"},
            [HOOK_FIELD_FOLDER] = {"workspaceRoots", "workspaceInfo.rootPath"},
            [HOOK_FIELD_VERSION] = {"clineVersion"},
            [HOOK_FIELD_STATUS] = {"turn.status"},
            [HOOK_FIELD_ERROR] = {"error.name"},
        },
};

static const struct hook_event_name windsurf_events[] = {
    {"pre_user_prompt", HOOK_TURN_START},
    {"post_cascade_response", HOOK_TURN_END},
    {NULL, HOOK_IGNORED},
};

static const struct hook_host windsurf = {
    .name = "windsurf",
    .family = "windsurf",
    .events = windsurf_events,
    .fields =
        {
            [HOOK_FIELD_EVENT] = {"agent_action_name"},
            [HOOK_FIELD_SESSION] = {"trajectory_id"},
            [HOOK_FIELD_TURN] = {"execution_id"},
            [HOOK_FIELD_FOLDER] = {"tool_info.cwd", "cwd"},
            [HOOK_FIELD_MODEL] = {"model_name"},
        },
};

static const struct hook_event_name unknown_events[] = {
    CLAUDE_EVENTS,        {"StopFailure", HOOK_TURN_FAILURE},
    CURSOR_EVENTS,        {"userPromptSubmit", HOOK_TURN_START},
    {NULL, HOOK_IGNORED},
};

const struct hook_host hook_host_unknown = {
    .name = "unknown-host",
    .family = "unknown-host",
    .events = unknown_events,
    .fields =
        {
            [HOOK_FIELD_EVENT] = {"hook_event_name", "hookEventName", "event_type", "event"},
            [HOOK_FIELD_SESSION] = {"session_id", "sessionId", "conversation_id"},
            [HOOK_FIELD_TURN] = {"turn_id", "prompt_id", "generation_id"},
            [HOOK_FIELD_AGENT_ID] = {"agent_id", "agentId"},
            [HOOK_FIELD_AGENT_NAME] = {"agent_type", "agentType", "agent_name", "agentName"},
            [HOOK_FIELD_FOLDER] = {"cwd", "working_dir", "workspace_roots"},
            [HOOK_FIELD_MODEL] = {"model"},
            [HOOK_FIELD_ERROR] = {"error", "error_type"},
            [HOOK_FIELD_CONTINUED] = {"stop_hook_active"},
            [HOOK_FIELD_SOURCE] = {"source"},
            [HOOK_FIELD_ASKED] = {"prompt"},
            [HOOK_FIELD_ANSWERED] = {"last_assistant_message"},
        },
};

const struct hook_host *const hook_hosts[] = {
    &claude_code, &codex,    &codex_notify, &gemini, &cursor, &copilot, &goose,    &openhands,
    &opencode,    &openclaw, &qwen,         &cline,  &droid,  &kimi,    &windsurf, NULL,
};

const struct hook_host *hook_host_find(const char *name) {
  for (const struct hook_host *const *host = hook_hosts; *host; host++)
    if (strcmp((*host)->name, name) == 0)
      return *host;
  return NULL;
}

enum hook_kind hook_host_kind(const struct hook_host *host, const char *event) {
  for (const struct hook_event_name *entry = host->events; entry->name; entry++)
    if (strcmp(entry->name, event) == 0)
      return entry->kind;
  return HOOK_IGNORED;
}

/* hook_target_text.c - the files of our own that some coding agents need.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The two JavaScript plugins send ids, names, counts and durations; never messages, prompts or the
 * texts of errors. */
#include "hooks/hook_target_text.h"

/* clang-format off */
const char hook_target_goose_plugin[] =
    "{\n"
    "  \"name\": \"kaizen-host\",\n"
    "  \"version\": \"1.0.0\",\n"
    "  \"description\": \"Records the outcome of each turn with kaizen-host\"\n"
    "}\n";

/* What both plugins do in the same way: one process per event, which is left alone when it
 * hangs. */
#define JAVASCRIPT_TELL \
  "import { spawn } from \"node:child_process\";\n" \
  "\n" \
  "const COMMAND = @ARRAY@;\n" \
  "const STDIO = [\"pipe\", \"ignore\", \"ignore\"];\n" \
  "const LIMIT_MS = 1500;\n" \
  "\n" \
  "// Passes one event on; if that fails, the agent is not disturbed.\n" \
  "function tell(event) {\n" \
  "  return new Promise((done) => {\n" \
  "    let child;\n" \
  "    try {\n" \
  "      child = spawn(COMMAND[0], COMMAND.slice(1), { stdio: STDIO });\n" \
  "    } catch {\n" \
  "      return done();\n" \
  "    }\n" \
  "    const timer = setTimeout(() => child.kill(), LIMIT_MS);\n" \
  "    const end = () => (clearTimeout(timer), done());\n" \
  "    child.on(\"error\", end);\n" \
  "    child.on(\"close\", end);\n" \
  "    child.stdin.on(\"error\", () => {});\n" \
  "    child.stdin.end(JSON.stringify(event));\n" \
  "  });\n" \
  "}\n"

const char hook_target_opencode[] =
    "// kaizen-host.js - tells kaizen-host when a turn of OpenCode ends.\n"
    "//\n"
    "// Written by 'kaizen-host install-hooks opencode'; 'uninstall-hooks opencode' removes it.\n"
    "// It passes on ids, names, counts and durations; no message and no text of an error.\n"
    JAVASCRIPT_TELL
    "\n"
    "export const KaizenHost = async ({ directory }) => {\n"
    "  const turns = new Map(); // what is known of the turn a session is in\n"
    "\n"
    "  function begin(sessionID, message) {\n"
    "    const { id, agent } = message;\n"
    "    const startedAt = Date.now();\n"
    "    turns.set(sessionID, { messageID: id, agent, startedAt, answers: new Map() });\n"
    "  }\n"
    "  function answered(info) {\n"
    "    const turn = turns.get(info.sessionID);\n"
    "    if (!turn?.answers || info.role !== \"assistant\") return;\n"
    "    turn.model = info.providerID ? `${info.providerID}/${info.modelID}` : info.modelID;\n"
    "    turn.error = info.error?.name;\n"
    "    const { input, output, reasoning, cache } = info.tokens ?? {};\n"
    "    const { read: cacheRead, write: cacheWrite } = cache ?? {};\n"
    "    turn.answers.set(info.id, { cost: info.cost, input, output, reasoning, cacheRead, "
    "cacheWrite });\n"
    "  }\n"
    "  function sum(turn, ...names) {\n"
    "    let total = 0;\n"
    "    for (const answer of turn.answers.values())\n"
    "      for (const name of names) total += Number(answer[name]) || 0;\n"
    "    return total || undefined;\n"
    "  }\n"
    "  // OpenCode does not wait for handlers, and reports the end of a turn several times: only "
    "the\n"
    "  // first one counts, and an error of an answer counts with any of them.\n"
    "  function end(sessionID, error) {\n"
    "    const turn = turns.get(sessionID);\n"
    "    if (turn?.ended) return;\n"
    "    turns.set(sessionID, { ...turn, ended: true });\n"
    "    const name = error ?? turn?.error;\n"
    "    const type = name ? \"session.error\" : \"session.idle\";\n"
    "    const properties = { sessionID, error: name && { name } };\n"
    "    if (!turn) return tell({ type, properties, directory });\n"
    "    return tell({\n"
    "      type,\n"
    "      properties,\n"
    "      directory,\n"
    "      messageID: turn.messageID,\n"
    "      agent: turn.agent,\n"
    "      model: turn.model,\n"
    "      durationMs: Date.now() - turn.startedAt,\n"
    "      cost: sum(turn, \"cost\"),\n"
    "      tokens: {\n"
    "        input: sum(turn, \"input\", \"cacheRead\", \"cacheWrite\"),\n"
    "        output: sum(turn, \"output\", \"reasoning\"),\n"
    "        reasoning: sum(turn, \"reasoning\"),\n"
    "        cacheRead: sum(turn, \"cacheRead\"),\n"
    "        cacheWrite: sum(turn, \"cacheWrite\"),\n"
    "      },\n"
    "    });\n"
    "  }\n"
    "\n"
    "  return {\n"
    "    \"chat.message\": async (input, output) => {\n"
    "      const message = output?.message ?? {};\n"
    "      const { id = input.messageID, agent = input.agent } = message;\n"
    "      begin(input.sessionID, { id, agent });\n"
    "    },\n"
    "    event: async ({ event }) => {\n"
    "      const properties = event?.properties ?? {};\n"
    "      const { sessionID } = properties;\n"
    "      const isIdle = event.type === \"session.status\" && properties.status?.type === "
    "\"idle\";\n"
    "      if (event.type === \"message.updated\" && properties.info) answered(properties.info);\n"
    "      else if (event.type === \"session.error\" && sessionID)\n"
    "        await end(sessionID, properties.error?.name ?? \"unknown\");\n"
    "      else if (isIdle || event.type === \"session.idle\") await end(sessionID);\n"
    "      else if (event.type === \"session.deleted\") turns.delete(properties.info?.id);\n"
    "    },\n"
    "  };\n"
    "};\n";

const char hook_target_openclaw_package[] =
    "{\n"
    "  \"name\": \"kaizen-host\",\n"
    "  \"version\": \"1.0.0\",\n"
    "  \"private\": true,\n"
    "  \"type\": \"module\",\n"
    "  \"openclaw\": { \"extensions\": [\"./index.js\"] }\n"
    "}\n";

const char hook_target_openclaw_manifest[] =
    "{\n"
    "  \"id\": \"kaizen-host\",\n"
    "  \"name\": \"kaizen-host\",\n"
    "  \"description\": \"Records the outcome of each run with kaizen-host\",\n"
    "  \"activation\": { \"onStartup\": true },\n"
    "  \"configSchema\": { \"type\": \"object\", \"additionalProperties\": false }\n"
    "}\n";

const char hook_target_openclaw_index[] =
    "// index.js - tells kaizen-host when a run of OpenClaw ends.\n"
    "//\n"
    "// Written by 'kaizen-host install-hooks openclaw'; 'uninstall-hooks openclaw' removes it.\n"
    "// It passes on ids, the outcome, counts and the duration; no message, no text of an error, "
    "and\n"
    "// no sessionKey, which can be a telephone number.\n"
    JAVASCRIPT_TELL
    "\n"
    "// The answers since the last question: those of this run, not of the whole conversation.\n"
    "function answersOf(messages) {\n"
    "  const all = Array.isArray(messages) ? messages : [];\n"
    "  const asked = all.findLastIndex((message) => message?.role === \"user\");\n"
    "  return all.slice(asked + 1).filter((message) => message?.role === \"assistant\");\n"
    "}\n"
    "\n"
    "function sum(answers, ...names) {\n"
    "  let total = 0;\n"
    "  for (const answer of answers)\n"
    "    for (const name of names) total += Number(answer.usage?.[name]) || 0;\n"
    "  return total || undefined;\n"
    "}\n"
    "\n"
    "export default {\n"
    "  id: \"kaizen-host\",\n"
    "  name: \"kaizen-host\",\n"
    "  description: \"Records the outcome of each run with kaizen-host\",\n"
    "  register(api) {\n"
    "    api.on(\"agent_end\", (event, context) => {\n"
    "      const { agentId, sessionId, workspaceDir, modelProviderId, modelId } = context ?? {};\n"
    "      const runId = context?.runId ?? event?.runId;\n"
    "      const answers = answersOf(event?.messages);\n"
    "      return tell({\n"
    "        type: \"agent_end\",\n"
    "        success: event?.success,\n"
    "        stopReason: answers.at(-1)?.stopReason, // success is true for a provider's "
    "error, too\n"
    "        durationMs: event?.durationMs,\n"
    "        model: modelProviderId && modelId ? `${modelProviderId}/${modelId}` : modelId,\n"
    "        tokens: {\n"
    "          input: sum(answers, \"input\", \"cacheRead\", \"cacheWrite\"),\n"
    "          output: sum(answers, \"output\"),\n"
    "          cacheRead: sum(answers, \"cacheRead\"),\n"
    "          cacheWrite: sum(answers, \"cacheWrite\"),\n"
    "        },\n"
    "        ctx: { agentId, sessionId, runId, workspaceDir },\n"
    "      });\n"
    "    });\n"
    "  },\n"
    "};\n";
/* clang-format on */

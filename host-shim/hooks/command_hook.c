/* command_hook.c - called by a coding agent when a turn begins or ends.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/output.h"
#include "hooks/hook_event.h"
#include "hooks/hook_guard.h"
#include "hooks/hook_identity.h"
#include "hooks/hook_input.h"
#include "hooks/hook_log.h"
#include "hooks/hook_payload.h"
#include "hooks/hook_record.h"
#include "hooks/hook_tests.h"
#include "hooks/hook_transcript.h"
#include "hooks/hook_usage.h"
#include "hooks/hooks_commands.h"
#include "host/command.h"

static const struct option_spec own_options[] = {
    {"event", 0, OPTION_NAME, "NAME", "event name, if the payload does not have it"},
    {"state-dir", 0, OPTION_DIRECTORY, "DIR",
     "folder for state and hook.log; default: in $XDG_STATE_HOME"},
    {NULL, 0, OPTION_FLAG, NULL, NULL},
};

static const struct command_example examples[] = {
    {"hook claude-code < payload.json",
     "as the coding agent calls it, with settings from install-hooks"},
    {"hook auto < payload.json", "find the coding agent from the payload"},
    {"hook codex --agent reviewer --metadata team=web", "record under a given name, with metadata"},
    {"hook gemini --test-cmd 'make -s test'", "after each turn, record whether the tests pass"},
    {NULL, NULL},
};

struct call { /* one call of the hook */
  const struct host *host;
  const struct hook_host *given; /* NULL: auto */
  struct hook_state state;
  const struct hook_state *usable; /* &state, or NULL */
  struct hook_event event;
};

static void take_usage(struct call *call, const struct hook_identity *identity,
                       struct usage *usage) {
  *usage = (struct usage){.calls = NULL};
  if (options_given(call->host->arguments, "no-usage"))
    return;
  hook_usage_end(call->usable, &call->event, identity->key, hook_guard_deadline_s(HOOK_GUARD_READ),
                 usage);
  call->event.usage = usage;
}

/* `tests`: as for hook_record_execution(). */
static void record_turn(struct call *call, const struct hook_event *event,
                        const struct hook_identity *identity, const struct hook_state *tests) {
  bool skips = strcmp(options_text(call->host->arguments, "aborted", "skip"), "skip") == 0;
  bool runs_tests = !event->is_agents && event->outcome != HOOK_ABORTED;

  /* Hosts run internal subagents, for a title or a summary: they are not the user's runs. */
  if (event->is_agents && event->agent_name[0] == '\0')
    hook_log("%s: subagent without a name; not recorded", event->name);
  else if (event->outcome == HOOK_ABORTED && skips)
    hook_log("%s: aborted; not recorded (--aborted failure records it)", event->name);
  else
    hook_record_execution(call->host, event, identity, runs_tests ? tests : NULL);
}

static void end_turn(struct call *call) {
  struct hook_identity identity;
  struct usage usage;

  hook_identity_end(call->usable, &call->event, &identity);
  take_usage(call, &identity, &usage);
  record_turn(call, &call->event, &identity, call->usable);
  usage_free(&usage);
}

/* Turns that began and whose end was never reported.  A host that reports the end of all others but
 * those that fail may not report those of threads of its own, such as a review. */
static void record_losses(struct call *call, const struct hook_turn_losses *losses) {
  for (size_t i = 0; i < losses->count; i++) {
    struct hook_event event;
    struct hook_identity identity;

    hook_identity_lose(&call->event, &losses->turns[i], &event, &identity);
    if (event.host->unheard == HOOK_UNHEARD_FAILURE &&
        !hook_transcript_settle(losses->turns[i].name, hook_guard_deadline_s(HOOK_GUARD_READ),
                                &event))
      hook_log("%s: by the transcript, the turn before it is not a run; not recorded", event.name);
    else
      record_turn(call, &event, &identity, NULL);
  }
}

static void act(struct call *call) {
  struct hook_turn_losses losses;

  switch (call->event.kind) {
  case HOOK_SESSION_START:
    hook_identity_resume(call->usable, &call->event);
    return;
  case HOOK_TURN_START:
  case HOOK_AGENT_START:
    hook_usage_begin(call->usable, &call->event);
    hook_identity_begin(call->usable, &call->event, &losses);
    if (losses.count > 0 && hook_record_enter(&call->event) == 0)
      record_losses(call, &losses);
    return;
  case HOOK_TURN_END:
  case HOOK_TURN_FAILURE:
  case HOOK_TURN_ABORTED:
  case HOOK_AGENT_END:
    if (hook_record_enter(&call->event) == 0)
      end_turn(call);
    return;
  case HOOK_SESSION_END:
    hook_identity_close(call->usable, &call->event, hook_guard_deadline_s(HOOK_GUARD_READ),
                        &losses);
    if (hook_record_enter(&call->event) < 0)
      return;
    record_losses(call, &losses);
    hook_record_flush(call->host);
    return;
  case HOOK_ERROR:
    hook_identity_note_error(call->usable, &call->event);
    hook_log("%s: remembered; the end of the turn decides", call->event.name);
    return;
  case HOOK_IGNORED:
    hook_log("%s: nothing to record", call->event.name);
    return;
  }
}

static void take_payload(struct call *call, const char *text, size_t len) {
  struct problem problem;
  struct json_object *payload = hook_payload_parse(text, len);

  if (!payload) {
    hook_log("the payload of %zu bytes is not a JSON object; not recorded", len);
    return;
  }
  if (hook_event_read(payload, call->given, options_text(call->host->arguments, "event", NULL),
                      call->usable ? call->usable->key : NULL, &call->event, &problem) < 0) {
    hook_log("%s; not recorded", problem.text);
  } else {
    if (call->event.host == &hook_host_unknown)
      hook_log("%s: unknown payload; name the coding agent instead of 'auto'", call->event.name);
    if (call->usable)
      hook_log_fired(call->usable, call->given ? call->given->name : call->event.host->name,
                     call->event.name);
    act(call);
  }
  json_object_put(payload);
}

static void take_input(struct call *call) {
  struct hook_input input;
  const struct arguments *arguments = call->host->arguments;

  if (arguments->word_count >
      1) { /* called by Codex's notify: then nobody writes to standard input */
    const char *last = arguments->words[arguments->word_count - 1];
    take_payload(call, last, strlen(last));
    return;
  }
  if (hook_input_read(STDIN_FILENO, hook_guard_deadline_s(HOOK_GUARD_READ),
                      hook_guard_deadline_s(HOOK_GUARD_FLUSH), &input) < 0) {
    hook_log("no memory for the payload; not recorded");
    return;
  }
  if (input.is_open)
    hook_log("standard input was not closed in time; using what arrived");
  if (input.is_cut)
    hook_log("the payload is larger than 16 MiB; not recorded");
  else
    take_payload(call, input.text, input.len);
  free(input.text);
}

static const char *absolute(const char *file, char path[PATH_MAX]) {
  return file && realpath(file, path) ? path : file;
}

/* The search for the project begins in another folder than the one the command line was written
 * in. */
static void take_host(const struct host *host, struct host *out) {
  static char directory[PATH_MAX], config_file[PATH_MAX], plugin_name[PATH_MAX];

  *out = *host;
  out->directory = absolute(host->directory, directory);
  out->config_file = absolute(host->config_file, config_file);
  if (host->plugin_name && strchr(host->plugin_name, '/')) /* else it is looked up by its name */
    out->plugin_name = absolute(host->plugin_name, plugin_name);
}

static void open_log(struct call *call) {
  struct problem problem;
  const char *name = command_word(call->host, 0);
  const char *state_dir = options_text(call->host->arguments, "state-dir", NULL);
  bool has_state = hook_state_open(state_dir, true, &call->state, &problem) == 0;

  call->usable = has_state ? &call->state : NULL;
  call->given = hook_host_find(name);
  hook_log_open(call->usable, call->given ? name : "auto");
  if (!has_state)
    hook_log("%s", problem.text);
}

static void work(struct call *call) {
  const char *name = command_word(call->host, 0);

  open_log(call);
  if (!call->given && strcmp(name, "auto") != 0)
    hook_log("unknown host '%s'; using auto",
             hook_redact_is_word(name, HOOK_WORD_MAX) ? name : "?");
  take_input(call);
  if (call->usable)
    hook_state_clean(call->usable);
}

/* Usually there is no message, so no file needs to be opened. */
static void say_end(struct call *call, enum hook_guard_side side) {
  if (side != HOOK_GUARD_LATE && side != HOOK_GUARD_CRASHED)
    return;
  open_log(call);
  hook_log(side == HOOK_GUARD_LATE ? "stopped after 900 ms"
                                   : "crashed; 'kaizen-host doctor' checks the set-up");
}

static int run(const struct host *given) {
  struct host here;
  struct call call = {.host = &here, .state = {.folder = -1}};
  enum hook_guard_side side = hook_guard_begin();

  take_host(given, &here);
  if (side == HOOK_GUARD_WORKER)
    work(&call);
  else
    say_end(&call, side);
  hook_state_close(&call.state);
  return EXIT_CODE_OK;
}

/* Even a wrong command line must not influence the agent. */
static int refuse(const struct problem *problem) {
  bool named = strncmp(problem->text, "hook: ", 6) == 0;

  output_error("%s%s; not recorded", named ? "" : "hook: ", problem->text);
  return EXIT_CODE_OK;
}

const struct command command_hook = {
    .name = "hook",
    .synopsis = "HOST [OPTIONS] < PAYLOAD",
    .second_synopsis = "codex-notify [OPTIONS] PAYLOAD",
    .summary = "called by a coding agent when a turn begins or ends",
    .details =
        "The end of a turn is recorded.  A start is remembered, to measure the duration.  The end "
        "of a session only sends pending events.  The status is always 0, standard output stays "
        "empty, and the hook returns within 900 ms; messages go to hook.log in "
        "$XDG_STATE_HOME/kaizen-host/ (~/.local/state/kaizen-host/).  No prompt, answer, tool "
        "text, address or transcript is stored.  Tokens, model and tool errors are counted from "
        "the transcript, unless --no-usage is given.  With --test-cmd, the project's tests run "
        "in the background after each turn.  docs/hosts/ describes each coding agent.",
    .examples = examples,
    .option_groups = {hook_record_options, hook_tests_options, own_options},
    .words = {HOOK_HOST_NAMES, "auto"},
    .words_min = 1,
    .words_max = 64,
    .refused = refuse,
    .run = run,
};

/* history.c - the turns in a coding agent's transcripts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "usage/history.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_text.h"
#include "base/json_text.h"
#include "base/time_text.h"
#include "host/report_text.h"
#include "usage/transcript_format.h"

static const size_t DOCUMENT_BYTES_MAX = 64 * 1024 * 1024;
static const int64_t QUIET_NS = INT64_C(900000000000); /* a turn does not go on after that */

struct reading { /* of one file */
  struct history *history;
  struct transcript *transcript;
  struct history_turn turn; /* the open one; its session, agent and version are those of the file */
  enum transcript_step last;
  bool is_open, is_elsewhere;
  bool is_copied; /* the open turn is another session's */
  bool is_final;  /* its last answer is known to be the last */
  bool is_at_end; /* nothing follows in the file */
  bool is_upkeep; /* its end is not that of a run */
  uint64_t skipped;
  char folder[PATH_MAX];
};

static void take_text(char *out, size_t room, const char *text) {
  if (text[0] != '\0')
    snprintf(out, room, "%s", text);
}

static void take_folder(struct reading *reading, const char *folder) {
  bool is_settled = reading->history->format->keeps_folder && reading->folder[0] != '\0';

  if (!folder || is_settled || strcmp(folder, reading->folder) == 0 ||
      strlen(folder) >= sizeof reading->folder)
    return;
  strcpy(reading->folder, folder);
  reading->is_elsewhere = !reading->history->is_ours(reading->history->ctx, folder);
}

static void keep(struct history *history, const struct history_turn *turn) {
  if (history->count == history->room) {
    size_t room = history->room > 0 ? history->room * 2 : 256;
    struct history_turn *larger = reallocarray(history->turns, room, sizeof *larger);

    if (!larger) {
      history->no_memory = true;
      return;
    }
    history->turns = larger;
    history->room = room;
  }
  history->turns[history->count++] = *turn;
}

/* When a host does not report the end, the answer ends a turn. */
static enum transcript_step outcome_of(const struct reading *reading) {
  bool says_end = reading->history->format->says_end;
  bool says_outcome = strcmp(reading->history->format->host, "claude-code") == 0;

  if (reading->last != TRANSCRIPT_ANSWER)
    return reading->last;
  return says_end ? TRANSCRIPT_OTHER : says_outcome ? TRANSCRIPT_COMPLETED : TRANSCRIPT_ANSWER;
}

/* The last words in a file may be followed by others while the agent still works. */
static bool may_go_on(const struct reading *reading) {
  return reading->is_at_end && reading->last == TRANSCRIPT_ANSWER && !reading->is_final &&
         reading->history->now_ns - reading->turn.ended_ns < QUIET_NS;
}

static void end_turn(struct reading *reading) {
  struct history *history = reading->history;
  struct history_turn *turn = &reading->turn;
  struct usage *usage = &reading->transcript->usage;
  bool is_agents = turn->agent_id[0] != '\0';

  if (!reading->is_open)
    return;
  reading->is_open = false;
  turn->outcome = outcome_of(reading);
  turn->tokens = usage_sum(usage);
  turn->tool_errors = usage_tool_errors(usage);
  snprintf(turn->model, sizeof turn->model, "%s", usage_model(usage));
  /* a command of the host's own, such as /help, has no answer of a model */
  bool is_run = !reading->is_upkeep &&
                (reading->is_copied || usage->count > 0 || turn->outcome == TRANSCRIPT_FAILED);
  if (!is_run || turn->session[0] == '\0' || turn->ended_ns < history->since_ns)
    return;
  if (reading->is_elsewhere || reading->folder[0] == '\0')
    history->elsewhere++;
  else if (reading->is_copied)
    history->copied++;
  else if (turn->outcome == TRANSCRIPT_OTHER || turn->outcome == TRANSCRIPT_PROMPT ||
           turn->outcome == TRANSCRIPT_TOOL || turn->ended_ns == 0 || may_go_on(reading))
    history->unfinished++;
  else if (is_agents && turn->agent_name[0] == '\0')
    history->nameless++;
  else
    keep(history, turn);
}

static void begin_turn(struct reading *reading, const struct transcript_line *line) {
  struct history_turn *turn = &reading->turn;

  end_turn(reading);
  usage_clear(&reading->transcript->usage);
  reading->is_open = true;
  reading->is_copied = reading->is_final = reading->is_upkeep = false;
  reading->last = TRANSCRIPT_PROMPT;
  turn->begun_ns = line->unix_ns;
  turn->ended_ns = line->unix_ns;
  turn->error[0] = turn->turn[0] = '\0';
}

/* After an answer, a line that was too long to be read was the prompt of another turn. */
static void take_skipped(struct reading *reading) {
  if (reading->skipped == reading->transcript->skipped)
    return;
  reading->skipped = reading->transcript->skipped;
  if (reading->last == TRANSCRIPT_ANSWER)
    end_turn(reading);
}

/* Is the prompt one more of the open turn?  The copied prompts of a forked session all have the id
 * of its own first one: then the turn that is open has ended before. */
static bool goes_on(struct reading *reading, const struct transcript_line *line) {
  bool has_its_id =
      reading->is_open && line->turn[0] != '\0' && strcmp(line->turn, reading->turn.turn) == 0;
  bool has_answered = reading->last == TRANSCRIPT_FAILED ||
                      (reading->last == TRANSCRIPT_ANSWER && reading->is_final);

  reading->is_copied = reading->is_copied || (has_its_id && has_answered);
  return has_its_id && !reading->is_copied && reading->last != TRANSCRIPT_ABORTED;
}

static void take_line(void *ctx, const struct transcript_line *line) {
  struct reading *reading = ctx;
  struct history_turn *turn = &reading->turn;

  take_skipped(reading);
  if (!turn->session[0]) /* the first one in a file counts: a fork repeats its parent's */
    take_text(turn->session, sizeof turn->session, line->session);
  take_text(turn->version, sizeof turn->version, line->version);
  if (reading->transcript->is_agents_own || strcmp(reading->history->format->host, "codex") == 0) {
    take_text(turn->agent_id, sizeof turn->agent_id, line->agent_id);
    take_text(turn->agent_name, sizeof turn->agent_name, line->agent_name);
  }
  take_folder(reading, line->folder);
  if (line->step == TRANSCRIPT_PROMPT && !goes_on(reading, line))
    begin_turn(reading, line);
  if (!reading->is_open)
    return;
  if (line->step == TRANSCRIPT_PROMPT || turn->turn[0] == '\0')
    take_text(turn->turn, sizeof turn->turn, line->turn);
  if (line->step == TRANSCRIPT_OTHER || line->step == TRANSCRIPT_PROMPT)
    return;
  reading->last = line->step;
  reading->is_final = line->is_final;
  reading->is_upkeep = line->is_upkeep;
  reading->is_copied = reading->is_copied || line->is_copied;
  take_text(turn->error, sizeof turn->error, line->error);
  if (line->unix_ns > 0)
    turn->ended_ns = line->unix_ns;
  if (line->step == TRANSCRIPT_COMPLETED || line->step == TRANSCRIPT_FAILED ||
      line->step == TRANSCRIPT_ABORTED)
    if (reading->history->format->says_end)
      end_turn(reading);
}

/* Older versions of Gemini CLI keep a session as one document. */
static int read_document(struct transcript *transcript, const char *path, struct problem *problem) {
  const char *description = NULL;
  char *text = NULL;
  size_t len = 0, at = 0;

  if (file_text_read_regular(path, DOCUMENT_BYTES_MAX, &text, &len, problem) < 0)
    return -1;
  struct json_object *document = json_text_parse(text, len, &at, &description);
  struct json_object *messages = report_text_member(document, "messages");
  free(text);
  if (!json_object_is_type(messages, json_type_array)) {
    json_object_put(document);
    return problem_set(problem, EXIT_CODE_FAILED, "%s: not a session", path);
  }
  transcript_take(transcript, document);
  for (size_t i = 0; i < json_object_array_length(messages); i++)
    transcript_take(transcript, json_object_array_get_idx(messages, i));
  json_object_put(document);
  return 0;
}

int history_read(struct history *history, const char *path, const char *folder, bool is_agents_own,
                 struct problem *problem) {
  struct transcript transcript;
  size_t len = strlen(path);

  if (transcript_open(&transcript, history->format, path, problem) < 0)
    return -1;
  struct reading reading = {.history = history, .transcript = &transcript};
  transcript.is_agents_own = is_agents_own;
  transcript.each = take_line;
  transcript.ctx = &reading;
  take_folder(&reading, folder);
  int result = 0;
  if (len > 5 && strcmp(path + len - 5, ".json") == 0)
    result = read_document(&transcript, path, problem);
  else if (transcript_read(&transcript, 0) < 0)
    result = problem_set(problem, EXIT_CODE_FAILED, "%s: cannot read to its end", path);
  else if (transcript.skipped > 0)
    result = problem_set(problem, EXIT_CODE_FAILED, "%s: %" PRIu64 " line%s too long; left out",
                         path, transcript.skipped, transcript.skipped > 1 ? "s" : "");
  transcript_end(&transcript);
  reading.is_at_end = true;
  end_turn(&reading);
  transcript_close(&transcript);
  return history->no_memory ? problem_no_memory(problem) : result;
}

/* ---- turns that several files have ----------------------------------------------------------- */

static int compare(int64_t a, int64_t b) {
  return a < b ? -1 : a > b;
}

/* Of the places of two turns. */
static int by_identity(const void *a, const void *b, void *ctx) {
  const struct history *history = ctx;
  const struct history_turn *left = &history->turns[*(const size_t *)a];
  const struct history_turn *right = &history->turns[*(const size_t *)b];
  bool by_turn = history->format->has_own_turns;
  int order = strcmp(left->turn, right->turn);

  if (order == 0 && !(by_turn && left->turn[0] != '\0'))
    order = strcmp(left->agent_id, right->agent_id);
  if (order == 0)
    order = compare(left->ended_ns, right->ended_ns);
  if (order == 0)
    order = compare(left->begun_ns, right->begun_ns);
  return order != 0 ? order : strcmp(left->session, right->session);
}

/* A copy may have been given the time of the copying, but a turn without an id is known by its
 * times alone. */
static bool is_same_turn(const struct history *history, const struct history_turn *first,
                         const struct history_turn *turn) {
  bool has_id = turn->turn[0] != '\0';
  bool by_turn = has_id && history->format->has_own_turns;
  bool is_same_run = by_turn || strcmp(first->agent_id, turn->agent_id) == 0;
  bool is_same_time = first->ended_ns == turn->ended_ns && first->begun_ns == turn->begun_ns;
  bool is_same_file =
      strcmp(first->session, turn->session) == 0 && strcmp(first->agent_id, turn->agent_id) == 0;

  return strcmp(first->turn, turn->turn) == 0 && is_same_run &&
         (is_same_time || (has_id && !is_same_file));
}

void history_find_repeated(struct history *history) {
  size_t *order = calloc(history->count + 1, sizeof *order);
  const struct history_turn *first = NULL;

  if (!order) {
    history->no_memory = true;
    return;
  }
  for (size_t i = 0; i < history->count; i++)
    order[i] = i;
  qsort_r(order, history->count, sizeof *order, by_identity, history);
  for (size_t i = 0; i < history->count; i++) {
    struct history_turn *turn = &history->turns[order[i]];

    turn->is_repeated = first && is_same_turn(history, first, turn);
    if (!turn->is_repeated)
      first = turn;
  }
  free(order);
}

/* ---------------------------------------------------------------------------------------------- */

static void join(char key[HISTORY_KEY_MAX], const char *part) {
  size_t len = strlen(key);

  if (part[0] != '\0')
    snprintf(key + len, HISTORY_KEY_MAX - len, "%s%s", len > 0 ? ":" : "", part);
}

void history_key(const struct history *history, const struct history_turn *turn,
                 char key[HISTORY_KEY_MAX]) {
  char stamp[TIME_TEXT_MAX];

  key[0] = '\0';
  join(key, history->format->host);
  join(key, turn->session);
  join(key, turn->agent_id);
  if (turn->turn[0] == '\0') { /* with the milliseconds that tell turns of one second apart */
    time_text_format(turn->ended_ns, stamp);
    stamp[strlen(stamp) - 1] = '\0';
    join(key, stamp);
    snprintf(key + strlen(key), HISTORY_KEY_MAX - strlen(key), ".%03dZ",
             (int)(turn->ended_ns / 1000000 % 1000));
  } else {
    join(key, turn->turn);
  }
}

void history_free(struct history *history) {
  free(history->turns);
  history->turns = NULL;
  history->count = history->room = 0;
}

/* import.c - turns from a coding agent's transcripts into the project's logs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "operator/import.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/amount_text.h"
#include "base/json_text.h"
#include "base/output.h"
#include "base/signals.h"
#include "base/table.h"
#include "base/time_text.h"
#include "host/project_root.h"
#include "operator/known_records.h"
#include "usage/history_files.h"
#include "usage/transcript_format.h"

/* ---- the transcripts ------------------------------------------------------------------------- */

/* A folder that is gone belongs to the project of those above it. */
static bool is_ours(void *ctx, const char *folder) {
  const struct import *import = ctx;
  char found[PATH_MAX];
  struct problem ignored;

  return project_root_of_gone(folder, found, &ignored) == 0 &&
         strcmp(found, import->session->project_root) == 0;
}

static void show_progress(const struct import *import, uint64_t done, uint64_t all) {
  char bar[25] = "";
  double share = all > 0 ? (double)done / (double)all : 1;

  if (!output_is_animated())
    return;
  for (size_t i = 0; i < sizeof bar - 1; i++)
    bar[i] = (double)i < share * (double)(sizeof bar - 1) ? '#' : '-';
  output_progress("[%s] %3.0f%%  %zu turns of %s", bar, share * 100, import->history.count,
                  import->host);
}

int import_collect(struct import *import, struct problem *problem) {
  struct history_files files;
  struct problem unread;
  uint64_t done = 0;
  int result = history_files_find(import->host, import->session->project_root,
                                  import->history.since_ns, &files, problem);

  import->history.format = transcript_format_find(import->host);
  import->history.now_ns = (int64_t)time(NULL) * INT64_C(1000000000);
  import->history.is_ours = is_ours;
  import->history.ctx = import;
  for (size_t i = 0; result == 0 && i < files.count && signals_pending() == 0; i++) {
    const struct history_file *file = &files.list[i];

    show_progress(import, done, files.bytes);
    if (history_read(&import->history, file->path, file->folder, file->is_agents_own, &unread) <
        0) {
      output_progress_end();
      output_warning("%s", unread.text);
      import->unreadable++;
    }
    if (import->history.no_memory)
      result = problem_no_memory(problem);
    import->files++;
    done += file->bytes;
  }
  output_progress_end();
  import->unreadable += files.unreadable;
  history_files_free(&files);
  return result;
}

/* ---- records --------------------------------------------------------------------------------- */

static struct import_agent *agent_of(struct import *import, const char *name) {
  for (size_t i = 0; i < import->agent_count; i++)
    if (strcmp(import->agents[i].name, name) == 0)
      return &import->agents[i];
  if (import->agent_count == import->agent_room) {
    size_t room = import->agent_room > 0 ? import->agent_room * 2 : 16;
    struct import_agent *larger = reallocarray(import->agents, room, sizeof *larger);

    if (!larger)
      return NULL;
    import->agents = larger;
    import->agent_room = room;
  }
  struct import_agent *agent = &import->agents[import->agent_count++];
  *agent = (struct import_agent){.turns = 0};
  snprintf(agent->name, sizeof agent->name, "%s", name);
  return agent;
}

static int add_word(struct json_text_members *members, const char *name, const char *word) {
  return word[0] != '\0' ? json_text_members_add_text(members, name, word) : 0;
}

static int describe(const struct import *import, const struct history_turn *turn,
                    struct json_text_members *metadata, struct json_text_members *record) {
  bool failed = turn->outcome == TRANSCRIPT_FAILED;
  const char *outcome = failed                                  ? "failed"
                        : turn->outcome == TRANSCRIPT_ABORTED   ? "aborted"
                        : turn->outcome == TRANSCRIPT_COMPLETED ? "completed"
                                                                : "";
  char tool_errors[24];
  int result = json_text_members_add_text(metadata, "host", import->host) |
               add_word(metadata, "host_version", turn->version) |
               json_text_members_add_text(metadata, "event", "import") |
               add_word(metadata, "model", turn->model) | add_word(metadata, "outcome", outcome) |
               usage_describe_tokens(&turn->tokens, metadata, record);

  if (failed)
    result |= json_text_members_add_text(metadata, "error_type",
                                         turn->error[0] != '\0' ? turn->error : "unknown");
  snprintf(tool_errors, sizeof tool_errors, "%" PRId64, turn->tool_errors);
  if (turn->tool_errors != USAGE_NOT_SAID)
    result |= json_text_members_add_json(metadata, "tool_errors", tool_errors);
  return result;
}

/* One line of a log; NULL without memory. */
static char *make_line(const struct import *import, const struct history_turn *turn,
                       const char *agent, const char *agent_name, const char *key) {
  struct json_text_members record = {.list = NULL}, metadata = {.list = NULL};
  double elapsed_s = (double)(turn->ended_ns - turn->begun_ns) / 1e9;
  bool success = turn->outcome == TRANSCRIPT_COMPLETED || turn->outcome == TRANSCRIPT_ANSWER;
  char timestamp[TIME_TEXT_MAX], *line = NULL;

  time_text_format(turn->ended_ns, timestamp);
  int result = json_text_members_add_text(&record, "timestamp", timestamp) |
               json_text_members_add_text(&record, "agent", agent) |
               json_text_members_add_text(&record, "session_id", turn->session) |
               json_text_members_add_json(&record, "success", success ? "true" : "false") |
               json_text_members_add_text(&record, "idempotency_key", key) |
               add_word(&metadata, "agent_name", agent_name) |
               describe(import, turn, &metadata, &record);
  if (turn->begun_ns > 0 && elapsed_s > 0)
    result |= json_text_members_add_number(&record, "execution_time_s", elapsed_s);
  char *text = result == 0 ? json_text_splice("{}", 2, &metadata) : NULL;
  if (text && json_text_members_add_json(&record, "metadata", text) == 0)
    line = json_text_splice("{}", 2, &record);
  free(text);
  json_text_members_free(&record);
  json_text_members_free(&metadata);
  return line;
}

static int count_turn(struct import *import, const struct history_turn *turn, const char *agent,
                      struct problem *problem) {
  struct import_agent *entry = agent_of(import, agent);

  if (!entry)
    return problem_no_memory(problem);
  if (import->first_ns == 0)
    import->first_ns = turn->ended_ns;
  import->last_ns = turn->ended_ns;
  entry->turns++;
  entry->failed += turn->outcome == TRANSCRIPT_FAILED || turn->outcome == TRANSCRIPT_ABORTED;
  if (turn->tokens.input != USAGE_NOT_SAID && turn->tokens.output != USAGE_NOT_SAID) {
    entry->tokens += (uint64_t)(turn->tokens.input + turn->tokens.output);
    entry->with_tokens++;
  }
  return 0;
}

/* Answers the part of it after "HOST:SESSION:". */
static const char *key_of(const struct import *import, const struct history_turn *turn,
                          char key[HISTORY_KEY_MAX]) {
  history_key(&import->history, turn, key);
  return key + strlen(import->host) + 1 + strlen(turn->session) + 1;
}

/* Adds the turn's line to `out` unless it is recorded, or was found before: a forked session
 * repeats the turns of its parent. */
static int hand_over(struct import *import, const struct kaizen_names_1 *names,
                     struct known_records *known, const struct history_turn *turn, FILE *out,
                     struct problem *problem) {
  char key[HISTORY_KEY_MAX], agent[KAIZEN_NAME_MAX + 1];
  const char *given = import->agent         ? import->agent
                      : turn->agent_name[0] ? turn->agent_name
                                            : import->host;
  char reason[208] = "";
  int32_t mapped = names->map(given, KAIZEN_NTS, agent, reason, sizeof reason);

  if (mapped < 0)
    return problem_set(problem, EXIT_CODE_REJECTED, "cannot make an agent name from '%s': %s",
                       given, reason);
  if (turn->outcome == TRANSCRIPT_ABORTED && !import->takes_aborted) {
    import->aborted++;
    return 0;
  }
  const char *tail = key_of(import, turn, key);
  if (known_records_take(known, turn->session, tail, agent, turn->ended_ns)) {
    import->recorded_before++;
    return 0;
  }
  char *line = make_line(import, turn, agent, mapped > 0 ? given : "", key);
  if (!line)
    return problem_no_memory(problem);
  fprintf(out, "%s\n", line);
  free(line);
  return count_turn(import, turn, agent, problem);
}

static int by_end(const void *a, const void *b) {
  const struct history_turn *left = a, *right = b;

  return left->ended_ns < right->ended_ns ? -1 : left->ended_ns > right->ended_ns;
}

/* The lines of all new turns, oldest first, in a file without a name. */
static int make_lines(struct import *import, int *fd, struct problem *problem) {
  const struct kaizen_names_1 *names = session_extension(import->session, KAIZEN_NAMES_1, problem);
  struct history *history = &import->history;
  struct known_records known = {.list = NULL};
  int result =
      names ? known_records_read(import->session, import->history.since_ns, &known, problem) : -1;

  history_find_repeated(history);
  if (history->no_memory)
    result = problem_no_memory(problem);
  for (size_t i = 0; result == 0 && i < history->count; i++) {
    char key[HISTORY_KEY_MAX];
    const struct history_turn *turn = &history->turns[i];

    known_records_take_id(&known, turn->session, key_of(import, turn, key));
  }
  *fd = memfd_create("kaizen-import", MFD_CLOEXEC);
  FILE *out = *fd >= 0 ? fdopen(dup(*fd), "w") : NULL;
  if (result == 0 && !out)
    result = problem_no_memory(problem);
  if (history->count > 0)
    qsort(history->turns, history->count, sizeof *history->turns, by_end);
  for (size_t i = 0; result == 0 && i < history->count; i++)
    if (!history->turns[i].is_repeated)
      result = hand_over(import, names, &known, &history->turns[i], out, problem);
  if (out && fclose(out) != 0 && result == 0)
    result = problem_no_memory(problem);
  known_records_free(&known);
  return result;
}

int import_record(struct import *import, uint32_t exec_flags, struct problem *problem) {
  int fd = -1, result = make_lines(import, &fd, problem);

  replay_init(&import->replay, import->session);
  import->replay.exec_flags = exec_flags;
  if (result == 0)
    result = replay_open_descriptor(&import->replay, fd, problem);
  else if (fd >= 0)
    close(fd);
  if (result == 0)
    result = session_start(import->session, problem);
  return result == 0 ? replay_run(&import->replay, problem) : result;
}

/* ---- the report ------------------------------------------------------------------------------ */

static void print_json(const struct import *import) {
  struct json_object *document = json_object_new_object(), *agents = json_object_new_array();
  const struct kaizen_batch_result *total = &import->replay.total;
  const struct {
    const char *name;
    uint64_t count;
  } counts[] = {
      {"transcripts", import->files},
      {"unreadable", import->unreadable},
      {"recorded", total->recorded},
      {"recorded_before", import->recorded_before + total->duplicates},
      {"rejected", total->rejected - total->older_than_retention},
      {"older_than_retention", total->older_than_retention},
      {"aborted", import->aborted},
      {"unfinished", import->history.unfinished},
      {"copied", import->history.copied},
      {"nameless", import->history.nameless},
      {"of_other_projects", import->history.elsewhere},
  };

  json_object_object_add(document, "host", json_object_new_string(import->host));
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
    json_object_object_add(document, counts[i].name, json_object_new_uint64(counts[i].count));
  for (size_t i = 0; i < import->agent_count; i++) {
    const struct import_agent *agent = &import->agents[i];
    struct json_object *entry = json_object_new_object();

    json_object_object_add(entry, "agent", json_object_new_string(agent->name));
    json_object_object_add(entry, "turns", json_object_new_uint64(agent->turns));
    json_object_object_add(entry, "failed", json_object_new_uint64(agent->failed));
    json_object_object_add(entry, "tokens",
                           agent->with_tokens > 0 ? json_object_new_uint64(agent->tokens) : NULL);
    json_object_array_add(agents, entry);
  }
  json_object_object_add(document, "agents", agents);
  json_object_object_add(document, "interrupted", json_object_new_boolean(signals_pending() != 0));
  output_json(document);
}

static void print_agents(const struct import *import) {
  static const char *const headings[] = {"agent", ">turns", ">success", ">tokens", NULL};
  struct table table;

  table_init(&table, headings);
  for (size_t i = 0; i < import->agent_count; i++) {
    const struct import_agent *agent = &import->agents[i];
    char success[AMOUNT_TEXT_MAX];

    table_cell(&table, "%s", agent->name);
    table_cell(&table, "%" PRIu64, agent->turns);
    amount_text_percent((double)(agent->turns - agent->failed) / (double)agent->turns, 0, success);
    table_cell(&table, "%s", success);
    if (agent->with_tokens > 0)
      table_cell(&table, "%" PRIu64, agent->tokens);
    else
      table_cell(&table, "-");
  }
  table_print(&table);
}

static void print_text(const struct import *import) {
  const struct kaizen_batch_result *total = &import->replay.total;
  char first[TIME_TEXT_MAX], last[TIME_TEXT_MAX];
  const struct {
    uint64_t count;
    const char *what;
  } others[] = {
      {import->recorded_before + total->duplicates, "already recorded"},
      {total->older_than_retention, "older than the retention"},
      {total->rejected - total->older_than_retention, "refused by the plugin"},
      {import->aborted, "aborted by the user; --aborted failure records them"},
      {import->history.unfinished, "without an end: still open, or the agent was killed"},
      {import->history.copied,
       "copied by a fork; the transcript of the session that was forked has them"},
      {import->history.nameless, "by subagents without a name"},
      {import->history.elsewhere, "of other projects"},
  };

  printf("%s: %" PRIu64 " turn%s recorded from %" PRIu64 " transcript%s\n", import->host,
         total->recorded, output_plural(total->recorded), import->files,
         output_plural(import->files));
  if (import->agent_count > 0)
    print_agents(import);
  fflush(stdout);
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    if (others[i].count > 0)
      output_note("%" PRIu64 " turn%s %s", others[i].count, output_plural(others[i].count),
                  others[i].what);
  for (size_t i = 0; i < import->replay.refusal_count; i++)
    output_note("%s", import->replay.refusals[i].reason);
  if (total->recorded > 0) {
    time_text_format(import->first_ns, first);
    time_text_format(import->last_ns, last);
    output_note("from %s to %s; 'kaizen-host show' and 'kaizen-host report' show them", first,
                last);
  }
}

int import_report(const struct import *import) {
  const struct kaizen_batch_result *total = &import->replay.total;

  if (output_is_json())
    print_json(import);
  else
    print_text(import);
  if (signals_pending() != 0) {
    output_error("interrupted; run the same command to continue");
    return EXIT_CODE_SIGNALLED + signals_pending();
  }
  if (total->rejected > total->older_than_retention)
    return EXIT_CODE_REJECTED;
  return import->unreadable > 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

void import_close(struct import *import) {
  replay_close(&import->replay);
  history_free(&import->history);
  free(import->agents);
}

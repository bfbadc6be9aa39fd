/* transcript.h - a coding agent's own record of a session, read for numbers, ids and times.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One JSON object per line, with prompts, answers and the output of tools in it.  None of these is
 * taken; transcript_format.c says which members are, for each host. */
#ifndef KAIZEN_HOST_TRANSCRIPT_H
#define KAIZEN_HOST_TRANSCRIPT_H

#include <json-c/json.h>

#include "base/problem.h"
#include "usage/usage.h"

enum transcript_step {
  TRANSCRIPT_OTHER,     /* nothing about the course of a turn */
  TRANSCRIPT_PROMPT,    /* a turn begins */
  TRANSCRIPT_TOOL,      /* a tool is used, or its result has come: an answer will follow */
  TRANSCRIPT_ANSWER,    /* the model's words; the last of a turn ends it */
  TRANSCRIPT_COMPLETED, /* the host says that the turn has ended */
  TRANSCRIPT_FAILED,
  TRANSCRIPT_ABORTED
};

struct transcript_line { /* what one line said; texts are "" when it did not */
  enum transcript_step step;
  int64_t unix_ns; /* 0: no time in it */
  char turn[HOOK_ID_MAX + 1], session[HOOK_ID_MAX + 1], agent_id[HOOK_ID_MAX + 1];
  char agent_name[HOOK_TEXT_MAX + 1], version[HOOK_WORD_MAX + 1], error[HOOK_WORD_MAX + 1];
  const char *folder; /* borrowed until the call returns, or NULL; never stored */
  bool is_copied;     /* an answer given in the session that this one was forked from */
  bool is_upkeep;     /* an end: of the host's own work on the session, not of a prompt's */
  bool is_final;      /* an answer: the model has said that nothing follows it */
};

struct transcript;
struct transcript_format { /* transcript_format.h has them */
  const char *host;        /* its family (hook_host.h) */
  const char *marks[9];    /* every relevant line contains one of these; ends with NULL */
  bool tells_tool_errors;
  bool says_end;      /* it records how each turn ended */
  bool keeps_folder;  /* the session belongs to the folder it began in, wherever it goes */
  bool has_own_turns; /* the id of a turn is never that of a subagent's turn */
  /* Reads a line: calls go to the transcript's usage, the rest to *line, which is empty before. */
  void (*read)(struct transcript *transcript, struct json_object *document,
               struct transcript_line *line);
};

struct transcript { /* of one file */
  const struct transcript_format *format;
  bool is_agents_own; /* a subagent's: else a subagent's lines in its parent's file are left out */
  struct usage usage;
  enum transcript_step last_step; /* the last one that was not OTHER */
  /* Called for each relevant line, after its calls are in the usage. */
  void (*each)(void *ctx, const struct transcript_line *line);
  void *ctx;
  int64_t since_ns; /* when answers come from then on, those before were copied; 0: unknown */
  /* Between the lines, by the format. */
  char model[HOOK_WORD_MAX + 1];
  int64_t total_tokens; /* of the session so far, where the host counts that */
  bool is_compacted;    /* in the turn that is open */
  bool has_records;     /* it records each call with an id */
  uint64_t ordinal;
  /* The file. */
  int fd;
  uint64_t at; /* what has been read up to here */
  char *buffer;
  size_t used, room;
  bool is_skipping; /* the rest of a line that is too long */
  uint64_t skipped; /* such lines */
};

/* Opens a regular file of this user.  -1: it is not one, or cannot be opened (EXIT_CODE_FAILED). */
int transcript_open(struct transcript *transcript, const struct transcript_format *format,
                    const char *path, struct problem *problem);
/* Reads from `at` to the present end, or to the deadline (time_text_monotonic_s(); 0: none).  A
 * line without its newline is kept for the next call; one that is too long is left out, and the
 * usage is partial then.  1: the deadline has passed; -1: the file cannot be read: partial, too. */
int transcript_read(struct transcript *transcript, double deadline_s);
/* Reads a parsed document: a line, or an element of an older format's file. */
void transcript_take(struct transcript *transcript, struct json_object *document);
/* At the end: the last line counts even without its newline. */
void transcript_end(struct transcript *transcript);
void transcript_close(struct transcript *transcript);

#endif

/* scratch.h - a project of a fuzz target's own: one agent, its files as the input wants them, and
 * what must hold of them afterwards.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The folder is made once a process, in memory where there is /dev/shm, and removed at its end. */
#ifndef KAIZEN_FUZZ_SCRATCH_H
#define KAIZEN_FUZZ_SCRATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/buffer.h"
#include "record/fold.h"
#include "recorder/recorder.h"
#include "store/project.h"

#define SCRATCH_AGENT "fuzz"
#define SCRATCH_NOW_S INT64_C(1772600767)
#define SCRATCH_DAY_S INT64_C(86400)

/* Says what does not hold, and where, and aborts. */
#define require(holds) ((holds) ? (void)0 : scratch_fail(#holds, __FILE__, __LINE__))
_Noreturn void scratch_fail(const char *what, const char *file, int line);

/* The input, taken byte by byte from its front; zeros after its end. */
struct input {
  const uint8_t *at;
  size_t left;
};
uint8_t input_byte(struct input *input);
uint64_t input_number(struct input *input, unsigned bytes); /* little-endian */
/* Up to the first 0xFF 0xFE, which is taken and not part of it, or all there is. */
struct span input_part(struct input *input);

const struct project *scratch_project(void);
/* Removes every file of the agent; the folders stay, so that .id still fits them. */
void scratch_clear(void);
/* A file of the agent's folder, or "../NAME" of the metrics folder. */
void scratch_put(const char *name, struct span bytes);
void scratch_remove(const char *name);
bool scratch_get(const char *name, struct buffer *out); /* false: there is none */

struct scratch_given {
  const char *key; /* NULL: none */
  size_t key_len;
  bool marked;
  int64_t now_s;
};
struct recorder *scratch_recorder(bool sync, unsigned trend_window, int64_t retention_days);
/* Records one success.  Its code, which is a documented one; a refusal has a reason. */
int32_t scratch_record(struct recorder *recorder, const struct scratch_given *given);

/* What a log adds up to, line by line, without anything that is kept beside it. */
void scratch_recount(struct span log, struct fold *fold);
/* The log ends in a newline, summary.json is its recount, and every marked line is acknowledged,
 * pending or dead. */
void scratch_require_sound(unsigned trend_window);
/* `after` is `before`, ended by a newline where it was not, and one more line. */
void scratch_require_appended(struct span before, struct span after);

#endif

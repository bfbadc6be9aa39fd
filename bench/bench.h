/* bench.h - what the benchmarks share: two sides measured in turn, and how a figure is printed.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every figure is a line `name value unit min MIN max MAX`, where value is the median.  A ratio is
 * that of one pair, measured within a second of each other, so that both sides see the same
 * machine; where there is a goal it stands at the end of the line.  Anything that fails ends the
 * program with status 1. */
#ifndef KAIZEN_BENCH_H
#define KAIZEN_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kaizen/plugin.h>

enum { BENCH_PAIRS = 7, BENCH_PATH = 4096 };

/* ---- set-up ---------------------------------------------------------------------------------- */

/* BENCH=full: the sizes the goals are written for. */
bool bench_full(void);
/* The plugin named by KAIZEN_PLUGIN. */
const struct kaizen_plugin_v1 *bench_plugin(void);
const void *bench_extension(const char *id);
/* A fresh folder below BENCH_DIR, or below $BENCH_MEMORY_DIR with `in_memory`. */
void bench_folder(char path[BENCH_PATH], const char *name, bool in_memory);
/* A running instance; `keys` are pairs of key and value, ended by NULL. */
struct kaizen_instance *bench_start(const char *root, const char *const *keys);
void bench_stop(struct kaizen_instance *instance);
/* An execution of `agent` that succeeded, with a time and a score. */
struct kaizen_execution bench_execution(const char *agent);
/* Fails unless the plugin records it. */
void bench_record(struct kaizen_instance *instance, const struct kaizen_execution *execution);
/* Waits until the stream has everything; however busy the machine is, that takes minutes at most.
 */
void bench_flush(struct kaizen_instance *instance);
/* Says so when nothing is left to send: figures taken beside a drain are then partly those of a
 * silent publisher. */
void bench_tell_drained(struct kaizen_instance *instance);
/* `count` records through kaizen.batch/1, in the log of `agent`; keys "PREFIX-N" from `first` on
 * unless `prefix` is NULL. */
void bench_fill(struct kaizen_instance *instance, const char *agent, const char *prefix,
                uint64_t first, uint64_t count);
/* The lines bench_fill() gives, as one text to be freed. */
char *bench_lines(const char *agent, const char *prefix, uint64_t first, uint64_t count,
                  size_t *len);
_Noreturn void bench_fail(const char *what); /* and errno */
/* What the plugin answered to `what`, and why. */
_Noreturn void bench_refused(struct kaizen_instance *instance, const char *what, int32_t code);

/* ---- measuring ------------------------------------------------------------------------------- */

double bench_wall_s(void);
double bench_cpu_s(void); /* of this process, all threads */
/* `name` of /proc/self/status in KiB, or a plain number. */
uint64_t bench_status(const char *name);

/* Does its work `count` times. */
struct bench_side {
  void (*run)(void *ctx, unsigned count);
  void *ctx;
};

/* BENCH_PAIRS pairs of `slices` slices each, ours and theirs in turn, every slice `count` times;
 * prints both rates and their ratio as `name`.ours, `name`.reference, `name`.ratio.  By CPU time
 * too, unless `wall_only`: on a machine that others use it is the steadier one. */
void bench_compare(const char *name, struct bench_side ours, struct bench_side reference,
                   unsigned slices, unsigned count, bool wall_only, const char *goal);

/* One line out of `count` values, which are sorted. */
void bench_print(const char *name, double *values, size_t count, const char *unit,
                 const char *goal);
void bench_print_one(const char *name, double value, const char *unit, const char *goal);
/* The value below which `share` of the sorted values lie. */
double bench_percentile(const double *sorted, size_t count, double share);
void bench_sort(double *values, size_t count);

#endif

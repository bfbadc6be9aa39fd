/* bare_loop.h - the least a recorder that keeps both files can do: append a line, replace the
 * summary.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_BARE_LOOP_H
#define KAIZEN_BARE_LOOP_H

#include <stdbool.h>
#include <stddef.h>

struct bare_loop {
  int folder_fd, log_fd;
  char *line, *summary;
  size_t line_len, summary_len;
  bool sync; /* fdatasync each line; false when opened */
};

/* Below `root`, where the plugin has recorded once for the agent "bench": the same bytes. */
void bare_loop_open(struct bare_loop *bare, const char *root);
void bare_loop_close(struct bare_loop *bare);
/* `ctx` is the loop: for struct bench_side. */
void bare_loop_run(void *ctx, unsigned count);

#endif

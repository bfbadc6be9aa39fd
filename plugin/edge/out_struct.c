/* out_struct.c - writes answers into the caller's structs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "edge/out_struct.h"

#include <string.h>

#include "base/clock.h"
#include "common/utf8.h"

void out_struct_write(void *out, const void *ours, size_t our_size) {
  uint32_t size;

  if (!out)
    return;
  memcpy(&size, out, sizeof size);
  memcpy((char *)out + sizeof size, (const char *)ours + sizeof size,
         (size < our_size ? size : our_size) - sizeof size);
  if (size > our_size)
    memset((char *)out + our_size, 0, size - our_size);
}

void out_struct_write_summary(struct kaizen_summary *out, const struct summary *summary) {
  struct kaizen_summary ours = {
      .flags = (summary->has_quality ? KAIZEN_SUMMARY_HAS_QUALITY : 0u) |
               (summary->has_time ? KAIZEN_SUMMARY_HAS_TIME : 0u),
      .execution_count = summary->execution_count,
      .success_rate = summary->success_rate,
      .avg_quality_score = summary->avg_quality_score,
      .avg_execution_time_s = summary->avg_execution_time_s,
      .last_execution_unix_ns =
          summary->last_execution_s > 0 ? clock_ns_of(summary->last_execution_s, 0) : 0,
      .trend_success_rate = summary->trend_success_rate,
      .trend_quality_score = summary->trend_quality_score,
  };

  out_struct_write(out, &ours, sizeof ours);
}

void out_struct_set_text(char *out, size_t size, const char *text) {
  size_t len = utf8_cut((struct span){text, strlen(text)}, size - 1);

  memcpy(out, text, len);
  out[len] = '\0';
}

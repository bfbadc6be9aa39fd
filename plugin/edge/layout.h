/* layout.h - the sizes that ABI 1.0 froze: up to the last member a struct had then.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * By name, not by sizeof: a member that is appended later must not make the structs of a host that
 * was built before it too small. */
#ifndef KAIZEN_LAYOUT_H
#define KAIZEN_LAYOUT_H

#include <kaizen/extensions.h>
#include <kaizen/plugin.h>

#define LAYOUT_UP_TO(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

enum {
  LAYOUT_1_0_HOST = LAYOUT_UP_TO(struct kaizen_host_v1, get_extension),
  LAYOUT_1_0_EXECUTION = LAYOUT_UP_TO(struct kaizen_execution, extra_json),
  LAYOUT_1_0_RECEIPT = LAYOUT_UP_TO(struct kaizen_receipt, reason),
  LAYOUT_1_0_SUMMARY = LAYOUT_UP_TO(struct kaizen_summary, trend_quality_score),
  LAYOUT_1_0_STATS = LAYOUT_UP_TO(struct kaizen_stats, incomplete_reason),
  LAYOUT_1_0_SPAN = LAYOUT_UP_TO(struct kaizen_span, session_id),
  LAYOUT_1_0_BATCH_RESULT = LAYOUT_UP_TO(struct kaizen_batch_result, consumed),
  LAYOUT_1_0_QUERY = LAYOUT_UP_TO(struct kaizen_query, after),
  LAYOUT_1_0_QUERY_RESULT = LAYOUT_UP_TO(struct kaizen_query_result, reason),
};

#endif

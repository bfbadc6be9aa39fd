/* event.h - the envelope of kaizen.metrics.recorded, a function of one marked line. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing in it comes from configuration or from the summary as it is now, so every resend is the
 * same to the byte. */
#ifndef KAIZEN_EVENT_H
#define KAIZEN_EVENT_H

#include "base/error.h"
#include "record/record.h"

#define EVENT_SUBJECT "activity.kaizen.metrics.recorded"
#define EVENT_TYPE "kaizen.metrics.recorded"
#define EVENT_VERSION "1.0"
#define EVENT_PUBLISHER "kaizen-agentic" /* a constant of the registered type */

/* Appends the envelope of a marked record: keys id, type, version, timestamp, publisher,
 * attributes in this order and no others. 0, or -1 when the line's event object lacks one of
 * project, success_rate, execution_count, avg_quality with its type, or its timestamp is
 * unreadable: such a line (not ours) is counted, never sent. */
int event_append_envelope(const struct record *record, struct buffer *out, struct error *error);

#endif

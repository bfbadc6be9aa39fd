/* transcript_format.h - the meaning of the members of each host's transcript.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_TRANSCRIPT_FORMAT_H
#define KAIZEN_HOST_TRANSCRIPT_FORMAT_H

#include "usage/transcript.h"

/* NULL: transcripts of that host are not understood. */
const struct transcript_format *transcript_format_find(const char *host);

#endif

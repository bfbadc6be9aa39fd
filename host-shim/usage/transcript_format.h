/* transcript_format.h - which members of a host's transcript say what.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_TRANSCRIPT_FORMAT_H
#define KAIZEN_HOST_TRANSCRIPT_FORMAT_H

#include "usage/transcript.h"

/* NULL: no transcript of that host is understood. */
const struct transcript_format *transcript_format_find(const char *host);

#endif

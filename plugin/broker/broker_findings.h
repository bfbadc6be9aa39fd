/* broker_findings.h - what was found out about a broker, and its report.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_BROKER_FINDINGS_H
#define KAIZEN_BROKER_FINDINGS_H

#include "broker/broker_stream.h"
#include "broker/broker_version.h"

enum { BROKER_FINDINGS_UNKNOWN_MAX = 8 };

struct broker_findings {
  bool connected;
  char version[BROKER_VERSION_MAX]; /* "": unknown */
  struct broker_stream stream;
  int verdict; /* as stream_verdict_of() */
  struct transport_trouble trouble;
  const char *action; /* of init; NULL: a check */

  /* what a broker that was reached does not tell, or not to this user */
  struct {
    const char *what; /* static */
    char why[160];
  } unknown[BROKER_FINDINGS_UNKNOWN_MAX];
  size_t unknown_count;
};

void broker_findings_add_unknown(struct broker_findings *findings, const char *what,
                                 const char *why);
/* Adds what the stream does not tell. */
void broker_findings_add_stream(struct broker_findings *findings);
/* As kaizen.broker/1. */
void broker_findings_write(const struct broker_findings *findings, const char *shown_url,
                           struct buffer *out);
void broker_findings_fini(struct broker_findings *findings);

#endif

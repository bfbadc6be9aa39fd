/* broker_version.h - which version a NATS broker is, which libnats 3.4 does not report.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_BROKER_VERSION_H
#define KAIZEN_BROKER_VERSION_H

#include <stdint.h>

#define BROKER_VERSION_MAX 32

/* Reads the greeting that a broker sends before anybody logs in or encrypts.  `url` is one
 * server's; "" when it is not known by the CLOCK_MONOTONIC deadline. */
void broker_version_read(const char *url, int64_t deadline_ns, char version[BROKER_VERSION_MAX]);

#endif

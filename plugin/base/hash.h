/* hash.h - 64-bit hash of bytes: key table, anchors, page checksums.  Not cryptographic.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_BASE_HASH_H
#define KAIZEN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *bytes, size_t len, uint64_t seed);

#endif

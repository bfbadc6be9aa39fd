/* hook_fingerprint.h - a keyed 64-bit hash of a text, for comparing texts that are never stored.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_FINGERPRINT_H
#define KAIZEN_HOST_HOOK_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

enum { HOOK_FINGERPRINT_KEY_BYTES = 16 };

/* SipHash-2-4 of the bytes; never 0, which means "no text". */
uint64_t hook_fingerprint(const uint8_t key[HOOK_FINGERPRINT_KEY_BYTES], const void *data,
                          size_t len);

#endif

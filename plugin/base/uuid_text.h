/* uuid_text.h - event ids: random, or a pure function of (project, agent, key).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_BASE_UUID_TEXT_H
#define KAIZEN_BASE_UUID_TEXT_H

#include <stdbool.h>

#include "common/span.h"

#define UUID_TEXT_SIZE 37 /* 36 lower-case characters and NUL */

/* Namespace of ids made from keys (contract, "The event"); printed in docs/delivery.md. */
#define UUID_KEY_NAMESPACE "8d5a0f3e-6f5b-5c1e-9d0a-3c6f7b2e4a91"

void uuid_random(char out[UUID_TEXT_SIZE]); /* version 4, RFC 9562 */
/* Version 5 of project NUL agent NUL key.  -1 when memory runs out. */
int uuid_from_key(struct span project, struct span agent, struct span key,
                  char out[UUID_TEXT_SIZE]);
bool uuid_text_valid(struct span text);
/* 36 checked characters to 16 bytes and back. */
void uuid_pack(const char *text, unsigned char out[16]);
void uuid_unpack(const unsigned char bytes[16], char out[UUID_TEXT_SIZE]);

#endif

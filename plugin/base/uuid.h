/* uuid.h - UUIDs: random, or a pure function of a name.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_BASE_UUID_H
#define KAIZEN_BASE_UUID_H

#include <stdbool.h>

#include "common/buffer.h"

#define UUID_TEXT_SIZE 37 /* 36 lower-case characters and NUL */

void uuid_random(char out[UUID_TEXT_SIZE]); /* version 4, RFC 9562 */
/* Version 5: the same for the same name.  `name_space`: a UUID's text. */
void uuid_from_name(const char *name_space, struct span name, char out[UUID_TEXT_SIZE]);
bool uuid_is_text(struct span text);
/* 36 checked characters to 16 bytes and back. */
void uuid_pack(const char *text, unsigned char out[16]);
void uuid_unpack(const unsigned char bytes[16], char out[UUID_TEXT_SIZE]);

#endif

/* out_struct.h - writes answers into the caller's structs, of any size.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_OUT_STRUCT_H
#define KAIZEN_OUT_STRUCT_H

#include <kaizen/plugin.h>

#include "store/summary.h"

/* Copies `ours`, which begins with a struct_size as *out does: as much as both know; the rest of
 * the caller's is zeroed, its struct_size kept.  out NULL: not wanted. */
void out_struct_write(void *out, const void *ours, size_t our_size);
void out_struct_write_summary(struct kaizen_summary *out, const struct summary *summary);
/* A text into an array of chars, cut between characters. */
void out_struct_set_text(char *out, size_t size, const char *text);

#endif

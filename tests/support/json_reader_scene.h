/* json_reader_scene.h - JSON as tests write it, and what is wrong with it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TESTS_JSON_READER_SCENE_H
#define KAIZEN_TESTS_JSON_READER_SCENE_H

#include <criterion/criterion.h>
#include <kaizen/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_reader.h"

static struct json_fault fault;

static inline struct span text(const char *bytes) {
  return (struct span){bytes, strlen(bytes)};
}

static inline int check(const char *json, enum json_dialect dialect) {
  struct json_value value;
  fault.why[0] = '\0';
  return json_reader_check(text(json), dialect, JSON_DEPTH_MAX, &value, &fault);
}

static inline void repeat(struct buffer *out, const char *piece, size_t count) {
  for (size_t i = 0; i < count; i++)
    buffer_append_text(out, piece);
}

#endif

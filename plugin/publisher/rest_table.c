/* rest_table.c - agents with nothing to do until their files change.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/rest_table.h"

#include <string.h>

struct rest {
  uint64_t stamp, token;
};

void rest_table_init(struct rest_table *table) {
  *table = (struct rest_table){.names = {.value_bytes = sizeof(struct rest)}};
}

static const struct rest *find(const struct rest_table *table, const char *name) {
  return name_table_find(&table->names, (struct span){name, strlen(name)});
}

bool rest_table_has(const struct rest_table *table, const char *name, uint64_t stamp) {
  const struct rest *rest = find(table, name);

  return rest && rest->stamp == stamp;
}

void rest_table_put(struct rest_table *table, const char *name, uint64_t stamp, uint64_t token) {
  struct rest *rest = name_table_put(&table->names, (struct span){name, strlen(name)});

  if (rest)
    *rest = (struct rest){.stamp = stamp, .token = token};
}

uint64_t rest_table_token(const struct rest_table *table, const char *name) {
  const struct rest *rest = find(table, name);

  return rest ? rest->token : 0;
}

void rest_table_fini(struct rest_table *table) {
  name_table_fini(&table->names);
}

/* nemo_scopes.c - the scopes that are open.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "adapters/nemo_relay/nemo_scopes.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a, folded. */
static size_t bucket_of(const char *uuid) {
  uint64_t hash = UINT64_C(0xCBF29CE484222325);

  for (; *uuid != '\0'; uuid++)
    hash = (hash ^ (unsigned char)*uuid) * UINT64_C(0x100000001B3);
  return (size_t)(hash ^ hash >> 32) % NEMO_SCOPES_BUCKETS;
}

static struct nemo_scopes_ends *ends_of(struct nemo_scopes *scopes,
                                        const struct nemo_scope *scope) {
  return scope->run ? &scopes->runs : &scopes->others;
}

struct nemo_scope *nemo_scopes_find(const struct nemo_scopes *scopes, const char *uuid) {
  struct nemo_scope *scope = scopes->buckets[bucket_of(uuid)];

  while (scope && strcmp(scope->uuid, uuid) != 0)
    scope = scope->next;
  return scope;
}

struct nemo_run *nemo_scopes_owner(const struct nemo_scopes *scopes, const char *uuid) {
  const struct nemo_scope *scope = nemo_scopes_find(scopes, uuid);

  if (scope && !scope->run)
    scope = nemo_scopes_find(scopes, scope->owner);
  return scope ? scope->run : NULL;
}

void nemo_scopes_free_run(struct nemo_run *run) {
  if (run)
    nemo_run_fini(run);
  free(run);
}

struct nemo_run *nemo_scopes_close(struct nemo_scopes *scopes, struct nemo_scope *scope) {
  struct nemo_scope **link = &scopes->buckets[bucket_of(scope->uuid)];
  struct nemo_scopes_ends *ends = ends_of(scopes, scope);
  struct nemo_run *run = scope->run;

  while (*link != scope)
    link = &(*link)->next;
  *link = scope->next;
  *(scope->older ? &scope->older->newer : &ends->oldest) = scope->newer;
  *(scope->newer ? &scope->newer->older : &ends->newest) = scope->older;
  scopes->count--;
  free(scope);
  return run;
}

struct nemo_run *nemo_scopes_close_oldest(struct nemo_scopes *scopes) {
  return scopes->runs.oldest ? nemo_scopes_close(scopes, scopes->runs.oldest) : NULL;
}

int nemo_scopes_open(struct nemo_scopes *scopes, const struct nemo_event *start,
                     struct nemo_run *run) {
  struct nemo_run *owner = nemo_scopes_owner(scopes, start->parent);
  struct nemo_scope *scope;
  int result = 0;

  if (nemo_scopes_find(scopes, start->uuid)) {
    nemo_scopes_free_run(run);
    return 2;
  }
  scope = calloc(1, sizeof *scope);
  if (!scope) {
    nemo_scopes_free_run(run);
    return -1;
  }
  memcpy(scope->uuid, start->uuid, sizeof scope->uuid);
  if (owner)
    memcpy(scope->owner, owner->uuid, sizeof scope->owner);
  scope->run = run;
  if (scopes->count == NEMO_SCOPES_MAX) {
    nemo_scopes_free_run(nemo_scopes_close(scopes, scopes->others.oldest ? scopes->others.oldest
                                                                         : scopes->runs.oldest));
    result = 1;
  }
  struct nemo_scope **bucket = &scopes->buckets[bucket_of(scope->uuid)];
  struct nemo_scopes_ends *ends = ends_of(scopes, scope);
  scope->next = *bucket;
  *bucket = scope;
  scope->older = ends->newest;
  *(ends->newest ? &ends->newest->newer : &ends->oldest) = scope;
  ends->newest = scope;
  scopes->count++;
  return result;
}

void nemo_scopes_fini(struct nemo_scopes *scopes) {
  while (scopes->runs.oldest)
    nemo_scopes_free_run(nemo_scopes_close(scopes, scopes->runs.oldest));
  while (scopes->others.oldest)
    (void)nemo_scopes_close(scopes, scopes->others.oldest);
}

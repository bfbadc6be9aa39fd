/* site.c - what sending the events of a project's agents needs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/site.h"

#include <stdarg.h>
#include <stdio.h>

#include "publisher/election.h"

#define MESSAGE_TEXT_MAX 400

bool site_is_ours(struct site *site) {
  if (!site->lost && !election_assert(site->election, site))
    site->lost = true;
  return !site->lost;
}

void site_say(struct site *site, int32_t level, int32_t id, const char *format, ...) {
  char text[MESSAGE_TEXT_MAX];
  va_list arguments;

  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  (void)pthread_mutex_lock(site->mutex);
  for (struct site_listener *at = site->listeners; at; at = at->next)
    if (at->log)
      at->log(at->log_ctx, level, id, text);
  (void)pthread_mutex_unlock(site->mutex);
}

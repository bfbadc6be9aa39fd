/* sender.c - what is sent next: what waits in the window, then new lines of the logs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "publisher/sender.h"

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "record/event.h"

/* A look at a log costs its lock and some reading ahead: in a window that is nearly full it waits
 * until there is room for so many. */
#define READ_AT_A_TIME 512

/* False: no more can be sent at the moment. */
static bool send_entry(struct sender *sender, struct window_entry *entry,
                       const struct record *record) {
  struct publisher_agent *agent = entry->agent;
  struct transport_trouble trouble = {0};
  struct error error = {0};
  char id[UUID_TEXT_SIZE];

  buffer_clear(&sender->envelope);
  if (event_append_envelope(record, &sender->envelope, &error) != 0)
    return error.code != KAIZEN_E_NOMEM && window_refuse(entry, error.text) == 0;
  if (sender->envelope.failed)
    return false;
  uuid_unpack(entry->id, id);
  entry->sent_ns = clock_monotonic_ns();
  entry->era = sender->era;
  entry->floor = agent->stored.sequence;
  entry->floor_stream = agent->stored.stream_hash;
  if (sender->newest.stream_hash != 0 && (entry->floor_stream != sender->newest.stream_hash ||
                                          sender->newest.sequence > entry->floor)) {
    entry->floor = sender->newest.sequence;
    entry->floor_stream = sender->newest.stream_hash;
  }
  switch (sender->kind->send(sender->transport, window_ticket(&sender->window, entry), id,
                             buffer_span(&sender->envelope), &trouble)) {
  case TRANSPORT_SENT:
    entry->state = WINDOW_SENT;
    agent->in_flight++;
    sender->in_flight++;
    return true;
  case TRANSPORT_TOO_LARGE:
    return window_refuse(entry, trouble.text) == 0;
  case TRANSPORT_NOT_SENT:
    break;
  }
  return false;
}

static bool send_again(struct sender *sender, struct window_entry *entry) {
  struct record record;

  if (publisher_agent_reread(entry->agent, entry, &sender->line, &record) != 0)
    return false;
  return send_entry(sender, entry, &record);
}

static bool offer_to_broker(void *ctx, struct window_entry *entry, const struct record *record) {
  return send_entry(ctx, entry, record);
}

static bool offer_to_nobody(void *ctx, struct window_entry *entry, const struct record *record) {
  (void)ctx;
  (void)entry;
  (void)record;
  return true;
}

/* New lines of one agent.  True when there may be more at once. */
static bool read_agent(struct sender *sender, struct publisher_agent *agent, size_t max,
                       publisher_offer offer, int64_t now_ns) {
  enum publisher_seen seen;
  size_t count = 0;

  if ((!agent->look && !agent->replace) || sender->window.in_use == TRANSPORT_WINDOW)
    return false;
  seen = publisher_agent_look(agent, &sender->window, now_ns);
  if (seen == PUBLISHER_NOTHING)
    agent->look = false;
  if (seen == PUBLISHER_READY) {
    count = publisher_agent_read(agent, &sender->window, max, offer, sender);
    publisher_agent_advance(agent, &sender->window, now_ns);
  }
  kept_outbox_settle(&agent->log);
  return seen == PUBLISHER_READY && count == max && agent->look;
}

/* Finds out whether something waits: up to `max` events per agent.  Events that are done after one
 * that is declined again and again do not wait. */
void sender_read_ahead(struct sender *sender, struct publisher_project *projects, size_t max,
                       int64_t now_ns) {
  for (struct publisher_project *project = projects; project; project = project->next) {
    if (!publisher_project_serves(project))
      continue;
    for (struct publisher_agent *agent = project->agents.table.first; agent; agent = agent->next) {
      size_t waiting = 0;

      for (const struct window_entry *entry = agent->first; entry && waiting < max;
           entry = entry->next)
        waiting += entry->state != WINDOW_DONE;
      if (waiting < max || agent->replace)
        (void)read_agent(sender, agent, max - waiting, offer_to_nobody, now_ns);
    }
  }
}

static bool send_queued(struct sender *sender, struct publisher_agent *agent, int64_t now_ns) {
  bool sent = true;

  if (sender->window.in_use == sender->in_flight)
    return true; /* the usual case: nothing waits to be sent again */
  for (struct window_entry *entry = agent->first; sent && entry && !agent->replace;
       entry = entry->next)
    if (entry->state == WINDOW_QUEUED && now_ns >= entry->not_before_ns)
      sent = send_again(sender, entry);
  publisher_agent_advance(agent, &sender->window, now_ns);
  return sent;
}

static bool fill_from(struct sender *sender, struct publisher_project *project, int64_t now_ns) {
  bool more = false;

  for (struct publisher_agent *agent = project->agents.table.first; agent; agent = agent->next) {
    if (!agent->first && !agent->look && !agent->replace)
      continue;
    if (!publisher_project_may_send(project, now_ns))
      return false;
    if (!send_queued(sender, agent, now_ns))
      continue;
    if (sender->in_flight > TRANSPORT_WINDOW - READ_AT_A_TIME)
      continue;
    if (read_agent(sender, agent, READ_AT_A_TIME, offer_to_broker, now_ns))
      more = true;
  }
  agent_table_rotate(&project->agents.table); /* a long log must not keep the others waiting */
  return more;
}

void sender_fill(struct sender *sender, struct publisher_project *projects, int64_t now_ns) {
  bool more;

  do {
    more = false;
    for (struct publisher_project *project = projects; project; project = project->next)
      if (publisher_project_serves(project) && fill_from(sender, project, now_ns))
        more = true;
    if (sender->settings->core)
      break; /* answered by the flush that follows */
  } while (more && sender->window.in_use < TRANSPORT_WINDOW);
}

/* In the order of the log; one that was put off comes after those that were not, or each new
 * connection would begin, and end, with an event that is never answered. */
static struct window_entry *first_to_try(const struct publisher_agent *agent, int64_t now_ns) {
  struct window_entry *put_off = NULL;

  for (struct window_entry *entry = agent->first; entry; entry = entry->next) {
    if (entry->state != WINDOW_QUEUED || now_ns < entry->not_before_ns)
      continue;
    if (entry->not_before_ns == 0)
      return entry;
    if (!put_off || entry->not_before_ns < put_off->not_before_ns)
      put_off = entry;
  }
  return put_off;
}

/* The first that may be sent of the agent that was tried least. */
static struct window_entry *choose_probe(struct publisher_project *projects, int64_t now_ns) {
  struct window_entry *chosen = NULL;

  for (struct publisher_project *project = projects; project; project = project->next) {
    if (!publisher_project_serves(project))
      continue;
    for (struct publisher_agent *agent = project->agents.table.first; agent; agent = agent->next) {
      struct window_entry *entry = agent->replace ? NULL : first_to_try(agent, now_ns);

      if (entry && (!chosen || agent->probes < chosen->agent->probes))
        chosen = entry;
    }
  }
  return chosen;
}

void sender_probe(struct sender *sender, struct publisher_project *projects, int64_t now_ns) {
  struct window_entry *entry;

  if (sender->in_flight > 0)
    return;
  entry = choose_probe(projects, now_ns);
  if (!entry)
    return;
  entry->agent->probes++;
  (void)send_again(sender, entry);
  publisher_agent_advance(entry->agent, &sender->window, now_ns);
}

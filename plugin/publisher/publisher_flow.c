/* publisher_flow.c - the connection, and what goes over it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the first answer that is not an acknowledgement sending stops.  Once everything in flight is
 * answered, the first unacknowledged event is tried alone: flooding a stream that is electing its
 * leader prolongs the election, and would reorder an agent's events. */
#include "publisher/publisher_flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/os_process.h"
#include "base/uuid.h"

#define NS_PER_MS INT64_C(1000000)
#define ANSWER_WAIT_NS (2500 * NS_PER_MS)
#define SETTLE_WAIT_NS (1000 * NS_PER_MS)
#define OVERDUE_CHECK_NS (100 * NS_PER_MS)
#define BACK_OFF_NS (100 * NS_PER_MS)
#define BACK_OFF_DOUBLINGS 5 /* 3.2 s */
/* Machines whose broker was away for minutes reconnect within half a minute, not all at once. */
#define CONNECT_DOUBLINGS 9 /* 51.2 s, a quarter less or more */
#define WHY_INTERVAL_NS (3000 * NS_PER_MS)
#define STORE_CHECKS 3 /* a connection */
#define DUPLICATE_CHECK_NS (20 * NS_PER_MS)
#define STORE_CHECK_INTERVAL_NS (10000 * NS_PER_MS)
#define USELESS_INTERVAL_NS (1000 * NS_PER_MS) /* so long an answer holds */
#define UNJUDGED_MOST 3 /* refusals of one event; after them it counts as at fault */
#define HURRIED_BACK_OFF_NS (250 * NS_PER_MS)
#define ANSWERS_AT_A_TIME 256
#define QUEUED_WHILE_PROBING 16 /* one that is always declined is not the only candidate */
#define DECLINED_IN_ORDER 3
#define WINDOW_SCARCE (TRANSPORT_WINDOW - TRANSPORT_WINDOW / 8)
#define DONE_BEHIND 8

static int64_t back_off_ns(unsigned failures, unsigned most_doublings) {
  unsigned doublings = failures > 1 ? failures - 1 : 0;
  int64_t wait_ns;
  uint32_t random = 0;

  if (doublings > most_doublings)
    doublings = most_doublings;
  wait_ns = BACK_OFF_NS << doublings;
  (void)os_process_random(&random, sizeof random);
  return wait_ns * 3 / 4 + (int64_t)(random % 1024u) * (wait_ns / 2048);
}

/* Reports a new trouble once. */
static void set_trouble(struct publisher_flow *flow, struct publisher_project *projects,
                        const struct transport_trouble *trouble) {
  bool is_new = strcmp(flow->trouble.text, trouble->text) != 0;

  flow->trouble = *trouble;
  if (!is_new || !trouble->text[0])
    return;
  for (struct publisher_project *project = projects; project; project = project->next)
    if (publisher_project_serves(project))
      site_say(&project->site, KAIZEN_LOG_WARNING, PUBLISHER_MESSAGE_TROUBLE,
               "events are pending: %s", trouble->text);
}

static void stop_sending(struct publisher_flow *flow, int64_t now_ns) {
  if (flow->mode == PUBLISHER_SETTLING)
    return;
  flow->mode = PUBLISHER_SETTLING;
  flow->failures++;
  flow->retry_ns = now_ns + back_off_ns(flow->failures, BACK_OFF_DOUBLINGS);
  flow->settle_by_ns = 0;
}

static void queue_again(struct publisher_flow *flow, struct window_entry *entry) {
  entry->state = WINDOW_QUEUED;
  entry->agent->in_flight--;
  entry->agent->site->failures++;
  flow->sender.in_flight--;
}

/* Is the window filling up with later events that are acknowledged? */
static bool is_in_the_way(const struct publisher_flow *flow, const struct window_entry *entry) {
  unsigned done = 0;

  if (entry->agent->first != entry || flow->sender.window.in_use < WINDOW_SCARCE)
    return false;
  for (const struct window_entry *at = entry->next; at && done < DONE_BEHIND; at = at->next)
    done += at->state == WINDOW_DONE;
  return done == DONE_BEHIND;
}

/* Other events do not wait for one that is declined again and again.  To keep the agent's order it
 * is still tried first while the cause may be something else.  When later events were acknowledged
 * and the window has no room for more, the cause is this event, and it becomes a dead letter. */
static void decline(struct publisher_flow *flow, struct window_entry *entry, const char *why,
                    int64_t now_ns) {
  struct publisher_agent *agent = entry->agent;
  char reason[200];

  if (why[0] != '\0') { /* a later try may end without an answer, which says less */
    agent->declined = entry;
    (void)snprintf(agent->declined_why, sizeof agent->declined_why, "%s", why);
  } else if (agent->declined == entry) {
    why = agent->declined_why;
  }
  entry->declined++;
  if (entry->declined <= DECLINED_IN_ORDER)
    return;
  entry->not_before_ns = /* the others' turn first */
      now_ns + 2 * back_off_ns(entry->declined, BACK_OFF_DOUBLINGS);
  if (!is_in_the_way(flow, entry))
    return;
  (void)snprintf(reason, sizeof reason,
                 "not acknowledged in %u tries, while later events of the agent were: %.120s",
                 entry->declined, why[0] ? why : "the broker does not answer it");
  (void)window_refuse(entry, reason); /* out of memory: the next try does it */
}

void publisher_flow_disconnect(struct publisher_flow *flow, struct publisher_project *projects) {
  if (!flow->sender.transport)
    return;
  flow->sender.kind->close(flow->sender.transport);
  flow->sender.transport = NULL;
  for (struct publisher_project *project = projects; project; project = project->next)
    for (struct publisher_agent *agent = project->agents.table.first; agent; agent = agent->next)
      for (struct window_entry *entry = agent->first; entry; entry = entry->next)
        if (entry->state == WINDOW_SENT)
          queue_again(flow, entry);
  flow->mode = PUBLISHER_PROBING;
}

static void break_off(struct publisher_flow *flow, struct publisher_project *projects,
                      const struct transport_trouble *trouble, int64_t now_ns) {
  set_trouble(flow, projects, trouble);
  publisher_flow_disconnect(flow, projects);
  flow->connect_failures++;
  flow->connect_ns = now_ns + back_off_ns(flow->connect_failures, CONNECT_DOUBLINGS);
  flow->retry_ns = flow->connect_ns;
}

static void tell_lost(struct publisher_flow *flow, struct publisher_agent *agent, const char *what,
                      uint64_t sequence, uint64_t before) {
  flow->sender.era++;
  flow->sender.newest = (struct stream_place){0};
  agent->stored = (struct stream_place){0};
  agent->stores_lost++;
  flow->store_checks = 0;
  site_say(agent->site, KAIZEN_LOG_ERROR, PUBLISHER_MESSAGE_STORE_LOST,
           "%s: the stream acknowledged sequence %llu, and %s %llu: it lost events; send them "
           "again with kaizen-host drain --resend-since",
           agent->name, (unsigned long long)sequence, what, (unsigned long long)before);
}

static void keep_place(struct stream_place *place, const struct window_entry *entry,
                       const struct transport_answer *answer) {
  if (place->stream_hash == answer->stream_hash && place->sequence >= answer->sequence)
    return;
  place->sequence = answer->sequence;
  place->stream_hash = answer->stream_hash;
  memcpy(place->id, entry->id, sizeof place->id);
}

/* On a new connection, and where others publish into the same stream, because their messages hide
 * that it began again. */
static bool is_time_to_ask(const struct publisher_flow *flow, const struct transport_answer *answer,
                           int64_t now_ns) {
  return flow->store_checks > 0 ||
         (flow->sender.newest.stream_hash == answer->stream_hash &&
          answer->sequence > flow->sender.newest.sequence + 1 && now_ns >= flow->store_check_ns);
}

/* A message stored after the acknowledgement of sequence n has a greater one, unless the stream
 * began again.  Where others publish there too this proves nothing, so the stream is also asked
 * whether it still holds the acknowledged message under n.  Another stream that answers, as behind
 * a leaf node, is not a loss. */
static void check_store(struct publisher_flow *flow, const struct window_entry *entry,
                        const struct transport_answer *answer, int64_t now_ns) {
  struct publisher_agent *agent = entry->agent;
  const struct stream_place *stored = &agent->stored;
  char id[UUID_TEXT_SIZE];

  if (answer->stream_hash == entry->floor_stream && answer->sequence <= entry->floor &&
      entry->era == flow->sender.era) {
    tell_lost(flow, agent, "before that", answer->sequence, entry->floor);
  } else if (is_time_to_ask(flow, answer, now_ns) && stored->sequence > 0 &&
             stored->stream_hash == answer->stream_hash && answer->stream_hash != 0) {
    int holds;

    uuid_unpack(stored->id, id);
    holds = flow->sender.kind->holds(flow->sender.transport, stored->sequence, id);
    if (flow->store_checks > 0)
      flow->store_checks = holds == 1 ? 0 : flow->store_checks - 1;
    else
      flow->store_check_ns = now_ns + STORE_CHECK_INTERVAL_NS;
    if (holds == 0)
      tell_lost(flow, agent, "holds another message, or none, under its earlier", answer->sequence,
                stored->sequence);
  }
  keep_place(&flow->sender.newest, entry, answer);
  keep_place(&agent->stored, entry, answer);
}

/* A stream remembers an id for a while after its message was removed: an event that is sent again
 * within that time is acknowledged and not stored. */
static void look_for_duplicate(struct publisher_flow *flow, const struct window_entry *entry,
                               const struct transport_answer *answer, int64_t now_ns) {
  struct site *site = entry->agent->site;
  char id[UUID_TEXT_SIZE];
  int holds;

  site->duplicates++;
  if (now_ns < flow->duplicate_check_ns)
    return;
  flow->duplicate_check_ns = now_ns + DUPLICATE_CHECK_NS;
  uuid_unpack(entry->id, id);
  holds = flow->sender.kind->holds(flow->sender.transport, answer->sequence, id);
  if (holds != 0 && holds != 2)
    return;
  site->duplicates_gone++;
  if (!flow->told_gone)
    site_say(site, KAIZEN_LOG_WARNING, PUBLISHER_MESSAGE_NOT_STORED,
             "%s: the stream knows event %s by its id but no longer stores it (purged, expired or "
             "consumed): sent again, it is acknowledged and not stored until the stream's "
             "duplicate_window has passed",
             entry->agent->name, id);
  flow->told_gone = true;
}

static void ask_useless(struct publisher_flow *flow) {
  flow->useless = flow->sender.kind->useless(flow->sender.transport, &flow->useless_trouble);
  flow->useless_ns =
      clock_monotonic_ns() + (flow->useless < 0 ? WHY_INTERVAL_NS : USELESS_INTERVAL_NS);
}

/* In a useless stream no event is at fault.  While nobody knows, the event is sent again, a few
 * times.  While settling nobody is asked, as it is tried alone later. */
static void take_refusal(struct publisher_flow *flow, struct window_entry *entry,
                         const char *reason, struct transport_trouble *trouble, int64_t now_ns) {
  int useless = now_ns < flow->useless_ns ? flow->useless : -1;

  if (useless < 0 && flow->mode != PUBLISHER_SETTLING) {
    ask_useless(flow);
    useless = flow->useless;
    entry->unjudged += useless < 0;
  }
  if (useless > 0)
    *trouble = flow->useless_trouble;
  else if (useless == 0 || entry->unjudged >= UNJUDGED_MOST)
    (void)window_refuse(entry, reason); /* out of memory: the next try does it */
  else if (!trouble->text[0])
    (void)snprintf(trouble->text, sizeof trouble->text,
                   "the stream refuses an event, and does not say whether it takes any");
}

static void acknowledge(struct publisher_flow *flow, struct window_entry *entry,
                        const struct transport_answer *answer, int64_t now_ns) {
  struct publisher_agent *agent = entry->agent;

  if (answer->sequence > 0 && !answer->duplicate)
    check_store(flow, entry, answer, now_ns);
  if (answer->duplicate)
    look_for_duplicate(flow, entry, answer, now_ns);
  if (flow->is_useless_due && now_ns >= flow->useless_ns)
    ask_useless(flow);
  if (flow->is_useless_due && flow->useless > 0)
    site_say(agent->site, KAIZEN_LOG_WARNING, PUBLISHER_MESSAGE_NOT_STORED,
             "%s: acknowledged, but not stored: %s", agent->name, flow->useless_trouble.text);
  flow->is_useless_due = flow->is_useless_due && flow->useless < 0;
  if (entry->sent_ns > flow->answered_ns)
    flow->answered_ns = entry->sent_ns;
  flow->asked_about[0] = '\0';
  agent->last_acknowledged_unix_ns = agent->site->last_acknowledged_unix_ns = clock_wall_ns();
  agent->site->waiting_since_ns = now_ns;
  agent->probes = 0;
  flow->failures = flow->connect_failures = 0;
  flow->trouble.text[0] = '\0';
  flow->trouble.hopeless = false;
  if (flow->mode == PUBLISHER_PROBING)
    flow->mode = PUBLISHER_FLOWING;
}

static void take_answer(struct publisher_flow *flow, const struct transport_answer *answer,
                        struct transport_trouble *trouble, int64_t now_ns) {
  struct window_entry *entry = window_entry_of(&flow->sender.window, answer->ticket);

  if (!entry)
    return;
  if (answer->outcome == TRANSPORT_DECLINED)
    decline(flow, entry, trouble->text, now_ns);
  if (answer->outcome == TRANSPORT_REFUSED)
    take_refusal(flow, entry, answer->reason, trouble, now_ns);
  if (answer->outcome != TRANSPORT_ACKNOWLEDGED && entry->state != WINDOW_DONE) {
    queue_again(flow, entry);
    stop_sending(flow, now_ns);
    return;
  }
  entry->agent->in_flight--;
  flow->sender.in_flight--;
  entry->state = WINDOW_DONE;
  if (answer->outcome == TRANSPORT_ACKNOWLEDGED)
    acknowledge(flow, entry, answer, now_ns);
  else
    entry->agent->site->failures++;
  publisher_agent_advance(entry->agent, &flow->sender.window, now_ns);
}

/* The library says what failed; the broker may know why, and whether waiting helps. */
static void ask_why(struct publisher_flow *flow, struct transport_trouble *trouble,
                    int64_t now_ns) {
  if (now_ns < flow->why_ns && strcmp(trouble->text, flow->asked_about) == 0) {
    *trouble = flow->trouble;
    return;
  }
  (void)snprintf(flow->asked_about, sizeof flow->asked_about, "%s", trouble->text);
  flow->sender.kind->why(flow->sender.transport, trouble);
  flow->why_ns = clock_monotonic_ns() + WHY_INTERVAL_NS;
}

static void take_answers(struct publisher_flow *flow, struct publisher_project *projects,
                         int64_t now_ns) {
  struct transport_answer answers[ANSWERS_AT_A_TIME];
  struct transport_trouble trouble;
  size_t count;

  do {
    enum publisher_mode before = flow->mode;

    trouble = (struct transport_trouble){0};
    count =
        flow->sender.kind->answers(flow->sender.transport, answers, ANSWERS_AT_A_TIME, &trouble);
    for (size_t i = 0; i < count; i++)
      take_answer(flow, &answers[i], &trouble, now_ns);
    if (flow->mode == PUBLISHER_SETTLING && before != PUBLISHER_SETTLING) {
      ask_why(flow, &trouble, now_ns);
      set_trouble(flow, projects, &trouble);
    }
  } while (count == ANSWERS_AT_A_TIME);
}

static bool is_overdue(const struct publisher_flow *flow, int64_t now_ns) {
  for (size_t i = 0; flow->sender.window.entries && i < TRANSPORT_WINDOW; i++) {
    const struct window_entry *entry = &flow->sender.window.entries[i];

    if (entry->agent && entry->state == WINDOW_SENT && now_ns > entry->sent_ns + ANSWER_WAIT_NS)
      return true;
  }
  return false;
}

/* When an event was sent before one that was acknowledged, and has no answer, the cause is that
 * event itself. */
static void decline_passed_over(struct publisher_flow *flow, int64_t now_ns) {
  for (size_t i = 0; flow->sender.window.entries && i < TRANSPORT_WINDOW; i++) {
    struct window_entry *entry = &flow->sender.window.entries[i];

    if (entry->agent && entry->state == WINDOW_SENT &&
        (entry->declined > 0 || entry->sent_ns < flow->answered_ns)) {
      if (entry->declined < DECLINED_IN_ORDER)
        entry->declined = DECLINED_IN_ORDER; /* its order is lost already */
      decline(flow, entry, "", now_ns);
      if (entry->state == WINDOW_DONE) {
        entry->agent->in_flight--;
        flow->sender.in_flight--;
      }
    }
  }
}

/* A broker that owes an answer for too long gets a moment for the others, then another
 * connection. */
static void end_overdue(struct publisher_flow *flow, struct publisher_project *projects,
                        int64_t now_ns) {
  struct transport_trouble trouble = {.text = "the broker does not answer"};

  if (flow->sender.in_flight == 0 || now_ns < flow->overdue_check_ns)
    return;
  flow->overdue_check_ns = now_ns + OVERDUE_CHECK_NS;
  if (flow->settle_by_ns == 0 && is_overdue(flow, now_ns)) {
    stop_sending(flow, now_ns);
    flow->settle_by_ns = now_ns + SETTLE_WAIT_NS;
  }
  if (flow->settle_by_ns == 0 || now_ns < flow->settle_by_ns)
    return;
  decline_passed_over(flow, now_ns);
  ask_why(flow, &trouble, now_ns);
  break_off(flow, projects, &trouble, now_ns);
}

static void connect_when_due(struct publisher_flow *flow, struct publisher_project *projects,
                             int64_t now_ns) {
  struct transport_trouble trouble = {0};
  bool pending = false;

  for (struct publisher_project *project = projects; project; project = project->next)
    if (publisher_project_serves(project) && project_agents_pending(&project->agents))
      pending = true;
  if (!pending || now_ns < flow->connect_ns)
    return;
  flow->sender.transport =
      flow->sender.kind->open(flow->sender.settings, flow->wake, flow->wake_ctx, &trouble);
  now_ns = clock_monotonic_ns();
  if (!flow->sender.transport) {
    break_off(flow, projects, &trouble, now_ns);
    return;
  }
  flow->settle_by_ns = flow->answered_ns = 0;
  flow->store_checks = STORE_CHECKS;
  flow->told_gone = false;
  flow->is_useless_due = !flow->sender.settings->core;
  flow->useless_ns = 0; /* not known */
  /* alone until one is acknowledged: a stream that is made while a window is in flight would store
   * the later events before the earlier ones it refused */
  flow->mode = PUBLISHER_PROBING;
  if (flow->connect_failures > 0)
    flow->retry_ns = now_ns;
  for (struct publisher_project *project = projects; project; project = project->next)
    if (publisher_project_serves(project))
      site_say(&project->site, KAIZEN_LOG_INFO, PUBLISHER_MESSAGE_CONNECTED, "connected to %s",
               flow->sender.settings->shown_url);
}

static void send_what_may(struct publisher_flow *flow, struct publisher_project *projects,
                          int64_t now_ns) {
  if (flow->mode == PUBLISHER_SETTLING && flow->sender.in_flight == 0)
    flow->mode = PUBLISHER_PROBING;
  if (flow->mode == PUBLISHER_FLOWING) {
    sender_fill(&flow->sender, projects, now_ns);
  } else {
    sender_read_ahead(&flow->sender, projects, QUEUED_WHILE_PROBING, now_ns);
    if (flow->mode == PUBLISHER_PROBING && now_ns >= flow->retry_ns)
      sender_probe(&flow->sender, projects, now_ns);
  }
  flow->sender.kind->flush(flow->sender.transport);
}

void publisher_flow_tick(struct publisher_flow *flow, struct publisher_project *projects,
                         int64_t now_ns) {
  struct transport_trouble trouble = {0};

  if (flow->sender.transport) {
    take_answers(flow, projects, now_ns);
    if (!flow->sender.kind->connected(flow->sender.transport, &trouble))
      break_off(flow, projects, &trouble, now_ns);
  }
  if (flow->sender.transport)
    end_overdue(flow, projects, now_ns);
  if (!flow->sender.transport) {
    sender_read_ahead(&flow->sender, projects, 1, now_ns);
    connect_when_due(flow, projects, now_ns);
  }
  if (!flow->sender.transport)
    return;
  send_what_may(flow, projects, now_ns);
  if (flow->sender.settings->core)
    take_answers(flow, projects, now_ns);
}

void publisher_flow_hurry(struct publisher_flow *flow, int64_t now_ns) {
  if (flow->connect_ns > now_ns + HURRIED_BACK_OFF_NS)
    flow->connect_ns = now_ns + HURRIED_BACK_OFF_NS;
  if (flow->retry_ns > now_ns + HURRIED_BACK_OFF_NS)
    flow->retry_ns = now_ns + HURRIED_BACK_OFF_NS;
}

static int64_t earliest_look_ns(const struct publisher_project *projects, int64_t latest_ns) {
  for (; projects; projects = projects->next) {
    if (!publisher_project_serves(projects))
      continue;
    for (const struct publisher_agent *agent = projects->agents.table.first; agent;
         agent = agent->next)
      if ((agent->look || agent->replace) && agent->not_before_ns < latest_ns)
        latest_ns = agent->not_before_ns;
  }
  return latest_ns;
}

int64_t publisher_flow_next_ns(const struct publisher_flow *flow,
                               const struct publisher_project *projects, int64_t now_ns) {
  int64_t next_ns = now_ns + 1000 * NS_PER_MS;

  if (!flow->sender.transport)
    return flow->sender.window.in_use > 0 && flow->connect_ns < next_ns ? flow->connect_ns
                                                                        : next_ns;
  if (flow->sender.in_flight > 0)
    return now_ns + NS_PER_MS;
  if (flow->sender.window.in_use > 0 && flow->mode != PUBLISHER_FLOWING && flow->retry_ns > now_ns)
    return flow->retry_ns;
  if (flow->sender.window.in_use > 0)
    return now_ns + 5 * NS_PER_MS;
  return earliest_look_ns(projects, next_ns);
}

void publisher_flow_fini(struct publisher_flow *flow) {
  buffer_fini(&flow->sender.line);
  buffer_fini(&flow->sender.envelope);
  window_fini(&flow->sender.window);
}

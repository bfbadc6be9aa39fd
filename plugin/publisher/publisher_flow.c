/* publisher_flow.c - the connection, and what goes over it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the first answer that is no acknowledgement sending stops, what is in flight ends, and the
 * lowest unacknowledged event is tried alone: flooding a stream that is electing its leader
 * stretches the election, and would reorder an agent's events. */
#include "publisher/publisher_flow.h"

#include <stdlib.h>
#include <string.h>

#include <kaizen/plugin.h>

#include "base/clock.h"
#include "base/os_process.h"

#define NS_PER_MS INT64_C(1000000)
#define ANSWER_WAIT_NS (2500 * NS_PER_MS)
#define SETTLE_WAIT_NS (1000 * NS_PER_MS)
#define OVERDUE_CHECK_NS (100 * NS_PER_MS)
#define BACK_OFF_NS (100 * NS_PER_MS)
#define BACK_OFF_DOUBLINGS 5 /* 3.2 s */
#define HURRIED_BACK_OFF_NS (250 * NS_PER_MS)
#define ANSWERS_AT_A_TIME 256
#define QUEUED_WHILE_PROBING                                                                       \
  16 /* so that one event that is always declined is not the only candidate */
#define DECLINED_IN_ORDER 3

static int64_t back_off_ns(unsigned failures) {
  unsigned doublings = failures > 1 ? failures - 1 : 0;
  int64_t wait_ns;
  uint32_t random = 0;

  if (doublings > BACK_OFF_DOUBLINGS)
    doublings = BACK_OFF_DOUBLINGS;
  wait_ns = BACK_OFF_NS << doublings;
  (void)os_process_random(&random, sizeof random);
  return wait_ns * 3 / 4 + (int64_t)(random % 1024u) * (wait_ns / 2048);
}

/* Tells a new trouble once. */
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
  flow->retry_ns = now_ns + back_off_ns(flow->failures);
  flow->settle_by_ns = 0;
}

static void queue_again(struct publisher_flow *flow, struct window_entry *entry) {
  entry->state = WINDOW_QUEUED;
  entry->agent->in_flight--;
  entry->agent->site->failures++;
  flow->sender.in_flight--;
}

/* Others need not wait for one that is declined again and again, but to keep the order of an
 * agent's events it has the first try as long as the cause may be another. */
static void decline(struct window_entry *entry, int64_t now_ns) {
  entry->declined++;
  if (entry->declined > DECLINED_IN_ORDER)
    entry->not_before_ns = now_ns + 2 * back_off_ns(entry->declined); /* the others' turn first */
}

void publisher_flow_disconnect(struct publisher_flow *flow, struct publisher_project *projects) {
  if (!flow->sender.transport)
    return;
  flow->sender.kind->close(flow->sender.transport);
  flow->sender.transport = NULL;
  for (struct publisher_project *project = projects; project; project = project->next)
    for (struct publisher_agent *agent = project->agents; agent; agent = agent->next)
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
  flow->connect_ns = now_ns + back_off_ns(flow->connect_failures);
  flow->retry_ns = flow->connect_ns;
}

/* A message stored after the acknowledgement of sequence n has a greater one, unless the stream
 * began again. */
static void check_sequence(struct publisher_flow *flow, const struct window_entry *entry,
                           uint64_t sequence) {
  struct publisher_agent *agent = entry->agent;

  if (sequence <= entry->floor && entry->era == flow->sender.era) {
    flow->sender.era++;
    flow->sender.sequence = 0;
    agent->stream_sequence = 0;
    agent->stores_lost++;
    site_say(agent->site, KAIZEN_LOG_ERROR, PUBLISHER_MESSAGE_STORE_LOST,
             "%s: the stream acknowledged sequence %llu after %llu: it lost what it "
             "held; send it again with "
             "kaizen-host drain --resend-since",
             agent->name, (unsigned long long)sequence, (unsigned long long)entry->floor);
  }
  if (sequence > flow->sender.sequence)
    flow->sender.sequence = sequence;
  if (sequence > agent->stream_sequence)
    agent->stream_sequence = sequence;
}

static void acknowledge(struct publisher_flow *flow, struct window_entry *entry,
                        const struct transport_answer *answer, int64_t now_ns) {
  struct publisher_agent *agent = entry->agent;

  if (answer->sequence > 0 && !answer->duplicate)
    check_sequence(flow, entry, answer->sequence);
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
                        int64_t now_ns) {
  struct window_entry *entry = window_entry_of(&flow->sender.window, answer->ticket);

  if (!entry)
    return;
  if (answer->outcome == TRANSPORT_DECLINED)
    decline(entry, now_ns);
  if (answer->outcome == TRANSPORT_FAILED || answer->outcome == TRANSPORT_DECLINED ||
      (answer->outcome == TRANSPORT_REFUSED && window_refuse(entry, answer->reason) != 0)) {
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
      take_answer(flow, &answers[i], now_ns);
    if (flow->mode == PUBLISHER_SETTLING && before != PUBLISHER_SETTLING)
      set_trouble(flow, projects, &trouble);
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

/* A broker that owes an answer for too long gets a moment for the others, then another
 * connection. */
static void end_overdue(struct publisher_flow *flow, struct publisher_project *projects,
                        int64_t now_ns) {
  const struct transport_trouble trouble = {.text = "the broker does not answer"};

  if (flow->sender.in_flight == 0 || now_ns < flow->overdue_check_ns)
    return;
  flow->overdue_check_ns = now_ns + OVERDUE_CHECK_NS;
  if (flow->settle_by_ns == 0 && is_overdue(flow, now_ns)) {
    stop_sending(flow, now_ns);
    flow->settle_by_ns = now_ns + SETTLE_WAIT_NS;
  }
  if (flow->settle_by_ns != 0 && now_ns >= flow->settle_by_ns)
    break_off(flow, projects, &trouble, now_ns);
}

static void connect_when_due(struct publisher_flow *flow, struct publisher_project *projects,
                             int64_t now_ns) {
  struct transport_trouble trouble = {0};
  bool pending = false;

  for (struct publisher_project *project = projects; project; project = project->next)
    if (publisher_project_serves(project) && publisher_project_pending(project))
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
  flow->settle_by_ns = 0;
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
    for (const struct publisher_agent *agent = projects->agents; agent; agent = agent->next)
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
  if (flow->sender.window.in_use > 0 && flow->mode != PUBLISHER_FLOWING)
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

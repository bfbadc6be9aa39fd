/* seats.c - the agents this recorder holds open.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "recorder/seats.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

void seats_init(struct seats *seats, const struct recorder_options *options) {
  *seats = (struct seats){.options = options};
  (void)pthread_mutex_init(&seats->mutex, NULL);
}

static struct seat **bucket_of(struct seats *seats, const char *agent) {
  return &seats->buckets[hash_bytes(agent, strlen(agent), 0) % SEATS_BUCKETS];
}

static struct seat *new_seat(const struct seats *seats, const char *agent) {
  struct seat *seat = calloc(1, sizeof *seat);

  if (!seat)
    return NULL;
  agent_init(&seat->agent, seats->options->project, agent);
  seat->commit.options = seats->options;
  seat->last = &seat->first;
  (void)pthread_mutex_init(&seat->mutex, NULL);
  (void)pthread_cond_init(&seat->company, NULL);
  return seat;
}

static void free_seat(struct seat *seat) {
  agent_close(&seat->agent);
  commit_fini(&seat->commit);
  (void)pthread_cond_destroy(&seat->company);
  (void)pthread_mutex_destroy(&seat->mutex);
  free(seat);
}

static void leave_idle_list(struct seats *seats, struct seat *seat) {
  *(seat->newer ? &seat->newer->older : &seats->newest) = seat->older;
  *(seat->older ? &seat->older->newer : &seats->oldest) = seat->newer;
  seat->newer = seat->older = NULL;
  seats->idle--;
}

static void enter_idle_list(struct seats *seats, struct seat *seat) {
  seat->newer = NULL;
  seat->older = seats->newest;
  *(seats->newest ? &seats->newest->newer : &seats->oldest) = seat;
  seats->newest = seat;
  seats->idle++;
}

/* Takes the least recently used idle seat out of the table, for the caller to free without the
 * mutex. */
static struct seat *remove_oldest(struct seats *seats) {
  struct seat *seat = seats->oldest;
  struct seat **at = bucket_of(seats, seat->agent.name);

  leave_idle_list(seats, seat);
  while (*at != seat)
    at = &(*at)->next_in_bucket;
  *at = seat->next_in_bucket;
  return seat;
}

struct seat *seats_take(struct seats *seats, const char *agent) {
  struct seat **bucket = bucket_of(seats, agent), *seat;

  (void)pthread_mutex_lock(&seats->mutex);
  for (seat = *bucket; seat && strcmp(seat->agent.name, agent) != 0;)
    seat = seat->next_in_bucket;
  if (seat) {
    if (seat->users == 0)
      leave_idle_list(seats, seat);
  } else if ((seat = new_seat(seats, agent)) != NULL) {
    seat->next_in_bucket = *bucket;
    *bucket = seat;
  }
  if (seat)
    seat->users++;
  (void)pthread_mutex_unlock(&seats->mutex);
  return seat;
}

void seats_give_back(struct seats *seats, struct seat *seat) {
  struct seat *surplus = NULL;

  (void)pthread_mutex_lock(&seats->mutex);
  if (--seat->users == 0) {
    enter_idle_list(seats, seat);
    if (seats->idle > SEATS_IDLE_MAX)
      surplus = remove_oldest(seats);
  }
  (void)pthread_mutex_unlock(&seats->mutex);
  if (surplus)
    free_seat(surplus);
}

void seats_close_idle(struct seats *seats) {
  struct seat *seat;

  do {
    (void)pthread_mutex_lock(&seats->mutex);
    seat = seats->oldest ? remove_oldest(seats) : NULL;
    (void)pthread_mutex_unlock(&seats->mutex);
    if (seat)
      free_seat(seat);
  } while (seat);
}

void seats_fini(struct seats *seats) {
  seats_close_idle(seats);
  (void)pthread_mutex_destroy(&seats->mutex);
}

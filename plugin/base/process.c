/* process.c - which process this is, and access to state that exists once per process.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <sched.h>
#include <stddef.h>
#include <unistd.h>

#include "base/os_process.h"

/* In `owner`: that process is about to take the state over. */
#define TAKING (UINT64_C(1) << 63)

/* The greatest number given so far to this process or an ancestor.  A child inherits it, so that
 * its own number is greater than that of any process it was forked from. */
static _Atomic uint64_t numbers;
/* This process's number, on a page that is zero again in a forked child; NULL: not needed yet. */
static _Atomic uint64_t *_Atomic mark;
/* Used in place of `mark` where no page is wiped at a fork. */
static _Atomic uint64_t unwiped;

/* Without a wiped page: pid and pid namespace, which no two living processes share. */
static uint64_t number_of_pid(void) {
  uint64_t number = (uint64_t)getpid() << 32 ^ os_process_namespace();

  return (number & ~TAKING) + 1;
}

static _Atomic uint64_t *find_mark(void) {
  _Atomic uint64_t *found = atomic_load(&mark), *page;

  if (found)
    return found;
  page = os_process_wiped_page();
  if (!page)
    page = &unwiped;
  if (!atomic_compare_exchange_strong(&mark, &found, page)) {
    if (page != &unwiped)
      os_process_free_page(page);
    page = found;
  }
  return page;
}

uint64_t process_number(void) {
  _Atomic uint64_t *own = find_mark();
  uint64_t number;

  if (own == &unwiped)
    return number_of_pid();
  number = atomic_load_explicit(own, memory_order_acquire);
  if (number == 0) {
    uint64_t next = atomic_fetch_add(&numbers, 1) + 1;

    if (atomic_compare_exchange_strong(own, &number, next))
      number = next;
  }
  return number;
}

void process_state_lock(struct process_state *state, void (*forget)(void)) {
  uint64_t own = process_number(), owner = atomic_load(&state->owner);

  while (owner != own) {
    if (owner == (own | TAKING)) {
      (void)sched_yield(); /* another thread of this process has nearly finished it */
      owner = atomic_load(&state->owner);
    } else if (atomic_compare_exchange_strong(&state->owner, &owner, own | TAKING)) {
      if (owner != 0) {
        (void)pthread_mutex_init(&state->mutex, NULL);
        if (forget)
          forget();
      }
      atomic_store(&state->owner, own);
      owner = own;
    }
  }
  (void)pthread_mutex_lock(&state->mutex);
}

void process_state_unlock(struct process_state *state) {
  (void)pthread_mutex_unlock(&state->mutex);
}

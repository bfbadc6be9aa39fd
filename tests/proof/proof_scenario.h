/* proof_scenario.h - the histories whose every interruption is examined.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PROOF_SCENARIO_H
#define PROOF_SCENARIO_H

#include "proof_world.h"

struct scenario {
  const char *name;
  /* What is there before: not interrupted.  May be NULL. */
  void (*setup)(struct world *world);
  /* What is interrupted, on an open world. */
  void (*run)(struct world *world);
};

const struct scenario *scenario_find(const char *name);
/* Moves the cursor after the first marked lines one after the other, as the publisher does. */
void scenario_move_cursor(struct world *world, const char *agent, unsigned most);
/* As if the retention clock had been read two days ago: the next prune is due. */
void scenario_age_clock(struct world *world, const char *agent);
void scenario_list(void);

#endif

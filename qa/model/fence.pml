/* fence.pml - two publishers that both believe they are elected, and an operator who asks for events again.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * As built (plugin/store/cursor.c, plugin/publisher/publisher_agent.c):
 *   publisher   takes token and place from .state, sends from there, and stores how far it got under the agent's
 *               lock when .state still has its token and stands where it went on from; its first store raises the
 *               token; else it drops what it has and begins again from .state
 *   operator    moves the cursor back under the lock, and raises the token
 *   kill -9     of a publisher anywhere: another begins from .state
 *
 * Held to promise 28: at any time every event up to the cursor was acknowledged since it was last asked for, and
 * .state counts as many events as stand before its cursor.  Each -D below is a mistake that qa/model/run expects
 * to be found:
 *   SUM         adds its progress to whatever .state says            NO_TOKEN   compares the place alone
 *   NO_RAISE    the operator leaves the token as it is               TOKEN_ONLY compares the token alone, and
 *                                                                    never raises it */
#ifndef N
#define N 3 /* events */
#endif
#define KILLS 2

byte cursor = 0, counted = 0, token = 1; /* .state; each step on it is under the agent's lock */
bool acknowledged[N];
byte kills = 0;
bool decided = false; /* the operator has done what there was to do */

inline check() {
  d_step {
    assert(counted == cursor && cursor <= N);
    n = 0;
    do
    :: n < cursor -> assert(acknowledged[n]); n++
    :: else -> break
    od
  }
}

#ifdef NO_TOKEN
#define IS_MINE (cursor == from)
#else
#ifdef TOKEN_ONLY
#define IS_MINE (token == mine)
#else
#define IS_MINE (token == mine && cursor == from)
#endif
#endif

proctype Publisher() {
  byte mine, from, sent, n;
  bool claimed;
load:
  atomic { mine = token; from = cursor; sent = cursor; claimed = false }
  do
  :: atomic { sent < N -> acknowledged[sent] = true; sent++ }
  :: atomic { sent > from ->
#ifdef SUM
       counted = counted + (sent - from); cursor = cursor + (sent - from); from = sent;
#else
       if
       :: IS_MINE ->
          counted = counted + (sent - from); cursor = sent; from = sent;
#ifndef TOKEN_ONLY
          if :: !claimed -> token++; claimed = true :: else fi;
#endif
          mine = token
       :: else -> goto load
       fi;
#endif
       check()
     }
  :: atomic { kills < KILLS -> kills++; goto load }
  :: atomic { sent == N && cursor != from -> goto load } /* it looks at .state again now and then */
  :: atomic { decided && cursor == N -> break }
  od
}

proctype Operator() {
  byte n;
  if
  :: skip
  :: atomic {
       cursor = 0; counted = 0;
#ifndef NO_RAISE
       token++;
#endif
       n = 0; do :: n < N -> acknowledged[n] = false; n++ :: else -> break od
     }
  fi;
  decided = true
}

init {
  byte n;
  atomic { run Publisher(); run Publisher(); run Operator() }
  (_nr_pr == 1);
  check();
  assert(cursor == N) /* everything is acknowledged in the end */
}

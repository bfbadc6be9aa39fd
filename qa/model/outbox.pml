/* outbox.pml - one agent's log as the outbox it is: append x prune x publish x kill -9 x loss of power.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * As built, with fsync "always" (plugin/recorder/line_batch.c, retention.c, rewrite.c, publisher_*.c, agent_state.c):
 *   recorder    lock, sync the folder when the log is not the one it had open, write, sync, answer; a failed
 *               sync takes the line back and answers "unknown"
 *   pruner      drops expired lines up to the cursor, but not the cursor's own; new file synced, renamed,
 *               folder synced, all under the lock
 *   publisher   reads what is committed while nobody holds the lock, syncs it before it sends, verifies its
 *               place by the last id before each event; on a rewrite searches the newest of the recent ids
 *   .state      two pages written in turn, newest valid one counts; stored under the lock, synced after
 *   kill -9     of the recorder between write and sync (the next one finds the line), of the publisher
 *               anywhere (another takes over from .state)
 *   power       once: what is not synced of log and pages is there, absent or (a page) torn
 *
 * Held to: promise 1 (nothing that was told is lost), 14 (every told line gets an acknowledgement), 15 (no event
 * for a line that is not in the log, with loss of power), and that .state is never missing (everything
 * would be held).  Each -D below is a mistake that qa/model/run expects to be found:
 *   DIRTY_READ    the publisher reads while the lock is held          SEND_UNSYNCED  sends what is not synced
 *   TOLD_EARLY    answers before the sync      SYNC_IGNORED  answers "recorded" though the sync failed
 *   ONE_PAGE      .state is one page           NO_CHECKSUM   a torn page of .state is believed
 *   BY_OFFSET     the cursor is a number of lines               ACK_ON_TIMEOUT  moves without an answer
 *   NO_PATH_SYNC  the folder of a log that somebody renamed there is not synced before the first append
 *   PRUNE_ALL     drops what is not acknowledged        RENAME_FIRST  renames before the new file is synced */
#ifndef N
#define N 3 /* records */
#endif
#ifndef PRUNES
#define PRUNES 2
#endif
#ifndef KILLS
#define KILLS 2
#endif
#define RECENT 2 /* ids a page of .state keeps; 64 in the product */

/* the log under its name, and how much of it a loss of power leaves */
byte line[N];
byte count = 0, durable = 0;
/* the log before a rename that is not durable yet */
byte old_line[N];
byte old_count = 0;
bool rename_pending = false;
bool new_file_synced = true;
byte generation = 0; /* of the file: which one the publisher has open */

bool lock = false;
byte made = 0;               /* ids handed out */
bool told[N + 1], taken_back[N + 1], lost[N + 1];
byte got[N + 1];             /* what the stream received */

/* .state: page 0 and 1 in the cache, and on disk when synced */
byte page_sequence[2], page_ids[4], page_position[2];
byte disk_sequence[2], disk_ids[4], disk_position[2];
bool page_dirty[2], page_torn[2];

byte boots = 0, kills = 0, prunes = 0, failures = 0;
byte finished = 0;

#ifdef ONE_PAGE
#define SLOT(sequence) 0
#else
#define SLOT(sequence) ((sequence) % 2)
#endif
#ifdef NO_CHECKSUM
#define VALID(p) (page_sequence[p] > 0)
#else
#define VALID(p) (page_sequence[p] > 0 && !page_torn[p])
#endif
#define BEST (VALID(0) && (!VALID(1) || page_sequence[0] > page_sequence[1]) -> 0 : 1)

inline sync_pages() {
  d_step {
    disk_sequence[0] = page_sequence[0]; disk_ids[0] = page_ids[0]; disk_ids[1] = page_ids[1];
    disk_position[0] = page_position[0]; page_dirty[0] = false;
    disk_sequence[1] = page_sequence[1]; disk_ids[2] = page_ids[2]; disk_ids[3] = page_ids[3];
    disk_position[1] = page_position[1]; page_dirty[1] = false;
  }
}

/* ---- loss of power: every process begins again ---- */
inline lose_page(p) {
  if
  :: !page_dirty[p]
  :: page_dirty[p] /* it had been written after all */
  :: page_dirty[p] -> page_sequence[p] = disk_sequence[p]; page_ids[2 * p] = disk_ids[2 * p];
     page_ids[2 * p + 1] = disk_ids[2 * p + 1]; page_position[p] = disk_position[p]
  :: page_dirty[p] -> page_torn[p] = true
  fi;
  page_dirty[p] = false; disk_sequence[p] = page_sequence[p]; disk_position[p] = page_position[p];
  disk_ids[2 * p] = page_ids[2 * p]; disk_ids[2 * p + 1] = page_ids[2 * p + 1];
}

proctype Power() {
  byte i;
  if
  :: skip
  :: atomic {
       boots++;
       if
       :: rename_pending -> /* the old name may come back; the old file is whole */
          if
          :: skip
          :: i = 0; do :: i < N -> line[i] = old_line[i]; i++ :: else -> break od;
             count = old_count; durable = old_count
          fi
       :: else
       fi;
       if
       :: !new_file_synced -> durable = 0
       :: else
       fi;
       rename_pending = false; new_file_synced = true;
       do /* each unsynced line may be gone, from the end */
       :: count > durable -> count--; lost[line[count]] = true; line[count] = 0
       :: break
       od;
       durable = count;
       lose_page(0); lose_page(1);
       generation++; lock = false;
     }
  fi;
  finished++
}

/* ---- recording ---- */
proctype Recorder() {
  byte boot, opened = 255; /* which file it has open, its folder synced */
  byte id;
again:
  do
  :: atomic { made < N && !lock -> lock = true; boot = boots; made++; id = made }
     atomic { if :: boot == boots :: else -> goto again fi;
#ifndef NO_PATH_SYNC
       if :: opened != generation -> rename_pending = false; opened = generation :: else fi
#endif
     }
     atomic { if :: boot == boots -> line[count] = id; count++ :: else -> goto again fi }
#ifdef TOLD_EARLY
     atomic { if :: boot == boots -> told[id] = true :: else -> goto again fi }
#endif
     if
     :: atomic { if :: boot == boots -> durable = count :: else -> goto again fi }
        atomic { if :: boot == boots -> told[id] = true; lock = false :: else -> goto again fi }
     :: atomic { boot == boots && failures < 1 -> failures++; /* the sync fails: blanked and cut off */
#ifdef SYNC_IGNORED
          told[id] = true;
#else
          count--; line[count] = 0; taken_back[id] = true;
#endif
          lock = false }
     :: atomic { boot == boots && kills < KILLS -> kills++; lock = false } /* killed: left as it is */
     :: atomic { boot != boots -> goto again }
     fi
  :: made == N -> break
  od;
  finished++
}

/* ---- pruning: everything has expired ---- */
proctype Pruner() {
  byte boot, i, k, cursor;
again:
  do
  :: atomic { prunes < PRUNES && !lock && count > 0 -> lock = true; boot = boots; prunes++ }
     atomic {
       if :: boot == boots :: else -> goto again fi;
       k = 0; cursor = (VALID(BEST) -> page_ids[2 * BEST] : 0);
       i = 0;
       do /* lines before the cursor's own */
       :: i < count -> if :: cursor != 0 && line[i] == cursor -> k = i :: else fi; i++
       :: else -> break
       od;
#ifdef PRUNE_ALL
       k = 1;
#endif
     }
     if
     :: atomic { k == 0 || boot != boots -> if :: boot == boots -> lock = false :: else fi; goto again }
     :: atomic { k > 0 && boot == boots && kills < KILLS -> kills++; lock = false; goto again }
     :: atomic { /* the new file is there; rename */
          k > 0 && boot == boots ->
          i = 0; do :: i < N -> old_line[i] = line[i]; i++ :: else -> break od;
          old_count = count;
          i = 0; do :: i + k < count -> line[i] = line[i + k]; i++ :: else -> break od;
          do :: i < N -> line[i] = 0; i++ :: else -> break od;
          count = count - k; durable = count; generation++; rename_pending = true;
#ifdef RENAME_FIRST
          new_file_synced = false
#endif
        }
        if
        :: atomic { if :: boot == boots -> rename_pending = false; new_file_synced = true; lock = false
                       :: else -> goto again fi }
        :: atomic { boot == boots && kills < KILLS -> kills++; lock = false; goto again }
        fi
     fi
  :: break
  od;
  finished++
}

/* ---- publishing ---- */
inline find_place() {
  atomic {
    assert(VALID(0) || VALID(1));          /* else every event would be held */
    assert(!page_torn[BEST]);
    boot = boots; opened = generation; position = 0; last = 0; before = 0; i = 0;
    sequence = page_sequence[BEST];
#ifdef BY_OFFSET
    position = (page_position[BEST] > count -> count : page_position[BEST]);
#else
    do /* the newest of the recent ids that the log still holds, else its beginning */
    :: i < RECENT && last == 0 ->
       j = 0;
       do
       :: j < count ->
          if :: page_ids[2 * BEST + i] != 0 && line[j] == page_ids[2 * BEST + i] ->
                last = line[j]; position = j + 1
             :: else fi;
          j++
       :: else -> break
       od;
       i++
    :: else -> break
    od;
#endif
  }
}

#ifdef BY_OFFSET
#define IN_PLACE (boot == boots)
#else
#define IN_PLACE (boot == boots && opened == generation && \
                  (last == 0 || (position <= count && line[(position == 0 -> 0 : position - 1)] == last)))
#endif
#ifdef DIRTY_READ
#define COMMITTED true
#else
#define COMMITTED (!lock)
#endif

proctype Publisher() {
  byte boot, opened, position, last, before, sequence, i, j, id;
  bool dirty;
load:
  find_place();
  dirty = false;
  do
  :: atomic { !IN_PLACE -> goto load }
  :: atomic { IN_PLACE && COMMITTED && position < count -> id = line[position];
#ifndef SEND_UNSYNCED
#ifndef DIRTY_READ
       durable = count
#endif
#endif
     }
     if
     :: got[id]++; /* stored, and acknowledged */
        position++; before = last; last = id; dirty = true
     :: atomic { kills < KILLS -> kills++; got[id]++ } /* stored, the answer is lost: sent again */
#ifdef ACK_ON_TIMEOUT
     :: position++; before = last; last = id; dirty = true
#endif
     fi
  :: atomic { dirty && IN_PLACE && !lock -> /* store the cursor under the lock */
       sequence = page_sequence[BEST] + 1; i = SLOT(sequence);
       page_sequence[i] = sequence; page_ids[2 * i] = last; page_ids[2 * i + 1] = before;
       page_position[i] = position; page_dirty[i] = true; page_torn[i] = false; dirty = false }
     if
     :: atomic { boot == boots -> sync_pages() }
     :: atomic { boot != boots -> goto load }
     fi
  :: atomic { kills < KILLS -> kills++; goto load } /* killed: another takes over */
  :: atomic { finished == 3 && IN_PLACE && !lock && position >= count && !dirty -> break }
  od
}

init {
  byte n;
  atomic {
    page_sequence[SLOT(1)] = 1; disk_sequence[SLOT(1)] = 1; /* claimed and synced before the first line */
    run Recorder(); run Pruner(); run Publisher(); run Power()
  }
  (_nr_pr == 1);
  d_step {
    n = 1;
    do
    :: n <= N ->
       assert(!(told[n] && lost[n]));                  /* promise 1 */
       assert(!(told[n] && got[n] == 0));              /* promise 14 */
       assert(!(got[n] > 0 && (lost[n] || taken_back[n]))); /* promise 15 */
       n++
    :: else -> break
    od
  }
}

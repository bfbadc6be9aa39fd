#!/bin/sh
# test_names.sh - the names of the source are what qa/names wants, no file is over 500 lines or 100
# columns, and the checks can fail.
#
# SPDX-License-Identifier: Apache-2.0
set -u
srcdir=$(cd "$(dirname "$0")/../.." && pwd)
failed=0
. "$srcdir/tests/support/refuses.sh"

check_source qa/names common plugin host-shim include docs qa

refuses 'a function with the name of another file' plugin/base/clock.c 'int uuid_of_now(void) { return 0; }' \
  'clock.c: uuid_of_now() does not begin with clock'
refuses 'a function that no header declares' plugin/store/outbox.c 'int outbox_secret(void) { return 0; }' \
  'outbox_secret() is not declared in outbox.h'
refuses 'a base that knows agents' plugin/base/hash.c 'static int agent;' 'hash.c: names agent'
refuses 'a base that knows the result codes' plugin/base/clock.c '#define X KAIZEN_E_IO' 'clock.c: names KAIZEN_E_IO'
refuses 'a text that knows executions' common/utf8.h 'struct execution;' 'utf8.h: names execution'
refuses 'another file that opens the lock' plugin/store/outbox.c 'static const char *n = ".lock";' '".lock"'
refuses 'another file that moves the cursor' plugin/publisher/publisher_agent.c \
  'static void f(struct agent_state *s) { s->cursor.held_count = 0; }' 'held_count ='
refuses 'a cursor that is added to' plugin/store/delivery.c \
  'static void f(struct agent_state *s) { s->cursor.marked += 1; }' 'marked +='
refuses 'a cursor that is copied into' plugin/store/rewrite.c \
  'static void f(struct agent_state *s, char *id) { memcpy(s->cursor.recent[0], id, 16); }' 'recent'
refuses 'a comment that cites no page' plugin/store/outbox.c '/* as it says (contract, "The event") */' "cites 'contract'"
refuses 'a comment that cites a page that is not here' host-shim/cli/main.c '/* see docs/nowhere.md */' 'docs/nowhere.md'
refuses 'a comment that cites what no page says' host-shim/cli/main.c '/* docs/design.md, "Nowhere" */' 'does not say that'

# ---- size: a line is seen whole beside another file, and a file is read in one sitting ----
sh "$srcdir/qa/format" --columns || failed=1
mkdir -p "$TMPDIR/wide/qa" "$TMPDIR/wide/common" && cp "$srcdir/qa/format" "$TMPDIR/wide/qa/" || exit 99
printf '%0101d\n' 0 >"$TMPDIR/wide/common/wide.c"
if sh "$TMPDIR/wide/qa/format" --columns 2>"$TMPDIR/said"; then
  echo 'FAILED: a line of 101 columns was not refused'
  failed=1
else
  echo 'ok: a line of 101 columns is refused'
fi
yes '' | head -n 501 >"$TMPDIR/wide/common/wide.c"
if sh "$TMPDIR/wide/qa/format" --columns 2>"$TMPDIR/said"; then
  echo 'FAILED: a file of 501 lines was not refused'
  failed=1
else
  echo 'ok: a file of 501 lines is refused'
fi

exit "$failed"

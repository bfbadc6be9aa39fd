#!/bin/sh
# test_run_test.sh - the wrapper of all tests fails what a sanitizer reported, whatever the exit
# status, and keeps tests apart from the user's home.
#
# SPDX-License-Identifier: Apache-2.0
set -u
srcdir=$(cd "$(dirname "$0")/../.." && pwd)
run="sh $srcdir/qa/run-test"
cc=${CC:-gcc}
failed=0

expect() { # NAME WANTED COMMAND...: the exit status is "zero" or "other"
  name=$1 wanted=$2
  shift 2
  "$@" >"$TMPDIR/said" 2>&1
  status=$?
  got=other
  [ "$status" = 0 ] && got=zero
  if [ "$got" = "$wanted" ]; then
    echo "ok: $name"
  else
    echo "FAILED: $name: exit status $status"
    sed 's/^/  | /; s/Sanitizer/Sani-tizer/g; s/runtime error/runtime-error/g' "$TMPDIR/said"
    failed=1
  fi
}

expect 'a test that exits 0 passes' zero $run true
expect 'a test that exits 1 fails' other $run false
expect 'a test that outlives its limit fails' other env KAIZEN_TEST_TIMEOUT_S=1 $run sleep 60
expect 'output that quotes valgrind fails' other $run echo '==1== ERROR SUMMARY: 3 errors from 1 contexts'
expect 'a clean summary of valgrind passes' zero $run echo '==1== ERROR SUMMARY: 0 errors from 0 contexts'
# shellcheck disable=SC2016 # expanded inside
expect 'home is a folder of its own' zero $run sh -c "[ \"\$HOME\" != '$HOME' ] && [ -d \"\$HOME\" ]"
expect 'the broker of the user is not known' zero env NATS_URL=nats://other $run sh -c '[ -z "${NATS_URL+set}" ]'
expect 'a folder without permissions does not stay' zero \
  $run sh -c 'mkdir -p "$TMPDIR/a/b" && chmod 000 "$TMPDIR/a"'
$run true
[ -z "$(find "$TMPDIR" -maxdepth 1 -name 'kaizen-test-*')" ] || {
  echo 'FAILED: a test left its folder behind'
  failed=1
}

cat >"$TMPDIR/faulty.c" <<'END'
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* The fault happens in a child whose status nobody looks at, as it does under Criterion. */
#include <sys/wait.h>
int main(int argc, char **argv) {
  const char *fault = argc > 1 ? argv[1] : "none";
  if (fork() == 0) {
    volatile int number = INT_MAX;
    char *volatile memory = malloc(8);
    if (strcmp(fault, "overflow") == 0)
      memory[8] = 1;
    if (strcmp(fault, "undefined") == 0)
      number++;
    if (strcmp(fault, "quiet") == 0) {
      close(2);
      memory[8] = 1;
    }
    if (strcmp(fault, "leak") == 0)
      memory = NULL;
    free(memory);
    exit(0);
  }
  wait(NULL);
  return 0;
}
END
if ! $cc -g -fsanitize=address,undefined -o "$TMPDIR/faulty" "$TMPDIR/faulty.c" 2>/dev/null; then
  [ "$failed" = 0 ] || exit 1
  echo "skipped in part: $cc has no sanitizers"
  exit 77
fi
expect 'a program without a fault passes' zero $run "$TMPDIR/faulty" none
expect 'a leak in a child fails' other $run "$TMPDIR/faulty" leak
expect 'an overflow in a child fails' other $run "$TMPDIR/faulty" overflow
expect 'undefined behaviour in a child fails' other $run "$TMPDIR/faulty" undefined
expect 'a report is found without standard error' other $run "$TMPDIR/faulty" quiet

exit "$failed"

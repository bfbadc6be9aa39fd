#!/bin/sh
# test_totals.sh - the line that sums up a run of the tests counts cases, and no failure gets lost.
#
# SPDX-License-Identifier: Apache-2.0
set -u
srcdir=$(cd "$(dirname "$0")/../.." && pwd)
failed=0

result() { # NAME RESULT LINE...: what automake leaves of one test
  name=$1
  echo ":test-result: $2" >"$TMPDIR/build/tests/folder/$name.trs"
  shift 2
  printf '%s\n' "$@" >"$TMPDIR/build/tests/folder/$name.log"
}
totals_are() { # NAME LINE STATUS [STATUS-OF-MAKE]
  sh "$srcdir/qa/totals" "$TMPDIR/build" "${4:-0}" >"$TMPDIR/said"
  status=$?
  if [ "$(tail -n 1 "$TMPDIR/said")" = "$2" ] && [ "$status" = "$3" ]; then
    echo "ok: $1"
  else
    echo "FAILED: $1: exit status $status"
    cat "$TMPDIR/said"
    failed=1
  fi
  rm -f "$TMPDIR"/build/tests/folder/*
}

mkdir -p "$TMPDIR/build/tests/folder"
totals_are 'nothing tested is a failure' '0 passed, 1 failed' 1

result criterion PASS '[====] Synthesis: Tested: 5 | Passing: 5 | Failing: 0 | Crashing: 0 '
result plain PASS 'anything'
result unittest PASS 'Ran 7 tests in 0.1s' '' 'OK'
totals_are 'cases are counted' '13 passed, 0 failed' 0

result criterion FAIL '[====] Synthesis: Tested: 5 | Passing: 2 | Failing: 2 | Crashing: 1 '
result plain FAIL 'anything'
result unittest FAIL 'Ran 7 tests in 0.1s' '' 'FAILED (failures=1, errors=2, skipped=1)'
totals_are 'failures are counted' '5 passed, 7 failed, 1 skipped' 1

result criterion FAIL '[====] Synthesis: Tested: 5 | Passing: 5 | Failing: 0 | Crashing: 0 ' 'run-test: a report'
totals_are 'a report after the last case is a failure' '4 passed, 1 failed' 1

result plain SKIP 'no compiler' 'SKIP tests/plain.sh (exit status: 77)'
result other PASS 'anything'
totals_are 'a skipped test is seen' '1 passed, 0 failed, 1 skipped' 0

result broken ERROR 'anything'
totals_are 'an error is a failure' '0 passed, 1 failed' 1

result plain PASS 'anything'
totals_are 'a run that make broke off is a failure' '1 passed, 1 failed' 1 2

exit "$failed"

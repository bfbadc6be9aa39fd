#!/bin/sh
# test_stand_in.sh - the stand-in for Criterion, which qa/worlds uses, fails what has to fail.
#
# SPDX-License-Identifier: Apache-2.0
set -u
cat >"$TMPDIR/tests.c" <<'END'
#include <criterion/criterion.h>
#include <signal.h>

static int prepared;
static void prepare(void) {
  prepared++;
}
TestSuite(all, .init = prepare);

Test(all, passes) {
  cr_assert_eq(prepared, 1, "once");
  cr_expect_str_eq("a", "a");
}
Test(all, fails_at_an_assertion) {
  cr_assert_leq(2, 1, "%d", 7);
  _exit(0);
}
Test(all, fails_at_an_expectation) {
  cr_expect(prepared == 2);
}
Test(all, crashes) {
  (void)raise(SIGSEGV);
}
Test(all, is_skipped) {
  cr_skip_test("not here");
}
Test(other, has_a_suite_without_preparation) {
  cr_assert_eq(prepared, 0);
}
END
# shellcheck disable=SC2086 # a command and its options
${CC:-cc} -std=gnu11 -Wall -Wextra -Werror -I "$KAIZEN_TEST_SRCDIR/tests/support/stand_in" "$TMPDIR/tests.c" \
  -o "$TMPDIR/tests" -lm || exit 1
"$TMPDIR/tests" >"$TMPDIR/output"
status=$?
[ "$status" = 1 ] && grep -q 'Tested: 5 | Passing: 2 | Failing: 3 | Crashing: 1$' "$TMPDIR/output" && exit 0
cat "$TMPDIR/output"
echo "FAILED: it ended with $status"
exit 1

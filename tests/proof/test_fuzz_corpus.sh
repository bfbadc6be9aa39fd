#!/bin/sh
# test_fuzz_corpus.sh - every fuzz target takes every input of its corpus, found or written by hand.
#
# SPDX-License-Identifier: Apache-2.0
set -u
failed=0

for source in "$KAIZEN_TEST_SRCDIR"/fuzz/fuzz_*.c; do
  name=${source##*/fuzz_}
  name=${name%.c}
  if "$KAIZEN_TEST_BUILDDIR/fuzz/fuzz_$name" "$KAIZEN_TEST_SRCDIR/fuzz/corpus/$name"; then
    echo "ok: $name"
  else
    echo "FAILED: $name"
    failed=1
  fi
done

exit "$failed"

# verdict.sh - what a shell test says of each thing that it looked at.
#
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by a test that has set $failed to 0, and ends with: exit "$failed"
# shellcheck shell=sh disable=SC2034 # the test's

ok() {
  echo "ok: $1"
}

fail() {
  echo "FAILED: $1"
  failed=1
}

#!/bin/sh
# test_demo.sh - what a newcomer runs first works: `./bootstrap demo` after the build.
#
# SPDX-License-Identifier: Apache-2.0
command -v nats-server >/dev/null || {
  echo 'nats-server is not installed'
  exit 77
}
BUILD=$KAIZEN_TEST_BUILDDIR exec sh "$KAIZEN_TEST_SRCDIR/qa/demo"

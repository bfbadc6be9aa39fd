#!/bin/sh
# test_crash.sh - the short form of `make crash-test`.
#
# SPDX-License-Identifier: Apache-2.0
BUILD=$KAIZEN_TEST_BUILDDIR exec sh "$(dirname "$0")/../../qa/crash-test" --quick

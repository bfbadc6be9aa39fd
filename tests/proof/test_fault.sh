#!/bin/sh
# test_fault.sh - the short form of `make fault-test`.
#
# SPDX-License-Identifier: Apache-2.0
BUILD=$KAIZEN_TEST_BUILDDIR exec sh "$(dirname "$0")/../../qa/fault-test" --quick

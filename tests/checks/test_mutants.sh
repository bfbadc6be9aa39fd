#!/bin/sh
# test_mutants.sh - every mistake of qa/mutants.list still fits the code, and its proof is there.
#
# SPDX-License-Identifier: Apache-2.0
exec "${PYTHON:-python3}" "$(dirname "$0")/../../qa/mutants" --check

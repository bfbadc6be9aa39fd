#!/bin/sh
# test_lists.sh - every file of the project is named in Makefile.am: what is not is neither tested nor
# part of a release.
#
# SPDX-License-Identifier: Apache-2.0
set -u
cd "$(dirname "$0")/../.." || exit 99
failed=0

# Folders that are named as a whole, and what is built or left behind in a working tree.
whole='fuzz/corpus|tests/hooks/fixtures|tests/hooks/results|tests/hooks/transcripts'
find activity-definitions bench common completions debian docs event-types examples fuzz host-shim include \
  plugin qa tests -type f 2>/dev/null |
  grep -vE "^($whole)/|/__pycache__/|/node_modules/|/target/|\.(o|lo|la|log|trs|pyc|service)$|~$|/\.(deps|libs|dirstamp)" |
  sort >"$TMPDIR/files"
[ -s "$TMPDIR/files" ] || exit 99

# A program is named without the suffix of its source; what a rule or a condition names counts as well.
tr -s '[:space:]:=()$' '\n' <Makefile.am | sort -u >"$TMPDIR/words"
missing=$(awk 'NR == FNR { named[$0] = 1; next }
  { stem = $0; sub(/\.c$/, "", stem) }
  !($0 in named) && !(stem in named) && !((stem ".la") in named) && !((stem ".so") in named)' "$TMPDIR/words" "$TMPDIR/files")
for file in $missing; do
  grep -qF "$file" Makefile.am && continue
  echo "FAILED: Makefile.am does not name $file"
  failed=1
done
[ "$failed" = 1 ] || echo "ok: $(wc -l <"$TMPDIR/files") files are named"
exit "$failed"

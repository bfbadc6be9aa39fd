# refuses.sh - plants mistakes, one at a time, in a copy of the source, and sees a check of qa/ find each.
#
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by a test that has set $srcdir and $failed to 0; a check that finds nothing sets it to 1.
# shellcheck shell=sh disable=SC2154,SC2034 # the test's

check_source() { # CHECK FOLDER...: the check, such as qa/names, passes on the source; copies those folders
  check="${PYTHON:-python3} $srcdir/$1"
  shift
  $check "$srcdir" || failed=1
  mkdir "$TMPDIR/copy"
  (cd "$srcdir" && cp -R "$@" "$TMPDIR/copy")
  chmod -R u+w "$TMPDIR/copy"
}

refuses() { # NAME FILE LINE SAYS: with LINE at the end of a copy of FILE, the check fails and says why
  printf '%s\n' "$3" >>"$TMPDIR/copy/$2"
  if ! $check "$TMPDIR/copy" >"$TMPDIR/said" && grep -qF "$4" "$TMPDIR/said"; then
    echo "ok: $1 is refused"
  else
    echo "FAILED: $1 was not refused"
    cat "$TMPDIR/said"
    failed=1
  fi
  if [ -f "$srcdir/$2" ]; then cp "$srcdir/$2" "$TMPDIR/copy/$2"; else rm "$TMPDIR/copy/$2"; fi
}

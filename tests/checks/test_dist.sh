#!/bin/sh
# test_dist.sh - the release archive has every file of the repository, and nothing of a build.
#
# SPDX-License-Identifier: Apache-2.0
set -u
srcdir=$KAIZEN_TEST_SRCDIR
# An archive that is unpacked below a work tree, as distcheck does it, is not that work tree.
[ "$(git -C "$srcdir" rev-parse --show-toplevel 2>/dev/null)" = "$(cd "$srcdir" && pwd -P)" ] || {
  echo 'this is not a work tree of git: it was unpacked from an archive itself'
  exit 77
}
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
${MAKE:-make} -C "$KAIZEN_TEST_BUILDDIR" -s distdir distdir="$TMPDIR/release" >"$TMPDIR/make.log" 2>&1 || {
  tail -n 20 "$TMPDIR/make.log"
  echo 'FAILED: make distdir'
  exit 1
}

# What git has and a release has no use for; what the autotools make and a release must have.
git -C "$srcdir" ls-files | grep -v '^\.gitignore$' | sort >"$TMPDIR/tracked"
(cd "$TMPDIR/release" && find . -type f | sed 's|^\./||') |
  grep -vE '^(build-aux/.*|m4/(libtool|lt.*)\.m4|aclocal\.m4|configure|build_config\.h\.in|Makefile\.in|ChangeLog)$' |
  sort >"$TMPDIR/released"
git -C "$srcdir" ls-files --cached --others --exclude-standard | sort >"$TMPDIR/known"
[ -s "$TMPDIR/tracked" ] && [ -x "$TMPDIR/release/configure" ] || exit 99

failed=0
for file in $(comm -23 "$TMPDIR/tracked" "$TMPDIR/released"); do
  echo "FAILED: the archive lacks $file: name it in EXTRA_DIST of Makefile.am"
  failed=1
done
for file in $(comm -13 "$TMPDIR/known" "$TMPDIR/released"); do
  echo "FAILED: the archive has $file, which no one put into the repository"
  failed=1
done
for file in bootstrap configure debian/rules .ci/run; do
  [ -x "$TMPDIR/release/$file" ] || {
    echo "FAILED: $file cannot be executed"
    failed=1
  }
done
[ "$failed" = 1 ] || echo "ok: the archive has all $(wc -l <"$TMPDIR/tracked") files"
exit "$failed"

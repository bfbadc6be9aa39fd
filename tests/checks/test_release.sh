#!/bin/sh
# test_release.sh - the places that name the version agree, qa/release notices when they do not, and
# what cannot be released or packaged is refused before anything is made.
#
# SPDX-License-Identifier: Apache-2.0
set -u
srcdir=$KAIZEN_TEST_SRCDIR
failed=0
ok() {
  echo "ok: $1"
}
fail() {
  echo "FAILED: $1: $(cat "$TMPDIR/said")"
  failed=1
}
if sh "$srcdir/qa/release" --versions >"$TMPDIR/said" 2>&1; then ok 'the versions agree'; else fail 'the versions agree'; fi

# ---- a mistake is noticed, and named ----
copy=$TMPDIR/copy
mkdir -p "$copy/qa" "$copy/debian" "$copy/build" || exit 99
restore() {
  cp "$srcdir/qa/release" "$copy/qa/" && cp "$srcdir/configure.ac" "$srcdir/NEWS.md" "$copy/" &&
    cp "$srcdir/debian/changelog" "$copy/debian/" && chmod -R u+w "$copy"
}
refused() { # WHAT PATTERN ARGUMENT...
  what=$1 pattern=$2
  shift 2
  if BUILD="$copy/build" sh "$copy/qa/release" "$@" >"$TMPDIR/said" 2>&1 || ! grep -q "$pattern" "$TMPDIR/said"; then
    fail "$what"
  else
    ok "$what: $(grep "$pattern" "$TMPDIR/said" | head -n 1)"
  fi
  restore
}
restore || exit 99
sed -i '1s/(/(9/' "$copy/debian/changelog"
refused 'another version of the packages is noticed' 'debian/changelog begins with 9' --versions
sed -i 's/^## [0-9]/## 9/' "$copy/NEWS.md"
refused 'another version in the news is noticed' 'NEWS.md begins with' --versions
sed -i '0,/^## \([0-9.]*\).*/s//## \1, not yet released/' "$copy/NEWS.md"
refused 'a release without a date is refused' 'has no date'
[ -z "$(find "$copy/build" -type f)" ] || fail 'nothing was made'

# ---- packages without the tools for them: one sentence, and nothing made ----
mkdir "$TMPDIR/bin"
for tool in sh dirname cat; do
  ln -s "$(command -v "$tool")" "$TMPDIR/bin/$tool"
done
without() { # SCRIPT PACKAGE...
  script=$1
  shift
  if PATH=$TMPDIR/bin BUILD=$copy/build sh "$srcdir/qa/$script" >"$TMPDIR/said" 2>&1 || [ "$(wc -l <"$TMPDIR/said")" != 1 ] ||
    ! grep -q "nothing is built: apt-get install $* first" "$TMPDIR/said"; then
    fail "without $*, $script says what to do"
  else
    ok "without $*: $(cat "$TMPDIR/said")"
  fi
}
without package debhelper dpkg-dev
without package-check devscripts lintian

# ---- what ./bootstrap would install: said, and nothing installed or made ----
says_of() { # STATUS OF EVERY PACKAGE
  printf '#!/bin/sh\necho "%s"\n' "$1" >"$TMPDIR/bin/dpkg-query"
  chmod +x "$TMPDIR/bin/dpkg-query"
  PATH=$TMPDIR/bin:$PATH sh "$srcdir/bootstrap" -n package 2>&1
}
for tool in sudo apt-get; do
  printf '#!/bin/sh\necho "%s was called"\n' "$tool" >"$TMPDIR/bin/$tool"
  chmod +x "$TMPDIR/bin/$tool"
done
said=$(says_of 'unknown ok not-installed')
case $said in
  'bootstrap: would install: '*libnats-dev*debhelper*) ok "$said" ;;
  *) fail "what would be installed: $said" ;;
esac
said=$(says_of 'install ok installed')
[ "$said" = 'bootstrap: no package is missing' ] || fail "with all packages installed: $said"
[ -z "$(find "$copy/build" -type f)" ] || fail 'nothing was made'
exit "$failed"

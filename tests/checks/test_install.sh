#!/bin/sh
# test_install.sh - what `make install` puts where, that it works from there, and that `make
# uninstall` leaves nothing behind.
#
# SPDX-License-Identifier: Apache-2.0
set -u
srcdir=$KAIZEN_TEST_SRCDIR
stage=$TMPDIR/stage
prefix=/opt/test
failed=0
. "$srcdir/tests/support/verdict.sh"

check() { # WHAT COMMAND...
  what=$1
  shift
  if "$@" >"$TMPDIR/said" 2>&1; then ok "$what"; else fail "$what: $(cat "$TMPDIR/said")"; fi
}

# The make that runs the tests has options for its own children only.
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
install() { # GOAL
  ${MAKE:-make} -C "$KAIZEN_TEST_BUILDDIR" -s "$1" DESTDIR="$stage" prefix="$prefix" \
    >"$TMPDIR/make.log" 2>&1 || {
    tail -n 20 "$TMPDIR/make.log"
    fail "make $1"
    exit 1
  }
}
install install
cd "$stage$prefix" || exit 1

for file in bin/kaizen-host lib/kaizen/plugins/kaizen_metrics.so include/kaizen/plugin.h \
  include/kaizen/extensions.h lib/pkgconfig/kaizen-plugin.pc \
  share/man/man1/kaizen-host.1 share/man/man3/kaizen_plugin.3 share/man/man5/kaizen-host.json.5 \
  share/bash-completion/completions/kaizen-host.bash share/zsh/site-functions/_kaizen-host \
  share/fish/vendor_completions.d/kaizen-host.fish \
  share/doc/kaizen-plugin/examples/grafana/kaizen-agents.json \
  share/doc/kaizen-plugin/examples/prometheus/kaizen.rules.yml \
  share/doc/kaizen-plugin/examples/systemd/kaizen-metrics.service \
  share/doc/kaizen-plugin/examples/systemd/kaizen-metrics.timer \
  share/doc/kaizen-plugin/examples/systemd/kaizen-relay.service \
  share/doc/kaizen-plugin/examples/systemd/kaizen-relay@.service; do
  [ -f "$file" ] || fail "$file is installed"
done
[ -z "$(find . -name '*.la' -o -name '*.a')" ] || fail 'no description of libtool is installed'
for folder in docs/schemas docs/hosts event-types activity-definitions; do
  check "$folder is installed as it is" diff -r "$srcdir/$folder" "share/doc/kaizen-plugin/$folder"
done
examples=$(sed -n 's/^\t\(examples\/[^ ]*\).*/\1/p' "$srcdir/Makefile.am" | grep -v systemd | sort -u)
for file in $examples; do
  check "$file is installed as it is" cmp "$srcdir/$file" "share/doc/kaizen-plugin/$file"
done
[ "$(echo "$examples" | wc -l)" -ge 10 ] || fail "the examples are only $examples"
for file in $(grep -oh 'examples/[a-z_]*\.[a-z]*' include/kaizen/*.h); do
  [ -f "share/doc/kaizen-plugin/$file" ] || fail "a header names $file, which is not installed"
done
for page in "$srcdir"/docs/*.md; do
  [ -f "share/doc/kaizen-plugin/docs/${page##*/}" ] || fail "docs/${page##*/} is installed"
done

# The unit names the program where it is.
check 'the unit starts the installed program' \
  grep -q "^ExecStart=.*/bin/kaizen-host drain" share/doc/kaizen-plugin/examples/systemd/kaizen-relay.service

# ---- kaizen-plugin.pc ----
if command -v pkg-config >/dev/null; then
  PKG_CONFIG_PATH=$stage$prefix/lib/pkgconfig
  PKG_CONFIG_SYSROOT_DIR=
  export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
  ask() {
    pkg-config --define-variable=prefix="$stage$prefix" "$@" kaizen-plugin
  }
  check 'kaizen-plugin.pc is valid' pkg-config --validate kaizen-plugin
  [ "$(ask --variable=pluginsdir)" = "$stage$prefix/lib/kaizen/plugins" ] ||
    fail "pluginsdir is $(ask --variable=pluginsdir)"
  [ -f "$(ask --variable=examplesdir)/embed.c" ] || fail "examplesdir is $(ask --variable=examplesdir)"
  header=$(printf '#include <kaizen/plugin.h>\nKAIZEN_ABI_MAJOR.KAIZEN_ABI_MINOR\n' |
    ${CC:-gcc} -E -P -I include - | tail -n 1 | tr -d ' u')
  [ "$(ask --variable=abi_version)" = "$header" ] ||
    fail "abi_version is $(ask --variable=abi_version), the header's is $header"
  [ "$(ask --modversion)" = "$(bin/kaizen-host --version | sed 's/.* //')" ] ||
    fail "the version is $(ask --modversion)"
  mkdir "$TMPDIR/embedded"
  # shellcheck disable=SC2046,SC2086 # options
  check 'a host compiles with it' ${CC:-gcc} "$srcdir/examples/embed.c" $(ask --cflags) -ldl -o "$TMPDIR/embed"
  check 'that host records with the plugin where pluginsdir says' \
    "$TMPDIR/embed" "$(ask --variable=pluginsdir)/kaizen_metrics.so" "$TMPDIR/embedded"
  [ -s "$TMPDIR/embedded/.kaizen/metrics/coach/executions.jsonl" ] || fail 'that host left a log'
else
  echo 'skipped in part: pkg-config is not installed'
fi

# ---- the installed program ----
mkdir "$TMPDIR/project"
KAIZEN_PLUGIN_PATH=$stage$prefix/lib/kaizen/plugins
export KAIZEN_PLUGIN_PATH
check 'the installed kaizen-host records' bin/kaizen-host -C "$TMPDIR/project" record coach --success
check 'it says where its plugin is' sh -c 'bin/kaizen-host info | grep -q "$KAIZEN_PLUGIN_PATH"'

# ---- and back ----
cd "$TMPDIR" || exit 1
install uninstall
left=$(cd "$stage" && find . ! -type d)
[ -z "$left" ] && ok 'make uninstall leaves no file' || fail "make uninstall leaves $left"
left=$(cd "$stage" && find . -type d -name '*kaizen*')
[ -z "$left" ] && ok 'nor a folder of ours' || fail "make uninstall leaves the folders $left"
exit "$failed"

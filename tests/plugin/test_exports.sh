#!/bin/sh
# test_exports.sh - the built plugin exports two symbols, needs no broker library, and is linked as
# promised; a module that is not is refused.
#
# SPDX-License-Identifier: Apache-2.0
set -u
srcdir=$(cd "$(dirname "$0")/../.." && pwd)
exports="sh $srcdir/qa/exports"
cc=${CC:-gcc}
cc=${cc%% *} # without what a sanitized or measured build adds
failed=0

$exports "$KAIZEN_TEST_PLUGIN" || failed=1

sound='-Wl,-Bsymbolic-functions -Wl,-z,nodelete -Wl,-z,now -Wl,-z,relro'
cat >"$TMPDIR/module.c" <<'END'
int kaizen_plugin_v1(void);
int kaizen_plugin_v1(void) { return 0; }
#ifndef WITHOUT_RELAY
int nemo_relay_register_plugin(void);
int nemo_relay_register_plugin(void) { return kaizen_plugin_v1(); }
#endif
#ifdef THIRD
int kaizen_third(void);
int kaizen_third(void) { return 0; }
#endif
END

try() { # NAME WANTED FLAGS...
  name=$1 wanted=$2
  shift 2
  # shellcheck disable=SC2086
  $cc -shared -fPIC -o "$TMPDIR/module.so" "$TMPDIR/module.c" "$@" || {
    echo "FAILED: $name: does not compile"
    failed=1
    return
  }
  got=refused
  $exports "$TMPDIR/module.so" >"$TMPDIR/said" && got=accepted
  if [ "$got" = "$wanted" ]; then
    echo "ok: $name is $wanted"
  else
    echo "FAILED: $name was $got"
    cat "$TMPDIR/said"
    failed=1
  fi
}

# shellcheck disable=SC2086
{
  try 'a module as promised' accepted $sound
  try 'an entry that may call another copy of the plugin' refused -Wl,-z,nodelete -Wl,-z,now -Wl,-z,relro
  try 'a third symbol' refused $sound -DTHIRD
  try 'no entry for NeMo Relay' refused $sound -DWITHOUT_RELAY
  try 'a library that a host may have as well' refused $sound -Wl,--no-as-needed -ljson-c
  try 'a library of the broker' refused $sound -Wl,--no-as-needed -l:libnats.so
  try 'a module that dlclose() unmaps' refused -Wl,-Bsymbolic-functions -Wl,-z,now -Wl,-z,relro
  try 'lazy binding' refused -Wl,-Bsymbolic-functions -Wl,-z,nodelete -Wl,-z,lazy -Wl,-z,relro
  try 'writable relocations' refused -Wl,-Bsymbolic-functions -Wl,-z,nodelete -Wl,-z,now -Wl,-z,norelro
}

exit "$failed"

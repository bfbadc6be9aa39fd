#!/bin/sh
# test_layers.sh - the includes of the source follow qa/layers.allowed, and the check can fail.
#
# SPDX-License-Identifier: Apache-2.0
set -u
srcdir=$(cd "$(dirname "$0")/../.." && pwd)
layers="${PYTHON:-python3} $srcdir/qa/layers"
failed=0

$layers "$srcdir" || failed=1

refuses() { # NAME FILE LINE SAYS: with LINE at the end of a copy of FILE, the check fails and says why
  rm -rf "$TMPDIR/copy"
  mkdir "$TMPDIR/copy"
  cp -R "$srcdir/plugin" "$srcdir/host-shim" "$srcdir/qa" "$TMPDIR/copy"
  chmod -R u+w "$TMPDIR/copy"
  echo "$3" >>"$TMPDIR/copy/$2"
  if ! $layers "$TMPDIR/copy" >"$TMPDIR/said" && grep -qF "$4" "$TMPDIR/said"; then
    echo "ok: $1 is refused"
  else
    echo "FAILED: $1 was not refused"
    cat "$TMPDIR/said"
    failed=1
  fi
}

refuses 'a lower layer that includes an upper one' plugin/base/buffer.c '#include "config/config.h"' \
  'plugin/base/buffer.c includes config/config: '
refuses 'a plugin that includes the host' plugin/config/config.c '#include "../host-shim/host/options.h"' \
  'plugin/config/config.c includes ../host-shim/host/options.h'
refuses 'a host that includes the plugin' host-shim/cli/main.c '#include "config/config.h"' \
  'host-shim/cli/main.c includes config/config.h'
refuses 'NATS outside the transport' plugin/config/config.c '#include <nats/nats.h>' \
  'plugin/config/config.c includes <nats/nats.h>'
refuses 'a file nobody listed' plugin/utils.c '/* nothing */' 'plugin/utils.c is not listed'
refuses 'an allowance nobody needs' qa/layers.allowed 'unlisted: base/error' \
  'unlisted: base/error is not needed'

exit "$failed"

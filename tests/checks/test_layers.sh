#!/bin/sh
# test_layers.sh - the includes of the source follow qa/layers.allowed, and the check can fail.
#
# SPDX-License-Identifier: Apache-2.0
set -u
srcdir=$(cd "$(dirname "$0")/../.." && pwd)
failed=0
. "$srcdir/tests/support/refuses.sh"

check_source qa/layers common plugin host-shim qa

refuses 'a lower folder that includes an upper one' plugin/base/clock.c '#include "config/config.h"' \
  'plugin/base/clock.c includes plugin/config/config.h'
refuses 'a text that includes the plugin' common/utf8.c '#include "base/error.h"' 'common/utf8.c includes base/error.h'
refuses 'the base of the host that includes its middle' host-shim/base/utf8_text.c '#include "host/command.h"' \
  'host-shim/base/utf8_text.c includes host-shim/host/command.h'
refuses 'an entry for a foreign host that looks inside' plugin/adapters/nemo_relay/nemo_relay.c \
  '#include "edge/instance.h"' 'plugin/adapters/nemo_relay/nemo_relay.c includes plugin/edge/instance.h'
refuses 'a layer that knows a foreign host' plugin/edge/plugin.c \
  '#include "adapters/nemo_relay/nemo_relay.h"' 'plugin/edge/plugin.c includes plugin/adapters/nemo_relay/nemo_relay.h'
refuses 'a plugin that includes the host' plugin/config/config.c '#include "../host-shim/host/options.h"' \
  'plugin/config/config.c includes ../host-shim/host/options.h'
refuses 'a host that includes the plugin' host-shim/cli/main.c '#include "config/config.h"' \
  'host-shim/cli/main.c includes config/config.h'
refuses 'a circle inside a folder' plugin/store/cursor.c '#include "store/agent_state.h"' \
  'plugin/store: a circle of includes: agent_state cursor'
refuses 'a circle between a file and the interface above it' plugin/publisher/window.c '#include "publisher/publisher.h"' \
  'plugin/publisher: a circle of includes'
refuses 'a base that knows the public headers' plugin/base/hash.c '#include <kaizen/extensions.h>' \
  'plugin/base/hash.c includes <kaizen/extensions.h>'
refuses 'NATS outside the transport' plugin/config/config.c '#include <nats/nats.h>' \
  'plugin/config/config.c includes <nats/nats.h>'
refuses 'a file in no folder' plugin/utils.c '/* nothing */' 'plugin/utils.c is not listed'
refuses 'an allowance nobody needs' qa/layers.allowed 'plugin/unlisted: plugin/base' \
  'plugin/unlisted: plugin/base is not needed'
refuses 'an arrow that points up' qa/layers.allowed 'common: plugin/base' 'arrows point down only'

exit "$failed"

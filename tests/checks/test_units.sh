#!/bin/sh
# test_units.sh - systemd has nothing to say about the example units, and what they start is what
# kaizen-host takes.
#
# SPDX-License-Identifier: Apache-2.0
set -u
units=$KAIZEN_TEST_BUILDDIR/examples/systemd
failed=0
. "$KAIZEN_TEST_SRCDIR/tests/support/verdict.sh"

mkdir -p "$TMPDIR/units" "$TMPDIR/project" || exit 99
cp "$KAIZEN_TEST_SRCDIR/examples/systemd/kaizen-metrics.timer" "$TMPDIR/units/" || exit 99
sed "s|^ExecStart=[^ ]*|ExecStart=$KAIZEN_TEST_HOST|" "$units/kaizen-metrics.service" >"$TMPDIR/units/kaizen-metrics.service"
for unit in kaizen-relay.service kaizen-relay@.service; do
  # The program that was built stands for the one that will be installed.
  sed "s|^ExecStart=[^ ]*|ExecStart=$KAIZEN_TEST_HOST|" "$units/$unit" >"$TMPDIR/units/$unit"
  grep -q '^ExecStart=/[^@$]*/kaizen-host drain --follow --roots ' "$units/$unit" ||
    fail "$unit starts kaizen-host by its whole name"
done

# The pages copy units that are there.
copied=0
for unit in $(sed -n 's|^.*cp /usr/share/doc/kaizen-plugin/examples/systemd/\([^ ]*\) .*$|\1|p' \
  "$KAIZEN_TEST_SRCDIR/docs/operations.md"); do
  copied=$((copied + 1))
  [ -f "$units/$unit" ] || fail "docs/operations.md copies $unit, which is not there"
done
[ "$copied" = 2 ] || fail "docs/operations.md copies $copied units, not 2"

# The command line as systemd would make it, ended by the signal systemd sends.
command=$(sed -n 's/^ExecStart=//p' "$TMPDIR/units/kaizen-relay.service" | sed "s|%E|$TMPDIR|")
mkdir "$TMPDIR/kaizen-host" && echo "$TMPDIR/project" >"$TMPDIR/kaizen-host/roots"
mkfifo "$TMPDIR/said" && exec 3<>"$TMPDIR/said" || exit 99
# shellcheck disable=SC2086 # a command line
KAIZEN_PLUGIN_PATH=${KAIZEN_TEST_PLUGIN%/*} NATS_URL=nats://127.0.0.1:9 $command 2>&3 &
relay=$!
read -r line <&3
kill -TERM "$relay"
wait "$relay"
status=$?
case $line in
  *"publishing for $TMPDIR/project") [ "$status" = 0 ] && ok 'the relay starts as the unit says, and ends with 0 on SIGTERM' ||
    fail "the relay ends with $status on SIGTERM" ;;
  *) fail "the relay says: $line" ;;
esac

# The numbers of all projects, as the timer has them written.
KAIZEN_PLUGIN_PATH=${KAIZEN_TEST_PLUGIN%/*} "$KAIZEN_TEST_HOST" -C "$TMPDIR/project" record coach --success -q
command=$(sed -n 's/^ExecStart=//p' "$TMPDIR/units/kaizen-metrics.service" |
  sed "s|/etc/kaizen-host|$TMPDIR/kaizen-host|; s|/var/lib/prometheus/node-exporter|$TMPDIR|")
# shellcheck disable=SC2086 # a command line
if KAIZEN_PLUGIN_PATH=${KAIZEN_TEST_PLUGIN%/*} $command &&
  grep -q "^kaizen_executions{root=\"$TMPDIR/project\",project=\"project\",agent=\"coach\"} 1$" "$TMPDIR/kaizen.prom"; then
  ok 'the timer writes the numbers of the projects that are listed'
else
  fail 'the timer writes the numbers of the projects that are listed'
fi

if ! command -v systemd-analyze >/dev/null; then
  [ "$failed" = 0 ] || exit 1
  echo 'skipped in part: systemd-analyze is not installed'
  exit 77
fi
XDG_RUNTIME_DIR=$TMPDIR
export XDG_RUNTIME_DIR
verify() { # UNIT OPTION...
  unit=$1
  shift
  said=$(systemd-analyze "$@" --man=no verify "$TMPDIR/units/$unit" 2>&1 |
    grep -v '^Cannot determine cgroup\|Failed to connect to .*bus\|^$')
  if [ -z "$said" ]; then ok "systemd-analyze verify $unit"; else fail "systemd-analyze verify $unit: $said"; fi
}
verify kaizen-relay@root.service
verify kaizen-relay.service --user
verify kaizen-metrics.service
verify kaizen-metrics.timer
# It is seen to bite.
sed 's/^Type=exec/Tpye=exec/' "$TMPDIR/units/kaizen-relay.service" >"$TMPDIR/units/wrong.service"
if systemd-analyze --user --man=no verify "$TMPDIR/units/wrong.service" 2>&1 | grep -q Tpye; then
  ok 'a mistake in a unit is noticed'
else
  fail 'a mistake in a unit is noticed'
fi
exit "$failed"

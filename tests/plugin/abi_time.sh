#!/bin/sh
# abi_time.sh - hosts and plugins of different ages: a host of 1.0 with the plugin of today, the host of
# today with plugins that are older, younger or incomplete.
#
# SPDX-License-Identifier: Apache-2.0
set -u
srcdir=$(cd "$(dirname "$0")/../.." && pwd)
frozen=$srcdir/tests/plugin/abi-1.0
work=$(mktemp -d "${TMPDIR:-/tmp}/abi-XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
# What a compiler without the host's own flags would make of it.
cc="${CC:-gcc} -std=gnu11"
failed=0 refused=0

fail() {
  echo "FAILED: $*"
  failed=1
}
mock() { # NAME FLAGS...
  name=$1
  shift
  $cc -shared -fPIC "$@" -I "$frozen" "$srcdir/tests/plugin/abi_mock.c" -o "$work/$name.so" || exit 1
}
# The host of today with a plugin: what it said goes to $work/said.
host() { # PLUGIN COMMAND...
  plugin=$1
  shift
  mkdir -p "$work/host"
  (cd "$work/host" && "$KAIZEN_TEST_HOST" --plugin "$plugin" "$@") >"$work/said" 2>&1
}

# ---- a host of 1.0, the plugin of today ----
$cc -Wall -Wextra -I "$frozen" "$srcdir/tests/plugin/abi_structs.c" -o "$work/structs" -ldl || exit 1
mkdir "$work/project"
"$work/structs" "$KAIZEN_TEST_PLUGIN" "$work/project" || fail 'a host of 1.0 with the plugin of today'

# ---- a host of 1.0, the plugin of today built from a header whose structs have grown ----
# Longer structs of a host of later are abi_structs' own cases.
mkdir -p "$work/grown/kaizen"
for header in plugin extensions; do
  awk '/^struct kaizen_(host_v1|execution|receipt|summary|stats|batch_result|query|query_result|span) \{/ { grows = 1 }
    /^};/ && grows { print "  uint64_t appended[3];"; grows = 0; structs++ }
    { print }
    END { print structs > "/dev/stderr" }' "$srcdir/include/kaizen/$header.h" \
    >"$work/grown/kaizen/$header.h" 2>"$work/grown/$header.count"
done
[ "$(cat "$work/grown/plugin.count" "$work/grown/extensions.count" | tr '\n' ' ')" = '5 4 ' ] ||
  fail 'the header that has grown is not what it should be'
find "$srcdir/plugin" "$srcdir/common" -name '*.c' >"$work/sources"
# shellcheck disable=SC2046 # one word a file
$cc -w -O0 -shared -fPIC -fvisibility=hidden -include "$KAIZEN_TEST_BUILDDIR/build_config.h" -I "$work/grown" \
  -I "$srcdir/plugin" -I "$srcdir" -I /usr/include/uuid $(cat "$work/sources") \
  -Wl,--version-script="$srcdir/plugin/kaizen_metrics.map" -o "$work/grown.so" -luuid -ldl -lpthread -lm || exit 1
mkdir "$work/old-host"
"$work/structs" "$work/grown.so" "$work/old-host" || fail 'a host of 1.0 with a plugin whose structs have grown'

host "$work/grown.so" -C "$work/old-host" exec coach -- true || fail "a run: $(cat "$work/said")"
echo '{"agent":"coach","success":true}' | host "$work/grown.so" -C "$work/old-host" replay ||
  fail "a batch: $(cat "$work/said")"
host "$work/grown.so" -C "$work/old-host" show coach || fail "a query: $(cat "$work/said")"

# ---- a host of 1.0, a plugin of later: longer table, longer structs ----
mock later -DLATER
mkdir "$work/later"
cat >"$work/later.c" <<'END'
#include <dlfcn.h>
#include <kaizen/plugin.h>
#include <stdio.h>
#include <string.h>
struct guarded { struct kaizen_summary summary; unsigned char guard[64]; };
int main(int argc, char **argv) {
  void *image = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
  kaizen_plugin_v1_fn entry = image ? (kaizen_plugin_v1_fn)dlsym(image, KAIZEN_PLUGIN_V1_SYMBOL) : NULL;
  const struct kaizen_plugin_v1 *plugin = entry ? entry() : NULL;
  struct kaizen_host_v1 host = {.struct_size = sizeof host, .abi_version = KAIZEN_ABI_VERSION};
  struct kaizen_execution execution = {.struct_size = sizeof execution, .outcome = KAIZEN_SUCCESS};
  struct kaizen_receipt receipt = {.struct_size = sizeof receipt};
  struct guarded out;
  struct kaizen_instance *instance = NULL;
  size_t i;
  memset(&out, 0xA5, sizeof out);
  out.summary.struct_size = sizeof out.summary;
  if (!plugin || plugin->struct_size <= sizeof *plugin || plugin->create(&host, &instance) != KAIZEN_OK)
    return 2;
  if (plugin->on_execution_end(instance, &execution, &receipt, &out.summary) != KAIZEN_RECORDED)
    return 3;
  for (i = 0; i < sizeof out.guard; i++)
    if (out.guard[i] != 0xA5) return 4;
  plugin->destroy(instance);
  return out.summary.execution_count == 1 && out.summary.struct_size == sizeof out.summary ? 0 : 5;
}
END
$cc -I "$frozen" "$work/later.c" -o "$work/later-host" -ldl || exit 1
"$work/later-host" "$work/later.so" || fail "a host of 1.0 with a plugin of later: exit status $?"

# ---- the host of today, plugins of other times ----
host "$work/later.so" record coach --success || fail "a later plugin is refused: $(cat "$work/said")"

members='id version config_schema code_name create configure configure_key start on_execution_end
on_execution_end_json flush stats last_error stop destroy get_extension'
needed=$(printf '#include <kaizen/plugin.h>\n#include <stdio.h>\nint main(void){printf("%%zu", sizeof(struct kaizen_plugin_v1));}' \
  >"$work/size.c" && $cc -I "$frozen" "$work/size.c" -o "$work/size" && "$work/size")
: >"$work/messages"
for member in $members; do
  mock short "-DTABLE_SIZE=offsetof(struct kaizen_plugin_v1,$member)"
  host "$work/short.so" info
  [ $? = 3 ] || fail "a table that ends before $member is not refused: $(cat "$work/said")"
  grep -q "needs $needed" "$work/said" || fail "no word of the size needed: $(cat "$work/said")"
  cat "$work/said" >>"$work/messages"
  refused=$((refused + 1))
done
for member in $members; do
  mock missing "-DMISSING=$member"
  host "$work/missing.so" info
  [ $? = 3 ] || fail "a plugin without $member is not refused: $(cat "$work/said")"
  grep -q "$member is NULL" "$work/said" || fail "no word of $member: $(cat "$work/said")"
  cat "$work/said" >>"$work/messages"
  refused=$((refused + 1))
done
distinct=$(grep . "$work/messages" | sort -u | wc -l)
[ "$distinct" -ge "$refused" ] || fail "$refused defects have only $distinct messages"
[ "$failed" = 0 ] && echo "ok: $refused incomplete plugins refused, each with its own message"
exit "$failed"

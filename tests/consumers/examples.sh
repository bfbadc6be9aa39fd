#!/bin/sh
# examples.sh - builds and runs the hosts below examples/ in each language whose tools are here.
#
# SPDX-License-Identifier: Apache-2.0
#
# Usage: examples.sh [LANGUAGE]...        c cxx python node rust go java; all of them unless named
#
# Each, except for the twenty lines of embed.c, records a hundred executions from four threads, repeats one,
# has one refused, flushes and stops; its log then has to add up, and its idea of each struct's size has to be the header's.
set -u
srcdir=$(cd "$(dirname "$0")/../.." && pwd)
examples=$srcdir/examples
python=${PYTHON:-python3}
plugin=$KAIZEN_TEST_PLUGIN
work=$(mktemp -d "${TMPDIR:-/tmp}/examples-XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
failed=0 skipped=''

sanitized() {
  case ${CC:-} in *-fsanitize=*) return 0 ;; esac
  return 1
}
skip() { # LANGUAGE WHY
  echo "SKIP: $1: $2"
  skipped="$skipped${skipped:+, }$1 ($2)"
}
fail() { # LANGUAGE WHAT
  echo "FAILED: $1: $2"
  failed=1
}
has() {
  command -v "$1" >/dev/null
}
# Runs a command quietly; shows what it said when it fails.
quietly() {
  "$@" >"$work/said" 2>&1 || {
    cat "$work/said"
    return 1
  }
}

header_sizes() {
  cat >"$work/sizes.c" <<'END'
#include <kaizen/plugin.h>
#include <stdio.h>
int main(void) {
  printf("sizes host=%zu execution=%zu receipt=%zu summary=%zu stats=%zu plugin=%zu str=%zu\n",
         sizeof(struct kaizen_host_v1), sizeof(struct kaizen_execution), sizeof(struct kaizen_receipt),
         sizeof(struct kaizen_summary), sizeof(struct kaizen_stats), sizeof(struct kaizen_plugin_v1),
         sizeof(struct kaizen_str));
  return 0;
}
END
  # shellcheck disable=SC2086 # a compiler and its options
  ${CC:-gcc} -I "$srcdir/include" "$work/sizes.c" -o "$work/sizes" && "$work/sizes"
}

holds() { # LANGUAGE LINE: the example printed this line (a pattern)
  grep -q "^$2\$" "$work/out" || fail "$1" "no line '$2' in: $(cat "$work/out")"
}

# Runs a built example on a project of its own and looks at what it said and left.
run_example() { # LANGUAGE RECORDS COMMAND...
  language=$1 records=$2
  shift 2
  project=$work/$language-project
  mkdir "$project"
  "$@" "$plugin" "$project" >"$work/out" 2>"$work/err" || {
    fail "$language" "exit status $?: $(cat "$work/err")"
    return 0
  }
  found=$(grep -c . "$project/.kaizen/metrics/coach/executions.jsonl")
  [ "$found" = "$records" ] || fail "$language" "$found lines in the log, not $records"
  # shellcheck disable=SC2086 # PYTHON may be a command with its environment
  quietly $python "$srcdir/tests/support/oracle.py" check "$project" || fail "$language" 'its summary'
  if [ "$records" = 100 ]; then
    holds "$language" "$sizes"
    holds "$language" 'duplicate yes'
    holds "$language" 'rejected quality_score is 1.2;.*'
    holds "$language" 'pending 0'
    holds "$language" 'recorded 100 success_rate 0.8'
  fi
  echo "ran: $language"
}

run_c() {
  # shellcheck disable=SC2086
  quietly ${CC:-gcc} -I "$srcdir/include" "$examples/embed.c" -ldl -o "$work/embed-c" || {
    fail c 'does not compile'
    return
  }
  run_example c 1 "$work/embed-c"
  # shellcheck disable=SC2086
  quietly ${CC:-gcc} -std=c99 -Wall -Wextra -Wpedantic -Werror -I "$srcdir/include" "$examples/threads.c" \
    -ldl -pthread -o "$work/threads-c" || {
    fail c 'does not compile with threads'
    return
  }
  run_example c-threads 100 "$work/threads-c"
}

run_cxx() {
  has "${CXX:-g++}" || {
    skip cxx "no ${CXX:-g++}"
    return
  }
  flags=$(printf %s "${CC:-}" | tr ' ' '\n' | grep '^-fsanitize\|^-fno-sanitize' | tr '\n' ' ')
  # shellcheck disable=SC2086
  quietly "${CXX:-g++}" -std=c++17 -Wall -Wextra -Werror $flags -I "$srcdir/include" \
    "$examples/embed.cpp" -ldl -pthread -o "$work/embed-cxx" || {
    fail cxx 'does not compile'
    return
  }
  run_example cxx 100 "$work/embed-cxx"
}

run_python() {
  # shellcheck disable=SC2086
  run_example python 100 $python "$examples/kaizen_ctypes.py"
}

run_node() {
  if ! has node || ! has npm; then
    skip node 'no node or no npm'
    return
  fi
  cp -r "$examples/node" "$work/node"
  chmod -R u+w "$work/node"
  (cd "$work/node" && timeout 60 npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1) \
    >"$work/said" 2>&1 || {
    skip node 'npm cannot fetch koffi'
    return
  }
  run_example node 100 node "$work/node/embed.mjs"
}

run_rust() {
  # A toolchain of rustup is found through the home folder that the test runner has replaced.
  login=$(getent passwd "$(id -u)" | cut -d: -f6)
  [ ! -d "$login/.rustup" ] || export RUSTUP_HOME="${RUSTUP_HOME:-$login/.rustup}"
  cargo --version >/dev/null 2>&1 || {
    skip rust 'no cargo'
    return
  }
  crates=/usr/share/cargo/registry
  ls -d "$crates"/libloading-* >/dev/null 2>&1 || {
    skip rust 'no librust-libloading-dev'
    return
  }
  cp -r "$examples/rust" "$work/rust"
  chmod -R u+w "$work/rust"
  (cd "$work/rust" && cargo build -q --offline --config 'source.crates-io.replace-with="debian"' \
    --config "source.debian.directory=\"$crates\"") >"$work/said" 2>&1 || {
    cat "$work/said"
    fail rust 'does not compile'
    return
  }
  run_example rust 100 "$work/rust/target/debug/kaizen-embed"
}

run_go() {
  has go || {
    skip go 'no go'
    return
  }
  (cd "$examples/go" && GOCACHE=$work/go-cache GOFLAGS=-mod=mod GOTOOLCHAIN=local CGO_ENABLED=1 \
    go build -o "$work/embed-go" .) >"$work/said" 2>&1 || {
    cat "$work/said"
    fail go 'does not compile'
    return
  }
  run_example go 100 "$work/embed-go"
}

run_java() {
  if ! has java || ! has javac; then
    skip java 'no java or no javac'
    return
  fi
  jna=/usr/share/java/jna.jar
  [ -f "$jna" ] || {
    skip java 'no libjna-java'
    return
  }
  quietly javac -Xlint:all -Werror -cp "$jna" -d "$work/java" "$examples/java/Embed.java" || {
    fail java 'does not compile'
    return
  }
  run_example java 100 java -cp "$jna:$work/java" Embed
}

sizes=$(header_sizes) || exit 1
[ $# -gt 0 ] || set -- c cxx python node rust go java
for language in "$@"; do
  case $language in
    node | rust | go | java)
      if sanitized; then
        skip "$language" 'cannot load a sanitized plugin'
        continue
      fi
      ;;
  esac
  case $language in
    c) run_c ;;
    cxx) run_cxx ;;
    python) run_python ;;
    node) run_node ;;
    rust) run_rust ;;
    go) run_go ;;
    java) run_java ;;
    *) fail "$language" 'no such example' ;;
  esac
done
[ "$failed" = 0 ] || exit 1
[ -n "$skipped" ] || exit 0
echo "skipped in part: $skipped"
exit 77

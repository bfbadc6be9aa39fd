#!/bin/sh
# test_headers.sh - the public headers compile alone, as C99 and C++11, with every compiler here; a host
# that is built with musl loads a plugin.
#
# SPDX-License-Identifier: Apache-2.0
set -u
srcdir=$(cd "$(dirname "$0")/../.." && pwd)
warnings='-Wall -Wextra -Wpedantic -Wpadded -Werror'
failed=0 compiled_c=0 compiled_cxx=0

compile() { # COMPILER DIALECT SOURCE
  # shellcheck disable=SC2086
  if "$1" -std="$2" $warnings -I "$srcdir/include" -c "$srcdir/tests/plugin/$3" -o "$TMPDIR/header.o"; then
    echo "ok: $1 -std=$2"
  else
    echo "FAILED: $1 -std=$2 $3"
    failed=1
  fi
}

for compiler in gcc clang; do
  command -v "$compiler" >/dev/null || continue
  compile "$compiler" c99 header_c99.c
  compile "$compiler" c11 header_c99.c
  compiled_c=1
done
for compiler in g++ clang++; do
  command -v "$compiler" >/dev/null || continue
  compile "$compiler" c++11 header_cxx11.cc
  compile "$compiler" c++17 header_cxx11.cc
  compile "$compiler" c++20 header_cxx11.cc
  compiled_cxx=1
done
# Layouts of other machines: without their C library a compiler can say how large a struct is there.
targets='i386-linux-gnu armv7-linux-gnueabihf mips-linux-gnu aarch64-linux-gnu riscv64-linux-gnu s390x-linux-gnu'
if command -v clang >/dev/null; then
  "${PYTHON:-python3}" "$srcdir/qa/docs" --c "$srcdir" >"$TMPDIR/layout.c" || failed=1
  for target in $targets; do
    # shellcheck disable=SC2086
    if clang "--target=$target" -std=c11 -ffreestanding -nostdlibinc $warnings -I "$srcdir/include" -fsyntax-only \
      "$TMPDIR/layout.c"; then
      echo "ok: the layouts of docs/abi.md on $target"
    else
      echo "FAILED: the layouts of docs/abi.md on $target"
      failed=1
    fi
  done
fi
if command -v musl-gcc >/dev/null; then
  if musl-gcc -I "$srcdir/include" "$srcdir/examples/embed.c" -o "$TMPDIR/host" -ldl &&
    musl-gcc -fPIC -shared -I "$srcdir/include" "$srcdir/tests/shim/mock_plugin.c" -o "$TMPDIR/mock.so" &&
    [ "$("$TMPDIR/host" "$TMPDIR/mock.so" "$TMPDIR")" = 'OK ' ]; then
    echo 'ok: musl-gcc, a host and a plugin'
  else
    echo 'FAILED: musl-gcc, a host and a plugin'
    failed=1
  fi
fi
[ "$failed" = 0 ] || exit 1
[ "$compiled_c$compiled_cxx" = 11 ] && exit 0
echo "skipped in part: needs gcc or clang, and g++ or clang++"
exit 77

#!/bin/sh
# test_docs.sh - the pages hold (qa/docs, qa/abi, qa/words), all three bite, and the examples in them do
# what they say.
#
# SPDX-License-Identifier: Apache-2.0
set -u
srcdir=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python3}
cc=${CC:-gcc}
failed=0
. "$srcdir/tests/support/verdict.sh"

for judge in docs abi; do
  if "$python" "$srcdir/qa/$judge" "$srcdir"; then ok "qa/$judge: the pages hold"; else fail "qa/$judge: the pages hold"; fi
done

# ---- they are seen to bite ----
copy=$TMPDIR/copy
mkdir "$copy" || exit 99
(cd "$srcdir" && tar -c --exclude=node_modules --exclude=target --exclude=__pycache__ README.md HACKING.md NEWS.md \
  CONTRIBUTING.md SECURITY.md LICENSE Makefile.am configure.ac docs event-types activity-definitions examples \
  include common plugin host-shim qa tests fuzz bench .github) |
  tar -x -C "$copy" || exit 99
chmod -R u+w "$copy"
for judge in docs abi; do # else everything would bite
  "$python" "$srcdir/qa/$judge" "$copy" || fail "qa/$judge: the copy holds as the original does"
done
judge=docs
bites() { # NAME FILE SED-SCRIPT
  sed "$3" "$srcdir/$2" >"$copy/$2"
  if cmp -s "$srcdir/$2" "$copy/$2"; then
    fail "$1: the page is as it was"
  elif "$python" "$srcdir/qa/$judge" "$copy" >"$TMPDIR/said"; then
    fail "$1 is noticed"
  else
    ok "$1 is noticed: $(head -n 1 "$TMPDIR/said")"
  fi
  cp "$srcdir/$2" "$copy/$2"
}
# shellcheck disable=SC2016
{
  bites 'a setting without a row' docs/operations.md '/^| `fsync`/d'
  bites 'a wrong range' docs/operations.md 's/1–64/1–65/'
  bites 'a message without a row' docs/operations.md '/^| 105 /d'
  bites 'an exit code without a row' docs/operations.md '/^| 7 /d'
}
bites 'a dead link' docs/design.md 's/(delivery.md)/(deliveries.md)/'
bites 'a link to no heading' docs/operations.md 's/#held-events/#held-event/'
bites 'a file that is not there' docs/design.md 's|common/json_reader.h|common/json_scanner.h|'
bites 'a page that is not listed' docs/README.md 's/(fleet.md)/(design.md)/'
bites 'a coding agent that is not listed' docs/hosts/README.md 's/(goose.md)/(codex.md)/'
bites 'another program in the README' README.md 's/execution_time_s = 12.5/execution_time_s = 13/'
bites 'another namespace of ids' docs/delivery.md 's/8d5a0f3e/8d5a0f3f/'
bites 'another layout of .state' docs/format.md 's/^| 1152 /| 1160 /; s/^| 1176 /| 1170 /'
bites 'a promise without a test' docs/reliability.md '/^| 9 | /s/`//g'
bites 'a test that was renamed' tests/unit/test_agent_log.c 's/a_foreign_line_behind_ours_survives_our_roll_back/another/'
bites 'a broken schema' docs/schemas/record.schema.json '1d'
bites 'a message that nobody sends' docs/operations.md 's/^| 105 |/| 199 | error | x | y |\n&/'
judge=abi
header=include/kaizen/plugin.h extensions=include/kaizen/extensions.h manual=docs/man/kaizen_plugin.3
bites 'a struct without its size' $header 's/^  uint32_t struct_size;$/  uint32_t size;/'
bites 'an enum in a struct' $header 's/^  int32_t outcome;/  enum kaizen_outcome outcome;/'
bites 'a bit-field' $header 's/^  uint32_t reserved0;/  uint32_t reserved0 : 16;/'
bites 'a struct by value' $extensions 's/const char \*name, size_t len, char/struct kaizen_str name, char/'
bites 'a flag of two bits' $header 's/KAIZEN_STATS_INCOMPLETE = 1u << 0/KAIZEN_STATS_INCOMPLETE = 3/'
bites 'a flag that no int holds' $header 's/KAIZEN_HOST_ONLY_READS = 1u << 16/KAIZEN_HOST_ONLY_READS = 1u << 31/'
bites 'a member that is not frozen' tests/plugin/test_abi.c '/^MEMBER(kaizen_stats, unknown_agents/d'
bites 'a value that is not frozen' tests/plugin/test_abi.c '/^VALUE(KAIZEN_E_STOPPED/d'
bites 'a struct without a section' $manual '/^\.Ss struct kaizen_receipt/d'
bites 'a member that is not described' $manual '/^\.It Li reserved0/d'
bites 'a member that is described and gone' $header '/^  uint64_t unknown_agents;/d'
bites 'a constant that is not described' $manual 's/KAIZEN_BATCH_ANY_ORDER/KAIZEN_BATCH_ANY/'
bites 'a code of another value' docs/abi.md 's/^| −67 |/| −68 |/'
bites 'a call with another tag' docs/abi.md 's/`init`, `watch` | control/`init`, `watch` | shared/'
bites 'a call without a row' docs/abi.md 's/, `sweep` | shared/ | shared/'
bites 'a member that the layout lacks' docs/abi.md 's/, reserved0 12//'
bites 'a report that shows less' $extensions 's/"verdict","unknown"/"unknown"/'
bites 'a version without a row' $header 's/KAIZEN_ABI_MINOR   0u/KAIZEN_ABI_MINOR   1u/'
bites 'a limit of another number' plugin/record/execution.h 's/EXECUTION_KEY_MAX 512/EXECUTION_KEY_MAX 256/'

# ---- words that must not come back ----
if "$python" "$srcdir/qa/words" "$srcdir"; then ok 'the words'; else fail 'the words'; fi
plain=$TMPDIR/plain
mkdir -p "$plain/qa" "$plain/plugin" "$plain/docs/man" "$plain/tests" || exit 99
cp "$srcdir/qa/words.list" "$plain/qa/"
word_is() { # found|allowed WHAT FILE TEXT
  printf "$4\n" >"$plain/$3"
  if "$python" "$srcdir/qa/words" "$plain" >"$TMPDIR/said"; then came=allowed; else came=found; fi
  if [ "$came" = "$1" ]; then ok "$2 is $1"; else fail "$2 is $1: $(cat "$TMPDIR/said")"; fi
  rm "$plain/$3"
}
word_is found 'a word in a page' docs/page.md 'The file is made an''ew.'
word_is found 'a phrase over two lines of a page' docs/page.md 'It is refused for\ngo''od.'
word_is found 'a word in a manual page' docs/man/kaizen.1 '.It Fl x\nWho''ever runs it.'
word_is found 'a phrase over two lines of a comment' plugin/code.c '/* a value that is\n * n''o number */'
word_is found 'a phrase over two texts of C' plugin/code.c 'f("%%s is "\n  "n''o string");'
word_is found 'a word in a script' tests/test.sh '# after the bro''ker, and beh''ind it'
word_is allowed 'a name in the code' plugin/code.c 'int beh''ind = an''ew + me''nd;'
word_is allowed 'a phrase that is good English' docs/page.md 'There is n''o file; a lock was left beh''ind.'

# ---- the examples ----
project=$TMPDIR/project
mkdir "$project" || exit 99
log=$project/.kaizen/metrics/coach/executions.jsonl

if $cc -std=c99 -Wall -Wextra -Wpedantic -Werror -I "$srcdir/include" "$srcdir/examples/embed.c" -ldl \
  -o "$TMPDIR/embed" && "$TMPDIR/embed" "$KAIZEN_TEST_PLUGIN" "$project" && [ "$(wc -l <"$log")" = 1 ]; then
  ok 'the program in C records an execution'
else
  fail 'the program in C records an execution'
fi
"$TMPDIR/embed" "$KAIZEN_TEST_PLUGIN" /nowhere && fail 'they answer 0 for a project that is not there'

"$python" "$srcdir/qa/docs" --c "$srcdir" >"$TMPDIR/layout.c"
if $cc -std=c11 -Werror -I "$srcdir/include" -c "$TMPDIR/layout.c" -o "$TMPDIR/layout.o"; then
  ok "the layouts of docs/abi.md: $(grep -c _Static_assert "$TMPDIR/layout.c") sizes and places"
else
  fail 'the layouts of docs/abi.md'
fi

# The pages' Python, with the names in it put in place.
python_of() { # PAGE
  # shellcheck disable=SC2016
  sed -n '/^```python$/,/^```$/{/^```/!p;}' "$srcdir/$1"
}
python_of docs/abi.md | sed "s|\"kaizen_metrics.so\"|\"$KAIZEN_TEST_PLUGIN\"|; s|/home/me/project|$project|" >"$TMPDIR/abi.py"
if [ "$("$python" "$TMPDIR/abi.py")" = 0 ] && [ "$(wc -l <"$log")" = 2 ]; then
  ok 'the Python of docs/abi.md records an execution'
else
  fail 'the Python of docs/abi.md records an execution'
fi

printf '{"agent": "coach"' >>"$log" # somebody was killed here
{
  python_of docs/format.md
  echo "append('${log%/*}', {'agent': 'coach', 'success': True})"
} >"$TMPDIR/format.py"
if "$python" "$TMPDIR/format.py" && "$TMPDIR/embed" "$KAIZEN_TEST_PLUGIN" "$project" &&
  grep -q '"execution_count": 4' "${log%/*}/summary.json" && [ "$(wc -l <"$log")" = 5 ]; then
  ok 'the Python of docs/format.md appends after a torn line, and the plugin counts it'
else
  fail 'the Python of docs/format.md appends after a torn line, and the plugin counts it'
fi

python_of docs/delivery.md >"$TMPDIR/delivery.txt"
if "$python" -m doctest "$TMPDIR/delivery.txt"; then ok 'the id of docs/delivery.md'; else fail 'the id of docs/delivery.md'; fi

if command -v mandoc >/dev/null; then
  for page in "$srcdir"/docs/man/*.[1-9]; do
    # that another page is not installed yet, or that the index of this machine is old, is not ours
    said=$(mandoc -Tlint -W warning "$page" 2>/dev/null | grep -v 'referenced manual not found')
    if [ -z "$said" ]; then ok "${page##*/} is sound"; else fail "${page##*/}: $said"; fi
  done
fi
exit "$failed"

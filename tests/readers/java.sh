#!/bin/bash
# java.sh RECORDING…: reads recordings with JDK Mission Control's parser, pages and rules, and those of the jdk dialect
# with async-profiler's converter too, all in one JVM; compares with what jfr-reader and `jprof convert` say. RECORDING:
# java/Readers.java. Counts go to $JPROF_LEDGER; exit 1 when something differs, 2 when nothing could be compared.
set -uo pipefail
[ $# -gt 0 ] || { echo "usage: tests/readers/java.sh RECORDING…" >&2; exit 2; }
recordings=()
for recording; do
  case $recording in
    *=*) recordings+=("${recording%%=*}=$(readlink -f "${recording#*=}")") ;;
    *) recordings+=("$(readlink -f "$recording")") ;;
  esac
done
cd "$(dirname "$0")/../.."
. scripts/ledger.sh
. scripts/packages.sh
. tests/readers/build.sh

# The readers' jars, which Maven copies once, and their classes. A change of what is asked for asks it again.
java_readers=$readers_built/java
jars=$java_readers/jars
jdk=
for home in jdks/jdk{17,21,25}; do
  [ -x "$home/bin/javac" ] && jdk=$home && break
done
if [ -z "$jdk" ]; then
  skip "readers: Mission Control, async-profiler's converter: no JDK 17 or newer with a compiler under jdks/"
  exit 0
fi
if [ ! "$jars/.copied" -nt tests/readers/java/pom.xml ]; then
  rm -rf "$java_readers"
  mkdir -p "$jars"
  if ! need mvn maven || ! mvn -q -B -Dstyle.color=never -f tests/readers/java/pom.xml dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$(readlink -f "$jars")" >&2; then
    skip "readers: Mission Control, async-profiler's converter: Maven cannot have them"
    exit 0
  fi
  touch "$jars/.copied"
fi
if [ ! -e "$java_readers/.compiled" ] ||
  [ -n "$(find tests/readers/java tests/readers/jdk -newer "$java_readers/.compiled")" ]; then
  "$jdk/bin/javac" --release 17 -Xlint:all -Werror -cp "$jars/*" -d "$java_readers/classes" \
    tests/readers/java/*.java tests/readers/jdk/Json.java || exit 2
  touch "$java_readers/.compiled"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# The converter's stacks without the marks of how a frame runs, which vary with what it sums up, and ours without what
# it does not show: that frames were cut off, and samples without a stack.
converted() { # FILE
  awk '{
    count = $NF
    sub(/ [0-9]+$/, "")
    gsub(/_\[[0ijk1]\];/, ";")
    sub(/_\[[0ijk1]\]$/, "")
    sum[$0] += count
  } END { for (stack in sum) print stack, sum[stack] }' "$1" | LC_ALL=C sort
}
shown() { # FILE
  awk '$0 !~ /^\[no_stack\] / {
    count = $NF
    sub(/ [0-9]+$/, "")
    sub(/^\[truncated\];/, "")
    sum[$0] += count
  } END { for (stack in sum) print stack, sum[stack] }' "$1" | LC_ALL=C sort
}

# Says how a comparison went.
tell() { # NAME STATUS OUTPUT
  local status=passed
  if [ "$2" = 0 ]; then
    printf '  %-22s %s\n' "$1" "$3"
  else
    printf '  %-22s FAILS: %s\n' "$1" "$3"
    status=failed
    failed=1
  fi
  record "$status" 1 "readers: $1, $name"
}

"$jdk/bin/java" -Dfile.encoding=UTF-8 -cp "$java_readers/classes:$jars/*" Readers "$work" "${recordings[@]}" \
  >"$work/log" 2>&1 || { cat "$work/log"; exit 2; }

nth=0
for recording in "${recordings[@]}"; do
  nth=$((nth + 1))
  file=${recording#*=}
  name=$(basename "$file")
  printf '%s\n' "$file"
  "$rust_readers/events_json" "$file" >"$work/ours.jsonl" || exit 2
  output=$("$rust_readers/compare_events" "$work/ours.jsonl" "$work/$nth.jsonl" 2>&1)
  tell "Mission Control" $? "$output"
  output=$(cat "$work/$nth.failures")
  [ -z "$output" ]
  tell "its rules and pages" $? "${output:-nothing fails}"
  if [ -e "$work/$nth.collapsed" ]; then
    "${JPROF_BIN:-${CARGO_TARGET_DIR:-target}/release/jprof}" convert "$file" --to collapsed -o "$work/ours.collapsed"
    output=$(diff <(shown "$work/ours.collapsed") <(converted "$work/$nth.collapsed") | head -n 10)
    [ -z "$output" ]
    tell "async-profiler" $? "${output:-equal: $(wc -l <"$work/ours.collapsed") stacks}"
  fi
done
exit $failed

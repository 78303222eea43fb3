#!/bin/bash
# Makes recordings of each kind and lets every reader read them (compare.sh, java.sh). Counts go to $JPROF_LEDGER.
set -uo pipefail
cd "$(dirname "$0")/../.."
. scripts/ledger.sh
. scripts/packages.sh
. tests/readers/build.sh

release=$(readlink -f "${CARGO_TARGET_DIR:-target}")/release
classes=$(java-harness/compile.sh) || exit 1
cargo build --quiet -p jfr-writer --example sample_chunk || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# RFC 3339 for a time in nanoseconds.
rfc3339() { printf '%s.%09dZ' "$(date -u -d "@$(($1 / 1000000000))" +%Y-%m-%dT%H:%M:%S)" $(($1 % 1000000000)); }

# What java.sh is to read.
recordings=()

# Compares a file; the metrics are those of ten seconds from its first chunk's start.
check() { # NAME FILE [KIND]
  local name="readers: $1" file=$2 start
  if [ ! -s "$file" ]; then
    record failed 1 "$name: no recording was made"
    return
  fi
  recordings+=("${3:+$3=}$file")
  start=$(($(od -An -j32 -N8 -t d8 --endian=big "$file")))
  if tests/readers/compare.sh "$file" "$(rfc3339 "$start")" "$(rfc3339 $((start + 10000000000)))"; then
    record passed 1 "$name"
  else
    record failed 1 "$name"
  fi
}

# Runs the mix for three seconds with VM options.
run_mix() { # HOME OPTION…
  local home=$1
  shift
  "$home/bin/java" "$@" -cp "$classes" io.jprof.harness.Mix 3 >"$work/mix.log" 2>&1 || cat "$work/mix.log"
}

for dialect in datakit jdk; do
  "$rust_readers/sample_chunk" "$work/sample-$dialect.jfr" "$dialect" 3
  [ $dialect = jdk ] && kind=sample || kind=
  check "the writer's sample, dialect $dialect" "$work/sample-$dialect.jfr" $kind
done

for version in 8 11 17 21 25; do
  home=jdks/jdk$version
  if [ ! -x "$home/bin/java" ]; then
    skip "readers: recordings of JDK $version: the JDK is not there"
    continue
  fi
  run_mix "$home" -XX:StartFlightRecording="filename=$work/jdk$version.jfr,settings=profile"
  check "a recording of JDK $version itself" "$work/jdk$version.jfr"
  for dialect in datakit jdk; do
    recording=$work/ours-$version-$dialect.jfr
    run_mix "$home" "-agentpath:$release/libjprof.so=url=none,period=1s,dialect=$dialect,file=$recording"
    [ $dialect = jdk ] && kind=run || kind=
    check "a recording under the agent, JDK $version, dialect $dialect" "$recording" $kind
  done
done

cat "$work"/jdk17.jfr "$work"/ours-17-datakit.jfr >"$work/behind.jfr"
check "a recording of ours behind one of JDK 17" "$work/behind.jfr"

tests/readers/java.sh "${recordings[@]}"
[ $? -lt 2 ] # what differs has been recorded

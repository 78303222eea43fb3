#!/bin/bash
# Fetches async-profiler's library from Maven Central, once, and prints where it is: tests and measurements stand beside it.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

artifact=tools.profiler:async-profiler:4.4
case $(uname -m) in
  x86_64) platform=linux-x64 ;;
  aarch64) platform=linux-arm64 ;;
  *) echo "no async-profiler for $(uname -m)" >&2; exit 1 ;;
esac
target=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && readlink -f "${CARGO_TARGET_DIR:-target}")
out=$target/async-profiler
library=$out/libasyncProfiler.so
if [ ! -s "$library" ]; then
  need mvn maven && need python3 python3 || { echo "no mvn or no python3 to fetch $artifact with" >&2; exit 1; }
  mvn -q -B -Dstyle.color=never dependency:copy -Dartifact="$artifact" -DoutputDirectory="$out/jars" >&2
  python3 -m zipfile -e "$out"/jars/async-profiler-*.jar "$out/jars/unpacked"
  cp "$out/jars/unpacked/$platform/libasyncProfiler.so" "$library"
fi
printf '%s\n' "$library"

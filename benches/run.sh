#!/bin/bash
# What jprof costs a program, beside async-profiler, in one run: a table and raw data in target/bench/.
#   benches/run.sh                     some twenty minutes
#   QUICK=1 benches/run.sh             two minutes, for trying out: too short for figures
#   benches/run.sh startup footprint   only these (throughput allocation walk instructions sample_cost startup footprint flame_graph)
# AGENT=… and COMMAND=… measure another build's libjprof.so and jprof.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

target=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && readlink -f "${CARGO_TARGET_DIR:-target}")
out=$target/bench
mkdir -p "$out"

need python3 python3 || { echo "no python3: install it and try again" >&2; exit 1; }
command -v valgrind >/dev/null || install_packages valgrind || true # without it a part is skipped, and says so
async_profiler=$(scripts/async-profiler.sh) && cp "$async_profiler" "$out/libasyncProfiler.so" ||
  echo "async-profiler could not be fetched" >&2
[ -n "${AGENT:-}" ] || scripts/build.sh
cargo build --quiet --release -p flame-graph --example synthetic

for javac in jdks/jdk{17,11,21,25}/bin/javac; do
  [ ! -x "$javac" ] || break
done
[ -x "$javac" ] || { echo "no JDK of 11 or newer under jdks/: run \`make jdks\`" >&2; exit 1; }
rm -rf "$out/classes"
"$javac" --release 8 -Xlint:-options -encoding UTF-8 -d "$out/classes" benches/java/io/jprof/benches/*.java
harness=$(java-harness/compile.sh)

python3 -B benches/bench.py --out "$out" --jdks jdks --classes "$out/classes:$harness" \
  --agent "${AGENT:-$target/release/libjprof.so}" --command "${COMMAND:-$target/release/jprof}" \
  --synthetic "$target/release/examples/synthetic" ${QUICK:+--quick} "$@"

#!/bin/bash
# Every fuzz target under libFuzzer, with a nightly compiler: FUZZ_SECONDS (60) for each. What is found lies in fuzz/artifacts.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
need_linker && need c++ g++ || exit 1
rustc +nightly --version >/dev/null 2>&1 || rustup toolchain install nightly --profile minimal || exit 1
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz || exit 1
cargo run --quiet --manifest-path fuzz/Cargo.toml --no-default-features --example corpus || exit 1

status=0
for source in fuzz/fuzz_targets/*.rs; do
  target=$(basename "$source" .rs)
  printf '\n== %s\n' "$target"
  cargo +nightly fuzz run "$target" -- -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -print_final_stats=1 || status=1
done
exit "$status"

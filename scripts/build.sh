#!/bin/bash
# The release build: target/release/libjprof.so and target/release/jprof.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
need_linker
cargo build --release

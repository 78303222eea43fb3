#!/bin/bash
# Format, lints and unit tests of the whole workspace.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
need_linker
cargo fmt --all --check
cargo clippy --workspace --all-targets --quiet -- -D warnings
cargo test --workspace --lib --bins --quiet

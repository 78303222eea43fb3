#!/bin/bash
# Format and lints of the whole workspace.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
need_linker
cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check
cargo clippy --workspace --all-targets --quiet -- -D warnings

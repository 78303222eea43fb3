#!/bin/bash
# What a commit must pass: format, lints, unit tests.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/lint.sh
cargo test --workspace --lib --bins --quiet

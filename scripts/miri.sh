#!/bin/bash
# What is pure memory and arithmetic under Miri, which sees undefined behaviour that tests pass by: out-of-bounds and
# unaligned accesses, data races, references that outlive what they refer to. It needs a nightly compiler, and takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! rustup component list --toolchain nightly 2>/dev/null | grep -q '^miri.*(installed)'; then
  rustup toolchain install nightly --profile minimal --component miri,rust-src
fi
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/miri
# Temporary files and clocks are the machine's. Tables of the agent live for ever, and are no leak.
export MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-ignore-leaks"
export PROPTEST_CASES=${PROPTEST_CASES:-4} PROPTEST_DISABLE_FAILURE_PERSISTENCE=1

status=0
miri() { # PACKAGE ARGUMENT… (of the tests)
  local package=$1
  shift
  printf '\n== miri %s\n' "$package"
  cargo +nightly miri test -p "$package" --lib -- "$@" || status=1
}

miri jprof-signal-safe ring:: stripes:: record:: threads:: counters:: walker::
miri jfr-writer
miri jfr-reader
miri ingest-client backoff:: compress:: endpoint:: metadata:: verdict::
exit "$status"

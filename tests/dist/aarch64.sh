#!/bin/bash
# Whether everything compiles for aarch64, with all lints. What C there is in it is left out (`true` for a compiler):
# nothing is linked here. Counts go to $JPROF_LEDGER.
set -uo pipefail
cd "$(dirname "$0")/../.."
. scripts/ledger.sh

triple=aarch64-unknown-linux-gnu
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$triple" ] && ! rustup target add "$triple" >/dev/null 2>&1; then
  skip "aarch64: no Rust library for $triple"
  exit 0
fi
CC_aarch64_unknown_linux_gnu=true AR_aarch64_unknown_linux_gnu=true \
  cargo clippy --quiet --target "$triple" -p jprof-agent -p jprof -- -D warnings || exit 1
record passed 1 "aarch64: compiles"

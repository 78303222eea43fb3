#!/bin/bash
# All tests, from nothing: installs what is missing, fetches the JDKs, builds, runs every suite even when one failed,
# and closes with a summary that counts what was skipped and why. Output of each suite: target/test-logs/.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/ledger.sh
. scripts/packages.sh

target=${CARGO_TARGET_DIR:-target}
logs=$target/test-logs
rm -rf "$logs"
mkdir -p "$logs"
export LC_ALL=C.UTF-8 # javac writes classes whose names are not ASCII
export JPROF_LEDGER=$(readlink -f "$logs")/ledger.tsv
: >"$JPROF_LEDGER"

# Runs a suite and shows it; what fails here is recorded, and its last lines stand in the log.
suite() { # NAME COMMAND…
  local name=$1 began=$SECONDS status
  shift
  printf '\n== %s\n' "$name"
  "$@" 2>&1 | tee "$logs/$name.log"
  status=${PIPESTATUS[0]}
  printf -- '-- %s: %d s, exit %d\n' "$name" $((SECONDS - began)) "$status"
  return "$status"
}

# A suite that counts as one test.
single() { # NAME COMMAND…
  if suite "$@"; then record passed 1 "$1"; else record failed 1 "$1"; fi
}

# A suite that writes its own counts to the ledger; counted here only when it failed.
counting() { # NAME COMMAND…
  suite "$@" || record failed 1 "$1"
}

# `cargo test` prints one `test result:` line per test binary; without any, the build failed.
cargo_tests() { # NAME COMMAND…
  local name=$1 passed failed ignored status
  suite "$@"
  status=$?
  read -r passed failed ignored < <(awk '/^test result:/ { p += $4; f += $6; i += $8 } END { print p + 0, f + 0, i + 0 }' "$logs/$name.log")
  [ "$passed" = 0 ] || record passed "$passed" "$name"
  [ "$ignored" = 0 ] || record skipped "$ignored" "$name: ignored by default (see the log)"
  if [ "$failed" != 0 ]; then
    record failed "$failed" "$name"
  elif [ "$status" != 0 ]; then
    record failed 1 "$name (exit $status)"
  fi
}

# The pages in Chromium. It counts its own tests, and says why where it cannot run.
browser_tests() {
  need node nodejs || true
  command -v chromium >/dev/null || install_packages chromium || true
  counting browser tests/browser/run.sh
}

need_linker || exit 1
single jdks scripts/fetch-jdks.sh jdks
single build scripts/build.sh
single lint scripts/lint.sh
# Tests that stand beside it say themselves when it is not there.
scripts/async-profiler.sh >/dev/null || true
cargo_tests cargo cargo test --workspace --no-fail-fast
# Other flags rebuild everything they meet: a folder of their own.
cargo_tests loom env RUSTFLAGS='--cfg loom' CARGO_TARGET_DIR="$target/loom" cargo test --release -p jprof-signal-safe --lib
# The bodies of the fuzz targets over their seeds and a fixed number of mutations, without libFuzzer.
cargo_tests fuzz env CARGO_TARGET_DIR="$target/fuzz" cargo test --manifest-path fuzz/Cargo.toml --no-default-features
counting dist tests/dist/run.sh
counting aarch64 tests/dist/aarch64.sh
counting bindings scripts/check-bindings.sh
counting harness java-harness/run.sh
counting readers tests/readers/run.sh
browser_tests

printf '\n== summary (%d s; logs in %s)\n' "$SECONDS" "$logs"
close_ledger

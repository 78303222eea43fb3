#!/bin/bash
# The pages in Chromium: tests/browser/run.sh [test|bench]. Counts go to $JPROF_LEDGER.
#
# Needs Node 20 or newer, and Chromium, which is installed when that can be done; CHROMIUM=/path
# names another one. Without them it skips, with the reason, and ends with 0.
set -uo pipefail
cd "$(dirname "$0")/../.."
. scripts/ledger.sh
. scripts/packages.sh

node_is_new() { node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)'; }

has_browser() {
  [ -n "${CHROMIUM:-}" ] || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
    need chromium chromium fonts-dejavu-core
}

if ! need node nodejs || ! node_is_new; then
  skip "browser: no Node 20 or newer"
  exit 0
fi
if ! has_browser; then
  skip "browser: no Chromium (install it, or set CHROMIUM to its path)"
  exit 0
fi

cargo build --quiet --release -p flame-graph --example synthetic --example from_json || exit 1
cargo build --quiet --release -p receiver --example hostile_recording || exit 1
cargo build --quiet --release -p jprof --bin jprof || exit 1
JPROF_PROGRAMS=$(readlink -f "${CARGO_TARGET_DIR:-target}")/release
export JPROF_PROGRAMS

case ${1:-test} in
  test) ;;
  bench) exec node tests/browser/bench.mjs ;;
  *)
    echo "usage: tests/browser/run.sh [test|bench]" >&2
    exit 2
    ;;
esac

counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
node --test --test-reporter=spec --test-reporter-destination=stdout \
  --test-reporter=tap --test-reporter-destination="$counts" tests/browser/*.test.mjs
status=$?
count() { awk -v kind="$1" '$1 == "#" && $2 == kind { print $3 }' "$counts"; }
passed=$(count pass)
failed=$(count fail)
[ "${passed:-0}" = 0 ] || record passed "$passed" browser
[ "${failed:-0}" = 0 ] || record failed "$failed" browser
if [ "$status" != 0 ] && [ "${failed:-0}" = 0 ]; then
  record failed 1 "browser (exit $status)"
fi
exit "$status"

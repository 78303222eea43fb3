#!/usr/bin/env bash
# The pages in Chromium: tests/browser/run.sh [test|bench]
#
# Needs Node 20 or newer and Chromium (Debian: apt-get install chromium), or CHROMIUM=/path/to/it.
# Without them it prints one line that begins with SKIP and ends with 0.
set -euo pipefail
cd "$(dirname "$0")/../.."
mode=${1:-test}

skip() {
  echo "SKIP tests/browser: $1"
  exit 0
}

command -v node >/dev/null || skip "no node"
node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' || skip "node is older than 20"
if [[ -z ${CHROMIUM:-} ]]; then
  command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
    skip "no Chromium (apt-get install chromium, or set CHROMIUM)"
fi

cargo build --quiet --release -p flame-graph --example synthetic --example from_json
cargo build --quiet --release -p receiver --example hostile_recording
cargo build --quiet --release -p jprof --bin jprof
JPROF_PROGRAMS=$(cargo metadata --format-version 1 --no-deps | node -e '
  let text = ""; process.stdin.on("data", (d) => text += d).on("end", () => console.log(JSON.parse(text).target_directory));
')/release
export JPROF_PROGRAMS

case $mode in
  test) exec node --test tests/browser/*.test.mjs ;;
  bench) exec node tests/browser/bench.mjs ;;
  *) echo "usage: tests/browser/run.sh [test|bench]" >&2; exit 2 ;;
esac

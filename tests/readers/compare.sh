#!/bin/bash
# compare.sh FILE [START END]: reads a recording (gzip or plain) with every reader, and says whether they agree on each
# event. With START and END (RFC 3339) also whether `jprof metrics` gives the metrics that DataKit derives.
set -uo pipefail
file=$(readlink -f "${1:?usage: tests/readers/compare.sh FILE [START END]}")
start=${2:-} end=${3:-}
cd "$(dirname "$0")/../.."
. scripts/ledger.sh
. scripts/packages.sh
. tests/readers/build.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
plain=$work/plain.jfr
if [ "$(head -c 2 "$file" | od -An -tx1)" = " 1f 8b" ]; then
  gzip -dc "$file" >"$plain" || exit 1
else
  cp "$file" "$plain"
fi
failed=0

says() { # READER COMMAND…
  local reader=$1 output
  shift
  if output=$("$@" 2>&1); then
    printf '  %-22s %s\n' "$reader" "${output:-reads it}"
  else
    printf '  %-22s FAILS: %s\n' "$reader" "$output"
    failed=1
  fi
}

# The output of a command that is too long to show.
quietly() { "$@" >/dev/null; }

# Runs a reader and holds its events against ours.
agrees() { # READER OURS [RULE…] COMMAND…
  local reader=$1 ours=$2 rules=()
  shift 2
  while [[ $1 == --* ]]; do
    rules+=("$1")
    shift
  done
  if "$@" >"$work/other.jsonl" 2>"$work/error"; then
    says "$reader" "$rust_readers/compare_events" "${rules[@]}" "$ours" "$work/other.jsonl"
  else
    says "$reader" false
    head -n 5 "$work/error"
  fi
}

printf '%s\n' "$file"
if ! "$rust_readers/events_json" "$plain" >"$work/ours.jsonl"; then
  echo "  jfr-reader             FAILS"
  exit 1
fi
"$rust_readers/events_json" --one-clock "$plain" >"$work/ours-one-clock.jsonl" || exit 1
printf '  %-22s %d events\n' jfr-reader "$(wc -l <"$work/ours.jsonl")"

for version in 11 17 21 25; do
  home=jdks/jdk$version
  [ -x "$home/bin/java" ] || continue
  ours=$work/ours.jsonl
  [ "$version" -lt 25 ] || ours=$work/ours-one-clock.jsonl
  [ -z "$jdk_reader" ] || agrees "JDK $version" "$ours" "$home/bin/java" -cp "$jdk_reader" Events "$plain"
  says "JDK $version jfr summary" quietly "$home/bin/jfr" summary "$plain"
  says "JDK $version jfr print" quietly "$home/bin/jfr" print --json "$plain"
done

if [ -n "$go_reader" ]; then
  agrees DataKit "$work/ours.jsonl" --datakit "$go_reader" events "$file"
  # It reads our layouts and async-profiler's, but no JVM's, whose type ids are lower than ours.
  if grep -Eq '"id":[0-9]{1,6},.*"type":"jdk.ActiveSetting"' "$work/ours.jsonl"; then
    printf '  %-22s %s\n' "Grafana's typed parser" "not for recordings of a JVM"
  else
    agrees "Grafana's typed parser" "$work/ours.jsonl" --datakit --some-types "$go_reader" typed "$plain"
  fi
  if [ -n "$start" ]; then
    printf '{"start":"%s","end":"%s"}' "$start" "$end" >"$work/event.json"
    as_event() { printf '{"type":"metrics","startTime":0,"fields":%s}\n' "$(tr -d '\n')"; }
    "$go_reader" metrics "$file" "$start" "$end" | as_event >"$work/datakit-metrics.jsonl"
    "${JPROF_BIN:-${CARGO_TARGET_DIR:-target}/release/jprof}" metrics "$file" --event "$work/event.json" --json |
      as_event >"$work/our-metrics.jsonl"
    says "jprof metrics" "$rust_readers/compare_events" "$work/datakit-metrics.jsonl" "$work/our-metrics.jsonl"
  fi
fi
exit $failed

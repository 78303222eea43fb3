#!/bin/bash
# Whether the committed JVMTI bindings are what bindgen makes of the newest jvmti.h.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/ledger.sh

fresh=$(mktemp --suffix=.rs)
committed=$(mktemp --suffix=.rs)
trap 'rm -f "$fresh" "$committed"' EXIT
cp agent/src/jvmti/sys.rs "$committed"
rustfmt --edition 2024 "$committed"

reason=$(scripts/bindings.sh "$fresh" 2>&1)
case $? in
  0)
    if diff -u "$committed" "$fresh"; then
      record passed 1 "bindings: as bindgen makes them"
    else
      echo "agent/src/jvmti/sys.rs differs from what \`make bindings\` writes"
      exit 1
    fi
    ;;
  77) skip "bindings: $(tail -n 1 <<<"$reason")" ;;
  *)
    printf '%s\n' "$reason"
    exit 1
    ;;
esac

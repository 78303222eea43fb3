#!/bin/bash
# under-jdks.sh FOLDER: whether the agent and the command of a release do their work, in each JDK of jdks/ for some
# seconds: stacks are walked, walks end at the root, and a thread's end by unwinding passes the agent's frame.
set -uo pipefail
cd "$(dirname "$0")/../.."
. scripts/ledger.sh
folder=$(readlink -f "${1:?usage: tests/dist/under-jdks.sh FOLDER}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Of the walks of Java threads, one in a hundred may end early.
judge_walks() { # COUNTERS
  awk '
    $1 == "walk_ok" { ok = $2; next }
    $1 ~ /^walk_/ && $1 !~ /^walk_(no_java_frame|truncated|searched)$/ && $2 { early += $2; why = why " " $1 "=" $2 }
    END { printf "%d stacks whole, %d ended early%s\n", ok, early, why; exit !(ok > 100 && early * 100 <= ok) }' "$1"
}

run() { # HOME
  local recording=$work/recording.jfr
  rm -f "$recording"
  "$1/bin/java" ${probe:+"-agentpath:$probe"} "-agentpath:$folder/libjprof.so=url=none,interval=2ms,file=$recording" \
    -cp "$classes" io.jprof.harness.Mix 3 >"$work/out" 2>&1 || { cat "$work/out" && return 1; }
  ! grep '\[jprof\].*walker\|\[jprof\].*stacks' "$work/out" || return 1
  [ -z "$probe" ] || grep -q 'a hundred threads have unwound' "$work/out" || { cat "$work/out" && return 1; }
  "$folder/jprof" metrics "$recording" --counters >"$work/counters" && judge_walks "$work/counters"
}

classes=$(java-harness/compile.sh) || { skip "release: no javac: \`make jdks\`" && exit 0; }
probe=
if command -v cc >/dev/null; then
  probe=$work/libunwinding.so
  cc -shared -fPIC -pthread -o "$probe" tests/dist/unwinding.c || exit 1
else
  skip "release: no C compiler for threads that unwind"
fi

status=0
for version in 8 11 17 21 25; do
  home=jdks/jdk$version
  if [ ! -x "$home/bin/java" ]; then
    skip "release under JDK $version: the JDK is not there (\`make jdks\`)"
  elif words=$(run "$home"); then
    echo "release under JDK $version: ${words##*$'\n'}"
  else
    printf '%s\nrelease under JDK %s: failed\n' "$words" "$version" >&2
    status=1
  fi
done
exit "$status"

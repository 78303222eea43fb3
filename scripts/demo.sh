#!/bin/bash
# A program under the agent for some twenty seconds, its profiles in the embedded receiver, and a flame graph.
# The receiver stays for an hour, so that its page can be opened; with KEEP=1 until it is stopped, with KEEP=0 or under
# CI it goes with the demo.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

seconds=22 # two periods and a last, shorter one
period=10

case ${KEEP:-${CI:+0}} in
  0) stays= ;;
  1) stays=infinity ;;
  *) stays=1h ;;
esac

# A JDK of version 8 or newer: it runs the agent, and compiles the program.
is_jdk() { # HOME
  [ -x "$1/bin/javac" ] && [ -n "$(find -L "$1" -name libjvm.so -print -quit 2>/dev/null)" ] &&
    "$1/bin/java" -version 2>&1 | grep -Eq 'version "(1\.8|8|9|[1-9][0-9])'
}

find_jdk() {
  local javac
  javac=$(command -v javac || true)
  for jdk in "${JAVA_HOME:-/nowhere}" "${javac:+$(dirname "$(dirname "$(readlink -f "$javac")")")}" "$PWD/jdks/jdk17"; do
    [ -n "$jdk" ] && is_jdk "$jdk" && return
  done
  scripts/fetch-jdks.sh jdks 17
  is_jdk "$jdk"
}

# Starts the receiver at an address and waits until it listens; sets page. It outlives this script.
start_receiver() { # ADDRESS
  setsid timeout "${stays:-10m}" "$jprof" serve --listen "$1" --dir demo/uploads >demo/receiver.log 2>&1 </dev/null &
  receiver=$!
  for _ in $(seq 100); do
    page=$(sed -n 's/^listening on //p' demo/receiver.log)
    [ -z "$page" ] || return 0
    kill -0 "$receiver" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

# Ends the receiver of an earlier demo, if it still runs.
stop_earlier_receiver() {
  local earlier
  earlier=$(cat demo/receiver.pid 2>/dev/null) || return 0
  ! grep -qa 'serve.*--dir.*demo/uploads' "/proc/$earlier/cmdline" 2>/dev/null || kill "$earlier"
  rm -f demo/receiver.pid
}

# What the receiver keeps running for is a page to open: after a failure it goes.
stop_receiver() {
  [ -z "${receiver:-}" ] || kill "$receiver" 2>/dev/null || true
  rm -f demo/receiver.pid
}

arrived() { grep -c '^kept ' demo/receiver.log || true; }

find_jdk || { echo "no JDK 8 or newer: install one, and set JAVA_HOME" >&2; exit 1; }
scripts/build.sh
release=$(readlink -f "${CARGO_TARGET_DIR:-target}")/release
jprof=$release/jprof
classes=$(JAVA_HOME=$jdk java-harness/compile.sh)

mkdir -p demo
stop_earlier_receiver
rm -rf demo/uploads demo/demo.jfr demo/flame.html
trap stop_receiver EXIT
# 9529 is DataKit's port; another one where that is taken.
start_receiver 127.0.0.1:9529 || start_receiver 127.0.0.1:0 || { cat demo/receiver.log >&2; exit 1; }
echo "$receiver" >demo/receiver.pid

options=service=demo,env=demo,period=$period,url=${page%/},file=$PWD/demo/demo.jfr
printf 'the receiver listens on %s\nrunning a program for %d s: java -agentpath:libjprof.so=%s …\n' "$page" "$seconds" "$options"
"$jdk/bin/java" "-agentpath:$release/libjprof.so=$options" -cp "$classes" io.jprof.harness.Mix "$seconds" >demo/program.log ||
  { cat demo/program.log >&2; exit 1; }

# The last profile is sent while the JVM ends; give the receiver a moment to write it down.
for _ in $(seq 50); do
  [ "$(arrived)" -lt 2 ] || break
  sleep 0.1
done
if [ "$(arrived)" = 0 ]; then
  echo "no profile arrived; the receiver says:" >&2
  cat demo/receiver.log >&2
  exit 1
fi
"$jprof" flame demo/demo.jfr -o demo/flame.html

printf '\n%d profiles arrived. Top methods by their own CPU time:\n' "$(arrived)"
"$jprof" convert demo/demo.jfr --to collapsed | awk '
  { count = $NF; sub(/ [0-9]+$/, ""); sub(/.*;/, ""); own[$0] += count; total += count }
  END { for (name in own) printf "%7.1f %%  %s\n", 100 * own[name] / total, name }' | sort -rn | awk 'NR <= 10'
printf '\nflame graph   %s\n' "$PWD/demo/flame.html"
if [ -n "$stays" ]; then
  trap - EXIT
  [ "$stays" = infinity ] || left=" (goes by itself after $stays)"
  printf 'profiles      %s\nstop it with  kill %d%s\n' "$page" "$receiver" "${left:-}"
else
  printf 'profiles      %s  (make demo KEEP=1 leaves a page to open)\n' "$PWD/demo/uploads"
fi

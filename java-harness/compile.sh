#!/bin/bash
# Compiles the harness programs, without Gradle, for Java 8 and newer, and prints the class path to run them with:
#   java -cp "$(java-harness/compile.sh)" io.jprof.harness.Mix 10
# Uses the first javac of: $JAVA_HOME, jdks/jdk17 and its like, PATH. What is compiled already stays.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
classes=$here/build/classes/java/main
stamp=$here/build/compiled

mkdir -p "$classes"
exec 9>"$here/build/.lock"
flock 9 # tests may ask at the same time
if [ ! -f "$stamp" ] || [ -n "$(find "$here/src/main" -newer "$stamp" -print -quit)" ]; then
  for javac in ${JAVA_HOME:+"$JAVA_HOME/bin/javac"} "$here"/../jdks/jdk{17,11,21,25,8}/bin/javac "$(command -v javac || true)"; do
    [ ! -x "$javac" ] || break
  done
  [ -x "$javac" ] || { echo "no javac: run \`make jdks\`, or set JAVA_HOME to a JDK" >&2; exit 1; }
  target=(--release 8)
  "$javac" --release 8 -version >/dev/null 2>&1 || target=(-source 8 -target 8)
  rm -rf "$classes"
  mkdir -p "$classes"
  "$javac" -encoding UTF-8 "${target[@]}" -Xlint:-options -d "$classes" "$here"/src/main/java/io/jprof/harness/*.java >&2
  touch "$stamp"
fi
echo "$classes"

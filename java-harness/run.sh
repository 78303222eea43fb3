#!/bin/bash
# The Gradle tests under the agent, once per JDK. Counts go to $JPROF_LEDGER (see scripts/ledger.sh).
set -uo pipefail
cd "$(dirname "$0")"
. ../scripts/ledger.sh
. ../scripts/packages.sh

if ! need gradle gradle; then
  skip "harness: no gradle, and it could not be installed"
  exit 0
fi
# Gradle itself runs on a JDK that every release since 4.4 can use, and that can compile.
for builder in "$PWD"/../jdks/jdk{17,11,21} "${JAVA_HOME:-}"; do
  [ ! -x "$builder/bin/javac" ] || break
done
if [ ! -x "$builder/bin/javac" ]; then
  skip "harness: no JDK of 11 to 21 with a compiler to build with"
  exit 0
fi
gradle_major=$(gradle --version 2>/dev/null | sed -n 's/^Gradle \([0-9]*\)\..*/\1/p')
release=${CARGO_TARGET_DIR:-$PWD/../target}/release
for version in 8 11 17 21 25; do
  home=$PWD/../jdks/jdk$version
  if [ ! -x "$home/bin/java" ]; then
    skip "harness on JDK $version: the JDK is not there"
    continue
  fi
  # Old releases set a security manager in the test JVM, which JDK 24 and newer refuse.
  if [ "$version" -ge 24 ] && [ "${gradle_major:-0}" -lt 8 ]; then
    skip "harness on JDK $version: Gradle $gradle_major cannot run tests there"
    continue
  fi
  printf -- '-- JDK %s\n' "$version"
  if JAVA_HOME=$builder gradle --no-daemon --console=plain cleanTest test \
    -Pjprof.java="$home/bin/java" -Pjprof.agent="$release/libjprof.so"; then
    record passed 1 "harness: Gradle test under the agent, JDK $version"
  else
    record failed 1 "harness: Gradle test under the agent, JDK $version"
  fi
done

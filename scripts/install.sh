#!/bin/bash
# install.sh PREFIX: the agent into PREFIX/lib, the command into PREFIX/bin. DESTDIR is honoured.
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=${1:?usage: scripts/install.sh PREFIX}
release=${CARGO_TARGET_DIR:-target}/release
# Under sudo there may be no cargo: then what `make` built is installed.
if command -v cargo >/dev/null; then
  scripts/build.sh
elif [ ! -f "$release/libjprof.so" ] || [ ! -x "$release/jprof" ]; then
  echo "nothing to install in $release: run \`make\` first" >&2
  exit 1
fi

lib=${DESTDIR:-}$prefix/lib bin=${DESTDIR:-}$prefix/bin
# `install` writes a new file: a JVM that runs with the old library keeps it.
install -d "$lib" "$bin"
install -m 644 "$release/libjprof.so" "$lib/libjprof.so"
install -m 755 "$release/jprof" "$bin/jprof"
echo "installed $lib/libjprof.so and $bin/jprof"

[ -z "${DESTDIR:-}" ] || exit 0
if [ "$(id -u)" = 0 ]; then
  ldconfig 2>/dev/null || true
fi
if PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | grep -qF "=> $prefix/lib/libjprof.so"; then
  echo "use it as: java -agentpath:libjprof.so=service=NAME -jar app.jar"
else
  echo "the loader does not search $prefix/lib; use it as: java -agentpath:$(readlink -f "$lib")/libjprof.so=service=NAME -jar app.jar"
fi

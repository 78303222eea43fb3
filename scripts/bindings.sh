#!/bin/bash
# bindings.sh [OUT]: writes the JVMTI bindings anew, to OUT or to where the agent has them.
# Exit 77 where they cannot be made: no JDK 25, or no libclang.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
out=$(readlink -f "${1:-agent/src/jvmti/sys.rs}")

has_libclang() {
  compgen -G '/usr/lib/llvm-*/lib/libclang[.-][0-9s]*' >/dev/null ||
    compgen -G '/usr/lib/*-linux-gnu/libclang[.-][0-9s]*' >/dev/null ||
    [ -n "${LIBCLANG_PATH:-}" ]
}

# The system's libclang and its headers (some 100 MB); no compiler.
install_libclang() {
  local version
  version=$(apt-cache search --names-only '^libclang1-[0-9]+$' | sed 's/^libclang1-\([0-9]*\).*/\1/' | sort -n | tail -n 1)
  [ -n "$version" ] && install_packages "libclang1-$version" "libclang-common-$version-dev"
}

scripts/fetch-jdks.sh jdks >&2
# The newest JDK declares all that the older ones have.
if [ ! -f jdks/jdk25/include/jvmti.h ]; then
  echo "no jvmti.h of JDK 25" >&2
  exit 77
fi
if ! has_libclang && ! install_libclang; then
  echo "no libclang" >&2
  exit 77
fi
need_linker
JAVA_HOME=$PWD/jdks/jdk25 JPROF_BINDINGS_OUT=$out cargo build --quiet --package jprof --features regenerate-bindings
rustfmt --edition 2024 "$out"

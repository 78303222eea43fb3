#!/bin/bash
# dist.sh [ARCH]: the release of x86_64 or aarch64 as an archive, target/dist/jprof-VERSION-linux-ARCH.tar.gz, and its debug
# information as a second one. Runs wherever glibc is GLIBC_2.17 or newer, whatever this machine has: zig links it. The
# archive is checked, and for this machine's processor run under the JDKs in jdks/, before it gets its name.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
. scripts/dist-checks.sh

machine=$(uname -m)
arch=${1:-$machine}
case $arch in
  x86_64 | aarch64) ;;
  *) echo "usage: scripts/dist.sh [x86_64|aarch64]" >&2 && exit 2 ;;
esac

dist=$(mkdir -p "${CARGO_TARGET_DIR:-target}/dist" && readlink -f "${CARGO_TARGET_DIR:-target}/dist")
version=$(sed -n '/^\[workspace.package\]/,/^\[/ s/^version = "\(.*\)"/\1/p' Cargo.toml)
name=jprof-$version-linux-$arch
triple=$arch-unknown-linux-gnu
objcopy=objcopy
[ "$arch" = "$machine" ] || objcopy=$arch-linux-gnu-objcopy

# zig is a C compiler and linker that knows the symbols of every glibc; cargo-zigbuild hands it to cargo.
zig=0.15.2 zigbuild=0.24.0
tools=$dist/tools-$zig-$zigbuild

get_tools() {
  need python3 python3 || { echo "no python3, which brings zig" >&2 && return 1; }
  need readelf binutils && need "$objcopy" "binutils-${arch/_/-}-linux-gnu" ||
    { echo "no readelf or no $objcopy: install binutils for $arch" >&2 && return 1; }
  if [ ! -d "$tools" ]; then
    python3 -m pip --version >/dev/null 2>&1 || install_packages python3-pip ||
      { echo "no pip, which brings zig: install python3-pip" >&2 && return 1; }
    rm -rf "$tools.new"
    python3 -m pip install --quiet --target "$tools.new" "ziglang==$zig" "cargo-zigbuild==$zigbuild"
    mv "$tools.new" "$tools"
  fi
  [ -d "$(rustc --print sysroot)/lib/rustlib/$triple" ] || rustup target add "$triple"
}

# A folder of its own, since its flags are others than the usual build's. Messages of the agent name no folder of this
# machine.
build() {
  local flags=(-Clink-arg=-Wl,--build-id=sha1
    "--remap-path-prefix=$PWD=jprof-$version"
    "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo")
  PATH=$tools/bin:$PATH PYTHONPATH=$tools CARGO_ZIGBUILD_ZIG_PATH=$tools/ziglang/zig XDG_CACHE_HOME=$tools/cache \
    CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo "${flags[*]}") \
    cargo zigbuild --profile dist --target "$triple.$newest_glibc" --target-dir "$dist/build"
}

# Splits a file into what runs and its debug information, which debuggers find in the folder .debug beside it.
install_split() { # FILE MODE FOLDER
  local file=$1 base=${1##*/} folder=$3
  mkdir -p "$folder/.debug"
  "$objcopy" --only-keep-debug "$file" "$folder/.debug/$base.debug"
  "$objcopy" --strip-all --remove-section=.comment --add-gnu-debuglink="$folder/.debug/$base.debug" "$file" "$folder/$base"
  chmod "$2" "$folder/$base"
  chmod 644 "$folder/.debug/$base.debug"
}

check() { # FOLDER
  local file failed=0
  for file in libjprof.so jprof; do
    file=$1/$file
    check_machine "$file" "$arch" || failed=1
    check_glibc "$file" || failed=1
    check_needed "$file" || failed=1
    check_loading "$file" || failed=1
    check_debug "$file" "$1/.debug/${file##*/}.debug" || failed=1
  done
  check_exports "$1/libjprof.so" Agent_OnAttach Agent_OnLoad Agent_OnUnload || failed=1
  check_tls "$1/libjprof.so" || failed=1
  return "$failed"
}

# Nobody's names and the commit's time, whoever makes it.
archive() { # ARCHIVE TAR-ARGUMENT…
  local archive=$1
  shift
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct)" -cf - -C "$dist/stage" "$@" |
    gzip -9n >"$archive"
}

hint() {
  cat <<HINT
jprof $version for Linux on $arch, glibc $newest_glibc or newer

Unpack it anywhere, for instance under /opt, and give the JVM the library's absolute path:

    java -agentpath:/opt/$name/libjprof.so=service=NAME -jar app.jar

A JVM that runs already:

    /opt/$name/jprof attach PID service=NAME

The command finds the library beside itself. Everything else is in README.md.
HINT
}

get_tools
build
rm -rf "$dist/stage"
stage=$dist/stage/$name
mkdir -p "$stage"
install_split "$dist/build/$triple/dist/libjprof.so" 644 "$stage"
install_split "$dist/build/$triple/dist/jprof" 755 "$stage"
check "$stage"
hint >"$stage/INSTALL"
cp -r README.md README.zh.md CHANGELOG.md docs "$stage"
[ ! -f LICENSE ] || cp LICENSE "$stage"
chmod -R u=rwX,go=rX "$stage"
if [ "$arch" = "$machine" ]; then
  tests/dist/under-jdks.sh "$stage"
else
  echo "not run: this machine is no $arch"
fi

archive "$dist/$name.tar.gz" --exclude=.debug "$name"
archive "$dist/$name-debug.tar.gz" "$name/.debug"
rm -rf "$dist/stage"
(cd "$dist" && sha256sum "$name.tar.gz" "$name-debug.tar.gz")
du -h "$dist/$name.tar.gz" "$dist/$name-debug.tar.gz"

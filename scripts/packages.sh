# Installing what a target misses, sourced by scripts. Only Debian's packages, only when root or passwordless sudo may.

packages_refreshed=no

# Installs packages without recommendations; refreshes the package lists once, when a first try fails.
install_packages() { # PACKAGE…
  local as_root=()
  command -v apt-get >/dev/null || return 1
  if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || return 1
    as_root=(sudo -n)
  fi
  printf 'installing %s\n' "$*" >&2
  apt_install "$@" && return
  [ "$packages_refreshed" = no ] || return 1
  packages_refreshed=yes
  "${as_root[@]}" apt-get update -qq >&2 && apt_install "$@"
}

apt_install() { # PACKAGE…  (uses as_root of its caller)
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1
}

# True when the command is there, or is after installing the packages that bring it.
need() { # COMMAND PACKAGE…
  local command=$1
  shift
  command -v "$command" >/dev/null || { install_packages "$@" && command -v "$command" >/dev/null; }
}

# What a Rust build asks for besides Rust: a linker and the C headers.
need_linker() {
  need cc gcc libc6-dev && return
  echo "no C compiler: install gcc and libc6-dev (or your system's like) and try again" >&2
  return 1
}

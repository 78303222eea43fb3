# Finding Go, sourced by scripts: `find_go` sets go to a command of version 1.21 or newer.

new_enough() { # GO
  command -v "$1" >/dev/null && "$1" version 2>/dev/null | grep -Eq ' go1\.(2[1-9]|[3-9][0-9]|[1-9][0-9]{2})'
}

# The machine's own Go, else that of a newer Debian unpacked beside the JDKs, else Debian's.
find_go() {
  local unpacked=$PWD/jdks/.go candidate
  for candidate in go /usr/local/go/bin/go "$unpacked/usr/lib/go-1.24/bin/go"; do
    if new_enough "$candidate"; then
      go=$candidate
      return
    fi
  done
  suites_dir=$PWD/jdks/.suites
  mkdir -p "$suites_dir"
  . scripts/debian-suites.sh
  if unpack_packages trixie "$unpacked" golang-1.24-go golang-1.24-src && new_enough "$candidate"; then
    go=$candidate
    return
  fi
  need go golang-go && new_enough go && go=go
}

# Packages of any Debian suite, unpacked beside the system, sourced by scripts. The system's own apt settings are only
# read: its mirror, proxies and keys serve for suites that it does not list. No root is needed.
#
# The caller sets suites_dir, where package lists, downloads and unpacked libraries are kept.

# What apt may fetch from: `URI|RELEASE` for each source of the system.
system_sources() {
  apt-get indextargets --format '$(REPO_URI)|$(RELEASE)' 'Created-By: Packages' 2>/dev/null | sort -u
}

system_suite() { (. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}"); }

# Makes a suite's package lists ready; false where the mirror does not serve it.
open_suite() { # SUITE
  local suite=$1 dir=$suites_dir/$1 mirror security keyring
  [ ! -f "$dir/opened" ] || return 0
  command -v apt-get >/dev/null || return 1
  mirror=$(system_sources | awk -F'|' -v s="$(system_suite)" '$2 == s { print $1; exit }')
  security=$(system_sources | awk -F'|' '$2 ~ /-security$/ { print $1; exit }')
  for keyring in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
    [ ! -f "$keyring" ] || break
  done
  [ -n "$mirror" ] && [ -f "$keyring" ] || return 1

  mkdir -p "$dir"/{parts,lists/partial,cache/archives/partial}
  : >"$dir/status"
  # sid has no security suite: fixes go there first.
  {
    echo "deb [signed-by=$keyring] $mirror $suite main"
    [ "$suite" = sid ] || [ -z "$security" ] || echo "deb [signed-by=$keyring] $security $suite-security main"
  } >"$dir/sources.list"
  # A mirror that lags serves lists past their date: their signatures still count.
  cat >"$dir/apt.conf" <<CONF
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "$dir/parts";
Dir::Etc::PreferencesParts "$dir/parts";
Dir::State "$dir";
Dir::State::Lists "$dir/lists";
Dir::State::Status "$dir/status";
Dir::Cache "$dir/cache";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "";
CONF
  APT_CONFIG=$dir/apt.conf apt-get update -qq --error-on=any >"$dir/update.log" 2>&1 && : >"$dir/opened"
}

# Downloads packages of a suite and unpacks them under ROOT; false when one of them is not to be had.
unpack_packages() { # SUITE ROOT PACKAGE…
  local suite=$1 root=$2 downloads package
  shift 2
  open_suite "$suite" || return 1
  downloads=$(mktemp -d "$suites_dir/download.XXXXXX")
  if (cd "$downloads" && APT_CONFIG=$suites_dir/$suite/apt.conf apt-get download -qq "$@") >/dev/null 2>&1; then
    mkdir -p "$root"
    for package in "$downloads"/*.deb; do
      dpkg-deb -x "$package" "$root" || return 1
    done
    rm -rf "$downloads"
  else
    rm -rf "$downloads"
    return 1
  fi
}

# Makes programs built for a newer C library run here: they get that suite's own loader and library.
lend_c_library() { # SUITE FILE…
  local suite=$1 libc=$suites_dir/$1-libc patchelf=$suites_dir/patchelf/usr/bin/patchelf loader libraries file path
  shift
  [ -d "$libc" ] || unpack_packages "$suite" "$libc" libc6 || return 1
  [ -x "$patchelf" ] || unpack_packages "$(system_suite)" "$suites_dir/patchelf" patchelf || return 1
  loader=$(find "$libc" -name 'ld-linux-*.so.*' -not -type d | head -n 1)
  libraries=$(dirname "$(find "$libc" -name libc.so.6 | head -n 1)")
  for file in "$@"; do
    "$patchelf" --print-interpreter "$file" >/dev/null 2>&1 || continue
    path=$("$patchelf" --print-rpath "$file")
    "$patchelf" --set-interpreter "$loader" --force-rpath --set-rpath "${path:+$path:}$libraries" "$file" || return 1
  done
}

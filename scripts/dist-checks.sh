# What a file of the release must be, sourced by scripts. Each check says what is wrong, and fails.

# What CentOS 7 and its like have: the oldest that Rust's own library asks for.
newest_glibc=2.17
# As agent/tests/signal_rules.rs: a library that is loaded late gets what glibc keeps in reserve.
most_tls_bytes=256

wrong() { # FILE WHAT
  printf '%s: %s\n' "$1" "$2" >&2
  return 1
}

# The versions of the C library that a file asks for, by symbols and without, oldest first.
glibc_versions() { # FILE
  readelf --wide --version-info --dyn-syms "$1" 2>/dev/null | grep -oE '\bGLIBC_[[:alnum:]_.]+' | sort -uV
}

# Nothing newer than $newest_glibc, and nothing that is no plain version (GLIBC_PRIVATE, GLIBC_ABI_DT_RELR).
check_glibc() { # FILE
  local version found=no failed=0
  while read -r version; do
    found=yes
    if ! [[ $version =~ ^GLIBC_[0-9.]+$ ]] ||
      [ "$(printf '%s\n' "${version#GLIBC_}" "$newest_glibc" | sort -V | tail -n 1)" != "$newest_glibc" ]; then
      wrong "$1" "asks for $version ($(symbols_of_version "$1" "$version")), newer than GLIBC_$newest_glibc" || failed=1
    fi
  done < <(glibc_versions "$1")
  [ "$found" = yes ] || wrong "$1" "no versions of the C library are found in it" || failed=1
  return "$failed"
}

symbols_of_version() { # FILE VERSION
  local symbols
  symbols=$(readelf --wide --dyn-syms "$1" | awk -v version="$2" '{ n = split($8, part, "@+"); if (n > 1 && part[2] == version) print part[1] }')
  echo "${symbols:-no symbol}" | paste -sd ' '
}

# The processor, as `uname -m` says it.
check_machine() { # FILE ARCH
  local machine
  machine=$(readelf --file-header "$1" 2>/dev/null | sed -n 's/^ *Machine: *//p')
  case $2:$machine in
    x86_64:*X86-64 | aarch64:AArch64) ;;
    *) wrong "$1" "is made for ${machine:-nothing known}, not for $2" ;;
  esac
}

# Only the C library's own parts: in a container there may be nothing else.
check_needed() { # FILE
  local others
  others=$(readelf --wide --dynamic "$1" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
    sed -E '/^(lib(c|m|dl|rt|pthread)\.so\.[0-9]+|ld-linux-.*)$/d' | paste -sd ' ')
  [ -z "$others" ] || wrong "$1" "needs $others"
}

# The dynamic symbols that the library defines are these and no others.
check_exports() { # FILE NAME…
  local file=$1 exported
  shift
  exported=$(readelf --wide --dyn-syms "$file" 2>/dev/null |
    awk '$5 ~ /GLOBAL|WEAK|UNIQUE/ && $7 != "UND" && $1 ~ /^[0-9]+:$/ { sub(/@.*/, "", $8); print $8 }' | sort | paste -sd ' ')
  [ "$exported" = "$(printf '%s\n' "$@" | sort | paste -sd ' ')" ] || wrong "$file" "exports: ${exported:-nothing}"
}

check_tls() { # FILE
  local bytes
  bytes=$(($(readelf --wide --segments "$1" 2>/dev/null | awk '$1 == "TLS" { print $6 }') + 0))
  [ "$bytes" -lt "$most_tls_bytes" ] || wrong "$1" "has $bytes bytes of thread-local storage"
}

# Symbols are bound when the file is loaded: the loader's binding at first use has no place in a signal handler. And no
# executable stack, for which the JVM warns and newer loaders refuse a library.
check_loading() { # FILE
  local failed=0
  readelf --wide --dynamic "$1" 2>/dev/null | grep -qE 'BIND_NOW|FLAGS_1.*NOW' || wrong "$1" "binds symbols at their first use" || failed=1
  readelf --wide --segments "$1" 2>/dev/null | awk '$1 == "GNU_STACK" { plain = $0 !~ /RWE/ } END { exit !plain }' ||
    wrong "$1" "wants an executable stack" || failed=1
  return "$failed"
}

build_id() { # FILE
  readelf --wide --notes "$1" 2>/dev/null | sed -n "s/.*Build ID: *//p"
}

has_section() { # FILE SECTION
  readelf --wide --section-headers "$1" 2>/dev/null | grep -qE "\] \\$2 "
}

# The file has no symbols but the dynamic ones, and names the file that has the rest, whose build id is the same.
check_debug() { # FILE DEBUG-FILE
  local failed=0 section id
  for section in .symtab .debug_info; do
    ! has_section "$1" "$section" || wrong "$1" "still has $section" || failed=1
    has_section "$2" "$section" || wrong "$2" "has no $section" || failed=1
  done
  has_section "$1" .gnu_debuglink &&
    [ "$(readelf --wide --string-dump=.gnu_debuglink "$1" | awk '$1 == "[" { print $3; exit }')" = "${2##*/}" ] ||
    wrong "$1" "does not name ${2##*/}" || failed=1
  id=$(build_id "$1")
  [ -n "$id" ] || wrong "$1" "has no build id" || failed=1
  [ "$id" = "$(build_id "$2")" ] || wrong "$2" "has another build id" || failed=1
  return "$failed"
}

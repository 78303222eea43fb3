#!/bin/bash
# The checks of a release (scripts/dist-checks.sh) see what is wrong: small libraries made for it, each with one fault. And
# what the usual build asks of the C library is known. Counts go to $JPROF_LEDGER.
set -uo pipefail
cd "$(dirname "$0")/../.."
. scripts/ledger.sh
. scripts/packages.sh
. scripts/dist-checks.sh

need_linker && need readelf binutils || { skip "release checks: no C compiler or no binutils" && exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

expect() { # PASSES|PATTERN NAME CHECK ARGUMENT…
  local expected=$1 name="release checks: $2" words status
  shift 2
  words=$("$@" 2>&1)
  status=$?
  if if [ "$expected" = passes ]; then [ "$status" = 0 ]; else [ "$status" != 0 ] && grep -q -- "$expected" <<<"$words"; fi; then
    record passed 1 "$name"
  else
    printf '%s: exit %d, expected %s: %s\n' "$name" "$status" "$expected" "$words"
    record failed 1 "$name"
    failed=1
  fi
}

# A library that asks for the function `asked` in a version of the C library, whatever C library is here.
asking_for() { # VERSION
  local folder=$work/$1
  mkdir -p "$folder"
  echo "$1 { global: asked; local: *; };" >"$folder/map"
  echo 'void asked(void) {}' | cc -xc - -shared -fPIC -nostdlib -Wl,--version-script="$folder/map",-soname,libc.so.6 -o "$folder/libc.so.6"
  echo 'void asked(void); void Agent_OnLoad(void) { asked(); }' |
    cc -xc - -shared -fPIC -nostdlib -xnone "$folder/libc.so.6" -o "$folder/asking.so"
  echo "$folder/asking.so"
}

library() { # NAME SOURCE FLAG…
  local file=$work/$1 source=$2
  shift 2
  echo "$source" | cc -xc - -shared -fPIC -g -Wl,--build-id -xnone "$@" -o "$file"
  echo "$file"
}

for version in GLIBC_2.2.5 GLIBC_2.9 GLIBC_2.17; do
  expect passes "$version" check_glibc "$(asking_for "$version")"
done
for version in GLIBC_2.17.1 GLIBC_2.18 GLIBC_2.34 GLIBC_3.0 GLIBC_PRIVATE; do
  expect "asks for $version (asked)" "$version" check_glibc "$(asking_for "$version")"
done
expect 'no versions' "no library at all" check_glibc scripts/dist.sh

machine=$(uname -m)
good=$(library good.so 'int Agent_OnLoad(void) { return 0; }' -Wl,-z,now)
expect passes "this machine's processor" check_machine "$good" "$machine"
expect 'is made for' "another processor" check_machine "$good" "$([ "$machine" = aarch64 ] && echo x86_64 || echo aarch64)"
expect passes "the entries alone" check_exports "$good" Agent_OnLoad
expect 'exports:.*leaked' "an export more" check_exports "$(library more.so 'int Agent_OnLoad, leaked;')" Agent_OnLoad
expect 'exports: Agent_OnLoad$' "an export less" check_exports "$good" Agent_OnLoad Agent_OnAttach
expect passes "the C library alone" check_needed "$good"
expect 'needs libother.so' "another library" check_needed \
  "$(library needing.so 'int other(void); int one(void) { return other(); }' "$(library libother.so 'int other(void) { return 0; }' -Wl,-soname,libother.so)")"
expect passes "no thread-local storage" check_tls "$good"
expect 'has 256 bytes' "much thread-local storage" check_tls "$(library tls.so '__thread char much[256]; char *one(void) { return much; }')"
expect passes "bound when loaded" check_loading "$good"
expect 'at their first use' "bound late" check_loading "$(library late.so 'int one;' -Wl,-z,lazy)"
expect 'executable stack' "an executable stack" check_loading "$(library stack.so 'int one;' -Wl,-z,now,-z,execstack)"

# A stripped copy of a library with its debug information beside it.
split() { # FILE FOLDER
  mkdir -p "$2"
  objcopy --only-keep-debug "$1" "$2/lib.debug"
  objcopy --strip-all --add-gnu-debuglink="$2/lib.debug" "$1" "$2/lib.so"
}
split "$good" "$work/split"
split "$(library other.so 'int Agent_OnLoad(void) { return 1; }')" "$work/other"
expect passes "debug information of its own" check_debug "$work/split/lib.so" "$work/split/lib.debug"
expect 'another build id' "debug information of another build" check_debug "$work/split/lib.so" "$work/other/lib.debug"
expect 'still has .symtab' "not stripped" check_debug "$good" "$work/split/lib.debug"
expect 'does not name' "no link to the debug information" check_debug "$good" "$work/split/lib.debug"

# The usual build is for this machine's own C library; that it is seen to ask for something shows that the check can read it.
built=${CARGO_TARGET_DIR:-target}/release/libjprof.so
if [ -f "$built" ]; then
  oldest=$(glibc_versions "$built" | tail -n 1)
  echo "the usual build asks for $oldest; a release for GLIBC_$newest_glibc at most"
  expect passes "the usual build asks for a version of the C library" test -n "$oldest"
  expect passes "the usual build's entries" check_exports "$built" Agent_OnAttach Agent_OnLoad Agent_OnUnload
  expect passes "the usual build's thread-local storage" check_tls "$built"
  expect passes "the usual build is bound when loaded" check_loading "$built"
else
  skip "release checks: no release build"
fi
skip "the release archive is built, checked and run by \`make dist\`, which takes minutes"
exit "$failed"

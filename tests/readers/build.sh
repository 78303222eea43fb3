# Builds readers, sourced by compare.sh, java.sh and run.sh: sets go_reader and jdk_reader, empty where one cannot be had.
# The caller stands in the checkout's root and has sourced scripts/ledger.sh and scripts/packages.sh.

readers_built=${CARGO_TARGET_DIR:-$PWD/target}/readers
mkdir -p "$readers_built"

cargo build --quiet -p jfr-reader --examples || exit 1
rust_readers=${CARGO_TARGET_DIR:-$PWD/target}/debug/examples

go_reader=
if . scripts/go.sh && find_go; then
  # The module that DataKit links stands in no public checksum database; go.sum here holds its checksum.
  if (cd tests/readers/datakit && GONOSUMDB=github.com/GuanceCloud/jfr-parser GOTOOLCHAIN=local \
    "$go" build -o "$readers_built/datakit" .); then
    go_reader=$readers_built/datakit
  else
    echo "tests/readers/datakit does not build" >&2
    exit 1
  fi
else
  skip "readers: DataKit's parser: no Go 1.21 or newer"
fi

jdk_reader=
for javac in jdks/jdk{11,17,21,25}/bin/javac; do
  if [ -x "$javac" ]; then
    jdk_reader=$readers_built/jdk
    [ -n "$(find "$jdk_reader" -newer tests/readers/jdk/Events.java -name Events.class 2>/dev/null)" ] ||
      "$javac" --release 11 -Xlint:-options -d "$jdk_reader" tests/readers/jdk/*.java || exit 1
    break
  fi
done
[ -n "$jdk_reader" ] || skip "readers: the JDK's reader: no JDK 11 or newer with a compiler under jdks/"

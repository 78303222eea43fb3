# Everything a person does with jprof, by name. Each target installs what it misses (see scripts/packages.sh).
PREFIX ?= /usr/local
SHELL := /bin/bash

.PHONY: all check test soak fuzz miri demo bench jdks bindings install dist

# The agent target/release/libjprof.so and the command target/release/jprof.
all:
	scripts/build.sh

# Before each commit: format, lints, unit tests; under two minutes once built.
check:
	scripts/check.sh

# Everything: JDKs, release build, all tests, a summary with every skip and its reason.
test:
	scripts/test.sh

# What only time shows: hours. SOAK_MINUTES=30 of storms in each JDK, SOAK_ALLOCATION=10 of storms of objects in each JDK by
# each collector, SOAK_WALKS=10000000 walks from hostile registers, SOAK_CYCLES=500 times attached and detached.
soak:
	scripts/soak.sh

# Every fuzz target under libFuzzer, FUZZ_SECONDS=60 each. Needs a nightly compiler, which is installed.
fuzz:
	scripts/fuzz.sh

# What is pure memory and arithmetic under Miri: minutes. Needs a nightly compiler, which is installed.
miri:
	scripts/miri.sh

# A program under the agent, a receiver, a flame graph. The receiver stays for an hour; KEEP=0: not, KEEP=1: for good.
demo:
	scripts/demo.sh

# Measurements beside async-profiler, for docs/benchmarks.md.
bench: all jdks
	benches/run.sh

# JDK 8, 11, 17, 21 and 25 under jdks/, for tests and measurements only.
jdks:
	scripts/fetch-jdks.sh jdks

# The agent's JVMTI bindings anew, from the newest JDK's jvmti.h.
bindings:
	scripts/bindings.sh

# The release: target/dist/jprof-VERSION-linux-ARCH.tar.gz, for any glibc from 2.17 on. ARCH=aarch64: built, not run.
dist:
	scripts/dist.sh $(ARCH)

# The library where the loader finds it, the command in PREFIX/bin.
install:
	scripts/install.sh "$(PREFIX)"

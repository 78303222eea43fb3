#!/bin/bash
# What only time shows: ten million walks from hostile registers in each JDK, $SOAK_CYCLES (500) times attached to and
# detached from JVMs whose threads churn, every collector by every way to run code for $SOAK_MATRIX (3) seconds, then storms
# under the agent at 100 us for $SOAK_MINUTES (30) minutes in each JDK, and storms of objects for $SOAK_ALLOCATION (10) minutes
# in each JDK by each collector: no crash, no hang, flat memory, readable recordings. At last all end-to-end tests, on each
# JDK where `make test` takes two.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
need_linker || exit 1
scripts/fetch-jdks.sh jdks || exit 1
scripts/build.sh || exit 1
export LC_ALL=C.UTF-8

status=0
JPROF_WALKS=${SOAK_WALKS:-10000000} \
  cargo test --release -p jprof-agent --test walk_probe -- hostile --test-threads 1 || status=1
JPROF_MATRIX_SECONDS=${SOAK_MATRIX:-3} JPROF_ATTACH_CYCLES=${SOAK_CYCLES:-500} \
  JPROF_SOAK_MINUTES=${SOAK_MINUTES:-30} JPROF_SOAK_ALLOCATION_MINUTES=${SOAK_ALLOCATION:-10} \
  cargo test --release --test end_to_end -- --nocapture soak || status=1
JPROF_EVERY_JDK=1 cargo test --release --test end_to_end -- --nocapture --test-threads 1 --skip soak || status=1
exit "$status"

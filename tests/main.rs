//! End to end: harness programs in real JVMs under the agent, their recordings and uploads.
//!
//! What is held true is counted in CPU time, which a busy machine does not change, not in seconds; where a wait is
//! bounded, the test says by what margin.
//!
//! The agent and the command are those of the release build, or `$JPROF_LIB` and `$JPROF_BIN`; the JDKs are those under
//! `jdks/`, or `$JPROF_JDKS`. What is not there is a skip, printed and counted.

mod accuracy;
mod allocation;
mod attach;
mod counters;
mod endings;
mod events;
mod fire;
mod last_resorts;
mod live;
mod matrix;
mod options;
mod outage;
mod pressure;
mod privacy;
mod reading;
mod rotation;
mod soak;
mod support;
mod threads;
mod walker;

//! The agent: libjprof.so, loaded into the JVM.

pub mod host;
pub mod hotspot;
pub mod jvmti;
pub mod options;

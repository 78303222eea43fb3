//! The agent: libjprof.so, loaded into the JVM.

pub mod jvmti;

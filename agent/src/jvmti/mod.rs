//! JVMTI: the generated declarations and a safe wrapper around them.

pub mod sys;

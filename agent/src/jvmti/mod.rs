//! JVMTI: the generated declarations, a safe wrapper, and the callbacks.

pub(crate) mod callbacks;
mod env;
mod error;
pub mod sys;

pub use env::Jvmti;
pub use error::JvmtiError;

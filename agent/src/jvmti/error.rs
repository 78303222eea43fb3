//! JVMTI error codes.

use std::fmt;

use super::sys;

/// A JVMTI error code. A number rather than an enum, since a JVM may return codes that this
/// version does not know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct JvmtiError(pub sys::jvmtiError);

impl JvmtiError {
    /// `JVMTI_ERROR_NOT_AVAILABLE`.
    pub const NOT_AVAILABLE: Self = Self(sys::JVMTI_ERROR_NOT_AVAILABLE);

    pub(crate) fn check(code: sys::jvmtiError) -> Result<(), Self> {
        if code == sys::JVMTI_ERROR_NONE {
            Ok(())
        } else {
            Err(Self(code))
        }
    }
}

impl fmt::Display for JvmtiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            sys::JVMTI_ERROR_INVALID_THREAD => "invalid thread",
            sys::JVMTI_ERROR_THREAD_NOT_ALIVE => "thread not alive",
            sys::JVMTI_ERROR_NOT_AVAILABLE => "not available",
            sys::JVMTI_ERROR_MUST_POSSESS_CAPABILITY => "a capability is missing",
            sys::JVMTI_ERROR_WRONG_PHASE => "wrong phase",
            sys::JVMTI_ERROR_CLASS_NOT_PREPARED => "class not prepared",
            sys::JVMTI_ERROR_OUT_OF_MEMORY => "out of memory",
            sys::JVMTI_ERROR_UNATTACHED_THREAD => "unattached thread",
            sys::JVMTI_ERROR_INVALID_ENVIRONMENT => "invalid environment",
            _ => "see jvmti.h",
        };
        write!(formatter, "JVMTI error {} ({name})", self.0)
    }
}

impl fmt::Debug for JvmtiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl std::error::Error for JvmtiError {}

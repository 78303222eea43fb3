//! The handlers that other code had installed before ours, and how a signal goes on to them.
//!
//! # Safety
//! sigaction(2) has given the address as that of a handler of the kind that is noted with it.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};

/// The handler that had a signal before.
#[derive(Clone, Copy, Debug, Default)]
pub struct PreviousHandler {
    /// `sa_sigaction`.
    pub address: usize,
    /// Whether it takes three arguments (`SA_SIGINFO`).
    pub takes_info: bool,
}

impl PreviousHandler {
    /// Whether it is a function: neither the default action nor none.
    pub(crate) const fn is_function(self) -> bool {
        self.address != libc::SIG_DFL && self.address != libc::SIG_IGN
    }

    /// Hands a signal on. What is no function is not called.
    ///
    /// # Safety
    /// The address and its kind come from sigaction(2); the arguments are those of the running handler, unchanged.
    pub(crate) unsafe fn call(
        self,
        signal: c_int,
        info: *mut libc::siginfo_t,
        ucontext: *mut c_void,
    ) {
        if !self.is_function() {
            return;
        }
        let address = self.address as *const c_void;
        // SAFETY: the caller vouches for the address and its kind.
        unsafe {
            if self.takes_info {
                let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) =
                    core::mem::transmute(address);
                handler(signal, info, ucontext);
            } else {
                let handler: extern "C" fn(c_int) = core::mem::transmute(address);
                handler(signal);
            }
        }
    }
}

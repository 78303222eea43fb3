//! The handlers that other code had installed before ours, and how a signal goes on to them.
//!
//! # Safety
//! sigaction(2) has given the address as that of a handler of the kind that is noted with it.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Signals on their way through a [`Chain`] at one time, beyond which a signal goes straight to its first handler.
const MOST_PASSING: usize = 32;

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

struct Place {
    address: AtomicUsize,
    takes_info: AtomicBool,
}

impl Place {
    const fn new() -> Self {
        Self {
            address: AtomicUsize::new(libc::SIG_DFL),
            takes_info: AtomicBool::new(false),
        }
    }

    fn get(&self) -> PreviousHandler {
        PreviousHandler {
            address: self.address.load(Ordering::Acquire),
            takes_info: self.takes_info.load(Ordering::Acquire),
        }
    }

    fn set(&self, handler: PreviousHandler) {
        self.takes_info.store(handler.takes_info, Ordering::Release);
        self.address.store(handler.address, Ordering::Release);
    }
}

/// The handlers of one signal that ours has come before.
///
/// One that was put in after ours, and that ours then came before again, may call ours in turn, as what it has found: a
/// signal that comes back goes to the handler that was there at the very first.
pub struct Chain {
    first: Place,
    last: Place,
    is_known: AtomicBool,
    /// The contexts of the signals that are being passed on.
    passing: [AtomicUsize; MOST_PASSING],
}

impl core::fmt::Debug for Chain {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Chain")
            .field("first", &self.first.get())
            .field("last", &self.last.get())
            .finish_non_exhaustive()
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}

impl Chain {
    /// No handler.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            first: Place::new(),
            last: Place::new(),
            is_known: AtomicBool::new(false),
            passing: [const { AtomicUsize::new(0) }; MOST_PASSING],
        }
    }

    /// Notes the handler before which ours is about to be installed. Of several, one at a time.
    pub fn come_before(&self, handler: PreviousHandler) {
        if !self.is_known.swap(true, Ordering::AcqRel) {
            self.first.set(handler);
        }
        self.last.set(handler);
    }

    /// Whether the signal was ignored before.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "for the traps")
    )]
    pub(crate) fn ignores(&self) -> bool {
        self.last.get().address == libc::SIG_IGN
    }

    /// Hands a signal on. False when the handler that it is due to is no function: the default action, or none.
    ///
    /// # Safety
    /// The noted handlers come from sigaction(2); the arguments are those of the running handler, unchanged.
    pub(crate) unsafe fn pass_on(
        &self,
        signal: c_int,
        info: *mut libc::siginfo_t,
        ucontext: *mut c_void,
    ) -> bool {
        let (first, last) = (self.first.get(), self.last.get());
        let context = ucontext as usize;
        let is_back = last.address == first.address
            || self
                .passing
                .iter()
                .any(|passing| passing.load(Ordering::Relaxed) == context);
        let place = self.passing.iter().filter(|_| !is_back).find(|passing| {
            passing
                .compare_exchange(0, context, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        });
        let handler = if place.is_some() { last } else { first };
        // SAFETY: handed on from the caller.
        unsafe { handler.call(signal, info, ucontext) };
        if let Some(place) = place {
            place.store(0, Ordering::Relaxed);
        }
        handler.is_function()
    }
}
